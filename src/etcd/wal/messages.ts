import {FieldReader, WireError} from './protobuf.ts';

/** Types of a WAL record (etcd: server/storage/wal/wal.go). */
export const recordType = {metadata: 1, entry: 2, state: 3, crc: 4, snapshot: 5} as const;

/** walpb.Record: the frame's content. `data` is a view that the next read may overwrite. */
export interface WalRecord {
  type: number;
  crc: number;
  data: Buffer;
}

/** raftpb.Entry. Types: 0 normal, 1 ConfChange, 2 ConfChangeV2. */
export interface Entry {
  type: 0 | 1 | 2;
  term: number;
  index: number;
  data: Buffer;
}

export interface HardState {
  term: number;
  /** Hex, "0" for no vote. */
  vote: string;
  commit: number;
}

export interface SnapshotRecord {
  index: number;
  term: number;
}

export interface Metadata {
  memberID: string;
  clusterID: string;
}

export type ConfChangeType = 'AddNode' | 'RemoveNode' | 'UpdateNode' | 'AddLearnerNode';

/** One change of raftpb.ConfChange or ConfChangeV2, with what etcd's membership puts in the context. */
export interface ConfChange {
  type: ConfChangeType;
  memberID: string;
  name?: string;
  peerURLs?: string[];
  /** An AddNode that promotes a learner. */
  promote?: true;
}

const confChangeTypes: readonly ConfChangeType[] = ['AddNode', 'RemoveNode', 'UpdateNode', 'AddLearnerNode'];
const nothing: Buffer = Buffer.alloc(0);

export function decodeRecord(body: Buffer): WalRecord {
  const reader = new FieldReader(body);
  const record: WalRecord = {type: 0, crc: 0, data: nothing};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        record.type = reader.uint();
        break;
      case 2:
        record.crc = reader.uint();
        break;
      case 3:
        record.data = reader.bytesField();
        break;
      default:
        // The record's type is outside its checksum, so nothing that a writer does not write is let pass.
        throw new WireError(`field ${field} in a record`);
    }
  }
  if (record.crc > 0xffffffff) {
    throw new WireError('checksum beyond 32 bits');
  }
  return record;
}

export function decodeEntry(data: Buffer): Entry {
  const reader = new FieldReader(data);
  const entry: Entry = {type: 0, term: 0, index: 0, data: nothing};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        entry.type = entryType(reader.uint());
        break;
      case 2:
        entry.term = reader.uint();
        break;
      case 3:
        entry.index = reader.uint();
        break;
      case 4:
        entry.data = reader.bytesField();
        break;
      default:
        throw new WireError(`field ${field} in an entry`);
    }
  }
  if (entry.index === 0 || entry.term === 0) {
    throw new WireError('an entry without index or term');
  }
  return entry;
}

function entryType(value: number): Entry['type'] {
  if (value === 0 || value === 1 || value === 2) {
    return value;
  }
  throw new WireError(`entry type ${value}`);
}

export function decodeHardState(data: Buffer): HardState {
  const reader = new FieldReader(data);
  const state: HardState = {term: 0, vote: '0', commit: 0};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        state.term = reader.uint();
        break;
      case 2:
        state.vote = reader.uint64().toString(16);
        break;
      case 3:
        state.commit = reader.uint();
        break;
      default:
        throw new WireError(`field ${field} in a hard state`);
    }
  }
  return state;
}

/** walpb.Snapshot; its third field, the conf state, is written since etcd 3.5 and not needed here. */
export function decodeSnapshot(data: Buffer): SnapshotRecord {
  const reader = new FieldReader(data);
  const snapshot: SnapshotRecord = {index: 0, term: 0};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        snapshot.index = reader.uint();
        break;
      case 2:
        snapshot.term = reader.uint();
        break;
      case 3:
        reader.bytesField();
        break;
      default:
        throw new WireError(`field ${field} in a snapshot record`);
    }
  }
  return snapshot;
}

export function decodeMetadata(data: Buffer): Metadata {
  const reader = new FieldReader(data);
  let member = 0n;
  let cluster = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        member = reader.uint64();
        break;
      case 2:
        cluster = reader.uint64();
        break;
      default:
        throw new WireError(`field ${field} in the metadata`);
    }
  }
  return {memberID: member.toString(16), clusterID: cluster.toString(16)};
}

/** The changes of an entry of type 1 or 2. An empty ConfChangeV2 (it leaves a joint configuration) has none. */
export function decodeConfChanges(entry: Entry): ConfChange[] {
  return entry.type === 1 ? [decodeConfChange(entry.data)] : decodeConfChangeV2(entry.data);
}

function decodeConfChange(data: Buffer): ConfChange {
  const reader = new FieldReader(data);
  let type = 0;
  let node = 0n;
  let context = nothing;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 2:
        type = reader.uint();
        break;
      case 3:
        node = reader.uint64();
        break;
      case 4:
        context = reader.bytesField();
        break;
      default:
        reader.skip();
    }
  }
  return {type: confChangeType(type), memberID: node.toString(16), ...membershipContext(context)};
}

function decodeConfChangeV2(data: Buffer): ConfChange[] {
  const reader = new FieldReader(data);
  const changes: {type: number; node: bigint}[] = [];
  let context = nothing;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 2:
        changes.push(decodeSingle(reader.bytesField()));
        break;
      case 3:
        context = reader.bytesField();
        break;
      default:
        reader.skip();
    }
  }
  // The context describes one member, so it says nothing of several.
  const described = changes.length === 1 ? membershipContext(context) : {};
  return changes.map(({type, node}) => ({type: confChangeType(type), memberID: node.toString(16), ...described}));
}

function decodeSingle(data: Buffer): {type: number; node: bigint} {
  const reader = new FieldReader(data);
  const single = {type: 0, node: 0n};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      single.type = reader.uint();
    } else if (field === 2) {
      single.node = reader.uint64();
    } else {
      reader.skip();
    }
  }
  return single;
}

function confChangeType(value: number): ConfChangeType {
  const type = confChangeTypes[value];
  if (type === undefined) {
    throw new WireError(`configuration change of type ${value}`);
  }
  return type;
}

/**
 * membership.ConfigChangeContext as JSON. Its "id" is a 64-bit number, which JSON.parse rounds, so the change's own ID is used.
 * A context that is not JSON (raft's own tests, other users of the library) is no error: the change stands without it.
 */
function membershipContext(context: Buffer): Pick<ConfChange, 'name' | 'peerURLs' | 'promote'> {
  if (context.length === 0) {
    return {};
  }
  let value: unknown;
  try {
    value = JSON.parse(context.toString('utf8'));
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) {
    return {};
  }
  const {name, peerURLs, isPromote} = value as Record<string, unknown>;
  return {
    ...(typeof name === 'string' && name !== '' ? {name} : {}),
    ...(Array.isArray(peerURLs) && peerURLs.every((url) => typeof url === 'string') ? {peerURLs} : {}),
    ...(isPromote === true ? {promote: true} : {}),
  };
}
