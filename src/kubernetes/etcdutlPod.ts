import type {V1Container, V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import {statusCommand} from '../etcd/etcdutl.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {agentPod} from './helperPods.ts';
import type {PodSource} from './ownPods.ts';

/** Name of the container that runs the etcdutl of the cluster's own image. */
export const etcdutlContainer = 'etcdutl';

/** Name of the pod that reads the survivor's copy. */
export const copyStep = 'ReadCopy';

const flagOf = ({args = []}: V1Container, name: string) => args[args.indexOf(name) + 1] ?? '';

/** The same mounts, for reading only, and the same user as the agent beside it; the image is etcd's. */
function etcdutlIn(pod: V1Pod, {launch}: OrdinalView, file: (agent: V1Container) => string): V1Container | undefined {
  const agent = pod.spec?.containers[0];
  if (agent === undefined || !isLaunch(launch)) return undefined;
  const {env, securityContext, volumeMounts} = agent;
  return {
    name: etcdutlContainer, image: launch.image, imagePullPolicy: 'IfNotPresent', command: statusCommand(file(agent)),
    ...(env && {env}), ...(securityContext && {securityContext}),
    volumeMounts: (volumeMounts ?? []).map((mount) => ({...mount, readOnly: true})),
  };
}

/** The pod of an inspection with etcdutl beside the agent. Only for a disk on which nothing runs: an etcd's lock would keep it waiting. */
export function withEtcdutl(pod: V1Pod, view: OrdinalView): V1Pod {
  const container = etcdutlIn(pod, view, (agent) => `${flagOf(agent, '--data-dir')}/member/snap/db`);
  if (container) pod.spec?.containers.push(container);
  return pod;
}

/** A pod that reads the database in the copy of the survivor's data, beside the survivor. */
export function copyPod(options: {observation: Observation; view: OrdinalView; source: PodSource; run: string; copy: string}): V1Pod {
  const {copy, ...rest} = options;
  const pod = agentPod({...rest, step: copyStep, command: ['inspect'], readOnly: true});
  const container = etcdutlIn(pod, options.view, (agent) => `${flagOf(agent, '--root')}/${copy}/member/snap/db`);
  if (pod.spec && container) pod.spec.containers = [container];
  return pod;
}

export type EtcdutlState = {ended: {exitCode: number; reason: string}} | {stuck: string} | undefined;

const began = new Set(['ContainerCreating', 'PodInitializing']);

/** Where the container of etcdutl stands; undefined: it is under way. */
export function etcdutlState(pod: V1Pod): EtcdutlState {
  const status: V1ContainerStatus | undefined = pod.status?.containerStatuses?.find(({name}) => name === etcdutlContainer);
  const {terminated, waiting} = status?.state ?? {};
  if (terminated) return {ended: {exitCode: terminated.exitCode, reason: terminated.message ? `${terminated.reason ?? ''}: ${terminated.message.slice(0, 200)}` : terminated.reason ?? ''}};
  if (pod.status?.phase === 'Failed') return {stuck: `its pod failed: ${pod.status.reason ?? ''} ${pod.status.message ?? ''}`};
  return waiting?.reason !== undefined && !began.has(waiting.reason) ? {stuck: `its container does not start (${waiting.reason}${waiting.message ? `: ${waiting.message.slice(0, 200)}` : ''})`} : undefined;
}
