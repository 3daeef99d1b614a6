import type {V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import type {Fenced, MemberRecord} from '../../api/types.ts';
import type {NodeView, Observation, OrdinalView} from '../../observe/observation.ts';
import {isGated, isTerminating, runOf} from '../../kubernetes/ownPods.ts';
import {isNamedLost, recordOf} from './membership.ts';
import type {Voter} from './membership.ts';
import {isOwnByDatabase, namelessInWords} from './nameless.ts';
import {offlineOf} from './offline.ts';

/** What is known of the last process that ran a member. */
export interface ProcessVerdict {
  pod: string;
  memberID: string;
  /** Proof that it has ended. */
  proven: Fenced | undefined;
  /** It runs, or may run, in a pod on a Ready node: stopping that pod will prove its end. */
  stoppable: boolean;
  /** What the proof waits for, where there is none and the operator cannot bring it about. */
  waitsFor: string | undefined;
}

const statusesOf = (pod: V1Pod): V1ContainerStatus[] => [
  ...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? []), ...(pod.status?.ephemeralContainerStatuses ?? []),
];

const neverStarted = (status: V1ContainerStatus) =>
  !status.containerID && status.restartCount === 0 && status.lastState?.terminated === undefined && status.state?.running === undefined;

/** A container's process was there at some time. */
export const hasStarted = (pod: V1Pod, container: string) =>
  statusesOf(pod).some((status) => status.name === container && !neverStarted(status));

/**
 * The kubelet itself reported the end of every container of a pod that is being deleted. The reason ContainerStatusUnknown is no
 * report: the kubelet lost sight of that container (Kubernetes pkg/kubelet/status/status_manager.go, TerminatePod).
 */
export function endedByKubelet(pod: V1Pod): boolean {
  const statuses = statusesOf(pod);
  const over = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  if (!isTerminating(pod) && !(over && pod.spec?.restartPolicy === 'Never')) return false;
  if (statuses.length === 0) return false;
  return statuses.every((status) => {
    const end = status.state?.terminated;
    if (end !== undefined && end.reason !== 'ContainerStatusUnknown') return true;
    return over && neverStarted(status);
  });
}

/** An ID that several nodes share (cloned machines) identifies none of them. */
const identifies = (nodes: readonly NodeView[], id: string, of: (node: NodeView) => string) =>
  id !== '' && nodes.filter((node) => of(node) === id).length === 1;

/** Why a node that ran a process cannot count as gone; undefined: it is gone. */
function stillThere(nodes: readonly NodeView[], name: string, record: MemberRecord | undefined): string | undefined {
  if (nodes.some((node) => node.name === name)) {
    return record?.nodeUID !== undefined && !nodes.some((node) => node.uid === record.nodeUID)
      ? `node ${name} was deleted and has registered again: its kubelet may still run the old pod`
      : `node ${name} is there`;
  }
  const same = (id: string | undefined, of: (node: NodeView) => string) =>
    id !== undefined && identifies(nodes, id, of) ? nodes.find((node) => of(node) === id)?.name : undefined;
  const other = same(record?.machineID, (n) => n.machineID) ?? same(record?.systemUUID, (n) => n.systemUUID)
    ?? same(record?.providerID, (n) => n.providerID);
  return other === undefined ? undefined : `the machine of node ${name} is registered as node ${other}`;
}

/** The node that is known to have run a member's last process is deleted, under every name, or out of service. No node known: nothing speaks against it. */
export const hasLeft = ({nodes}: Pick<Observation, 'nodes'>, record: MemberRecord | undefined): boolean => record?.node === undefined
  || stillThere(nodes, record.node, record) === undefined || nodes.some(({name, outOfService}) => name === record.node && outOfService);

export type End = {fenced: Fenced} | {stoppable: true} | {waitsFor: string};

/** The end of one pod's process, by its own status and its node. */
export function endOf(observation: Observation, pod: V1Pod, record: MemberRecord | undefined): End {
  const at = new Date(observation.now).toISOString();
  const uid = pod.metadata?.uid ?? '';
  const node = pod.spec?.nodeName;
  if (node === undefined || isGated(pod)) return {fenced: {by: 'NeverStarted', podUID: uid, at, message: 'the pod was never scheduled'}};
  if (endedByKubelet(pod)) return {fenced: {by: 'KubeletConfirmed', podUID: uid, at, message: `the kubelet of ${node} reported the end of its containers`}};
  const there = stillThere(observation.nodes, node, record?.podUID === uid ? record : undefined);
  if (there === undefined) return {fenced: {by: 'NodeDeleted', podUID: uid, at, message: `Node ${node} is deleted`}};
  const view = observation.nodes.find((candidate) => candidate.name === node);
  if (view?.outOfService) return {fenced: {by: 'OutOfServiceTaint', podUID: uid, at, message: `Node ${node} carries the out-of-service taint`}};
  if (view?.ready && (record?.nodeUID === undefined || record.podUID !== uid || record.nodeUID === view.uid)) return {stoppable: true};
  return {waitsFor: view === undefined || view.ready ? there : `node ${node} is NotReady: pod ${pod.metadata?.name ?? ''} may still run there`};
}

/** The claim was made anew since this record was written: the present pod is on another disk. */
const isRemade = (view: OrdinalView, record: MemberRecord | undefined) =>
  record?.claimUID !== undefined && record.claimUID !== view.data?.object?.metadata?.uid;

