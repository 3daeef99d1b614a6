import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Refusal} from './failure.ts';
import type {DataPlace} from './place.ts';
import {statIfThere} from './volume.ts';

interface FileIdentity {
  dev: number;
  ino: number;
}

/**
 * Whether /proc/locks shows a held lock on one of the files. Its lines name device and inode: "5: OFDLCK ADVISORY WRITE -1 fe:00:9977955 0 EOF",
 * the device as major:minor in hex. etcd locks its WAL segments with open file description locks, which are shown in every PID namespace.
 */
export function isLocked(locks: string, files: readonly FileIdentity[]): boolean {
  const wanted = new Set(files.map(({dev, ino}) => `${major(dev)}:${minor(dev)}:${ino}`));
  for (const [, majorHex, minorHex, inode] of locks.matchAll(/\s([0-9a-f]+):([0-9a-f]+):(\d+)\s/g)) {
    if (wanted.has(`${Number.parseInt(majorHex ?? '', 16)}:${Number.parseInt(minorHex ?? '', 16)}:${inode ?? ''}`)) {
      return true;
    }
  }
  return false;
}

/** Linux packs 12 bits of major and 20 bits of minor into the lower 32 bits of st_dev. */
function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}

/** Whether this host shows a lock on one of the files; false where it does not say. */
export function anyLocked(files: readonly FileIdentity[]): boolean {
  try {
    return isLocked(readFileSync('/proc/locks', 'utf8'), files);
  } catch {
    return false;
  }
}

/**
 * Refuses where an etcd on this host holds its data. It is a last line, not a proof: a process on another host or a file system whose
 * device numbers differ (btrfs) does not show. That nothing runs is proven by the operator before the agent starts.
 * @throws {Refusal} DataInUse
 */
export function refuseRunningEtcd(place: DataPlace): void {
  const names = statIfThere(place.wal.path)?.isDirectory() === true ? readdirSync(place.wal.path) : [];
  const paths = [...names.map((name) => join(place.wal.path, name)), join(place.member, 'snap', 'db')];
  const files = paths.map((path) => statIfThere(path)).filter((stats) => stats?.isFile() === true);
  if (anyLocked(files as FileIdentity[])) {
    throw new Refusal('DataInUse', `An etcd on this node holds a lock on the data in ${place.dataDirectory}. Nothing was changed; stop it first.`);
  }
}
