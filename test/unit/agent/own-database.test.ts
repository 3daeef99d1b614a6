import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {PrepareSeedReport} from '../../../src/agent/report.ts';
import {etcdWould, fill, flagsOf, killAt, layouts, refuse, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';
import type {Volume} from './volumes.ts';

const home = ({root}: Volume): string => join(root, '.quorumrecovery', 'r1');
const walHome = ({root, walRoot}: Volume): string => join(walRoot ?? root, '.quorumrecovery', 'r1');
const own = ['--database', 'db', '--expect-index', '4', '--expect-revision', '1'];
const preparing = (volume: Volume, ...more: string[]): string[] => [...flagsOf(volume, 'prepare-seed'), ...(more.length > 0 ? more : own)];

function prepare(volume: Volume): NonNullable<PrepareSeedReport['snapshot']> {
  const report = succeed(...preparing(volume));
  assert.ok(report.command === 'prepare-seed' && report.snapshot !== undefined);
  return report.snapshot;
}

/** As etcdutl does after it. */
function build(volume: Volume): void {
  prepare(volume);
  const data = join(home(volume), 'built', 'data');
  writeData(data, volume.wal === undefined ? {} : {walDir: join(walHome(volume), 'built', 'wal')});
  writeFileSync(join(data, 'member', 'snap', 'mark'), 'restored');
}

const seeding = (volume: Volume): string[] => [...flagsOf(volume, 'seed'), '--attempt', '1', ...own];
const db = ({data}: Volume): string => join(data, 'member', 'snap', 'db');

describe('a snapshot of a member\'s own database', function () {
  this.timeout(60_000);
  afterEach(removeVolumes);

  const filled = (): Volume => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    return volume;
  };

  it('is the database with its SHA-256 behind it, as etcd sends one; what it is made of is not touched', () => {
    const volume = filled();
    const before = snapshotOf(join(volume.data, 'member'));
    const database = readFileSync(db(volume));
    const {path, bytes, sha256, already} = prepare(volume);
    const file = readFileSync(join(volume.root, path));
    assert.deepEqual([path, bytes, already], ['.quorumrecovery/r1/survivor.db', database.length + 32, false]);
    assert.equal(sha256, createHash('sha256').update(database).digest('hex'));
    assert.ok(file.equals(Buffer.concat([database, Buffer.from(sha256, 'hex')])));
    assert.deepEqual(snapshotOf(join(volume.data, 'member')), before);
    assert.equal(prepare(volume).already, true);
  });

  it('is none of another database than the one that was read', () => {
    const volume = filled();
    const refused = (...expected: string[]) => refuse(...preparing(volume, ...expected)).reason;
    assert.equal(refused('--database', 'db', '--expect-index', '5', '--expect-revision', '1'), 'BehindPlan');
    assert.equal(refused('--database', 'db', '--expect-index', '3', '--expect-revision', '1'), 'DataInUse');
    assert.equal(refused('--database', 'db', '--expect-index', '4', '--expect-revision', '2'), 'DataInUse');
    assert.equal(refused('--database', '0000000000000004.snap.db', '--expect-index', '4', '--expect-revision', '1'), 'NoData');
    writeFileSync(db(volume), 'no database');
    assert.equal(refused(...own), 'Unreadable');
    assert.equal(existsSync(join(home(volume), 'survivor.db')), false);
  });

  it('is made of what the leader had sent, where an etcd would take that over', () => {
    const volume = filled();
    writeFileSync(join(volume.data, 'member', 'snap', '0000000000000004.snap.db'), readFileSync(db(volume)));
    succeed(...preparing(volume, '--database', '0000000000000004.snap.db', '--expect-index', '4', '--expect-revision', '1'));
  });

  it('is asked for with what was read, and by a name in member/snap', () => {
    const volume = filled();
    assert.match(refuse(...preparing(volume, '--database', 'db')).message, /--database needs --expect-index and --expect-revision/);
    assert.equal(refuse(...preparing(volume, '--database', '../db', '--expect-index', '4', '--expect-revision', '1')).reason, 'BadUsage');
  });

  it('is made anew where one that was left is damaged, or of another database', () => {
    const volume = filled();
    mkdirSync(home(volume), {recursive: true});
    for (const left of ['damaged', 'x'.repeat(600)]) {
      writeFileSync(join(home(volume), 'survivor.db'), left);
      assert.equal(prepare(volume).already, false);
    }
  });

  it('takes nothing that was written meanwhile away: the database is read once more in the turn', () => {
    const volume = filled();
    build(volume);
    writeData(volume.data, {consistentIndex: 5});
    const before = snapshotOf(join(volume.data, 'member'));
    assert.equal(refuse(...seeding(volume)).reason, 'DataInUse');
    assert.deepEqual(snapshotOf(join(volume.data, 'member')), before);
  });

  for (const layout of layouts) {
    it(`takes the place of the data, wherever it is killed, and a new pod finds the snapshot again (${layout.name})`, () => {
      for (let step = 0; ; step++) {
        const volume = layout.make();
        fill(volume);
        const old = snapshotOf(join(volume.data, 'member'));
        build(volume);
        const report = killAt(step, ...seeding(volume));
        if (report !== undefined) break;
        assert.notEqual(etcdWould(volume), 'form a new cluster', `killed before step ${step}`);
        build(volume);
        succeed(...seeding(volume));
        assert.equal(readFileSync(join(volume.data, 'member', 'snap', 'mark'), 'utf8'), 'restored', `killed before step ${step}`);
        assert.deepEqual(snapshotOf(join(home(volume), 'set-aside', 'member')), old, `killed before step ${step}`);
      }
    });
  }

  it('goes with what the run kept', () => {
    const volume = filled();
    build(volume);
    succeed(...seeding(volume));
    succeed(...flagsOf(volume, 'prune'));
    assert.equal(existsSync(join(home(volume), 'survivor.db')), false);
  });
});
