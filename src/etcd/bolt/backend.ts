import {FieldReader, WireError} from '../wal/protobuf.ts';
import {openBolt, withSnapshot} from './file.ts';
import type {BoltFile} from './file.ts';
import {BoltError} from './meta.ts';
import {forEach, lastKey, topBuckets} from './tree.ts';
import type {Bucket, ReadPage} from './tree.ts';

export interface BackendMember {
  id: string;
  name: string;
  peerURLs: string[];
  clientURLs: string[];
  isLearner: boolean;
}

/** An alarm stands in the data, and is raised again by each etcd that starts on it. */
export interface BackendAlarm {
  memberID: string;
  alarm: 'NOSPACE' | 'CORRUPT';
}

/** What etcd's backend (member/snap/db) says of itself: server/storage/schema, server/storage/mvcc/kvstore.go. */
export interface Backend {
  consistentIndex: number;
  /** Raft term of consistentIndex; 0 where this etcd version does not record it. */
  term: number;
  /** As etcd computes it on start: the last key's revision, or that of the last compaction; at least 1. */
  revision: number;
  members: BackendMember[];
  removed: string[];
  clusterVersion?: string;
  storageVersion?: string;
  /** Absent: none is raised. */
  alarms?: BackendAlarm[];
  /** Absent: etcd asks for no user. */
  authEnabled?: true;
  sizeBytes: number;
}

/**
 * Reads the backend read-only and without a lock; `path` may belong to a running etcd.
 * @throws {BoltError} when the file is not a database or what is read of it is corrupt
 */
export function readBackend(path: string): Backend {
  const file = openBolt(path);
  try {
    return readBackendFile(file);
  } finally {
    file.close();
  }
}

export function readBackendFile(file: BoltFile): Backend {
  return withSnapshot(file, (readPage, meta) => {
    const buckets = topBuckets(readPage, meta.root);
    const values = keyValues(readPage, buckets.get('meta'));
    const cluster = keyValues(readPage, buckets.get('cluster'));
    const members = keyValues(readPage, buckets.get('members'));
    const alarms = [...keyValues(readPage, buckets.get('alarm')).keys()].map(alarmOf).filter((alarm) => alarm !== undefined);
    const authEnabled = keyValues(readPage, buckets.get('auth')).get('authEnabled')?.equals(enabled) === true;
    const clusterVersion = cluster.get('clusterVersion')?.toString('utf8');
    const storageVersion = values.get('storageVersion')?.toString('utf8');
    return {
      consistentIndex: uint64(values.get('consistent_index'), 'consistent_index'),
      term: uint64(values.get('term'), 'term'),
      revision: Math.max(
        1,
        lastRevision(readPage, buckets.get('key')),
        revisionOf(values.get('finishedCompactRev')),
        revisionOf(values.get('scheduledCompactRev')),
      ),
      members: [...members].map(([id, json]) => member(id, json)),
      removed: [...keyValues(readPage, buckets.get('members_removed')).keys()],
      ...(clusterVersion === undefined ? {} : {clusterVersion}),
      ...(storageVersion === undefined ? {} : {storageVersion}),
      ...(alarms.length > 0 && {alarms}),
      ...(authEnabled && {authEnabled}),
      sizeBytes: file.size(),
    };
  });
}

const enabled = Buffer.of(1);

/** The key is an AlarmMember (etcdserverpb), the value is empty. Kinds that nobody knows are left out. */
function alarmOf(key: string): BackendAlarm | undefined {
  const fields = new FieldReader(Buffer.from(key, 'latin1'));
  let memberID = 0n;
  let kind = 0;
  try {
    for (let field = fields.next(); field !== 0; field = fields.next()) {
      if (field === 1) memberID = fields.uint64();
      else if (field === 2) kind = fields.uint();
      else fields.skip();
    }
  } catch (error) {
    if (error instanceof WireError) throw new BoltError(`an alarm cannot be read: ${error.message}`);
    throw error;
  }
  const alarm = ([undefined, 'NOSPACE', 'CORRUPT'] as const)[kind];
  return alarm && {memberID: memberID.toString(16), alarm};
}

/** A small bucket as a whole. Values are copied, as the pages' views end with the reading. */
function keyValues(readPage: ReadPage, bucket: Bucket | undefined): Map<string, Buffer> {
  const result = new Map<string, Buffer>();
  if (bucket !== undefined) {
    forEach(readPage, bucket, (key, value) => {
      result.set(key.toString('latin1'), Buffer.from(value));
    });
  }
  return result;
}

function lastRevision(readPage: ReadPage, bucket: Bucket | undefined): number {
  return bucket === undefined ? 0 : revisionOf(lastKey(readPage, bucket));
}

/** A revision is main (8 bytes big-endian), '_', sub (8 bytes), and for a deletion 't'. */
function revisionOf(key: Buffer | undefined): number {
  if (key === undefined) {
    return 0;
  }
  if (key.length < 17 || key[8] !== 0x5f) {
    throw new BoltError(`${key.toString('hex')} is not a revision`);
  }
  return safe(key.readBigUInt64BE(0), 'revision');
}

function uint64(value: Buffer | undefined, name: string): number {
  if (value === undefined) {
    return 0;
  }
  if (value.length !== 8) {
    throw new BoltError(`${name} has ${value.length} bytes instead of 8`);
  }
  return safe(value.readBigUInt64BE(0), name);
}

function safe(value: bigint, name: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BoltError(`${name} is ${value}: beyond anything that a cluster reaches`);
  }
  return Number(value);
}

/** The key is the ID in hex; the "id" in the JSON is a 64-bit number, which JSON.parse would round. */
function member(id: string, json: Buffer): BackendMember {
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch {
    throw new BoltError(`member ${id} is not JSON`);
  }
  if (!/^[0-9a-f]{1,16}$/.test(id) || typeof value !== 'object' || value === null) {
    throw new BoltError(`${id} is not a member`);
  }
  const {name, peerURLs, clientURLs, isLearner} = value as Record<string, unknown>;
  return {
    id,
    name: typeof name === 'string' ? name : '',
    peerURLs: strings(peerURLs),
    clientURLs: strings(clientURLs),
    isLearner: isLearner === true,
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
