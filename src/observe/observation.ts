import type {V1PersistentVolume, V1PersistentVolumeClaim, V1Pod, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import type {QuorumRecovery, QuorumRecoverySpec, QuorumRecoveryStatus} from '../api/types.ts';
import type {Launch, LaunchProblem} from '../etcd/launch/types.ts';
import type {EtcdErrorKind} from '../etcd/errors.ts';
import type {ListedMember, MemberStatus} from '../etcd/types.ts';
import type {SetTemplates} from '../kubernetes/revisions.ts';
import type {DependentView} from '../kubernetes/dependents.ts';
import type {ConfigurationView} from './configuration.ts';
import type {RebuildJobs} from './rebuildJobs.ts';
import type {SourceView} from './sources.ts';
import type {StorageView} from './storage.ts';

/** A Node, as far as fencing and scheduling ask. */
export interface NodeView {
  name: string;
  uid: string;
  ready: boolean;
  /** Carries node.kubernetes.io/out-of-service: an administrator says that it is off (KEP-2268). */
  outOfService: boolean;
  unschedulable: boolean;
  machineID: string;
  systemUUID: string;
  providerID: string;
  labels: Record<string, string>;
  /** Its kubelet accounts for the room on its disk (allocatable ephemeral-storage). One without isolation of local storage does not, and no pod that requests some is placed there. */
  ephemeralStorage?: true;
}

/** Where a claim's data can be reached now. */
export type Place =
  | {at: 'Anywhere'}
  | {at: 'Node'; nodes: string[]}
  | {at: 'NotReadyNode'; nodes: string[]}
  | {at: 'GoneNode'; nodes: string[]}
  | {at: 'Unbound'}
  | {at: 'Missing'};

export interface ClaimView {
  /** Name of the volume claim template. */
  template: V1PersistentVolumeClaim;
  name: string;
  object: V1PersistentVolumeClaim | undefined;
  volume: V1PersistentVolume | undefined;
  place: Place;
}

/** What the etcd in a pod answered, by the evidence ladder: client port, then peer port. */
export type Probe =
  | {kind: 'NotAsked'; why: string}
  /** `tookMs`: how long the answer took. */
  | {kind: 'Answered'; status: MemberStatus; clusterID: string; members: ListedMember[]; tookMs?: number}
  | {kind: 'PeerOnly'; clusterID: string; members: ListedMember[]; error: EtcdErrorKind; message: string}
  /** `reached`: something at the pod's address took or refused the connection, so that the silence is etcd's own. */
  | {kind: 'Failed'; error: EtcdErrorKind; message: string; reached: boolean};

/** One ordinal of the set: its pod, its claims, its etcd. */
export interface OrdinalView {
  ordinal: number;
  pod: string;
  object: V1Pod | undefined;
  launch: Launch | LaunchProblem;
  /** Claims of all volume claim templates. */
  claims: ClaimView[];
  /** The claim that the data directory is on; undefined: it is on no claim of the set. */
  data: ClaimView | undefined;
  /** The WAL's own claim, where it has one. */
  wal: ClaimView | undefined;
  probe: Probe;
}

export interface DataCompared {
  same: boolean;
  words: string;
}

/** Everything that a decision is made from: asked once per step, changed by nobody. */
export interface Observation {
  /** Wall clock, milliseconds since the epoch. */
  now: number;
  resource: QuorumRecovery;
  spec: QuorumRecoverySpec;
  /** Why the spec of the resource cannot be used; `spec` is then the one that the run used last. */
  specProblem: string | undefined;
  status: QuorumRecoveryStatus;
  set: V1StatefulSet | undefined;
  /** The namespace is being deleted: nothing can be made in it any more. */
  namespaceGoing: boolean;
  templates: SetTemplates | undefined;
  ordinals: OrdinalView[];
  /** A linearizable read succeeded just now: there is a leader with a quorum. */
  linearizable: boolean;
  /** Asked only while data that went back is not settled. */
  dataCompared?: DataCompared | undefined;
  /** Helper pods of this resource: volume agents and the forced start. */
  helpers: V1Pod[];
  /** Pods of this run, or behind its fence, that are no ordinal's pod now: their set is gone, was made anew, or was scaled down. */
  strays: V1Pod[];
  /** Helper pods that take away what earlier runs kept. */
  pruners: V1Pod[];
  /** Helper pods that take a snapshot for spec.backups. */
  savers: V1Pod[];
  nodes: NodeView[];
  /** What the run stops, or has stopped and not yet seen Ready again; empty while none is in flight. */
  dependents: DependentView[];
  /** What spec.configuration.checks find; undefined: it is not asked. */
  configuration?: ConfigurationView[] | undefined;
  /** What spec.rebuild names; undefined: it is not asked. */
  sources?: SourceView[] | undefined;
  /** Jobs of a rebuild; undefined: it is not asked. */
  jobs?: RebuildJobs | undefined;
  storage: StorageView;
  /** Pods of the set's selector beyond its ordinals do not matter; other QuorumRecovery of the same set do. */
  duplicateOf: string | undefined;
  /** Why the Secrets that the spec names cannot be used. */
  secretProblem: string | undefined;
  /** The governing Service of the set. */
  service: V1Service | undefined;
  /** All Services of the namespace; asked for while no run is in flight. */
  services: V1Service[];
  /** Of these the ones that are called like the cluster's, and lead to ready endpoints that are no pods of the set. */
  elsewhere: string[];
  /** etcd asks for authentication; undefined: nobody could tell. */
  authEnabled: boolean | undefined;
  agentImage: string;
  /** ConfigMaps of the namespace that the template refers to. */
  configMaps: (name: string) => Record<string, string> | undefined;
}

/** What the etcd of an ordinal says of itself; undefined: it does not answer. */
export const statusOf = (view: OrdinalView | undefined): MemberStatus | undefined => (view?.probe.kind === 'Answered' ? view.probe.status : undefined);

/** A member that votes in a cluster that has a leader, as it says itself. */
export const isServing = ({leader, isLearner}: MemberStatus): boolean => leader !== '' && !isLearner;

export function servesNow(view: OrdinalView): boolean {
  const status = statusOf(view);
  return status !== undefined && isServing(status);
}

/** Its kubelet is heard of: what the pod's status says is how it is. */
export const isOnReadyNode = ({nodes}: Pick<Observation, 'nodes'>, pod: V1Pod | undefined): boolean =>
  nodes.some((node) => node.name === pod?.spec?.nodeName && node.ready);

export const isLaunch = (launch: Launch | LaunchProblem): launch is Launch => !('ok' in launch);

/** Etcd answers, and not to who shows what the operator shows: nothing is told of its quorum, neither that it is lost nor that it serves. */
export const isRefused = (probe: Probe): boolean => (probe.kind === 'Failed' || probe.kind === 'PeerOnly') && (probe.error === 'Unauthenticated' || probe.error === 'PermissionDenied');
