import {createHash} from 'node:crypto';
import {chmodSync, mkdirSync} from 'node:fs';
import type {Stats} from 'node:fs';
import {join} from 'node:path';
import {freeBytes} from './facts.ts';
import {giveTo, syncDirectory} from './durable.ts';
import {isSpaceError, Refusal} from './failure.ts';
import {copyFile, digestFile, unchanged, walkTree} from './files.ts';
import type {TreeEntry} from './files.ts';
import {copyPath, damaged, readManifest, sameDigest} from './manifest.ts';
import type {Manifest, ManifestEntry, ManifestFile} from './manifest.ts';
import {memberKind, relativeTo} from './place.ts';
import type {DataPlace} from './place.ts';
import {reserveBytes} from './report.ts';
import type {CopyFacts} from './report.ts';
import {statIfThere} from './volume.ts';

interface Source {
  /** Name in the copy. */
  name: 'member' | 'wal';
  top: string;
  entries: TreeEntry[];
}

const pipelineFile = /(^|\/)\d+\.tmp$/;

export interface CopyOptions {
  now?: () => Date;
  /** Free bytes on the volume of a path. */
  free?: (path: string) => number;
}

/**
 * Copies the member directory, and a separate WAL directory, into `copy` of the run. A complete copy that is there is verified instead;
 * it is never replaced: it holds the data as it was before the first change.
 * @throws {Refusal} NoData, Guarded, NoSpace, CopyDamaged, DataInUse, UnsafePath
 */
export function copyData(place: DataPlace, options: CopyOptions = {}): CopyFacts {
  const target = copyPath(place.runDirectory);
  if (statIfThere(target) !== undefined) {
    return verifyCopy(place, target);
  }
  const sources = findSources(place);
  const temporary = `${target}.tmp`;
  place.durable.makeDirectory(place.runDirectory);
  if (statIfThere(temporary) !== undefined) {
    place.durable.removeTree(temporary);
  }
  const {now = () => new Date(), free = freeBytes} = options;
  requireSpace(place, sources, free);
  try {
    return makeCopy(place, {sources, temporary, target, now});
  } catch (error) {
    if (!isSpaceError(error) && !(error instanceof Refusal)) {
      throw error;
    }
    place.durable.removeTree(temporary);
    throw error instanceof Refusal ? error : noSpace(exactBytes(sources), free(place.root));
  }
}

function findSources(place: DataPlace): Source[] {
  const member = memberKind(place);
  if (member.kind === 'guard') {
    throw new Refusal('Guarded', `${place.member} is the guard file of run ${member.run}: the data was set aside, there is nothing to copy.`);
  }
  if (member.kind !== 'directory') {
    throw new Refusal('NoData', `There is no member directory in ${place.dataDirectory}: nothing to copy.`);
  }
  const sources: Source[] = [{name: 'member', top: place.member, entries: walkTree(place.member)}];
  if (place.wal.separate) {
    sources.push({name: 'wal', top: place.wal.path, entries: walkTree(place.wal.path)});
  }
  return sources;
}

interface Job {
  sources: Source[];
  temporary: string;
  target: string;
  now: () => Date;
}

function makeCopy(place: DataPlace, {sources, temporary, target, now}: Job): CopyFacts {
  const files: ManifestFile[] = [];
  const directories: ManifestEntry[] = [];
  const skipped: string[] = [];
  let reflinked = 0;
  let reflink = true;
  place.durable.makeDirectory(temporary);
  for (const source of sources) {
    for (const {path, stats} of source.entries) {
      const name = join(source.name, path);
      const to = join(temporary, name);
      if (stats.isDirectory()) {
        mkdirSync(to, {mode: 0o700});
        directories.push({path: name, ...ownership(stats)});
      } else if (pipelineFile.test(name)) {
        skipped.push(name);
      } else {
        const {reflinked: shared, ...digest} = copyFile(join(source.top, path), to, stats, reflink);
        reflink = shared;
        reflinked += shared ? 1 : 0;
        files.push({path: name, ...digest, ...ownership(stats)});
      }
    }
  }
  requireUnchanged(sources);
  finishDirectories(sources, temporary);
  const manifest: Manifest = {
    version: 1,
    run: place.run,
    createdAt: now().toISOString(),
    dataDirectory: relativeTo(place.root, place.dataDirectory),
    ...(place.wal.separate ? {walDirectory: relativeTo(place.wal.root, place.wal.path)} : {}),
    directories,
    files,
    skipped,
  };
  const text = `${JSON.stringify(manifest, null, 1)}\n`;
  place.durable.writeFile(join(temporary, 'manifest.json'), text);
  place.durable.rename(temporary, target);
  return {...summary(place, target, text, manifest), reflinked, already: false};
}

