import {createHash} from 'node:crypto';
import {closeSync, constants, fsyncSync, openSync, readSync} from 'node:fs';
import {join} from 'node:path';
import {readBackend} from '../etcd/bolt/backend.ts';
import {BoltError} from '../etcd/bolt/meta.ts';
import type {Arguments} from './arguments.ts';
import {giveTo} from './durable.ts';
import {freeBytes} from './facts.ts';
import {isSpaceError, Refusal} from './failure.ts';
import {relativeTo} from './place.ts';
import type {DataPlace} from './place.ts';
import {ownSnapshotName, reserveBytes} from './report.ts';
import type {PrepareSeedReport} from './report.ts';
import {checkedHash, writeAll} from './snapshot.ts';
import {statIfThere} from './volume.ts';

/*
 * A snapshot that is made offline, of a member's own database: the file with its SHA-256 behind it, as etcd itself sends one. It is a copy and
 * no link, because a run that is let go leaves the database to its etcd.
 */

type Expected = Pick<Arguments, 'database' | 'expectIndex' | 'expectRevision'>;

const untouched = 'Nothing was changed.';

/** What is wrong with a database, as the one that the plan was made with; undefined: it is that one. */
function unlike(path: string, {expectIndex = 0, expectRevision = 0}: Expected): Refusal | undefined {
  try {
    const {consistentIndex, revision} = readBackend(path);
    if (consistentIndex === expectIndex && revision === expectRevision) {
      return undefined;
    }
    const found = `The database ${path} has entry ${consistentIndex} applied, at revision ${revision}; it was read with entry ${expectIndex}, at revision ${expectRevision}`;
    return consistentIndex < expectIndex
      ? new Refusal('BehindPlan', `${found}: it is another one, or an older state of it. ${untouched}`)
      : new Refusal('DataInUse', `${found}: something has written to it since. ${untouched}`);
  } catch (error) {
    if (error instanceof BoltError) {
      return new Refusal('Unreadable', `The database ${path} cannot be read: ${error.message}. ${untouched}`);
    }
    throw error;
  }
}

/**
 * The database that is there has to be the one that was read.
 * @throws {Refusal} NoData, Unreadable, BehindPlan, DataInUse
 */
export function requireDatabase(place: DataPlace, expected: Expected): void {
  if (expected.database === undefined) {
    return;
  }
  const path = join(place.member, 'snap', expected.database);
  if (statIfThere(path)?.isFile() !== true) {
    throw new Refusal('NoData', `There is no database ${path}. ${untouched}`);
  }
  const problem = unlike(path, expected);
  if (problem !== undefined) {
    throw problem;
  }
}

/**
 * Makes the snapshot. One that is there and is of this database is kept: a later start comes here when the data may have been set aside.
 * @throws {Refusal} NoData, Unreadable, BehindPlan, DataInUse, NoSpace, Conflict
 */
export function takeDatabase(place: DataPlace, {needs = 0, ...expected}: Expected & Pick<Arguments, 'needs'>): PrepareSeedReport['snapshot'] {
  const {database} = expected;
  if (database === undefined) {
    return undefined;
  }
  const target = join(place.runDirectory, ownSnapshotName);
  const facts = (sha256: string, already: boolean): PrepareSeedReport['snapshot'] =>
    ({path: relativeTo(place.root, target), bytes: statIfThere(target)?.size ?? 0, sha256, already});
  const there = madeBefore(place, target, expected);
  if (there !== undefined) {
    return facts(there, true);
  }
  requireDatabase(place, expected);
  const source = join(place.member, 'snap', database);
  const temporary = `${target}.tmp`;
  requireSpace(place, needs, statIfThere(source)?.size ?? 0);
  place.durable.makeDirectory(place.runDirectory);
  place.durable.remove(temporary);
  try {
    const sha256 = copyWithHash(source, temporary);
    giveTo(temporary, statIfThere(place.dataDirectory));
    // The copy, and not only what it is of: a medium that fails reads something else the next time.
    const problem = checkedHash(temporary) === sha256 ? unlike(temporary, expected) : new Refusal('SnapshotDamaged', `${temporary} is not what was written to it. ${untouched}`);
    if (problem !== undefined) {
      throw problem;
    }
    place.durable.rename(temporary, target);
    return facts(sha256, false);
  } catch (error) {
    if (isSpaceError(error) || error instanceof Refusal) {
      place.durable.remove(temporary);
    }
    throw isSpaceError(error) ? noSpace(needs + reserveBytes, freeBytes(place.root)) : error;
  }
}

/** The hash of a snapshot that an earlier start has made of this very database. */
function madeBefore(place: DataPlace, target: string, expected: Expected): string | undefined {
  const stats = statIfThere(target);
  if (stats === undefined) {
    return undefined;
  }
  if (!stats.isFile()) {
    throw new Refusal('Conflict', `${target} is no file. ${untouched} A person has to say what it is.`);
  }
  const sha256 = checkedHash(target);
  if (sha256 !== undefined && unlike(target, expected) === undefined) {
    return sha256;
  }
  place.durable.remove(target);
  return undefined;
}

function requireSpace(place: DataPlace, needs: number, bytes: number): void {
  const free = freeBytes(place.root);
  if (needs + bytes + reserveBytes > free) {
    throw noSpace(needs + bytes + reserveBytes, free);
  }
}

const noSpace = (needed: number, free: number): Refusal => new Refusal(
  'NoSpace',
  `The snapshot of the database, and the data of the member that is made from it, take ${needed} bytes, and ${free} are free on the volume: enlarge it, or remove old data that was set aside on it (.quorumrecovery). ${untouched}`,
  {neededBytes: needed, freeBytes: free},
);

/** @returns the SHA-256 that stands at the end of the copy */
function copyWithHash(source: string, path: string): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 18);
  const from = openSync(source, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const to = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      for (let count = readSync(from, chunk); count > 0; count = readSync(from, chunk)) {
        hash.update(chunk.subarray(0, count));
        writeAll(to, chunk.subarray(0, count));
      }
      const digest = hash.digest();
      writeAll(to, digest);
      fsyncSync(to);
      return digest.toString('hex');
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
}
