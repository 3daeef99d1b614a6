import {closeSync, constants, fstatSync, openSync, readdirSync, readSync} from 'node:fs';
import {join} from 'node:path';

/** Bytes of one WAL file, read on demand. */
export interface Segment {
  name: string;
  /** Sequence number and first index, from the name. */
  sequence: number;
  firstIndex: number;
  size: number;
  /** Exactly these bytes; a view that the next call may overwrite. The caller keeps offset + length within size. */
  read(offset: number, length: number): Buffer;
  close(): void;
}

/** Why the files of a WAL directory are not a WAL. */
export class WalFilesError extends Error {
  override readonly name = 'WalFilesError';
}

const segmentName = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/**
 * Names of the segments in order; empty if the directory has none or does not exist. Other files (N.tmp of etcd's file pipeline,
 * N.broken of its repair) do not belong to the log.
 * @throws {WalFilesError} if a sequence number is missing between two segments, or a name ending in .wal is none.
 */
export function segmentNames(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    // ENOTDIR: a file stands where the directory, or one above it, would be.
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return [];
    }
    throw error;
  }
  return orderSegments(names);
}

/** The pure part of segmentNames. */
export function orderSegments(names: readonly string[]): string[] {
  const wals = names.filter((name) => name.endsWith('.wal')).sort();
  let previous: number | undefined;
  for (const name of wals) {
    const {sequence} = parseSegmentName(name);
    if (previous !== undefined && sequence !== previous + 1) {
      throw new WalFilesError(`segment ${name} does not follow number ${previous}: a segment is missing`);
    }
    previous = sequence;
  }
  return wals;
}

export function parseSegmentName(name: string): {sequence: number; firstIndex: number} {
  const match = segmentName.exec(name);
  const sequence = Number.parseInt(match?.[1] ?? '', 16);
  const firstIndex = Number.parseInt(match?.[2] ?? '', 16);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(firstIndex)) {
    throw new WalFilesError(`${name} is not the name of a WAL segment`);
  }
  return {sequence, firstIndex};
}

const windowBytes = 1 << 20;

/** A segment on disk. It is opened without following a link in the last part of the path. */
export function openSegment(directory: string, name: string): Segment {
  const fd = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const {size} = fstatSync(fd);
  let window: Buffer = Buffer.alloc(0);
  let start = 0;
  let filled = 0;
  return {
    name,
    ...parseSegmentName(name),
    size,
    read(offset, length) {
      if (offset < start || offset + length > start + filled) {
        const wanted = Math.max(Math.min(windowBytes, size), length);
        if (window.length < wanted) {
          window = Buffer.allocUnsafe(wanted);
        }
        start = offset;
        filled = fill(fd, window, offset, name);
        if (length > filled) {
          throw new WalFilesError(`${name} became shorter while it was read`);
        }
      }
      return window.subarray(offset - start, offset - start + length);
    },
    close() {
      closeSync(fd);
    },
  };
}

function fill(fd: number, window: Buffer, offset: number, name: string): number {
  let filled = 0;
  while (filled < window.length) {
    const count = readSync(fd, window, filled, window.length - filled, offset + filled);
    if (count === 0) {
      break;
    }
    filled += count;
  }
  if (filled === 0) {
    throw new WalFilesError(`${name} ends before offset ${offset}`);
  }
  return filled;
}
