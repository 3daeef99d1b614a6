import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {Refusal} from '../../../src/agent/failure.ts';
import {blockText} from '../../../src/agent/guard.ts';
import {locateData} from '../../../src/agent/place.ts';
import {restoreCopy} from '../../../src/agent/restoring.ts';
import {runCommand} from '../../../src/agent/run.ts';
import {canLock, lock} from './locked.ts';
import type {Lock} from './locked.ts';
import {changedSinceCopy, flags, own, walRun} from './restored.ts';
import {etcdWould, fill, flagsOf, killAfter, layouts, newVolume, refuse, removeVolumes, snapshotOf, snapshots, succeed} from './volumes.ts';
import type {Volume} from './volumes.ts';

describe('agent restore-copy refuses', () => {
  afterEach(removeVolumes);

  it('refuses where the run has no copy, and changes nothing', () => {
    const volume = layouts[1]?.make() ?? assert.fail();
    fill(volume);
    const before = snapshots(volume);
    const failure = refuse(...flags(volume));
    assert.equal(failure.reason, 'NoCopy');
    assert.match(failure.message, /^Run r1 keeps no copy on this volume/);
    assert.deepEqual(snapshots(volume), before);
    // A copy that was not finished is none.
    mkdirSync(own(volume, 'copy.tmp', 'member'), {recursive: true});
    assert.equal(refuse(...flags(volume)).reason, 'NoCopy');
  });

  describe('refuses a damaged copy, and changes nothing:', () => {
    const manifest = (volume: Volume, edit: (value: {run: string; files: {path: string; size: number}[]; directories: {path: string}[]}) => void): void => {
      const path = own(volume, 'copy', 'manifest.json');
      const value = JSON.parse(readFileSync(path, 'utf8')) as Parameters<typeof edit>[0];
      edit(value);
      writeFileSync(path, JSON.stringify(value));
    };
    const db = ['copy', 'member', 'snap', 'db'];
    const damages: [string, (volume: Volume) => void, RegExp, string?][] = [
      ['a file that is shorter', (volume) => { truncateSync(own(volume, ...db), 100); }, /member\/snap\/db is not what was copied/],
      ['a byte that is another', (volume) => {
        const bytes = readFileSync(own(volume, ...db));
        bytes[200] = (bytes[200] ?? 0) ^ 1;
        writeFileSync(own(volume, ...db), bytes);
      }, /member\/snap\/db is not what was copied/],
      ['a byte in the zeros at the end', (volume) => {
        const path = own(volume, 'copy', 'member', 'wal', '0000000000000000-0000000000000000.wal');
        const bytes = readFileSync(path);
        bytes[bytes.length - 1] = 1;
        writeFileSync(path, bytes);
      }, /\.wal is not what was copied/],
      ['a file that is gone', (volume) => { rmSync(own(volume, ...db)); }, /member\/snap\/db/],
      ['a directory in the place of a file', (volume) => {
        rmSync(own(volume, ...db));
        mkdirSync(own(volume, ...db));
        manifest(volume, ({files}) => { Object.assign(files.find(({path}) => path === 'member/snap/db') ?? {}, {size: statSync(own(volume, ...db)).size}); });
      }, /member\/snap\/db is not what was copied/],
      ['a directory that is gone', (volume) => { rmSync(own(volume, 'copy', 'member'), {recursive: true}); }, /member/],
      ['no manifest', (volume) => { rmSync(own(volume, 'copy', 'manifest.json')); }, /manifest.json is missing/],
      ['a manifest that is cut off', (volume) => { truncateSync(own(volume, 'copy', 'manifest.json'), 50); }, /manifest.json/],
      ['another run\'s manifest', (volume) => { manifest(volume, (value) => { value.run = 'r2'; }); }, /not this run's/],
      ['a mode that makes no sense', (volume) => { manifest(volume, ({files}) => { Object.assign(files[0] ?? {}, {mode: 'rw'}); }); }, /manifest.json/],
      ['a path that leads out', (volume) => {
        writeFileSync(join(volume.root, 'outside'), 'x');
        manifest(volume, ({files}) => { Object.assign(files[0] ?? {}, {path: '../../../outside'}); });
      }, /outside/],
      ['a path that leads out of the tree', (volume) => { manifest(volume, ({files}) => { Object.assign(files[0] ?? {}, {path: 'member/../manifest.json'}); }); }, /manifest.json/],
      ['a directory that leads out', (volume) => { manifest(volume, ({directories}) => { directories.push({...directories[0], path: 'member/../../x'}); }); }, /./],
      ['a directory that no directory is above', (volume) => { manifest(volume, (value) => { value.directories = value.directories.filter(({path}) => path !== 'member/snap'); }); }, /./],
      ['a link in the place of a file', (volume) => {
        renameSync(own(volume, ...db), join(volume.root, 'db'));
        symlinkSync(join(volume.root, 'db'), own(volume, ...db));
      }, /symbolic link/, 'UnsafePath'],
      ['a link in the place of a directory', (volume) => {
        renameSync(own(volume, 'copy', 'member'), join(volume.root, 'elsewhere'));
        symlinkSync(join(volume.root, 'elsewhere'), own(volume, 'copy', 'member'));
      }, /symbolic link/, 'UnsafePath'],
      ['a link in the place of the copy', (volume) => {
        renameSync(own(volume, 'copy'), join(volume.root, 'elsewhere'));
        symlinkSync(join(volume.root, 'elsewhere'), own(volume, 'copy'));
      }, /symbolic link/, 'UnsafePath'],
    ];
    for (const [what, damage, message, reason = 'CopyDamaged'] of damages) {
      it(what, () => {
        const volume = layouts[0]?.make() ?? assert.fail();
        changedSinceCopy(volume);
        damage(volume);
        const before = snapshots(volume);
        const failure = refuse(...flags(volume));
        assert.equal(failure.reason, reason);
        assert.match(failure.message, message);
        assert.deepEqual(snapshots(volume), before);
      });
    }
  });

  it('sees what is missing or has another size before it builds anything', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    truncateSync(own(volume, 'copy', 'member', 'snap', 'db'), 100);
    const steps: string[] = [];
    assert.throws(() => runCommand(parseArguments(flags(volume)), (what) => steps.push(what)), {reason: 'CopyDamaged'});
    assert.deepEqual(steps, []);
  });

  it('refuses what is not this run\'s in the way, and changes nothing', () => {
    const cases: [string, (volume: Volume) => void][] = [
      ['Guarded', (volume) => succeed(...flagsOf(volume, 'set-aside', 'r2'))],
      ['Conflict', (volume) => {
        rmSync(join(volume.data, 'member'), {recursive: true});
        writeFileSync(join(volume.data, 'member'), 'mine');
      }],
      ['Conflict', (volume) => { writeFileSync(join(volume.data, 'proxy'), 'mine'); }],
      ['Conflict', (volume) => { mkdirSync(join(volume.data, 'proxy')); }],
      ['Conflict', (volume) => { writeFileSync(join(volume.data, 'proxy'), blockText('r2')); }],
      ['Conflict', (volume) => {
        rmSync(volume.wal ?? '', {recursive: true});
        writeFileSync(volume.wal ?? '', 'mine');
      }],
      ['UnsafePath', (volume) => {
        rmSync(volume.wal ?? '', {recursive: true});
        symlinkSync(own(volume, 'copy', 'wal'), volume.wal ?? '');
      }],
      ['UnsafePath', (volume) => {
        rmSync(join(volume.data, 'member'), {recursive: true});
        symlinkSync(own(volume, 'copy', 'member'), join(volume.data, 'member'));
      }],
    ];
    for (const [number, [reason, make]] of cases.entries()) {
      const volume = layouts[1]?.make() ?? assert.fail();
      changedSinceCopy(volume);
      make(volume);
      const before = snapshots(volume);
      assert.equal(refuse(...flags(volume)).reason, reason, `case ${number}`);
      assert.deepEqual(snapshots(volume), before);
    }
  });

  it('refuses where it cannot tell how far an earlier start came', () => {
    for (const name of ['restored-1', 'restored-2', 'restore-intent.json']) {
      for (const text of ['', '{"run": "r1"}', 'null', JSON.stringify({run: 'r2', attempt: 2, restored: {}, trees: {}})]) {
        const volume = layouts[0]?.make() ?? assert.fail();
        changedSinceCopy(volume);
        writeFileSync(own(volume, name), text);
        const before = snapshots(volume);
        assert.equal(refuse(...flags(volume, '--attempt', name === 'restored-2' ? '2' : '1')).reason, 'Conflict', `${name}: ${text}`);
        assert.deepEqual(snapshots(volume), before);
      }
    }
  });

  it('refuses flags that name other directories than the copy was made of', () => {
    const volume = layouts[1]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    const {root, wal = ''} = volume;
    const before = snapshots(volume);
    for (const other of [{root, data: root}, {root, data: join(root, 'data'), wal}, {root, data: root, wal: join(root, 'wal2')}]) {
      const failure = refuse(...flags(other));
      assert.equal(failure.reason, 'BadUsage');
      assert.match(failure.message, /was made of the data directory "" and WAL directory "wal"/);
    }
    assert.deepEqual(snapshots(volume), before);
  });

  it('refuses where the space does not suffice on one of the volumes, says how much is needed and free, and leaves nothing behind', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    const before = snapshots(volume);
    const place = locateData(parseArguments(flags(volume)));
    for (const full of [volume.root, volume.walRoot ?? '']) {
      assert.throws(() => restoreCopy(place, 1, {free: (path) => (path === full ? 4_000_000 : 1e12)}), (error: unknown) => {
        assert.ok(error instanceof Refusal);
        assert.equal(error.reason, 'NoSpace');
        assert.match(error.message, new RegExp(`on the volume at ${full},`));
        assert.equal(error.details.freeBytes, 4_000_000);
        assert.ok((error.details.neededBytes ?? 0) > 4_000_000);
        return true;
      });
    }
    assert.deepEqual(snapshots(volume), before);
    assert.equal(restoreCopy(place, 1, {free: () => 6 << 20}).already, false);
  });

  it('needs the space of both trees where they are on one volume', () => {
    const volume = layouts[1]?.make() ?? assert.fail();
    fill(volume);
    writeFileSync(join(volume.data, 'member', 'snap', 'db'), Buffer.alloc(6 << 20, 1));
    writeFileSync(join(volume.wal ?? '', '0000000000000001-0000000000000007.wal'), Buffer.alloc(6 << 20, 1));
    succeed(...flagsOf(volume, 'copy'));
    const place = locateData(parseArguments(flags(volume)));
    assert.throws(() => restoreCopy(place, 1, {free: () => 12 << 20}), {reason: 'NoSpace'});
    assert.equal(restoreCopy(place, 1, {free: () => 17 << 20}).already, false);
  });

  it('leaves nothing behind where the volume fills up meanwhile', () => {
    const volume = layouts[2]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    const before = snapshots(volume);
    const full = (what: string): void => {
      if (what.startsWith(`mkdir ${own(volume, 'restore')}`)) {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});
      }
    };
    assert.throws(() => runCommand(parseArguments(flags(volume)), full), {reason: 'NoSpace'});
    assert.deepEqual(snapshotOf(volume.root), before[0]);
    assert.deepEqual(readdirSync(walRun(volume)), [], 'the WAL had been built already');
  });

  it('refuses where an etcd holds the data, before and after the trees were built, and lets it start again', function () {
    if (!canLock()) {
      this.skip();
    }
    const volume = layouts[2]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    const before = snapshots(volume);
    const db = join(volume.data, 'member', 'snap', 'db');
    const held = lock(db);
    assert.equal(refuse(...flags(volume)).reason, 'DataInUse');
    held.release();
    assert.deepEqual(snapshots(volume), before);
    const refuseStartedMeanwhile = (): void => {
      const locks: Lock[] = [];
      const onStep = (what: string): void => {
        if (locks.length === 0 && what.includes('restore')) {
          locks.push(lock(db));
        }
      };
      assert.throws(() => runCommand(parseArguments(flags(volume)), onStep), {reason: 'DataInUse'});
      assert.equal(locks.length, 1);
      locks[0]?.release();
    };
    refuseStartedMeanwhile();
    assert.equal(etcdWould(volume), 'start on its data');
    assert.deepEqual(snapshotOf(volume.root), before[0]);
    // The block of a set-aside that was interrupted is not this command's to remove.
    killAfter(/^rename .*proxy$/, ...flagsOf(volume, 'set-aside'));
    refuseStartedMeanwhile();
    assert.equal(etcdWould(volume), 'exit');
  });

  it('refuses a data directory on another file system than its root', function () {
    const shared = '/dev/shm';
    if (!existsSync(shared) || statSync(shared).dev === statSync(newVolume()).dev) {
      this.skip();
    }
    // No way to mount one here: the root's own device is what differs.
    const volume = layouts[0]?.make() ?? assert.fail();
    changedSinceCopy(volume);
    const place = locateData(parseArguments(flags(volume)));
    assert.throws(() => restoreCopy({...place, root: shared}, 1), /nothing can be renamed between them/);
    assert.equal(etcdWould(volume), 'start on its data');
    assert.ok(!existsSync(join(dirname(place.member), 'proxy')));
  });
});
