import type {V1OwnerReference, V1PersistentVolumeClaim, V1Pod, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import {apiVersion, marks} from '../../src/api/types.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {Cluster, NodeRole} from './cluster.ts';

const peerURL = ({namespace}: Cluster, pod: string): string => `http://${pod}.${appOf(pod)}.${namespace}.svc:2380`;

/** What a story makes carries its name first: that is its app label, and the name of its Service. */
const appOf = (name: string): string => name.split('-')[0] ?? name;

export const peerURLs = (cluster: Cluster, pod: string): string[] => [peerURL(cluster, pod)];

export interface EtcdPod {
  name: string;
  /** Names of the members in --initial-cluster; default: the pod alone. */
  members?: readonly string[];
  state?: 'new' | 'existing';
  /** A helper pod: outside of the Service, for the pod of this name. */
  worksFor?: string;
  force?: boolean;
  node?: NodeRole;
  /** Default: data- and the member's name. */
  claim?: string;
  restart?: 'Always' | 'Never';
  finalizers?: string[];
  /** Not two of them on one node. */
  apart?: boolean;
  /** How long it stays on a node that does not answer, seconds. */
  toleratesSeconds?: number;
}

/** A pod with an etcd, as a StatefulSet's template or the operator has it. Nothing in it is of the model or of the lab. */
export function etcdPod(cluster: Cluster, options: EtcdPod): V1Pod {
  const {name, worksFor, state = 'new', force = false, node, restart = 'Always', finalizers, apart = false, toleratesSeconds} = options;
  const member = worksFor ?? name;
  const {members = [member], claim = `data-${member}`} = options;
  const app = appOf(name);
  const labels = worksFor === undefined ? {app} : {};
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      name, namespace: cluster.namespace, labels, ...(worksFor !== undefined && {annotations: {[marks.pod]: worksFor}}), ...(finalizers && {finalizers}),
    },
    spec: {
      restartPolicy: restart, terminationGracePeriodSeconds: 10, hostname: name, subdomain: app,
      ...(node && {nodeSelector: {'kubernetes.io/hostname': cluster.node(node)}}),
      ...(apart && {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: 'kubernetes.io/hostname', labelSelector: {matchLabels: {app}}}]}}}),
      ...(toleratesSeconds !== undefined && {tolerations: ['unreachable', 'not-ready'].map((taint) => ({key: `node.kubernetes.io/${taint}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: toleratesSeconds}))}),
      containers: [{
        name: 'etcd', image: cluster.image, command: ['/usr/local/bin/etcd'], terminationMessagePolicy: 'FallbackToLogsOnError',
        args: [
          `--name=${member}`, '--data-dir=/data', '--listen-client-urls=http://0.0.0.0:2379', `--advertise-client-urls=http://${member}.${app}.${cluster.namespace}.svc:2379`,
          '--listen-peer-urls=http://0.0.0.0:2380', `--initial-advertise-peer-urls=${peerURL(cluster, member)}`, `--initial-cluster-state=${state}`,
          `--initial-cluster-token=${cluster.namespace}-${app}`, `--initial-cluster=${members.map((other) => `${other}=${peerURL(cluster, other)}`).join(',')}`,
          ...(force ? ['--force-new-cluster'] : []),
        ],
        volumeMounts: [{name: 'data', mountPath: '/data'}],
      }],
      volumes: [{name: 'data', persistentVolumeClaim: {claimName: claim}}],
    },
  };
}

export function claim({namespace}: Cluster, name: string): V1PersistentVolumeClaim {
  return {
    apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name, namespace}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}},
  };
}

export async function makeClaim(cluster: Cluster, name: string): Promise<void> {
  await cluster.client.create('PersistentVolumeClaim', claim(cluster, name));
}

/** The headless Service of a story's members. */
export function service({namespace}: Cluster, app: string): V1Service {
  const ports = [{name: 'client', port: 2379}, {name: 'peer', port: 2380}];
  return {apiVersion: 'v1', kind: 'Service', metadata: {name: app, namespace}, spec: {clusterIP: 'None', selector: {app}, publishNotReadyAddresses: true, ports}};
}

/** A pod that waits behind a gate, for what needs no node. */
export function gatedPod(cluster: Cluster, name: string, metadata: {finalizers?: string[]; annotations?: Record<string, string>; ownerReferences?: V1OwnerReference[]} = {}): V1Pod {
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: {name, namespace: cluster.namespace, labels: {gated: name}, ...metadata},
    spec: {schedulingGates: [{name: marks.gate}], containers: [{name: 'etcd', image: cluster.image}]},
  };
}

/** A set whose pods wait behind a gate. */
export function gatedSet(cluster: Cluster, name: string, options: {replicas: number; ordered?: boolean; claims?: boolean}): V1StatefulSet {
  const {replicas, ordered = false, claims = false} = options;
  const labels = {set: name};
  return {
    apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name, namespace: cluster.namespace},
    spec: {
      replicas, serviceName: name, podManagementPolicy: ordered ? 'OrderedReady' : 'Parallel', selector: {matchLabels: labels},
      template: {
        metadata: {labels},
        spec: {schedulingGates: [{name: marks.gate}], containers: [{name: 'etcd', image: cluster.image, ...(claims && {volumeMounts: [{name: 'data', mountPath: '/data'}]})}]},
      },
      ...(claims && {volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}}}]}),
    },
  };
}

export function recovery({namespace}: Cluster, name: string): QuorumRecovery {
  return {apiVersion, kind: 'QuorumRecovery', metadata: {name, namespace}, spec: {target: {statefulSet: `${name}-none`}} as QuorumRecovery['spec']};
}

/** A status that holds these names in a run. */
export const holding = (run: string, heldPods: string[]): QuorumRecoveryStatus =>
  ({heldPods, run: {id: run, attempt: 1, startedAt: '2026-01-01T00:00:00Z', steps: []}});
