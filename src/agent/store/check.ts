import {statSync} from 'node:fs';
import {readBackend} from '../../etcd/bolt/backend.ts';
import {BoltError} from '../../etcd/bolt/meta.ts';
import {Refusal} from '../failure.ts';
import {checkedHash} from '../snapshot.ts';
import type {Entry} from './records.ts';

/** What a snapshot must be to be taken. */
export interface Expected {
  /** ID of the cluster that it must be of. */
  cluster?: string;
  /** Members of that cluster, as far as they are known. */
  members: readonly string[];
  sha256?: string;
  /** Seconds. */
  maxAge?: number;
  /** A person named it: that word stands where nothing proves which cluster it is of, and where its record names another. */
  isNamed: boolean;
}

export interface Contents {
  bytes: number;
  sha256: string;
  revision: number;
  consistentIndex: number;
  members: string[];
}

const inHours = (ms: number): string => `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;

/**
 * What can be said before the snapshot itself is read.
 * @throws {Refusal} Unreadable, SnapshotForeign, SnapshotTooOld, SnapshotTruncated, SnapshotDamaged
 */
export function checkEntry({object, record, unreadable, takenAt}: Entry, expected: Expected, now: number): void {
  const {name} = object;
  if (unreadable !== undefined && !expected.isNamed) {
    throw new Refusal('Unreadable', `The record of snapshot ${name} cannot be read, so that nothing is known of it: ${unreadable.replace(/\.$/, '')}. Let it be read, or name the snapshot in spec.snapshot.name if it is the right one.`);
  }
  if (record !== undefined && expected.cluster !== undefined && record.clusterID !== expected.cluster && !expected.isNamed) {
    throw new Refusal('SnapshotForeign', `Snapshot ${name} is of cluster ${record.clusterID}, and not of ${expected.cluster}. Name it in spec.snapshot.name if it is the right one all the same.`);
  }
  if (expected.maxAge !== undefined && now - takenAt > expected.maxAge * 1000) {
    throw new Refusal('SnapshotTooOld', `Snapshot ${name} is ${inHours(now - takenAt)} old, and no older one than ${inHours(expected.maxAge * 1000)} may be taken.`);
  }
  if (record !== undefined && object.bytes < record.bytes) {
    throw new Refusal('SnapshotTruncated', `Snapshot ${name} has ${object.bytes} of ${record.bytes} bytes.`);
  }
  if (record !== undefined && object.bytes !== record.bytes) {
    throw new Refusal('SnapshotDamaged', `Snapshot ${name} has ${object.bytes} bytes, and its record says ${record.bytes}.`);
  }
}

/**
 * Reads a snapshot that was fetched: its hash, its structure, and which cluster it is of.
 * @throws {Refusal} SnapshotDamaged, Unreadable, SnapshotForeign
 */
export function checkFile(path: string, entry: Entry, expected: Expected): Contents {
  const {object: {name}, record} = entry;
  const sha256 = checkedHash(path);
  if (sha256 === undefined) {
    throw new Refusal('SnapshotDamaged', `Snapshot ${name} does not match the SHA-256 at its end: it was changed, cut off, or is no snapshot of etcd's.`);
  }
  for (const other of [record?.sha256, expected.sha256]) {
    if (other !== undefined && other !== sha256) throw new Refusal('SnapshotDamaged', `Snapshot ${name} is another one than was recorded: its SHA-256 is ${sha256}, and not ${other}.`);
  }
  const {revision, consistentIndex, members} = contentsOf(path, name);
  requireCluster(entry, members, expected);
  return {bytes: statSync(path).size, sha256, revision, consistentIndex, members};
}

/** @throws {Refusal} Unreadable */
export function contentsOf(path: string, name: string): Omit<Contents, 'bytes' | 'sha256'> {
  try {
    const {revision, consistentIndex, members} = readBackend(path);
    return {revision, consistentIndex, members: members.map(({id}) => id)};
  } catch (error) {
    if (error instanceof BoltError) throw new Refusal('Unreadable', `Snapshot ${name} cannot be read as etcd's database: ${error.message}.`);
    throw error;
  }
}

/** A cluster's ID stands in no database: the record has it, or a member that both know says that it is the same one. */
function requireCluster({object: {name}, record}: Entry, members: readonly string[], {cluster, members: known, isNamed}: Expected): void {
  if (record !== undefined && cluster !== undefined) return;
  if (known.some((id) => members.includes(id)) || isNamed) return;
  throw new Refusal('SnapshotForeign', known.length === 0
    ? `Nothing proves of which cluster snapshot ${name} is: ${record === undefined ? 'it has no record' : `its record says ${record.clusterID}`}, and it is not known which cluster this is. Name it in spec.snapshot.name if it is the right one.`
    : `Snapshot ${name} has the members ${members.join(', ') || '(none)'}, and this cluster had ${known.join(', ')}. Name it in spec.snapshot.name if it is the right one all the same.`);
}
