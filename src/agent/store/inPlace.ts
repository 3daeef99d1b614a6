import {closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {builtDirectory} from '../built.ts';
import {errorCode, Refusal} from '../failure.ts';
import type {PrepareSeedReport} from '../report.ts';
import {checkedHash, hashAtEnd} from '../snapshot.ts';
import type {StoreArguments} from './arguments.ts';
import {checkEntry, checkFile} from './check.ts';
import type {ClaimStore} from './claim.ts';
import {expectedBy, nothingFor} from './fetch.ts';
import {entriesOf} from './records.ts';
import type {StoredObject} from './store.ts';

/*
 * A snapshot on a claim is read where it is, by the agent first, which says that it is the one that was approved, and then by etcdutl. All of its
 * content was verified for the plan, and etcdutl compares what it copies with the SHA-256 at the file's end (etcdutl/snapshot/v3_snapshot.go,
 * copyAndVerifyDB): so the agent compares that one with the approved one, and reads nothing else, where a GiB takes seconds.
 * In between somebody may put another snapshot in its place. So the agent notes which file it was and when that was written last, and
 * asks once more when etcdutl has ended: whatever wrote to it, or replaced it, left another inode, size or time.
 */

/**
 * A file that was written less than this before it is looked at, ms, may be written again within what its file system takes for the same moment (two
 * seconds are the coarsest): it is looked at later.
 */
const settledMs = 2_000;

/** Beside what etcdutl builds, and gone with it before anything is built anew. A pod that follows a crash verifies again, so it need not be on the disk. */
const noteOf = (runDirectory: string): string => join(runDirectory, builtDirectory, 'snapshot.json');

interface Identity {
  /** Inode, size and time of the last write. */
  written: string;
  writtenAt: number;
  /** Of the last change of anything, owner and mode included: a kubelet that mounts the claim for another pod with an fsGroup makes one. */
  changed: string;
}

interface Note extends Pick<Identity, 'written' | 'changed'> {
  name: string;
  sha256: string;
}

export interface Clock {
  now: () => number;
  pause: (ms: number) => Promise<unknown>;
}

const clock: Clock = {now: Date.now, pause: delay};

/** Opened and not only looked for: that is when a client of a network file system asks its server. undefined: there is no such file. */
function identityOf(path: string): Identity | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const {ino, size, mtimeNs, ctimeNs} = fstatSync(fd, {bigint: true});
    return {written: [ino, size, mtimeNs].join(' '), writtenAt: Number(mtimeNs / 1_000_000n), changed: String(ctimeNs)};
  } finally {
    closeSync(fd);
  }
}

const changed = (name: string, where: string, what: string): Refusal =>
  new Refusal('SnapshotChanged', `snapshot ${name} in ${where} ${what}. What was read of it is not used, and no data was changed: leave the file alone until the restore is over`);

async function settled(path: string, {now, pause}: Clock): Promise<Identity | undefined> {
  const isFresh = (one: Identity | undefined): boolean => one !== undefined && Math.abs(now() - one.writtenAt) < settledMs;
  let found = identityOf(path);
  if (isFresh(found)) {
    await pause(settledMs);
    found = identityOf(path);
  }
  return isFresh(found) ? undefined : found;
}

/** What is known of the file by the hash that was approved, without its content; undefined: none was. */
function byApproved(path: string, {name, bytes}: StoredObject, approved: string | undefined): {bytes: number; sha256: string} | undefined {
  if (approved === undefined) return undefined;
  const sha256 = hashAtEnd(path);
  if (sha256 !== approved) throw new Refusal('SnapshotDamaged', `Snapshot ${name} is another one than was approved, or was cut off or changed since: its end says that its SHA-256 is ${sha256}, and not ${approved}.`);
  return {bytes, sha256};
}

/**
 * Says that the named snapshot is, where it is, the one that was approved, or reads all of its content where no hash was; and notes which file that was.
 * @throws {Refusal} NoSnapshot, SnapshotTruncated, SnapshotDamaged, Unreadable, SnapshotChanged
 */
export async function verifyInPlace(runDirectory: string, args: StoreArguments, store: ClaimStore, time = clock): Promise<NonNullable<PrepareSeedReport['verified']>> {
  const [entry] = await entriesOf(store, args.name);
  if (entry === undefined) throw new Refusal('NoSnapshot', nothingFor(args, store, await entriesOf(store), []));
  const {name} = entry.object;
  const expected = expectedBy(args);
  checkEntry(entry, expected, time.now());
  const path = store.fileOf(name);
  const identity = await settled(path, time);
  if (identity === undefined) throw changed(name, store.where, 'is being written to');
  const {bytes, sha256} = byApproved(path, entry.object, expected.sha256) ?? checkFile(path, entry, expected);
  if (identityOf(path)?.written !== identity.written) throw changed(name, store.where, 'was written to or replaced while it was verified');
  const note: Note = {name, sha256, written: identity.written, changed: identity.changed};
  writeFileSync(noteOf(runDirectory), JSON.stringify(note), {mode: 0o600});
  return {name, bytes, sha256};
}

/**
 * After etcdutl has read it: it is the very file that was verified. Where only its owner or mode seem to be other ones, its content is read again:
 * a time of writing can be put back, the time of a change cannot.
 * @throws {Refusal} NoData where nothing was verified, SnapshotChanged
 */
export function requireUnchanged(runDirectory: string, name: string, store: ClaimStore): void {
  const note = noteIn(noteOf(runDirectory));
  if (note?.name !== name) throw new Refusal('NoData', `no snapshot ${name} was verified before the data of the member was built. Nothing was changed`);
  const path = store.fileOf(name);
  const found = identityOf(path);
  const isSame = found?.written === note.written && (found.changed === note.changed || checkedHash(path) === note.sha256);
  if (!isSame) throw changed(name, store.where, `was ${found === undefined ? 'taken away' : 'written to or replaced'} while it was restored`);
}

function noteIn(path: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Note;
  } catch {
    return undefined;
  }
}
