import assert from 'node:assert/strict';
import {existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import type {PruneReport} from '../../../src/agent/report.ts';
import {runCommand} from '../../../src/agent/run.ts';
import {canLock, lock} from './locked.ts';
import {changedSinceCopy, own, restore, walRun} from './restored.ts';
import {etcdWould, fill, flagsOf, killAfter, killAt, layouts, newVolume, refuse, removeVolumes, snapshotOf, snapshots, succeed} from './volumes.ts';
import type {Volume} from './volumes.ts';

const flags = (volume: Volume, ...more: string[]): string[] => [...flagsOf(volume, 'prune'), ...more];
const force = (volume: Volume, attempt = 1): string[] => [...flagsOf(volume, 'prepare-force'), '--attempt', String(attempt), '--pod', `pod-${attempt}`];
const spend = ({root}: Volume, attempt: number, pod: string): string[] => ['spend', '--root', root, '--run', 'r1', '--attempt', String(attempt), '--pod', pod];
const prepareJoin = (volume: Volume, member = 'abc', run = 'r1'): string[] => [...flagsOf(volume, 'prepare-join', run), '--member', member];

function prune(volume: Volume, ...more: string[]): PruneReport {
  const report = succeed(...flags(volume, ...more));
  assert.ok(report.command === 'prune');
  return report;
}

/** A volume on which run r1 did all that a run can do, and r2 a little. Its member runs on data of its own. */
function used(volume: Volume): void {
  fill(volume);
  succeed(...force(volume, 1));
  succeed(...force(volume, 2));
  succeed(...flagsOf(volume, 'restore-copy'));
  succeed(...flagsOf(volume, 'set-aside'));
  succeed(...prepareJoin(volume));
  fill(volume);
  succeed(...flagsOf(volume, 'copy', 'r2'));
}

const entriesOf = (path: string): string[] => (existsSync(path) ? readdirSync(path).sort() : []);

/** Everything but what run r1 keeps. */
function others(volume: Volume): unknown {
  return snapshots(volume).map((files) => Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith('.quorumrecovery/r1'))));
}

const simple = (): Volume => layouts[0]?.make() ?? assert.fail();
const apart = (): Volume => layouts[2]?.make() ?? assert.fail();

