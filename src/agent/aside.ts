import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {errorCode, Refusal} from './failure.ts';
import {blockText, guardText, readBlock} from './guard.ts';
import {memberKind, relativeTo} from './place.ts';
import type {DataPlace, MemberKind} from './place.ts';
import type {SetAsideFacts} from './report.ts';
import {statIfThere} from './volume.ts';

/*
 * Renames the data away so that at no moment an etcd that starts would find an empty data directory and form a new cluster.
 *
 * A directory cannot be replaced by a file in one step, so there is a moment in which the data is away and the guard is not there yet. For
 * that moment a file named `proxy` stands in the data directory: etcd 3.4 to 3.7 exit on it at once, with a member directory beside it
 * ("both member and proxy directories exist") as without (3.6 and later: "v2 http proxy has already been deprecated"; before: it cannot
 * make a directory of that name). The order is
 *   intent, block, WAL away, data away, guard in (or out), block out, intent out
 * and a run that finds the traces of another goes on from there: every step is skipped where its result stands already. Where a copy is
 * put back (restoring.ts), it is moved in between "away" and "block out", in the guard's place.
 */

const numberedName = /^set-aside(?:-([1-9][0-9]*))?$/;

interface Intent {
  /** Number of the set-aside directory in which data and WAL belong together. */
  number: number;
}

/** What stands in the data directory when it is over: the guard, or nothing. */
export type Afterwards = 'guard' | 'nothing';

/** @returns true if anything had to be done */
export function setAside(place: DataPlace, afterwards: Afterwards): boolean {
  const member = memberKind(place);
  refuseForeign(member);
  const moved = takeAway(place, {data: member.kind === 'directory', wal: place.wal.separate && isFilled(place.wal.path)});
  return finish(place, memberKind(place), afterwards) || moved;
}

/** Moves the data, the WAL or both away, behind the block, which stays. Nothing happens where there is nothing to move. */
export function takeAway(place: DataPlace, moves: {data: boolean; wal: boolean}): boolean {
  if (!moves.data && !moves.wal) {
    return false;
  }
  const {durable} = place;
  const number = unfinishedNumber(place) ?? nextNumber(place);
  durable.makeDirectory(place.runDirectory);
  durable.writeFile(asideIntentPath(place), `${JSON.stringify({number} satisfies Intent)}\n`);
  block(place);
  if (moves.wal) {
    moveTo(place, place.wal.path, join(place.wal.runDirectory, asideName(number), 'wal'));
  }
  if (moves.data) {
    moveTo(place, place.member, join(place.runDirectory, asideName(number), 'member'));
  }
  return true;
}

/** Everything that this run has set aside so far, in order. */
export function movedSoFar(place: DataPlace): SetAsideFacts['moved'] {
  const data = asideNumbers(place.runDirectory).flatMap((number) => movedData(place, number));
  const wal = asideNumbers(place.wal.runDirectory).flatMap((number) => movedWal(place, number));
  return [...data, ...wal];
}

/** What belongs together under one number. */
export function movedAs(place: DataPlace, number: number): SetAsideFacts['moved'] {
  return [...movedData(place, number), ...movedWal(place, number)];
}

function movedData(place: DataPlace, number: number): SetAsideFacts['moved'] {
  return found(place.root, place.runDirectory, number, 'member').map((to) => ({what: 'data', to}));
}

function movedWal(place: DataPlace, number: number): SetAsideFacts['moved'] {
  return found(place.wal.root, place.wal.runDirectory, number, 'wal').map((to) => ({what: 'wal', to}));
}

/** Takes the block of an interrupted set-aside away, where the data that stands there is to be started as it is. */
export function unblock(place: DataPlace): void {
  const path = blockPath(place);
  if (statIfThere(path)?.isFile() === true && readBlock(path) !== undefined) {
    place.durable.remove(path);
  }
}

/** Ends a set-aside: etcd may start on what stands there now. */
export function conclude(place: DataPlace): void {
  unblock(place);
  if (statIfThere(asideIntentPath(place)) !== undefined) {
    place.durable.remove(asideIntentPath(place));
  }
}

