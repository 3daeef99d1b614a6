import {readdirSync, statfsSync} from 'node:fs';
import {join} from 'node:path';
import {readBackend} from '../etcd/bolt/backend.ts';
import {BoltError} from '../etcd/bolt/meta.ts';
import {readWal} from '../etcd/wal/wal.ts';
import type {WalSummary} from '../etcd/wal/wal.ts';
import {errorCode} from './failure.ts';
import {memberKind} from './place.ts';
import type {DataPlace} from './place.ts';
import type {BackendError, BackendFacts, InspectFacts, PendingConfChange, VolumeFacts, WalFacts} from './report.ts';
import {statIfThere} from './volume.ts';

/** What inspection found, and the WAL that it read for it, so that nobody has to read that again. */
export interface Inspection {
  facts: InspectFacts;
  wal?: WalSummary;
}

/** Everything that `inspect` reports. It opens files for reading only, takes no lock, and may run beside an etcd. */
export function inspectData(place: DataPlace): Inspection {
  const volume = volumeFacts(place);
  const member = memberKind(place);
  switch (member.kind) {
    case 'guard':
      return {facts: {data: 'Guarded', guard: {run: member.run}, ...volume}};
    case 'other':
      return {facts: {data: 'Unreadable', corrupt: member.what, ...volume}};
    case 'absent':
    case 'directory':
      return dataFacts(place, volume);
  }
}

function dataFacts(place: DataPlace, volume: VolumeFacts): Inspection {
  // The backend first: an etcd that runs meanwhile applies nothing that is not in the WAL already, so the WAL can only be ahead.
  const current = readBackendFacts(join(place.member, 'snap', 'db'));
  const wal = readWal(place.wal.path);
  if (wal === undefined) {
    return {facts: withoutWal(place, volume, current)};
  }
  return {facts: walAndBackend(place, volume, wal, current), wal};
}

function walAndBackend(place: DataPlace, volume: VolumeFacts, wal: WalSummary, current: BackendFacts | BackendError): InspectFacts {
  const backend = startingBackend(place, current, wal.snapshot.index);
  const corrupt = wal.end.kind === 'corrupt' ? wal.end.message : contradiction(wal, backend);
  if (corrupt !== undefined || wal.metadata === undefined) {
    const facts = {data: 'Unreadable' as const, corrupt: corrupt ?? 'the WAL holds no metadata', ...volume, ...walFacts(wal, backend)};
    // One entry of two terms: log and database are not of one history, and which of them is this member's nobody knows.
    return corrupt !== undefined && wal.end.kind !== 'corrupt' && isOfAnotherTerm(wal, backend) ? facts : {...facts, backend};
  }
  return {
    data: 'Present',
    ...volume,
    ...walFacts(wal, backend),
    ...wal.metadata,
    backend,
    pendingConfChanges: pendingConfChanges(wal, backend),
  };
}

/**
 * etcd makes the backend before the WAL: one that was killed in its first second leaves an empty backend, and starts from nothing again.
 * A backend with content but no WAL is something else: somebody lost the WAL.
 */
function withoutWal(place: DataPlace, volume: VolumeFacts, backend: BackendFacts | BackendError): InspectFacts {
  const blank = 'error' in backend
    ? (backend.sizeBytes ?? 0) === 0
    : backend.consistentIndex === 0 && backend.members.length === 0 && backend.revision <= 1;
  return blank
    ? {data: 'Empty', ...volume}
    : {data: 'Unreadable', corrupt: `there is a backend, but no WAL in ${place.wal.path}`, backend, ...volume};
}

function walFacts(wal: WalSummary, backend: BackendFacts | BackendError): Partial<WalFacts> & Omit<WalFacts, 'memberID' | 'clusterID'> {
  const applied = 'error' in backend ? 0 : backend.consistentIndex;
  const kept = Math.max(wal.hardState.commit, applied);
  return {
    ...wal.metadata,
    ...wal.hardState,
    index: wal.index,
    lastEntryTerm: wal.lastEntryTerm,
    snapshotIndex: wal.snapshot.index,
    snapshotTerm: wal.snapshot.term,
    tail: {entries: Math.max(0, wal.index - kept)},
    torn: wal.end.kind === 'torn',
  };
}

