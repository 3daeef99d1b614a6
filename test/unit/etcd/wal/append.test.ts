import assert from 'node:assert/strict';
import fc from 'fast-check';
import {appendProblem, planAppend} from '../../../../src/etcd/wal/append.ts';
import type {Append, FileStep} from '../../../../src/etcd/wal/append.ts';
import {decideTail} from '../../../../src/etcd/wal/tail.ts';
import {readSegments} from '../../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../../src/etcd/wal/wal.ts';
import {logs, model} from './logs.ts';
import {asSegments, writeWal} from './writer.ts';
import type {TestRecord, WrittenSegment} from './writer.ts';

interface File {
  name: string;
  bytes: Buffer;
}

/** What a file system makes of the steps. */
function carryOut(bytes: Buffer, steps: readonly FileStep[]): Buffer {
  return steps.reduce((file, step) => {
    if (step.do === 'sync') return file;
    const size = step.do === 'resize' ? step.size : Math.max(file.length, step.offset + step.bytes.length);
    const next = Buffer.concat([file.subarray(0, size), Buffer.alloc(Math.max(0, size - file.length))]);
    if (step.do === 'write') step.bytes.copy(next, step.offset);
    return next;
  }, Buffer.from(bytes));
}

const read = (files: readonly File[]): WalSummary => readSegments(asSegments(files));

function appendTo(files: readonly File[]): {before: WalSummary; append: Append} | undefined {
  const before = read(files);
  const decision = decideTail(before, {applied: 0, commit: true});
  if (decision.act === 'refuse') return undefined;
  // Where nothing is to be committed the same state once more, so that each log has its append.
  const state = decision.act === 'append' ? decision.state : before.hardState;
  return {before, append: planAppend(before, state, files.at(-1)?.bytes.length ?? 0)};
}

function afterSteps(files: readonly File[], steps: readonly FileStep[]): File[] {
  return files.map((file, number) => (number === files.length - 1 ? {...file, bytes: carryOut(file.bytes, steps)} : file));
}

/** Appends, and has everything checked: against what was read before, and against a model that knows the entries. */
function commit(files: readonly File[], {index, term}: {index: number; term: number}, where: string): File[] {
  const planned = appendTo(files);
  assert.ok(planned !== undefined, where);
  const done = afterSteps(files, planned.append.steps);
  const after = read(done);
  assert.equal(appendProblem(planned.before, planned.append, after), undefined, where);
  assert.deepEqual([after.end.kind, after.hardState.commit, after.index, after.lastEntryTerm], ['complete', index, index, term], where);
  const last = done.at(-1)?.bytes ?? Buffer.alloc(0);
  const rest = last.length - after.end.position.offset;
  assert.ok(rest === 0 || rest >= 8, `${where}: ${rest} stray bytes`);
  assert.equal(last.length % 8, 0);
  return done;
}

function withBytes(segments: readonly WrittenSegment[], number: number, bytes: Buffer): File[] {
  return segments.map((segment, index) => (index === number ? {...segment, bytes} : segment));
}

function validBefore(segments: readonly WrittenSegment[], size: number): TestRecord[] {
  return segments.flatMap(({records}, number) => records
    .filter(({end}) => number < segments.length - 1 || end <= size)
    .flatMap(({record}) => (record.kind === 'head' ? [] : [record])));
}

/** The writes of an append, cut after any number of their bytes: what a process leaves that dies in the middle. */
function* interrupted(steps: readonly FileStep[]): Generator<FileStep[]> {
  for (const [number, step] of steps.entries()) {
    const before = steps.slice(0, number);
    yield before;
    if (step.do !== 'write') continue;
    for (let length = 1; length < step.bytes.length; length++) {
      yield [...before, {...step, bytes: step.bytes.subarray(0, length)}];
    }
  }
}

