import type {QuorumRecoveryStatus, Run} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {runOf} from '../../kubernetes/ownPods.ts';
import type {Decision} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {podCause} from '../evidence/causes.ts';
import {isReady} from '../watch/suspicion.ts';
import {isOverdue} from '../trouble.ts';
import {podOfJoinStep} from '../plans/plan.ts';
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
export const controllerMakes = ({set, ordinals}: Observation, members: readonly string[], view: OrdinalView) => set?.spec?.podManagementPolicy === 'Parallel'
  || ordinals.every((other) => other.ordinal >= view.ordinal || members.includes(other.pod));

/**
 * The member that joined last is the best one to restart: one that joined by snapshot waits seven seconds for the answer to its first
 * proposal, which the snapshot swallowed, before it serves any client (etcdserver, publishV3); started again it serves at once.
 */
const lastJoinedFirst = (run: Run): string[] =>
  run.steps.filter((step) => step.state === 'Done').map((step) => podOfJoinStep(step.name)).filter((pod) => pod !== undefined).reverse();

/** Who may be restarted: who joined, or a follower of a new cluster that all began at once; undefined: that has to show first. */
function followers(run: Run, views: readonly OrdinalView[], leader: string): (OrdinalView | undefined)[] | undefined {
  const joined = lastJoinedFirst(run).map((pod) => views.find((view) => view.pod === pod)).filter((view) => joinOf(run, view?.pod ?? '')?.memberID !== leader);
  if (run.newCluster === undefined || joined.length > 0) return joined;
  if (leader === '' || views.some(({probe}) => probe.kind !== 'Answered')) return undefined;
  return views.filter(({pod, probe}) => pod !== run.plan?.survivor && probe.kind === 'Answered' && probe.status.memberID !== leader).reverse();
}

/** Whom the restart proof has to ask: not the member that it will restart, which may be silent, as long as nothing else comes in question. */
export function askedByProof({run}: QuorumRecoveryStatus): string[] | undefined {
  if (run?.plan === undefined || run.joins?.some((join) => join.deferred !== undefined)) return undefined;
  const {survivor} = run.plan;
  const [last, ...others] = lastJoinedFirst(run);
  if (run.restart !== undefined) return [survivor, run.restart.pod];
  return last === undefined ? undefined : [survivor, ...others];
}

/** One follower is restarted by the StatefulSet controller from the untouched template: the proof that nothing is left to hand over. */
export function restartProof(observation: Observation): Decision {
  const decision = prove(observation);
  if (decision.kind !== 'wait' || !isOverdue(observation, 'RestartProof')) return decision;
  const {restart} = runIn(observation);
  const object = observation.ordinals.find((view) => view.pod === restart?.pod)?.object;
  const cause = podCause(object) === undefined ? '' : ` (${podCause(object) ?? ''})`;
  return blocked('VerificationFailed', `the restart proof failed, after ${observation.spec.verification.timeout}: ${decision.why}${cause}. The others serve; look at this before you rely on a restart. The proof goes on`);
}

function prove(observation: Observation): Decision {
  const run = runIn(observation);
  const members = membersNow(observation);
  const views = observation.ordinals.filter((view) => members.includes(view.pod));
  if (run.restart === undefined) {
    if (members.length < 3) return done(`skipped: with ${members.length} voters a restart would take the quorum away`);
    const survivor = survivorOf(observation);
    if (survivor.probe.kind !== 'Answered') return wait(`${survivor.pod} does not answer: no member is restarted before the others do`);
    const {leader} = survivor.probe.status;
    const candidates = followers(run, views, leader);
    if (candidates === undefined) return wait('not every member answers and follows a leader: no member is restarted before');
    const follower = candidates.find((view) => view?.object !== undefined && controllerMakes(observation, members, view));
    if (follower?.object === undefined) return done('skipped: the StatefulSet controller makes pods in order, and one of a lower ordinal than every follower is held');
    const silent = views.find((view) => view !== follower && view.probe.kind !== 'Answered');
    if (silent) return wait(`${silent.pod} does not answer: no member is restarted before the others do`);
    const {pod} = follower;
    const uid = follower.object.metadata?.uid ?? '';
    return {
      kind: 'act', why: `restarting ${pod} from the untouched template`, actions: [{type: 'DeletePod', pod: follower.object}],
      record: (draft) => { if (draft.run) draft.run.restart = {pod, podUID: uid}; },
    };
  }
  const view = views.find((candidate) => candidate.pod === run.restart?.pod);
  const pod = view?.object;
  if (view === undefined || pod === undefined) return wait(`the StatefulSet controller makes ${run.restart.pod} again`);
  if (pod.metadata?.uid === run.restart.podUID) {
    return pod.metadata.deletionTimestamp === undefined ? act(`restarting ${view.pod}`, {type: 'DeletePod', pod}) : wait(`${view.pod} is stopping`);
  }
  if (runOf(pod) !== undefined) {
    // A creation that was on its way when its operator was deposed took the name before the controller could.
    if (pod.metadata?.deletionTimestamp !== undefined) return wait(`${view.pod} is stopping: it is not the controller's pod`);
    const unready = views.find((other) => other !== view && !isReady(observation, other));
    if (unready) return wait(`${view.pod} is not the controller's pod, and ${unready.pod} is not Ready: no member is restarted before the others are`);
    return act(`restarting ${view.pod}, which is not the controller's pod: an operator that leads no more has made it`, {type: 'DeletePod', pod});
  }
  if (view.probe.kind !== 'Answered' || view.probe.status.leader === '' || view.probe.status.isLearner) {
    return wait(`${view.pod} starts from the template`);
  }
  return done(`${view.pod} was restarted from the untouched template and is a voter`);
}