/** Modes and owners last, deepest first: a directory may be one that its owner cannot write to. */
function finishDirectories(sources: Source[], temporary: string): void {
  for (const source of sources) {
    for (const {path, stats} of source.entries.filter((entry) => entry.stats.isDirectory()).reverse()) {
      const to = join(temporary, source.name, path);
      syncDirectory(to);
      giveTo(to, stats);
      chmodSync(to, stats.mode & 0o7777);
    }
  }
}

function requireUnchanged(sources: Source[]): void {
  for (const source of sources) {
    const changed = source.entries.find(({path, stats}) => !stats.isDirectory() && !unchanged(join(source.top, path), stats));
    if (changed !== undefined) {
      throw new Refusal('DataInUse', `${join(source.top, changed.path)} changed while it was copied: a process still writes to the volume.`);
    }
  }
}

/** What the copy takes at most: holes and preallocated ends may make it less. */
function neededBytes(sources: Source[]): number {
  const allocated = sources.flatMap(({entries}) => entries)
    .filter(({path}) => !pipelineFile.test(path))
    .reduce((sum, {stats}) => sum + Math.min(stats.blocks * 512, stats.size + 4096), 0);
  return allocated + reserveBytes;
}

/** The same, without the parts that are zeros; it reads the files, so it is asked only where the first answer is not enough. */
function exactBytes(sources: Source[]): number {
  return sources.reduce((sum, {top, entries}) => sum + entries.reduce((bytes, {path, stats}) => {
    if (stats.isDirectory() || pipelineFile.test(path)) {
      return bytes;
    }
    return bytes + digestFile(join(top, path)).dataBytes + 4096;
  }, 0), reserveBytes);
}

/** What a copy of the data takes on its volume; files are only read where the simple answer is more than `available`. */
export function copyNeeds(place: DataPlace, available: number): number {
  const sources = findSources(place);
  const needed = neededBytes(sources);
  return needed <= available ? needed : exactBytes(sources);
}

function requireSpace(place: DataPlace, sources: Source[], freeOf: (path: string) => number): void {
  const free = freeOf(place.root);
  if (neededBytes(sources) <= free) {
    return;
  }
  const needed = exactBytes(sources);
  if (needed > free) {
    throw noSpace(needed, free);
  }
}

function noSpace(needed: number, free: number): Refusal {
  return new Refusal(
    'NoSpace',
    `A copy of the data needs ${needed} bytes, and ${free} are free on its volume. No copy was kept, and nothing was changed. `
      + 'Make room or enlarge the volume; the copy is tried again.',
    {neededBytes: needed, freeBytes: free},
  );
}

function verifyCopy(place: DataPlace, target: string): CopyFacts {
  const {manifest, text} = readManifest(place.run, target);
  for (const {path, ...expected} of manifest.files) {
    const file = join(target, path);
    const there = statIfThere(file)?.isFile() === true ? digestFile(file) : undefined;
    if (!sameDigest(there, expected)) {
      throw damaged(target, `${path} is not what was copied`);
    }
  }
  return {...summary(place, target, text, manifest), reflinked: 0, already: true};
}

function ownership({mode, uid, gid}: Stats): Omit<ManifestEntry, 'path'> {
  return {mode: mode & 0o7777, uid, gid};
}

function summary(place: DataPlace, target: string, text: string, {files}: Manifest): Omit<CopyFacts, 'already' | 'reflinked'> {
  return {
    path: relativeTo(place.root, target),
    files: files.length,
    bytes: files.reduce((sum, {size}) => sum + size, 0),
    copiedBytes: files.reduce((sum, {dataBytes}) => sum + dataBytes, 0),
    manifestSHA256: createHash('sha256').update(text).digest('hex'),
  };
}
