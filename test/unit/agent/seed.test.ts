import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {blockText} from '../../../src/agent/guard.ts';
import type {SeedReport} from '../../../src/agent/report.ts';
import {clusterID, etcdWould, fill, flagsOf, killAt, layouts, memberID, newVolume, refuse, removeVolumes, snapshotOf, snapshots, succeed, writeData} from './volumes.ts';
import type {Volume} from './volumes.ts';

const home = ({root}: Volume): string => join(root, '.quorumrecovery', 'r1');
const walHome = ({root, walRoot}: Volume): string => join(walRoot ?? root, '.quorumrecovery', 'r1');
const flags = (volume: Volume, attempt = 1, ...more: string[]): string[] => [...flagsOf(volume, 'seed'), '--attempt', String(attempt), ...more];

function seed(volume: Volume, attempt = 1, ...more: string[]): SeedReport {
  const report = succeed(...flags(volume, attempt, ...more));
  assert.ok(report.command === 'seed');
  return report;
}

/** As etcdutl leaves it, with a mark that tells it from what was there. */
function build(volume: Volume, mark = 'from the snapshot'): void {
  succeed(...flagsOf(volume, 'prepare-seed'));
  const data = join(home(volume), 'built', 'data');
  writeData(data, volume.wal === undefined ? {} : {walDir: join(walHome(volume), 'built', 'wal')});
  writeFileSync(join(data, 'member', 'snap', 'mark'), mark);
}

const markOf = ({data}: Volume): string | null | undefined => snapshotOf(join(data, 'member'))['snap/mark'];
const marked = (text: string): string => Buffer.from(text).toString('base64');

