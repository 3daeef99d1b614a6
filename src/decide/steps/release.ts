import {hasFence, isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import {marks} from '../../api/types.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Action, Decision} from '../decision.ts';
import {heldBefore} from '../evidence/heldBefore.ts';
import {snapshotsKept} from '../kept.ts';
import {endedByKubelet} from '../evidence/processes.ts';
import {act, done, wait} from '../decision.ts';
import {setIsGoing} from '../interrupt.ts';
import {dropGatedStrays, isEnding, releaseStrays} from '../evidence/strays.ts';
import {keepHeld} from './defer.ts';
import {giveBackAll} from './dependents.ts';
import {copyIsRead} from './etcdutl.ts';
import {isRestart} from '../restart.ts';
import {finishBegun} from './restart.ts';
import {anchored} from './anchor.ts';
import {runIn, sourceOf, survivorOf} from './common.ts';

const deferredPods = (observation: Observation) =>
  (runIn(observation).joins ?? []).filter((join) => join.deferred !== undefined).map((join) => join.pod)
    .filter((pod) => observation.ordinals.some((view) => view.pod === pod));

/** Takes helper pods away; one that may run etcd carries the fence finalizer, and its end is read first. */
export function leftHelpers(observation: Observation): Action[] {
  return observation.helpers.flatMap((pod): Action[] => {
    if (hasFence(pod) && endedByKubelet(pod)) return [{type: 'ReleasePod', pod, force: false}];
    // An agent runs no etcd: where its kubelet does not answer, its object need not wait for it.
    const ready = isOnReadyNode(observation, pod);
    // Nothing ran in a pod without a node, and none is bound to one while it is being deleted.
    if (isTerminating(pod) && hasFence(pod) && pod.spec?.nodeName === undefined) return [{type: 'ReleasePod', pod, force: false}];
    if (isTerminating(pod)) return hasFence(pod) || ready || pod.spec?.nodeName === undefined ? [] : [{type: 'ReleasePod', pod, force: true}];
    return [hasFence(pod) ? {type: 'StopPod', pod} : {type: 'DeletePod', pod}];
  });
}

/** Ends a run: no helper pod, no probe key, nothing held but what still waits for a node or a proof. */
export function release(observation: Observation): Decision {
  const via = isRestart(observation.status.run) ? anchored(observation) : undefined;
  if (via) return via;
  const deferred = deferredPods(observation);
  const held = observation.status.heldPods ?? [];
  const keep = deferred.map((pod) => keepHeld(observation, pod)).filter((action) => action !== undefined);
  const reading = copyIsRead(observation);
  if (reading) return reading;
  const actions = [...leftHelpers(observation), ...keep];
  if (actions.length > 0) return act('taking away what the run no longer needs', ...actions);
  if (observation.helpers.length > 0) return wait('helper pods are going', 200);
  const stay = held.filter((pod) => deferred.includes(pod) || heldBefore(observation).includes(pod));
  if (stay.length < held.length) return {kind: 'record', why: 'nothing else is held', record: (draft) => { draft.heldPods = stay; }};
  return {kind: 'act', actions: [{type: 'RemoveProbeKey', via: survivorOf(observation).pod}], why: 'removing the probe key', completes: true};
}

/**
 * A pod that the run has stopped is made again while its name is still held: where pods are made in order the controller would not make it
 * as long as one of a lower ordinal is lost.
 */
function stoppedAgain(observation: Observation): Action[] {
  const {ordinals, status} = observation;
  if (setIsGoing(observation)) return [];
  return ordinals.filter((view) => status.heldPods?.includes(view.pod)).flatMap((view): Action[] => {
    const {object} = view;
    const source = sourceOf(observation, view);
    const by = ownPod(source, runIn(observation).id, true);
    if (object === undefined) return [{type: 'CreatePod', pod: by}];
    // A rollout that finds one pod not Ready waits for ever: all start from the template as it is now.
    const outdated = object.metadata?.labels?.['controller-revision-hash'] !== source.revision;
    if (isGated(object) && runOf(object) === runIn(observation).id && !isTerminating(object) && outdated) return [{type: 'ReplacePod', pod: object, by}];
    return isTerminating(object) && hasFence(object) && endedByKubelet(object) ? [{type: 'ReplacePod', pod: object, by}] : [];
  });
}

const changeIsUnseen = ({set}: Observation): boolean => (set?.status?.observedGeneration ?? 0) < (set?.metadata?.generation ?? 0);

/** Before the force: everything is put back as it was, so every pod that this run holds starts on its own data. What was held before stays so. */
export function letGo(observation: Observation): Decision {
  const run = runIn(observation);
  const helpers = leftHelpers(observation);
  if (helpers.length > 0) return act('taking the helper pods away', ...helpers);
  // What a restart has taken away comes back, whatever ends it.
  const begun = isRestart(run) && !setIsGoing(observation) ? finishBegun(observation) : undefined;
  if (begun?.kind === 'act' || (begun !== undefined && observation.ordinals.some(({object}) => object !== undefined && isEnding(observation, object)))) return begun;
  if (observation.helpers.length > 0) return wait('helper pods are going', 200);
  if (run.aborted?.reason === 'SetChanged' && !setIsGoing(observation) && changeIsUnseen(observation)) return wait('the StatefulSet controller has not looked at the change yet', 200);
  const again = stoppedAgain(observation);
  if (again.length > 0) return act('making the pods again that were stopped', ...again);
  const held = observation.ordinals.flatMap(({pod, object}) => (object !== undefined && observation.status.heldPods?.includes(pod) ? [object] : []));
  const stopping = [...held, ...observation.strays].filter((pod) => isEnding(observation, pod));
  if (stopping.length > 0) return wait(`${stopping.map((pod) => pod.metadata?.name ?? '').join(', ')} is stopping`, 200);
  const stay = heldBefore(observation);
  const gated = observation.ordinals.filter((view) => view.object && isGated(view.object) && runOf(view.object) === run.id && !stay.includes(view.pod));
  const fenced = observation.ordinals.filter((view) => view.object?.metadata?.finalizers?.includes(marks.fence));
  if ((observation.status.heldPods ?? []).length > stay.length) {
    return {kind: 'record', why: stay.length === 0 ? 'nothing is held any more' : `only ${stay.join(', ')} stay held, as before`, record: (draft) => { draft.heldPods = stay; }};
  }
  const actions: Action[] = [
    ...gated.map((view): Action => ({type: 'UngatePod', pod: view.object ?? {}})),
    ...fenced.filter((view) => view.object?.metadata?.deletionTimestamp !== undefined).map((view): Action => ({type: 'ReleasePod', pod: view.object ?? {}, force: false})),
    ...fenced.filter((view) => view.object?.metadata?.deletionTimestamp === undefined).map((view): Action => ({type: 'DropFence', pod: view.object ?? {}})),
    ...dropGatedStrays(observation), ...releaseStrays(observation),
  ];
  if (actions.length > 0) return act('letting the held pods start on their own data', ...actions);
  const back = giveBackAll(observation);
  if (back) return back;
  return done('every pod was let go', (draft) => {
    if ((draft.run?.volumeSnapshots ?? []).length > 0) draft.kept = snapshotsKept(draft, observation.spec, observation.now);
  });
}
