import {errorCode, Refusal} from '../failure.ts';
import type {StoredSnapshot} from '../report.ts';
import {readWhole} from './store.ts';
import type {SnapshotStore, StoredObject} from './store.ts';

/** What stands in the file beside a snapshot, written after it: what its data does not say of itself. */
export interface SnapshotRecord {
  format: 1;
  takenAt: string;
  /** Size of the file. */
  bytes: number;
  /** SHA-256 of the database. */
  sha256: string;
  revision: number;
  clusterID: string;
  /** The member that it was taken from. */
  memberID: string;
  members: string[];
  etcdVersion?: string;
  /** UID of the QuorumRecovery whose backup it is: the cluster's ID is made of its token and peer URLs, and a cluster that is made anew has the same one. */
  owner?: string;
}

const suffix = '.json';
export const recordOf = (name: string): string => `${name}${suffix}`;

/** A snapshot in the store; `record` is undefined where none is beside it, or none that this version can read. */
export interface Entry {
  object: StoredObject;
  record: SnapshotRecord | undefined;
  /** Why the record that is there cannot be read. What it says is not known: it is neither taken, unless a person names it, nor taken away. */
  unreadable?: string;
  takenAt: number;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** undefined: no record of a format that is known here. */
export function parseRecord(text: string): SnapshotRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const {format, takenAt, bytes, sha256, revision, clusterID, memberID, members, etcdVersion, owner} = value as Record<string, unknown>;
  const isWhole = format === 1 && isText(takenAt) && !Number.isNaN(Date.parse(takenAt)) && isCount(bytes) && isText(sha256) && isCount(revision)
    && isText(clusterID) && isText(memberID) && Array.isArray(members) && members.every(isText);
  if (!isWhole) return undefined;
  return {format, takenAt, bytes, sha256, revision, clusterID, memberID, members, ...(isText(etcdVersion) && {etcdVersion}), ...(isText(owner) && {owner})};
}

/** Records that are asked for at a time. */
const atOnce = 8;

/**
 * Every snapshot of the store, the newest first.
 * @param only the one that is asked for: of the others nothing is read
 */
export async function entriesOf(store: SnapshotStore, only?: string): Promise<Entry[]> {
  const objects = await store.list();
  const records = new Set(objects.map(({name}) => name).filter((name) => name.endsWith(suffix)));
  const snapshots = objects.filter(({name}) => !records.has(name) && (only === undefined || name === only));
  const entries: Entry[] = [];
  const left = [...snapshots];
  const work = async (): Promise<void> => {
    for (let object = left.pop(); object !== undefined; object = left.pop()) {
      const {record, unreadable} = records.has(recordOf(object.name)) ? await readRecord(store, object.name) : {record: undefined};
      entries.push({object, record, ...(unreadable !== undefined && {unreadable}), takenAt: record === undefined ? object.modifiedAt : Date.parse(record.takenAt)});
    }
  };
  await Promise.all(Array.from({length: atOnce}, work));
  return entries.sort((a, b) => b.takenAt - a.takenAt || (a.object.name < b.object.name ? 1 : -1));
}

/** Errors of one file, and not of the store. */
const fileErrors = ['EACCES', 'EPERM', 'EIO', 'ELOOP'];

async function readRecord(store: SnapshotStore, name: string): Promise<Pick<Entry, 'record' | 'unreadable'>> {
  try {
    return {record: parseRecord((await readWhole(store, recordOf(name))).toString('utf8'))};
  } catch (error) {
    // Taken away since it was listed.
    if (error instanceof Refusal && error.reason === 'NoSnapshot') return {record: undefined};
    // A store that cannot be reached is asked again as a whole: it may not hide a newer snapshot.
    const isOfThis = error instanceof Refusal ? error.reason === 'StoreRefused' : fileErrors.includes(errorCode(error) ?? '');
    if (isOfThis) return {record: undefined, unreadable: (error as Error).message};
    throw error;
  }
}

export function storedSnapshot({object, record, takenAt}: Entry): StoredSnapshot {
  const {name, bytes} = object;
  if (record === undefined) return {name, takenAt: new Date(takenAt).toISOString(), bytes, recorded: false};
  const {sha256, revision, clusterID, members, etcdVersion} = record;
  return {name, takenAt: record.takenAt, bytes, recorded: true, sha256, revision, clusterID, members, ...(etcdVersion !== undefined && {etcdVersion})};
}
