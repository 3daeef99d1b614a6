import type {V1ObjectMeta} from '@kubernetes/client-node';
import type {QuorumRecoverySpec} from './spec.ts';
import type {QuorumRecoveryStatus} from './status.ts';

export type {QuorumRecoverySpec} from './spec.ts';
export type {
  AutoReplace, Backups, Condition, DataLoss, DependentRecord, Fenced, Finding, JoinRecord, Kept, MemberRecord, NamedMember, OfflineFacts, Plan, PlanSnapshot, QuorumRecoveryStatus, Run, Served, SnapshotRecord, StepRecord, StoredSnapshot, Suspicion, Witness,
} from './status.ts';

export const group = 'quorumrecovery.io';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;
export const kind = 'QuorumRecovery';
export const plural = 'quorumrecoveries';

/** The resource as it stands in the API server: defaults may be missing in `spec` until it was parsed. */
export interface QuorumRecovery {
  apiVersion: string;
  kind: string;
  metadata: V1ObjectMeta;
  spec: QuorumRecoverySpec;
  status?: QuorumRecoveryStatus;
}

/** How the policy's denial of a held name begins: by it the operator knows its own policy from any other 403. */
export const heldMessageStart = (resource: string) => `held by QuorumRecovery ${resource} `;

/** Names on objects in the API server: annotations, labels, gates, finalizers. */
export const marks = {
  /** On every pod that the operator makes: the id of its run. The admission policy asks for it. */
  run: `${group}/run`,
  /** Label and annotation: which QuorumRecovery (by name) a helper pod belongs to. */
  resource: `${group}/resource`,
  /** Label of helper pods: Agent or Force. */
  helper: `${group}/helper`,
  /** Annotation: the step of the run that a helper pod was made for. */
  step: `${group}/step`,
  /** Annotation: the set's pod that a helper pod works for. */
  pod: `${group}/pod`,
  /** Annotation: the attempt of a forced start or a join. */
  attempt: `${group}/attempt`,
  /** Annotation of a joiner's own pod: the member list that it was made for, as `--initial-cluster`. */
  cluster: `${group}/initial-cluster`,
  /** Annotation of a pod whose agent waits, set when its turn comes: the member ID that a joiner or a first member of a new cluster starts as, the attempt of a forced start or of a restore. */
  turn: `${group}/turn`,
  /** Annotation of the pod that reads the store of snapshots: fingerprint of what it was asked for. */
  asked: `${group}/asked`,
  /** Key in the node selector of a DaemonSet that a run has stopped, with the run's id: no node has such a label. */
  stopped: `${group}/stopped`,
  /** Scheduling gate of a held own pod. */
  gate: `${group}/held`,
  /** Finalizer on pods that are stopped: their end is read before they go. */
  fence: `${group}/fence`,
  /** Finalizer on the resource while a run is in flight. */
  finalizer: `${group}/run`,
  /** Key that the operator writes to prove that etcd accepts writes; removed at the end of a run. */
  probeKey: `${group}/probe`,
} as const;
