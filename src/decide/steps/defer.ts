import type {V1Pod} from '@kubernetes/client-node';
import type {ListedMember} from '../../etcd/types.ts';
import {isGated, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Action, Decision} from '../decision.ts';
import {joinStep, sha256} from '../plans/plan.ts';
import {endOf, endedByKubelet, judgeProcess} from '../evidence/processes.ts';
import {joinOf, memberIDOf, recordJoin, runIn, sourceOf, survivorOf, viewOf} from './common.ts';
import {recordOf} from '../evidence/membership.ts';

/** How soon a volume that was too small is looked at again, ms: nothing else tells that it has grown. */
const spaceRetryMs = 300_000;

/** How long a pod may find no node before the others go on without its member, ms. */
const unschedulableMs = 10_000;

/** The scheduler finds no node for this pod, and has not for a while. */
export function unschedulable({now}: Observation, {metadata, status}: V1Pod): boolean {
  const condition = status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False');
  return condition?.reason === 'Unschedulable' && now - new Date(metadata?.creationTimestamp ?? now).getTime() > unschedulableMs;
}

/** Changes when a member that found no node may find one now. */
export const nodesSeen = (observation: Observation) =>
  sha256(observation.nodes.filter((node) => node.ready && !node.unschedulable).map((node) => [node.name, node.uid, node.labels]));

/** A member that cannot join now is taken out again; its name stays held, and it joins when the reason is gone. */
export function defer(observation: Observation, view: OrdinalView, reason: string, message: string, member?: ListedMember): Decision {
  const survivor = survivorOf(observation);
  const actions: Action[] = [];
  if (member?.isLearner) actions.push({type: 'RemoveMember', via: survivor.pod, memberID: member.id, pod: view.pod});
  // Only a pod of this run: an old pod is never deleted without its proof.
  if (view.object && runOf(view.object) === runIn(observation).id && !isGated(view.object)) actions.push({type: 'DeletePod', pod: view.object});
  const attempt = (joinOf(runIn(observation), view.pod)?.attempt ?? 1) + (member ? 1 : 0);
  return {kind: 'deferred', reason, message, actions, record: recordJoin(view.pod, {attempt, deferred: {reason, message, nodes: nodesSeen(observation)}})};
}

/** Whether a deferred join may go on: its member's end is proven now, or the nodes have changed. */
export function mayRetry(observation: Observation, pod: string): boolean {
  const deferred = joinOf(runIn(observation), pod)?.deferred;
  // Its ordinal went: the step ends.
  if (deferred === undefined || !observation.ordinals.some((view) => view.pod === pod)) return true;
  if (deferred.reason === 'FencingUnproven') {
    const view = viewOf(observation, pod);
    return waitsForProof(observation, view) === undefined || unreadEnd(observation, view) || isBack(observation, view);
  }
  const ended = runIn(observation).steps.find((step) => step.name === joinStep(pod))?.finishedAt;
  if (deferred.reason === 'NoSpace' && ended !== undefined && observation.now - Date.parse(ended) > spaceRetryMs) return true;
  return deferred.nodes !== nodesSeen(observation);
}

/**
 * The old pod has ended by the kubelet's own report, and nobody ever heard which member ran in it: its disk, which is within reach,
 * tells, and makes that end the proof.
 */
export function unreadEnd(observation: Observation, {pod, object, data}: OrdinalView): boolean {
  const {id, offline} = runIn(observation);
  const inReach = data?.place.at === 'Node' || data?.place.at === 'Anywhere';
  const known = offline?.some((facts) => facts.pod === pod && facts.stage === 'Held');
  return object !== undefined && runOf(object) !== id && endedByKubelet(object) && inReach && known !== true;
}

/**
 * The old pod is on a Ready node (again), so that it can be stopped, whoever runs in it: of a member that nobody ever heard from only its end
 * and its disk tell. In the new cluster there is no place for it.
 */
export function isBack(observation: Observation, {pod, object}: OrdinalView): boolean {
  if (object === undefined || runOf(object) === runIn(observation).id) return false;
  return 'stoppable' in endOf(observation, object, recordOf(observation, pod));
}

/** Why the last process of the old member cannot be proven stopped, nor be stopped now; undefined: it is, or can be. */
export function waitsForProof(observation: Observation, view: OrdinalView): string | undefined {
  const memberID = memberIDOf(observation, view.pod);
  if (memberID === undefined) return undefined;
  const verdict = judgeProcess(observation, {memberID, pod: view.pod});
  return verdict.proven === undefined && !verdict.stoppable ? (verdict.waitsFor ?? `${view.pod} may still run`) : undefined;
}

/** A deferred joiner's name is kept by a gated own pod until its turn comes again. */
export function keepHeld(observation: Observation, pod: string): Action | undefined {
  const view = viewOf(observation, pod);
  if (view.object !== undefined) return undefined;
  return {type: 'CreatePod', pod: ownPod(sourceOf(observation, view), runIn(observation).id, true)};
}
