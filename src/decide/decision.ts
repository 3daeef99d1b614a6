import type {V1Job, V1PersistentVolume, V1PersistentVolumeClaim, V1Pod} from '@kubernetes/client-node';
import type {BlockedReason, StalledReason} from '../api/reasons.ts';
import type {RebuildCheck, RebuildSource} from '../api/rebuild.ts';
import type {OfflineFacts, QuorumRecoveryStatus} from '../api/types.ts';
import type {DependentView} from '../kubernetes/dependents.ts';
import type {VolumeSnapshot} from '../kubernetes/volumeSnapshots.ts';

/** A change of the status: applied to a draft, written by the one status writer. */
export type Transaction = (draft: QuorumRecoveryStatus) => void;

/** The few ways in which anything outside the status is changed, or proven by trying. */
export type Action =
  | {type: 'ProveHold'; pods: V1Pod[]}
  | {type: 'DryRunPods'; pods: V1Pod[]}
  | {type: 'StopPod'; pod: V1Pod; graceSeconds?: number}
  | {type: 'ReleasePod'; pod: V1Pod; force: boolean}
  | {type: 'CreatePod'; pod: V1Pod}
  | {type: 'DeletePod'; pod: V1Pod}
  /** The agent that snapshots a member that runs; `of`: the member's pod. */
  | {type: 'TakeSnapshot'; of: string; pod: V1Pod}
  /** A pod with etcdutl that the run can do without; what it says is of the disk of the member's pod `of`. */
  | {type: 'OfferReader'; of: string; pod: V1Pod}
  /** Reads the output of etcdutl in that pod; `facts`: what the agent beside it said of the disk. */
  | {type: 'ReadEtcdutl'; of: string; pod: V1Pod; facts?: OfflineFacts}
  /** A pod that no kubelet has a part in makes room for another of its name. */
  | {type: 'ReplacePod'; pod: V1Pod; by: V1Pod}
  /** What the agent in that pod waits for. */
  | {type: 'GiveTurn'; pod: V1Pod; turn: string}
  | {type: 'UngatePod'; pod: V1Pod}
  /** A stop that was begun, and never asked for: the pod stays, and nothing may keep its object when it goes. */
  | {type: 'DropFence'; pod: V1Pod}
  | {type: 'RetainVolume'; volume: V1PersistentVolume}
  | {type: 'DeleteClaim'; claim: V1PersistentVolumeClaim}
  | {type: 'CreateClaim'; claim: V1PersistentVolumeClaim}
  | {type: 'CreateVolumeSnapshot'; snapshot: VolumeSnapshot}
  | {type: 'DeleteVolumeSnapshot'; name: string; uid: string}
  | {type: 'CheckForced'; pod: V1Pod}
  /** In the forced etcd: its revision is moved on to the target, and the history before it compacted. */
  | {type: 'MoveRevision'; pod: V1Pod; target: number}
  | {type: 'ProveWrite'; pod: V1Pod}
  /** The members of a new cluster agree on a leader, and accept a write; `step`: who asks. */
  | {type: 'ProveNewCluster'; pods: string[]; canaries: boolean; step: string}
  | {type: 'AddLearner'; via: string; pod: string; peerURLs: string[]}
  | {type: 'RemoveMember'; via: string; memberID: string; pod: string}
  /** A voter that is gone for good: the quorum is counted once more before. `among`: pods of a new cluster that does not serve yet, which are asked. */
  | {type: 'RemoveVoter'; via: string; memberID: string; pod: string; among?: string[]}
  | {type: 'PromoteLearner'; via: string; memberID: string; pod: string}
  /** `away`: pods of voters that have to be in the list and do not serve now; `apart`: pods of the set that were no voters before. */
  | {type: 'VerifyMembers'; pods: string[]; via: string; away?: string[]; apart?: string[]}
  | {type: 'RemoveProbeKey'; via: string}
  /** Asks the leader in the pod `from` to hand over to the member in the pod `to`. */
  | {type: 'MoveLeader'; from: string; to: string; memberID: string}
  /** Writes every key of the source into the new cluster. */
  | {type: 'LoadKeys'; source: RebuildSource}
  | {type: 'CheckKeys'; check: RebuildCheck}
  | {type: 'CreateJob'; job: V1Job}
  /** As a dry run: whether each of them may be stopped. */
  | {type: 'TryDependents'; dependents: DependentView[]}
  | {type: 'StopDependent'; dependent: DependentView}
  /** `replicas`: its count; undefined: a DaemonSet's. */
  | {type: 'ReturnDependent'; dependent: DependentView; replicas: number | undefined};

/**
 * The next step of a run, decided from one Observation. Nothing is done here: the phases act, and only after the
 * intent (`record`) stands in the status.
 */
export type Decision =
  /** `completes`: the step is done once all actions are. */
  | {kind: 'act'; actions: Action[]; why: string; record?: Transaction; completes?: true}
  | {kind: 'record'; record: Transaction; why: string}
  | {kind: 'wait'; why: string; ms: number}
  | {kind: 'blocked'; reason: BlockedReason; message: string; record?: Transaction}
  | {kind: 'stalled'; reason: StalledReason; message: string}
  | {kind: 'not-needed'; message: string}
  | {kind: 'abort'; reason: BlockedReason; message: string}
  /** The run ends here; what it holds stays held. */
  | {kind: 'failed'; message: string}
  | {kind: 'deferred'; reason: string; message: string; record: Transaction; actions?: Action[]}
  | {kind: 'done'; message: string; record?: Transaction};

export const wait = (why: string, ms = 250): Decision => ({kind: 'wait', why, ms});
export const blocked = (reason: BlockedReason, message: string, record?: Transaction): Decision =>
  ({kind: 'blocked', reason, message, ...(record && {record})});
export const stalled = (reason: StalledReason, message: string): Decision => ({kind: 'stalled', reason, message});
export const act = (why: string, ...actions: Action[]): Decision => ({kind: 'act', actions, why});
export const done = (message: string, record?: Transaction): Decision => ({kind: 'done', message, ...(record && {record})});

/** What is decided for several members at once: what stops the run comes first, then what is recorded, then what is done; only then is anything waited for. */
export function together(decisions: readonly Decision[]): Decision | undefined {
  const why = (some: readonly {why: string}[]): string => some.map((one) => one.why).join('; ');
  const stops = decisions.find(({kind}) => kind !== 'record' && kind !== 'act' && kind !== 'wait');
  if (stops) return stops;
  const records = decisions.filter((decision) => decision.kind === 'record');
  if (records.length > 0) return {kind: 'record', why: why(records), record: (draft) => { for (const {record} of records) record(draft); }};
  const acts = decisions.filter((decision) => decision.kind === 'act');
  const intents = acts.flatMap(({record}) => (record === undefined ? [] : [record]));
  if (acts.length > 0) {
    return {kind: 'act', why: why(acts), actions: acts.flatMap(({actions}) => actions), ...(intents.length > 0 && {record: (draft: QuorumRecoveryStatus) => { for (const record of intents) record(draft); }})};
  }
  return decisions[0];
}

/** What became of an action: it is done, or it has to be tried again, or it cannot succeed as things are. */
export type Outcome =
  | {kind: 'done'; record?: Transaction; message?: string}
  | {kind: 'retry'; why: string; ms: number; record?: Transaction}
  | {kind: 'blocked'; reason: BlockedReason; message: string; record?: Transaction};
