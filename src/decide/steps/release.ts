import {hasFence, isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import {marks} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Action, Decision} from '../decision.ts';
import {endedByKubelet} from '../processes.ts';
import {act, done, wait} from '../decision.ts';
import {keepHeld} from './defer.ts';
import {copyIsRead} from './etcdutl.ts';
import {runIn, sourceOf, survivorOf} from './common.ts';

const deferredPods = (observation: Observation) =>
  (runIn(observation).joins ?? []).filter((join) => join.deferred !== undefined).map((join) => join.pod);

/** Takes helper pods away; one that may run etcd carries the fence finalizer, and its end is read first. */
export function leftHelpers(observation: Observation): Action[] {
  return observation.helpers.flatMap((pod): Action[] => {
    if (hasFence(pod) && endedByKubelet(pod)) return [{type: 'ReleasePod', pod, force: false}];
    // An agent runs no etcd: where its kubelet does not answer, its object need not wait for it.
    const ready = observation.nodes.some((node) => node.name === pod.spec?.nodeName && node.ready);
    // Nothing ran in a pod without a node, and none is bound to one while it is being deleted.
    if (isTerminating(pod) && hasFence(pod) && pod.spec?.nodeName === undefined) return [{type: 'ReleasePod', pod, force: false}];
    if (isTerminating(pod)) return hasFence(pod) || ready || pod.spec?.nodeName === undefined ? [] : [{type: 'ReleasePod', pod, force: true}];
    return [hasFence(pod) ? {type: 'StopPod', pod} : {type: 'DeletePod', pod}];
  });
}

/** Ends a run: no helper pod, no probe key, nothing held but what still waits for a node or a proof. */
export function release(observation: Observation): Decision {
  const deferred = deferredPods(observation);
  const held = observation.status.heldPods ?? [];
  const keep = deferred.map((pod) => keepHeld(observation, pod)).filter((action) => action !== undefined);
  const reading = copyIsRead(observation);
  if (reading) return reading;
  const actions = [...leftHelpers(observation), ...keep];
  if (actions.length > 0) return act('taking away what the run no longer needs', ...actions);
  if (observation.helpers.length > 0) return wait('helper pods are going', 200);
  if (held.some((pod) => !deferred.includes(pod))) {
    return {kind: 'record', why: 'nothing else is held', record: (draft) => { draft.heldPods = held.filter((pod) => deferred.includes(pod)); }};
  }
  return {kind: 'act', actions: [{type: 'RemoveProbeKey', via: survivorOf(observation).pod}], why: 'removing the probe key', completes: true};
}

/**
 * A pod that the run has stopped is made again while its name is still held: where pods are made in order the controller would not make it
 * as long as one of a lower ordinal is lost.
 */
function stoppedAgain(observation: Observation): Action[] {
  const {set, ordinals, status} = observation;
  if (set === undefined) return [];
  return ordinals.filter((view) => status.heldPods?.includes(view.pod)).flatMap((view): Action[] => {
    const {object} = view;
    const by = ownPod(sourceOf(observation, view), runIn(observation).id, true);
    if (object === undefined) return [{type: 'CreatePod', pod: by}];
    return isTerminating(object) && hasFence(object) && endedByKubelet(object) ? [{type: 'ReplacePod', pod: object, by}] : [];
  });
}

/** A pod that is stopping on a node that answers: its end is a matter of seconds. */
const isStopping = ({nodes}: Observation, {object}: OrdinalView): boolean => object !== undefined && isTerminating(object) && hasFence(object)
  && nodes.some((node) => node.name === object.spec?.nodeName && node.ready);

/** Before the force: everything is put back as it was, so every held pod starts on its own data. */
export function letGo(observation: Observation): Decision {
  const run = runIn(observation);
  const helpers = leftHelpers(observation);
  if (helpers.length > 0) return act('taking the helper pods away', ...helpers);
  if (observation.helpers.length > 0) return wait('helper pods are going', 200);
  const again = stoppedAgain(observation);
  if (again.length > 0) return act('making the pods again that were stopped', ...again);
  const stopping = observation.ordinals.filter((view) => observation.status.heldPods?.includes(view.pod) && isStopping(observation, view));
  if (stopping.length > 0) return wait(`${stopping.map((view) => view.pod).join(', ')} is stopping`, 200);
  const gated = observation.ordinals.filter((view) => view.object && isGated(view.object) && runOf(view.object) === run.id);
  const fenced = observation.ordinals.filter((view) => view.object?.metadata?.finalizers?.includes(marks.fence));
  if ((observation.status.heldPods ?? []).length > 0) {
    return {kind: 'record', why: 'nothing is held any more', record: (draft) => { draft.heldPods = []; }};
  }
  const actions: Action[] = [
    ...gated.map((view): Action => ({type: 'UngatePod', pod: view.object ?? {}})),
    ...fenced.filter((view) => view.object?.metadata?.deletionTimestamp !== undefined).map((view): Action => ({type: 'ReleasePod', pod: view.object ?? {}, force: false})),
  ];
  if (actions.length > 0) return act('letting the held pods start on their own data', ...actions);
  return done('every pod was let go');
}
