import type {V1ObjectMeta, V1Pod} from '@kubernetes/client-node';
import {databaseOwner} from '../../api/strategies.ts';
import type {JoinRecord, Run} from '../../api/types.ts';
import {marks} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked} from '../decision.ts';
import {judgeData} from '../evidence/intact.ts';
import {knownMemberships, podOfMember, quorumOf} from '../evidence/membership.ts';
import type {PodSource} from '../../kubernetes/ownPods.ts';

/** The run in flight; steps are only asked while there is one. */
export function runIn(observation: Observation): Run {
  const {run} = observation.status;
  if (run === undefined) throw new Error('no run is in flight');
  return run;
}

export function survivorOf(observation: Observation): OrdinalView {
  const name = runIn(observation).plan?.survivor;
  const view = observation.ordinals.find((candidate) => candidate.pod === name);
  if (view === undefined) throw new Error(`survivor ${name ?? ''} is not an ordinal of the set`);
  return view;
}

export function viewOf(observation: Observation, pod: string): OrdinalView {
  const view = observation.ordinals.find((candidate) => candidate.pod === pod);
  if (view === undefined) throw new Error(`pod ${pod} is not an ordinal of the set`);
  return view;
}

export function sourceOf(observation: Observation, view: OrdinalView): PodSource {
  const {set, templates} = observation;
  if (set === undefined || templates === undefined) throw new Error('the StatefulSet is gone');
  return {set, ordinal: view.ordinal, ...templates.of(view.ordinal)};
}

/** Member ID that the run's membership gives to a pod. */
export function memberIDOf(observation: Observation, pod: string): string | undefined {
  const pods = observation.ordinals.map((view) => view.pod);
  const {identity, plan, newCluster, offline = []} = runIn(observation);
  // Lost after it had begun the new cluster: it is that member whose end and whose disk are asked for.
  const first = newCluster?.lost?.find((lost) => lost.pod === pod)?.memberID;
  if (first !== undefined) return first;
  // Where nothing tells of which cluster the data is, a database lists the members all the same.
  const listed = (identity?.members ?? offline.flatMap(({members = []}) => members)).find((member) => podOfMember(member, pods) === pod)?.id;
  // One that had been taken out of the list before: its process has to end like any other.
  return listed ?? (plan?.strategy === 'ReplaceMembers' ? plan.lost.find((lost) => lost.pod === pod)?.memberID : undefined);
}

export const joinOf = (run: Run, pod: string): JoinRecord | undefined => run.joins?.find((join) => join.pod === pod);

/** Changes the join record of a pod, made if there is none. */
export const recordJoin = (pod: string, change: Partial<JoinRecord>): Transaction => (draft) => {
  if (!draft.run) return;
  const joins = draft.run.joins ?? [];
  const found = joins.find((join) => join.pod === pod) ?? {pod, attempt: 1};
  draft.run.joins = [...joins.filter((join) => join.pod !== pod), {...found, ...change}].sort((a, b) => (a.pod < b.pod ? -1 : 1));
};

/** A learner that is in no list of members any more: until it is added anew its pod only waits. */
export const forgetLearner = (pod: string, memberID: string): Transaction => (draft) => {
  for (const join of draft.run?.joins ?? []) if (join.pod === pod && join.memberID === memberID) delete join.memberID;
};

/** It was made while the names of the run were held. */
export function madeSinceHold(observation: Observation, metadata: V1ObjectMeta | undefined): boolean {
  const held = runIn(observation).steps.find(({name}) => name === 'Hold')?.finishedAt;
  const made = metadata?.creationTimestamp;
  return held !== undefined && made !== undefined && new Date(made).getTime() > Date.parse(held);
}

export const helperOf = (observation: Observation, step: string, pod: string): V1Pod | undefined => observation.helpers.find((helper) =>
  helper.metadata?.annotations?.[marks.run] === observation.status.run?.id
  && helper.metadata?.annotations?.[marks.step] === step
  && helper.metadata.annotations[marks.pod] === pod);

/**
 * Before the force: voters that came back into reach make a quorum of data again, so the run lets everything go
 * (DESIGN section 4, "When nothing is lost for good, nothing is forced").
 */
export function quorumCameBack(observation: Observation): Decision | undefined {
  for (const membership of knownMemberships(observation)) {
    const back = membership.voters.map((voter) => judgeData(observation, voter))
      .filter((verdict) => verdict.state === 'Running' || verdict.state === 'Readable' || verdict.state === 'Unknown');
    if (back.length < quorumOf(membership.voters.length)) continue;
    return {
      kind: 'abort', reason: 'QuorumOfDataIntact',
      message: `${back.map((verdict) => verdict.voter.pod ?? '').join(', ')} are within reach again and make a quorum of data: nothing is forced, every held pod is let go`,
    };
  }
  return undefined;
}

/**
 * Data that ends before what the plan was made with is another plan: everything is put back, so that it is made from what is there now,
 * and asked about where approval is required. Once only: what differs again then is for a person to look at.
 */
export function behindPlan({status}: Observation, pod: string, found: {term: number; index: number}): Decision {
  const {index} = status.run?.plan?.lowest ?? {index: 0};
  const what = `${databaseOwner(status.run?.plan) === undefined ? 'the log' : 'the database'} of ${pod} ends at term ${found.term}, index ${found.index}, before what the plan was made with (index ${index})`;
  return planChanged({status}, what);
}

/** What a plan was made with is no more: everything is put back, for another plan; once. */
export function planChanged({status}: Pick<Observation, 'status'>, what: string): Decision {
  if (status.history?.[0]?.reason === 'PlanChanged') {
    return blocked('PlanChanged', `${what}, for the second time: is another volume mounted, or an older state of it? Every name is held. Choose another member (spec.survivor), which lets everything go and plans anew, or delete the QuorumRecovery`);
  }
  return {kind: 'abort', reason: 'PlanChanged', message: `${what}: every held pod is let go, and a new plan is made`};
}
