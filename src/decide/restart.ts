import type {V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import type {Plan, Run} from '../api/types.ts';
import {partitionOf} from '../kubernetes/revisions.ts';
import {isGated, hasFence, isTerminating, runOf} from '../kubernetes/ownPods.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {podCause} from './evidence/causes.ts';
import {judgeData} from './evidence/intact.ts';
import type {DataVerdict} from './evidence/intact.ts';
import type {Membership, Voter} from './evidence/membership.ts';
import {knownMemberships, quorumOf} from './evidence/membership.ts';
import {endedByKubelet, judgeProcess} from './evidence/processes.ts';
import type {ProcessVerdict} from './evidence/processes.ts';

/** A pod that is brought up again. */
export type Restarted = NonNullable<Plan['restarts']>[number];

/** A quorum of data is intact, the quorum is gone, and these pods can run again though Kubernetes does not start them by itself. */
export interface Restart {
  kind: 'restart';
  restarts: Restarted[];
  memberships: Membership[];
  /** Voters whose data is intact, by pod, of so many. */
  intact: string[];
  voters: number;
  /** So many of them run, beside those that are restarted. */
  running: number;
}

/** The run brings pods up again, and changes nothing else. */
export const isRestart = (run: Pick<Run, 'plan'> | undefined): boolean => run?.plan?.strategy === 'Restart';

const conditionOf = ({object}: OrdinalView, type: string) => object?.status?.conditions?.find((condition) => condition.type === type)?.status === 'True';

const etcdIn = ({object, launch}: OrdinalView): V1ContainerStatus | undefined =>
  (isLaunch(launch) ? object?.status?.containerStatuses?.find(({name}) => name === launch.container) : undefined);

/** There is an etcd process in the pod, be it without a quorum. */
export const etcdRuns = (view: OrdinalView): boolean =>
  view.probe.kind === 'Answered' || view.probe.kind === 'PeerOnly' || etcdIn(view)?.state?.running !== undefined;

const isOver = ({object}: OrdinalView) => object?.status?.phase === 'Failed' || object?.status?.phase === 'Succeeded';

const revisionOf = ({object}: OrdinalView) => object?.metadata?.labels?.['controller-revision-hash'];

/** What says that the revision itself is at fault, and no pod of it can run: its image, or what its containers are made from. */
const ofTemplate = /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|CreateContainerConfigError|CreateContainerError|RunContainerError)$/;

function failsByTemplate({object}: OrdinalView): boolean {
  return [...(object?.status?.initContainerStatuses ?? []), ...(object?.status?.containerStatuses ?? [])]
    .some(({state, lastState}) => ofTemplate.test(state?.waiting?.reason ?? '') || lastState?.terminated?.reason === 'StartError');
}

/** Kubernetes waits longer and longer before it tries this container again. */
const isInBackOff = ({object}: OrdinalView) => [...(object?.status?.initContainerStatuses ?? []), ...(object?.status?.containerStatuses ?? [])]
  .some(({state}) => /BackOff$/.test(state?.waiting?.reason ?? ''));

/** With OrderedReady the controller does nothing for an ordinal while one of a lower ordinal is not Ready (stateful_set_control.go, processReplica). */
function waitsFor({set, ordinals}: Observation, view: OrdinalView): OrdinalView | undefined {
  if (set?.spec?.podManagementPolicy === 'Parallel') return undefined;
  return ordinals.find((other) => other.ordinal < view.ordinal && (!conditionOf(other, 'Ready') || (other.object !== undefined && isTerminating(other.object))));
}

interface Revision {
  update: string;
  /** Pods of it that do not run. */
  bad: string[];
  /** Pods of it that cannot, because of what it says. */
  unfit: string[];
}

function revisionFor({ordinals, templates}: Observation, view: OrdinalView): Revision {
  const update = templates?.of(view.ordinal).revision ?? '';
  const stuck = ordinals.filter((other) => other.object !== undefined && revisionOf(other) === update && !isTerminating(other.object) && !etcdRuns(other));
  return {update, bad: stuck.map(({pod}) => pod), unfit: stuck.filter(failsByTemplate).map(({pod}) => pod)};
}

