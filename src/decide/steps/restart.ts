import type {V1Pod} from '@kubernetes/client-node';
import type {Fenced} from '../../api/types.ts';
import {isTerminating, hasFence, isGated, ownPod} from '../../kubernetes/ownPods.ts';
import {isOnReadyNode, servesNow} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {isForOnePod} from '../evidence/beside.ts';
import {causesOf} from '../evidence/causes.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {durationMs} from '../durations.ts';
import {isKnownClaim, judgeData} from '../evidence/intact.ts';
import {podOfMember, recordOf} from '../evidence/membership.ts';
import {endOf, judgeProcess} from '../evidence/processes.ts';
import {assess} from '../assess.ts';
import {dataGone, etcdRuns} from '../restart.ts';
import type {Restarted} from '../restart.ts';
import {isOverdue} from '../trouble.ts';
import {anchored, recordServed, recordUnserved} from './anchor.ts';
import {memberIDOf, runIn, sourceOf, viewOf} from './common.ts';
import {recordFence, stopDecision} from './stop.ts';
import type {Todo} from './stop.ts';

/** Once a quorum serves, what still comes up is waited for this long before it is verified without, ms. */
const comingMs = 60_000;

const planned = (observation: Observation): Restarted[] => runIn(observation).plan?.restarts ?? [];

const hasBegun = (observation: Observation, {pod}: Restarted) => runIn(observation).restarted?.some((one) => one.pod === pod) === true;

/** Written before anything is done for a pod: from here on it is brought up again, also where the run ends early. */
const begin = (observation: Observation, {pod, podUID}: Restarted): Transaction => (draft) => {
  if (draft.run === undefined || draft.run.restarted?.some((one) => one.pod === pod) === true) return;
  draft.run.restarted = [...(draft.run.restarted ?? []), {pod, ...(podUID !== undefined && {podUID}), at: new Date(observation.now).toISOString()}];
};

/** The pod that was to go is there no more, and another one has its name. */
const cameAgain = (observation: Observation, {pod, podUID}: Restarted) => {
  const {object} = viewOf(observation, pod);
  return object !== undefined && object.metadata?.uid !== podUID;
};

/**
 * Begun with, and its pod is gone or going. That it was written alone says nothing: the stop may have been refused, or never asked for, and
 * the etcd in the pod may have come up since. Such a pod is looked at anew before it is stopped.
 */
function isUnderWay(observation: Observation, item: Restarted): boolean {
  const {object} = viewOf(observation, item.pod);
  return hasBegun(observation, item) && (object === undefined || isTerminating(object));
}

const voterOf = (observation: Observation, pod: string) => ({memberID: memberIDOf(observation, pod) ?? '', pod});

/** Why it is not known that the member's own data is within reach; undefined: it is. Without it a pod would be a new member under an old name. */
function whyNotItsData(observation: Observation, view: OrdinalView): string | undefined {
  const voter = voterOf(observation, view.pod);
  const {state, why} = judgeData(observation, voter);
  // What only its own pod may read (ReadWriteOncePod) was planned with unread: it is the claim that the member was seen on.
  const unread = state === 'Unknown' && isForOnePod(view) && isKnownClaim(observation, voter, view.data?.object?.metadata?.uid);
  return state === 'Readable' || unread ? undefined : `${view.pod} is not made, because the data of its member is not known to be within reach: ${why}`;
}

/** Makes the pod as the StatefulSet controller would, on its own claim: once the last process of its member has ended, as everywhere. */
function make(observation: Observation, view: OrdinalView, todo: Todo): void {
  const {proven, waitsFor} = judgeProcess(observation, voterOf(observation, view.pod));
  const unknown = whyNotItsData(observation, view);
  if (proven === undefined) todo.waits.push(waitsFor ?? `the last process of ${view.pod} is not proven to have ended`);
  else if (unknown !== undefined) todo.waits.push(unknown);
  else todo.actions.push({type: 'CreatePod', pod: ownPod(sourceOf(observation, view), runIn(observation).id, false)});
}

