import assert from 'node:assert/strict';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {clusterID, killAt, memberID, newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';

function flags(root: string, ...more: string[]): string[] {
  return ['prepare-force', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', '--attempt', '1', '--pod', 'pod-a', ...more];
}

describe('agent prepare-force', () => {
  afterEach(removeVolumes);

  it('inspects, copies, spends the marker and commits the tail in one go, and finds all four when it runs again', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const first = succeed(...flags(root, '--expect-member', memberID, '--expect-cluster', clusterID, '--expect-term', '0', '--expect-index', '6', '--copy'));
    assert.ok(first.command === 'prepare-force');
    assert.equal(first.inspect.index, 6);
    assert.equal(first.copy?.already, false);
    assert.deepEqual(first.marker, {attempt: 1, pod: 'pod-a', already: false});
    assert.equal(first.tail?.entries, 2);
    const after = snapshotOf(join(root, 'data'));
    const second = succeed(...flags(root));
    assert.ok(second.command === 'prepare-force');
    assert.deepEqual(second.copy, {...first.copy, already: true, reflinked: 0});
    assert.equal(second.marker.already, true);
    assert.deepEqual(second.tail, {...first.tail, already: true});
    assert.deepEqual(snapshotOf(join(root, 'data')), after);
  });

  it('makes no copy where none is wanted', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const report = succeed(...flags(root, '--no-copy'));
    assert.ok(report.command === 'prepare-force' && report.copy === undefined);
    assert.ok(!existsSync(join(root, '.quorumrecovery', 'r1', 'copy')));
  });

  it('refuses before the marker is spent and before a copy, and says what it found', () => {
    const cases: [string, (root: string) => void, string[]][] = [
      ['NoData', () => undefined, []],
      ['Guarded', (root) => succeed('set-aside', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r0'), []],
      ['MemberMismatch', (root) => {
        writeData(join(root, 'data'));
      }, ['--expect-member', 'abc']],
      ['ClusterMismatch', (root) => {
        writeData(join(root, 'data'));
      }, ['--expect-cluster', 'abc']],
      ['BehindPlan', (root) => {
        writeData(join(root, 'data'));
      }, ['--expect-index', '7']],
      ['BehindPlan', (root) => {
        writeData(join(root, 'data'));
      }, ['--expect-term', '99', '--expect-index', '6']],
      ['Unreadable', (root) => {
        writeData(join(root, 'data'), {consistentIndex: 99});
      }, []],
      ['Unreadable', (root) => {
        writeData(join(root, 'data'));
        writeFileSync(join(root, 'data', 'member', 'snap', 'db'), Buffer.alloc(9000, 9));
      }, []],
      ['Unreadable', (root) => {
        writeData(join(root, 'data'));
        const segment = join(root, 'data', 'member', 'wal', '0000000000000000-0000000000000000.wal');
        const bytes = readFileSync(segment);
        bytes[100] = (bytes[100] ?? 0) ^ 1;
        writeFileSync(segment, bytes);
      }, []],
    ];
    for (const [reason, make, more] of cases) {
      const root = newVolume();
      make(root);
      const before = snapshotOf(root);
      const failure = refuse(...flags(root, ...more));
      assert.equal(failure.reason, reason);
      assert.ok(failure.inspect !== undefined);
      assert.ok(!existsSync(join(root, '.quorumrecovery', 'r1')));
      assert.deepEqual(snapshotOf(root), before);
    }
  });

  it('refuses a second pod, although the copy is there', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    succeed(...flags(root));
    const failure = refuse('prepare-force', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', '--attempt', '1', '--pod', 'pod-b');
    assert.equal(failure.reason, 'MarkerSpent');
  });

  it('spends no marker without a whole copy, wherever it is killed', () => {
    for (let step = 0; ; step++) {
      const root = newVolume();
      writeData(join(root, 'data'));
      const stopped = killAt(step, ...flags(root)) === undefined;
      const own = join(root, '.quorumrecovery', 'r1');
      assert.ok(!existsSync(join(own, 'force-1')) || existsSync(join(own, 'copy', 'manifest.json')), `killed before step ${step}`);
      succeed(...flags(root));
      if (!stopped) {
        assert.ok(step > 6);
        return;
      }
    }
  });
});