/** Nothing has failed in it yet: it waits for a node, or for its images and volumes. That its revision is an old one says nothing against it. */
function isComingUp({object}: OrdinalView): boolean {
  const {conditions, initContainerStatuses: inits = [], containerStatuses: containers = []} = object?.status ?? {};
  if (object?.spec?.nodeName === undefined || conditions?.some(({type, status}) => type === 'PodScheduled' && status === 'False') === true) return true;
  return inits.every(({state, lastState}) => !hasFailed(state, lastState) && (state?.terminated?.exitCode ?? 0) === 0)
    && containers.every(({state, lastState}) => !hasFailed(state, lastState) && state?.terminated === undefined);
}

const hasFailed = (state: V1ContainerStatus['state'], lastState: V1ContainerStatus['lastState']): boolean =>
  lastState?.terminated !== undefined || !/^(|ContainerCreating|PodInitializing)$/.test(state?.waiting?.reason ?? '');

type Found = Omit<Restarted, 'pod'>;

/** A pod that does not run, of the revision that it should be of, or of an older one. */
function stuck(observation: Observation, view: OrdinalView, podUID: string): Found | undefined {
  const {spec: {strategy}, set} = observation;
  const cause = podCause(view.object) ?? 'it does not start';
  const {update, bad} = revisionFor(observation, view);
  const asked = strategy === 'Restart';
  if (revisionOf(view) === update) return asked && isInBackOff(view) ? {podUID, why: `${cause}: spec.strategy Restart asks for it now`} : undefined;
  // With OnDelete, and behind a partition, the owner of the set says when a pod gets its revision; and one that does not run elsewhere is none to go to.
  const keptBack = set !== undefined && view.ordinal < partitionOf(set);
  const mayRoll = asked || (set?.spec?.updateStrategy?.type !== 'OnDelete' && !keptBack && !isComingUp(view));
  return mayRoll && bad.length === 0 ? {podUID, rollout: true, why: `its pod is of ${keptBack ? 'another' : 'an older'} revision than ${update} and does not run (${cause}), and the rollout does not go on`} : undefined;
}

/** Another run has made it, and let it go without taking its gate off. */
const isLeftBehind = ({status: {run}}: Observation, pod: V1Pod): boolean => runOf(pod) !== undefined && runOf(pod) !== run?.id;

/** What may be done for one ordinal, if anything; undefined: Kubernetes does it, or nobody can. */
function restartOf(observation: Observation, view: OrdinalView): Found | undefined {
  const {object} = view;
  // What a run holds is that run's, be it over: its disk may not be its member's any more.
  if (observation.status.heldPods?.includes(view.pod) === true) return undefined;
  const first = waitsFor(observation, view);
  const inOrder = first && `its StatefulSet makes pods in order (OrderedReady), and waits for ${first.pod}, which is not Ready`;
  if (object === undefined) return inOrder === undefined ? undefined : {why: `it has no pod: ${inOrder}`};
  const podUID = object.metadata?.uid ?? '';
  if (isTerminating(object)) return hasFence(object) && endedByKubelet(object) ? {podUID, why: 'its pod has ended, and is kept by the fence of a run that is over'} : undefined;
  if (isGated(object)) return isLeftBehind(observation, object) ? {podUID, why: 'its pod is held by a run that is over'} : undefined;
  if (isOver(view)) return inOrder === undefined ? undefined : {podUID, why: `its pod is over (${object.status?.reason ?? object.status?.phase ?? ''}): ${inOrder}`};
  return etcdRuns(view) ? undefined : stuck(observation, view, podUID);
}

/** The last process of its member has ended, or the stop of its pod will prove that. */
const mayBeProven = ({proven, stoppable}: ProcessVerdict, podUID: string | undefined): boolean => proven !== undefined || (stoppable && podUID !== undefined);

