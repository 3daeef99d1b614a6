import type {LeaderWatch, WatchHeard} from './leader-watch.ts';

/** Where one member can be reached, and how. All certificates and keys are PEM text. */
export interface EtcdEndpoint {
  /** IP address or DNS name, without scheme and port. */
  readonly address: string;
  readonly port: number;
  /** Present: TLS. Without `ca` the system's roots are trusted. */
  readonly tls?: EndpointTLS;
  /** Only usable while there is a quorum: Authenticate goes through raft. */
  readonly auth?: {username: string; password: string};
}

export interface EndpointTLS {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must carry, where it is not `address`. */
  readonly serverName?: string;
}

/** What Maintenance.Status says. It is served without quorum by a member that had published itself before. */
export interface MemberStatus {
  clusterID: string;
  memberID: string;
  version: string;
  /** Member ID of the leader; '' = none. */
  leader: string;
  /** Term of the last applied entry; it does not grow by campaigning. */
  raftTerm: number;
  /** Highest index known to be committed, not the last index of the log. */
  raftIndex: number;
  raftAppliedIndex: number;
  revision: number;
  dbSizeBytes: number;
  isLearner: boolean;
  /** etcd's own words, e.g. 'etcdserver: no leader' and raised alarms. */
  errors: string[];
}

export interface ListedMember {
  id: string;
  /** '' = added, but not started yet. */
  name: string;
  peerURLs: string[];
  clientURLs: string[];
  isLearner: boolean;
}

export type AlarmType = 'NOSPACE' | 'CORRUPT';

export interface MemberAlarm {
  memberID: string;
  alarm: AlarmType;
}

/** One etcd member. Every call has a deadline, is tried once, and fails with an `EtcdError`. */
export interface EtcdMember {
  /** `deadlineMs`: in the place of the client's own. */
  status(options?: {deadlineMs?: number}): Promise<MemberStatus>;
  /** Default: the member's own view, which needs no quorum. Learners refuse. */
  memberList(options?: {linearizable?: boolean}): Promise<{clusterID: string; members: ListedMember[]}>;
  /** Linearizable unless `serializable`. `revision` is the store's at the time of the read. */
  get(key: string, options?: {serializable?: boolean}): Promise<{value: Buffer | undefined; revision: number}>;
  put(key: string, value: string): Promise<{revision: number}>;
  /** All in one transaction, whose size is the caller's to bound (etcd's --max-txn-ops and --max-request-bytes). No key twice. */
  putAll(entries: readonly {key: Buffer; value: Buffer}[]): Promise<void>;
  /** The values of these keys at one revision, linearizable; undefined: there is no such key. Bounded like putAll. */
  getAll(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  /**
   * Moves the revision on by so many, and no further if it fails: by puts of this key, as each write makes one revision, however much is in
   * it. Many are under way at once, which share the syncs of etcd's log. Returns the revision of the last one.
   */
  advance(key: string, by: number): Promise<{revision: number}>;
  deleteKey(key: string): Promise<void>;
  /** Comparable between members only at the same revision and the same `compactRevision`. 0 = the newest revision. */
  hashKV(revision: number): Promise<{hash: number; compactRevision: number}>;
  addLearner(peerURLs: string[]): Promise<ListedMember>;
  promote(id: string): Promise<void>;
  removeMember(id: string): Promise<void>;
  /**
   * Asks the leader, which has to be this member, to hand over to the voter with this ID; returns once it leads. Until then, for one election
   * timeout at most, the leader takes no write. `NoLeader`: this member does not lead; `Timeout`: the other one did not win in time.
   */
  moveLeader(id: string): Promise<void>;
  /** Needs quorum, as even listing alarms goes through raft. */
  alarms(): Promise<MemberAlarm[]>;
  disarm(alarm: MemberAlarm): Promise<void>;
  /**
   * Forgets the history before this revision, and returns when that is on disk; `inBackground`: once nobody can read or watch it any more,
   * while the disk follows, after a restart too. `Compacted` where it is forgotten already.
   */
  compact(revision: number, options?: {inBackground?: boolean}): Promise<void>;
  /** Writes this member's database anew without its holes. It serves nothing meanwhile; deadline five minutes. */
  defragment(): Promise<void>;
  /** undefined: cannot be known here (no quorum, no right to ask, too old a server). */
  authEnabled(): Promise<boolean | undefined>;
  /** On the connection that the calls use, which stays open for it. It shows no user: a token would not outlive it. */
  watchLeader(heard: WatchHeard): LeaderWatch;
  close(): void;
}

/** `deadlineMs`: for each call, from its start; default 5000. */
export type ConnectMember = (endpoint: EtcdEndpoint, options?: {deadlineMs?: number}) => EtcdMember;
