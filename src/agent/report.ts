/**
 * What the volume agent reports, as one JSON object of at most 4,000 bytes, on its termination message path and on stdout.
 * The operator imports these types too, so this file imports nothing.
 *
 * IDs are lower-case hex without 0x, as etcdctl prints them. Indexes, terms and revisions are safe integers. Sizes are bytes.
 */

/** Commands on a member's volume. */
export type VolumeCommand = 'inspect' | 'copy' | 'spend' | 'seal' | 'set-aside' | 'prepare-join' | 'prepare-force' | 'restore-copy' | 'prepare-seed' | 'seed' | 'prune' | 'snapshot';

/** Commands on a store of snapshots: see store/. */
export type StoreCommand = 'store-list' | 'store-fetch' | 'store-save';

/** Commands on a dump of keys and values: see dump/. */
export type DumpCommand = 'dump-check' | 'dump-load' | 'dump-compare';

export type AgentCommand = VolumeCommand | StoreCommand | DumpCommand;

/** Upper limit of a report in bytes; the kubelet cuts a termination message at 4,096. */
export const reportLimitBytes = 4_000;

/** Kept free on a volume beyond what is written to it, for directories and the file system's own needs, bytes. */
export const reserveBytes = 4 << 20;

/** A new member has two preallocated segments of the WAL beside its database (server/storage/wal: SegmentSizeBytes and the file pipeline), bytes. */
export const newWalBytes = 2 * 64 * 1024 * 1024;

/** In the run's directory: a snapshot that was brought there, from a running member or from a store. */
export const snapshotName = 'snapshot.db';

/** In the run's directory: the snapshot that is made offline from a member's own database. */
export const ownSnapshotName = 'survivor.db';

/** Why a command did not do what it was asked. Nothing was changed beyond what a second run finds and continues. */
export type AgentFailureReason =
  /** Flags that make no sense; exit code 2. */
  | 'BadUsage'
  /** A path leads out of the volume, through a symbolic link or by its text. */
  | 'UnsafePath'
  /** No member directory with a WAL, where one is needed. */
  | 'NoData'
  /** The guard file of a set-aside stands where the data is needed. */
  | 'Guarded'
  /** WAL or backend cannot be read to the end. */
  | 'Unreadable'
  /** Member ID on the disk is not the expected one. */
  | 'MemberMismatch'
  /** Cluster ID on the disk is not the expected one. */
  | 'ClusterMismatch'
  /** Not enough free space for the copy; the report says needed and free. */
  | 'NoSpace'
  /** A copy of this run is there, but it does not match its manifest. */
  | 'CopyDamaged'
  /** This run keeps no copy on the volume: it made none, or it was pruned. */
  | 'NoCopy'
  /** The run has begun to move data and was interrupted: what it keeps is still needed. The same command again ends it. */
  | 'Unfinished'
  /** A file changed while it was copied: a process still writes to the volume. */
  | 'DataInUse'
  /** The marker of this attempt was spent by another pod. */
  | 'MarkerSpent'
  /** A later attempt of this run was begun already. */
  | 'AttemptSuperseded'
  /** The run was sealed: its force is done and may not be repeated. */
  | 'RunSealed'
  /** The log, or the database, ends before what the plan was made with. */
  | 'BehindPlan'
  /** The WAL's tail removes this very member: an etcd that is forced with it committed panics. */
  | 'TailRemovesMember'
  /** The etcd to be snapshotted does not answer, or stopped answering. */
  | 'EtcdUnreachable'
  /** It answers that it gives no snapshot: it asks for authentication, say. */
  | 'EtcdRefused'
  /** What it sent is not whole, or does not match its hash. */
  | 'SnapshotDamaged'
  /** The store of snapshots does not answer, or stopped answering. */
  | 'StoreUnreachable'
  /** It answers that it does not do what was asked: a key that it does not know, a bucket that is not there. */
  | 'StoreRefused'
  /** No snapshot in the store is one that may be taken: `refused` says of each why. */
  | 'NoSnapshot'
  /** A snapshot is shorter than its record says. */
  | 'SnapshotTruncated'
  /** A snapshot is of another cluster, or nothing proves that it is of this one. */
  | 'SnapshotForeign'
  /** A snapshot was written to or replaced while it was read where it is. */
  | 'SnapshotChanged'
  /** A snapshot is older than what may be taken. */
  | 'SnapshotTooOld'
  /** The member that was snapshotted had not applied what it was known to have. */
  | 'SnapshotBehind'
  /** There is no such file on the claim. */
  | 'NoDump'
  /** What stands in the file is no dump, or names a key twice. */
  | 'BadDump'
  /** Something that is not the run's own stands where the command has to write. */
  | 'Conflict'
  /** Anything that the operating system refused: message has call, path and code. */
  | 'IOError'
  /** Told for an agent that could not tell it: the kubelet ended its pod. */
  | 'Evicted'
  /** A defect of the agent. */
  | 'Internal';