/** The pods that are to be brought up, and why others are not. */
function sortOut(observation: Observation, voters: readonly Voter[]): {restarts: Restarted[]; not: string[]} {
  const restarts: Restarted[] = [];
  const not: string[] = [];
  for (const view of observation.ordinals) {
    const {pod} = view;
    const voter = voters.find((candidate) => candidate.pod === pod);
    const found = voter && restartOf(observation, view);
    if (voter === undefined || found === undefined) continue;
    const {unfit} = revisionFor(observation, view);
    const end = judgeProcess(observation, voter);
    if (found.rollout !== true && found.podUID === undefined && unfit.length > 0) not.push(`${pod} is not made: ${unfit.join(', ')} cannot run from the same template`);
    else if (mayBeProven(end, found.podUID)) restarts.push({pod, ...found});
    else not.push(`${pod} is not made (${found.why}), because its last process is not proven to have ended: ${end.waitsFor ?? 'it may still run'}`);
  }
  return {restarts, not};
}

/** What can be restarted where a quorum of data is intact; else why nothing is, where there is anything to be said. */
export function assessRestart(observation: Observation, membership: Membership, readable: readonly DataVerdict[]): Restart | {kind: 'none'; why: string} {
  const {set, spec, ordinals} = observation;
  if (spec.strategy !== 'Auto' && spec.strategy !== 'Restart') return {kind: 'none', why: ''};
  if ((set?.status?.observedGeneration ?? 0) < (set?.metadata?.generation ?? 0)) return {kind: 'none', why: 'The StatefulSet controller has not looked at the change of the set yet'};
  const {restarts, not} = sortOut(observation, readable.map(({voter}) => voter));
  const why = not.join('; ');
  if (restarts.length === 0) return {kind: 'none', why};
  const pods = restarts.map(({pod}) => pod);
  const running = readable.filter(({voter}) => voter.pod !== undefined && !pods.includes(voter.pod) && ordinals.some((view) => view.pod === voter.pod && etcdRuns(view)));
  const quorum = quorumOf(membership.voters.length);
  if (pods.length + running.length < quorum) {
    return {kind: 'none', why: [`Nothing is restarted: with ${pods.join(', ')}, ${pods.length + running.length} of ${membership.voters.length} members would run, and ${quorum} are needed`, ...not].join('; ')};
  }
  return {kind: 'restart', restarts, memberships: knownMemberships(observation), intact: readable.map(({voter}) => voter.pod ?? voter.memberID), voters: membership.voters.length, running: running.length};
}

/** Its etcd runs for a moment, or has ended just now: a loop that goes on is what was planned with. */
const isBetween = (view: OrdinalView): boolean => etcdRuns(view) || view.object?.status?.containerStatuses?.some(({state}) => state?.terminated !== undefined) === true;

/** What the plan says of this pod would be said of it now, the proof of its member's end and its data included. */
function isStillMeant(observation: Observation, {pod, podUID}: Restarted): boolean {
  const view = observation.ordinals.find((candidate) => candidate.pod === pod);
  const voter = knownMemberships(observation).flatMap(({voters}) => voters).find((candidate) => candidate.pod === pod);
  if (view === undefined || voter === undefined || view.object?.metadata?.uid !== podUID) return false;
  const {state} = judgeData(observation, voter);
  if ((state !== 'Running' && state !== 'Readable') || !mayBeProven(judgeProcess(observation, voter), podUID)) return false;
  return restartOf(observation, view) !== undefined || (view.object !== undefined && !isTerminating(view.object) && isBetween(view));
}

/** The plan to bring pods up stands for as long as they do as they did: others may come and go meanwhile. */
export const standsAsPlanned = (observation: Observation, {restarts = []}: Plan): boolean => restarts.length > 0 && restarts.every((item) => isStillMeant(observation, item));

/** In the middle of a run members can be lost for good; undefined: a quorum of data is still there, or may be. */
export function dataGone(observation: Observation): string | undefined {
  for (const {voters} of knownMemberships(observation)) {
    const gone = voters.map((voter) => judgeData(observation, voter)).filter(({state}) => state === 'Gone');
    if (voters.length - gone.length >= quorumOf(voters.length)) return undefined;
  }
  return 'no quorum of data is left any more';
}