describe('agent seed', function () {
  this.timeout(60_000);
  afterEach(removeVolumes);

  for (const layout of layouts) {
    describe(`with ${layout.name}`, () => {
      it('puts what etcdutl has built in the place of the data, which is set aside whole, and finds all of it again', () => {
        const volume = layout.make();
        fill(volume);
        const old = snapshotOf(join(volume.data, 'member'));
        build(volume);
        assert.deepEqual(snapshotOf(join(volume.data, 'member')), old, 'the data was touched before the turn');
        const report = seed(volume, 1, '--expect-member', memberID, '--expect-cluster', clusterID);
        assert.deepEqual([report.already, report.moved.map(({what}) => what)], [false, volume.wal === undefined ? ['data'] : ['data', 'wal']]);
        assert.equal(markOf(volume), marked('from the snapshot'));
        assert.equal(etcdWould(volume), 'start on its data');
        assert.deepEqual(snapshotOf(join(home(volume), 'set-aside', 'member')), old);
        const after = snapshots(volume);
        assert.equal(seed(volume, 1, '--expect-member', memberID, '--expect-cluster', clusterID).already, true);
        assert.deepEqual(snapshots(volume), after);
      });

      it('begins on an empty volume', () => {
        const volume = layout.make();
        mkdirSync(volume.data, {recursive: true});
        build(volume);
        assert.deepEqual(seed(volume).moved, []);
        assert.equal(etcdWould(volume), 'start on its data');
      });

      it('never lets an etcd start on nothing or on half of the data, wherever it is killed; what was there is kept', () => {
        for (let step = 0; ; step++) {
          const volume = layout.make();
          fill(volume);
          const old = snapshotOf(join(volume.data, 'member'));
          build(volume);
          const report = killAt(step, ...flags(volume));
          if (report !== undefined) break;
          const would = etcdWould(volume);
          assert.notEqual(would, 'form a new cluster', `killed before step ${step}`);
          // A new pod builds once more, whatever stands, and goes on.
          build(volume);
          seed(volume);
          assert.equal(markOf(volume), marked('from the snapshot'), `killed before step ${step}`);
          assert.deepEqual(snapshotOf(join(home(volume), 'set-aside', 'member')), old, `killed before step ${step}`);
          assert.equal(existsSync(join(volume.data, 'proxy')), false);
        }
      });
    });
  }

  it('takes nothing that is another member\'s or another cluster\'s, and nothing where nothing was built', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    const before = snapshotOf(join(volume.data, 'member'));
    assert.equal(refuse(...flags(volume)).reason, 'NoData');
    build(volume);
    assert.equal(refuse(...flags(volume, 1, '--expect-member', 'abc')).reason, 'MemberMismatch');
    assert.equal(refuse(...flags(volume, 1, '--expect-cluster', 'abc')).reason, 'ClusterMismatch');
    assert.deepEqual(snapshotOf(join(volume.data, 'member')), before);
  });

  for (const layout of layouts) {
    it(`never finishes what was built with another list of members, wherever that attempt was killed (${layout.name})`, () => {
      for (let step = 0; ; step++) {
        const volume = layout.make();
        fill(volume);
        const old = snapshotOf(join(volume.data, 'member'));
        build(volume, 'of the first list');
        if (killAt(step, ...flags(volume, 1)) !== undefined) break;
        build(volume, 'of the second list');
        const report = seed(volume, 2, '--expect-member', memberID, '--expect-cluster', clusterID);
        assert.equal(report.already, false, `killed before step ${step}`);
        assert.equal(markOf(volume), marked('of the second list'), `killed before step ${step}`);
        assert.equal(etcdWould(volume), 'start on its data', `killed before step ${step}`);
        const asides = readdirSync(home(volume)).filter((name) => name.startsWith('set-aside')).map((name) => join(home(volume), name, 'member')).filter((path) => existsSync(path));
        assert.ok(asides.some((path) => JSON.stringify(snapshotOf(path)) === JSON.stringify(old)), `killed before step ${step}: what was there is gone`);
      }
    });
  }

  it('does not say of another list\'s data that it is in place', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    build(volume);
    seed(volume, 1, '--expect-member', memberID, '--expect-cluster', clusterID);
    const before = snapshots(volume);
    assert.equal(refuse(...flags(volume, 1, '--expect-member', memberID, '--expect-cluster', 'abc')).reason, 'ClusterMismatch');
    assert.deepEqual(snapshots(volume), before);
    assert.equal(seed(volume, 1, '--expect-member', memberID, '--expect-cluster', clusterID).already, true);
  });

  it('that comes too late throws nothing away: a later attempt has begun, or etcd has written since', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    build(volume, 'first');
    seed(volume);
    build(volume, 'second');
    const second = seed(volume, 2);
    assert.equal(second.moved.length, 1);
    assert.equal(markOf(volume), marked('second'));
    assert.equal(refuse(...flags(volume, 1)).reason, 'AttemptSuperseded');
    writeFileSync(join(volume.data, 'member', 'snap', 'mark'), 'written since');
    build(volume, 'third');
    assert.equal(seed(volume, 2).already, true);
    assert.equal(markOf(volume), marked('written since'));
  });

  for (const layout of layouts) {
    it(`replaces the guard that an earlier run left, and what that run set aside stays (${layout.name})`, () => {
      const volume = layout.make();
      fill(volume);
      const old = snapshotOf(join(volume.data, 'member'));
      succeed(...flagsOf(volume, 'set-aside', 'r0'));
      build(volume);
      seed(volume);
      assert.equal(markOf(volume), marked('from the snapshot'));
      assert.equal(etcdWould(volume), 'start on its data');
      assert.deepEqual(snapshotOf(join(volume.root, '.quorumrecovery', 'r0', 'set-aside', 'member')), old);
    });

    it(`says before anything is built that an earlier run was interrupted in its exchange (${layout.name})`, () => {
      const volume = layout.make();
      fill(volume);
      writeFileSync(join(volume.data, 'proxy'), blockText('r0'));
      const before = snapshots(volume);
      const failure = refuse(...flagsOf(volume, 'prepare-seed'));
      assert.deepEqual([failure.reason, /Run r0 was interrupted/.test(failure.message)], ['Conflict', true]);
      assert.deepEqual(snapshots(volume), before);
    });
  }

  it('says before anything is built that there is no room', () => {
    const volume: Volume = {root: newVolume(), data: ''};
    const there = {...volume, data: join(volume.root, 'data')};
    assert.equal(refuse(...flagsOf(there, 'prepare-seed'), '--needs', '900000000000000').reason, 'NoSpace');
    assert.deepEqual(readdirSync(join(volume.root, '.quorumrecovery', 'r1')), ['built']);
  });
});