describe('agent prune', function () {
  this.timeout(60_000);
  afterEach(removeVolumes);

  for (const layout of layouts) {
    describe(`with ${layout.name}`, () => {
      it('removes what the run kept and nothing else, keeps its records, says what it freed, and finds that again', () => {
        const volume = layout.make();
        used(volume);
        const before = others(volume);
        const files = [own(volume), walRun(volume)].slice(0, volume.walRoot === undefined ? 1 : 2)
          .flatMap((path) => Object.entries(snapshotOf(path))).filter(([, content]) => content !== null).length;
        const report = prune(volume);
        assert.deepEqual(entriesOf(own(volume)), ['join-abc', 'restored-1', 'sealed']);
        assert.ok(volume.walRoot === undefined || !existsSync(walRun(volume)));
        assert.deepEqual(others(volume), before);
        assert.ok(report.bytes > 1 << 20, `${report.bytes}`);
        assert.deepEqual(report, {
          ok: true, command: 'prune', run: 'r1', runs: [{run: 'r1', files: files - 2, bytes: report.bytes, already: false}],
          files: files - 2, bytes: report.bytes, already: false,
        });
        const after = snapshots(volume);
        assert.deepEqual(prune(volume), {
          ok: true, command: 'prune', run: 'r1', runs: [{run: 'r1', files: 0, bytes: 0, already: true}], files: 0, bytes: 0, already: true,
        });
        assert.deepEqual(snapshots(volume), after);
      });

      it('ends the same wherever it is killed, never leaves half of a copy that looks like one, and never gives the marker away', () => {
        for (let step = 0; ; step++) {
          const volume = layout.make();
          used(volume);
          const before = others(volume);
          const stopped = killAt(step, ...flags(volume)) === undefined;
          const names = [...entriesOf(own(volume)), ...entriesOf(walRun(volume))];
          assert.ok(names.includes('sealed') || ['copy', 'force-1', 'force-2', 'set-aside'].every((name) => names.includes(name)), `killed before step ${step}`);
          if (existsSync(own(volume, 'copy'))) {
            assert.ok(existsSync(own(volume, 'copy', 'manifest.json')));
          }
          assert.ok(['RunSealed', 'MarkerSpent'].includes(refuse(...spend(volume, 2, 'late')).reason));
          assert.deepEqual(others(volume), before);
          prune(volume);
          assert.deepEqual(entriesOf(own(volume)), ['join-abc', 'restored-1', 'sealed'], `killed before step ${step}`);
          assert.ok(volume.walRoot === undefined || !existsSync(walRun(volume)));
          assert.deepEqual(others(volume), before);
          if (!stopped) {
            assert.ok(step > 10);
            return;
          }
        }
      });
    });
  }

  it('goes on where a killed one had removed half of a directory, also if that is there anew', () => {
    const volume = apart();
    used(volume);
    mkdirSync(own(volume, 'removing-copy', 'member', 'wal'), {recursive: true});
    writeFileSync(own(volume, 'removing-copy', 'member', 'half'), 'x');
    writeFileSync(own(volume, 'removing-restore'), 'x');
    mkdirSync(join(walRun(volume), 'removing-set-aside'));
    const report = prune(volume);
    assert.deepEqual(entriesOf(own(volume)), ['join-abc', 'restored-1', 'sealed']);
    assert.equal(report.runs[0]?.left, undefined);
  });

  it('knows everything that the commands of a run leave behind, wherever they are killed', () => {
    const commands: ((volume: Volume) => string[])[] = [
      (volume) => flagsOf(volume, 'copy'), force, (volume) => flagsOf(volume, 'set-aside'), prepareJoin, (volume) => flagsOf(volume, 'restore-copy'),
      (volume) => ['seal', '--root', volume.root, '--run', 'r1'],
    ];
    for (const command of commands) {
      for (let step = 0; ; step++) {
        const volume = apart();
        fill(volume);
        if (command(volume)[0] === 'restore-copy') {
          succeed(...flagsOf(volume, 'copy'));
        }
        const stopped = killAt(step, ...command(volume)) === undefined;
        rmSync(volume.data, {recursive: true});
        fill(volume);
        for (const name of entriesOf(own(volume)).filter((one) => one.endsWith('-intent.json'))) {
          rmSync(own(volume, name));
        }
        const report = prune(volume);
        assert.equal(report.runs[0]?.left, undefined, `${command(volume)[0] ?? ''} killed before step ${step}`);
        assert.deepEqual(entriesOf(own(volume)).filter((name) => !/^(sealed|join-abc|restored-1)$/.test(name)), []);
        if (!stopped) {
          break;
        }
      }
    }
  });

  it('leaves a late force pod of the run refused, before it copies anything', () => {
    const volume = apart();
    used(volume);
    prune(volume);
    const before = snapshots(volume);
    for (const attempt of [1, 2, 3]) {
      assert.equal(refuse(...force(volume, attempt)).reason, 'RunSealed');
      assert.equal(refuse(...spend(volume, attempt, `pod-${attempt}`)).reason, 'RunSealed');
    }
    assert.deepEqual(snapshots(volume), before);
    assert.equal(refuse(...flagsOf(volume, 'restore-copy'), '--attempt', '2').reason, 'NoCopy');
  });

  it('seals a run that was never on this volume too', () => {
    const volume = simple();
    fill(volume);
    assert.equal(prune(volume).already, false);
    assert.deepEqual(entriesOf(own(volume)), ['sealed']);
    assert.equal(refuse(...force(volume)).reason, 'RunSealed');
    assert.equal(prune(volume).already, true);
  });

  it('keeps the memory of a join: an unreadable WAL of that member is still no reason to start it empty', () => {
    const volume = simple();
    succeed(...prepareJoin(volume));
    fill(volume);
    writeFileSync(join(volume.data, 'member', 'wal', '0000000000000000-0000000000000000.wal'), Buffer.alloc(4096, 0x41));
    prune(volume);
    assert.equal(refuse(...prepareJoin(volume)).reason, 'Unreadable');
  });

  it('keeps the memory of a restore: a late start of it sets nothing aside', () => {
    const volume = simple();
    changedSinceCopy(volume);
    restore(volume);
    prune(volume);
    assert.deepEqual([restore(volume).already, restore(volume).moved], [true, []]);
  });

  it('refuses while what the run keeps is the only data, and changes nothing', () => {
    const volume = apart();
    fill(volume);
    succeed(...flagsOf(volume, 'set-aside'));
    const before = snapshots(volume);
    const failure = refuse(...flags(volume));
    assert.equal(failure.reason, 'Guarded');
    assert.match(failure.message, /only data here. Nothing was removed/);
    assert.deepEqual(snapshots(volume), before);
    succeed(...flagsOf(volume, 'set-aside', 'r2'));
    succeed(...flagsOf(volume, 'prune', 'r2'));
    succeed(...prepareJoin(volume));
    const empty = refuse(...flags(volume));
    assert.equal(empty.reason, 'NoData');
    assert.match(empty.message, /only data on this volume. Nothing was removed/);
    mkdirSync(join(volume.data, 'member', 'snap'), {recursive: true});
    mkdirSync(volume.wal ?? '');
    assert.equal(refuse(...flags(volume)).reason, 'NoData', 'an etcd that was killed in its first second has written nothing');
    assert.ok(existsSync(own(volume, 'set-aside', 'member')));
    fill(volume);
    assert.equal(prune(volume).already, false);
  });

  it('refuses while the run is interrupted, at every step of a set-aside, a join and a restore', () => {
    for (const command of ['set-aside', 'prepare-join', 'restore-copy'] as const) {
      let refused = 0;
      for (let step = 0; ; step++) {
        const volume = apart();
        changedSinceCopy(volume);
        const words = command === 'prepare-join' ? prepareJoin(volume) : flagsOf(volume, command);
        const stopped = killAt(step, ...words) === undefined;
        const before = snapshots(volume);
        const would = etcdWould(volume);
        const report = runPrune(volume);
        if (report === 'done') {
          assert.equal(would, 'start on its data', `${command} killed before step ${step}`);
          assert.equal(etcdWould(volume), would);
        } else {
          refused++;
          assert.ok(report === 'Unfinished' || report === {'set-aside': 'Guarded', 'prepare-join': 'NoData', 'restore-copy': ''}[command], report);
          assert.deepEqual(snapshots(volume), before);
          if (stopped) {
            succeed(...words);
          }
        }
        if (!stopped) {
          break;
        }
      }
      assert.ok(refused > 6, `${command}: ${refused}`);
    }
  });

  it('refuses while the block stands, although nothing else tells of an interruption', () => {
    const volume = simple();
    changedSinceCopy(volume);
    killAfter(/^rename .*proxy$/, ...flagsOf(volume, 'restore-copy'));
    assert.ok(!existsSync(own(volume, 'restore-intent.json')));
    assert.equal(refuse(...flags(volume)).reason, 'Unfinished');
    assert.equal(succeed(...flagsOf(volume, 'prune', 'r2')).ok, true);
  });

  it('refuses while an intent stands, although nothing blocks', () => {
    const begun: [string, RegExp][] = [['set-aside', /^rename .*set-aside-intent.json$/], ['restore-copy', /^rename .*restore-intent.json$/]];
    for (const [command, step] of begun) {
      const volume = simple();
      changedSinceCopy(volume);
      killAfter(step, ...flagsOf(volume, command));
      rmSync(join(volume.data, 'proxy'), {force: true});
      assert.equal(etcdWould(volume), 'start on its data');
      assert.equal(refuse(...flags(volume)).reason, 'Unfinished', command);
      succeed(...flagsOf(volume, command));
      if (command === 'restore-copy') {
        assert.equal(prune(volume).already, false);
      }
    }
  });

  it('refuses what is in the place of the member directory and not to be told', () => {
    const volume = simple();
    changedSinceCopy(volume);
    rmSync(join(volume.data, 'member'), {recursive: true});
    writeFileSync(join(volume.data, 'member'), 'a guard file that somebody has edited');
    assert.equal(refuse(...flags(volume)).reason, 'Conflict');
    assert.ok(existsSync(own(volume, 'copy', 'manifest.json')));
  });

  it('refuses where the data directory lies in what goes, by its text and through links', () => {
    const volume = simple();
    changedSinceCopy(volume);
    const {root} = volume;
    symlinkSync('.quorumrecovery/r1', join(root, 'way'));
    for (const data of [own(volume, 'copy'), join(root, 'way', 'copy')]) {
      assert.equal(refuse(...flags({root, data})).reason, 'BadUsage', data);
    }
    assert.equal(refuse(...flags({root, data: volume.data, wal: join(root, 'way', 'copy', 'member', 'wal')})).reason, 'BadUsage');
    assert.equal(refuse(...flags({root, data: join(root, 'way')})).reason, 'UnsafePath');
    assert.ok(existsSync(own(volume, 'copy', 'manifest.json')));
  });

  it('refuses where data in use is behind a link into what goes', () => {
    const links: [string, string][] = [['member', 'copy/member'], ['member/snap', 'copy/member/snap'], ['member/snap/db', 'copy/member/snap/db'], ['member/wal', 'copy/member/wal']];
    for (const [link, target] of links) {
      const volume = simple();
      changedSinceCopy(volume);
      rmSync(join(volume.data, link), {recursive: true});
      symlinkSync(own(volume, target), join(volume.data, link));
      const before = snapshots(volume);
      assert.equal(refuse(...flags(volume)).reason, 'UnsafePath', link);
      assert.deepEqual(snapshots(volume), before);
    }
    const volume = apart();
    changedSinceCopy(volume);
    const {wal = ''} = volume;
    const outside = join(wal, '..', 'segment.wal');
    writeFileSync(outside, 'x');
    symlinkSync(outside, join(wal, '0000000000000002-0000000000000009.wal'));
    assert.equal(prune(volume).already, false, 'other links of the data are none of its business');
  });

  it('follows no link: refuses those that lead out, and removes those that stay inside as what they are', () => {
    const outside = newVolume();
    writeFileSync(join(outside, 'precious'), 'x');
    mkdirSync(join(outside, 'r1', 'copy'), {recursive: true});
    writeFileSync(join(outside, 'r1', 'copy', 'precious'), 'x');
    const kept = snapshotOf(outside);
    const leadOut: [string, string][] = [
      ['copy/member/snap/out', outside], ['copy/member/out', join(outside, 'precious')], ['copy/member/up', '../../../../data'],
      ['copy/member/dangling', 'nowhere'], ['set-aside', outside], ['force-7', join(outside, 'precious')],
    ];
    for (const [path, target] of leadOut) {
      const volume = simple();
      changedSinceCopy(volume);
      symlinkSync(target, own(volume, path));
      const before = snapshots(volume);
      const failure = refuse(...flags(volume));
      assert.equal(failure.reason, 'UnsafePath', path);
      assert.ok(failure.message.includes(own(volume, path)));
      assert.deepEqual(snapshots(volume), before);
    }
    for (const link of ['.quorumrecovery', '.quorumrecovery/r1']) {
      const volume = simple();
      fill(volume);
      mkdirSync(join(volume.root, link, '..'), {recursive: true});
      symlinkSync(link === '.quorumrecovery' ? outside : join(outside, 'r1'), join(volume.root, link));
      assert.equal(refuse(...flags(volume)).reason, 'UnsafePath', link);
    }
    const volume = simple();
    changedSinceCopy(volume);
    symlinkSync(own(volume, 'copy', 'member'), own(volume, 'copy', 'inside'));
    symlinkSync('copy', own(volume, 'set-aside'));
    assert.equal(prune(volume).already, false);
    assert.deepEqual(entriesOf(own(volume)), ['sealed']);
    assert.deepEqual(snapshotOf(outside), kept);
  });

  it('leaves what is not this operator\'s in the run\'s directories, and says so', () => {
    const volume = apart();
    used(volume);
    const foreign = [own(volume, 'notes.txt'), own(volume, 'copy-of-mine'), own(volume, 'set-aside-x'), join(walRun(volume), 'mine')];
    for (const path of foreign) {
      writeFileSync(path, 'mine');
    }
    const report = prune(volume);
    assert.deepEqual(report.runs[0]?.left, ['copy-of-mine', 'notes.txt', 'set-aside-x', 'mine']);
    assert.ok(foreign.every((path) => readFileSync(path, 'utf8') === 'mine'));
    assert.equal(prune(volume).already, true);
    const other = simple();
    mkdirSync(join(other.root, '.quorumrecovery'));
    writeFileSync(own(other), 'mine');
    assert.equal(refuse(...flags(other)).reason, 'Conflict');
  });

  it('does not count blocks that stay in use under another name', () => {
    const volume = simple();
    changedSinceCopy(volume);
    const segment = own(volume, 'copy', 'member', 'snap', 'db');
    writeFileSync(segment, Buffer.alloc(5 << 20, 1));
    const whole = simple();
    changedSinceCopy(whole);
    writeFileSync(own(whole, 'copy', 'member', 'snap', 'db'), Buffer.alloc(5 << 20, 1));
    linkSync(segment, join(volume.root, 'other-name'));
    const difference = prune(whole).bytes - prune(volume).bytes;
    assert.ok(Math.abs(difference - (5 << 20)) < 1 << 16, `${difference}`);
  });

  it('prunes several finished runs, all of them or none', () => {
    const volume = apart();
    used(volume);
    succeed(...flagsOf(volume, 'copy', 'r3'));
    succeed(...flagsOf(volume, 'copy', 'r4'));
    succeed(...flagsOf(volume, 'set-aside', 'r4'));
    const before = snapshots(volume);
    const failure = refuse(...flags(volume, '--finished', 'r2,r4,r3'));
    assert.equal(failure.reason, 'Guarded');
    assert.match(failure.message, /of run r4/);
    assert.deepEqual(snapshots(volume), before);
    const report = prune(volume, '--finished', 'r2,r1,r3');
    assert.deepEqual(report.runs.map(({run, already}) => [run, already]), [['r1', false], ['r2', false], ['r3', false]]);
    assert.equal(report.files, report.runs.reduce((sum, {files}) => sum + files, 0));
    for (const run of ['r2', 'r3']) {
      assert.deepEqual(entriesOf(join(volume.root, '.quorumrecovery', run)), ['sealed']);
    }
    assert.ok(existsSync(join(volume.root, '.quorumrecovery', 'r4', 'copy', 'manifest.json')));
  });

  it('seals a run also where the volume has no room for a file\'s content', () => {
    const volume = simple();
    used(volume);
    const full = (what: string): void => {
      if (/^(write|mkdir) /.test(what)) {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});
      }
    };
    const report = runCommand(parseArguments(flags(volume)), full);
    assert.ok(report.command === 'prune' && report.bytes > 1 << 20);
    assert.equal(readFileSync(own(volume, 'sealed'), 'utf8'), '');
    assert.equal(refuse(...force(volume)).reason, 'RunSealed');
  });

  it('may run beside an etcd that holds the data, and refuses where one runs on what goes', function () {
    if (!canLock()) {
      this.skip();
    }
    const volume = simple();
    changedSinceCopy(volume);
    const onCopy = lock(own(volume, 'copy', 'member', 'snap', 'db'));
    assert.equal(refuse(...flags(volume)).reason, 'DataInUse');
    onCopy.release();
    const onData = lock(join(volume.data, 'member', 'snap', 'db'));
    assert.equal(prune(volume).already, false);
    onData.release();
  });
});

function runPrune(volume: Volume): string {
  try {
    runCommand(parseArguments(flags(volume)));
    return 'done';
  } catch (error) {
    return (error as {reason: string}).reason;
  }
}