export interface AgentFailure<C extends AgentCommand = AgentCommand> {
  ok: false;
  command: C;
  run?: string;
  reason: AgentFailureReason;
  message: string;
  /** With NoSpace only. */
  neededBytes?: number;
  /** With NoSpace only. */
  freeBytes?: number;
  /** prepare-force: what inspection found before the refusal. */
  inspect?: InspectFacts;
  /** prepare-force: the marker was spent before it failed. This pod may try again, any other one needs a new attempt. */
  marker?: SpendFacts;
  /** store-fetch: snapshots that were looked at and not taken, the newest first. */
  refused?: RefusedSnapshot[];
  truncated?: true;
}

export interface AgentSuccess<C extends AgentCommand = AgentCommand> {
  ok: true;
  command: C;
  run: string;
  /** Present when something was left out to keep the report below its limit. */
  truncated?: true;
}

/** A member as the backend's `members` bucket has it. clientURLs are the first thing left out of a report that is too long. */
export interface BackendMember {
  id: string;
  name: string;
  peerURLs: string[];
  clientURLs?: string[];
  isLearner: boolean;
}

/** From member/snap/db. The backend may lag behind the WAL: entries after consistentIndex are not applied to it yet. */
export interface BackendFacts {
  consistentIndex: number;
  /** Raft term of the entry at consistentIndex; 0 where this etcd version does not record it. */
  term: number;
  /** Main part of the last key in the `key` bucket; 1 if there is none, as etcd counts. */
  revision: number;
  members: BackendMember[];
  /** IDs that were removed from the cluster once. May be cut, see truncated. */
  removed: string[];
  /** Absent until the cluster has decided on one. */
  clusterVersion?: string;
  /** Recorded by etcd 3.6 and later. */
  storageVersion?: string;
  /** Alarms that stand in it. Absent: none. */
  alarms?: {memberID: string; alarm: 'NOSPACE' | 'CORRUPT'}[];
  /** etcd asks for a user. Absent: it does not. */
  authEnabled?: true;
  /** Size of the file. */
  sizeBytes: number;
  /** In member/snap: a snapshot that the leader had sent, which an etcd puts in the place of `db` on its next start. Absent: it is `db`. */
  received?: string;
}

export interface BackendError {
  /** Why the backend cannot be read. */
  error: string;
  sizeBytes?: number;
}

export type ConfChangeType = 'AddNode' | 'RemoveNode' | 'UpdateNode' | 'AddLearnerNode';

/** A configuration change that is in the WAL but not applied to the backend; beyond the commit index if index > commit. */
export interface PendingConfChange {
  index: number;
  term: number;
  type: ConfChangeType;
  memberID: string;
  /** From the change's context, where it has one. */
  name?: string;
  peerURLs?: string[];
  /** True for the promotion of a learner (an AddNode whose context says so). */
  promote?: true;
}

