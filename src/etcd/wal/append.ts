import {isDeepStrictEqual} from 'node:util';
import {encodeHardState} from './encode.ts';
import {wordBytes} from './frame.ts';
import type {HardState, SnapshotRecord} from './messages.ts';
import type {WalPosition} from './records.ts';
import type {WalSummary} from './wal.ts';

/** One change of a file, in the order in which they have to be made. */
export type FileStep =
  | {do: 'resize'; size: number}
  | {do: 'write'; offset: number; bytes: Buffer}
  | {do: 'sync'};

export interface Append {
  /** Where the record stands afterwards: directly after the last valid one of the last segment. */
  position: WalPosition;
  frame: Buffer;
  /** Running checksum after it. */
  crc: number;
  state: HardState;
  steps: readonly FileStep[];
}

/**
 * How a hard state is appended to a log. Wherever the steps are interrupted, the log ends where it ended before, or with the whole
 * record: the length word, which is aligned and so written at once or not at all, is what makes the rest a record, and it comes last.
 * What a power cut leaves of the two writes is a torn end, which the next try cuts off.
 * @param size bytes of the last segment's file
 * @throws {RangeError} for a log that is corrupt, or a size that is not its segment's: then no place is known
 */
export function planAppend({end}: WalSummary, state: HardState, size: number): Append {
  const {position} = end;
  if (end.kind === 'corrupt' || position.segment === '' || position.offset > size || position.offset % wordBytes !== 0) {
    throw new RangeError(`no record can be appended to ${position.segment} (${size} bytes) at offset ${position.offset}`);
  }
  const {frame, crc} = encodeHardState(state, end.crc);
  const {offset} = position;
  // No 1 to 7 bytes may be left after the record: etcd takes them for a record that is cut off.
  const wanted = Math.ceil(Math.max(size, offset + frame.length) / wordBytes) * wordBytes;
  const torn = end.kind === 'torn';
  const steps: FileStep[] = [];
  // What an unfinished write left: all of it goes, because etcd would find the rest of it behind the new record.
  if (torn) steps.push({do: 'resize', size: offset});
  if (torn || wanted !== size) steps.push({do: 'resize', size: wanted}, {do: 'sync'});
  steps.push(
    {do: 'write', offset: offset + wordBytes, bytes: frame.subarray(wordBytes)},
    {do: 'write', offset, bytes: frame.subarray(0, wordBytes)},
    {do: 'sync'},
  );
  return {position, frame, crc, state, steps};
}

/**
 * What is wrong with a log after an append; undefined if it says what it said before, and the new state. The running checksum covers the
 * data of every record of the log, so that it alone shows that none has changed.
 */
export function appendProblem(before: WalSummary, {position, frame, crc, state}: Append, after: WalSummary | undefined): string | undefined {
  if (after === undefined) return 'no WAL is there any more';
  if (after.end.kind !== 'complete') return after.end.message;
  const expected = {
    hardState: state,
    metadata: before.metadata,
    index: before.index,
    lastEntryTerm: before.lastEntryTerm,
    snapshot: snapshotAt(before, state.commit),
    confChanges: before.confChanges,
    segments: before.segments,
    end: {kind: 'complete', position: {segment: position.segment, offset: position.offset + frame.length}, crc},
  };
  for (const [name, value] of Object.entries(expected)) {
    const found = after[name as keyof typeof expected];
    if (!isDeepStrictEqual(found, value)) return `${name} is ${JSON.stringify(found)} instead of ${JSON.stringify(value)}`;
  }
  return after.index === state.commit ? undefined : `the last entry is ${after.index}, the commit index ${state.commit}`;
}

/** The snapshot that counts once everything up to `commit` is committed. */
function snapshotAt({snapshot, uncommittedSnapshots}: WalSummary, commit: number): SnapshotRecord {
  return uncommittedSnapshots.filter(({index}) => index <= commit)
    .reduce((best, next) => (next.index >= best.index ? next : best), snapshot);
}
