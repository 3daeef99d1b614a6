import type {Observation} from '../observe/observation.ts';
import {ownPod} from '../kubernetes/ownPods.ts';
import type {Action, Decision} from './decision.ts';
import {act, blocked, stalled} from './decision.ts';
import {setIsGoing} from './interrupt.ts';
import {podOfJoinStep} from './plan.ts';
import {decommission} from './steps/decommission.ts';
import {endForce, force} from './steps/force.ts';
import {readCopy} from './steps/etcdutl.ts';
import {forceMayHaveBegun, withHelper} from './steps/forceHelper.ts';
import {hold} from './steps/hold.ts';
import {inspect} from './steps/inspect.ts';
import {keepHeld, mayRetry} from './steps/defer.ts';
import {join} from './steps/join.ts';
import {prepareJoins} from './steps/joinPod.ts';
import {plan} from './steps/plan.ts';
import {approve} from './steps/approve.ts';
import {letGo, release} from './steps/release.ts';
import {runIn, sourceOf} from './steps/common.ts';
import {holdAdded, joinOfGone} from './steps/scaled.ts';
import {stop} from './steps/stop.ts';
import {startSurvivor} from './steps/survivor.ts';
import {controllerMakes, restartProof, verify} from './steps/verify.ts';
import {leaveNothing, releaseStrays} from './strays.ts';
import {troubled} from './trouble.ts';

const steps: Record<string, (observation: Observation) => Decision> = {
  Plan: plan, Approve: approve, Hold: hold, Stop: stop, Inspect: inspect, Force: force, EndForce: endForce, StartSurvivor: startSurvivor,
  Decommission: decommission, Verify: verify, RestartProof: restartProof, Release: release, LetGo: letGo,
};

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
  const changed = setGone(observation) ?? holdAdded(observation);
  if (changed) return {name: waiting?.name ?? 'Release', decision: changed};
  if (waiting === undefined) return undefined;
  const step = keepDeferredHeld(observation) ?? makeAgain(observation) ?? neverLetGo(observation, decideStep(observation, waiting.name));
  const decision = troubled(observation, waiting.name, step);
  return {name: waiting.name, decision: meanwhile(observation, waiting.name, decision)};
}

/** The end of a run before the force is none after it, whatever a step says. */
function neverLetGo(observation: Observation, decision: Decision): Decision {
  if (decision.kind !== 'abort' || !forceMayHaveBegun(observation)) return decision;
  return blocked(decision.reason, `the force has begun, so nothing is let go any more: ${decision.message}`);
}

/**
 * Members of the new cluster whose pods have gone while one of a lower ordinal is held: with OrderedReady the controller makes none of
 * them before that one is Ready, so they are made as the controller would.
 */
function makeAgain(observation: Observation): Decision | undefined {
  const {status, ordinals} = observation;
  const held = status.heldPods ?? [];
  if (status.run?.force?.endedAt === undefined) return undefined;
  const members = ordinals.map(({pod}) => pod).filter((pod) => !held.includes(pod));
  const gone = ordinals.filter((view) => members.includes(view.pod) && view.object === undefined && !controllerMakes(observation, members, view));
  const pods = gone.map((view) => ownPod(sourceOf(observation, view), status.run?.id ?? '', false));
  return pods.length === 0 ? undefined : act(`making ${gone.map(({pod}) => pod).join(', ')} again: the StatefulSet's controller waits for a held pod`, ...pods.map((pod): Action => ({type: 'CreatePod', pod})));
}

/** What later steps need and nothing speaks against now: a wait is time to make it. */
function meanwhile(observation: Observation, step: string, decision: Decision): Decision {
  if (step === 'Stop') return withHelper(observation, decision);
  return (decision.kind === 'wait' ? prepareJoins(observation, step) ?? readCopy(observation) : undefined) ?? decision;
}

/**
 * After the force the run needs its set: with none there is nobody to make pods, and without the survivor's ordinal there is no cluster.
 * (Before it, a changed set ends the run: interrupt.ts.) What is stuck behind a fence and belongs to no ordinal is let go meanwhile.
 */
function setGone(observation: Observation): Decision | undefined {
  const {ordinals, spec} = observation;
  const {plan} = runIn(observation);
  if (plan === undefined || !forceMayHaveBegun(observation)) return undefined;
  // Its pods have to go before anything else of a namespace does, the resource itself included.
  const strays = observation.namespaceGoing ? leaveNothing(observation) : releaseStrays(observation);
  if (strays.length > 0) return act('letting go pods that belong to no ordinal of the StatefulSet any more', ...strays);
  if (setIsGoing(observation)) {
    return stalled('StatefulSetNotFound', `StatefulSet ${spec.target.statefulSet} was deleted during the run: nothing more is done. Its claims and the copy are kept. Create it again, and the run goes on with it; or delete the QuorumRecovery, which ends the run at once`);
  }
  if (ordinals.some((view) => view.pod === plan.survivor)) return undefined;
  return blocked('PlanChanged', `the StatefulSet was scaled down during the run and has no pod ${plan.survivor} any more, which is the cluster now: scale it up again`);
}

function mayRetryStep(observation: Observation, name: string): boolean {
  const pod = podOfJoinStep(name);
  return pod !== undefined && mayRetry(observation, pod);
}

/** A finished, degraded run goes on once a member that waited may join. */
export function reopens(observation: Observation): string[] {
  const run = observation.status.run;
  if (run?.outcome !== 'Degraded') return [];
  return run.steps.filter((step) => step.state === 'Deferred' && mayRetryStep(observation, step.name)).map((step) => step.name);
}
