import assert from 'node:assert/strict';
import {chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import fc from 'fast-check';
import {change, changedSinceCopy, copied, flags, live, own, restore, trees, walRun} from './restored.ts';
import {etcdWould, fill, flagsOf, killAfter, killAt, layouts, memberID, newVolume, refuse, removeVolumes, snapshotOf, snapshots, succeed, writeData} from './volumes.ts';
import type {Volume} from './volumes.ts';

/** Everything that stays after a restore; its record holds a time and inodes. */
function settled(volume: Volume): unknown {
  return JSON.parse(JSON.stringify(snapshots(volume)), (name, value: unknown) =>
    (name.endsWith('restored-1') || name.endsWith('copy/manifest.json') ? 'there' : value));
}

/** What differs from one restore to the next. */
const ofItsOwn = {already: false, reflinked: 0, manifestSHA256: ''};

describe('agent restore-copy', function () {
  this.timeout(60_000);

  afterEach(removeVolumes);

  for (const layout of layouts) {
    describe(`with ${layout.name}`, () => {
      it('puts the data of the copy back, sets aside what was there, keeps the copy, and finds all of it again', () => {
        const volume = layout.make();
        const {old, changed} = changedSinceCopy(volume);
        const copy = snapshotOf(own(volume, 'copy'));
        const manifest = succeed(...flagsOf(volume, 'copy'));
        assert.ok(manifest.command === 'copy');
        const report = restore(volume);
        assert.deepEqual({...report, reflinked: 0}, {
          ok: true, command: 'restore-copy', run: 'r1', attempt: 1, restored: volume.wal === undefined ? ['data'] : ['data', 'wal'],
          files: manifest.files, bytes: manifest.bytes, copiedBytes: manifest.copiedBytes, reflinked: 0, manifestSHA256: manifest.manifestSHA256,
          moved: [
            {what: 'data', to: '.quorumrecovery/r1/set-aside/member'},
            ...(volume.wal === undefined ? [] : [{what: 'wal', to: '.quorumrecovery/r1/set-aside/wal'}]),
          ],
          already: false,
        });
        assert.deepEqual(live(volume), old);
        assert.equal(etcdWould(volume), 'start on its data');
        assert.deepEqual(snapshotOf(own(volume, 'copy')), copy);
        const aside = trees(own(volume, 'set-aside', 'member'), volume.wal === undefined ? undefined : join(walRun(volume), 'set-aside', 'wal'));
        assert.deepEqual(aside, changed);
        assert.deepEqual(readdirSync(own(volume)).sort(), ['copy', 'restored-1', 'set-aside']);
        assert.deepEqual(readdirSync(walRun(volume)).filter((name) => name === 'restore'), []);
        const after = snapshots(volume);
        assert.deepEqual(restore(volume), {...report, reflinked: 0, already: true});
        assert.deepEqual(snapshots(volume), after);
      });

      it('never lets an etcd start on nothing or on half of the data, wherever it is killed, and ends the same', () => {
        const reference = layout.make();
        changedSinceCopy(reference);
        const done = {...restore(reference), ...ofItsOwn};
        for (let step = 0; ; step++) {
          const volume = layout.make();
          const {old, changed} = changedSinceCopy(volume);
          const copy = copied(volume);
          const stopped = killAt(step, ...flags(volume)) === undefined;
          const would = etcdWould(volume);
          assert.notEqual(would, 'form a new cluster', `killed before step ${step}`);
          if (would === 'start on its data') {
            const found = JSON.stringify(live(volume));
            assert.ok([old, changed].some((whole) => JSON.stringify(whole) === found), `half of the data is there before step ${step}`);
          }
          assert.ok(would === 'exit' || existsSync(own(volume, 'restored-1')) || !existsSync(own(volume, 'restore-intent.json')), 'begun, and not blocked');
          assert.deepEqual(copied(volume), copy);
          assert.deepEqual({...restore(volume), ...ofItsOwn}, done, `killed before step ${step}`);
          assert.deepEqual(live(volume), old);
          assert.deepEqual(settled(volume), settled(reference), `killed before step ${step}`);
          if (!stopped) {
            assert.ok(step > 15);
            return;
          }
        }
      });

      it('ends the same however often it is killed', () => {
        const reference = layout.make();
        changedSinceCopy(reference);
        restore(reference);
        fc.assert(fc.property(fc.array(fc.nat(40), {maxLength: 4}), (kills) => {
          const volume = layout.make();
          changedSinceCopy(volume);
          for (const step of kills) {
            killAt(step, ...flags(volume));
            assert.notEqual(etcdWould(volume), 'form a new cluster');
          }
          restore(volume);
          assert.deepEqual(settled(volume), settled(reference));
        }), {numRuns: 12});
      });

      it('takes the place of this run\'s guard, wherever it is killed', () => {
        for (let step = 0; ; step++) {
          const volume = layout.make();
          const {old} = changedSinceCopy(volume);
          const aside = succeed(...flagsOf(volume, 'set-aside'));
          const stopped = killAt(step, ...flags(volume)) === undefined;
          assert.notEqual(etcdWould(volume), 'form a new cluster', `killed before step ${step}`);
          assert.deepEqual(restore(volume).moved, []);
          assert.deepEqual(live(volume), old);
          assert.ok(aside.command === 'set-aside' && aside.moved.every(({to}) => existsSync(join(volume.root, to)) || existsSync(join(volume.walRoot ?? '', to))));
          if (!stopped) {
            assert.ok(step > 10);
            return;
          }
        }
      });

      it('goes on from a set-aside of this run that was killed', () => {
        for (let step = 0; ; step++) {
          const volume = layout.make();
          const {old} = changedSinceCopy(volume);
          const stopped = killAt(step, ...flagsOf(volume, 'set-aside')) === undefined;
          restore(volume);
          assert.deepEqual(live(volume), old, `set-aside killed before step ${step}`);
          assert.equal(etcdWould(volume), 'start on its data');
          if (!stopped) {
            return;
          }
        }
      });
    });
  }

  it('blocks again where somebody took the block away meanwhile', () => {
    for (let step = 0; ; step++) {
      const volume = layouts[2]?.make() ?? assert.fail();
      const {old} = changedSinceCopy(volume);
      succeed(...flagsOf(volume, 'set-aside'));
      killAfter(/^rename .*restore-intent.json$/, ...flags(volume));
      rmSync(join(volume.data, 'proxy'));
      const stopped = killAt(step, ...flags(volume)) === undefined;
      if (etcdWould(volume) !== 'exit') {
        assert.deepEqual(live(volume), old, `killed before step ${step}`);
      }
      if (!stopped) {
        return;
      }
    }
  });

  it('restores where nothing is', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    const {old} = changedSinceCopy(volume);
    rmSync(volume.data, {recursive: true});
    assert.deepEqual(restore(volume).moved, []);
    assert.deepEqual(live(volume), old);
  });

  it('gives files and directories the owners and modes that they had', function () {
    const volume = layouts[2]?.make() ?? assert.fail();
    const {data, wal = ''} = volume;
    fill(volume);
    const paths = [join(data, 'member'), join(data, 'member', 'snap'), join(data, 'member', 'snap', 'db'), wal, join(wal, '0000000000000000-0000000000000000.wal')];
    const root = process.getuid?.() === 0;
    for (const [number, path] of paths.entries()) {
      if (root) {
        chownSync(path, 1000 + number, 2000 + number);
      }
      chmodSync(path, lstatSync(path).isDirectory() ? 0o750 + number : 0o640 + number);
    }
    const owners = (): unknown => paths.map((path) => {
      const {mode, uid, gid} = statSync(path);
      return {path, mode, uid, gid};
    });
    const before = owners();
    succeed(...flagsOf(volume, 'copy'));
    for (const path of paths) {
      chmodSync(path, 0o777);
    }
    // What somebody did to the copy's directories does not matter.
    chmodSync(own(volume, 'copy', 'member', 'snap'), 0o700);
    restore(volume);
    assert.deepEqual(owners(), before);
  });

  it('restores a copy of an earlier version, whose manifest does not name directories', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    chmodSync(join(volume.data, 'member', 'snap'), 0o750);
    const old = live(volume);
    succeed(...flagsOf(volume, 'copy'));
    const path = own(volume, 'copy', 'manifest.json');
    const {directories, ...manifest} = JSON.parse(readFileSync(path, 'utf8')) as {directories: {path: string}[]};
    assert.deepEqual(directories.map((directory) => directory.path), ['member', 'member/snap', 'member/wal']);
    writeFileSync(path, JSON.stringify(manifest));
    change(volume, 'later');
    restore(volume);
    assert.deepEqual(live(volume), old);
    assert.equal(statSync(join(volume.data, 'member', 'snap')).mode & 0o777, 0o750);
  });

  it('does not restore what is in the copy but not in its manifest', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    const {old} = changedSinceCopy(volume);
    writeFileSync(own(volume, 'copy', 'member', 'wal', '0000000000000009-0000000000000009.wal'), 'x');
    mkdirSync(own(volume, 'copy', 'member', 'more'));
    restore(volume);
    assert.deepEqual(live(volume), old);
  });

  it('stores no preallocated ends of WAL segments', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {preallocate: 16 << 20});
    const volume = {root, data: join(root, 'data')};
    succeed(...flagsOf(volume, 'copy'));
    const report = restore(volume);
    const stats = statSync(join(root, 'data', 'member', 'wal', '0000000000000000-0000000000000000.wal'));
    assert.ok(stats.size > 16 << 20);
    assert.ok(report.reflinked > 0 || stats.blocks * 512 < 1 << 20, `${stats.blocks} blocks`);
    assert.ok(report.copiedBytes < 1 << 20);
  });

  it('builds anew what a killed start had begun to build', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    const {old} = changedSinceCopy(volume);
    for (const directory of [own(volume, 'restore', 'member', 'snap'), join(walRun(volume), 'restore', 'wal')]) {
      mkdirSync(directory, {recursive: true});
      writeFileSync(join(directory, 'half'), 'x');
    }
    restore(volume);
    assert.deepEqual(live(volume), old);
  });

  it('restores again only under a new attempt, and refuses a late start of an earlier one', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    const {old} = changedSinceCopy(volume);
    restore(volume);
    change(volume, 'written since');
    const since = live(volume);
    assert.equal(restore(volume).already, true);
    assert.deepEqual(live(volume), since, 'what etcd has written since stays');
    const second = restore(volume, '--attempt', '2');
    assert.equal(second.already, false);
    assert.deepEqual(second.moved, [{what: 'data', to: '.quorumrecovery/r1/set-aside-2/member'}, {what: 'wal', to: '.quorumrecovery/r1/set-aside-2/wal'}]);
    assert.deepEqual(live(volume), old);
    const after = snapshots(volume);
    assert.equal(refuse(...flags(volume)).reason, 'AttemptSuperseded');
    assert.deepEqual(snapshots(volume), after);
    assert.equal(restore(volume, '--attempt', '2').already, true);
  });

  it('does not say that it restored what was exchanged since', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    const {old} = changedSinceCopy(volume);
    restore(volume);
    succeed(...flagsOf(volume, 'prepare-join', 'r2'), '--member', 'abc');
    assert.equal(refuse(...flags(volume)).reason, 'Conflict');
    fill(volume);
    const before = snapshots(volume);
    const failure = refuse(...flags(volume));
    assert.equal(failure.reason, 'Conflict');
    assert.match(failure.message, /ask for the next --attempt/);
    assert.deepEqual(snapshots(volume), before);
    restore(volume, '--attempt', '2');
    assert.deepEqual(live(volume), old);
  });

  it('does not go on over data that came while it was interrupted, unless a new attempt asks for it', () => {
    let refused = 0;
    for (const start of ['data', 'guard'] as const) {
      for (let step = 0; ; step++) {
        const volume = layouts[2]?.make() ?? assert.fail();
        const {old} = changedSinceCopy(volume);
        if (start === 'guard') {
          succeed(...flagsOf(volume, 'set-aside'));
        }
        const stopped = killAt(step, ...flags(volume)) === undefined;
        const begun = existsSync(own(volume, 'restore-intent.json'));
        // Another run takes over: the member joins anew, and is stopped again.
        succeed(...flagsOf(volume, 'prepare-join', 'r2'), '--member', 'abc');
        fill(volume);
        change(volume, 'of another run');
        const newer = live(volume);
        if (begun) {
          refused++;
          const before = snapshots(volume);
          assert.equal(refuse(...flags(volume)).reason, 'Conflict', `${start}, killed before step ${step}`);
          assert.deepEqual(snapshots(volume), before);
          const {moved} = restore(volume, '--attempt', '2');
          assert.deepEqual(live(volume), old, `${start}, killed before step ${step}`);
          assert.deepEqual(moved.map(({what}) => what), ['data', 'wal']);
          const [data = '', wal = ''] = moved.map(({to}) => to);
          assert.deepEqual(trees(join(volume.root, data), join(volume.walRoot ?? '', wal)), newer);
        }
        if (!stopped) {
          break;
        }
      }
    }
    assert.ok(refused > 15, `${refused}`);
  });

  it('goes on with what an earlier attempt had begun', () => {
    for (let step = 0; ; step++) {
      const volume = layouts[2]?.make() ?? assert.fail();
      const {old} = changedSinceCopy(volume);
      const stopped = killAt(step, ...flags(volume)) === undefined;
      const {moved} = restore(volume, '--attempt', '2');
      assert.deepEqual(live(volume), old, `killed before step ${step}`);
      assert.equal(moved.length, 2);
      assert.equal(refuse(...flags(volume)).reason, 'AttemptSuperseded');
      assert.ok(!existsSync(own(volume, 'restore-intent.json')));
      if (!stopped) {
        return;
      }
    }
  });

  it('refuses a late attempt already while a later one is interrupted', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    killAfter(/^rename .*restore-intent.json$/, ...flags(volume, '--attempt', '2'));
    assert.equal(refuse(...flags(volume)).reason, 'AttemptSuperseded');
    assert.equal(restore(volume, '--attempt', '2').already, false);
  });

  it('leaves data that other commands of the agent read as before', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    restore(volume);
    const report = succeed(...flagsOf(volume, 'prepare-join', 'r2'), '--member', memberID);
    assert.ok(report.command === 'prepare-join' && report.start === 'Restart');
    const forced = succeed(...flagsOf(volume, 'prepare-force', 'r2'), '--attempt', '1', '--pod', 'p');
    assert.ok(forced.command === 'prepare-force' && forced.tail?.committed === true && forced.tail.entries === 2);
  });
});
