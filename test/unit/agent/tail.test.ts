import assert from 'node:assert/strict';
import {existsSync, readFileSync, readdirSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import fc from 'fast-check';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {Refusal} from '../../../src/agent/failure.ts';
import type {AgentFailureReason, TailFacts} from '../../../src/agent/report.ts';
import {runCommand} from '../../../src/agent/run.ts';
import type {OnStep} from '../../../src/agent/run.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../src/etcd/wal/wal.ts';
import {confChange, metadata} from '../etcd/wal/writer.ts';
import type {TestRecord} from '../etcd/wal/writer.ts';
import {Killed, killAt, memberID, newVolume, refuse, removeVolumes, snapshotOf, someRecords, succeed, writeData} from './volumes.ts';

function flags(root: string, ...more: string[]): string[] {
  return ['prepare-force', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', ...more];
}

const first = ['--attempt', '1', '--pod', 'pod-a'];
const second = ['--attempt', '2', '--pod', 'pod-b'];

/** What prepare-force reports of the tail. */
function force(root: string, ...more: string[]): TailFacts {
  const report = succeed(...flags(root, ...more));
  assert.ok(report.command === 'prepare-force' && report.tail !== undefined);
  return report.tail;
}

/** A first attempt that fails after its marker was spent. */
function failsWith(reason: AgentFailureReason, root: string, onStep: OnStep): void {
  assert.throws(() => runCommand(parseArguments(flags(root, ...first)), onStep), (error: unknown) => {
    assert.ok(error instanceof Refusal, String(error));
    assert.equal(error.reason, reason);
    assert.equal(error.details.inspect?.data, 'Present');
    assert.deepEqual(error.details.marker, {attempt: 1, pod: 'pod-a', already: false});
    return true;
  });
}

function walOf(root: string, directory = join(root, 'data', 'member', 'wal')): WalSummary {
  return readWal(directory) ?? assert.fail();
}

function segmentOf(root: string): string {
  const directory = join(root, 'data', 'member', 'wal');
  return join(directory, readdirSync(directory).filter((name) => name.endsWith('.wal')).at(-1) ?? '');
}

function newData(options: Parameters<typeof writeData>[1] = {}): string {
  const root = newVolume();
  writeData(join(root, 'data'), {preallocate: 4096, ...options});
  return root;
}

/** Without the zeros that follow a log: how many there are depends on how often its end was cut. */
function withoutRoom(files: Record<string, string | null>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => (
    [path, path.endsWith('.wal') ? Buffer.from(content ?? '', 'base64').toString('latin1').replace(/\0+$/, '') : content])));
}

const removal = (node: bigint): TestRecord => ({kind: 'entry', index: 7, term: 3, type: 1, data: confChange(1, node, {})});

