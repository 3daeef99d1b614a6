import type {V1Container, V1PodSecurityContext, V1Probe, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import {configFile, environmentLaunch, flagsOf, shellScript} from './etcd-launch.ts';

export interface EtcdOptions {
  /** Default: `defaultImage`. */
  image?: string;
  replicas?: number;
  /** --initial-cluster-state; default: new. */
  clusterState?: 'new' | 'existing';
  podManagementPolicy?: 'Parallel' | 'OrderedReady';
  updateStrategy?: 'RollingUpdate' | 'OnDelete';
  /** How the template tells etcd its settings. */
  launch?: 'args' | 'environment' | 'config-file' | 'shell';
  /** Names of Secrets: server and peer certificates are in the one, mounted at /tls. */
  tlsSecret?: string;
  /** A Secret with the peer certificates alone, mounted at /peer-tls. Default: those of `tlsSecret`. */
  peerSecret?: string;
  /** inside: /data/wal, as the prototype; claim: a claim of its own at /wal; none: in the data directory. */
  wal?: 'inside' | 'claim' | 'none';
  podSecurityContext?: V1PodSecurityContext;
  /** --quota-backend-bytes. */
  quotaBytes?: number;
  /** More containers beside etcd and before it. */
  sidecars?: V1Container[];
  initContainers?: V1Container[];
  nodeSelector?: Record<string, string>;
  /** Never two pods on one node, instead of the spread. */
  antiAffinity?: boolean;
  storageClassName?: string;
  /** How long a pod takes to stop, in seconds: time to do something meanwhile. */
  stopSeconds?: number;
  livenessProbe?: V1Probe;
  readinessProbe?: V1Probe;
  serviceAnnotations?: Record<string, string>;
}

export const setName = 'etcd';
/** The lab's own image; ETCD_IMAGE names another one where there is no lab. */
export const defaultImage = process.env['ETCD_IMAGE'] ?? 'localhost/etcd:3.6.16';
export const shellImage = 'localhost/etcd-shell:3.6.16';

const labels = {app: setName};

/** Pods in order start one another only where a first member without quorum counts as ready: /readyz would wait for ever. */
const withoutQuorum = {tcpSocket: {port: 2380}, periodSeconds: 2, failureThreshold: 30};

/** The headless Service that gives the pods their names. */
export function etcdServices(namespace: string): V1Service[] {
  const ports = [{name: 'client', port: 2379}, {name: 'peer', port: 2380}];
  return [
    {metadata: {name: setName, namespace}, spec: {clusterIP: 'None', selector: labels, publishNotReadyAddresses: true, ports}},
    {metadata: {name: 'etcd-client', namespace}, spec: {selector: labels, ports: [{name: 'client', port: 2379}]}},
  ];
}

function etcdContainer(options: EtcdOptions, namespace: string): V1Container {
  const {launch = 'args', image = defaultImage, wal = 'inside', tlsSecret, peerSecret} = options;
  const flags = flagsOf(options, namespace);
  const name = [{name: 'K8S_NAMESPACE', valueFrom: {fieldRef: {fieldPath: 'metadata.namespace'}}}, {name: 'HOSTNAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}}];
  const started: Record<typeof launch, Partial<V1Container>> = {
    args: {command: ['/usr/local/bin/etcd'], args: Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`), env: name},
    environment: {command: ['/usr/local/bin/etcd'], env: [...name, ...environmentLaunch(flags)]},
    'config-file': {command: ['/bin/sh', '-c'], args: ['exec /usr/local/bin/etcd --config-file=/config/$(HOSTNAME).yaml'], env: name},
    shell: {command: ['/bin/sh', '-c'], args: [shellScript(flags)], env: name},
  };
  // Without a shell in the image the kubelet itself expands the file's name.
  if (launch === 'config-file') started['config-file'] = {command: ['/usr/local/bin/etcd'], args: ['--config-file=/config/$(HOSTNAME).yaml'], env: name};
  return {
    name: 'etcd', image: launch === 'shell' ? shellImage : image, ...started[launch],
    readinessProbe: options.readinessProbe ?? (options.podManagementPolicy === 'OrderedReady' ? withoutQuorum : {httpGet: {path: '/readyz', port: 8080}, periodSeconds: 5, failureThreshold: 30, timeoutSeconds: 1}),
    livenessProbe: options.livenessProbe ?? {httpGet: {path: '/livez', port: 8080}, periodSeconds: 5, failureThreshold: 5, initialDelaySeconds: 15},
    ...(options.stopSeconds !== undefined && {lifecycle: {preStop: {sleep: {seconds: options.stopSeconds}}}}),
    volumeMounts: [
      {name: 'data', mountPath: '/data'},
      ...(wal === 'claim' ? [{name: 'wal', mountPath: '/wal'}] : []),
      ...(tlsSecret === undefined ? [] : [{name: 'tls', mountPath: '/tls', readOnly: true}]),
      ...(peerSecret === undefined ? [] : [{name: 'peer-tls', mountPath: '/peer-tls', readOnly: true}]),
      ...(launch === 'config-file' ? [{name: 'config', mountPath: '/config', readOnly: true}] : []),
    ],
  };
}

const claim = (name: string, storageClassName: string | undefined) => ({
  metadata: {name},
  spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}, ...(storageClassName !== undefined && {storageClassName})},
});

/** An etcd in the shape that users have it, with what a case varies. */
export function etcdSet(namespace: string, options: EtcdOptions = {}): V1StatefulSet {
  const {replicas = 3, podManagementPolicy = 'Parallel', updateStrategy = 'RollingUpdate', wal = 'inside', tlsSecret, peerSecret, launch, antiAffinity = false} = options;
  const {nodeSelector, podSecurityContext, initContainers, sidecars = [], storageClassName} = options;
  const spread = [{maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {matchLabels: labels}}];
  const apart = {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: 'kubernetes.io/hostname', labelSelector: {matchLabels: labels}}]}};
  return {
    metadata: {name: setName, namespace},
    spec: {
      replicas, serviceName: setName, podManagementPolicy, selector: {matchLabels: labels}, updateStrategy: {type: updateStrategy},
      template: {
        metadata: {labels},
        spec: {
          terminationGracePeriodSeconds: 10 + (options.stopSeconds ?? 0),
          ...(antiAffinity ? {affinity: apart} : {topologySpreadConstraints: spread}),
          ...(nodeSelector && {nodeSelector}),
          ...(podSecurityContext && {securityContext: podSecurityContext}),
          ...(initContainers && {initContainers}),
          containers: [etcdContainer(options, namespace), ...sidecars],
          volumes: [
            ...(tlsSecret === undefined ? [] : [{name: 'tls', secret: {secretName: tlsSecret}}]),
            ...(peerSecret === undefined ? [] : [{name: 'peer-tls', secret: {secretName: peerSecret}}]),
            ...(launch === 'config-file' ? [{name: 'config', configMap: {name: 'etcd-config'}}] : []),
          ],
        },
      },
      volumeClaimTemplates: [claim('data', storageClassName), ...(wal === 'claim' ? [claim('wal', storageClassName)] : [])],
    },
  };
}

/** The ConfigMap of the config-file form: one file a pod. */
export function etcdConfigMap(namespace: string, options: EtcdOptions): {metadata: {name: string; namespace: string}; data: Record<string, string>} {
  const pods = Array.from({length: options.replicas ?? 3}, (_, ordinal) => `${setName}-${ordinal}`);
  return {metadata: {name: 'etcd-config', namespace}, data: Object.fromEntries(pods.map((pod) => [`${pod}.yaml`, configFile(options, namespace, pod)]))};
}
