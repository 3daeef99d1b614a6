import assert from 'node:assert/strict';
import fc from 'fast-check';
import {orderSegments} from '../../../../src/etcd/wal/segments.ts';
import {readSegments} from '../../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../../src/etcd/wal/wal.ts';
import {logs, model} from './logs.ts';
import {asSegments, confChange, confChangeV2, metadata, writeWal} from './writer.ts';
import type {TestRecord, WrittenSegment} from './writer.ts';

const ids = {memberID: metadata.member.toString(16), clusterID: metadata.cluster.toString(16)};

function read(segments: readonly WrittenSegment[]): WalSummary {
  return readSegments(asSegments(segments));
}

function problem({end}: WalSummary): string {
  return end.kind === 'corrupt' ? end.message : `it is ${end.kind}`;
}

function entries(from: number, to: number, term: number): TestRecord[] {
  return Array.from({length: to - from + 1}, (_, number) => (
    {kind: 'entry', term, index: from + number, data: Buffer.from(`value ${from + number}`)}));
}

/** Bytes of all records written so far, head records included, up to this place. */
function recordsBefore(segments: readonly WrittenSegment[], segment: number, offset: number): TestRecord[] {
  return segments.flatMap(({records}, number) => records
    .filter(({end}) => number < segment || (number === segment && end <= offset))
    .flatMap(({record}) => (record.kind === 'head' ? [] : [record])));
}

/** The reader's numbers must be those of exactly these records: nothing after the damage, nothing invented, nothing valid left out. */
function assertExactly(summary: WalSummary, valid: readonly TestRecord[], where: string): void {
  const {index, lastEntryTerm, hardState} = summary;
  assert.deepEqual({index, term: lastEntryTerm, commit: hardState.commit}, model(valid), where);
}

