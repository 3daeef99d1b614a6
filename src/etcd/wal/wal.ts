import {LogError, LogState} from './log.ts';
import type {LoggedConfChange} from './log.ts';
import {decodeConfChanges, decodeEntry, decodeHardState, decodeMetadata, decodeSnapshot, recordType} from './messages.ts';
import type {HardState, Metadata, SnapshotRecord} from './messages.ts';
import {WireError} from './protobuf.ts';
import {readRecords} from './records.ts';
import type {PlacedRecord, WalEnd} from './records.ts';
import {openSegment, segmentNames, WalFilesError} from './segments.ts';
import type {Segment} from './segments.ts';

/** What a WAL says. Every number stands in records whose checksums were verified, before `end`. */
export interface WalSummary {
  /** Absent only if the log is corrupt before its metadata. */
  metadata?: Metadata;
  /** The last one; zeros if there is none. */
  hardState: HardState;
  /** Last entry after overlaps were cut; the snapshot's index if no entry stands after it. */
  index: number;
  lastEntryTerm: number;
  /** Last snapshot record that is not beyond the commit index; zeros if there is none. */
  snapshot: SnapshotRecord;
  /** Those beyond the commit index, in the order of the log. */
  uncommittedSnapshots: readonly SnapshotRecord[];
  /** All that are in the log, snapshot or not, in order of index. */
  confChanges: readonly LoggedConfChange[];
  end: WalEnd;
  segments: number;
  termAt(index: number): number | undefined;
}

/**
 * Reads the WAL of a directory to its end or to its first error; undefined if there are no segments.
 * It takes no lock and changes nothing. Beside a running etcd the last record may look torn.
 */
export function readWal(directory: string): WalSummary | undefined {
  let names: string[];
  try {
    names = segmentNames(directory);
  } catch (error) {
    if (error instanceof WalFilesError) {
      return summarize(new LogState(), {kind: 'corrupt', position: {segment: '', offset: 0}, crc: 0, message: error.message}, 0);
    }
    throw error;
  }
  if (names.length === 0) {
    return undefined;
  }
  const segments: Segment[] = [];
  try {
    for (const name of names) {
      segments.push(openSegment(directory, name));
    }
    return readSegments(segments);
  } finally {
    for (const segment of segments) {
      segment.close();
    }
  }
}

/** The same for segments that are open already, in order. */
export function readSegments(segments: readonly Segment[]): WalSummary {
  const log = new LogState();
  const records = readRecords(segments);
  // Where the record that is being added begins, so that a contradiction is reported there, before it.
  let crc = 0;
  for (;;) {
    const step = records.next();
    if (step.done === true) {
      return summarize(log, finish(log, step.value), segments.length);
    }
    try {
      add(log, step.value);
      crc = step.value.crc;
    } catch (error) {
      if (!(error instanceof LogError || error instanceof WireError)) {
        throw error;
      }
      const {segment, offset} = step.value;
      const message = `${segment.name} at offset ${offset}: ${error.message}`;
      return summarize(log, {kind: 'corrupt', position: {segment: segment.name, offset}, crc, message}, segments.length);
    }
  }
}

function finish(log: LogState, end: WalEnd): WalEnd {
  if (end.kind === 'corrupt') {
    return end;
  }
  try {
    log.check();
    return end;
  } catch (error) {
    if (!(error instanceof LogError)) {
      throw error;
    }
    const torn = end.kind === 'torn' ? `; ${end.message}` : '';
    return {kind: 'corrupt', position: end.position, crc: end.crc, message: `${error.message}${torn}`};
  }
}

function add(log: LogState, record: PlacedRecord): void {
  switch (record.type) {
    case recordType.metadata:
      log.addMetadata(decodeMetadata(record.data));
      return;
    case recordType.entry:
      log.addEntry(decodeEntry(record.data), decodeConfChanges);
      return;
    case recordType.state:
      log.addHardState(decodeHardState(record.data));
      return;
    case recordType.snapshot:
      log.addSnapshot(decodeSnapshot(record.data));
      return;
    case recordType.crc:
      return;
    default:
      throw new LogError(`record of unknown type ${record.type}`);
  }
}

function summarize(log: LogState, end: WalEnd, segments: number): WalSummary {
  const {index, term} = log.lastEntry();
  return {
    ...(log.metadata === undefined ? {} : {metadata: log.metadata}),
    hardState: log.hardState,
    index,
    lastEntryTerm: term,
    snapshot: log.snapshot(),
    uncommittedSnapshots: log.uncommittedSnapshots(),
    confChanges: log.confChanges,
    end,
    segments,
    termAt: (at) => log.termAt(at),
  };
}

/**
 * Member and cluster ID of a WAL, from the first records of its first segment; undefined without segments, an error's text if they
 * cannot be read. Whether the rest can be read is not looked at.
 */
export function readIdentity(directory: string): Metadata | {error: string} | undefined {
  let name: string | undefined;
  try {
    [name] = segmentNames(directory);
  } catch (error) {
    if (error instanceof WalFilesError) {
      return {error: error.message};
    }
    throw error;
  }
  if (name === undefined) {
    return undefined;
  }
  const segment = openSegment(directory, name);
  try {
    return firstMetadata(segment);
  } finally {
    segment.close();
  }
}

function firstMetadata(segment: Segment): Metadata | {error: string} {
  const records = readRecords([segment]);
  for (;;) {
    const step = records.next();
    if (step.done === true) {
      return {error: step.value.kind === 'complete' ? `${segment.name} holds no metadata` : step.value.message};
    }
    if (step.value.type === recordType.metadata) {
      try {
        return decodeMetadata(step.value.data);
      } catch (error) {
        return {error: `${segment.name}: ${(error as Error).message}`};
      }
    }
  }
}
