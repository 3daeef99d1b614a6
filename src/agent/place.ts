import {join, relative} from 'node:path';
import type {Arguments} from './arguments.ts';
import {Durable} from './durable.ts';
import {Refusal} from './failure.ts';
import {readGuard} from './guard.ts';
import {isInside, realRoot, resolveInside, statIfThere} from './volume.ts';

/** Where a command works: real paths, all inside their volumes. */
export interface Place {
  run: string;
  /** Real mount point of the data volume. */
  root: string;
  /** Directory of this run on the data volume; it need not exist. */
  runDirectory: string;
  durable: Durable;
}

export interface DataPlace extends Place {
  dataDirectory: string;
  /** What etcd makes in the data directory; the guard file stands here after a set-aside. */
  member: string;
  wal: WalPlace;
}

export interface WalPlace {
  path: string;
  /** False: inside the member directory, and it goes wherever that goes. */
  separate: boolean;
  /** Real mount point of its volume. */
  root: string;
  /** Directory of this run on that volume. */
  runDirectory: string;
}

/** Name, below the root, of everything that is this operator's. */
export const ownDirectory = '.quorumrecovery';

export function locate(args: Arguments, onStep?: (what: string) => void): Place {
  const root = realRoot(args.root);
  const stats = statIfThere(root);
  const owner = stats === undefined ? undefined : {uid: stats.uid, gid: stats.gid};
  return {run: args.run, root, runDirectory: runDirectory(root, args.run), durable: new Durable(onStep, owner)};
}

export function locateData(args: Arguments, onStep?: (what: string) => void): DataPlace {
  const place = locate(args, onStep);
  const dataDirectory = resolveInside(args.root, place.root, args.dataDir ?? args.root);
  if (isOwn(place.root, dataDirectory)) {
    throw new Refusal('BadUsage', `--data-dir must not be in ${ownDirectory}.`);
  }
  const member = join(dataDirectory, 'member');
  if (statIfThere(member)?.isSymbolicLink() === true) {
    throw new Refusal('UnsafePath', `${member} is a symbolic link: it is not followed, and not renamed.`);
  }
  const stats = statIfThere(dataDirectory);
  const durable = stats === undefined ? place.durable : new Durable(onStep, {uid: stats.uid, gid: stats.gid});
  return {...place, durable, dataDirectory, member, wal: locateWal(args, place, dataDirectory, member)};
}

function locateWal(args: Arguments, place: Place, dataDirectory: string, member: string): WalPlace {
  const usual = join(member, 'wal');
  if (args.walDir === undefined) {
    refuseLink(usual);
    return {path: usual, separate: false, root: place.root, runDirectory: place.runDirectory};
  }
  const root = args.walRoot === undefined ? place.root : realRoot(args.walRoot);
  const path = resolveInside(args.walRoot ?? args.root, root, args.walDir);
  if (path === root || isInside(path, dataDirectory) || isOwn(root, path)) {
    throw new Refusal('BadUsage', `--wal-dir ${args.walDir} must be a directory of its own below its volume's root.`);
  }
  const separate = !isInside(member, path);
  return {path, separate, root, runDirectory: runDirectory(root, args.run)};
}

/** Below what this operator keeps on a volume. */
function isOwn(root: string, path: string): boolean {
  return isInside(join(root, ownDirectory), path);
}

function refuseLink(path: string): void {
  if (statIfThere(path)?.isSymbolicLink() === true) {
    throw new Refusal('UnsafePath', `${path} is a symbolic link; name the directory that it leads to with --wal-dir.`);
  }
}

/** Neither the directory of the run nor the one above it may be a link. */
function runDirectory(root: string, run: string): string {
  resolveInside(root, root, join(root, ownDirectory));
  return resolveInside(root, root, join(root, ownDirectory, run));
}

/** A path for the report: below its volume's root, with no word of where that is mounted. */
export function relativeTo(root: string, path: string): string {
  return relative(root, path);
}

export type MemberKind = {kind: 'absent' | 'directory'} | {kind: 'guard'; run: string} | {kind: 'other'; what: string};

/** What stands in the place of the member directory. */
export function memberKind(place: DataPlace): MemberKind {
  const stats = statIfThere(place.member);
  if (stats === undefined) {
    return {kind: 'absent'};
  }
  if (stats.isDirectory()) {
    return {kind: 'directory'};
  }
  const guard = stats.isFile() ? readGuard(place.member) : undefined;
  return guard === undefined
    ? {kind: 'other', what: `${place.member} is neither a directory nor a guard file of this operator`}
    : {kind: 'guard', run: guard.run};
}
