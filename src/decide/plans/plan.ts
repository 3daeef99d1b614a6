import {createHash} from 'node:crypto';
import type {V1StatefulSet} from '@kubernetes/client-node';
import {approveStep} from '../../api/progress.ts';
import type {Plan} from '../../api/types.ts';
import {endsBefore} from '../../etcd/wal/log-end.ts';
import type {ClaimView, Observation, OrdinalView} from '../../observe/observation.ts';
import {describePlace} from '../../observe/places.ts';
import type {Assessment} from '../assess.ts';
import {asksToStop, plannedDependents} from '../dependents.ts';
import {longerLogs} from '../evidence/loss.ts';
import type {Membership} from '../evidence/membership.ts';
import {givenUp, givenUpLoss} from '../evidence/regressed.ts';
import type {Candidate} from '../evidence/survivor.ts';
import {behaviourOf} from '../strategies.ts';
import {whyFirst} from '../evidence/survivor.ts';

/** Stable text of any JSON value: object keys sorted. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(value);
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

export const sha256 = (value: unknown) => `sha256-${createHash('sha256').update(canonical(value)).digest('hex').slice(0, 32)}`;

const hashes = new WeakMap<object, string>();
const noSpec = {};

/** Fingerprint of the StatefulSet's spec: it must be the same before and after a run. What was read is never changed, so that one reading of it takes one hash. */
export function setSpecHash(set: V1StatefulSet): string {
  const spec: object = set.spec ?? noSpec;
  const hash = hashes.get(spec) ?? sha256(spec);
  hashes.set(spec, hash);
  return hash;
}

export const joinStep = (pod: string) => `Join ${pod}`;
export const podOfJoinStep = (step: string) => (step.startsWith('Join ') ? step.slice('Join '.length) : undefined);

/** A plan that gives up a cluster which serves is for a person to approve, whatever the spec says. */
export const asksApproval = (observation: Observation): boolean => observation.spec.approval === 'Required' || givenUp(observation).length > 0;

const isTied = ({data}: OrdinalView): boolean => data?.place.at === 'Node';

/** Members whose volumes tie them to a node join first: one that may run anywhere could take that node from them. */
export const tiedFirst = (one: OrdinalView, other: OrdinalView): number => Number(isTied(other)) - Number(isTied(one));

/** Steps of a ForceNewCluster run, in order. */
export function stepsFor(observation: Observation, survivor: string, candidates: readonly Candidate[]): string[] {
  const others = observation.ordinals.filter((view) => view.pod !== survivor).sort(tiedFirst).map((view) => view.pod);
  const {verification: {restartProof}} = observation.spec;
  return [
    'Plan', ...(asksApproval(observation) ? [approveStep] : []), ...(asksToStop(observation) ? ['StopDependents'] : []), 'Hold', 'Stop', ...(candidates.length > 1 ? ['Inspect'] : []), 'Force', 'EndForce', 'StartSurvivor', 'Decommission',
    ...others.map(joinStep), ...(asksToStop(observation) ? ['ReturnDependents'] : []), ...(restartProof && others.length >= 2 ? ['RestartProof'] : []), 'Verify', 'Release',
  ];
}

/** What happens to the claim of a member that joins anew. */
export function fateOfJoiner({place}: ClaimView): string {
  if (place.at === 'GoneNode') return 'its volume is kept (Retain) and the claim is made anew when the member joins';
  return place.at === 'Missing' || place.at === 'Unbound' ? 'a new volume is provisioned' : 'its data is set aside on the same volume';
}

/** What becomes of the data claims of these members. `fate`: that of members that join anew, unless it is said. */
export const fatesOf = (views: readonly OrdinalView[], fate: (view: OrdinalView, claim: ClaimView) => string = (_, claim) => fateOfJoiner(claim)): Plan['claims'] =>
  views.flatMap((view) => (view.data === undefined ? [] : [{name: view.data.name, pod: view.pod, place: describePlace(view.data.place), fate: fate(view, view.data)}]));

/** What happens to each claim. */
function claimsOf(observation: Observation, survivor: string): Plan['claims'] {
  const kept = {Copy: 'a copy of it is made on the same volume first', VolumeSnapshot: 'a VolumeSnapshot of it is taken first', Skip: 'no copy is made (preserve.mode: Skip)'}[observation.spec.preserve.mode];
  return fatesOf(observation.ordinals, ({pod}, claim) => (pod === survivor ? `the cluster starts from it; ${kept}` : fateOfJoiner(claim)));
}

/** What is known to be missing on the survivor, before anything is done. */
function expectedLoss(observation: Observation, survivor: Candidate): string {
  const {lastHealthy} = observation.status;
  const others = longerLogs(observation.status, survivor.pod, survivor).map((words) => ` Beyond it: ${words}.`).join('');
  const beyond = survivor.from === 'disk' ? Math.max(0, survivor.index - survivor.commit) : 0;
  const tail = beyond > 0 ? ` Its log holds ${beyond} entries beyond its commit index, which are kept.` : '';
  const unseen = 'What lost members acknowledged and never sent to it cannot be known.';
  if (lastHealthy === undefined) return `${survivor.pod} is at revision ${survivor.revision}. This resource never saw the cluster healthy, so what is missing cannot be told.${tail}${others}`;
  const {revision, observedAt} = lastHealthy;
  if (revision <= survivor.revision) return `none that is known: ${survivor.pod} is at revision ${survivor.revision}, the last seen healthy state (${observedAt}) was at ${revision}.${tail}${others} ${unseen}`;
  return `${survivor.pod} is at revision ${survivor.revision}, and revision ${revision} was seen at ${observedAt}: up to ${revision - survivor.revision} revisions may be missing.${tail}${others} ${unseen}`;
}