/** One pod on its way to the next of its name. */
function advance(observation: Observation, item: Restarted, todo: Todo): void {
  const view = viewOf(observation, item.pod);
  const {object} = view;
  if (object === undefined || object.metadata?.uid === item.podUID) todo.records.push(begin(observation, item));
  if (object === undefined) {
    make(observation, view, todo);
    return;
  }
  if (object.metadata?.uid !== item.podUID) return;
  const record = recordOf(observation, view.pod);
  const end = endOf(observation, object, record);
  const {proven, stoppable, waitsFor} = judgeProcess(observation, voterOf(observation, view.pod));
  if ('waitsFor' in end) todo.waits.push(end.waitsFor);
  // Its own end proves nothing of the process before it, without which no pod could be made after it.
  else if (proven === undefined && !stoppable) todo.waits.push(waitsFor ?? `the last process of ${view.pod} is not proven to have ended`);
  else if ('stoppable' in end && isTerminating(object)) todo.waits.push(`${view.pod} is stopping on ${object.spec?.nodeName ?? ''}`);
  else if ('stoppable' in end) todo.actions.push({type: 'StopPod', pod: object});
  else takeAway(observation, view, object, {end: end.fenced, proven}, todo);
}

/** The pod has ended: that is recorded where it is its member's last process, and the object goes. */
function takeAway(observation: Observation, view: OrdinalView, object: V1Pod, {end, proven}: {end: Fenced; proven: Fenced | undefined}, todo: Todo): void {
  const recorded = recordOf(observation, view.pod)?.fenced?.podUID;
  const isLast = proven?.podUID === end.podUID || proven?.by === 'LostMembers';
  if (end.by !== 'NeverStarted' && isLast && recorded !== end.podUID) todo.records.push(recordFence(view, memberIDOf(observation, view.pod), end));
  // One without a node goes at once by itself; and if it has got a node since it was looked at, its kubelet has a part in its end.
  todo.actions.push({type: 'ReleasePod', pod: object, force: end.by !== 'NeverStarted' && (end.by !== 'KubeletConfirmed' || !hasFence(object))});
}

/** Acts carry their records; what is only waited for changes nothing. */
function decide({actions, records, waits}: Todo): Decision | undefined {
  const decision = stopDecision({actions, records: actions.length > 0 ? records : [], waits});
  return decision?.kind === 'act' ? {...decision, why: wordsOf(actions)} : decision;
}

const verbs = [['StopPod', 'stopping'], ['ReleasePod', 'taking away the ended'], ['CreatePod', 'making']] as const;

function wordsOf(actions: Todo['actions']): string {
  return verbs.flatMap(([type, verb]) => {
    const pods = actions.flatMap((action) => (action.type === type ? [action.pod.metadata?.name ?? ''] : []));
    return pods.length > 0 ? [`${verb} ${pods.join(', ')}`] : [];
  }).join('; ');
}

/** What was begun with is brought to its end whatever comes: a pod that was taken away is made again. */
export function finishBegun(observation: Observation): Decision | undefined {
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const item of planned(observation)) {
    if (!observation.ordinals.some(({pod}) => pod === item.pod) || cameAgain(observation, item) || !isUnderWay(observation, item)) continue;
    advance(observation, item, todo);
  }
  return decide(todo);
}

/** A pod of another revision waits for the one before: it may not be better. */
function mayBegin(observation: Observation, item: Restarted): boolean {
  if (item.rollout !== true) return true;
  const before = planned(observation).filter(({rollout}) => rollout === true);
  return before.slice(0, before.findIndex(({pod}) => pod === item.pod)).every(({pod}) => etcdRuns(viewOf(observation, pod)));
}

function beginNext(observation: Observation): Decision | undefined {
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const item of planned(observation)) {
    const view = viewOf(observation, item.pod);
    if (isUnderWay(observation, item) || cameAgain(observation, item) || etcdRuns(view)) continue;
    if (mayBegin(observation, item)) advance(observation, item, todo);
  }
  return decide(todo);
}

/** A stop that ended between its two calls leaves a fence on a pod that is stopped no more: later it would keep the ended object for ever. */
function dropFences(observation: Observation): Decision | undefined {
  const pods = observation.ordinals.flatMap(({object}) => (object !== undefined && hasFence(object) && !isTerminating(object) ? [object] : []));
  return pods.length === 0 ? undefined : act('taking the fence off pods that are not stopped any more', ...pods.map((pod): Action => ({type: 'DropFence', pod})));
}

