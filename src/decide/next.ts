import type {Observation, OrdinalView} from '../observe/observation.ts';
import {ownPod} from '../kubernetes/ownPods.ts';
import {againstConfiguration} from './configuration.ts';
import type {Action, Decision} from './decision.ts';
import {act, blocked, stalled} from './decision.ts';
import {setIsGoing} from './interrupt.ts';
import {podOfJoinStep} from './plans/plan.ts';
import {judgeProcess} from './evidence/processes.ts';
import {isReplacement, servingPods} from './replace.ts';
import {anchored} from './steps/anchor.ts';
import {keepStopped, returnDependents, returnMeanwhile, stopDependents} from './steps/dependents.ts';
import {isRestart} from './restart.ts';
import {decommission} from './steps/decommission.ts';
import {endForce, force} from './steps/force.ts';
import {readCopy} from './steps/etcdutl.ts';
import {isCommitted} from './steps/committed.ts';
import {withHelper} from './steps/forceHelper.ts';
import {hold} from './steps/hold.ts';
import {inspect} from './steps/inspect.ts';
import {keepHeld, mayRetry} from './steps/defer.ts';
import {givePlacesBack} from './steps/givePlaceBack.ts';
import {join} from './steps/join.ts';
import {prepareJoins} from './steps/joinPod.ts';
import {plan} from './steps/plan.ts';
import {approve} from './steps/approve.ts';
import {letGo, release} from './steps/release.ts';
import {joinOf, memberIDOf, runIn, sourceOf} from './steps/common.ts';
import {holdAdded, joinOfGone} from './steps/scaled.ts';
import {restart, verifyRestarted} from './steps/restart.ts';
import {check, load} from './steps/load.ts';
import {restoreClaims} from './steps/restoreClaims.ts';
import {quorumServes, removeLost, stopReplaced} from './steps/replace.ts';
import {stop} from './steps/stop.ts';
import {startAll, startEmpty} from './steps/startAll.ts';
import {startSurvivor} from './steps/survivor.ts';
import {controllerMakes, restartProof, verify} from './steps/verify.ts';
import {behaviourIn, startsAnew} from './strategies.ts';
import {leaveNothing, releaseStrays} from './evidence/strays.ts';
import {troubled} from './trouble.ts';
import {recordOf} from './evidence/membership.ts';

const steps: Record<string, (observation: Observation) => Decision> = {
  Plan: plan, Approve: approve, StopDependents: stopDependents, ReturnDependents: returnDependents, Hold: hold,
  Stop: (observation) => (isReplacement(observation.status.run) ? stopReplaced(observation) : stop(observation)),
  Remove: removeLost, Inspect: inspect, Force: force, EndForce: endForce, StartSurvivor: startSurvivor,
  Decommission: decommission, Restart: restart, Restore: restoreClaims, StartAll: startAll, StartEmpty: startEmpty, Load: load, Check: check,
  Verify: (observation) => (isRestart(observation.status.run) ? verifyRestarted(observation) : verify(observation)),
  RestartProof: restartProof, Release: release, LetGo: letGo,
};

/** Every step that a run can have, but for `Join <pod>`. */
export const stepNames: readonly string[] = Object.keys(steps);

function decideStep(observation: Observation, name: string): Decision {
  const pod = podOfJoinStep(name);
  if (pod !== undefined) {
    const asked = observation.ordinals.some((view) => view.pod === pod);
    return asked ? join(observation, pod) : joinOfGone(observation, pod);
  }
  const step = steps[name];
  if (step === undefined) throw new Error(`no step ${name}: the status was written by another version of the operator`);
  return step(observation);
}

/** The name of a deferred joiner is never free for the controller's own pod. */
function keepDeferredHeld(observation: Observation): Decision | undefined {
  const deferred = (observation.status.run?.joins ?? []).filter((join) => join.deferred !== undefined)
    .filter((join) => observation.ordinals.some((view) => view.pod === join.pod));
  const actions = deferred.map((join) => keepHeld(observation, join.pod)).filter((action) => action !== undefined);
  return actions.length > 0 ? act('keeping the names of members that cannot join yet', ...actions) : undefined;
}

export interface NextStep {
  name: string;
  decision: Decision;
}

