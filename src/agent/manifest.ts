import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Refusal} from './failure.ts';
import type {FileDigest} from './files.ts';
import {statIfThere} from './volume.ts';

/** manifest.json beside the copied trees. */
export interface Manifest {
  version: 1;
  run: string;
  createdAt: string;
  /** Where the trees were, below their volumes' roots. */
  dataDirectory: string;
  walDirectory?: string;
  /** Absent in the manifests of earlier versions: there the copy's own directories tell. */
  directories?: ManifestEntry[];
  files: ManifestFile[];
  /** Preallocated files of etcd's file pipeline: they hold nothing. */
  skipped: string[];
}

export interface ManifestEntry {
  /** Below the copy: `member`, `member/snap/db`, `wal` ... */
  path: string;
  mode: number;
  uid: number;
  gid: number;
}

export interface ManifestFile extends FileDigest, ManifestEntry {}

export function copyPath(runDirectory: string): string {
  return join(runDirectory, 'copy');
}

/** @throws {Refusal} CopyDamaged */
export function readManifest(run: string, copy: string): {manifest: Manifest; text: string} {
  const path = join(copy, 'manifest.json');
  const text = statIfThere(path)?.isFile() === true ? readFileSync(path, 'utf8') : '';
  const manifest = parseManifest(text);
  if (manifest === undefined || manifest.run !== run) {
    throw damaged(copy, 'its manifest.json is missing or not this run\'s');
  }
  return {manifest, text};
}

export function damaged(copy: string, what: string): Refusal {
  return new Refusal('CopyDamaged', `The copy in ${copy} cannot be trusted: ${what}. It is left as it is; a person has to look at it.`);
}

export function sameDigest(one: FileDigest | undefined, other: FileDigest): boolean {
  return one?.sha256 === other.sha256 && one.size === other.size && one.dataBytes === other.dataBytes;
}

function parseManifest(text: string): Manifest | undefined {
  try {
    const value = JSON.parse(text) as Partial<Manifest>;
    const {version, dataDirectory, files, directories} = value;
    const whole = version === 1 && typeof dataDirectory === 'string'
      && Array.isArray(files) && files.every((file) => isEntry(file) && isDigest(file))
      && (directories === undefined || (Array.isArray(directories) && directories.every(isEntry)));
    return whole ? (value as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

function isEntry({path, mode, uid, gid}: Partial<ManifestEntry>): boolean {
  return typeof path === 'string' && [mode, uid, gid].every(isCount) && (mode ?? 0) <= 0o7777;
}

function isDigest({size, dataBytes, sha256}: Partial<FileDigest>): boolean {
  return typeof sha256 === 'string' && [size, dataBytes].every(isCount);
}

function isCount(value: number | undefined): boolean {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}