/** Brings the planned pods up again, each on its own claim, and waits for a quorum. Nothing is taken away once one serves. */
export function restart(observation: Observation): Decision {
  const open = finishBegun(observation);
  if (observation.linearizable) return open ?? dropFences(observation) ?? done(`a quorum serves again: ${observation.ordinals.filter(servesNow).map(({pod}) => pod).join(', ')}`, (draft) => {
    if (draft.run) draft.run.writableAt ??= new Date(observation.now).toISOString();
  });
  const gone = dataGone(observation);
  if (gone !== undefined) return {kind: 'abort', reason: 'PlanChanged', message: `${gone}: a new plan is made`};
  const next = open?.kind === 'act' ? open : beginNext(observation) ?? open;
  if (next !== undefined && (next.kind === 'act' || !isOverdue(observation, 'Restart'))) return next;
  const {timeout} = observation.spec.verification;
  const causes = causesOf(observation.ordinals) || 'their cause is not known';
  if (!isOverdue(observation, 'Restart')) return wait(`the pods were brought up, and a quorum is waited for: ${causes}`, 500);
  return stillMore(observation) ?? blocked('QuorumOfDataIntact', `the pods were brought up again, and no quorum serves after ${timeout}: ${causes}. Nothing is forced, because a quorum of data is intact. Mend the cause, and the run goes on by itself`);
}

/** Others can be brought up by now: that is another plan. Once only, so that nothing goes round in circles. */
function stillMore(observation: Observation): Decision | undefined {
  if (observation.status.history?.[0]?.reason === 'PlanChanged') return undefined;
  const assessment = assess(observation);
  const more = assessment.kind === 'restart' ? assessment.restarts.filter(({pod}) => !planned(observation).some((item) => item.pod === pod)).map(({pod}) => pod) : [];
  return more.length > 0 ? {kind: 'abort', reason: 'PlanChanged', message: `no quorum came back, and ${more.join(', ')} can be brought up too: a new plan is made`} : undefined;
}

const isComing = (observation: Observation, view: OrdinalView) =>
  view.object !== undefined && !servesNow(view) && !isGated(view.object) && isOnReadyNode(observation, view.object) && etcdRuns(view);

/** Its pods may have come up for a while only: after the time that a check may take, what can be done now is planned anew. */
function servesNoMore(observation: Observation): Decision {
  const gone = dataGone(observation);
  if (gone !== undefined) return {kind: 'abort', reason: 'PlanChanged', message: `${gone}: a new plan is made`};
  const why = `no quorum serves any more: ${causesOf(observation.ordinals)}`;
  const since = runIn(observation).unservedSince;
  if (since === undefined) return recordUnserved(observation, why);
  const {timeout} = observation.spec.verification;
  if (observation.now - Date.parse(since) <= durationMs(timeout)) return wait(why, 500);
  return {kind: 'abort', reason: 'PlanChanged', message: `for ${timeout} ${why}: a new plan is made`};
}

/** The pods of the voters, as the plan found them: a member that was taken out of the list before does not come back into it by a restart. */
function votersOf(observation: Observation): string[] {
  const pods = observation.ordinals.map(({pod}) => pod);
  const listed = runIn(observation).identity?.members.filter(({isLearner}) => isLearner !== true).map((member) => podOfMember(member, pods));
  return listed === undefined ? pods : pods.filter((pod) => listed.includes(pod));
}

/** All checks of the end on the members that serve; who is not back yet is named. */
export function verifyRestarted(observation: Observation): Decision {
  const {verification: {timeout}} = observation.spec;
  if (!observation.linearizable) return servesNoMore(observation);
  const {unservedSince, steps, plan} = runIn(observation);
  if (unservedSince !== undefined) return recordServed();
  const coming = observation.ordinals.filter((view) => isComing(observation, view) || (view.object === undefined && view.data?.object !== undefined));
  const startedAt = steps.find(({name}) => name === 'Verify')?.startedAt;
  const late = startedAt !== undefined && observation.now - Date.parse(startedAt) > Math.min(comingMs, durationMs(timeout));
  if (coming.length > 0 && !late) return wait(`a quorum serves, and ${coming.map(({pod}) => pod).join(', ')} is coming up`, 500);
  const via = anchored(observation);
  if (via) return via;
  const pods = observation.ordinals.filter(servesNow).map(({pod}) => pod);
  const voters = votersOf(observation);
  const others = observation.ordinals.map(({pod}) => pod).filter((pod) => !pods.includes(pod));
  const away = others.filter((pod) => voters.includes(pod));
  const apart = others.filter((pod) => !voters.includes(pod));
  return {
    kind: 'act', actions: [{type: 'VerifyMembers', pods, via: plan?.survivor ?? '', ...(away.length > 0 && {away}), ...(apart.length > 0 && {apart})}], completes: true,
    why: 'comparing every member that serves: list, cluster ID, a write, canary keys, hashes, alarms, flags',
  };
}