/** The first step of the run that is not done, and what to do for it; undefined: the run is over. */
export function nextStep(observation: Observation): NextStep | undefined {
  const run = runIn(observation);
  if (run.aborted) {
    const decision = letGo(observation);
    return {name: 'LetGo', decision};
  }
  // A join that has begun is ended first: etcd takes one learner at a time.
  const joining = run.steps.find((step) => step.state === 'Running' && podOfJoinStep(step.name) !== undefined);
  // One that may go on only after the others were verified waits for the end of the run, which it opens again: with it what it was verified by.
  const verified = run.steps.some((step) => step.name === 'Verify' && step.state === 'Done');
  const waiting = joining ?? run.steps.find((step) => step.state !== 'Done' && (step.state !== 'Deferred' || (!verified && mayRetryStep(observation, step.name))));
  const changed = setGone(observation) ?? holdAdded(observation) ?? keepStopped(observation, waiting?.name);
  if (changed) return {name: waiting?.name ?? 'Release', decision: changed};
  if (waiting === undefined) return undefined;
  // What a quorum may hang on comes before the question for it.
  const step = keepDeferredHeld(observation) ?? makeAgain(observation) ?? givePlacesBack(observation) ?? anyServes(observation) ?? quorumServes(observation, waiting.name) ?? unproven(observation) ?? neverLetGo(observation, againstConfiguration(observation, waiting.name, decideStep(observation, waiting.name)));
  const decision = troubled(observation, waiting.name, step);
  const instead = meanwhile(observation, waiting.name, decision);
  return {name: waiting.name, decision: returnMeanwhile(observation, instead) ?? instead};
}

/** What comes after the new cluster has served goes on through any member of it that does. */
function anyServes(observation: Observation): Decision | undefined {
  const {newCluster, steps} = runIn(observation);
  if (newCluster?.servedAt === undefined) return undefined;
  const joined = steps.filter(({state}) => state === 'Done').map(({name}) => podOfJoinStep(name)).filter((pod) => pod !== undefined);
  const decision = anchored(observation, [...newCluster.members, ...joined]);
  // What waits for it says more of what it waits for.
  return decision?.kind === 'wait' ? undefined : decision;
}

/** The end of a run before the force is none after it, whatever a step says. */
function neverLetGo(observation: Observation, decision: Decision): Decision {
  if (decision.kind !== 'abort' || !isCommitted(observation)) return decision;
  return blocked(decision.reason, `nothing is let go any more after the ${behaviourIn(observation.status.run)?.committed ?? ''}: ${decision.message}`);
}

/**
 * Members of the new cluster whose pods have gone while one of a lower ordinal is held: with OrderedReady the controller makes none of
 * them before that one is Ready, so they are made as the controller would.
 */
function makeAgain(observation: Observation): Decision | undefined {
  const {status} = observation;
  const gone = mayMake(observation);
  const pods = gone.map((view) => ownPod(sourceOf(observation, view), status.run?.id ?? '', false));
  return pods.length === 0 ? undefined : act(`making ${gone.map(({pod}) => pod).join(', ')} again: the StatefulSet's controller waits for a held pod`, ...pods.map((pod): Action => ({type: 'CreatePod', pod})));
}

/** What a member may still run in that has no pod any more, say one that a person deleted by force on a node that is cut off; undefined: nothing. */
function mayStillRun(observation: Observation, {pod}: OrdinalView): string | undefined {
  const run = runIn(observation);
  // Of members of a forced cluster there is no record while the run goes on.
  if (!isReplacement(run)) return undefined;
  // The kubelet of a Ready node ends what has no pod any more, and etcd locks its data: the controller, if it did not wait, would make it too.
  const node = recordOf(observation, pod)?.node;
  if (observation.nodes.some(({name, ready}) => name === node && ready)) return undefined;
  const memberID = joinOf(run, pod)?.memberID ?? memberIDOf(observation, pod) ?? '';
  const {proven, waitsFor} = judgeProcess(observation, {memberID, pod});
  return proven === undefined ? waitsFor ?? 'it may still run' : undefined;
}

const mayMake = (observation: Observation): OrdinalView[] => controllerWaits(observation).filter((view) => mayStillRun(observation, view) === undefined);

