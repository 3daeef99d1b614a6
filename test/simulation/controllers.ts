import type {V1Node, V1PersistentVolumeClaim, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {ApiError} from '../../src/kubernetes/errors.ts';
import {clone} from './store.ts';
import type {World} from './world.ts';
import {newDisk} from './etcd-data.ts';

/** newStatefulSetPod as the controller of Kubernetes 1.35 has it (pkg/controller/statefulset/stateful_set_utils.go), written anew here. */
export function controllersPod(set: V1StatefulSet, ordinal: number): V1Pod {
  const name = `${set.metadata?.name ?? ''}-${ordinal}`;
  const template = clone(set.spec?.template ?? {});
  const claims = (set.spec?.volumeClaimTemplates ?? []).map((claim) => claim.metadata?.name ?? '');
  const revision = set.status?.updateRevision ?? '';
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      name, namespace: set.metadata?.namespace ?? '', generateName: `${set.metadata?.name ?? ''}-`,
      labels: {...template.metadata?.labels, 'controller-revision-hash': revision, 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(ordinal)},
      annotations: {...template.metadata?.annotations},
      ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: set.metadata?.name ?? '', uid: set.metadata?.uid ?? '', controller: true, blockOwnerDeletion: true}],
    },
    spec: {
      ...template.spec, containers: template.spec?.containers ?? [], hostname: name, subdomain: set.spec?.serviceName ?? '',
      volumes: [
        ...claims.map((claim) => ({name: claim, persistentVolumeClaim: {claimName: `${claim}-${name}`, readOnly: false}})),
        ...(template.spec?.volumes ?? []).filter((volume) => !claims.includes(volume.name)),
      ],
    },
  };
}

const isReady = (pod: V1Pod) => pod.status?.phase === 'Running' && pod.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');

/** When the controller looks at a set again. */
export interface SetSync {
  /** The set or a pod of it has changed. */
  changed: boolean;
  /** Refusals since the last sync that went well, and when the next try is due: 5 ms, and twice as long after each, up to 1000 s (client-go, workqueue's default). */
  refusals: number;
  retryAt: number;
}

export const newSetSync = (): SetSync => ({changed: true, refusals: 0, retryAt: Infinity});

/** The StatefulSet controller: it looks at a set when that or one of its pods changes, or when it was refused. Claims do not wake it. */
export function syncStatefulSet(world: World): void {
  for (const set of world.store.list('StatefulSet', world.namespace)) {
    const sync = world.setSyncs.get(set.metadata?.uid ?? '');
    if (sync === undefined || (!sync.changed && world.now < sync.retryAt)) continue;
    sync.changed = false;
    const refused = !syncSet(world, set);
    sync.refusals = refused ? sync.refusals + 1 : 0;
    sync.retryAt = refused ? world.now + Math.min(1_000_000, 5 * 2 ** (sync.refusals - 1)) : Infinity;
  }
}

/** One sync. It counts every pod that the set owns, and waits for a terminating one to be gone. False: something was refused. */
function syncSet(world: World, set: V1StatefulSet): boolean {
  const replicas = set.spec?.replicas ?? 0;
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  // slowStartBatch: one ordinal, two more, four more; a refusal ends it after its batch.
  for (let first = 0, size = 1; first < replicas; first += size, size *= ordered ? 1 : 2) {
    const batch = Array.from({length: Math.min(size, replicas - first)}, (_, index) => syncReplica(world, set, first + index));
    if (batch.includes('refused')) return false;
    if (ordered && batch.includes('not ready')) break;
  }
  return true;
}

/** processReplica of stateful_set_control.go, for one ordinal. */
function syncReplica(world: World, set: V1StatefulSet, ordinal: number): 'ready' | 'not ready' | 'refused' {
  const pod = world.store.get('Pod', world.namespace, `${set.metadata?.name ?? ''}-${ordinal}`);
  if (pod !== undefined) {
    if (!pod.metadata?.ownerReferences?.some((owner) => owner.uid === set.metadata?.uid)) return 'refused';
    // createMissingPersistentVolumeClaims
    if (pod.status?.phase === 'Pending' && !makeClaims(world, set, ordinal)) return 'refused';
    return isReady(pod) ? 'ready' : 'not ready';
  }
  if (!makeClaims(world, set, ordinal)) return 'refused';
  try {
    world.admit(controllersPod(set, ordinal));
    return 'not ready';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return 'refused';
  }
}

