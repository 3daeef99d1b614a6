import {closeSync, constants, openSync, readFileSync, readSync} from 'node:fs';
import {join} from 'node:path';
import {segmentNames} from '../etcd/wal/segments.ts';
import {errorCode} from './failure.ts';
import type {DataPlace} from './place.ts';
import type {TailConfChange} from './report.ts';

/*
 * tail.json of the run directory: which tails this run committed, written before the WAL is changed. A second start finds nothing left to
 * commit, and still has to tell how many entries were recovered. What was only intended does not count: each record is looked up in the
 * WAL, where its bytes are unlike any others', because its checksum continues that of the whole log before it.
 */

/** One committed tail, and the record that commits it. */
export interface TailCommit {
  attempt: number;
  entries: number;
  fromIndex: number;
  toIndex: number;
  confChanges?: TailConfChange[];
  confChangesOmitted?: number;
  segment: string;
  offset: number;
  /** The whole record, hex. */
  frame: string;
}

/** Commits of this run whose record stands in the WAL, in order. */
export function recallCommits(place: DataPlace): TailCommit[] {
  const memory = readMemory(place);
  const segments = memory.length === 0 ? [] : segmentNames(place.wal.path);
  return memory.filter((commit) => segments.includes(commit.segment) && stands(place, commit));
}

/** Keeps them durably; without any there is nothing to keep. */
export function rememberCommit(place: DataPlace, commits: readonly TailCommit[]): void {
  if (commits.length > 0) {
    place.durable.writeFile(memoryPath(place), `${JSON.stringify({run: place.run, commits})}\n`);
  }
}

function stands({wal}: DataPlace, {segment, offset, frame}: TailCommit): boolean {
  const expected = Buffer.from(frame, 'hex');
  const fd = openSync(join(wal.path, segment), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const found = Buffer.alloc(expected.length);
    return readSync(fd, found, 0, found.length, offset) === found.length && found.equals(expected);
  } finally {
    closeSync(fd);
  }
}

/** Nothing for a file that is missing or makes no sense: a number that is not known is not told. */
function readMemory(place: DataPlace): TailCommit[] {
  let text: string;
  try {
    text = readFileSync(memoryPath(place), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return [];
    }
    throw error;
  }
  try {
    const {run, commits} = JSON.parse(text) as {run?: string; commits?: Partial<TailCommit>[]};
    return run === place.run && Array.isArray(commits) ? commits.filter(isCommit) : [];
  } catch {
    return [];
  }
}

function isCommit(value: Partial<TailCommit>): value is TailCommit {
  const {entries, fromIndex, toIndex, offset, segment, frame} = value;
  return [entries, fromIndex, toIndex, offset].every((number) => Number.isSafeInteger(number) && (number ?? -1) >= 0)
    && typeof segment === 'string' && typeof frame === 'string' && frame !== '';
}

function memoryPath(place: DataPlace): string {
  return join(place.runDirectory, 'tail.json');
}
