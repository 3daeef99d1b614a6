import type {V1Pod, V1ResourceRequirements, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import type {NodeView} from '../observe/observation.ts';

const volumeName = 'quorumrecovery-scratch';
/** Where a pod of the store stages a snapshot. */
export const scratchDirectory = '/quorumrecovery-scratch';

const mebibyte = 1 << 20;
/** Beside the snapshot itself: what the agent leaves free, and its log. */
const besideBytes = 32 * mebibyte;

export interface Scratch {
  volume: V1Volume;
  mount: V1VolumeMount;
  /** Nothing where the size is not known: a guess would keep a pod from its node, or end it, for nothing. */
  resources?: V1ResourceRequirements;
}

/**
 * A directory on the node's disk for one snapshot of about that size. The scheduler looks for a node that has the room, and no other pod of the node has to go
 * for it. `bounded`: nothing larger may come, so that the kubelet ends the pod that takes twice as much before the node runs short of space.
 * Where no node accounts for the room on its disk (KubeletConfiguration localStorageCapacityIsolation: false), a pod that requests some is never placed.
 */
export function scratchOf(bytes: number | undefined, {bounded, nodes}: {bounded: boolean; nodes: readonly NodeView[]}): Scratch {
  const mount = {name: volumeName, mountPath: scratchDirectory};
  if (bytes === undefined || !nodes.some(({ephemeralStorage}) => ephemeralStorage)) return {volume: {name: volumeName, emptyDir: {}}, mount};
  const needed = Math.ceil((bytes + besideBytes) / mebibyte);
  const limit = `${2 * needed}Mi`;
  return {
    volume: {name: volumeName, emptyDir: bounded ? {sizeLimit: limit} : {}}, mount,
    // Without a limit of its own a pod gets what a LimitRange of the namespace has for everybody.
    resources: {requests: {'ephemeral-storage': `${needed}Mi`}, ...(bounded && {limits: {'ephemeral-storage': limit}})},
  };
}

/** The kubelet has ended it, because the node ran short of something, or the pod took more than it may. */
export const isEvicted = ({status}: V1Pod): boolean => status?.phase === 'Failed' && status.reason === 'Evicted';

/** Who evicted it and why, and of a pod that stages a snapshot what to do about it. */
export function evictedInWords({metadata, spec, status}: V1Pod): string {
  const said = (status?.message ?? 'its kubelet does not say why').trim().replace(/\.$/, '');
  const words = `pod ${metadata?.name ?? ''} was evicted from node ${spec?.nodeName ?? 'of an unknown name'}: ${said}.`;
  if (spec?.volumes?.some(({name}) => name === volumeName) !== true || !/ephemeral|emptydir|disk/i.test(said)) return words;
  const asked = spec.containers[0]?.resources?.requests?.['ephemeral-storage'];
  return `${words} It stages a snapshot on the disk of its node${asked === undefined ? ', and the size was not known before' : `, and had asked for ${asked} there`}: make room on the nodes' disks, or add a node with more. It is tried again.`;
}