const ofThisRun = ({status: {run}}: Observation, pod: V1Pod) => run !== undefined && runOf(pod) === run.id;

/** The pod that holds the name now is the one that ran this voter, not a successor on other data. */
function isVotersProcess(observation: Observation, view: OrdinalView, voter: Voter, record: MemberRecord | undefined): boolean {
  const pod = view.object;
  if (pod === undefined || isGated(pod) || ofThisRun(observation, pod)) return false;
  if (record?.podUID === pod.metadata?.uid && record?.memberID === voter.memberID) return true;
  if (view.probe.kind === 'Answered') return view.probe.status.memberID === voter.memberID;
  if (view.probe.kind === 'PeerOnly') return true;
  const offline = offlineOf(observation, view.pod);
  const started = hasStarted(pod, 'ok' in view.launch ? '' : view.launch.container);
  if (offline !== undefined) return started && (offline.memberID === voter.memberID || isOwnByDatabase(observation, view, voter));
  // Nobody can look at that disk any more. The pod ran on it, and a claim that was made anew would show in the witness.
  return started && view.data?.place.at !== 'Node' && !isRemade(view, record);
}

/** The process before the present pod: what was recorded of it, else where its disk was. */
function earlierEnd(observation: Observation, view: OrdinalView, voter: Voter, record: MemberRecord | undefined): End {
  const at = new Date(observation.now).toISOString();
  if (record !== undefined && (record.memberID ?? '') === voter.memberID && (record.podUID !== undefined || record.fenced !== undefined)) {
    // A node's absence is asked again each time: it may have registered anew since.
    const byNode = record.fenced?.by === 'NodeDeleted' || record.fenced?.by === 'OutOfServiceTaint';
    const ofProcess = record.fenced !== undefined && record.fenced.podUID === record.podUID ? record.fenced : undefined;
    if (ofProcess !== undefined && (!byNode || record.node === undefined)) return {fenced: ofProcess};
    if (record.node !== undefined) {
      const there = stillThere(observation.nodes, record.node, record);
      const uid = record.podUID === undefined ? {} : {podUID: record.podUID};
      if (there === undefined) return {fenced: {by: 'NodeDeleted', ...uid, at, message: `Node ${record.node} is deleted`}};
      const out = observation.nodes.some((node) => node.name === record.node && node.outOfService);
      if (out) return {fenced: {by: 'OutOfServiceTaint', ...uid, at, message: `Node ${record.node} carries the out-of-service taint`}};
      return {waitsFor: `${view.pod} ran on ${record.node} and nobody saw it end; ${there}${namelessInWords(observation, view, voter)}`};
    }
  }
  if (view.data?.place.at === 'GoneNode' && !isRemade(view, record)) {
    const nodes = view.data.place.nodes;
    const back = nodes.map((node) => stillThere(observation.nodes, node, undefined)).find((why) => why !== undefined && !nodes.every((name) =>
      observation.nodes.some((node) => node.name === name && node.outOfService)));
    if (back === undefined) return {fenced: {by: 'NodeDeleted', at, message: `its only volume was on node ${nodes.join(', ')}, which is gone`}};
  }
  return {waitsFor: `nobody saw the last process of member ${voter.memberID || '(unknown ID)'} (${view.pod}) end${namelessInWords(observation, view, voter)}`};
}

/** Judges the last process known to run a voter of the set. */
export function judgeProcess(observation: Observation, voter: Voter): ProcessVerdict {
  const view = observation.ordinals.find((candidate) => candidate.pod === voter.pod);
  if (view === undefined) {
    return {pod: voter.pod ?? '', memberID: voter.memberID, proven: undefined, stoppable: false, waitsFor: `member ${voter.memberID} has no pod in the StatefulSet`};
  }
  const record = recordOf(observation, view.pod);
  const verdict = {pod: view.pod, memberID: voter.memberID, proven: undefined, stoppable: false, waitsFor: undefined};
  const named = isNamedLost(observation, view.pod, voter.memberID);
  // A pod that this run made is no old process: held it never started, and let go it runs a member of the new cluster.
  const old = view.object !== undefined && !ofThisRun(observation, view.object) ? view.object : undefined;
  const present = old && endOf(observation, old, record);
  const stopFirst = present !== undefined && 'stoppable' in present;
  if (named) {
    const fenced: Fenced = {by: 'LostMembers', at: new Date(observation.now).toISOString(), message: 'spec.lostMembers names it'};
    return stopFirst ? {...verdict, stoppable: true} : {...verdict, proven: fenced};
  }
  const known = isVotersProcess(observation, view, voter, record);
  const ends: End[] = [...(present === undefined ? [] : [present]), ...(known ? [] : [earlierEnd(observation, view, voter, record)])];
  const waiting = ends.find((end) => 'waitsFor' in end);
  if (waiting) return {...verdict, waitsFor: waiting.waitsFor};
  if (ends.some((end) => 'stoppable' in end)) return {...verdict, stoppable: true};
  const proofs = ends.filter((end) => 'fenced' in end).map((end) => end.fenced);
  // Of two proofs the earlier process's counts: a present pod that never started proves nothing about it.
  return {...verdict, proven: proofs.at(-1)};
}