/** No ordinal runs twice: a pod is made again only once the one before has ended. */
function unproven(observation: Observation): Decision | undefined {
  const open = controllerWaits(observation).map((view) => ({view, why: mayStillRun(observation, view)})).filter(({why}) => why !== undefined);
  if (open.length === 0) return undefined;
  const named = open.map(({view: {pod}, why}) => `${pod} has no pod, and the StatefulSet's controller waits for a held one: ${why ?? ''}`).join('; ');
  return blocked('FencingUnproven', `${named}. It is made again once its last process is proven to have ended. Way out: delete the Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service, or name the member in spec.lostMembers once you have made sure that it does not run`);
}

/** The members whose pods have gone and which it would not make as long as others are held. */
function controllerWaits(observation: Observation): OrdinalView[] {
  const {status, ordinals} = observation;
  const held = status.heldPods ?? [];
  // Members that are not replaced are the run's to make from the hold on, which is in the controller's way.
  const begun = isReplacement(status.run) ? held.length > 0 : (status.run?.newCluster?.servedAt ?? status.run?.force?.endedAt) !== undefined;
  if (!begun || held.length === 0) return [];
  const members = ordinals.map(({pod}) => pod).filter((pod) => !held.includes(pod));
  return ordinals.filter((view) => members.includes(view.pod) && view.object === undefined && !controllerMakes(observation, members, view));
}

/** What later steps need and nothing speaks against now: a wait is time to make it. */
function meanwhile(observation: Observation, step: string, decision: Decision): Decision {
  if (step === 'Stop') return isReplacement(observation.status.run) || startsAnew(observation.status.run) ? decision : withHelper(observation, decision);
  return (decision.kind === 'wait' ? prepareJoins(observation, step) ?? readCopy(observation) : undefined) ?? decision;
}

/**
 * After the force the run needs its set: with none there is nobody to make pods, and without the survivor's ordinal there is no cluster.
 * (Before it, a changed set ends the run: interrupt.ts.) What is stuck behind a fence and belongs to no ordinal is let go meanwhile.
 */
function setGone(observation: Observation): Decision | undefined {
  const {ordinals, spec} = observation;
  const {plan} = runIn(observation);
  if (plan === undefined || !isCommitted(observation)) return undefined;
  // Its pods have to go before anything else of a namespace does, the resource itself included.
  const strays = observation.namespaceGoing ? leaveNothing(observation) : releaseStrays(observation);
  if (strays.length > 0) return act('letting go pods that belong to no ordinal of the StatefulSet any more', ...strays);
  if (setIsGoing(observation)) {
    return stalled('StatefulSetNotFound', `StatefulSet ${spec.target.statefulSet} was deleted during the run: nothing more is done. Its claims and the copy are kept. Create it again, and the run goes on with it; or delete the QuorumRecovery, which ends the run at once`);
  }
  // Another member takes the anchor's place.
  const members = isReplacement(observation.status.run) ? servingPods(observation) : observation.status.run?.newCluster?.members ?? [plan.survivor];
  if (ordinals.some((view) => members.includes(view.pod))) return undefined;
  return blocked('PlanChanged', `the StatefulSet was scaled down during the run and has no pod ${plan.survivor} any more, which is the cluster now: scale it up again`);
}

function mayRetryStep(observation: Observation, name: string): boolean {
  const pod = podOfJoinStep(name);
  return pod !== undefined && mayRetry(observation, pod);
}

/** A finished, degraded run goes on once a member that waited may join. */
export function reopens(observation: Observation): string[] {
  const {run, heldPods = []} = observation.status;
  // It ended for want of a quorum, and its members are not whole. One that could not be verified while a quorum served is over: another one is asked for.
  const unserved = run?.outcome === 'Failed' && isReplacement(run) && run.unservedSince !== undefined;
  if (unserved && heldPods.length > 0 && observation.linearizable) return run.steps.filter(({state}) => state !== 'Done').map(({name}) => name);
  if (run?.outcome !== 'Degraded') return [];
  // A member of the cluster is gone, and its controller does not make it again: it is made, and verified again.
  if (mayMake(observation).length > 0) return ['Verify'];
  return run.steps.filter((step) => step.state === 'Deferred' && mayRetryStep(observation, step.name)).map((step) => step.name);
}