function makeClaims({store, namespace}: World, set: V1StatefulSet, ordinal: number): boolean {
  for (const template of set.spec?.volumeClaimTemplates ?? []) {
    const name = `${template.metadata?.name ?? ''}-${set.metadata?.name ?? ''}-${ordinal}`;
    const known = store.get('PersistentVolumeClaim', namespace, name);
    if (known?.metadata?.deletionTimestamp !== undefined) return false;
    if (known) continue;
    store.create('PersistentVolumeClaim', {
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name, namespace, labels: {...set.spec?.selector.matchLabels}}, spec: template.spec ?? {},
    });
  }
  return true;
}

const claimsOf = (world: World, pod: V1Pod) => (pod.spec?.volumes ?? []).flatMap((volume) =>
  (volume.persistentVolumeClaim ? [world.store.get('PersistentVolumeClaim', world.namespace, volume.persistentVolumeClaim.claimName)] : []));

const nodeReady = (node: V1Node) => (node.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')
  && !(node.spec?.taints ?? []).some((taint) => taint.key === 'node.kubernetes.io/out-of-service');

/** The scheduler knows no such pod, whether or not its object is there: it asks for those of other phases alone (pkg/scheduler/scheduler.go, newPodInformer). */
const isOver = ({status}: V1Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** One of two pods asks to be apart from the other: it counts whichever of them is there first (plugins/interpodaffinity). */
const keepsAway = (one: V1Pod, other: V1Pod): boolean => (one.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [])
  .some(({labelSelector}) => Object.entries(labelSelector?.matchLabels ?? {}).every(([key, value]) => other.metadata?.labels?.[key] === value));

function fits(world: World, pod: V1Pod, claims: readonly V1PersistentVolumeClaim[], node: V1Node): boolean {
  const name = node.metadata?.name ?? '';
  if (!nodeReady(node)) return false;
  if (Object.entries(pod.spec?.nodeSelector ?? {}).some(([key, value]) => node.metadata?.labels?.[key] !== value)) return false;
  if (world.store.list('Pod', world.namespace).some((other) => other.spec?.nodeName === name && !isOver(other) && (keepsAway(pod, other) || keepsAway(other, pod)))) return false;
  return claims.every((claim) => {
    if (claim.spec?.volumeName === undefined) return world.canProvision;
    const disk = world.disks.get(claim.spec.volumeName);
    return disk !== undefined && (disk.node === undefined || disk.node === name);
  });
}

/** The scheduler, with volumes that wait for their first consumer and are made on its node. */
export function schedule(world: World): void {
  const {store, namespace, random} = world;
  for (const pod of store.list('Pod', namespace)) {
    if (pod.spec?.nodeName !== undefined || pod.metadata?.deletionTimestamp !== undefined) continue;
    const gated = (pod.spec?.schedulingGates ?? []).length > 0;
    const claims = claimsOf(world, pod);
    const usable = claims.every((claim) => claim !== undefined && claim.metadata?.deletionTimestamp === undefined);
    const there = claims.filter((claim) => claim !== undefined);
    const nodes = gated || !usable ? [] : store.list('Node').filter((node) => fits(world, pod, there, node));
    const node = nodes[random.below(nodes.length)]?.metadata?.name;
    const known = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled')?.reason;
    const reason = gated ? 'SchedulingGated' : 'Unschedulable';
    if (node === undefined && known === reason) continue;
    if (node !== undefined) for (const claim of there) bind(world, claim, node);
    const condition = {type: 'PodScheduled', status: node === undefined ? 'False' : 'True', ...(node === undefined && {reason, message: 'no node fits'})};
    store.replace('Pod', namespace, pod.metadata?.name ?? '', (known) => ({
      ...known, status: {...known.status, conditions: [condition]},
      ...(node !== undefined && known.spec && {spec: {...known.spec, nodeName: node}}),
    }));
  }
}

function bind(world: World, claim: V1PersistentVolumeClaim, node: string): void {
  if (claim.spec?.volumeName !== undefined) return;
  const name = claim.metadata?.name ?? '';
  const volume = `pv-${claim.metadata?.uid ?? ''}`;
  world.disks.set(volume, newDisk(volume, node));
  world.makeVolume(volume, node, name);
  world.store.change('PersistentVolumeClaim', world.namespace, name, (draft) => {
    draft.spec = {...draft.spec, volumeName: volume};
    draft.status = {phase: 'Bound'};
  });
}

/** kubernetes.io/pvc-protection: every pod that has a node counts for as long as its object is there, also one that is over (pkg/controller/volume/pvcprotection). */
export function protectClaims({store, namespace, disks}: World): void {
  for (const claim of store.list('PersistentVolumeClaim', namespace)) {
    if (claim.metadata?.deletionTimestamp === undefined) continue;
    const name = claim.metadata.name ?? '';
    const used = store.list('Pod', namespace).some((pod) => pod.spec?.nodeName !== undefined
      && pod.spec.volumes?.some((volume) => volume.persistentVolumeClaim?.claimName === name));
    if (used) continue;
    const volume = claim.spec?.volumeName;
    store.change('PersistentVolumeClaim', namespace, name, (draft) => { if (draft.metadata) draft.metadata.finalizers = []; });
    if (volume === undefined) continue;
    const policy = store.get('PersistentVolume', undefined, volume)?.spec?.persistentVolumeReclaimPolicy;
    if (policy !== 'Retain') {
      store.delete('PersistentVolume', undefined, volume);
      disks.delete(volume);
    }
  }
}

/** Pods of Nodes that do not exist (after 40 s), and terminating pods of Nodes that are out of service, are deleted by force (podgc). */
export function collectPods(world: World): void {
  const {store, namespace} = world;
  const nodes = new Map(store.list('Node').map((node) => [node.metadata?.name, node]));
  for (const pod of store.list('Pod', namespace)) {
    const name = pod.spec?.nodeName;
    if (name === undefined) continue;
    const node = nodes.get(name);
    const out = node !== undefined && !nodeReady(node) && (node.spec?.taints ?? []).some((taint) => taint.key === 'node.kubernetes.io/out-of-service');
    const orphan = node === undefined && world.now - (world.nodeGoneAt.get(name) ?? world.now) > 40_000;
    if (!orphan && !(out && pod.metadata?.deletionTimestamp !== undefined)) continue;
    if (pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') {
      store.change('Pod', namespace, pod.metadata?.name ?? '', (draft) => { draft.status = {...draft.status, phase: 'Failed'}; });
    }
    store.delete('Pod', namespace, pod.metadata?.name ?? '', {gracePeriodSeconds: 0});
  }
}

/** How long a pod stays on a node that does not answer, ms: what it tolerates, or what the API server writes into every pod. */
function toleratedMs(pod: V1Pod): number {
  const tolerated = pod.spec?.tolerations?.find((toleration) => toleration.key === 'node.kubernetes.io/unreachable' && toleration.effect === 'NoExecute');
  return 1_000 * (tolerated?.tolerationSeconds ?? (tolerated ? Infinity : 300));
}

/** Nodes whose kubelet is silent become NotReady; those that are heard again, Ready. Taint eviction deletes their pods after a while. */
export function watchNodes(world: World): void {
  const {store, namespace} = world;
  for (const node of store.list('Node')) {
    const name = node.metadata?.name ?? '';
    const machine = world.machines.get(name);
    const heard = machine?.alive === true && machine.connected;
    const ready = (node.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True');
    if (heard !== ready) {
      store.change('Node', undefined, name, (draft) => {
        draft.status = {...draft.status, conditions: [{type: 'Ready', status: heard ? 'True' : 'Unknown'}]};
      });
      world.notReadySince.set(name, world.now);
    }
    if (heard) continue;
    const silentMs = world.now - (world.notReadySince.get(name) ?? world.now);
    for (const pod of store.list('Pod', namespace)) {
      if (pod.spec?.nodeName === name && pod.metadata?.deletionTimestamp === undefined && silentMs >= toleratedMs(pod)) store.delete('Pod', namespace, pod.metadata?.name ?? '');
    }
  }
}

/** Pods whose owner, a QuorumRecovery, is gone go too (the garbage collector; it waits for no finalizer of theirs). */
export function collectOrphans({store, namespace}: World): void {
  for (const pod of store.list('Pod', namespace)) {
    const owner = pod.metadata?.ownerReferences?.find((reference) => reference.kind === 'QuorumRecovery');
    if (owner === undefined || pod.metadata?.deletionTimestamp !== undefined) continue;
    if (!store.list('QuorumRecovery', namespace).some((resource) => resource.metadata.uid === owner.uid)) store.delete('Pod', namespace, pod.metadata?.name ?? '');
  }
}
