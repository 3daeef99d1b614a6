import {lstatSync, readdirSync, realpathSync} from 'node:fs';
import type {Stats} from 'node:fs';
import {join} from 'node:path';
import {asideIntentPath, blockPath, isFilled, refuseForeign} from './aside.ts';
import {errorCode, Refusal} from './failure.ts';
import {readBlock} from './guard.ts';
import {anyLocked} from './locks.ts';
import {sealRun} from './marker.ts';
import {memberKind} from './place.ts';
import type {DataPlace} from './place.ts';
import type {PrunedRun} from './report.ts';
import {isUnfinished} from './restoring.ts';
import {isInside, statIfThere} from './volume.ts';

/*
 * Removes what a run kept, beside an etcd that may be running: it looks at the data directory and changes nothing there.
 *   seal, small files out, each directory to a name that says it is being removed, those directories out
 * The records stay: the seal refuses a late force, and the others tell a late prepare-join and restore-copy what has been.
 */

/** A run's directory on one volume, and what of it is to be removed. */
interface Home {
  path: string;
  trees: string[];
  files: string[];
  left: string[];
  count: number;
  bytes: number;
}

export interface PrunePlan {
  place: DataPlace;
  homes: Home[];
}

const removing = 'removing-';
const records = /^(sealed|join-[0-9a-f]{1,16}|restored-[1-9][0-9]*)$/;
const kept = /^(copy(\.tmp)?|restore|built|set-aside(-[1-9][0-9]*)?|removing-.+)$/;
const small = /^(force-[1-9][0-9]*|tail\.json|(snapshot|survivor)\.db(\.tmp)?|snapshot\.db\.json(\.tmp)?|\.force-.+\.tmp|\.sealed\.tmp|(tail\.json|set-aside-intent\.json|restore-intent\.json|guard|block|join-.+|restored-.+)\.tmp)$/;
const data = /^(copy|set-aside(-[1-9][0-9]*)?)$/;
const namedAtMost = 4;

/**
 * Looks at everything first, and changes nothing.
 * @throws {Refusal} Guarded, NoData, Unfinished, Conflict, UnsafePath, DataInUse
 */
export function planPrune(place: DataPlace): PrunePlan {
  refuseNeeded(place);
  const paths = [...new Set([place.runDirectory, place.wal.runDirectory])];
  refuseLinksTo(place, paths);
  const homes = paths.map((path) => survey(place, path));
  refuseOnlyData(place, homes);
  return {place, homes};
}

export function pruneRun({place, homes}: PrunePlan): PrunedRun {
  const sealed = sealRun(place);
  homes.forEach((home) => {
    empty(place, home);
  });
  const left = homes.flatMap((home) => home.left).slice(0, namedAtMost);
  return {
    run: place.run,
    files: homes.reduce((sum, {count}) => sum + count, 0),
    bytes: homes.reduce((sum, {bytes}) => sum + bytes, 0),
    already: !sealed && homes.every(({trees, files}) => trees.length === 0 && files.length === 0),
    ...(left.length === 0 ? {} : {left}),
  };
}

/** While the run is not over on this volume, what it keeps is its member's only data, or needed for the next start of a command. */
function refuseNeeded(place: DataPlace): void {
  const member = memberKind(place);
  refuseForeign(member);
  if (member.kind === 'guard' && member.run === place.run) {
    throw new Refusal('Guarded', `The guard file of run ${place.run} stands in ${place.dataDirectory}: what the run set aside is the only data here. `
      + 'Nothing was removed. Let the member join, or put its data back first.');
  }
  const block = blockPath(place);
  const blocked = statIfThere(block)?.isFile() === true && readBlock(block)?.run === place.run;
  if (blocked || isUnfinished(place) || statIfThere(asideIntentPath(place)) !== undefined) {
    throw new Refusal('Unfinished', `Run ${place.run} was interrupted while it moved the data in ${place.dataDirectory}. `
      + 'Nothing was removed. The command that was interrupted has to end first: start it again.');
  }
}

