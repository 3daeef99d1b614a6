import type {Segment} from '../../../../src/etcd/wal/segments.ts';

/**
 * A small WAL writer for tests, independent of the reader: own checksum (bit by bit), own varints.
 * It writes what etcd writes: a checksum record and the metadata at the head of each segment, padded frames.
 */

export interface TestEntry {
  kind: 'entry';
  term: number;
  index: number;
  type?: number;
  data?: Buffer;
}

export type TestRecord =
  | TestEntry
  | {kind: 'state'; term: number; vote?: bigint; commit: number}
  | {kind: 'snapshot'; index: number; term: number}
  | {kind: 'cut'};

export const metadata = {member: 0x8e9e05c52164694dn, cluster: 0xcdf818194e3a8c32n};

export function slowCrc32c(crc: number, data: Uint8Array): number {
  let value = ~crc >>> 0;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    }
  }
  return ~value >>> 0;
}

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

export function field(number: number, value: number | bigint | Buffer): Buffer {
  return Buffer.isBuffer(value)
    ? Buffer.concat([varint(number * 8 + 2), varint(value.length), value])
    : Buffer.concat([varint(number * 8), varint(value)]);
}

/** A record as it stands in a segment: length word, body, padding. `sum` is the running checksum after it. */
export function frame(type: number, data: Buffer | undefined, sum: number): Buffer {
  const body = Buffer.concat([field(1, type), field(2, sum), ...(data === undefined ? [] : [field(3, data)])]);
  const pad = (8 - (body.length % 8)) % 8;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(body.length, 0);
  head[7] = pad === 0 ? 0 : 0x80 | pad;
  return Buffer.concat([head, body, Buffer.alloc(pad)]);
}

export interface WrittenRecord {
  record: TestRecord | {kind: 'head'};
  start: number;
  end: number;
}

export interface WrittenSegment {
  name: string;
  bytes: Buffer;
  records: WrittenRecord[];
}

export interface WriteOptions {
  /** Zeros after the last record of the last segment, as preallocation leaves them. */
  preallocate?: number;
}

/** Segments of a log with these records; `cut` begins a new one. */
export function writeWal(records: readonly TestRecord[], {preallocate = 256}: WriteOptions = {}): WrittenSegment[] {
  const segments: WrittenSegment[] = [];
  let crc = 0;
  let lastIndex = 0;
  let state: Extract<TestRecord, {kind: 'state'}> | undefined;
  let current: WrittenSegment | undefined;

  const append = (record: WrittenRecord['record'], bytes: Buffer): void => {
    if (current === undefined) {
      throw new Error('no segment');
    }
    const start = current.bytes.length;
    current.bytes = Buffer.concat([current.bytes, bytes]);
    current.records.push({record, start, end: current.bytes.length});
  };
  const add = (record: WrittenRecord['record'], type: number, data: Buffer): void => {
    crc = slowCrc32c(crc, data);
    append(record, frame(type, data, crc));
  };
  const begin = (): void => {
    const hex = (value: number): string => value.toString(16).padStart(16, '0');
    current = {name: `${hex(segments.length)}-${hex(segments.length === 0 ? 0 : lastIndex + 1)}.wal`, bytes: Buffer.alloc(0), records: []};
    segments.push(current);
    append({kind: 'head'}, frame(4, undefined, crc));
    add({kind: 'head'}, 1, Buffer.concat([field(1, metadata.member), field(2, metadata.cluster)]));
    if (state !== undefined) {
      addState(state);
    }
  };
  const addState = (next: Extract<TestRecord, {kind: 'state'}>): void => {
    state = next;
    add(next, 3, Buffer.concat([field(1, next.term), field(2, next.vote ?? 0n), field(3, next.commit)]));
  };

  begin();
  for (const record of records) {
    switch (record.kind) {
      case 'cut':
        begin();
        break;
      case 'state':
        addState(record);
        break;
      case 'snapshot':
        add(record, 5, Buffer.concat([field(1, record.index), field(2, record.term)]));
        break;
      case 'entry':
        lastIndex = record.index;
        add(record, 2, Buffer.concat([
          field(1, record.type ?? 0), field(2, record.term), field(3, record.index),
          ...(record.data === undefined ? [] : [field(4, record.data)]),
        ]));
        break;
    }
  }
  const last = segments.at(-1);
  if (last !== undefined) {
    last.bytes = Buffer.concat([last.bytes, Buffer.alloc(preallocate)]);
  }
  return segments;
}

export function asSegments(written: readonly {name: string; bytes: Buffer}[]): Segment[] {
  return written.map(({name, bytes}) => ({
    name,
    sequence: Number.parseInt(name.slice(0, 16), 16),
    firstIndex: Number.parseInt(name.slice(17, 33), 16),
    size: bytes.length,
    read: (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw new Error(`read of ${length} at ${offset} of ${bytes.length}`);
      }
      // A fresh buffer that is wiped would be kinder to a reader that keeps views; a copy at least is not the original.
      return Buffer.from(bytes.subarray(offset, offset + length));
    },
    close: () => undefined,
  }));
}

/** raftpb.ConfChange with etcd's membership context. */
export function confChange(type: number, node: bigint, context: object): Buffer {
  return Buffer.concat([field(1, 77), field(2, type), field(3, node), field(4, Buffer.from(JSON.stringify(context)))]);
}

/** raftpb.ConfChangeV2. */
export function confChangeV2(changes: {type: number; node: bigint}[], context: object): Buffer {
  return Buffer.concat([
    ...changes.map(({type, node}) => field(2, Buffer.concat([field(1, type), field(2, node)]))),
    field(3, Buffer.from(JSON.stringify(context))),
  ]);
}