/** What is known of the directories whatever their content. */
export interface VolumeFacts {
  /** Free for this user on the data volume. */
  freeBytes: number;
  /** Free on the WAL's own volume, where it has one. */
  walFreeBytes?: number;
  /** Allocated bytes of the member directory without the WAL. */
  dataBytes: number;
  /** Allocated bytes of the WAL directory: etcd preallocates 64 MB a segment. */
  walBytes: number;
  /** Owner and permissions (e.g. "0700") of the data directory; absent if it does not exist. */
  uid?: number;
  gid?: number;
  mode?: string;
}

/** What the WAL says. Only what was verified by its checksum chain is counted. */
export interface WalFacts {
  memberID: string;
  clusterID: string;
  /** HardState of the last record that has one; zeros if there is none. */
  term: number;
  vote: string;
  commit: number;
  /** Last valid entry, after later entries with lower indexes cut what follows them; snapshotIndex if there is none after it. */
  index: number;
  /** Term of the entry at index. */
  lastEntryTerm: number;
  /** Last valid snapshot record that is not beyond the commit index; zeros if there is none, or only the empty one of a new WAL. */
  snapshotIndex: number;
  snapshotTerm: number;
  /** Entries beyond commit and the backend's consistentIndex: what --force-new-cluster would drop (before etcd 3.5.22 and 3.6.1: beyond commit). */
  tail: {entries: number};
  /** The last record was cut off in the middle of being written: normal after a crash. */
  torn: boolean;
}

/** The WAL was read to its end. The backend may still be unreadable: see backend. */
export interface PresentData extends VolumeFacts, WalFacts {
  data: 'Present';
  backend: BackendFacts | BackendError;
  /** Configuration changes in the WAL after the backend's consistentIndex (after the snapshot index if the backend is unreadable). */
  pendingConfChanges: PendingConfChange[];
  /** Number of pendingConfChanges that were left out of a report that was too long. */
  pendingConfChangesOmitted?: number;
}

/** An etcd that starts here starts from nothing. */
export interface EmptyData extends VolumeFacts {
  data: 'Empty';
}

/** The guard file of a set-aside stands in the place of the member directory. */
export interface GuardedData extends VolumeFacts {
  data: 'Guarded';
  guard: {run: string};
}

/** There is data, but its WAL cannot be read to the end; an etcd would not start on it either. */
export interface UnreadableData extends VolumeFacts, Partial<WalFacts> {
  data: 'Unreadable';
  /** Where and what: file, offset and what is wrong there. What WalFacts are present stand before that place. */
  corrupt: string;
  backend?: BackendFacts | BackendError;
}

export type InspectFacts = PresentData | EmptyData | GuardedData | UnreadableData;

export type InspectReport = AgentSuccess<'inspect'> & InspectFacts;

export interface CopyFacts {
  /** Directory of the copy, relative to the root of the data volume. */
  path: string;
  files: number;
  /** Bytes of the files by their sizes. */
  bytes: number;
  /** Bytes read and written; smaller than bytes: preallocated ends of WAL segments are holes in the copy. */
  copiedBytes: number;
  /** SHA-256 of manifest.json, hex. */
  manifestSHA256: string;
  /** True: a complete copy of this run was there and was verified against its manifest. */
  already: boolean;
  /** Files that share their blocks with the originals (reflink). */
  reflinked: number;
}

export type CopyReport = AgentSuccess<'copy'> & CopyFacts;

export interface SpendFacts {
  attempt: number;
  /** UID of the pod that may start etcd with the force flag in this attempt. */
  pod: string;
  /** True: this very pod had spent it before. */
  already: boolean;
}

export type SpendReport = AgentSuccess<'spend'> & SpendFacts;

export type SealReport = AgentSuccess<'seal'> & {already: boolean};

export interface SetAsideFacts {
  /** What was renamed by this run of the recovery, now or by an earlier start of the command; paths relative to their volume's root. */
  moved: {what: 'data' | 'wal'; to: string}[];
  /** The guard file stands in the place of the member directory. */
  guarded: boolean;
}

export type SetAsideReport = AgentSuccess<'set-aside'> & SetAsideFacts & {guarded: true; already: boolean};

