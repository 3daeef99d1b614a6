import assert from 'node:assert/strict';
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {TestRecord} from '../etcd/wal/writer.ts';
import {confChange} from '../etcd/wal/writer.ts';
import {clusterID, memberID, newVolume, removeVolumes, snapshotOf, someRecords, succeed, writeData} from './volumes.ts';
import type {InspectReport} from '../../../src/agent/report.ts';

function inspect(root: string, ...flags: string[]): InspectReport {
  const report = succeed('inspect', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', ...flags);
  assert.equal(report.command, 'inspect');
  return report;
}

describe('agent inspect', () => {
  afterEach(removeVolumes);

  it('reports identity, positions and backend of a member, and changes nothing', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const before = snapshotOf(root);
    const report = inspect(root);
    assert.equal(report.data, 'Present');
    assert.equal(report.memberID, memberID);
    assert.equal(report.clusterID, clusterID);
    assert.deepEqual([report.term, report.commit, report.index, report.lastEntryTerm], [3, 4, 6, 2]);
    assert.deepEqual(report.tail, {entries: 2});
    assert.equal(report.torn, false);
    assert.ok(!('error' in report.backend));
    assert.equal(report.backend.consistentIndex, 4);
    assert.deepEqual(report.backend.members.map(({id, name, isLearner}) => ({id, name, isLearner})), [{id: memberID, name: 'etcd-0', isLearner: false}]);
    assert.ok(report.freeBytes > 0 && report.dataBytes > 0 && report.walBytes > 0);
    assert.match(report.mode ?? '', /^0[0-7]{3}$/);
    assert.deepEqual(snapshotOf(root), before);
  });

  it('counts an applied entry as committed, although no hard state says so', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {consistentIndex: 5});
    const report = inspect(root);
    assert.equal(report.data, 'Present');
    assert.equal(report.commit, 4);
    assert.deepEqual(report.tail, {entries: 1});
  });

  it('lists configuration changes that the backend has not applied', () => {
    const root = newVolume();
    const change = (index: number, node: bigint): TestRecord =>
      ({kind: 'entry', index, term: 2, type: 1, data: confChange(0, node, {name: `n${index}`, peerURLs: [`http://n${index}:2380`]})});
    writeData(join(root, 'data'), {records: [change(1, 0xan), change(2, 0xbn), {kind: 'state', term: 2, commit: 2}, change(3, 0xcn)], consistentIndex: 1});
    const report = inspect(root);
    assert.equal(report.data, 'Present');
    assert.deepEqual(report.pendingConfChanges, [
      {type: 'AddNode', memberID: 'b', name: 'n2', peerURLs: ['http://n2:2380'], index: 2, term: 2},
      {type: 'AddNode', memberID: 'c', name: 'n3', peerURLs: ['http://n3:2380'], index: 3, term: 2},
    ]);
  });

  it('says Empty where there is nothing, only a directory, or what an etcd leaves that was killed before it wrote a WAL', () => {
    const root = newVolume();
    assert.equal(inspect(root).data, 'Empty');
    mkdirSync(join(root, 'data', 'member', 'snap'), {recursive: true});
    assert.equal(inspect(root).data, 'Empty');
    writeFileSync(join(root, 'data', 'member', 'snap', 'db'), '');
    assert.equal(inspect(root).data, 'Empty');
  });

  it('says Unreadable where a backend with content has no WAL, and where the WAL is damaged', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {walDir: join(root, 'elsewhere')});
    const lost = inspect(root);
    assert.equal(lost.data, 'Unreadable');
    assert.match(lost.corrupt, /no WAL/);
    const other = newVolume();
    writeData(join(other, 'data'));
    const wal = join(other, 'data', 'member', 'wal');
    const segment = join(wal, readdirSync(wal).find((name) => name.endsWith('.wal')) ?? '');
    const bytes = readFileSync(segment);
    bytes.write('X', bytes.indexOf('put 3'));
    writeFileSync(segment, bytes);
    const damaged = inspect(other);
    assert.equal(damaged.data, 'Unreadable');
    assert.match(damaged.corrupt, /checksum mismatch/);
    assert.equal(damaged.memberID, memberID);
    assert.equal(damaged.index, 2);
  });

  it('says Unreadable where the backend has applied what the WAL does not have', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {consistentIndex: 9});
    const report = inspect(root);
    assert.equal(report.data, 'Unreadable');
    assert.match(report.corrupt, /has applied entry 9, but the WAL ends with entry 6/);
  });

  it('tells of no database that has the same entry from another term than the log: they are of two histories', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {term: 9});
    const report = inspect(root);
    assert.equal(report.data, 'Unreadable');
    assert.match(report.corrupt, /has applied entry 4 of term 9, but the WAL has it from term/);
    assert.equal('backend' in report, false);
  });

  it('reports a broken backend beside a sound WAL', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    writeFileSync(join(root, 'data', 'member', 'snap', 'db'), Buffer.alloc(8192, 1));
    const report = inspect(root);
    assert.equal(report.data, 'Present');
    assert.ok('error' in report.backend);
  });

  it('reads the backend that a snapshot brought and etcd has not yet put in its place', () => {
    const root = newVolume();
    const data = join(root, 'data');
    writeData(join(root, 'other'), {consistentIndex: 100});
    writeData(data, {records: [...someRecords, {kind: 'snapshot', index: 100, term: 3}, {kind: 'state', term: 3, commit: 100}]});
    const missing = inspect(root);
    assert.equal(missing.data, 'Present');
    assert.ok('error' in missing.backend && missing.backend.error.includes('0000000000000064.snap.db is not there'));
    writeFileSync(join(data, 'member', 'snap', '0000000000000064.snap.db'), readFileSync(join(root, 'other', 'member', 'snap', 'db')));
    const report = inspect(root);
    assert.ok(report.data === 'Present' && !('error' in report.backend) && report.backend.consistentIndex === 100);
    assert.equal(report.index, 100);
  });

  it('reads a WAL in another directory and on another volume', () => {
    const root = newVolume();
    const walRoot = newVolume();
    writeData(join(root, 'data'), {walDir: join(walRoot, 'wal')});
    const report = inspect(root, '--wal-root', walRoot, '--wal-dir', join(walRoot, 'wal'));
    assert.equal(report.data, 'Present');
    assert.ok((report.walFreeBytes ?? 0) > 0);
  });
});