/** Fingerprint of what a plan is made for, of the things that a person can change in the spec. */
export const plannedSpecHash = ({survivor, strategy, minRevision, preserve, target, lostMembers, dependents, snapshot, rebuild}: Observation['spec'], planned: Plan['strategy']) => {
  const common = {strategy, container: target.container, launch: target.launch};
  // Whom to replace is what such a plan is about, and nothing that uses etcd is stopped for it. For a force a word is one proof of several, which is asked for anew each time.
  if (planned === 'ReplaceMembers') return sha256({...common, lostMembers});
  if (planned === 'Restart') return sha256(common);
  if (planned === 'RebuildFromConfig') return sha256({...common, dependents, rebuild});
  if (behaviourOf(planned).startsAnew) return sha256({...common, survivor, minRevision, dependents, snapshot});
  return sha256({...common, survivor, minRevision, preserve: preserve.mode, volumeSnapshotClassName: preserve.volumeSnapshotClassName, dependents});
};

/** Where the survivor's log ends at least. An etcd that answers tells its commit index, which every honest disk of it reaches. */
export const lowestOf = ({from, term, index}: Candidate): Plan['lowest'] => ({term: from === 'disk' ? term : 0, index});

/** For a hash. Several sources name the same membership: how many do is no difference. */
export const canonicalMemberships = (memberships: readonly Membership[]): string[] =>
  [...new Set(memberships.map(({clusterID, voters}) => canonical({clusterID, voters: voters.map((voter) => voter.memberID).sort()})))].sort();

/**
 * Covers what a person approves: membership, lost members and the kind of their proof, strategy, candidates, the lowest end of the log
 * that is accepted, how the survivor's data is kept, and what is stopped around it. A choice within these asks nobody again (DESIGN section 4).
 */
const hashOf = ({memberships}: Lost, {spec}: Observation, plan: Omit<Plan, 'hash'>): string => sha256({
  strategy: plan.strategy, candidates: spec.survivor ? [spec.survivor.pod] : [...plan.candidates].sort(), lowest: plan.lowest, preserve: spec.preserve.mode, volumeSnapshotClassName: spec.preserve.volumeSnapshotClassName,
  lost: plan.lost.map(({pod, memberID, fenced}) => ({pod, memberID, fenced})), setUID: plan.setUID, givenUp: plan.givenUp,
  // What is stopped, not its count: that one is read anew when it is.
  dependents: plan.dependents?.map(({kind, name}) => ({kind, name})),
  memberships: canonicalMemberships(memberships),
});

type Lost = Extract<Assessment, {kind: 'lost'}>;

/**
 * The plan of a run: data, with a hash over what matters.
 * @param before the plan that stands: data that is no worse than what it accepts changes nothing in that
 */
export function makePlan(observation: Observation, lost: Lost, survivor: Candidate, {notes, before}: {notes: readonly string[]; before?: Plan | undefined}): Plan {
  const {set, spec, templates} = observation;
  const others = lost.fencing.processes.filter((verdict) => verdict.pod !== survivor.pod);
  const fenced = others.map(({pod, memberID, proven, stoppable, waitsFor}) => {
    const proof = proven?.message ?? (stoppable ? 'it is stopped, and its kubelet reports its end' : waitsFor);
    return {
      pod, ...(memberID !== '' && {memberID}), fenced: proven?.by ?? (stoppable ? 'ToBeStopped' : 'Unproven'), ...(proof !== undefined && {proof}),
    };
  });
  const byPod = new Map(fenced.map((entry) => [entry.pod, entry]));
  const lowest = lowestOf(survivor);
  const apart = givenUp(observation);
  const given = apart.length > 0 ? {givenUp: apart} : {};
  const plan: Omit<Plan, 'hash'> = {
    strategy: 'ForceNewCluster', survivor: survivor.pod, candidates: lost.candidates.map((candidate) => candidate.pod),
    why: spec.survivor !== undefined ? `spec.survivor names ${survivor.pod}` : whyFirst(lost.candidates),
    ranks: lost.candidates, lowest: before === undefined || endsBefore(lowest, before.lowest) ? lowest : before.lowest, lost: [...byPod.values()].sort((a, b) => (a.pod < b.pod ? -1 : 1)),
    claims: claimsOf(observation, survivor.pod), expectedLoss: `${expectedLoss(observation, survivor)}${givenUpLoss(given)}`, ...given, steps: stepsFor(observation, survivor.pod, lost.candidates),
    ...plannedDependents(observation), notes: [...notes], specHash: plannedSpecHash(spec, 'ForceNewCluster'),
    setUID: set?.metadata?.uid ?? '', setSpecHash: set ? setSpecHash(set) : '', revision: templates?.of(observation.ordinals[0]?.ordinal ?? 0).revision ?? '',
  };
  return {hash: hashOf(lost, observation, plan), ...plan};
}
