import {createHash} from 'node:crypto';
import {
  chmodSync, closeSync, constants, copyFileSync, fsyncSync, ftruncateSync, openSync, readdirSync, readSync, writeSync,
} from 'node:fs';
import type {Hash} from 'node:crypto';
import type {Stats} from 'node:fs';
import {join} from 'node:path';
import {giveTo} from './durable.ts';
import {errorCode, Refusal} from './failure.ts';
import {statIfThere} from './volume.ts';

/** Owner and permissions that a file is given. */
export type Ownership = Pick<Stats, 'mode' | 'uid' | 'gid'>;

/** One file of a copy. Bytes after dataBytes are zeros (a hole in the copy), and not part of the hash. */
export interface FileDigest {
  size: number;
  dataBytes: number;
  /** SHA-256 of the first dataBytes bytes, hex. */
  sha256: string;
}

export interface TreeEntry {
  /** Relative to where the tree begins; '' is the top itself. */
  path: string;
  stats: Stats;
}

const chunkBytes = 1 << 18;
const zeros = Buffer.alloc(chunkBytes);
const noReflink = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM']);

/**
 * Directories (each before what is in it) and regular files. Sockets and the like hold no data and are left out.
 * @throws {Refusal} UnsafePath for a symbolic link: what it leads to is not in the copy, or not on this volume
 */
export function walkTree(top: string, path = ''): TreeEntry[] {
  const here = join(top, path);
  const stats = statIfThere(here);
  if (stats?.isSymbolicLink() === true) {
    throw new Refusal('UnsafePath', `${here} is a symbolic link: a copy of it would not hold the data.`);
  }
  if (stats?.isDirectory() === true) {
    const names = readdirSync(here).sort();
    return [{path, stats}, ...names.flatMap((name) => walkTree(top, join(path, name)))];
  }
  return stats?.isFile() === true ? [{path, stats}] : [];
}

/**
 * Copies one file to a path where nothing is, with its mode and, where allowed, its owner, and syncs it.
 * Runs of zeros become holes: etcd preallocates WAL segments of 64 MB, of which often little is used.
 */
export function copyFile(from: string, to: string, source: Ownership, reflink: boolean): FileDigest & {reflinked: boolean} {
  const reflinked = reflink && tryReflink(from, to);
  const input = openSync(reflinked ? to : from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const digest = reflinked ? digestOf(input) : copyBytes(input, to);
    finish(to, source);
    return {...digest, reflinked};
  } finally {
    closeSync(input);
  }
}

/** Digest of a file as copyFile computes it. */
export function digestFile(path: string): FileDigest {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return digestOf(fd);
  } finally {
    closeSync(fd);
  }
}

function tryReflink(from: string, to: string): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (noReflink.has(errorCode(error) ?? '')) {
      return false;
    }
    throw error;
  }
}

function copyBytes(input: number, to: string): FileDigest {
  // A failed reflink may have left an empty file; the directory is this run's own, so nothing else stands there.
  const output = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
  try {
    const digest = digestOf(input, (chunk, offset) => {
      let written = 0;
      while (written < chunk.length) {
        written += writeSync(output, chunk, written, chunk.length - written, offset + written);
      }
    });
    ftruncateSync(output, digest.size);
    fsyncSync(output);
    return digest;
  } finally {
    closeSync(output);
  }
}

/** Reads a file to its end; `onData` gets every chunk that is not all zeros. */
function digestOf(fd: number, onData: (chunk: Buffer, offset: number) => void = () => undefined): FileDigest {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let offset = 0;
  let hashed = 0;
  for (;;) {
    const count = readFull(fd, chunk, offset);
    if (count === 0) {
      break;
    }
    const data = chunk.subarray(0, count);
    if (data.compare(zeros, 0, count) !== 0) {
      hashZeros(hash, offset - hashed);
      hash.update(data);
      onData(data, offset);
      hashed = offset + count;
    }
    offset += count;
  }
  return {size: offset, dataBytes: hashed, sha256: hash.digest('hex')};
}

/** Fills the chunk unless the file ends, so that the chunks' borders, and with them dataBytes, are the same in each reading. */
function readFull(fd: number, chunk: Buffer, offset: number): number {
  let filled = 0;
  while (filled < chunk.length) {
    const count = readSync(fd, chunk, filled, chunk.length - filled, offset + filled);
    if (count === 0) {
      break;
    }
    filled += count;
  }
  return filled;
}

function hashZeros(hash: Hash, count: number): void {
  for (let left = count; left > 0; left -= chunkBytes) {
    hash.update(zeros.subarray(0, Math.min(left, chunkBytes)));
  }
}

function finish(path: string, source: Ownership): void {
  giveTo(path, source);
  chmodSync(path, source.mode & 0o7777);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether a file is still what it was. */
export function unchanged(path: string, before: Stats): boolean {
  const now = statIfThere(path);
  return now !== undefined && now.ino === before.ino && now.size === before.size && now.mtimeMs === before.mtimeMs;
}
