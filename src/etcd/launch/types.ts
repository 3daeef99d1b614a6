import type {V1PodTemplateSpec} from '@kubernetes/client-node';

/** Where to read how a StatefulSet starts etcd. */
export interface LaunchSource {
  template: V1PodTemplateSpec;
  /** Name of the container, as `findContainer` or `spec.target.container` gave it. */
  container: string;
  podName: string;
  namespace: string;
  /** The StatefulSet's `spec.serviceName` and the cluster's DNS domain: what `hostname -f` says. Default of the latter: cluster.local. */
  serviceName?: string;
  clusterDomain?: string;
  /** `spec.target.launch`: takes the place of the container's command and args. */
  launch?: LaunchOverride;
  /** Data of a ConfigMap in the namespace; undefined if there is none. */
  configMaps: (name: string) => Record<string, string> | undefined;
  /** Data of a Secret in the namespace, decoded; undefined if there is none, or it may not be read. */
  secrets?: (name: string) => Record<string, string> | undefined;
}

export interface LaunchOverride {
  command?: string[];
  args?: string[];
}

/**
 * Where the initial-cluster settings live, so where an overlay must go: a flag beside the environment variable of the
 * same name makes etcd exit, and with a configuration file every other flag and variable is ignored.
 */
export type LaunchCarrier = 'args' | 'env' | 'configFile' | 'shell';

export interface PeerTLS {
  certFile?: string;
  keyFile?: string;
  trustedCAFile?: string;
  clientCertAuth: boolean;
}

/** How etcd is started, with etcd's defaults filled in. Paths are the container's. */
export interface Launch {
  carrier: LaunchCarrier;
  container: string;
  image: string;
  name: string;
  dataDir: string;
  /** undefined: the WAL is in the data directory. */
  walDir: string | undefined;
  listenClientURLs: string[];
  advertiseClientURLs: string[];
  listenPeerURLs: string[];
  initialAdvertisePeerURLs: string[];
  listenMetricsURLs: string[];
  /** Member name → peer URLs. */
  initialCluster: Record<string, string[]>;
  initialClusterState: string;
  initialClusterToken: string | undefined;
  clientTLS: boolean;
  clientCertAuth: boolean;
  peerTLS: PeerTLS | undefined;
  /** `force-new-cluster` stands in the template itself: each restart of that pod throws the other members out. */
  forceNewCluster: boolean;
  /** undefined: etcd's default. */
  quotaBackendBytes: number | undefined;
  heartbeatMs: number;
  electionMs: number;
  /** Everything that is set, by flag name, resolved; without etcd's defaults. */
  settings: Record<string, string>;
}

export interface LaunchProblem {
  ok: false;
  reason: 'NoContainer' | 'NotEtcd' | 'LaunchNotUnderstood' | 'MissingConfig';
  /** Says what was found and what to set. */
  message: string;
}

export type LaunchResult = {ok: true; launch: Launch} | LaunchProblem;
