import {createHash} from 'node:crypto';
import {closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {readBackend} from '../etcd/bolt/backend.ts';
import {BoltError} from '../etcd/bolt/meta.ts';
import {copyNeeds} from './copying.ts';
import {giveTo} from './durable.ts';
import {freeBytes} from './facts.ts';
import {isSpaceError, Refusal} from './failure.ts';
import type {SnapshotChunk} from './maintenance.ts';
import {relativeTo} from './place.ts';
import type {DataPlace} from './place.ts';
import {reserveBytes, snapshotName} from './report.ts';
import type {SnapshotFacts} from './report.ts';
import {statIfThere} from './volume.ts';

/** What etcd appends to a snapshot: the SHA-256 of everything before it. Its own tools read the file with it, and check it. */
const hashBytes = 32;

export interface SnapshotOptions {
  /** Room has to be left for the copy of the data that comes after it. */
  leaveCopy: boolean;
  /** Bytes that what comes after it takes beside that. Default: 0. */
  leave?: number | undefined;
  expectMember?: string | undefined;
  /** Free bytes on the volume of a path. */
  free?: (path: string) => number;
}

/**
 * Saves the snapshot that `stream` brings as `snapshot.db` of the run, beside the etcd that it comes from. The name appears with the whole
 * and checked file, or not at all. One that is there and checks out is kept: without a quorum there is nothing newer to be had.
 * @throws {Refusal} NoSpace, SnapshotDamaged, Unreadable, MemberMismatch, Conflict, and what the stream throws
 */
export async function saveSnapshot(place: DataPlace, stream: () => AsyncIterable<SnapshotChunk>, options: SnapshotOptions): Promise<SnapshotFacts> {
  const target = join(place.runDirectory, snapshotName);
  const temporary = `${target}.tmp`;
  const there = statIfThere(target);
  if (there?.isFile() === false) throw new Refusal('Conflict', `${target} is no file. Nothing was changed; a person has to say what it is.`);
  if (there !== undefined) {
    const sha256 = checkedHash(target);
    if (sha256 !== undefined) return {...describe(place, target, {sha256, bytes: there.size, expectMember: options.expectMember}), already: true};
    place.durable.remove(target);
  }
  if (statIfThere(temporary) !== undefined) place.durable.remove(temporary);
  try {
    const saved = await receiveSnapshot(temporary, stream(), (bytes) => {
      requireSpace(place, bytes, options);
      place.durable.makeDirectory(place.runDirectory);
    });
    giveTo(temporary, statIfThere(place.dataDirectory));
    const facts = describe(place, temporary, {...saved, expectMember: options.expectMember});
    place.durable.rename(temporary, target);
    return {...facts, path: relativeTo(place.root, target), already: false};
  } catch (error) {
    if ((error instanceof Refusal || isSpaceError(error)) && statIfThere(temporary) !== undefined) place.durable.remove(temporary);
    throw isSpaceError(error) ? noSpace('more', (options.free ?? freeBytes)(place.root)) : error;
  }
}

/**
 * Writes what comes to a new file, and compares it with the hash at its end. `begin` is told the size of the file before it is made.
 * @throws {Refusal} SnapshotDamaged, and what the stream and `begin` throw
 */
export async function receiveSnapshot(path: string, stream: AsyncIterable<SnapshotChunk>, begin: (bytes: number) => void): Promise<{sha256: string; bytes: number}> {
  const hash = createHash('sha256');
  let last: Buffer = Buffer.alloc(0);
  let bytes = 0;
  let expected: number | undefined;
  let fd: number | undefined;
  try {
    for await (const {remaining, blob} of stream) {
      if (expected === undefined || fd === undefined) {
        expected = remaining + blob.length + hashBytes;
        begin(expected);
        fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
      }
      bytes += blob.length;
      if (bytes > expected) throw damaged(`etcd sends more than the ${expected} bytes that it began with`);
      writeAll(fd, blob);
      const ahead = Buffer.concat([last, blob]);
      const known = Math.max(0, ahead.length - hashBytes);
      hash.update(ahead.subarray(0, known));
      last = ahead.subarray(known);
    }
    if (fd === undefined || bytes !== expected) throw damaged(`it ends after ${bytes} of ${expected ?? 0} bytes`);
    const sha256 = hash.digest('hex');
    if (sha256 !== last.toString('hex')) throw damaged('its content does not match the SHA-256 that etcd sent with it');
    fsyncSync(fd);
    return {sha256, bytes};
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const damaged = (what: string): Refusal => new Refusal('SnapshotDamaged', `The snapshot is not whole: ${what}. It was not kept.`);

export function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
}

/** The copy comes first, although it is made later: only that one has the log, and without it nothing is forced. */
function requireSpace(place: DataPlace, bytes: number, {leaveCopy, leave = 0, free = freeBytes}: SnapshotOptions): void {
  const available = free(place.root);
  const copy = leaveCopy ? copyNeeds(place, available - bytes - leave) : 0;
  const needed = bytes + copy + leave + reserveBytes;
  const follows = `${leaveCopy ? `, ${copy} for the copy of the data that follows` : ''}${leave > 0 ? `, ${leave} for the data that is built from the database of this member afterwards` : ''}`;
  if (needed > available) throw noSpace(`${needed} bytes (${bytes} for itself${follows})`, available);
}

const noSpace = (needed: string, free: number): Refusal =>
  new Refusal('NoSpace', `The snapshot needs ${needed}, and ${free} are free on its volume. It was not kept.`, {freeBytes: free});

/** What stands in a snapshot, read as etcd would. */
function describe(place: DataPlace, path: string, {sha256, bytes, expectMember}: {sha256: string; bytes: number; expectMember: string | undefined}): Omit<SnapshotFacts, 'already'> {
  try {
    const {revision, consistentIndex, members} = readBackend(path);
    if (expectMember !== undefined && !members.some(({id}) => id === expectMember)) {
      throw new Refusal('MemberMismatch', `The snapshot is of a cluster without member ${expectMember}: another etcd answers there. It was not kept.`);
    }
    return {path: relativeTo(place.root, path), bytes, sha256, revision, consistentIndex};
  } catch (error) {
    if (error instanceof BoltError) throw new Refusal('Unreadable', `The database that etcd sends cannot be read: ${error.message}. It was not kept.`);
    throw error;
  }
}

/** What the end of a snapshot says its SHA-256 is, in hex: of it alone, whatever the content is. */
export function hashAtEnd(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const end = Buffer.alloc(hashBytes);
    const count = readSync(fd, end, 0, hashBytes, Math.max(0, fstatSync(fd).size - hashBytes));
    return end.subarray(0, count).toString('hex');
  } finally {
    closeSync(fd);
  }
}

/** The SHA-256 of a snapshot that is there; undefined: it does not match the one at its end. */
export function checkedHash(path: string): string | undefined {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 18);
  let last: Buffer = Buffer.alloc(0);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) {
      const ahead = Buffer.concat([last, chunk.subarray(0, count)]);
      const known = Math.max(0, ahead.length - hashBytes);
      hash.update(ahead.subarray(0, known));
      last = ahead.subarray(known);
    }
  } finally {
    closeSync(fd);
  }
  const sha256 = hash.digest('hex');
  return sha256 === last.toString('hex') ? sha256 : undefined;
}