/** Number of the set-aside that this run has begun and not ended. */
export function unfinishedNumber(place: DataPlace): number | undefined {
  try {
    const {number} = JSON.parse(readFileSync(asideIntentPath(place), 'utf8')) as Partial<Intent>;
    return number;
  } catch {
    return undefined;
  }
}

/** Lets the next set-aside of this run take a new number, where that of an unfinished one is no use any more. */
export function abandonAside(place: DataPlace): void {
  place.durable.remove(asideIntentPath(place));
}

function nextNumber(place: DataPlace): number {
  return Math.max(0, ...asideNumbers(place.runDirectory), ...asideNumbers(place.wal.runDirectory)) + 1;
}

function finish(place: DataPlace, member: MemberKind, afterwards: Afterwards): boolean {
  const {durable} = place;
  let changed = false;
  if (afterwards === 'guard' && member.kind === 'absent') {
    writeGuard(place);
    changed = true;
  }
  if (afterwards === 'nothing' && member.kind === 'guard') {
    durable.remove(place.member);
    changed = true;
  }
  conclude(place);
  return changed;
}

function writeGuard(place: DataPlace): void {
  const moved = movedSoFar(place).map(({to}) => to);
  place.durable.makeDirectory(place.runDirectory);
  place.durable.makeDirectory(place.dataDirectory);
  try {
    place.durable.writeFile(place.member, guardText(place.run, moved), join(place.runDirectory, 'guard.tmp'));
  } catch (error) {
    if (errorCode(error) === 'EISDIR') {
      throw new Refusal('DataInUse', `${place.member} was made anew while the old one was set aside: an etcd is running on this volume.`);
    }
    throw error;
  }
}

/** Keeps etcd from starting. */
export function block(place: DataPlace): void {
  if (blockedBy(place) === undefined) {
    place.durable.makeDirectory(place.dataDirectory);
    place.durable.writeFile(blockPath(place), blockText(place.run), join(place.runDirectory, 'block.tmp'));
  }
}

/**
 * The run whose block stands in the data directory.
 * @throws {Refusal} Conflict for anything else of that name
 */
export function blockedBy(place: DataPlace): string | undefined {
  const path = blockPath(place);
  const stats = statIfThere(path);
  const own = stats?.isFile() === true ? readBlock(path) : undefined;
  if (stats !== undefined && own === undefined) {
    throw new Refusal('Conflict', `${path} is not this operator's. etcd does not start beside it; a person has to say what it is.`);
  }
  return own?.run;
}

function moveTo(place: DataPlace, from: string, to: string): void {
  place.durable.makeDirectory(join(to, '..'));
  if (statIfThere(to) !== undefined) {
    throw new Refusal('Conflict', `${to} is there already, and ${from} too: neither is touched; a person has to say which is which.`);
  }
  try {
    place.durable.rename(from, to);
  } catch (error) {
    if (errorCode(error) === 'EXDEV') {
      throw new Refusal('BadUsage', `${from} is not on the volume that was named as its root: it cannot be renamed to ${to}.`);
    }
    throw error;
  }
}

/** @throws {Refusal} Conflict */
export function refuseForeign(member: MemberKind): void {
  if (member.kind === 'other') {
    throw new Refusal('Conflict', `${member.what}. Nothing was changed; a person has to say what it is.`);
  }
}

function asideName(number: number): string {
  return number === 1 ? 'set-aside' : `set-aside-${number}`;
}

function asideNumbers(runDirectory: string): number[] {
  const names = statIfThere(runDirectory)?.isDirectory() === true ? readdirSync(runDirectory) : [];
  return names.flatMap((name) => {
    const match = numberedName.exec(name);
    return match === null ? [] : [Number(match[1] ?? 1)];
  }).sort((a, b) => a - b);
}

function found(root: string, runDirectory: string, number: number, name: 'member' | 'wal'): string[] {
  const path = join(runDirectory, asideName(number), name);
  return statIfThere(path) === undefined ? [] : [relativeTo(root, path)];
}

export function isFilled(path: string): boolean {
  return statIfThere(path)?.isDirectory() === true && readdirSync(path).length > 0;
}

export function asideIntentPath(place: DataPlace): string {
  return join(place.runDirectory, 'set-aside-intent.json');
}

export function blockPath(place: DataPlace): string {
  return join(place.dataDirectory, 'proxy');
}
