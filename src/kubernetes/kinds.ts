import type {
  V1ConfigMap, V1ControllerRevision, V1CronJob, V1DaemonSet, V1Deployment, V1EndpointSlice, V1Job, V1Lease, V1Namespace, V1Node, V1PersistentVolume,
  V1PersistentVolumeClaim, V1Pod, V1Scale, V1Secret, V1Service, V1StatefulSet, V1StorageClass, V1VolumeAttachment,
  EventsV1Event,
} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../api/types.ts';
import type {VolumeSnapshot, VolumeSnapshotClass} from './volumeSnapshots.ts';

/** Verbs as RBAC names them. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface KindEntry {
  apiVersion: string;
  kind: string;
  /** Resource as RBAC and the URL name it; a subresource carries its parent: `pods/log`. */
  plural: string;
  namespaced: boolean;
  verbs: readonly Verb[];
}

/**
 * Every kind that the operator calls, and every verb that it uses on it.
 * The ClusterRole of the chart is generated from this table, and the client refuses any verb that is not in it,
 * so that a missing right fails in a unit test and not at night.
 */
export const kinds = {
  'QuorumRecovery': {
    apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', plural: 'quorumrecoveries', namespaced: true,
    verbs: ['get', 'list', 'watch', 'patch'],
  },
  'QuorumRecovery/status': {
    apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', plural: 'quorumrecoveries/status', namespaced: true, verbs: ['update'],
  },
  'StatefulSet': {apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets', namespaced: true, verbs: ['get', 'list', 'watch']},
  // Dependents (docs/adr/0034): the count alone, never the rest of their specs. The one that runs etcd is never among them.
  'StatefulSet/scale': {apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets/scale', namespaced: true, verbs: ['patch']},
  'Deployment': {apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments', namespaced: true, verbs: ['get']},
  'Deployment/scale': {apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments/scale', namespaced: true, verbs: ['patch']},
  'DaemonSet': {apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets', namespaced: true, verbs: ['get', 'patch']},
  // What a rebuild loads and checks by script: made from a CronJob of the user's, never changed, and deleted with the resource.
  'CronJob': {apiVersion: 'batch/v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true, verbs: ['get']},
  'Job': {apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true, verbs: ['list', 'create']},
  'ControllerRevision': {apiVersion: 'apps/v1', kind: 'ControllerRevision', plural: 'controllerrevisions', namespaced: true, verbs: ['list']},
  'Pod': {
    apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true, verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  'Pod/log': {apiVersion: 'v1', kind: 'Pod', plural: 'pods/log', namespaced: true, verbs: ['get']},
  'PersistentVolumeClaim': {
    apiVersion: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', namespaced: true,
    verbs: ['get', 'create', 'delete'],
  },
  'PersistentVolume': {apiVersion: 'v1', kind: 'PersistentVolume', plural: 'persistentvolumes', namespaced: false, verbs: ['get', 'patch']},
  'VolumeAttachment': {apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment', plural: 'volumeattachments', namespaced: false, verbs: ['list']},
  'StorageClass': {apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', plural: 'storageclasses', namespaced: false, verbs: ['list']},
  // An add-on: where it is not installed these rights are of nothing, and a list is refused (isNotServed).
  'VolumeSnapshot': {
    apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot', plural: 'volumesnapshots', namespaced: true, verbs: ['list', 'create', 'delete'],
  },
  'VolumeSnapshotClass': {
    apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotClass', plural: 'volumesnapshotclasses', namespaced: false, verbs: ['list'],
  },
  'Node': {apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false, verbs: ['list', 'watch']},
  'Namespace': {apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false, verbs: ['get', 'list', 'watch']},
  'ConfigMap': {apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true, verbs: ['get']},
  'Secret': {apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true, verbs: ['get']},
  'Service': {apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true, verbs: ['get', 'list']},
  'EndpointSlice': {apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', plural: 'endpointslices', namespaced: true, verbs: ['list']},
  'Event': {apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true, verbs: ['create']},
  'Lease': {apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases', namespaced: true, verbs: ['get', 'create', 'update']},
} as const satisfies Record<string, KindEntry>;

export type Kind = keyof typeof kinds;

/** Rights beyond the calls of the table: what the API server asks for when an object is written, and Leases of other namespaces. */
export const extraRights: readonly {apiGroup: string; resource: string; verbs: readonly Verb[]; why: string}[] = [
  {
    apiGroup: 'apps', resource: 'statefulsets/finalizers', verbs: ['update'],
    why: 'own pods carry an owner reference with blockOwnerDeletion (admission plugin OwnerReferencesPermissionEnforcement)',
  },
  {
    apiGroup: 'coordination.k8s.io', resource: 'leases', verbs: ['get'],
    why: 'a run names the Lease of the installation that carries it out, and another one asks whether that is still held',
  },
];

interface Objects {
  'QuorumRecovery': QuorumRecovery;
  'QuorumRecovery/status': never;
  'StatefulSet': V1StatefulSet;
  'StatefulSet/scale': V1Scale;
  'Deployment': V1Deployment;
  'Deployment/scale': V1Scale;
  'DaemonSet': V1DaemonSet;
  'CronJob': V1CronJob;
  'Job': V1Job;
  'ControllerRevision': V1ControllerRevision;
  'Pod': V1Pod;
  'Pod/log': never;
  'PersistentVolumeClaim': V1PersistentVolumeClaim;
  'PersistentVolume': V1PersistentVolume;
  'VolumeAttachment': V1VolumeAttachment;
  'StorageClass': V1StorageClass;
  'VolumeSnapshot': VolumeSnapshot;
  'VolumeSnapshotClass': VolumeSnapshotClass;
  'Node': V1Node;
  'Namespace': V1Namespace;
  'ConfigMap': V1ConfigMap;
  'Secret': V1Secret;
  'Service': V1Service;
  'EndpointSlice': V1EndpointSlice;
  'Event': EventsV1Event;
  'Lease': V1Lease;
}

/** The object of a kind, as client-node types it. */
export type ObjectOf<K extends Kind> = Objects[K];

/** Throws if the table does not list the verb: a programming error, since the ClusterRole would not grant it. */
export function requireVerb(kind: Kind, verb: Verb): void {
  const entry: KindEntry = kinds[kind];
  if (!entry.verbs.includes(verb)) {
    throw new TypeError(`The operator has no right to ${verb} ${entry.plural}: add the verb to src/kubernetes/kinds.ts first`);
  }
}

/**
 * Path of a collection or of one object below the API server's address.
 * A namespaced kind without a namespace is the collection of all namespaces.
 */
export function pathOf(kind: Kind, namespace: string | undefined, name?: string): string {
  const entry: KindEntry = kinds[kind];
  if (!entry.namespaced && namespace !== undefined) throw new TypeError(`${entry.plural} are not namespaced, but a namespace was given: ${namespace}`);
  if (entry.namespaced && namespace === undefined && name !== undefined) throw new TypeError(`${entry.plural} are namespaced: ${name} needs its namespace`);
  const [resource = '', subresource] = entry.plural.split('/');
  const root = entry.apiVersion.includes('/') ? `/apis/${entry.apiVersion}` : `/api/${entry.apiVersion}`;
  return [
    root,
    ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]),
    resource,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ].join('/');
}