describe('readSegments', () => {
  it('reads identity, hard state and last entry of a plain log', () => {
    const summary = read(writeWal([...entries(1, 20, 2), {kind: 'state', term: 2, vote: metadata.member, commit: 17}]));
    assert.deepEqual(summary.metadata, ids);
    assert.deepEqual(summary.hardState, {term: 2, vote: ids.memberID, commit: 17});
    assert.equal(summary.index, 20);
    assert.equal(summary.lastEntryTerm, 2);
    assert.equal(summary.end.kind, 'complete');
  });

  it('lets a later entry with a lower index cut what follows it', () => {
    const summary = read(writeWal([...entries(1, 9, 2), {kind: 'state', term: 2, commit: 5}, ...entries(6, 7, 3)]));
    assert.equal(summary.index, 7);
    assert.equal(summary.lastEntryTerm, 3);
    assert.equal(summary.termAt(5), 2);
    assert.equal(summary.termAt(6), 3);
    assert.equal(summary.termAt(8), undefined);
  });

  it('accepts an overwrite by entries of an older term, as a new leader with another history sends them', () => {
    const summary = read(writeWal([...entries(1, 3, 1), ...entries(4, 6, 4), {kind: 'state', term: 5, commit: 3}, ...entries(4, 4, 3)]));
    assert.equal(summary.end.kind, 'complete');
    assert.equal(summary.index, 4);
    assert.equal(summary.lastEntryTerm, 3);
  });

  it('continues the checksum over segments, and reads on where the oldest were purged', () => {
    const records: TestRecord[] = [
      ...entries(1, 5, 1), {kind: 'state', term: 1, commit: 5}, {kind: 'snapshot', index: 4, term: 1}, {kind: 'cut'},
      ...entries(6, 8, 1), {kind: 'state', term: 1, commit: 7}, {kind: 'snapshot', index: 7, term: 1}, {kind: 'cut'}, ...entries(9, 9, 2),
    ];
    const all = read(writeWal(records));
    const purged = read(writeWal(records).slice(1));
    for (const summary of [all, purged]) {
      assert.equal(summary.end.kind, 'complete');
      assert.equal(summary.index, 9);
      assert.deepEqual(summary.snapshot, {index: 7, term: 1});
    }
    assert.equal(purged.termAt(5), undefined);
  });

  it('reads a log whose entries follow a snapshot that the leader sent', () => {
    const summary = read(writeWal([
      ...entries(1, 5, 1), {kind: 'state', term: 1, commit: 5},
      {kind: 'snapshot', index: 100, term: 3}, {kind: 'state', term: 3, commit: 100}, ...entries(101, 103, 3),
    ]));
    assert.equal(summary.end.kind, 'complete');
    assert.equal(summary.index, 103);
  });

  it('takes the snapshot as the last entry where none stands after it', () => {
    const summary = read(writeWal([{kind: 'snapshot', index: 40, term: 3}, {kind: 'state', term: 4, commit: 40}]));
    assert.equal(summary.index, 40);
    assert.equal(summary.lastEntryTerm, 3);
  });

  it('does not count a snapshot beyond the commit index', () => {
    const summary = read(writeWal([...entries(1, 3, 1), {kind: 'state', term: 1, commit: 2}, {kind: 'snapshot', index: 3, term: 1}]));
    assert.equal(summary.snapshot.index, 0);
  });

  it('lists configuration changes of both kinds, without those that were overwritten', () => {
    const learner = {id: 1, peerURLs: ['http://c:2380'], isLearner: true, name: 'c'};
    const summary = read(writeWal([
      {kind: 'entry', index: 1, term: 1, type: 1, data: confChange(3, 0xffffffffffffffffn, learner)},
      {kind: 'entry', index: 2, term: 1, type: 1, data: confChange(1, 0xabn, {})},
      {kind: 'state', term: 2, commit: 1},
      {kind: 'entry', index: 2, term: 2, type: 2, data: confChangeV2([{type: 0, node: 0xcdn}], {...learner, isPromote: true})},
      {kind: 'entry', index: 3, term: 2, type: 2, data: Buffer.alloc(0)},
    ]));
    assert.deepEqual(summary.confChanges, [
      {type: 'AddLearnerNode', memberID: 'ffffffffffffffff', name: 'c', peerURLs: ['http://c:2380'], index: 1, term: 1},
      {type: 'AddNode', memberID: 'cd', name: 'c', peerURLs: ['http://c:2380'], promote: true, index: 2, term: 2},
    ]);
  });

  it('calls a log torn whose last record is cut off, wherever it is cut', () => {
    const written = writeWal([...entries(1, 4, 1), {kind: 'state', term: 1, commit: 2}, ...entries(5, 5, 1)], {preallocate: 0});
    const [segment] = written as [WrittenSegment];
    const {start, end} = segment.records.at(-1) as {start: number; end: number};
    for (let size = start + 1; size < end; size++) {
      const summary = read([{...segment, bytes: segment.bytes.subarray(0, size)}]);
      assert.equal(summary.end.kind, 'torn', `cut at ${size}`);
      assert.deepEqual(summary.end.position, {segment: segment.name, offset: start});
      assert.equal(summary.index, 4);
    }
  });

  it('calls a log torn in which a sector of the last record was never written, and one with bytes after the end', () => {
    const written = writeWal([...entries(1, 2, 1), {kind: 'entry', index: 3, term: 1, data: Buffer.alloc(3000, 7)}]);
    const [segment] = written as [WrittenSegment];
    const lost = Buffer.from(segment.bytes);
    lost.fill(0, 1024, 1536);
    assert.equal(read([{...segment, bytes: lost}]).end.kind, 'torn');
    const stray = Buffer.from(segment.bytes);
    stray[stray.length - 9] = 1;
    const summary = read([{...segment, bytes: stray}]);
    assert.equal(summary.end.kind, 'torn');
    assert.equal(summary.index, 3);
  });

  it('calls a changed byte in the middle corrupt, and reports nothing behind it', () => {
    const [segment] = writeWal([...entries(1, 9, 1), {kind: 'state', term: 1, commit: 9}]) as [WrittenSegment];
    const fourth = segment.records.find(({record}) => record.kind === 'entry' && record.index === 4);
    const bytes = Buffer.from(segment.bytes);
    bytes[(fourth?.end ?? 0) - 9] = 0x55;
    const summary = read([{...segment, bytes}]);
    assert.equal(summary.index, 3);
    assert.match(problem(summary), /\.wal at offset \d+: checksum mismatch/);
  });

  it('tells a broken length with whole records behind it from a torn end', () => {
    const [segment] = writeWal(entries(1, 9, 1)) as [WrittenSegment];
    const fourth = segment.records.find(({record}) => record.kind === 'entry' && record.index === 4);
    const bytes = Buffer.from(segment.bytes);
    bytes[(fourth?.start ?? 0) + 5] = 1;
    const {end} = read([{...segment, bytes}]);
    assert.equal(end.kind, 'corrupt');
  });

  it('finds a lost end by the commit index, a gap between entries, another member\'s segment and a hard state that goes back', () => {
    const foreign = writeWal([...entries(1, 2, 1), {kind: 'cut'}, ...entries(3, 4, 1)]);
    const cases: [WrittenSegment[], RegExp][] = [
      [writeWal([...entries(1, 4, 1), {kind: 'state', term: 1, commit: 6}]), /commit index 6 is beyond the last entry 4/],
      [writeWal([...entries(1, 4, 1), {kind: 'state', term: 1, commit: 2}, ...entries(7, 9, 1)]), /entries 1 to 6 are missing/],
      [writeWal([...entries(1, 4, 2), {kind: 'state', term: 2, commit: 2}, {kind: 'state', term: 1, commit: 2}]), /hard state goes back/],
      [[foreign[1] as WrittenSegment, foreign[0] as WrittenSegment], /checksum/],
    ];
    for (const [segments, message] of cases) {
      assert.match(problem(read(segments)), message);
    }
  });

  it('agrees with the model on any log that raft could write', () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 8, 512), (records, preallocate) => {
      const summary = read(writeWal(records, {preallocate}));
      const {index, term, commit} = model(records);
      assert.equal(summary.end.kind, 'complete');
      assert.deepEqual({index: summary.index, term: summary.lastEntryTerm, commit: summary.hardState.commit}, {index, term, commit});
      assert.equal(summary.termAt(index), term);
    }), {numRuns: 300});
  });

  it('never reports anything but whole valid records after a truncation at any byte', () => {
    fc.assert(fc.property(logs, (records) => {
      const segments = writeWal(records, {preallocate: 16});
      const last = segments.at(-1) as WrittenSegment;
      const firstCut = last.records.at(-2)?.start ?? 0;
      for (let size = firstCut; size < last.bytes.length; size++) {
        const cut = [...segments.slice(0, -1), {...last, bytes: last.bytes.subarray(0, size)}];
        const summary = read(cut);
        assertExactly(summary, recordsBefore(segments, segments.length - 1, size), `cut at ${size}`);
      }
    }), {numRuns: 40});
  });

  it('never reports anything but whole valid records after a changed bit at any byte of a record', () => {
    fc.assert(fc.property(logs, fc.nat(), fc.nat(7), (records, pick, bit) => {
      const segments = writeWal(records);
      const number = pick % segments.length;
      const segment = segments[number] as WrittenSegment;
      const record = segment.records[pick % segment.records.length] as {start: number; end: number};
      for (let at = record.start; at < record.end; at++) {
        const bytes = Buffer.from(segment.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const damaged = segments.map((other, index) => (index === number ? {...other, bytes} : other));
        const summary = read(damaged);
        if (summary.end.kind === 'complete') {
          // The change was where it means nothing: in the padding.
          assert.deepEqual(facts(summary), facts(read(segments)), `byte ${at - record.start}`);
        } else {
          assertExactly(summary, recordsBefore(segments, number, record.start), `byte ${at - record.start}`);
        }
      }
    }), {numRuns: 60});
  });
});

function facts({metadata: identity, hardState, index, lastEntryTerm, snapshot}: WalSummary): unknown {
  return {identity, hardState, index, lastEntryTerm, snapshot};
}

describe('orderSegments', () => {
  it('orders by sequence and leaves out files of the pipeline and of repairs', () => {
    const names = ['0000000000000001-000000000000000a.wal', '1.tmp', '0000000000000000-0000000000000000.wal', '0000000000000001-000000000000000a.wal.broken'];
    assert.deepEqual(orderSegments(names), ['0000000000000000-0000000000000000.wal', '0000000000000001-000000000000000a.wal']);
  });

  it('refuses a missing segment in the middle', () => {
    assert.throws(() => orderSegments(['0000000000000001-000000000000000a.wal', '0000000000000003-000000000000001a.wal']), /a segment is missing/);
  });

  it('refuses a name that is none', () => {
    assert.throws(() => orderSegments(['backup.wal']), /not the name of a WAL segment/);
  });
});
