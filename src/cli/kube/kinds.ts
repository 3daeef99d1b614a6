import type {
  V1ConfigMap, V1DaemonSet, V1Deployment, V1Namespace, V1Node, V1PersistentVolume, V1PersistentVolumeClaim, V1Pod, V1Service, V1StatefulSet, V1StorageClass,
  EventsV1Event, V1ValidatingAdmissionPolicy, V1ValidatingAdmissionPolicyBinding,
} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../api/types.ts';

interface Entry {
  /** Path of its API group and version. */
  root: string;
  plural: string;
  namespaced: boolean;
}

const core = '/api/v1';

/** What the plugin asks for. Its rights are its user's: this table grants nothing. */
export const kinds = {
  QuorumRecovery: {root: '/apis/quorumrecovery.io/v1alpha1', plural: 'quorumrecoveries', namespaced: true},
  StatefulSet: {root: '/apis/apps/v1', plural: 'statefulsets', namespaced: true},
  Deployment: {root: '/apis/apps/v1', plural: 'deployments', namespaced: true},
  DaemonSet: {root: '/apis/apps/v1', plural: 'daemonsets', namespaced: true},
  Pod: {root: core, plural: 'pods', namespaced: true},
  PersistentVolumeClaim: {root: core, plural: 'persistentvolumeclaims', namespaced: true},
  Service: {root: core, plural: 'services', namespaced: true},
  ConfigMap: {root: core, plural: 'configmaps', namespaced: true},
  PersistentVolume: {root: core, plural: 'persistentvolumes', namespaced: false},
  Namespace: {root: core, plural: 'namespaces', namespaced: false},
  Node: {root: core, plural: 'nodes', namespaced: false},
  StorageClass: {root: '/apis/storage.k8s.io/v1', plural: 'storageclasses', namespaced: false},
  Event: {root: '/apis/events.k8s.io/v1', plural: 'events', namespaced: true},
  ValidatingAdmissionPolicy: {root: '/apis/admissionregistration.k8s.io/v1', plural: 'validatingadmissionpolicies', namespaced: false},
  ValidatingAdmissionPolicyBinding: {root: '/apis/admissionregistration.k8s.io/v1', plural: 'validatingadmissionpolicybindings', namespaced: false},
} as const satisfies Record<string, Entry>;

export type Kind = keyof typeof kinds;

interface Objects {
  QuorumRecovery: QuorumRecovery;
  StatefulSet: V1StatefulSet;
  Deployment: V1Deployment;
  DaemonSet: V1DaemonSet;
  Pod: V1Pod;
  PersistentVolumeClaim: V1PersistentVolumeClaim;
  Service: V1Service;
  ConfigMap: V1ConfigMap;
  PersistentVolume: V1PersistentVolume;
  Namespace: V1Namespace;
  Node: V1Node;
  StorageClass: V1StorageClass;
  Event: EventsV1Event;
  ValidatingAdmissionPolicy: V1ValidatingAdmissionPolicy;
  ValidatingAdmissionPolicyBinding: V1ValidatingAdmissionPolicyBinding;
}

/** The object as JSON: where client-node's type says Date there is the text that came over the wire. */
export type ObjectOf<K extends Kind> = Objects[K];

/** API group as RBAC names it. */
export const groupOf = (kind: Kind): string => (kinds[kind].root === core ? '' : kinds[kind].root.split('/')[2] ?? '');

/** Without a namespace: of all namespaces. */
export function pathOf(kind: Kind, namespace: string | undefined, name?: string, subresource?: string): string {
  const {root, plural, namespaced} = kinds[kind];
  const scope = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${subresource === undefined ? '' : `/${subresource}`}`;
}
