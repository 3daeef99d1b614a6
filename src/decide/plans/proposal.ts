import type {Plan, Run} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Assessment} from '../assess.ts';
import {besideNotes} from '../evidence/beside.ts';
import {withConfiguration} from '../configuration.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {dependentRefusal} from '../dependents.ts';
import {fallBack, tooOldFor} from './fallBack.ts';
import {proposeFallBack} from './fallBackPlan.ts';
import {corruptMembers} from './fallBackAlarms.ts';
import {offlineOf} from '../evidence/offline.ts';
import {makePlan} from './plan.ts';
import {alarmNotes, hookNotes, preflight, storageNotes, versionOf} from './preflight.ts';
import type {Replacement} from '../replace.ts';
import {proposeReplacement} from './replacePlan.ts';
import type {Restart} from '../restart.ts';
import {proposeRestart} from './restartPlan.ts';
import {mayReturnRefusal} from './newClusterPlan.ts';
import {proposeRebuild, rebuilds} from './rebuildPlan.ts';
import {proposeRestore, restores} from './restorePlan.ts';
import {revisionNote, revisionRefusal} from './revisions.ts';
import {snapshotNotes} from '../snapshots.ts';
import {viewOf} from '../steps/common.ts';
import {unfitMembers} from '../evidence/survivor.ts';
import {unstoppable} from './unstoppable.ts';

type Lost = Extract<Assessment, {kind: 'lost'}>;

/** What would be done, and why it may be. */
export interface Proposal {
  plan: Plan;
  /** undefined: nobody tells anything of the old cluster. */
  identity: Run['identity'];
}

/** What the survivor's data says the cluster is: its own answer first, then its disk. */
function identityOf(observation: Observation, pod: string): Run['identity'] {
  const view = viewOf(observation, pod);
  const version = versionOf(view);
  if (view.probe.kind === 'Answered' || view.probe.kind === 'PeerOnly') {
    const members = view.probe.members.map(({id, name, peerURLs, isLearner}) => ({id, name, peerURLs, isLearner}));
    return {clusterID: view.probe.clusterID, version, members, source: `member list of ${pod}`};
  }
  const facts = offlineOf(observation, pod);
  if (!facts?.members || facts.clusterID === undefined) return undefined;
  return {clusterID: facts.clusterID, version, members: facts.members, source: `disk of ${pod}`};
}

/** The plan for what a cluster needs, or why there is none. `before`: the plan that stands. */
export const propose = (observation: Observation, needed: Lost | Replacement | Restart, before?: Plan): {proposal: Proposal} | {refusal: Decision} =>
  withConfiguration(observation, proposeFor(observation, needed, before));

const proposeFor = (observation: Observation, needed: Lost | Replacement | Restart, before?: Plan): {proposal: Proposal} | {refusal: Decision} => {
  switch (needed.kind) {
    case 'replace': return proposeReplacement(observation, needed);
    case 'restart': return proposeRestart(observation, needed, (pod) => identityOf(observation, pod));
    case 'lost': {
      const instead = fallBack(observation, needed);
      if (instead) return proposeFallBack(observation, needed, instead);
      const rebuild = rebuilds(observation, needed);
      if (!rebuild && !restores(observation, needed)) return proposeForce(observation, needed, before);
      const refusal = mayReturnRefusal(observation, needed);
      if (refusal) return {refusal};
      return rebuild ? proposeRebuild(observation, needed) : proposeRestore(observation, needed);
    }
  }
};

/** A plan for a quorum that is lost for good. */
function proposeForce(observation: Observation, lost: Lost, before?: Plan): {proposal: Proposal} | {refusal: Decision} {
  const {spec} = observation;
  const named = spec.survivor?.pod;
  const survivor = named === undefined ? lost.candidates[0] : lost.candidates.find((candidate) => candidate.pod === named);
  const unfit = unfitMembers(observation, lost.data);
  if (survivor === undefined) {
    const all = [...unfit, ...corruptMembers(observation, lost.data), ...tooOldFor(observation, lost.data)];
    const unfitWords = all.length > 0 ? `. ${all.join('; ')}` : '';
    const left = lost.candidates.map((candidate) => candidate.pod).join(', ') || 'none';
    if (named !== undefined) return {refusal: blocked('SurvivorNotEligible', `spec.survivor: ${named} has no data within reach that a cluster can start from. Candidates: ${left}${unfitWords}`)};
    return {refusal: blocked('NoSurvivor', `no voter has data within reach that a cluster can start from: there is nothing to force. Name a store of snapshots in spec.snapshot to restore one${unfitWords}`)};
  }
  const unsafe = unstoppable(lost);
  if (unsafe) return {refusal: unsafe};
  const view = viewOf(observation, survivor.pod);
  const refusal = preflight(observation, view) ?? revisionRefusal(observation, survivor);
  const corrupt = refusal?.reason === 'VersionNotForceable' ? corruptMembers(observation, lost.data).map((words) => `. ${words}`).join('') : '';
  if (refusal) return {refusal: blocked(refusal.reason, `${refusal.message}${corrupt}`)};
  const identity = identityOf(observation, survivor.pod);
  if (identity === undefined) return {refusal: blocked('ClusterUnknown', `the membership cannot be read from the data of ${survivor.pod}`)};
  const dependent = dependentRefusal(observation);
  if (dependent) return {refusal: dependent};
  const notes = [...unfit, ...hookNotes(observation), ...alarmNotes(view), ...storageNotes(observation, observation.ordinals.map(({pod}) => pod).filter((pod) => pod !== survivor.pod)), ...besideNotes(observation.ordinals, lost.candidates.map(({pod}) => pod)), ...snapshotNotes(observation, view), revisionNote(observation, survivor)];
  return {proposal: {plan: makePlan(observation, lost, survivor, {notes, before}), identity}};
}
