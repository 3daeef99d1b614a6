import {closeSync, constants, fsyncSync, lstatSync, openSync, readFileSync, writeSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {Durable, giveTo} from '../durable.ts';
import {freeBytes} from '../facts.ts';
import {isSpaceError, Refusal} from '../failure.ts';
import {relativeTo} from '../place.ts';
import {reserveBytes} from '../report.ts';
import type {RefusedSnapshot, StoredSnapshot, StoreFetchReport} from '../report.ts';
import {checkedHash} from '../snapshot.ts';
import {realRoot, resolveInside, statIfThere} from '../volume.ts';
import type {StoreArguments} from './arguments.ts';
import {checkEntry, checkFile} from './check.ts';
import type {Expected} from './check.ts';
import {entriesOf, storedSnapshot} from './records.ts';
import type {Entry} from './records.ts';
import type {SnapshotStore} from './store.ts';

type Fetched = StoreFetchReport['snapshot'];

export interface FetchOptions {
  now: () => number;
  /** Bytes that what is made of the snapshot takes on the same volume: asked for together with its own, before the first is written. */
  beside?: number;
  free?: (path: string) => number;
  onStep?: (what: string) => void;
}

const snapshotFaults = ['SnapshotDamaged', 'SnapshotTruncated', 'SnapshotForeign', 'SnapshotTooOld', 'Unreadable'] as const;

const isFault = (reason: string): reason is RefusedSnapshot['reason'] => snapshotFaults.some((fault) => fault === reason);

export const expectedBy = (args: StoreArguments): Expected => ({
  members: args.expectMembers, isNamed: args.name !== undefined,
  ...(args.expectCluster !== undefined && {cluster: args.expectCluster}), ...(args.expectSHA256 !== undefined && {sha256: args.expectSHA256}),
  ...(args.maxAge !== undefined && {maxAge: args.maxAge}),
});

/**
 * Brings the named snapshot, or the newest that verifies and is of this cluster, onto a volume. The file appears whole and checked, or not at
 * all. One that is there from an earlier start is checked again and kept.
 * @throws {Refusal} NoSnapshot, or of a named one what is wrong with it; NoSpace, UnsafePath, StoreUnreachable, StoreRefused
 */
export async function storeFetch(args: StoreArguments, store: SnapshotStore, options: FetchOptions): Promise<StoreFetchReport> {
  const begin = performance.now();
  const root = realRoot(args.root ?? '');
  const target = resolveInside(args.root ?? '', root, args.to ?? join(args.root ?? '', 'snapshot.db'));
  const owner = lstatSync(root);
  const place: Place = {root, target, durable: new Durable(options.onStep, {uid: owner.uid, gid: owner.gid}), owner, free: options.free ?? freeBytes, beside: options.beside ?? 0};
  const head = {ok: true, command: 'store-fetch', run: args.run} as const;
  const there = args.discard ? undefined : fetchedBefore(place, args);
  if (there !== undefined) return {...head, snapshot: there, path: relativeTo(root, target), already: true, refused: [], milliseconds: Math.round(performance.now() - begin)};
  const {snapshot, refused} = await fetchNewest(args, store, place, options.now());
  return {...head, snapshot, ...(!args.discard && {path: relativeTo(root, target)}), already: false, refused, milliseconds: Math.round(performance.now() - begin)};
}

interface Place {
  root: string;
  target: string;
  durable: Durable;
  owner: {uid: number; gid: number};
  free: (path: string) => number;
  beside: number;
}

async function fetchNewest(args: StoreArguments, store: SnapshotStore, place: Place, now: number): Promise<{snapshot: Fetched; refused: RefusedSnapshot[]}> {
  const candidates = await entriesOf(store, args.name);
  const refused: RefusedSnapshot[] = [];
  for (const entry of candidates) {
    try {
      return {snapshot: await fetchOne(entry, args, store, place, now), refused};
    } catch (error) {
      if (!(error instanceof Refusal) || !isFault(error.reason)) throw error;
      if (args.name !== undefined) throw error;
      refused.push({name: entry.object.name, reason: error.reason, message: error.message});
    }
  }
  throw new Refusal('NoSnapshot', nothingFor(args, store, args.name === undefined ? candidates : await entriesOf(store), refused), {refused});
}

export function nothingFor({name}: StoreArguments, {where}: SnapshotStore, entries: readonly Entry[], refused: readonly RefusedSnapshot[]): string {
  if (entries.length === 0) return `There is no snapshot in ${where}.`;
  if (name !== undefined) return `There is no snapshot ${name} in ${where}; the newest there are ${entries.slice(0, 5).map(({object}) => object.name).join(', ')}.`;
  return `None of the ${entries.length} snapshots in ${where} may be taken. The newest: ${refused[0]?.message ?? ''}`;
}

async function fetchOne(entry: Entry, args: StoreArguments, store: SnapshotStore, place: Place, now: number): Promise<Fetched> {
  const expected = expectedBy(args);
  checkEntry(entry, expected, now);
  const {durable, target} = place;
  const temporary = `${target}.tmp`;
  durable.makeDirectory(dirname(target));
  if (statIfThere(temporary) !== undefined) durable.remove(temporary);
  try {
    await download(entry, store, temporary, place);
    const contents = checkFile(temporary, entry, expected);
    const {revision, sha256, members, bytes} = contents;
    const snapshot = {...storedSnapshot(entry), bytes, sha256, revision, members};
    if (args.discard) {
      durable.remove(temporary);
      return snapshot;
    }
    durable.writeFile(noteOf(target), JSON.stringify(snapshot));
    durable.rename(temporary, target);
    return snapshot;
  } catch (error) {
    if ((error instanceof Refusal || isSpaceError(error)) && statIfThere(temporary) !== undefined) durable.remove(temporary);
    throw isSpaceError(error) ? noSpace(entry.object.bytes, place) : error;
  }
}

async function download({object: {name, bytes}}: Entry, store: SnapshotStore, path: string, place: Place): Promise<void> {
  if (bytes + place.beside + reserveBytes > place.free(place.root)) throw noSpace(bytes, place);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    let came = 0;
    for await (const piece of store.read(name)) {
      came += piece.length;
      if (came > bytes) break;
      for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
    }
    if (came !== bytes) throw new Refusal('SnapshotTruncated', `Of snapshot ${name} ${came < bytes ? 'only' : 'more than'} ${came} of ${bytes} bytes came.`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  giveTo(path, place.owner);
}

function noSpace(bytes: number, {beside, root, free}: Place): Refusal {
  const [neededBytes, freeBytes] = [bytes + beside + reserveBytes, free(root)];
  const words = beside === 0 ? `The snapshot needs ${neededBytes} bytes on the volume that it is fetched to, and ${freeBytes} are free.`
    : `the snapshot and the data of the member that is made from it take ${neededBytes} bytes, and ${freeBytes} are free on the volume: enlarge it, or remove old data that was set aside on it (.quorumrecovery). Nothing was changed`;
  return new Refusal('NoSpace', words, {neededBytes, freeBytes});
}

/** Beside the file: which snapshot it is. */
const noteOf = (target: string): string => `${target}.json`;

/** What an earlier start has fetched, checked again; undefined: nothing, or not what is asked for now. */
function fetchedBefore({target, durable}: Place, args: StoreArguments): Fetched | undefined {
  const stats = statIfThere(target);
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw new Refusal('Conflict', `${target} is no file. Nothing was changed; a person has to say what it is.`);
  const note = readNote(noteOf(target));
  const sha256 = note === undefined ? undefined : checkedHash(target);
  const asked = note !== undefined && (args.name === undefined || args.name === note.name) && (args.expectSHA256 === undefined || args.expectSHA256 === sha256);
  if (asked && sha256 === note.sha256) return note;
  durable.remove(target);
  return undefined;
}

function readNote(path: string): Fetched | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as StoredSnapshot as Fetched;
  } catch {
    return undefined;
  }
}
