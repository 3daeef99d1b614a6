import type {QuorumRecoveryStatus, Suspicion} from '../../api/types.ts';
import {isOnReadyNode, isRefused} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {causesOf} from '../evidence/causes.ts';
import {durationMs} from '../durations.ts';
import {knownMemberships, quorumOf} from '../evidence/membership.ts';
import type {Turn} from './turns.ts';
import {turnInWords} from './turns.ts';
import {isSuperseded} from './witness.ts';

/** What one of the two views says of the quorum (DESIGN section 6: both must agree before anything is done without a person). */
export interface View {
  says: 'Serves' | 'Lost' | 'Silent';
  words: string;
}

/** Its kubelet, which is heard of, says that the pod is Ready. */
export const isReady = (observation: Observation, {object}: OrdinalView): boolean =>
  object?.status?.conditions?.some(({type, status}) => type === 'Ready' && status === 'True') === true
  && isOnReadyNode(observation, object);

const voterCount = (observation: Observation): number =>
  Math.max(0, ...knownMemberships(observation).map(({voters}) => voters.length)) || observation.ordinals.length;

/** Pods and nodes, as the kubelets and the node controller tell them. A name that a run left held is no voter's: it may run a learner that nobody can promote. */
export function kubernetesView(observation: Observation): View {
  const voters = voterCount(observation);
  const {heldPods = []} = observation.status;
  const ready = observation.ordinals.filter((view) => !heldPods.includes(view.pod) && isReady(observation, view));
  const counted = `${ready.length} of ${voters} pods are Ready on a Ready node, ${quorumOf(voters)} needed`;
  return {says: ready.length < quorumOf(voters) ? 'Lost' : 'Serves', words: counted};
}

const names = (views: readonly OrdinalView[]): string => views.map(({pod}) => pod).join(', ');

/** The members' own word. Silence is none: whoever hears nobody may be the one that is cut off. */
export function etcdView(observation: Observation): View {
  const {ordinals, linearizable, spec} = observation;
  if (linearizable) return {says: 'Serves', words: 'a linearizable read succeeds'};
  const leading = ordinals.filter(({probe}) => probe.kind === 'Answered' && probe.status.leader !== '');
  const leaderless = ordinals.filter(({probe}) => probe.kind === 'Answered' && probe.status.leader === '');
  const unable = ordinals.filter(({probe}) => probe.kind === 'PeerOnly' && !isRefused(probe));
  if (leaderless.length > 0) return {says: 'Lost', words: `${names(leaderless)} answers and has no leader`};
  if (unable.length > 0) return {says: 'Lost', words: `${names(unable)} runs and cannot serve: it found no leader since it started`};
  if (leading.length > 0) return {says: 'Lost', words: `${names(leading)} still names a leader, and no linearizable read succeeds`};
  const refusing = ordinals.filter(({probe}) => isRefused(probe));
  if (refusing.length > 0) return {says: 'Silent', words: `${names(refusing)} ${spec.target.auth === undefined ? 'asks for a user, and spec.target.auth names none' : 'does not take the user of spec.target.auth'}: ${causesOf(refusing)}`};
  return {says: 'Silent', words: `no member answers the operator: ${causesOf(ordinals) || 'their cause is not known'}`};
}

/** Whether anything speaks for a quorum that is lost. */
export const isInDoubt = (observation: Observation): boolean =>
  observation.set !== undefined && observation.ordinals.length > 0 && etcdView(observation).says !== 'Serves';

/** Why nothing begins by itself now, and whether that ends by itself. */
function obstacle(observation: Observation, agreed: boolean): string | undefined {
  const {spec, status} = observation;
  const {lastHealthy} = status;
  if (spec.paused) return 'spec.paused is set';
  if (lastHealthy === undefined || isSuperseded(status)) return 'this resource never saw the cluster whole as it is now, so a person has to start the run (spec.trigger.request)';
  return agreed ? undefined : 'Kubernetes and etcd do not agree';
}