/** What WAL and backend say of each other: an entry is applied only after it was written to the WAL. */
function contradiction(wal: WalSummary, backend: BackendFacts | BackendError): string | undefined {
  if ('error' in backend || backend.consistentIndex === 0) {
    return undefined;
  }
  const {consistentIndex} = backend;
  if (consistentIndex > wal.index) {
    return `the backend has applied entry ${consistentIndex}, but the WAL ends with entry ${wal.index}`;
  }
  return isOfAnotherTerm(wal, backend)
    ? `the backend has applied entry ${consistentIndex} of term ${backend.term}, but the WAL has it from term ${wal.termAt(consistentIndex) ?? '?'}`
    : undefined;
}

function isOfAnotherTerm(wal: WalSummary, backend: BackendFacts | BackendError): boolean {
  if ('error' in backend || backend.term === 0) return false;
  const logged = wal.termAt(backend.consistentIndex);
  return logged !== undefined && logged !== backend.term;
}

/** The backend that an etcd would start with. */
function startingBackend(place: DataPlace, current: BackendFacts | BackendError, snapshotIndex: number): BackendFacts | BackendError {
  if ('error' in current || snapshotIndex <= current.consistentIndex || current.consistentIndex === 0) {
    return current;
  }
  // A snapshot from the leader was received, and etcd was stopped before it took the file: it does so on its next start.
  const name = `${snapshotIndex.toString(16).padStart(16, '0')}.snap.db`;
  const received = join(place.member, 'snap', name);
  if (statIfThere(received) === undefined) {
    return {error: `it has applied entry ${current.consistentIndex}, the WAL has a snapshot at ${snapshotIndex}, and ${name} is not there`};
  }
  const backend = readBackendFacts(received);
  return 'error' in backend ? backend : {...backend, received: name};
}

function readBackendFacts(path: string): BackendFacts | BackendError {
  try {
    return readBackend(path);
  } catch (error) {
    if (error instanceof BoltError) {
      return {error: error.message, sizeBytes: statIfThere(path)?.size ?? 0};
    }
    if (errorCode(error) === 'ENOENT') {
      return {error: 'member/snap/db is not there'};
    }
    throw error;
  }
}

function pendingConfChanges(wal: WalSummary, backend: BackendFacts | BackendError): PendingConfChange[] {
  const applied = 'error' in backend ? wal.snapshot.index : backend.consistentIndex;
  return wal.confChanges.filter(({index}) => index > applied);
}

function volumeFacts(place: DataPlace): VolumeFacts {
  const stats = statIfThere(place.dataDirectory);
  const walBytes = allocatedBytes(place.wal.path);
  return {
    freeBytes: freeBytes(place.root),
    ...(place.wal.root === place.root ? {} : {walFreeBytes: freeBytes(place.wal.root)}),
    dataBytes: allocatedBytes(place.member) - (place.wal.separate ? 0 : walBytes),
    walBytes,
    ...(stats === undefined
      ? {}
      : {uid: stats.uid, gid: stats.gid, mode: `0${(stats.mode & 0o7777).toString(8).padStart(3, '0')}`}),
  };
}

/** Free for this user on the file system of a path. */
export function freeBytes(path: string): number {
  const {bavail, bsize} = statfsSync(path);
  return bavail * bsize;
}

function allocatedBytes(path: string): number {
  const stats = statIfThere(path);
  if (stats?.isDirectory() !== true) {
    return stats === undefined ? 0 : stats.blocks * 512;
  }
  return readdirSync(path).reduce((sum, name) => sum + allocatedBytes(join(path, name)), stats.blocks * 512);
}
