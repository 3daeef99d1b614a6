import {approveStep} from '../../api/progress.ts';
import type {Plan, Run} from '../../api/types.ts';
import type {ClaimView, Observation, OrdinalView} from '../../observe/observation.ts';
import type {Assessment} from '../assess.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {asksToStop, dependentRefusal, plannedDependents} from '../dependents.ts';
import {newClusterID, viewsOf} from '../newCluster.ts';
import {canonicalMemberships, fatesOf, joinStep, plannedSpecHash, setSpecHash, sha256, tiedFirst} from './plan.ts';
import {unfitMembers} from '../evidence/survivor.ts';
import type {Candidate} from '../evidence/survivor.ts';
import {hookNotes, newClusterPreflight, storageNotes, versionOf} from './preflight.ts';

export type Lost = Extract<Assessment, {kind: 'lost'}>;

/** Voters whose data nobody can read now and nothing proves gone: it may be there again later, and be the newest of all. */
const unreadOf = ({data}: Pick<Lost, 'data'>): string[] => data.filter(({state}) => state === 'MayReturn')
  .map(({voter, why}) => `${voter.pod ?? voter.memberID} (${why})`).sort();

/** What is not there, and by which strategies a person says that it is given up. */
const nothing = {left: 'no data is within reach that a cluster can start from, and that of', strategies: 'RestoreSnapshot or RebuildFromConfig'};

/** Auto takes nothing older while data may return: that no data is left is not true then. undefined: nothing may, or a person named the strategy. */
export function mayReturnRefusal({spec}: Pick<Observation, 'spec'>, lost: Pick<Lost, 'data'>, {left, strategies} = nothing): Decision | undefined {
  const unread = unreadOf(lost);
  if (unread.length === 0 || spec.strategy !== 'Auto') return undefined;
  return blocked('FencingUnproven', `${left} ${unread.join(', ')} may come back: nothing older is put in its place without a person's word. Nothing was touched. Way out: bring the node back, or delete its Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service; or set spec.strategy to ${strategies}, which gives that data up`);
}

/** What is not proven gone, and what is there and is nothing to start from: a person gives it up with the plan. */
export function leftBehind(observation: Observation, lost: Pick<Lost, 'data'>, goesOn: string | undefined): string {
  const unread = unreadOf(lost);
  const unfit = goesOn === undefined ? unfitMembers(observation, lost.data) : [];
  const returning = unread.length === 0 ? '' : ` Data that nobody can read now may come back, be newer, and is given up: ${unread.join(', ')}.`;
  return `${returning}${unfit.length === 0 ? '' : ` Data is left that no cluster can start from: ${unfit.join('; ')}.`}`;
}

/** Why anything but the members' data is taken. `none`: what is said where none is left. */
export const whyAnew = ({candidates, data}: Lost, none: string): string => {
  const unread = unreadOf({data});
  if (unread.length > 0) return `spec.strategy asks for it, although data may come back: ${unread.join(', ')}`;
  return candidates.length > 0 ? 'spec.strategy asks for it' : none;
};

/** What becomes of a member's claim. `anew` and `inPlace`: what comes on a claim or a volume that is new, and where the old data was. */
export function claimFate({data, wal}: OrdinalView, {anew, inPlace}: {anew: string; inPlace: string}): string {
  const places = [data, wal].map((claim) => claim?.place.at);
  if (places.includes('GoneNode')) return `its volume is kept (Retain), the claim is made anew, and ${anew}`;
  if (places.includes('Missing') || places.includes('Unbound')) return `a new volume is provisioned, and ${anew}`;
  if (places.includes('NotReadyNode')) return 'its node is not Ready: what is on it stays as it is, and the member joins later';
  return `what is on it is set aside on the same volume, and ${inPlace}`;
}

/** What a strategy that starts anew says of its own plan. */
export interface Anew {
  strategy: Plan['strategy'];
  /** Steps between the last stop and the new cluster that serves, and between that and the end, e.g. what is loaded. */
  seeding: readonly string[];
  loading: readonly string[];
  why: string;
  expectedLoss: string;
  /** What happens to the claim of a member, in words. */
  fate: (view: OrdinalView, claim: ClaimView) => string;
  notes: readonly string[];
  snapshot?: Plan['snapshot'];
  /** It begins with this member alone, from its own data. Default: with all at once, from what is none's. */
  begins?: OrdinalView;
  candidates?: readonly Candidate[];
  lowest?: Plan['lowest'];
  /** Those that begin, where not all do. */
  first?: string[] | undefined;
  /** What a person approves beside what every such plan has. */
  approves: unknown;
}

/** Steps of a run that starts a new cluster. What has no place joins later: those steps come when that shows. */
function stepsFor(observation: Observation, {seeding, loading, first}: Anew): string[] {
  const {verification: {restartProof}} = observation.spec;
  const later = first === undefined ? [] : observation.ordinals.filter(({pod}) => !first.includes(pod)).sort(tiedFirst).map(({pod}) => joinStep(pod));
  return [
    'Plan', approveStep, ...(asksToStop(observation) ? ['StopDependents'] : []), 'Hold', 'Stop', ...seeding, ...loading, ...later,
    ...(asksToStop(observation) ? ['ReturnDependents'] : []), ...(restartProof && observation.ordinals.length >= 3 ? ['RestartProof'] : []), 'Verify', 'Release',
  ];
}

