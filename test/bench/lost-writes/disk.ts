import {decodeEntry, recordType} from '../../../src/etcd/wal/messages.ts';
import {FieldReader} from '../../../src/etcd/wal/protobuf.ts';
import {readRecords} from '../../../src/etcd/wal/records.ts';
import type {WalEnd} from '../../../src/etcd/wal/records.ts';
import {openSegment, segmentNames} from '../../../src/etcd/wal/segments.ts';

export interface DiskWrites {
  /** Values by key, of every put among the log's valid entries, committed or not. */
  values: Map<string, string>;
  /** Entries that a later leader's replaced. */
  replaced: number;
  torn: boolean;
}

interface Put {
  key: string;
  value: string;
}

/**
 * What a WAL holds, by itself: nothing is asked of an etcd, and nothing of what was started on a copy of it.
 * The log must begin with the first entry there ever was (see the flags of the cluster): a write that is only in the database would be missed.
 */
export function writesOnDisk(directory: string): DiskWrites {
  const segments = segmentNames(directory).map((name) => openSegment(directory, name));
  const entries: (Put | undefined)[] = [];
  let replaced = 0;
  let end: WalEnd;
  try {
    const records = readRecords(segments);
    for (;;) {
      const step = records.next();
      if (step.done === true) {
        end = step.value;
        break;
      }
      if (step.value.type !== recordType.entry) continue;
      const entry = decodeEntry(step.value.data);
      if (entry.index > entries.length + 1) throw new Error(`the log has entry ${entry.index} after ${entries.length}`);
      // An entry with the index of an earlier one cuts what follows that.
      replaced += entries.length - (entry.index - 1);
      entries.length = entry.index - 1;
      entries.push(entry.type === 0 ? putOf(entry.data) : undefined);
    }
  } finally {
    for (const segment of segments) segment.close();
  }
  if (end.kind === 'corrupt') throw new Error(end.message);
  const values = new Map(entries.flatMap((put) => (put === undefined ? [] : [[put.key, put.value]])));
  return {values, replaced, torn: end.kind === 'torn'};
}

/** etcdserverpb.InternalRaftRequest: `put` is its field 4, with key 1 and value 2. A new leader's first entry is empty. */
function putOf(data: Buffer): Put | undefined {
  const request = fieldOf(data, 4);
  if (request === undefined) return undefined;
  return {key: fieldOf(request, 1)?.toString() ?? '', value: fieldOf(request, 2)?.toString() ?? ''};
}

function fieldOf(message: Buffer, wanted: number): Buffer | undefined {
  const reader = new FieldReader(message);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === wanted) return reader.bytesField();
    reader.skip();
  }
  return undefined;
}
