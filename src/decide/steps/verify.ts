import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {isGated, runOf} from '../../kubernetes/ownPods.ts';
import type {Decision} from '../decision.ts';
import {act, done, wait} from '../decision.ts';
import {joinOf, runIn, survivorOf} from './common.ts';

/** Pods that are members by now: all but those whose join waits. */
export const membersNow = (observation: Observation): string[] =>
  observation.ordinals.map((view) => view.pod).filter((pod) => joinOf(runIn(observation), pod)?.deferred === undefined);

/** Every check of the end: one list, one cluster ID, a linearizable write, canary keys and equal hashes on every member, alarms, no flag. */
export function verify(observation: Observation): Decision {
  return {
    kind: 'act', actions: [{type: 'VerifyMembers', pods: membersNow(observation), via: survivorOf(observation).pod}],
    why: 'comparing every member: list, cluster ID, a write, canary keys, hashes, alarms, flags', completes: true,
  };
}

/** With OrderedReady the controller makes no pod while one of a lower ordinal is not Ready, and a held one never is. */
const controllerMakes = ({set, ordinals}: Observation, view: OrdinalView) => set?.spec?.podManagementPolicy === 'Parallel'
  || ordinals.every((other) => other.ordinal >= view.ordinal || (other.object !== undefined && !isGated(other.object)));

/** One follower is restarted by the StatefulSet controller from the untouched template: the proof that nothing is left to hand over. */
export function restartProof(observation: Observation): Decision {
  const run = runIn(observation);
  const members = membersNow(observation);
  const views = observation.ordinals.filter((view) => members.includes(view.pod));
  if (run.restart === undefined) {
    if (members.length < 3) return done(`skipped: with ${members.length} voters a restart would take the quorum away`);
    const silent = views.find((view) => view.probe.kind !== 'Answered');
    if (silent) return wait(`${silent.pod} does not answer: no member is restarted before all do`);
    const survivor = survivorOf(observation);
    const leader = survivor.probe.kind === 'Answered' ? survivor.probe.status.leader : '';
    const [follower] = views.filter((view) => view.pod !== survivor.pod && view.probe.kind === 'Answered' && view.probe.status.memberID !== leader
      && controllerMakes(observation, view));
    if (follower?.object === undefined) return done('skipped: the StatefulSet controller makes pods in order, and one of a lower ordinal than every follower is held');
    const {pod} = follower;
    const uid = follower.object.metadata?.uid ?? '';
    return {
      ...act(`restarting ${pod} from the untouched template`, {type: 'DeletePod', pod: follower.object}),
      record: (draft) => { if (draft.run) draft.run.restart = {pod, podUID: uid}; },
    } as Decision;
  }
  const view = views.find((candidate) => candidate.pod === run.restart?.pod);
  const pod = view?.object;
  if (view === undefined || pod === undefined) return wait(`the StatefulSet controller makes ${run.restart.pod} again`);
  if (pod.metadata?.uid === run.restart.podUID) {
    return pod.metadata.deletionTimestamp === undefined ? act(`restarting ${view.pod}`, {type: 'DeletePod', pod}) : wait(`${view.pod} is stopping`);
  }
  if (runOf(pod) !== undefined) return wait(`${view.pod} is not the controller's pod yet`);
  if (view.probe.kind !== 'Answered' || view.probe.status.leader === '' || view.probe.status.isLearner) {
    return wait(`${view.pod} starts from the template`);
  }
  return done(`${view.pod} was restarted from the untouched template and is a voter`);
}
