import {approveStep} from '../../api/progress.ts';
import type {Plan, Run} from '../../api/types.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {canonical, fatesOf, joinStep, plannedSpecHash, setSpecHash, sha256, tiedFirst} from './plan.ts';
import {hookNotes, replacePreflight, storageNotes, versionOf} from './preflight.ts';
import type {Replacement} from '../replace.ts';
import {viewOf} from '../steps/common.ts';

function stepsFor(observation: Observation, {lost}: Replacement): string[] {
  const {spec: {approval, verification: {restartProof}}, ordinals} = observation;
  const joins = lost.map(({pod}) => viewOf(observation, pod)).sort(tiedFirst).map(({pod}) => joinStep(pod));
  return [
    'Plan', ...(approval === 'Required' ? [approveStep] : []), 'Hold', 'Stop', 'Remove', 'Decommission', ...joins,
    ...(restartProof && ordinals.length >= 3 ? ['RestartProof'] : []), 'Verify', 'Release',
  ];
}

/** Claims of members that stay are not spoken of: nothing happens to them. */
const claimsOf = (observation: Observation, {lost}: Replacement): Plan['claims'] => fatesOf(lost.map(({pod}) => viewOf(observation, pod)));

/** The member through which the others are replaced: the leader, where it stays. */
function anchorOf(observation: Observation, {kept}: Replacement): OrdinalView {
  const views = kept.map((pod) => viewOf(observation, pod));
  const leader = views.find(({probe}) => probe.kind === 'Answered' && probe.status.leader === probe.status.memberID);
  const anchor = leader ?? views[0];
  if (anchor === undefined) throw new Error('nobody serves');
  return anchor;
}

const inWords = ({lost}: Replacement): string => lost.map(({pod, evidence}) => `${pod}: ${evidence}`).join('; ');

/** How far the members that stay are. */
export const keptRevision = (observation: Observation, {kept}: Pick<Replacement, 'kept'>): number => Math.max(0, ...kept.map((pod) => viewOf(observation, pod).probe)
  .map((probe) => (probe.kind === 'Answered' ? probe.status.revision : 0)));

/** The plan, with a hash over what a person approves: who is replaced and by which proof, who stays, and the membership. */
function makePlan(observation: Observation, replacement: Replacement, anchor: OrdinalView, notes: string[]): Plan {
  const {set, spec, templates} = observation;
  const {kept, clusterID} = replacement;
  const lost = replacement.lost.map(({pod, memberID, fenced, proof, evidence}) => ({pod, ...(memberID !== undefined && {memberID}), fenced, proof: `${evidence}; ${proof}`}));
  const voters = replacement.list.map(({id, isLearner}) => ({id, isLearner})).sort((a, b) => (a.id < b.id ? -1 : 1));
  const setUID = set?.metadata?.uid ?? '';
  const hash = sha256({strategy: 'ReplaceMembers', kept: [...kept].sort(), lost: lost.map(({pod, memberID, fenced}) => ({pod, memberID, fenced})), clusterID, voters: canonical(voters), setUID});
  return {
    hash, strategy: 'ReplaceMembers', survivor: anchor.pod, candidates: kept,
    why: `a quorum serves (${kept.join(', ')}), and these members are gone for good: ${inWords(replacement)}`, ranks: [], lowest: {term: 0, index: 0}, lost, claims: claimsOf(observation, replacement),
    expectedLoss: `none: the quorum goes on at revision ${keptRevision(observation, replacement)} or later, and every acknowledged write is on it. Clients are served throughout`,
    steps: stepsFor(observation, replacement), notes, specHash: plannedSpecHash(spec, 'ReplaceMembers'), setUID, setSpecHash: set ? setSpecHash(set) : '',
    revision: templates?.of(observation.ordinals[0]?.ordinal ?? 0).revision ?? '',
  };
}

function notesOf(observation: Observation, replacement: Replacement, anchor: OrdinalView): string[] {
  const unlisted = replacement.lost.filter(({listed}) => listed === undefined).map(({pod}) => `${pod} has no member in the list, so none is taken out for it: its pod is stopped, and it joins like the others`);
  const removed = replacement.lost.flatMap(({pod, listed}) => (listed === undefined ? [] : [`${listed.id} (${pod})`]));
  const several = removed.length > 1
    ? [`${removed.join(', ')} are taken out of the list one after the other, before the first joins: etcd lets nobody join while a voter is away, and with fewer voters the others are a larger majority`] : [];
  return [...unlisted, ...several, ...hookNotes(observation), ...storageNotes(observation, replacement.lost.map(({pod}) => pod)), `the members that stay run on untouched; what is done to the list is asked of ${anchor.pod}, or of another of them`];
}

/** A plan to replace members of a cluster that serves, or why there is none. */
export function proposeReplacement(observation: Observation, replacement: Replacement): {proposal: {plan: Plan; identity: NonNullable<Run['identity']>}} | {refusal: Decision} {
  const anchor = anchorOf(observation, replacement);
  const refusal = replacePreflight(observation, anchor);
  if (refusal) return {refusal: blocked(refusal.reason, refusal.message)};
  const unread = replacement.lost.map(({pod}) => viewOf(observation, pod)).find(({launch}) => !isLaunch(launch));
  if (unread && !isLaunch(unread.launch)) return {refusal: blocked('PodRefused', unread.launch.message)};
  const members = replacement.list.map(({id, name, peerURLs, isLearner}) => ({id, name, peerURLs, isLearner}));
  return {proposal: {
    plan: makePlan(observation, replacement, anchor, notesOf(observation, replacement, anchor)),
    identity: {clusterID: replacement.clusterID, version: versionOf(anchor), members, source: `member list of ${anchor.pod}`},
  }};
}
