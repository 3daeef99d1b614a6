import {isOnReadyNode, isRefused} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import type {Action, Decision} from './decision.ts';
import {blocked, stalled} from './decision.ts';
import {causesOf} from './evidence/causes.ts';
import {durationMs} from './durations.ts';
import {quorumOf} from './evidence/membership.ts';
import {podOfJoinStep} from './plans/plan.ts';
import {rejectedWords} from './refusals.ts';
import {runIn, survivorOf} from './steps/common.ts';
import {behaviourIn} from './strategies.ts';

/** From here on the survivor's own pod is the cluster. */
const serving = (step: string) => ['StartSurvivor', 'StartAll', 'StartEmpty', 'Load', 'Check', 'Remove', 'Restart', 'Decommission', 'ReturnDependents', 'RestartProof', 'Verify', 'Release'].includes(step) || podOfJoinStep(step) !== undefined;

/** From here on nothing but the survivor's disk can go on, and once it may have been forced nothing is let go either. */
const needsSurvivor = (step: string) => serving(step) || step === 'Force' || step === 'EndForce';

/** Whether an act asks an etcd. Of all acts, so that a new one is not forgotten here. */
const asksEtcd: Record<Action['type'], boolean> = {
  ProveHold: false, DryRunPods: false, StopPod: false, ReleasePod: false, CreatePod: false, DeletePod: false, TakeSnapshot: false, OfferReader: false,
  ReadEtcdutl: false, ReplacePod: false, GiveTurn: false, UngatePod: false, DropFence: false, RetainVolume: false, DeleteClaim: false, CreateClaim: false,
  CreateVolumeSnapshot: false, DeleteVolumeSnapshot: false,
  CheckForced: true, MoveRevision: true, ProveWrite: true, ProveNewCluster: true, AddLearner: true, RemoveMember: true, RemoveVoter: true, PromoteLearner: true, VerifyMembers: true, RemoveProbeKey: true,
  LoadKeys: true, CheckKeys: true, CreateJob: false,
  MoveLeader: true, TryDependents: false, StopDependent: false, ReturnDependent: false,
};

/** Waits, or would ask an etcd: what is not in the way of anything else is not said. */
const standsStill = (decision: Decision) => decision.kind === 'wait' || (decision.kind === 'act' && decision.actions.some(({type}) => asksEtcd[type]));

/** Whether a step has been waiting for longer than a check may take. */
export function isOverdue({status: {run}, spec, now}: Observation, step: string): boolean {
  const startedAt = run?.steps.find((candidate) => candidate.name === step)?.startedAt;
  return startedAt !== undefined && now - Date.parse(startedAt) > durationMs(spec.verification.timeout);
}

/** Why the survivor's own pod cannot run now, by its node and its volume; undefined: nothing speaks against it. */
function whyGone({nodes}: Observation, {pod, object, data}: OrdinalView): string | undefined {
  const name = object?.spec?.nodeName;
  if (name !== undefined) {
    const node = nodes.find((candidate) => candidate.name === name);
    if (node === undefined) return `node ${name} of ${pod} is deleted`;
    return node.ready ? undefined : `node ${name} of ${pod} is NotReady`;
  }
  if (data?.place.at === 'GoneNode') return `the volume of ${pod} is on node ${data.place.nodes.join(', ')}, which is gone`;
  return data?.place.at === 'NotReadyNode' ? `the volume of ${pod} is on node ${data.place.nodes.join(', ')}, which is NotReady` : undefined;
}

/** The survivor has the only whole data until others have joined: its node is waited for, and that is said. */
function survivorGone(observation: Observation): Decision | undefined {
  const survivor = survivorOf(observation);
  const why = whyGone(observation, survivor);
  if (why === undefined) return undefined;
  const joined = runIn(observation).steps.filter(({name, state}) => podOfJoinStep(name) !== undefined && state === 'Done').length;
  const others = joined >= quorumOf(joined + 1) ? 'The members that have joined serve' : 'No member serves';
  return blocked('SurvivorNotServing', `${why}. ${others}. Bring the node back, and the run goes on by itself; if its volume can be attached elsewhere, delete the Node object or taint it node.kubernetes.io/out-of-service, once the machine is off for good. Nothing is let go, and every disk is kept`);
}

const isDown = (observation: Observation, {object}: OrdinalView): boolean => object !== undefined && !isOnReadyNode(observation, object);

/** Members that have joined are voters: where too few of them have a node, nothing goes on, and that is said. */
function quorumGone(observation: Observation): Decision | undefined {
  const {plan, steps} = runIn(observation);
  const voters = [plan?.survivor, ...steps.filter(({state}) => state === 'Done').map(({name}) => podOfJoinStep(name))].filter((pod) => pod !== undefined);
  const down = observation.ordinals.filter((view) => voters.includes(view.pod) && isDown(observation, view));
  if (voters.length - down.length >= quorumOf(voters.length)) return undefined;
  return blocked('SurvivorNotServing', `${down.map(({pod}) => pod).join(', ')} of the ${voters.length} members of the new cluster (${voters.join(', ')}) have no Ready node, so that it has no quorum: ${causesOf(down)}. Give each of them a node that it can run on (its volume may be on one), and the run goes on by itself. Nothing is let go, and every disk is kept`);
}

/** The etcd of the run's members refuses what the operator shows. */
function refusedBy(observation: Observation): Decision | undefined {
  for (const {pod, probe} of observation.ordinals) {
    const certificate = probe.kind === 'Failed' && probe.error === 'Certificate';
    if ((certificate || isRefused(probe)) && 'message' in probe) return blocked('CredentialsRejected', rejectedWords(observation, `${pod}: ${probe.message}`, certificate));
  }
  return undefined;
}

/** A Secret that the spec names cannot be read any more, in the middle of a run. */
export const secretGone = ({secretProblem}: Observation): Decision | undefined =>
  (secretProblem === undefined ? undefined : stalled('SecretNotFound', `${secretProblem}. The run stands still, and what is held stays held; correct it, and the run goes on by itself`));

/** Why a run that stands still does so, where that is for a person to mend: `decision` is what its step says. */
export function troubled(observation: Observation, step: string, decision: Decision): Decision {
  if (!standsStill(decision)) return decision;
  const needsSecret = serving(step) || decision.kind === 'act';
  const secret = needsSecret ? secretGone(observation) : undefined;
  // Where a quorum serves no single member is needed (steps/replace.ts, quorumServes).
  const one = behaviourIn(observation.status.run)?.throughAny === true ? undefined : (needsSurvivor(step) ? survivorGone(observation) : undefined) ?? (serving(step) ? quorumGone(observation) : undefined);
  return one ?? secret ?? (serving(step) ? refusedBy(observation) : undefined) ?? decision;
}
