import {createHash} from 'node:crypto';
import {chmodSync, mkdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {giveTo, syncDirectory} from './durable.ts';
import {freeBytes} from './facts.ts';
import {isSpaceError, Refusal} from './failure.ts';
import {copyFile, walkTree} from './files.ts';
import {copyPath, damaged, readManifest, sameDigest} from './manifest.ts';
import type {Manifest, ManifestEntry, ManifestFile} from './manifest.ts';
import {relativeTo} from './place.ts';
import type {DataPlace} from './place.ts';
import {reserveBytes} from './report.ts';
import type {RestoredFiles} from './report.ts';
import {isInside, statIfThere} from './volume.ts';

/*
 * A restore builds its trees here first, as a second copy beside the first, on the volume where each belongs. Until all of it is whole,
 * checked and on the disk, nothing of the member is touched; then a rename puts it in its place.
 */

/** One tree of a copy. */
export interface Part {
  what: 'data' | 'wal';
  /** Real mount point of the volume that it belongs to. */
  root: string;
  /** Where it is built. */
  staged: string;
  /** Where etcd looks for it. */
  target: string;
}

export interface StagingOptions {
  /** Free bytes on the volume of a path. */
  free?: (path: string) => number;
}

interface Tree {
  part: Part;
  /** Parents first. */
  directories: ManifestEntry[];
  files: ManifestFile[];
  /** What it takes on its volume at most. */
  bytes: number;
}

/** The WAL first: without the backend no etcd goes on from it. */
export function partsOf({runDirectory, root, member, wal}: DataPlace): Part[] {
  const data: Part = {what: 'data', root, staged: join(runDirectory, 'restore', 'member'), target: member};
  return wal.separate
    ? [{what: 'wal', root: wal.root, staged: join(wal.runDirectory, 'restore', 'wal'), target: wal.path}, data]
    : [data];
}

/**
 * Builds every part from the copy, and compares each file with the manifest while it is read.
 * @throws {Refusal} NoCopy, CopyDamaged, UnsafePath, BadUsage, NoSpace; nothing is left of it then
 */
export function stageCopy(place: DataPlace, parts: readonly Part[], {free = freeBytes}: StagingOptions = {}): RestoredFiles {
  const copy = copyPath(place.runDirectory);
  if (statIfThere(copy) === undefined) {
    throw new Refusal('NoCopy', `Run ${place.run} keeps no copy on this volume: it made none here, or it was pruned. Nothing was changed.`);
  }
  const {manifest, text} = readManifest(place.run, copy);
  requireLayout(place, manifest);
  const trees = readTrees(copy, manifest, parts);
  clearStaging(place, parts);
  requireSpace(trees, free);
  try {
    const reflinked = trees.reduce((sum, tree) => sum + buildTree(place, copy, tree), 0);
    return {...summary(manifest), reflinked, manifestSHA256: createHash('sha256').update(text).digest('hex')};
  } catch (error) {
    if (!isSpaceError(error) && !(error instanceof Refusal)) {
      throw error;
    }
    clearStaging(place, parts);
    throw error instanceof Refusal ? error : noSpace(needs(trees).find(({root, bytes}) => bytes > free(root)) ?? needs(trees)[0], free);
  }
}

/** Removes what a killed run built, or what is left of it when all is in its place. */
export function clearStaging(place: DataPlace, parts: readonly Part[]): void {
  for (const {staged} of parts) {
    if (statIfThere(dirname(staged)) !== undefined) {
      place.durable.removeTree(dirname(staged));
    }
  }
}

function requireLayout(place: DataPlace, {dataDirectory, walDirectory}: Manifest): void {
  const data = relativeTo(place.root, place.dataDirectory);
  const wal = place.wal.separate ? relativeTo(place.wal.root, place.wal.path) : undefined;
  const name = (one: string, other: string | undefined): string => `data directory "${one}"${other === undefined ? '' : ` and WAL directory "${other}"`}`;
  if (data !== dataDirectory || wal !== walDirectory) {
    throw new Refusal('BadUsage', `The copy of run ${place.run} was made of the ${name(dataDirectory, walDirectory)}, below the roots of their volumes; `
      + `the flags name the ${name(data, wal)}.`);
  }
}

/** What is in the manifest, as far as it stands in the copy too: a name that leads anywhere else is not found there. */
function readTrees(copy: string, manifest: Manifest, parts: readonly Part[]): Tree[] {
  const there = new Map(walkTree(copy).map(({path, stats}) => [path, stats]));
  const all = manifest.directories ?? [...there].filter(([, stats]) => stats.isDirectory())
    .map(([path, {mode, uid, gid}]) => ({path, mode: mode & 0o7777, uid, gid}));
  const trees = parts.map((part): Tree => {
    const name = nameOf(part);
    const directories = all.filter(({path}) => isInside(name, path)).sort((one, other) => (one.path < other.path ? -1 : 1));
    const files = manifest.files.filter(({path}) => isInside(name, path));
    const bytes = files.reduce((sum, {path, dataBytes}) => sum + Math.min(dataBytes, (there.get(path)?.blocks ?? 0) * 512) + 4096, 0);
    return {part, directories, files, bytes};
  });
  const directories = trees.flatMap((tree) => tree.directories.map(({path}) => path));
  const listed = manifest.directories?.map(({path}) => path) ?? [];
  const lost = [...parts.map(nameOf), ...listed, ...directories].find((path) => !directories.includes(path) || there.get(path)?.isDirectory() !== true);
  if (lost !== undefined) {
    throw damaged(copy, `the directory ${lost} is not what was copied`);
  }
  const wrong = manifest.files.find(({path, size}) => there.get(path)?.isFile() !== true || there.get(path)?.size !== size || !directories.includes(dirname(path)));
  if (wrong !== undefined) {
    throw damaged(copy, `${wrong.path} is not what was copied`);
  }
  return trees;
}

/** @returns how many files share their blocks with the copy */
function buildTree(place: DataPlace, copy: string, {part, directories, files}: Tree): number {
  const top = dirname(part.staged);
  let reflinked = 0;
  let reflink = true;
  place.durable.makeDirectory(top);
  for (const {path} of directories) {
    mkdirSync(join(top, path), {mode: 0o700});
  }
  for (const file of files) {
    const {reflinked: shared, ...digest} = copyFile(join(copy, file.path), join(top, file.path), file, reflink);
    if (!sameDigest(digest, file)) {
      throw damaged(copy, `${file.path} is not what was copied`);
    }
    reflink = shared;
    reflinked += shared ? 1 : 0;
  }
  // Owners and modes of directories last, deepest first: one may be such that its owner cannot write to it.
  for (const directory of [...directories].reverse()) {
    const path = join(top, directory.path);
    giveTo(path, directory);
    chmodSync(path, directory.mode);
    syncDirectory(path);
  }
  syncDirectory(top);
  return reflinked;
}

function nameOf({what}: Part): 'member' | 'wal' {
  return what === 'data' ? 'member' : 'wal';
}

/** Parts on one volume need their space together. */
function needs(trees: readonly Tree[]): {root: string; bytes: number}[] {
  const roots = [...new Set(trees.map(({part}) => part.root))];
  return roots.map((root) => ({
    root, bytes: trees.filter(({part}) => part.root === root).reduce((sum, {bytes}) => sum + bytes, reserveBytes),
  }));
}

function requireSpace(trees: readonly Tree[], free: (path: string) => number): void {
  const short = needs(trees).find(({root, bytes}) => bytes > free(root));
  if (short !== undefined) {
    throw noSpace(short, free);
  }
}

function noSpace(short: {root: string; bytes: number} | undefined, freeOf: (path: string) => number): Refusal {
  const {root = '', bytes = 0} = short ?? {};
  const free = freeOf(root);
  return new Refusal(
    'NoSpace',
    `Putting the copy back needs ${bytes} bytes on the volume at ${root}, and ${free} are free: what is in its place now is kept, and so is the copy. `
      + 'Nothing was changed. Make room or enlarge the volume, and start it again.',
    {neededBytes: bytes, freeBytes: free},
  );
}

function summary({files}: Manifest): Pick<RestoredFiles, 'files' | 'bytes' | 'copiedBytes'> {
  return {
    files: files.length,
    bytes: files.reduce((sum, {size}) => sum + size, 0),
    copiedBytes: files.reduce((sum, {dataBytes}) => sum + dataBytes, 0),
  };
}
