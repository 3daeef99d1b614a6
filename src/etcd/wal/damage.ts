import {crc32c} from './crc32c.ts';
import {decodeFrame, wordBytes} from './frame.ts';
import {decodeRecord} from './messages.ts';
import type {WalRecord} from './messages.ts';
import {WireError} from './protobuf.ts';
import type {Segment} from './segments.ts';

/** etcd's assumption of what a disk writes at least as a whole (minSectorSize in its WAL decoder). */
const sectorBytes = 512;
const chunkBytes = 1 << 18;
const zeros = Buffer.alloc(chunkBytes);

/** etcd's test for a torn write: within the record, the part in some sector is all zeros. `start` is the content's offset in its file. */
export function hasZeroSector(content: Buffer, start: number): boolean {
  let position = 0;
  while (position < content.length) {
    const length = Math.min(sectorBytes - ((start + position) % sectorBytes), content.length - position);
    if (isZero(content.subarray(position, position + length))) {
      return true;
    }
    position += length;
  }
  return false;
}

export function isZero(bytes: Buffer): boolean {
  for (let position = 0; position < bytes.length; position += chunkBytes) {
    const part = bytes.subarray(position, position + chunkBytes);
    if (part.compare(zeros, 0, part.length) !== 0) {
      return false;
    }
  }
  return true;
}

/** Whether the segment holds nothing but zeros (its preallocated space) from offset on. */
export function isZeroFrom(segment: Segment, offset: number): boolean {
  for (let position = offset; position < segment.size; position += chunkBytes) {
    if (!isZero(segment.read(position, Math.min(chunkBytes, segment.size - position)))) {
      return false;
    }
  }
  return true;
}

/**
 * Whether two records that stand directly one after the other are found at or after offset, the second's checksum continuing the first's.
 * Chance does not make such a pair, so something that was written whole stands there. Frames are aligned to 8 bytes.
 */
export function validRecordsFrom(segment: Segment, offset: number): boolean {
  const start = Math.ceil(offset / wordBytes) * wordBytes;
  for (let position = start; position + 2 * wordBytes <= segment.size; position += wordBytes) {
    const first = recordAt(segment, position);
    if (first === undefined) {
      continue;
    }
    const second = recordAt(segment, first.end);
    if (second !== undefined && crc32c(first.crc, second.data) === second.crc) {
      return true;
    }
  }
  return false;
}

function recordAt(segment: Segment, offset: number): (WalRecord & {end: number}) | undefined {
  if (offset + 2 * wordBytes > segment.size) {
    return undefined;
  }
  const head = segment.read(offset, wordBytes + 1);
  // Every record begins with its type's tag.
  if (head[wordBytes] !== 0x08) {
    return undefined;
  }
  const frame = decodeFrame(head.subarray(0, wordBytes));
  const end = offset + wordBytes + (frame === undefined ? 0 : frame.bodyBytes + frame.padBytes);
  if (frame === undefined || frame.bodyBytes === 0 || end > segment.size) {
    return undefined;
  }
  try {
    return {...decodeRecord(segment.read(offset + wordBytes, frame.bodyBytes)), end};
  } catch (error) {
    if (error instanceof WireError) {
      return undefined;
    }
    throw error;
  }
}
