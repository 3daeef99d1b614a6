import type {LoggedConfChange} from './log.ts';
import type {HardState, SnapshotRecord} from './messages.ts';
import type {WalSummary} from './wal.ts';

/**
 * The entries that --force-new-cluster would drop: those beyond the hard state's commit index and beyond what the backend has applied
 * (etcd: server/etcdserver/bootstrap.go, bootstrapWALFromSnapshot; before 3.5.22 and 3.6.1 beyond the commit index alone).
 */
export interface Tail {
  /** First and last index; `from` is `to` + 1 where there are none. */
  from: number;
  to: number;
  /** Configuration changes among them. */
  confChanges: readonly LoggedConfChange[];
}

export interface TailRules {
  /** The backend's consistent index, 0 if it is not known. What is applied was committed, whatever the hard state says. */
  applied: number;
  /** False: leave the tail to the force. */
  commit: boolean;
  /** Highest term of a last log entry that was seen elsewhere. */
  laterEntryTerm?: number;
}

export type TailDecision = {tail: Tail} & (
  /** Nothing is to be written: everything is committed, or nothing is left to commit. */
  | {act: 'nothing'}
  /** Append a record of this state. */
  | {act: 'append'; state: HardState}
  | {act: 'leave'; reason: 'NotWanted' | 'MaybeSuperseded'; why: string}
  | {act: 'refuse'; reason: 'Corrupt' | 'RemovesMember'; why: string}
);

/**
 * Whether the last entry of a log may be called committed.
 *
 * It may unless other members have put something else in the place of the tail. For that an entry of a later term than the tail's last
 * one must have been committed: a leader of the same or of an earlier term had, or made, the very entries that this log has (Raft: leader
 * completeness and log matching). So an *entry* of a later term somewhere else is what counts against the tail, also as a snapshot
 * record of this very log that was not yet taken over. A later term of a hard state or a vote is no such sign: each election that failed leaves
 * one, and a member that was cut off makes them without end. A leader of that term need never have been.
 */
export function decideTail(wal: WalSummary, rules: TailRules): TailDecision {
  const {commit} = wal.hardState;
  const kept = Math.max(commit, rules.applied);
  const tail: Tail = {from: kept + 1, to: wal.index, confChanges: wal.confChanges.filter(({index}) => index > kept)};
  const corrupt = contradiction(wal, rules);
  if (corrupt !== undefined) return {tail, act: 'refuse', reason: 'Corrupt', why: corrupt};
  const empty = tail.from > tail.to;
  if (!rules.commit) {
    return empty ? {tail, act: 'nothing'} : {tail, act: 'leave', reason: 'NotWanted', why: 'it was told not to commit the tail'};
  }
  const later = empty ? undefined : supersededBy(wal, rules);
  if (later !== undefined) {
    return {tail, act: 'leave', reason: 'MaybeSuperseded', why: `the tail may have been superseded: it ends in term ${wal.lastEntryTerm}, and ${later}`};
  }
  const removal = tail.confChanges.find(({type, memberID}) => type === 'RemoveNode' && memberID === wal.metadata?.memberID);
  if (removal !== undefined) {
    return {tail, act: 'refuse', reason: 'RemovesMember', why: `entry ${removal.index} of the tail removes this very member (${removal.memberID}): etcd panics when a force finds it committed`};
  }
  const state = committing(wal);
  return state.commit === commit && state.term === wal.hardState.term ? {tail, act: 'nothing'} : {tail, act: 'append', state};
}

/** The hard state that commits the last entry. A vote is one of its term, so a raised term has none yet. */
function committing({hardState, index, lastEntryTerm}: WalSummary): HardState {
  const raised = lastEntryTerm > hardState.term;
  return {term: raised ? lastEntryTerm : hardState.term, vote: raised ? '0' : hardState.vote, commit: index};
}

function contradiction({end, metadata, index}: WalSummary, {applied}: TailRules): string | undefined {
  if (end.kind === 'corrupt') return end.message;
  if (metadata === undefined) return 'the WAL holds no metadata';
  return applied > index ? `entry ${applied} was applied, but the WAL ends with entry ${index}` : undefined;
}

function supersededBy(wal: WalSummary, {laterEntryTerm}: TailRules): string | undefined {
  const {lastEntryTerm} = wal;
  const seen = Math.max(laterEntryTerm ?? 0, lastEntryTerm);
  if (seen > lastEntryTerm) return `an entry of term ${seen} was seen elsewhere`;
  const foreign = wal.uncommittedSnapshots.find((snapshot) => contradicts(wal, snapshot));
  return foreign === undefined ? undefined : `a snapshot that another member sent stands at entry ${foreign.index} of term ${foreign.term}`;
}

/** A snapshot holds committed entries only. etcd writes its record before the hard state that takes it over, so a kill can leave it alone. */
function contradicts(wal: WalSummary, {index, term}: SnapshotRecord): boolean {
  if (term > wal.lastEntryTerm) return true;
  return index <= wal.index && (wal.termAt(index) ?? term) !== term;
}
