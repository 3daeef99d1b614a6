import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {planAppend} from '../../../../src/etcd/wal/append.ts';
import {decideTail} from '../../../../src/etcd/wal/tail.ts';
import {readWal} from '../../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../../src/etcd/wal/wal.ts';
import {Durable} from '../../../../src/agent/durable.ts';
import {logs} from './logs.ts';
import {metadata, writeWal} from './writer.ts';
import type {WrittenSegment} from './writer.ts';

/** What test/lab/go/wal-oracle prints: the log as etcd's own package reads it when it starts. */
interface Told {
  error?: string;
  member?: string;
  cluster?: string;
  term: number;
  vote: string;
  commit: number;
  snapshot: number;
  terms: number[];
}

const oracle = process.env['WAL_ORACLE'];

describe('the WAL reader and appender beside etcd\'s own', function () {
  this.timeout(60_000);
  let top = '';
  let number = 0;

  before(function () {
    if (oracle === undefined) {
      console.log('    skipped: set WAL_ORACLE to the binary of test/lab/go/wal-oracle');
      this.skip();
    }
    top = mkdtempSync(join(tmpdir(), 'wal-oracle-'));
  });
  after(() => {
    if (top !== '') rmSync(top, {recursive: true});
  });

  /** etcd repairs and wipes what it opens, so it gets files of its own. */
  function ask(segments: readonly {name: string; bytes: Buffer}[]): Told {
    return JSON.parse(execFileSync(oracle ?? '', [directoryOf(segments)], {encoding: 'utf8'})) as Told;
  }

  function directoryOf(segments: readonly {name: string; bytes: Buffer}[]): string {
    const directory = join(top, String(number++));
    mkdirSync(directory);
    for (const {name, bytes} of segments) writeFileSync(join(directory, name), bytes);
    return directory;
  }

  function assertSame(summary: WalSummary, told: Told): void {
    assert.equal(told.error, undefined);
    assert.deepEqual([told.member, told.cluster], [String(metadata.member), String(metadata.cluster)]);
    const {hardState: {term, vote, commit}, snapshot, index} = summary;
    assert.deepEqual([told.term, BigInt(told.vote).toString(16), told.commit, told.snapshot], [term, vote, commit, snapshot.index]);
    // etcd passes over entries up to the snapshot, so one of those that cut the log does not cut it for etcd: without an entry after the
    // snapshot it still sees the old ones. None of them is committed, and a force drops them.
    if (index === snapshot.index) {
      assert.equal(commit, index);
      return;
    }
    assert.equal(told.snapshot + told.terms.length, index);
    for (const [at, entryTerm] of told.terms.entries()) assert.equal(summary.termAt(told.snapshot + at + 1), entryTerm);
  }

  /** Commits the tail of a log on disk, and gives its files. */
  function commit(segments: readonly WrittenSegment[]): {act: string; before: WalSummary; after: WalSummary; files: {name: string; bytes: Buffer}[]} {
    const directory = directoryOf(segments);
    const before = readWal(directory) ?? assert.fail();
    const decision = decideTail(before, {applied: 0, commit: true});
    assert.notEqual(decision.act, 'refuse');
    const path = join(directory, before.end.position.segment);
    if (decision.act === 'append') {
      const size = segments.at(-1)?.bytes.length ?? 0;
      new Durable().changeFile(path, planAppend(before, decision.state, size).steps);
    }
    const files = segments.map(({name}) => ({name, bytes: readFileSync(join(directory, name))}));
    return {act: decision.act, before, after: readWal(directory) ?? assert.fail(), files};
  }

  it('reads what etcd reads', () => {
    fc.assert(fc.property(logs, (records) => {
      const segments = writeWal(records);
      assertSame(readWal(directoryOf(segments)) ?? assert.fail(), ask(segments));
    }), {numRuns: 60});
  });

  it('commits a log so that etcd reads its last entry as committed, and every entry that was there', () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 8, 24, 512), (records, preallocate) => {
      const segments = writeWal(records, {preallocate});
      const {before, after, files} = commit(segments);
      const told = ask(files);
      assertSame(after, told);
      assert.equal(told.commit, before.index);
    }), {numRuns: 60});
  });

  it('makes a log readable for etcd that ends in an unfinished write, and commits what is whole of it', () => {
    let repaired = 0;
    fc.assert(fc.property(logs, fc.integer({min: 1, max: 60}), fc.boolean(), (records, bytes, stray) => {
      const segments = writeWal(records, {preallocate: stray ? 16 : 0});
      const last = segments.at(-1) as WrittenSegment;
      last.bytes = stray
        ? Buffer.concat([last.bytes, Buffer.alloc(bytes, 0xa5)])
        : last.bytes.subarray(0, Math.max(last.bytes.length - bytes, last.records[1]?.end ?? 0));
      const directory = directoryOf(segments);
      const summary = readWal(directory);
      // A committed entry may be among what was cut off; then there is nothing to commit to.
      if (summary?.end.kind === 'corrupt') return;
      const {act, before, after, files} = commit(segments);
      // What etcd repairs by itself is left to it, where nothing is to be committed.
      if (act === 'nothing') return;
      assert.equal(after.end.kind, 'complete');
      repaired += before.end.kind === 'torn' ? 1 : 0;
      assertSame(after, ask(files));
      assert.equal(after.hardState.commit, before.index);
    }), {numRuns: 80});
    assert.ok(repaired > 5, `${repaired} torn logs`);
  });
});