export type PrepareJoinReport = AgentSuccess<'prepare-join'> & {
  member: string;
  /** What etcd finds now: nothing (it joins), or its own data (it goes on). */
  start: 'Join' | 'Restart';
  /** Everything that was set aside on this volume for this run. */
  moved: SetAsideFacts['moved'];
};

/** A configuration change in a tail; more of it is among the pending ones of the inspection. */
export type TailConfChange = Pick<PendingConfChange, 'index' | 'type' | 'memberID'>;

/** What became of the WAL's tail: the entries that the force would drop. */
export interface TailFacts {
  /** True: the WAL says that its last entry is committed, or has nothing that a force would drop. False: the tail was left as it is. */
  committed: boolean;
  /** Number of entries that this run committed in the survivor's WAL, now or in an earlier start of the command. */
  entries: number;
  /** First and last of them, or of those that were left. Absent where there are none. */
  fromIndex?: number;
  toIndex?: number;
  /** True: an earlier start of the command had committed them. */
  already: boolean;
  /** Why the tail was left. */
  reason?: 'NotWanted' | 'MaybeSuperseded';
  /** The same as part of a sentence. */
  why?: string;
  /** Configuration changes among them, the first ones. */
  confChanges?: TailConfChange[];
  /** Number of those that are not in confChanges. */
  confChangesOmitted?: number;
  /** Number of entries that later attempts committed on top: written by an etcd that an earlier attempt had started, not lost ones. */
  again?: number;
}

export type PrepareForceReport = AgentSuccess<'prepare-force'> & {
  inspect: PresentData;
  /** Absent with --no-copy. */
  copy?: CopyFacts;
  marker: SpendFacts;
  /** Absent in the report of an agent that could not commit tails yet. */
  tail?: TailFacts;
  /** Time of each part. */
  milliseconds: {inspect: number; copy: number; tail?: number; total: number};
};

/** What a copy consisted of that was put back. */
export interface RestoredFiles {
  files: number;
  /** Bytes of the files by their sizes. */
  bytes: number;
  /** Bytes read and written; smaller than bytes: see CopyFacts. */
  copiedBytes: number;
  /** Files that share their blocks with the copy (reflink). */
  reflinked: number;
  /** SHA-256 of the copy's manifest.json, hex. Absent where it was not a copy, but built by etcdutl. */
  manifestSHA256?: string;
}

export interface RestoreFacts extends RestoredFiles {
  /** A copy can be put back more than once; each attempt does it once. */
  attempt: number;
  /** What stands in its place again. The copy itself is kept. */
  restored: ('data' | 'wal')[];
  /** What was there before, and where it was set aside; empty where there was nothing but the guard. */
  moved: SetAsideFacts['moved'];
  /** True: an earlier start of this attempt did it, and what it put there still stands there, with what etcd may have written since. */
  already: boolean;
}

export type RestoreCopyReport = AgentSuccess<'restore-copy'> & RestoreFacts;

export type PrepareSeedReport = AgentSuccess<'prepare-seed'> & {
  /** On the volume: made of --database, or fetched from the store. `already`: an earlier start had done it. */
  snapshot?: {path: string; bytes: number; sha256: string; already: boolean};
  /** With --in-place: the one in the store, which is the one that was approved. */
  verified?: {name: string; bytes: number; sha256: string};
};

export type SeedReport = AgentSuccess<'seed'> & RestoreFacts;

export interface PrunedRun {
  run: string;
  /** Files that this start of the command removed, on the data volume and on the WAL's. */
  files: number;
  /** Allocated bytes of what was removed. Blocks that were shared with other files (reflink) are not free for it. */
  bytes: number;
  /** True: there was nothing left to remove, and the run was sealed already. */
  already: boolean;
  /** Names in the run's directory that are not this operator's: left as they are. The first ones. */
  left?: string[];
}

export type PruneReport = AgentSuccess<'prune'> & {
  /** `run` first, then the others in the order in which they were named. */
  runs: PrunedRun[];
  /** Sums over all runs. */
  files: number;
  bytes: number;
  already: boolean;
};

