import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import fc from 'fast-check';
import {etcdWould, fill, flagsOf, killAt, layouts, newVolume, refuse, removeVolumes, snapshotOf, snapshots, succeed, writeData} from './volumes.ts';
import type {Volume} from './volumes.ts';

const flags = (volume: Volume, command = 'set-aside'): string[] => flagsOf(volume, command);

describe('agent set-aside', () => {
  afterEach(removeVolumes);

  for (const layout of layouts) {
    describe(`with ${layout.name}`, () => {
      it('renames the data, deletes nothing, leaves the guard, and reports the same again', () => {
        const volume = layout.make();
        fill(volume);
        const data = snapshotOf(join(volume.data, 'member'));
        const wal = volume.wal === undefined ? undefined : snapshotOf(volume.wal);
        const report = succeed(...flags(volume));
        assert.ok(report.command === 'set-aside');
        assert.deepEqual(report.moved, [
          {what: 'data', to: '.quorumrecovery/r1/set-aside/member'},
          ...(wal === undefined ? [] : [{what: 'wal', to: '.quorumrecovery/r1/set-aside/wal'}]),
        ]);
        assert.equal(report.already, false);
        assert.deepEqual(snapshotOf(join(volume.root, '.quorumrecovery/r1/set-aside/member')), data);
        if (wal !== undefined) {
          assert.deepEqual(snapshotOf(join(volume.walRoot ?? volume.root, '.quorumrecovery/r1/set-aside/wal')), wal);
          assert.ok(!existsSync(volume.wal ?? ''));
        }
        const guard = readFileSync(join(volume.data, 'member'), 'utf8');
        assert.match(guard, /^quorumrecovery\.io\/guard v1\nrun: r1\n/);
        assert.match(guard, /set-aside\/member/);
        const after = snapshots(volume);
        assert.deepEqual(succeed(...flags(volume)), {...report, already: true});
        assert.deepEqual(snapshots(volume), after);
      });

      it('never leaves a moment in which an etcd would form a new cluster, and ends the same wherever and however often it is killed', () => {
        const reference = layout.make();
        fill(reference);
        const done = succeed(...flags(reference));
        fc.assert(fc.property(fc.array(fc.nat(40), {maxLength: 4}), (kills) => {
          const volume = layout.make();
          fill(volume);
          for (const step of kills) {
            killAt(step, ...flags(volume));
            assert.notEqual(etcdWould(volume), 'form a new cluster');
          }
          const report = succeed(...flags(volume));
          assert.deepEqual({...report, already: false}, done);
          assert.deepEqual(snapshots(volume), snapshots(reference));
        }), {numRuns: 25});
      });

      it('is safe before every single step of an undisturbed run', () => {
        for (let step = 0; ; step++) {
          const volume = layout.make();
          fill(volume);
          const stopped = killAt(step, ...flags(volume)) === undefined;
          assert.notEqual(etcdWould(volume), 'form a new cluster', `killed before step ${step}`);
          if (!stopped) {
            assert.ok(step > 8);
            return;
          }
        }
      });
    });
  }

  it('leaves only the guard where there is no data', () => {
    const root = newVolume();
    const volume = {root, data: join(root, 'data')};
    const report = succeed(...flags(volume));
    assert.ok(report.command === 'set-aside');
    assert.deepEqual(report.moved, []);
    assert.equal(etcdWould(volume), 'exit');
    assert.deepEqual(readdirSync(volume.data), ['member']);
  });

  it('leaves the guard of an earlier run as it is', () => {
    const root = newVolume();
    const volume = {root, data: root};
    succeed(...flags(volume));
    const report = succeed('set-aside', '--root', root, '--data-dir', root, '--run', 'r2');
    assert.ok(report.command === 'set-aside' && report.already);
    assert.match(readFileSync(join(root, 'member'), 'utf8'), /run: r1/);
  });

  it('refuses a file that is not its own, in the place of the member directory or of the block', () => {
    const root = newVolume();
    writeFileSync(join(root, 'member'), 'mine');
    assert.equal(refuse(...flags({root, data: root})).reason, 'Conflict');
    const other = newVolume();
    writeData(other);
    mkdirSync(join(other, 'proxy'));
    assert.equal(refuse(...flags({root: other, data: other})).reason, 'Conflict');
    assert.equal(succeed('inspect', '--root', other, '--data-dir', other, '--run', 'r1').ok, true);
  });

  it('gives the second set of data of one run its own number', () => {
    const root = newVolume();
    const volume = {root, data: root, wal: join(root, 'wal')};
    for (const run of [1, 2, 3]) {
      fill(volume);
      succeed(...flags(volume, 'prepare-join'), '--member', `${run}`);
    }
    const report = succeed(...flags(volume, 'prepare-join'), '--member', '4');
    assert.ok(report.command === 'prepare-join');
    assert.deepEqual(report.moved.map(({to}) => to.replace('.quorumrecovery/r1/', '')), [
      'set-aside/member', 'set-aside-2/member', 'set-aside-3/member', 'set-aside/wal', 'set-aside-2/wal', 'set-aside-3/wal',
    ]);
  });
});