/** The moment from which a run may begin by itself, ms; undefined: not while both views are as they are. */
function dueAt({spec: {trigger}, status}: Observation, agreedSince: string | undefined): number | undefined {
  if (agreedSince === undefined) return undefined;
  const {endedAt} = status.automatic ?? {};
  const cool = endedAt === undefined ? 0 : Date.parse(endedAt) + durationMs(trigger.cooldown);
  return Math.max(Date.parse(agreedSince) + durationMs(trigger.gracePeriod), cool);
}

/**
 * What is suspected now, from what was suspected before. The grace period counts from the first moment that both views agreed, and begins
 * anew when one of them says that a quorum serves; a member that is silent for a while, because it restarts, takes nothing back.
 */
export function suspect(observation: Observation): Suspicion {
  const {status: {suspicion: before}, now} = observation;
  const [kubernetes, etcd] = [kubernetesView(observation), etcdView(observation)];
  const at = new Date(now).toISOString();
  const agreed = kubernetes.says === 'Lost' && etcd.says === 'Lost';
  const agreedSince = agreed ? before?.agreedSince ?? at : kubernetes.says === 'Serves' ? undefined : before?.agreedSince;
  const waitsFor = obstacle(observation, agreed);
  const due = dueAt(observation, agreedSince);
  return {
    since: before?.since ?? at, kubernetes: kubernetes.words, etcd: etcd.words,
    ...(agreedSince !== undefined && {agreedSince}),
    ...(before?.queuedAt !== undefined && waitsFor === undefined && due !== undefined && due <= now && {queuedAt: before.queuedAt}),
    ...(waitsFor === undefined ? due !== undefined && {recoversAt: new Date(due).toISOString()} : {waitsFor}),
  };
}

/** What is suspected of a cluster whose run would begin now, and waits until fewer others are at work. */
export function awaitTurn(suspicion: Suspicion, turn: Extract<Turn, {kind: 'Waits'}> | undefined, limit: number, queuedAt: string): Suspicion {
  return {...suspicion, queuedAt, waitsFor: `${turnInWords(turn, limit)}. A new value of spec.trigger.request begins it at once`};
}

export type Automatic = {kind: 'run'} | {kind: 'wait'; message: string} | {kind: 'exhausted'; message: string};

/** Whether a run begins by itself, from a suspicion that was just made. */
export function automatic({spec: {trigger}, status, now}: Observation, suspicion: Suspicion): Automatic {
  const words = `the quorum seems to be lost since ${suspicion.since}: ${suspicion.kubernetes}; ${suspicion.etcd}`;
  const {attempts = 0} = status.automatic ?? {};
  if (attempts >= trigger.maxAttempts) {
    return {kind: 'exhausted', message: `${words}. ${attempts} runs began by themselves (spec.trigger.maxAttempts) and none left a cluster that stayed whole for ${trigger.cooldown}: read status.history, and start the next one yourself with a new value of spec.trigger.request`};
  }
  if (suspicion.waitsFor !== undefined) return {kind: 'wait', message: `${words}. No run begins by itself: ${suspicion.waitsFor}`};
  if (suspicion.recoversAt !== undefined && Date.parse(suspicion.recoversAt) <= now) return {kind: 'run'};
  return {kind: 'wait', message: `${words}. A run begins at ${suspicion.recoversAt ?? ''} unless a quorum serves again before`};
}

/** The attempts are forgotten once the cluster was whole for as long as the cooldown. `whole`: it is now. */
export function settleAttempts(draft: QuorumRecoveryStatus, {spec: {trigger}, now}: Observation, whole: boolean): void {
  const {endedAt} = draft.automatic ?? {};
  if (whole && endedAt !== undefined && now - Date.parse(endedAt) >= durationMs(trigger.cooldown)) delete draft.automatic;
  const replaced = draft.autoReplace?.endedAt;
  if (whole && replaced !== undefined && now - Date.parse(replaced) >= durationMs(trigger.cooldown)) delete draft.autoReplace;
}