/** An empty data directory without a guard: a member that has not joined yet, or whose data somebody lost. */
function refuseOnlyData(place: DataPlace, homes: readonly Home[]): void {
  const {kind} = memberKind(place);
  const empty = kind === 'absent' || (kind === 'directory' && !isFilled(place.wal.path));
  if (empty && homes.some(({trees}) => trees.some((name) => data.test(name)))) {
    throw new Refusal('NoData', `There is no etcd data in ${place.dataDirectory}: what run ${place.run} keeps is the only data on this volume. `
      + 'Nothing was removed. Let the member join, or put its data back first.');
  }
}

/** Data that is in use must not be behind a link in what goes: somebody may have put it back that way. */
function refuseLinksTo(place: DataPlace, homes: readonly string[]): void {
  for (const path of [...linksBelow(place.member), ...linksBelow(place.wal.path)]) {
    const target = targetOf(path);
    if (target !== undefined && homes.some((home) => isInside(home, target))) {
      throw new Refusal('UnsafePath', `${path} is a symbolic link to ${target}, which run ${place.run} keeps: it is in use. Nothing was removed.`);
    }
  }
}

/** etcd may be working there: what is gone meanwhile is no link. */
function linksBelow(path: string): string[] {
  const stats = statIfThere(path);
  if (stats?.isSymbolicLink() === true) {
    return [path];
  }
  return stats?.isDirectory() === true ? namesIn(path).flatMap((name) => linksBelow(join(path, name))) : [];
}

function survey(place: DataPlace, path: string): Home {
  const stats = statIfThere(path);
  if (stats !== undefined && !stats.isDirectory()) {
    throw new Refusal('Conflict', `${path} is not a directory. Nothing was removed; a person has to say what it is.`);
  }
  const names = stats === undefined ? [] : namesIn(path).filter((name) => !records.test(name)).sort();
  const own = names.filter((name) => kept.test(name) || small.test(name));
  const all = own.flatMap((name) => everything(join(path, name), path, stats?.dev));
  if (anyLocked(all.filter((one) => one.isFile()))) {
    // Somebody started an etcd on a copy, to look into it.
    throw new Refusal('DataInUse', `A process holds a lock on a file in ${path}: an etcd runs on what run ${place.run} keeps. Nothing was removed; stop it first.`);
  }
  const isTree = (name: string): boolean => lstatSync(join(path, name)).isDirectory();
  return {
    path,
    trees: own.filter(isTree),
    files: own.filter((name) => !isTree(name)),
    left: names.filter((name) => !own.includes(name)),
    count: all.filter((one) => !one.isDirectory()).length,
    // What has another name elsewhere stays allocated.
    bytes: all.reduce((sum, one) => sum + (one.isDirectory() || one.nlink === 1 ? one.blocks * 512 : 0), 0),
  };
}

/** Stats of all that would go with a path. Links are removed, not followed; one that leads out says that a person did something here. */
function everything(path: string, home: string, device: number | undefined): Stats[] {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) {
    const target = targetOf(path);
    if (target === undefined || !isInside(home, target)) {
      throw new Refusal('UnsafePath', `${path} is a symbolic link that leads out of ${home}. Nothing was removed; a person has to say what it is.`);
    }
  }
  if (stats.dev !== device) {
    throw new Refusal('UnsafePath', `Another file system is mounted at ${path}. Nothing was removed; a person has to say what it is.`);
  }
  return stats.isDirectory() ? [stats, ...readdirSync(path).flatMap((name) => everything(join(path, name), home, device))] : [stats];
}

function empty({durable, runDirectory}: DataPlace, {path, trees, files}: Home): void {
  const marked = trees.filter((name) => name.startsWith(removing));
  const fresh = trees.filter((name) => !name.startsWith(removing));
  for (const name of files) {
    durable.remove(join(path, name));
  }
  for (const name of marked) {
    durable.removeTree(join(path, name));
  }
  for (const name of fresh) {
    durable.rename(join(path, name), join(path, `${removing}${name}`));
  }
  for (const name of fresh) {
    durable.removeTree(join(path, `${removing}${name}`));
  }
  if (path !== runDirectory && statIfThere(path) !== undefined) {
    durable.removeEmptyDirectory(path);
  }
}

function targetOf(link: string): string | undefined {
  try {
    return realpathSync(link);
  } catch {
    return undefined;
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
      return [];
    }
    throw error;
  }
}