describe('agent prepare-force and the WAL\'s tail', () => {
  afterEach(removeVolumes);

  it('commits the last entry, and the copy has the data as it was before', () => {
    const root = newData();
    const before = snapshotOf(join(root, 'data', 'member'));
    assert.deepEqual(force(root, ...first), {committed: true, entries: 2, fromIndex: 5, toIndex: 6, already: false});
    const {hardState, index, end} = walOf(root);
    assert.deepEqual([hardState, index, end.kind], [{term: 3, vote: memberID, commit: 6}, 6, 'complete']);
    const copy = snapshotOf(join(root, '.quorumrecovery', 'r1', 'copy', 'member'));
    delete before['wal/0.tmp'];
    assert.deepEqual(copy, before);
  });

  it('tells the same number of entries when it runs again, in this attempt and in the next, and writes nothing more', () => {
    const root = newData();
    const done = force(root, ...first);
    const after = snapshotOf(join(root, 'data'));
    assert.deepEqual(force(root, ...first), {...done, already: true});
    assert.deepEqual(force(root, ...second), {...done, already: true});
    assert.deepEqual(snapshotOf(join(root, 'data')), after);
  });

  it('ends the same wherever and however often it is killed, and never reports more or less', () => {
    const reference = newData();
    const done = force(reference, ...first);
    const wanted = withoutRoom(snapshotOf(join(reference, 'data')));
    const last = walOf(reference).hardState.commit;
    for (const torn of [false, true]) {
      fc.assert(fc.property(fc.array(fc.nat(30), {maxLength: 4}), (kills) => {
        const root = newData();
        if (torn) writeFileSync(segmentOf(root), Buffer.from('stray bytes of a write'), {flag: 'a'});
        for (const step of kills) {
          killAt(step, ...flags(root, ...first));
          const {hardState, index, end} = walOf(root);
          assert.ok(end.kind !== 'corrupt' && index === 6 && [4, last].includes(hardState.commit));
        }
        assert.deepEqual({...force(root, ...first), already: false}, done);
        assert.deepEqual(withoutRoom(snapshotOf(join(root, 'data'))), wanted);
        assert.equal(walOf(root).end.kind, 'complete');
      }), {numRuns: 25});
    }
  });

  it('syncs the record that an earlier start wrote and may not have synced', () => {
    const root = newData();
    const steps: string[] = [];
    const kill = (what: string): void => {
      steps.push(what);
      if (what.startsWith('sync')) throw new Killed();
    };
    assert.throws(() => runCommand(parseArguments(flags(root, ...first)), kill), Killed);
    assert.equal(walOf(root).hardState.commit, 6);
    const again: string[] = [];
    runCommand(parseArguments(flags(root, ...first)), (what) => again.push(what));
    assert.deepEqual(again.filter((what) => what.endsWith('.wal')), [steps.at(-1)]);
  });

  it('changes no data before the copy is whole and the marker is its own, and commits the tail after a kill at any step', () => {
    for (let step = 0; ; step++) {
      const root = newData();
      const before = snapshotOf(join(root, 'data'));
      const stopped = killAt(step, ...flags(root, ...first)) === undefined;
      const own = join(root, '.quorumrecovery', 'r1');
      const ready = existsSync(join(own, 'copy', 'manifest.json')) && existsSync(join(own, 'force-1'));
      if (!ready) assert.deepEqual(snapshotOf(join(root, 'data')), before, `killed before step ${step}`);
      assert.deepEqual({...force(root, ...first), already: false}, {committed: true, entries: 2, fromIndex: 5, toIndex: 6, already: false});
      assert.equal(walOf(root).hardState.commit, 6);
      if (!stopped) {
        assert.ok(step > 12);
        return;
      }
    }
  });

  it('leaves the data of a run alone for which it comes too late: sealed, superseded, or spent by another pod', () => {
    const spoilers: [string, string[]][] = [
      ['RunSealed', ['seal']],
      ['AttemptSuperseded', ['spend', '--attempt', '2', '--pod', 'pod-b']],
      ['MarkerSpent', ['spend', '--attempt', '1', '--pod', 'pod-b']],
    ];
    for (const [reason, [command = '', ...more]] of spoilers) {
      const root = newData();
      succeed(command, '--root', root, '--run', 'r1', ...more);
      const before = snapshotOf(join(root, 'data'));
      assert.equal(refuse(...flags(root, ...first)).reason, reason);
      assert.deepEqual(snapshotOf(join(root, 'data')), before);
    }
  });

  it('leaves the tail where it is told to, or where a later entry was seen, and says what it left', () => {
    const cases: [string[], Partial<TailFacts>][] = [
      [['--no-commit-tail'], {reason: 'NotWanted', why: 'it was told not to commit the tail'}],
      [['--later-entry-term', '3'], {reason: 'MaybeSuperseded', why: 'the tail may have been superseded: it ends in term 2, and an entry of term 3 was seen elsewhere'}],
    ];
    for (const [more, expected] of cases) {
      const root = newData();
      const before = snapshotOf(join(root, 'data'));
      assert.deepEqual(force(root, ...first, ...more), {committed: false, entries: 0, fromIndex: 5, toIndex: 6, already: false, ...expected});
      assert.deepEqual(snapshotOf(join(root, 'data')), before);
    }
    assert.equal(force(newData(), ...first, '--later-entry-term', '2', '--commit-tail').committed, true);
  });

  it('says that nothing is left where there is no tail', () => {
    const root = newData({records: [...someRecords, {kind: 'state', term: 3, commit: 6}]});
    const before = snapshotOf(join(root, 'data'));
    assert.deepEqual(force(root, ...first), {committed: true, entries: 0, already: false});
    assert.deepEqual(snapshotOf(join(root, 'data')), before);
  });

  it('does not count what the backend has applied already, and commits it too', () => {
    const root = newData({consistentIndex: 6});
    assert.deepEqual(force(root, ...first), {committed: true, entries: 0, already: false});
    assert.equal(walOf(root).hardState.commit, 6);
  });

  it('names configuration changes that it commits, eight at most', () => {
    const changes = Array.from({length: 10}, (_, number): TestRecord => (
      {kind: 'entry', index: 7 + number, term: 3, type: 1, data: confChange(1, BigInt(number + 1), {})}));
    const {confChanges, confChangesOmitted} = force(newData({records: [...someRecords, ...changes]}), ...first);
    assert.equal(confChanges?.length, 8);
    assert.deepEqual(confChanges[0], {index: 7, type: 'RemoveNode', memberID: '1'});
    assert.equal(confChangesOmitted, 2);
  });

  it('refuses a tail that removes this very member before anything is changed, and forces without it', () => {
    const root = newData({records: [...someRecords, removal(metadata.member)]});
    const before = snapshotOf(root);
    const failure = refuse(...flags(root, ...first));
    assert.equal(failure.reason, 'TailRemovesMember');
    assert.match(failure.message, /entry 7 of the tail removes this very member .* the marker is not spent/);
    assert.deepEqual(snapshotOf(root), before);
    assert.equal(force(root, ...first, '--no-commit-tail').committed, false);
    assert.equal(force(newData({records: [...someRecords, removal(0xabn)]}), ...first).committed, true);
  });

  it('cuts what an unfinished write left, and writes behind the last whole record', () => {
    const root = newData({preallocate: 0});
    const {size} = {size: readFileSync(segmentOf(root)).length};
    for (const bytes of [1, 7, 13, 500]) {
      const torn = newData({preallocate: 0});
      writeFileSync(segmentOf(torn), Buffer.alloc(bytes, 0x5a), {flag: 'a'});
      assert.equal(walOf(torn).end.kind, 'torn');
      assert.equal(force(torn, ...first).entries, 2);
      assert.deepEqual([walOf(torn).end.kind, walOf(torn).end.position.offset > size], ['complete', true]);
    }
    truncateSync(segmentOf(root), size - 9);
    assert.deepEqual(force(root, ...first), {committed: true, entries: 2, fromIndex: 5, toIndex: 6, already: false});
    assert.equal(walOf(root).hardState.term, 2);
  });

  it('finds the WAL on its own volume, and writes nothing but the record there', () => {
    const root = newVolume();
    const walRoot = newVolume();
    const wal = join(walRoot, 'etcd', 'wal');
    writeData(join(root, 'data'), {walDir: wal});
    assert.equal(force(root, ...first, '--wal-dir', wal, '--wal-root', walRoot).entries, 2);
    assert.equal(walOf(root, wal).hardState.commit, 6);
    assert.deepEqual(readdirSync(walRoot), ['etcd']);
  });

  it('does not believe its own memory where the record is not in the WAL', () => {
    const root = newData();
    const memory = join(root, '.quorumrecovery', 'r1', 'tail.json');
    for (let step = 0; step < 60 && !existsSync(memory); step++) killAt(step, ...flags(root, ...first));
    assert.equal(walOf(root).hardState.commit, 4);
    assert.deepEqual(force(root, ...first, '--no-commit-tail').entries, 0);
    const {commits} = JSON.parse(readFileSync(memory, 'utf8')) as {commits: {frame: string}[]};
    // An etcd that was forced without the tail has committed other entries up to there since.
    writeData(join(root, 'data'), {records: [...someRecords.slice(0, -1), {kind: 'state', term: 3, commit: 6}]});
    assert.deepEqual(force(root, ...second), {committed: true, entries: 0, already: false});
    assert.equal(commits.length, 1);
  });

  it('goes on without a memory that makes no sense', () => {
    const spoil: ((memory: string) => string)[] = [
      () => '', () => '{', () => '[]', () => '{"run":"r1","commits":[{"segment":"../../../etc/passwd","frame":"00"},null]}',
      (memory) => memory.replace('"run":"r1"', '"run":"r2"'),
    ];
    for (const change of spoil) {
      const root = newData();
      force(root, ...first);
      const memory = join(root, '.quorumrecovery', 'r1', 'tail.json');
      writeFileSync(memory, change(readFileSync(memory, 'utf8')));
      assert.deepEqual(force(root, ...first), {committed: true, entries: 0, already: false});
    }
  });

  it('counts what a later attempt commits on top apart from what was lost', () => {
    const root = newData();
    force(root, ...first);
    const written: TestRecord[] = [...someRecords, {kind: 'state', term: 3, vote: metadata.member, commit: 6}, {kind: 'entry', term: 4, index: 7}];
    writeData(join(root, 'data'), {records: written});
    assert.deepEqual(force(root, ...second), {committed: true, entries: 2, fromIndex: 5, toIndex: 6, already: false, again: 1});
    assert.equal(force(root, ...second).again, 1);
  });

  it('refuses to write to a WAL that changed since it was read, and tells that the marker is spent', () => {
    const root = newData();
    const spoil = (what: string): void => {
      if (what.includes('link') && what.endsWith('force-1')) writeFileSync(segmentOf(root), Buffer.alloc(8), {flag: 'a'});
    };
    failsWith('DataInUse', root, spoil);
    assert.equal(walOf(root).hardState.commit, 4);
  });

  it('reports no number where the WAL, read again, does not say what was written', () => {
    const root = newData();
    let syncs = 0;
    const spoil = (what: string): void => {
      if (!what.startsWith('sync') || syncs++ > 0) return;
      const {end: {position}, hardState} = walOf(root);
      assert.equal(hardState.commit, 6);
      const bytes = readFileSync(segmentOf(root));
      const inRecord = position.offset - 16;
      bytes[inRecord] = (bytes[inRecord] ?? 0) ^ 1;
      writeFileSync(segmentOf(root), bytes);
    };
    failsWith('Unreadable', root, spoil);
    assert.equal(syncs, 1);
    assert.equal(refuse(...flags(root, ...first)).reason, 'Unreadable');
  });

  it('tells what the operating system refused, with the marker, and goes on in the next start', () => {
    const root = newData();
    const fail = (what: string): void => {
      if (what.startsWith('write') && what.endsWith('.wal')) throw Object.assign(new Error('no space left on device'), {code: 'ENOSPC'});
    };
    failsWith('IOError', root, fail);
    assert.equal(force(root, ...first).entries, 2);
  });
});