export interface SnapshotFacts {
  /** File of the snapshot, relative to the root of the data volume: the database, and its SHA-256 in the last 32 bytes. */
  path: string;
  /** Size of the file. */
  bytes: number;
  /** SHA-256 of the database, hex: etcd's own and what was received are the same. */
  sha256: string;
  revision: number;
  consistentIndex: number;
  /** True: a snapshot of this run was there, and was checked again. */
  already: boolean;
}

export type SnapshotReport = AgentSuccess<'snapshot'> & SnapshotFacts & {milliseconds: number};

/** A snapshot in a store. */
export interface StoredSnapshot {
  /** Name of its file or object, below the store's path or prefix. */
  name: string;
  /** RFC 3339. From its record; without one when its file or object was written. */
  takenAt: string;
  /** Size of the file: the database, and its SHA-256 in the last 32 bytes. */
  bytes: number;
  /** False: there is no record beside it, so nothing is known but what a fetch reads in it. */
  recorded: boolean;
  /** SHA-256 of the database, hex. */
  sha256?: string;
  revision?: number;
  clusterID?: string;
  /** IDs of the members that its data names. */
  members?: string[];
  /** Version of the etcd that it was taken from. */
  etcdVersion?: string;
}

export type StoreListReport = AgentSuccess<'store-list'> & {
  /** The newest first. */
  snapshots: StoredSnapshot[];
  /** How many there are; more than `snapshots` has where not all fit. */
  total: number;
};

export interface RefusedSnapshot {
  name: string;
  reason: Extract<AgentFailureReason, 'SnapshotDamaged' | 'SnapshotTruncated' | 'SnapshotForeign' | 'SnapshotTooOld' | 'Unreadable'>;
  message: string;
}

export type StoreFetchReport = AgentSuccess<'store-fetch'> & {
  /** Everything but the cluster's ID and the version, which only a record has, was read in the snapshot itself. */
  snapshot: StoredSnapshot & {sha256: string; revision: number; members: string[]};
  /** File that it was written to, relative to --root. Absent with --discard. */
  path?: string;
  /** True: an earlier start of the command had fetched it, and it was checked again. */
  already: boolean;
  /** Newer ones that were not taken, and why. The first ones. */
  refused: RefusedSnapshot[];
  milliseconds: number;
};

export type StoreSaveReport = AgentSuccess<'store-save'> & {
  snapshot: StoredSnapshot & {sha256: string; revision: number; members: string[]};
  /** Snapshots that were taken away because newer ones are enough. The last ones. */
  removed: string[];
  /** Snapshots of this cluster that the store holds now. */
  kept: number;
  /** Why not all was taken away that should be. The snapshot itself is saved. */
  pruneProblem?: string;
  milliseconds: number;
};

/** Of each dump that was read: how many keys are in it and their hash, or what is wrong with it. Never a value. */
export type DumpCheckReport = AgentSuccess<'dump-check'> & {
  sources: ({name: string; keys: number; hash: string} | {name: string; problem: string})[];
  /** Keys that two sources write, the first ones, in words. */
  overlaps: string[];
};

export type DumpLoadReport = AgentSuccess<'dump-load'> & {keys: number; hash: string};

export type DumpCompareReport = AgentSuccess<'dump-compare'> & {
  keys: number;
  hash: string;
  /** The first key whose value is another one. */
  wrong?: string;
};

export type AgentSuccessReport =
  | InspectReport
  | CopyReport
  | SpendReport
  | SealReport
  | SetAsideReport
  | PrepareJoinReport
  | PrepareForceReport
  | RestoreCopyReport
  | PrepareSeedReport
  | SeedReport
  | PruneReport
  | SnapshotReport
  | StoreListReport
  | StoreFetchReport
  | StoreSaveReport
  | DumpCheckReport
  | DumpLoadReport
  | DumpCompareReport;

/** Discriminated by `command` and `ok`. */
export type AgentReport = AgentSuccessReport | AgentFailure;

/** The report of one command, success or failure. */
export type ReportOf<C extends AgentCommand> = Extract<AgentSuccessReport, {command: C}> | AgentFailure<C>;