describe('planAppend', () => {
  it('commits the last entry of any log, and nothing else changes', () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 8, 16, 512), (records, preallocate) => {
      const files = writeWal(records, {preallocate});
      const before = Buffer.from(files.at(-1)?.bytes ?? '');
      const done = commit(files, model(records), 'append');
      const {offset} = read(files).end.position;
      assert.deepEqual(done.at(-1)?.bytes.subarray(0, offset), before.subarray(0, offset));
      assert.deepEqual(done.slice(0, -1), files.slice(0, -1));
    }), {numRuns: 200});
  });

  it('does so after a truncation at any byte, with what is whole before it', () => {
    fc.assert(fc.property(logs, (records) => {
      const segments = writeWal(records, {preallocate: 16});
      const {bytes} = segments.at(-1) as WrittenSegment;
      for (let size = 0; size < bytes.length; size++) {
        const files = withBytes(segments, segments.length - 1, bytes.subarray(0, size));
        const valid = model(validBefore(segments, size));
        if (read(files).end.kind === 'corrupt') {
          assert.equal(appendTo(files), undefined);
        } else {
          commit(files, valid, `cut at ${size}`);
        }
      }
    }), {numRuns: 12});
  });

  it('refuses, or keeps every whole entry, after a changed bit at any byte of a record', () => {
    fc.assert(fc.property(logs, fc.nat(), fc.nat(7), (records, pick, bit) => {
      const segments = writeWal(records);
      const number = pick % segments.length;
      const segment = segments[number] as WrittenSegment;
      const record = segment.records[pick % segment.records.length] as {start: number; end: number};
      for (let at = record.start; at < record.end; at++) {
        const bytes = Buffer.from(segment.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const files = withBytes(segments, number, bytes);
        const {end} = read(files);
        if (end.kind === 'corrupt') {
          assert.equal(appendTo(files), undefined);
          continue;
        }
        // Torn, which only the last record can be, or complete, where the byte means nothing.
        const whole = end.kind === 'torn' ? validBefore(segments, record.start) : records;
        commit(files, model(whole), `byte ${at - record.start}`);
      }
    }), {numRuns: 60});
  });

  it('can be interrupted at every byte that it writes: the log then ends where it ended, or with the record, and a repeat gives the same', () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 4, 8, 24, 600), fc.boolean(), (records, preallocate, stray) => {
      const segments = writeWal(records, {preallocate});
      const last = segments.at(-1) as WrittenSegment;
      // A crash left something of a write whose beginning never reached the disk.
      if (stray && last.bytes.length > 16) last.bytes = Buffer.concat([last.bytes, Buffer.alloc(16), Buffer.from('unfinished write')]);
      const planned = appendTo(segments);
      assert.ok(planned !== undefined);
      const {before, append} = planned;
      const expected = read(commit(segments, model(records), 'undisturbed'));
      for (const steps of interrupted(append.steps)) {
        const files = afterSteps(segments, steps);
        const left = read(files);
        assert.notEqual(left.end.kind, 'corrupt');
        assert.ok([before.hardState.commit, append.state.commit].includes(left.hardState.commit));
        assert.deepEqual([left.index, left.lastEntryTerm], [before.index, before.lastEntryTerm]);
        const again = read(commit(files, model(records), 'repeat'));
        assert.deepEqual([again.hardState, again.index, again.lastEntryTerm], [expected.hardState, expected.index, expected.lastEntryTerm]);
      }
    }), {numRuns: 30});
  });

  it('is found torn when a power cut keeps only one side of a sector boundary', () => {
    fc.assert(fc.property(fc.integer({min: 1, max: 40}), fc.boolean(), (words, firstSector) => {
      const data = Buffer.alloc(8 * words, 1);
      const records: TestRecord[] = Array.from({length: 20}, (_, number) => ({kind: 'entry', term: 1, index: number + 1, data}));
      const segments = writeWal(records, {preallocate: 2048});
      const {append} = appendTo(segments) ?? assert.fail();
      const {offset} = append.position;
      const boundary = Math.ceil((offset + 1) / 512) * 512;
      if (boundary >= offset + append.frame.length) return;
      const done = afterSteps(segments, append.steps);
      done.at(-1)?.bytes.fill(0, ...(firstSector ? [boundary, boundary + 512] : [offset, boundary]));
      assert.equal(read(done).end.kind, 'torn');
      commit(done, {index: 20, term: 1}, 'repeat');
    }), {numRuns: 200});
  });

  it('extends a segment that is full, and one that ends within a word', () => {
    const records: TestRecord[] = [{kind: 'entry', term: 1, index: 1}];
    for (const preallocate of [0, 3, 8, 24, 27, 29]) {
      commit(writeWal(records, {preallocate}), {index: 1, term: 1}, `${preallocate} bytes of room`);
    }
  });

  it('continues the checksum in a segment that has only its head, and in one that is empty', () => {
    const records: TestRecord[] = [{kind: 'entry', term: 2, index: 1}, {kind: 'state', term: 2, commit: 0}, {kind: 'cut'}];
    const segments = writeWal(records);
    commit(segments, {index: 1, term: 2}, 'head only');
    commit(withBytes(segments, 1, Buffer.alloc(64)), {index: 1, term: 2}, 'zeros');
    commit(withBytes(segments, 1, Buffer.alloc(0)), {index: 1, term: 2}, 'no bytes');
  });

  it('makes a snapshot count that the commit index now reaches', () => {
    const records: TestRecord[] = [
      {kind: 'entry', term: 2, index: 1}, {kind: 'entry', term: 2, index: 2}, {kind: 'state', term: 2, commit: 1}, {kind: 'snapshot', index: 2, term: 2},
    ];
    const done = commit(writeWal(records), {index: 2, term: 2}, 'append');
    assert.deepEqual(read(done).snapshot, {index: 2, term: 2});
  });

  it('knows no place in a log that is corrupt, or whose segment is shorter than it was read', () => {
    const records: TestRecord[] = [{kind: 'entry', term: 1, index: 1}];
    const summary = read(writeWal(records));
    assert.throws(() => planAppend(summary, summary.hardState, 8), RangeError);
    assert.throws(() => planAppend(readSegments([]), summary.hardState, 8), RangeError);
    const corrupt = read(writeWal([...records, {kind: 'state', term: 1, commit: 7}]));
    assert.throws(() => planAppend(corrupt, corrupt.hardState, 4096), RangeError);
  });
});

describe('appendProblem', () => {
  const records: TestRecord[] = [{kind: 'entry', term: 1, index: 1}, {kind: 'entry', term: 1, index: 2}, {kind: 'state', term: 1, commit: 1}];

  it('names what is not as it should be: no record, no whole record, no WAL, another entry', () => {
    const segments = writeWal(records);
    const {before, append} = appendTo(segments) ?? assert.fail();
    const torn = afterSteps(segments, append.steps);
    torn[0]?.bytes.fill(0, append.position.offset + 8, append.position.offset + 32);
    const other = writeWal([...records.slice(0, 1), {kind: 'entry', term: 1, index: 2, data: Buffer.from('x')}, {kind: 'state', term: 1, commit: 2}]);
    const found: [WalSummary | undefined, RegExp][] = [
      [before, /hardState is .*"commit":1\} instead of .*"commit":2\}/],
      [read(torn), /checksum|not a record/],
      [undefined, /no WAL/],
      [read(other), /end is .* instead of/],
      [read(writeWal([...records, {kind: 'state', term: 1, commit: 2}, {kind: 'entry', term: 1, index: 3}])), /index is 3 instead of 2/],
    ];
    for (const [after, problem] of found) assert.match(appendProblem(before, append, after) ?? '', problem);
  });
});
