import type {Fenced, MemberRecord} from '../../api/types.ts';
import {hasFence, isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {judgeFencing} from '../fencing.ts';
import {endOf, judgeProcess} from '../processes.ts';
import {memberIDOf, quorumCameBack, runIn, sourceOf} from './common.ts';

/** Writes a proof into the record of its member, so that it outlives the pod object. */
export const recordFence = (view: OrdinalView, memberID: string | undefined, fenced: Fenced): Transaction => (draft) => {
  const members = draft.members ?? [];
  const found: MemberRecord = members.find((member) => member.pod === view.pod) ?? {pod: view.pod, role: 'Unknown', health: 'Unknown'};
  const node = view.object?.spec?.nodeName;
  const changed: MemberRecord = {
    ...found, health: 'Held', fenced,
    ...(memberID !== undefined && {memberID}),
    ...(fenced.podUID !== undefined && {podUID: fenced.podUID}),
    ...(node !== undefined && {node}),
  };
  draft.members = [...members.filter((member) => member.pod !== view.pod), changed].sort((a, b) => (a.pod < b.pod ? -1 : 1));
};

export interface Todo {
  actions: Action[];
  records: Transaction[];
  waits: string[];
}

/** One ordinal on its way from its old pod to a gated own pod. */
export function stopOne(observation: Observation, view: OrdinalView, todo: Todo): void {
  const run = runIn(observation);
  const pod = view.object;
  if (pod === undefined) {
    todo.actions.push({type: 'CreatePod', pod: ownPod(sourceOf(observation, view), run.id, true)});
    return;
  }
  if (runOf(pod) === run.id && isGated(pod)) return;
  const record = observation.status.members?.find((member) => member.pod === view.pod);
  const memberID = memberIDOf(observation, view.pod);
  const named = observation.spec.lostMembers?.some((lost) => lost.pod === view.pod && lost.memberID === memberID) === true;
  const end = endOf(observation, pod, record);
  if ('stoppable' in end) {
    if (isTerminating(pod)) todo.waits.push(`${view.pod} is stopping on ${pod.spec?.nodeName ?? ''}`);
    else todo.actions.push({type: 'StopPod', pod});
    return;
  }
  if ('waitsFor' in end && !named) return;
  const fenced: Fenced = 'fenced' in end ? end.fenced
    : {by: 'LostMembers', podUID: pod.metadata?.uid ?? '', at: new Date(observation.now).toISOString(), message: 'spec.lostMembers names it'};
  // A pod that never ran says nothing of the process before it: it goes, and leaves the record alone.
  if (fenced.by === 'NeverStarted') {
    todo.actions.push({type: 'ReleasePod', pod, force: true});
    return;
  }
  const verdict = judgeProcess(observation, {memberID: memberID ?? '', pod: view.pod});
  const votersOwn = verdict.proven?.podUID === fenced.podUID || named;
  if (votersOwn && record?.fenced?.podUID !== fenced.podUID) {
    todo.records.push(recordFence(view, memberID, fenced));
    return;
  }
  todo.actions.push({type: 'ReleasePod', pod, force: fenced.by !== 'KubeletConfirmed' || !hasFence(pod)});
}

/** Stops every pod of the set with proof, and takes each name with a gated own pod (DESIGN section 5). */
export function stop(observation: Observation): Decision {
  const back = quorumCameBack(observation);
  if (back) return back;
  const candidates = runIn(observation).plan?.candidates ?? [];
  const others = observation.ordinals.filter((view) => !candidates.includes(view.pod));
  // Candidates last: while a survivor answers, a wiped pod beside it cannot bootstrap an empty cluster and take writes.
  const todo = stopAll(observation, others) ?? stopAll(observation, observation.ordinals);
  const decision = todo && stopDecision(todo);
  if (decision) return decision;
  const loose = notHeld(observation, candidates);
  if (loose) return loose;
  const fencing = judgeFencing(observation, false);
  if (!fencing.holds) return blocked('FencingUnproven', `${fencing.message}. Every name is held; the run goes on when the proof is there`);
  return done('every member is proven stopped, or not needed for it, and every name is held');
}

/** Nothing touches a candidate's disk while its own pod may still run on it. */
function notHeld(observation: Observation, candidates: readonly string[]): Decision | undefined {
  const run = runIn(observation);
  const view = observation.ordinals.find(({pod, object}) => candidates.includes(pod) && !(object && isGated(object) && runOf(object) === run.id));
  if (view === undefined) return undefined;
  const waitsFor = judgeProcess(observation, {memberID: memberIDOf(observation, view.pod) ?? '', pod: view.pod}).waitsFor ?? 'its pod is still there';
  return blocked('FencingUnproven', `${view.pod} has data to start from, and it is not proven that nothing runs on it any more: ${waitsFor}. The run goes on when the proof is there`);
}

/** What is left to do for these ordinals; undefined: nothing. */
function stopAll(observation: Observation, views: readonly OrdinalView[]): Todo | undefined {
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const view of views) stopOne(observation, view, todo);
  return todo.actions.length + todo.records.length + todo.waits.length > 0 ? todo : undefined;
}

/** Proofs are recorded before the objects that carry them go. */
export function stopDecision(todo: Todo): Decision | undefined {
  if (todo.records.length > 0) {
    return {kind: 'record', why: 'recording the proven end of members', record: (draft) => { for (const record of todo.records) record(draft); }};
  }
  if (todo.actions.length > 0) return act('stopping the pods and taking their names', ...todo.actions);
  if (todo.waits.length > 0) return wait(todo.waits.join('; '), 500);
  return undefined;
}
