import {closeSync, constants, fsyncSync, openSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {readIdentity} from '../etcd/wal/wal.ts';
import type {Arguments} from './arguments.ts';
import {giveTo, syncDirectory} from './durable.ts';
import {Refusal} from './failure.ts';
import {walkTree} from './files.ts';
import type {DataPlace} from './place.ts';
import type {RestoredFiles} from './report.ts';
import {clearStaging} from './staging.ts';
import type {Part} from './staging.ts';
import {statIfThere} from './volume.ts';

/** Below the run's directory on each volume: where etcdutl builds the data of a member from a snapshot. It wants an empty place. */
export const builtDirectory = 'built';

/** Where etcdutl puts what belongs in the place of this part: `--data-dir` gets a member directory, `--wal-dir` is the WAL itself. */
function builtAs({what, staged}: Part): string {
  const home = join(dirname(dirname(staged)), builtDirectory);
  return what === 'data' ? join(home, 'data', 'member') : join(home, 'wal');
}

/** Makes room for what etcdutl builds. What an attempt that was killed has built is whole or not: it is built anew. */
export function clearBuilt(place: DataPlace, parts: readonly Part[]): void {
  const homes = [...new Set(parts.map((part) => join(dirname(dirname(part.staged)), builtDirectory)))];
  for (const home of homes) {
    if (statIfThere(home) !== undefined) {
      place.durable.removeTree(home);
    }
    place.durable.makeDirectory(home);
  }
}

/**
 * Takes what etcdutl has built for this very member, as the trees that are put in the data's place: on the disk, and its owner's.
 * @throws {Refusal} NoData where it is not there or not whole, MemberMismatch, ClusterMismatch
 */
export function adoptBuilt(place: DataPlace, parts: readonly Part[], {expectMember, expectCluster}: Pick<Arguments, 'expectMember' | 'expectCluster'>): RestoredFiles {
  const built = parts.map((part) => ({part, from: builtAs(part)}));
  const absent = built.find(({from}) => statIfThere(from)?.isDirectory() !== true);
  if (absent !== undefined) {
    throw new Refusal('NoData', `etcdutl has built nothing in ${absent.from}. Nothing was changed.`);
  }
  const wal = built.find(({part}) => part.what === 'wal')?.from ?? join(built[0]?.from ?? '', 'wal');
  requireMember(wal, expectMember, expectCluster);
  const owner = statIfThere(place.dataDirectory);
  const entries = built.flatMap(({from}) => walkTree(from).map(({path, stats}) => ({path: join(from, path), stats})));
  // Each is on the disk before anything is renamed; directories after what is in them.
  for (const {path, stats} of [...entries].reverse()) {
    giveTo(path, owner);
    if (stats.isDirectory()) {
      syncDirectory(path);
    } else {
      syncFile(path);
    }
  }
  clearStaging(place, parts);
  for (const {part, from} of built) {
    place.durable.makeDirectory(dirname(part.staged));
    place.durable.rename(from, part.staged);
  }
  const files = entries.filter(({stats}) => stats.isFile());
  return {
    files: files.length, bytes: files.reduce((sum, {stats}) => sum + stats.size, 0),
    copiedBytes: files.reduce((sum, {stats}) => sum + Math.min(stats.size, stats.blocks * 512), 0), reflinked: 0,
  };
}

/** The WAL's first record names whose it is. */
function requireMember(wal: string, expectMember: string | undefined, expectCluster: string | undefined): void {
  const identity = readIdentity(wal);
  if (identity === undefined || 'error' in identity) {
    throw new Refusal('NoData', `What etcdutl has built in ${wal} is no log${identity === undefined ? '' : `: ${identity.error}`}. Nothing was changed.`);
  }
  if (expectMember !== undefined && identity.memberID !== expectMember) {
    throw new Refusal('MemberMismatch', `etcdutl has built the data of member ${identity.memberID}, not of ${expectMember}. Nothing was changed.`);
  }
  if (expectCluster !== undefined && identity.clusterID !== expectCluster) {
    throw new Refusal('ClusterMismatch', `etcdutl has built the data of cluster ${identity.clusterID}, not of ${expectCluster}. Nothing was changed.`);
  }
}

function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
