import {crc32c} from './crc32c.ts';
import {hasZeroSector, isZero, isZeroFrom, validRecordsFrom} from './damage.ts';
import {decodeFrame, wordBytes} from './frame.ts';
import {decodeRecord, recordType} from './messages.ts';
import type {WalRecord} from './messages.ts';
import {WireError} from './protobuf.ts';
import type {Segment} from './segments.ts';

/** A record whose checksum was verified, and where it stands. */
export interface PlacedRecord extends WalRecord {
  segment: Segment;
  /** Offset of its frame's length word. */
  offset: number;
  /** Offset of the first byte after its padding. */
  end: number;
}

export interface WalPosition {
  segment: string;
  offset: number;
}

/**
 * How the log ends. `position` is the first byte after the last valid record, and `crc` the running checksum there.
 * - complete: nothing but zeros, or nothing, follows.
 * - torn: the last write did not reach the disk whole. etcd repairs this by cutting the log there.
 * - corrupt: something that was once written whole has changed, or what follows makes no sense. etcd does not start on it.
 */
export type WalEnd =
  | {kind: 'complete'; position: WalPosition; crc: number}
  | {kind: 'torn' | 'corrupt'; position: WalPosition; crc: number; message: string};

/**
 * Yields every valid record of the segments in order, and returns how the log ends. It never goes on after an error.
 * A yielded record's data is a view that is valid until the next step.
 */
export function* readRecords(segments: readonly Segment[]): Generator<PlacedRecord, WalEnd> {
  // undefined until the first checksum record: older segments, whose checksum it continues, may have been purged.
  let crc: number | undefined;
  for (const [number, segment] of segments.entries()) {
    const last = number === segments.length - 1;
    let offset = 0;
    while (offset < segment.size) {
      const step = readOne(segment, offset, crc, last);
      const position = {segment: segment.name, offset};
      if (step.kind === 'end') {
        break;
      }
      if (step.kind !== 'record') {
        return {kind: step.kind, position, crc: crc ?? 0, message: `${segment.name} at offset ${offset}: ${step.message}`};
      }
      crc = step.crc;
      yield step.placed;
      offset = step.placed.end;
    }
    if (last) {
      return ending(segment, offset, crc ?? 0);
    }
  }
  return {kind: 'complete', position: {segment: '', offset: 0}, crc: 0};
}

function ending(segment: Segment, offset: number, crc: number): WalEnd {
  const position = {segment: segment.name, offset};
  if (isZeroFrom(segment, offset)) {
    return {kind: 'complete', position, crc};
  }
  const message = `${segment.name} at offset ${offset}: the log ends here, but bytes of an unfinished write follow`;
  return {kind: 'torn', position, crc, message};
}

type Step =
  | {kind: 'record'; placed: PlacedRecord; crc: number}
  | {kind: 'end'}
  | {kind: 'torn' | 'corrupt'; message: string};

function readOne(segment: Segment, offset: number, crc: number | undefined, last: boolean): Step {
  const remaining = segment.size - offset;
  if (remaining < wordBytes) {
    return {kind: last ? 'torn' : 'corrupt', message: `${remaining} bytes where a record begins`};
  }
  const word = segment.read(offset, wordBytes);
  if (isZero(word)) {
    return {kind: 'end'};
  }
  const frame = decodeFrame(word);
  const bodyStart = offset + wordBytes;
  if (frame === undefined || frame.bodyBytes + frame.padBytes > segment.size - bodyStart) {
    return brokenFrame(segment, offset, last);
  }
  const content = segment.read(bodyStart, frame.bodyBytes + frame.padBytes);
  const problem = (message: string): Step =>
    ({kind: last && hasZeroSector(content, bodyStart) ? 'torn' : 'corrupt', message});
  let record: WalRecord;
  try {
    record = decodeRecord(content.subarray(0, frame.bodyBytes));
  } catch (error) {
    if (error instanceof WireError) {
      return problem(`not a record: ${error.message}`);
    }
    throw error;
  }
  const running = nextChecksum(record, crc);
  if (typeof running === 'string') {
    return problem(running);
  }
  return {kind: 'record', crc: running, placed: {...record, segment, offset, end: bodyStart + content.length}};
}

/** The running checksum after this record, or what is wrong with it. A checksum record sets the value and adds nothing. */
function nextChecksum(record: WalRecord, crc: number | undefined): number | string {
  if (record.type === recordType.crc) {
    if (record.data.length > 0) {
      return 'checksum record with data';
    }
    return crc === undefined || record.crc === crc ? record.crc : 'checksum does not continue that of the records before';
  }
  if (crc === undefined) {
    return 'the log does not begin with a checksum record';
  }
  const running = crc32c(crc, record.data);
  return running === record.crc ? running : 'checksum mismatch';
}

/**
 * A length that leads out of the file is what a torn write looks like, and etcd would cut the log here. But whole records behind it
 * show that this one was once whole too: cutting there would drop them.
 */
function brokenFrame(segment: Segment, offset: number, last: boolean): Step {
  const follow = last && validRecordsFrom(segment, offset + wordBytes);
  return last && !follow
    ? {kind: 'torn', message: 'record that is cut off'}
    : {kind: 'corrupt', message: follow ? 'broken record length, and valid records follow it' : 'broken record length'};
}