/** What was read for the plan answers another question by now, or nobody has read it: planning reads it again. */
export const readForPlan = (what: 'dumps' | 'stored', why: string): Decision => ({kind: 'record', why, record: (draft) => {
  if (!draft.run) return;
  Reflect.deleteProperty(draft.run, what);
  delete draft.run.plan;
  delete draft.run.identity;
  draft.run.steps = [{name: 'Plan', state: 'Running'}];
}});

/**
 * What the other cluster ID means for those who use it.
 * @param first those that begin it. Default: all
 * @param one of these begins it alone, whichever is taken in the end
 */
export function newIDNote(observation: Observation, first?: readonly string[], one?: readonly string[]): string {
  const {run} = observation.status;
  const idOf = (pods?: readonly string[]): string => (run === undefined ? '' : newClusterID(run, pods === undefined ? observation.ordinals : viewsOf(observation, pods)));
  const alone = (one ?? []).map((pod) => (one?.length === 1 ? idOf([pod]) : `${idOf([pod])}, if ${pod} begins it`)).join('; ');
  const whose = one === undefined ? `${idOf(first)}, if ${first === undefined ? 'all members' : first.join(', ')} begin it` : alone;
  return `the new cluster has another ID (${whose}) and other member IDs: clients that keep their endpoints go on, their leases and watches end; what compares cluster IDs (mirrors, backups of a cluster by its ID) has to be told`;
}

/** @param goesOn the member whose own data does */
export const fenceOf = ({fencing}: Pick<Lost, 'fencing'>, goesOn?: string): Plan['lost'] => fencing.processes.filter(({pod}) => pod !== goesOn).map(({pod, memberID, proven, stoppable, waitsFor}) => {
  const proof = proven?.message ?? (stoppable ? 'it is stopped, and its kubelet reports its end' : waitsFor);
  return {pod, ...(memberID !== '' && {memberID}), fenced: proven?.by ?? (stoppable ? 'ToBeStopped' : 'Unproven'), ...(proof !== undefined && {proof})};
}).sort((a, b) => (a.pod < b.pod ? -1 : 1));

/** What the run was planned with as the old cluster; undefined: nobody told anything of it. */
function identityOf({memberships}: Lost, version: string): Run['identity'] {
  const first = memberships.find(({clusterID}) => clusterID !== undefined);
  if (first?.clusterID === undefined) return undefined;
  return {clusterID: first.clusterID, version, source: first.source, members: first.voters.map(({memberID, pod}) => ({id: memberID, ...(pod !== undefined && {name: pod}), peerURLs: []}))};
}

/** What every such plan says at its end. `alone`: candidates of which one begins. */
export const lastNotes = (observation: Observation, {begins, first, alone}: Pick<Anew, 'first'> & {begins: string | undefined; alone?: readonly string[]}): string[] => [
  newIDNote(observation, first, begins === undefined ? undefined : alone ?? [begins]), ...hookNotes(observation),
  ...storageNotes(observation, observation.ordinals.map(({pod}) => pod).filter((pod) => pod !== begins)),
];

/** A plan to start a new cluster on all claims, or why there is none. `lost`: no quorum of data is intact, and the fencing rule will hold. */
export function proposeAnew(observation: Observation, lost: Lost, anew: Anew): {proposal: {plan: Plan; identity: Run['identity']}} | {refusal: Decision} {
  const {set, spec, templates, ordinals} = observation;
  const first = anew.begins ?? ordinals[0];
  if (first === undefined) return {refusal: blocked('NoSurvivor', 'the StatefulSet asks for no pod: scale it up')};
  const refusal = newClusterPreflight(observation, first);
  if (refusal) return {refusal: blocked(refusal.reason, refusal.message)};
  const dependent = dependentRefusal(observation);
  if (dependent) return {refusal: dependent};
  const fenced = fenceOf(lost, anew.begins?.pod);
  const dependents = plannedDependents(observation);
  const setUID = set?.metadata?.uid ?? '';
  const hash = sha256({
    strategy: anew.strategy, approves: anew.approves, first: anew.first, lost: fenced.map(({pod, memberID, fenced: by}) => ({pod, memberID, fenced: by})), setUID,
    dependents: dependents.dependents?.map(({kind, name}) => ({kind, name})), memberships: canonicalMemberships(lost.memberships),
    unread: lost.data.filter(({state}) => state === 'MayReturn').map(({voter}) => voter.memberID).sort(),
  });
  const plan: Plan = {
    hash, strategy: anew.strategy, survivor: anew.first?.[0] ?? first.pod, candidates: (anew.candidates ?? []).map(({pod}) => pod), why: anew.why, ranks: [...anew.candidates ?? lost.candidates], lowest: anew.lowest ?? {term: 0, index: 0}, lost: fenced,
    claims: fatesOf(ordinals, anew.fate), expectedLoss: `${anew.expectedLoss}${leftBehind(observation, lost, anew.begins?.pod)}`, ...(anew.snapshot && {snapshot: anew.snapshot}), ...(anew.first && {first: anew.first}), steps: stepsFor(observation, anew), ...dependents,
    notes: [...anew.notes, ...lastNotes(observation, {begins: anew.begins?.pod, first: anew.first, ...(anew.begins && anew.candidates && {alone: anew.candidates.map(({pod}) => pod)})})],
    specHash: plannedSpecHash(spec, anew.strategy), setUID, setSpecHash: set ? setSpecHash(set) : '', revision: templates?.of(first.ordinal).revision ?? '',
  };
  return {proposal: {plan, identity: identityOf(lost, versionOf(first))}};
}
