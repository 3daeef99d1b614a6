import type {V1Pod} from '@kubernetes/client-node';
import type {Fenced, MemberRecord} from '../../api/types.ts';
import {hasFence, isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {blocked, done, wait} from '../decision.ts';
import {judgeFencing} from '../evidence/fencing.ts';
import {isNamedLost, recordOf} from '../evidence/membership.ts';
import {endOf, endedByKubelet, judgeProcess} from '../evidence/processes.ts';
import {memberIDOf, quorumCameBack, runIn, sourceOf} from './common.ts';
import {awaitSnapshots, settledSnapshotAgents} from './snapshot.ts';

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

/**
 * The old pod has ended, that is recorded, and its fence keeps the object: the name is taken as safely as by a gated pod. The kubelet
 * starts nothing in a pod that is being deleted (Kubernetes pkg/kubelet/pod_workers.go).
 */
function endedBehindFence(observation: Observation, {pod, object}: OrdinalView): boolean {
  const record = recordOf(observation, pod);
  return object !== undefined && isTerminating(object) && hasFence(object) && endedByKubelet(object)
    && record?.fenced?.by === 'KubeletConfirmed' && record.fenced.podUID === object.metadata?.uid;
}

/** One ordinal on its way from its old pod to a gated own pod. `keep`: an old pod that has ended may stay behind its fence for now. */
export function stopOne(observation: Observation, view: OrdinalView, todo: Todo, keep = false): void {
  const run = runIn(observation);
  const pod = view.object;
  if (pod === undefined) {
    todo.actions.push({type: 'CreatePod', pod: ownPod(sourceOf(observation, view), run.id, true)});
    return;
  }
  if (runOf(pod) === run.id && isGated(pod)) return;
  if (keep && endedBehindFence(observation, view)) return;
  const record = recordOf(observation, view.pod);
  const memberID = memberIDOf(observation, view.pod);
  const named = isNamedLost(observation, view.pod, memberID);
  const end = endOf(observation, pod, record);
  if ('stoppable' in end) {
    if (isTerminating(pod)) todo.waits.push(`${view.pod} is stopping on ${pod.spec?.nodeName ?? ''}`);
    else todo.actions.push({type: 'StopPod', pod});
    return;
  }
  if ('waitsFor' in end && !named) return;
  takeName(observation, view, todo, {
    pod, keep, named, memberID,
    fenced: 'fenced' in end ? end.fenced : {by: 'LostMembers', podUID: pod.metadata?.uid ?? '', at: new Date(observation.now).toISOString(), message: 'spec.lostMembers names it'},
  });
}

/** The old pod has ended: its proof is recorded, and its name taken. */
function takeName(observation: Observation, view: OrdinalView, todo: Todo, old: {pod: V1Pod; fenced: Fenced; keep: boolean; named: boolean; memberID: string | undefined}): void {
  const {pod, fenced, keep, named, memberID} = old;
  // A pod that never ran says nothing of the process before it: it goes, and leaves the record alone.
  if (fenced.by === 'NeverStarted') {
    todo.actions.push({type: 'ReleasePod', pod, force: true});
    return;
  }
  const verdict = judgeProcess(observation, {memberID: memberID ?? '', pod: view.pod});
  const recorded = recordOf(observation, view.pod)?.fenced?.podUID;
  if ((verdict.proven?.podUID === fenced.podUID || named) && recorded !== fenced.podUID) {
    todo.records.push(recordFence(view, memberID, fenced));
    if (keep && isTerminating(pod) && hasFence(pod)) return;
  }
  if (fenced.by === 'KubeletConfirmed') todo.actions.push({type: 'ReleasePod', pod, force: !hasFence(pod)});
  else todo.actions.push({type: 'ReplacePod', pod, by: ownPod(sourceOf(observation, view), runIn(observation).id, true)});
}

/** Stops every pod of the set with proof, and takes each name (DESIGN section 5): with a gated own pod, a candidate's with its ended old one. */
export function stop(observation: Observation): Decision {
  const back = quorumCameBack(observation);
  if (back) return back;
  const candidates = runIn(observation).plan?.candidates ?? [];
  const others = observation.ordinals.filter((view) => !candidates.includes(view.pod));
  // Candidates last: while a survivor answers, a wiped pod beside it cannot bootstrap an empty cluster and take writes.
  const first = stopAll(observation, others, []);
  const decision = (first && stopDecision(first)) ?? awaitSnapshots(observation) ?? stopCandidates(observation, candidates);
  if (decision) return decision;
  const loose = notHeld(observation, candidates);
  if (loose) return loose;
  const fencing = judgeFencing(observation, false);
  if (!fencing.holds) return blocked('FencingUnproven', `${fencing.message}. Every name is held; the run goes on when the proof is there`);
  return done('every member is proven stopped, or not needed for it, and every name is held');
}

/** Members that were snapshotted, or never will be. */
function stopCandidates(observation: Observation, candidates: readonly string[]): Decision | undefined {
  const todo = stopAll(observation, observation.ordinals, candidates) ?? {actions: [], records: [], waits: []};
  todo.actions.push(...settledSnapshotAgents(observation));
  return stopDecision(todo);
}

/**
 * Nothing touches a candidate's disk while its own pod may still run on it. An ended old pod stays until the pod that comes after it has its volume:
 * the node's right to the claim hangs on a pod that is bound to it (Node authorizer), and the name needs no second holder meanwhile.
 */
function notHeld(observation: Observation, candidates: readonly string[]): Decision | undefined {
  const run = runIn(observation);
  const isHeld = (view: OrdinalView) => endedBehindFence(observation, view) || (view.object && isGated(view.object) && runOf(view.object) === run.id);
  const view = observation.ordinals.find((candidate) => candidates.includes(candidate.pod) && !isHeld(candidate));
  if (view === undefined) return undefined;
  const waitsFor = judgeProcess(observation, {memberID: memberIDOf(observation, view.pod) ?? '', pod: view.pod}).waitsFor ?? 'its pod is still there';
  return blocked('FencingUnproven', `${view.pod} has data to start from, and it is not proven that nothing runs on it any more: ${waitsFor}. The run goes on when the proof is there`);
}

/** Takes an old pod that has ended out of the way, once the next pod on its volume runs: a gated own pod takes its name. */
export function replaceEnded(observation: Observation, view: OrdinalView): Decision | undefined {
  if (view.object !== undefined && runOf(view.object) === runIn(observation).id) return undefined;
  const todo: Todo = {actions: [], records: [], waits: []};
  stopOne(observation, view, todo);
  return stopDecision(todo) ?? wait(`the old pod ${view.pod} is going`, 100);
}

/** What is left to do for these ordinals; undefined: nothing. */
function stopAll(observation: Observation, views: readonly OrdinalView[], keep: readonly string[]): Todo | undefined {
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const view of views) stopOne(observation, view, todo, keep.includes(view.pod));
  return todo.actions.length + todo.records.length + todo.waits.length > 0 ? todo : undefined;
}

/** In words, with the pods' names. */
function whatIsDone(actions: readonly Action[]): string {
  const names = (...types: Action['type'][]) => actions.flatMap((action) =>
    ('pod' in action && typeof action.pod !== 'string' && types.includes(action.type) ? [action.pod.metadata?.name ?? ''] : []));
  const said = [['stopping', names('StopPod')], ['taking away the ended', names('ReleasePod', 'DeletePod')], ['holding the name of', names('CreatePod', 'ReplacePod')]] as const;
  return said.filter(([, pods]) => pods.length > 0).map(([verb, pods]) => `${verb} ${pods.join(', ')}`).join('; ');
}

/** Proofs are recorded before the objects that carry them go: an act's record is written before it begins. */
export function stopDecision(todo: Todo): Decision | undefined {
  const record: Transaction = (draft) => { for (const one of todo.records) one(draft); };
  if (todo.actions.length > 0) return {kind: 'act', why: whatIsDone(todo.actions), actions: todo.actions, ...(todo.records.length > 0 && {record})};
  if (todo.records.length > 0) return {kind: 'record', why: 'recording the proven end of members', record};
  if (todo.waits.length > 0) return wait(todo.waits.join('; '), 500);
  return undefined;
}
