import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {killAt, memberID, newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';
import type {PrepareJoinReport} from '../../../src/agent/report.ts';

function flags(root: string, member: string): string[] {
  return ['prepare-join', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', '--member', member];
}

function prepare(root: string, member: string): PrepareJoinReport {
  const report = succeed(...flags(root, member));
  assert.equal(report.command, 'prepare-join');
  return report;
}

const setAside = (root: string): string[] => ['set-aside', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1'];

describe('agent prepare-join', () => {
  afterEach(removeVolumes);

  it('has nothing to do on a new volume', () => {
    const root = newVolume();
    const report = prepare(root, 'abc');
    assert.deepEqual(report, {ok: true, command: 'prepare-join', run: 'r1', member: 'abc', start: 'Join', moved: []});
    assert.deepEqual(prepare(root, 'abc'), report);
  });

  it('refuses a volume without room for the data, says how much is missing, and changes nothing', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const before = snapshotOf(root);
    const report = refuse(...flags(root, 'abc'), '--needs', '900000000000000');
    assert.equal(report.reason, 'NoSpace');
    assert.equal(report.neededBytes, 900_000_000_000_000);
    assert.ok((report.freeBytes ?? 0) > 0);
    assert.match(report.message, /^the volume has \d+ MB free, and .* takes 900000000 MB: enlarge/);
    assert.deepEqual(snapshotOf(root), before);
    assert.equal(succeed(...flags(root, memberID), '--needs', '900000000000000').command, 'prepare-join', 'its own data is there already');
    assert.equal(succeed(...flags(newVolume(), 'abc'), '--needs', '1000').command, 'prepare-join');
  });

  it('removes the guard, and reports what was set aside before', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    succeed(...setAside(root));
    const report = prepare(root, 'abc');
    assert.equal(report.start, 'Join');
    assert.deepEqual(report.moved, [{what: 'data', to: '.quorumrecovery/r1/set-aside/member'}]);
    assert.deepEqual(readdirSync(join(root, 'data')), []);
    assert.deepEqual(prepare(root, 'abc'), report);
  });

  it('is not undone by a set-aside that comes too late, with an etcd on the way to start', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    succeed(...setAside(root));
    prepare(root, 'abc');
    const before = snapshotOf(root);
    const report = refuse(...setAside(root));
    assert.deepEqual([report.reason, /comes too late/.test(report.message)], ['Conflict', true]);
    assert.deepEqual(snapshotOf(root), before);
    assert.equal(succeed('set-aside', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r2').command, 'set-aside', 'another run is another matter');
  });

  it('leaves this very member\'s own data: its pod was restarted', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const before = snapshotOf(join(root, 'data'));
    assert.equal(prepare(root, memberID).start, 'Restart');
    assert.deepEqual(snapshotOf(join(root, 'data')), before);
  });

  it('sets any other member\'s data aside, without a guard', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const report = prepare(root, 'abc');
    assert.equal(report.start, 'Join');
    assert.deepEqual(report.moved, [{what: 'data', to: '.quorumrecovery/r1/set-aside/member'}]);
    assert.deepEqual(readdirSync(join(root, 'data')), []);
  });

  it('sets aside a directory without a WAL, which an etcd left that was killed in its first second', () => {
    const root = newVolume();
    prepare(root, 'abc');
    mkdirSync(join(root, 'data', 'member', 'snap'), {recursive: true});
    assert.equal(prepare(root, 'abc').start, 'Join');
    assert.ok(!existsSync(join(root, 'data', 'member')));
  });

  it('sets an unreadable old disk aside, but refuses one on which this member has joined before', () => {
    const root = newVolume();
    const segment = join(root, 'data', 'member', 'wal', '0000000000000000-0000000000000000.wal');
    writeData(join(root, 'data'));
    writeFileSync(segment, Buffer.alloc(4096, 0x41));
    assert.equal(prepare(root, memberID).start, 'Join');
    writeData(join(root, 'data'));
    writeFileSync(segment, Buffer.alloc(4096, 0x41));
    const failure = refuse(...flags(root, memberID));
    assert.equal(failure.reason, 'Unreadable');
    assert.match(failure.message, /removed from the cluster and added again/);
    assert.equal(prepare(root, 'abc').start, 'Join');
  });

  it('refuses where only a separate WAL is this member\'s', () => {
    const root = newVolume();
    writeData(join(root, 'other'), {walDir: join(root, 'wal')});
    assert.equal(refuse(...flags(root, memberID), '--wal-dir', join(root, 'wal')).reason, 'Conflict');
  });

  it('ends the same wherever it is killed, and goes on from a set-aside that was killed', () => {
    const reference = newVolume();
    writeData(join(reference, 'data'));
    const done = prepare(reference, 'abc');
    for (let step = 0; ; step++) {
      const root = newVolume();
      writeData(join(root, 'data'));
      const stopped = killAt(step, ...flags(root, 'abc')) === undefined;
      assert.deepEqual(prepare(root, 'abc'), done, `killed before step ${step}`);
      assert.deepEqual(snapshotOf(root), snapshotOf(reference));
      if (!stopped) {
        break;
      }
    }
    for (let step = 0; ; step++) {
      const root = newVolume();
      writeData(join(root, 'data'));
      const stopped = killAt(step, ...setAside(root)) === undefined;
      assert.deepEqual(prepare(root, 'abc'), done, `set-aside killed before step ${step}`);
      assert.deepEqual(readdirSync(join(root, 'data')), []);
      if (!stopped) {
        break;
      }
    }
  });
});
