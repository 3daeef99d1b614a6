import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArguments} from '../../../../src/agent/arguments.ts';
import {Refusal} from '../../../../src/agent/failure.ts';
import type {AgentReport, PrepareSeedReport} from '../../../../src/agent/report.ts';
import {ClaimStore} from '../../../../src/agent/store/claim.ts';
import {changedSince, prepareStored, runPrepareSeed} from '../../../../src/agent/store/seeding.ts';
import type {SeedingOptions} from '../../../../src/agent/store/seeding.ts';
import type {SnapshotStore} from '../../../../src/agent/store/store.ts';
import {restoreCommand} from '../../../../src/etcd/etcdutl.ts';
import {binary, etcdVersions} from '../etcd-processes.ts';
import {fill, flagsOf, Killed, layouts, newVolume, refuse, removeVolumes, snapshotOf as treeOf, succeed, writeData} from '../volumes.ts';
import type {Volume} from '../volumes.ts';
import {claimConfig, database, environmentOf, place, sha, snapshotOf} from './snapshots.ts';

const ago = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const digest = sha(database()).toString('hex');
const mebibyte = 1 << 20;

/** A member's volume with old data, and a store with one snapshot. */
function given(): {volume: Volume; store: string; file: string} {
  const volume = layouts[0]?.make() ?? assert.fail();
  fill(volume);
  const store = newVolume();
  place(store, {name: 'a.db', takenAt: ago(1)});
  return {volume, store, file: join(store, 'a.db')};
}

const home = ({root}: Volume): string => join(root, '.quorumrecovery', 'r1');
const flags = (volume: Volume, ...more: string[]): string[] => [...flagsOf(volume, 'prepare-seed'), '--name', 'a.db', '--expect-sha256', digest, ...more];
const seedFlags = (volume: Volume): string[] => [...flagsOf(volume, 'seed'), '--attempt', '1', '--name', 'a.db', '--in-place'];
const onClaim = (root: string): ClaimStore => new ClaimStore({claim: 'backups', root});
/** As from a bucket. */
const prepare = async (volume: Volume, store: SnapshotStore, options: SeedingOptions = {}, ...more: string[]): Promise<PrepareSeedReport> =>
  await prepareStored(parseArguments(flags(volume, ...more)), store, options);
const verify = async (volume: Volume, root: string): Promise<AgentReport> => (await runPrepareSeed(flags(volume, '--in-place'), environmentOf(claimConfig(root)))).report;
const asked = async (volume: Volume, root: string): Promise<AgentReport | undefined> => (await changedSince(seedFlags(volume), environmentOf(claimConfig(root))))?.report;

function reasonOf(report: AgentReport | undefined): string | undefined {
  return report?.ok === false ? report.reason : undefined;
}

const refusedAs = (reason: string, words: RegExp) => (error: unknown): boolean => error instanceof Refusal && error.reason === reason && words.test(error.message);

/** As etcdutl leaves it. */
function build(volume: Volume): void {
  writeData(join(home(volume), 'built', 'data'));
  writeFileSync(join(home(volume), 'built', 'data', 'member', 'snap', 'mark'), 'from the snapshot');
}

describe('a member\'s data from a snapshot in a store', () => {
  afterEach(removeVolumes);

  describe('that is fetched', () => {
    it('is brought to the volume, whole and checked, by the process that made an empty place to build in; the data is not touched', async () => {
      const {volume, store} = given();
      const before = treeOf(join(volume.data, 'member'));
      mkdirSync(join(home(volume), 'built', 'data'), {recursive: true});
      const {snapshot, verified} = await prepare(volume, onClaim(store), {}, '--needs', '1000');
      assert.deepEqual(snapshot, {path: '.quorumrecovery/r1/snapshot.db', bytes: database().length + 32, sha256: digest, already: false});
      assert.equal(verified, undefined);
      assert.deepEqual(readFileSync(join(home(volume), 'snapshot.db')), snapshotOf(database()));
      assert.deepEqual(readdirSync(join(home(volume), 'built')), []);
      assert.deepEqual(treeOf(join(volume.data, 'member')), before);
    });

    it('counts where an earlier start has fetched it, also where the store does not give it any more', async () => {
      const {volume, store, file} = given();
      await prepare(volume, onClaim(store));
      unlinkSync(file);
      assert.equal((await prepare(volume, onClaim(store))).snapshot?.already, true);
    });

    it('is asked room for together with what is made of it, before a byte is written', async () => {
      const {volume, store} = given();
      const bytes = database().length + 32;
      const needed = bytes + 1_000 + 4 * mebibyte;
      await assert.rejects(prepare(volume, onClaim(store), {free: () => needed - 1}, '--needs', '1000'), refusedAs('NoSpace', new RegExp(`take ${needed} bytes, and ${needed - 1} are free`)));
      assert.deepEqual(readdirSync(home(volume)), ['built']);
      await prepare(volume, onClaim(store), {free: () => needed}, '--needs', '1000');
      await prepare(volume, onClaim(store), {free: () => 1_000}, '--needs', '1000');
      await assert.rejects(prepare(volume, onClaim(store), {free: () => 999}, '--needs', '1000'), refusedAs('NoSpace', /has 999 bytes free/));
    });

    it('frees what a start that was killed has left half fetched before it asks for room', async () => {
      const {volume, store} = given();
      mkdirSync(home(volume), {recursive: true});
      const half = join(home(volume), 'snapshot.db.tmp');
      writeFileSync(half, 'half');
      await prepare(volume, onClaim(store), {free: () => (existsSync(half) ? 0 : 100 * mebibyte)}, '--needs', '1000');
    });

    it('is whole or not there wherever the agent is killed, and the next start goes on', async () => {
      for (let last = 0; ; last += 1) {
        const {volume, store} = given();
        let step = 0;
        const onStep = () => { if (step++ === last) throw new Killed(); };
        const ended = await prepare(volume, onClaim(store), {onStep}).then(() => true, (error: unknown) => { assert.ok(error instanceof Killed); return false; });
        const file = join(home(volume), 'snapshot.db');
        if (existsSync(file)) assert.deepEqual(readFileSync(file), snapshotOf(database()), `killed before step ${last}`);
        await prepare(volume, onClaim(store));
        assert.deepEqual(readFileSync(file), snapshotOf(database()), `killed before step ${last}`);
        if (ended) break;
      }
    });

    it('names what is wrong with it as before', async () => {
      const {volume, store, file} = given();
      writeFileSync(file, Buffer.alloc(10));
      await assert.rejects(prepare(volume, onClaim(store)), refusedAs('SnapshotTruncated', /a\.db has 10 of/));
      unlinkSync(file);
      await assert.rejects(prepare(volume, onClaim(store)), refusedAs('NoSnapshot', /no snapshot in claim backups/));
    });

    it('goes with what the run kept, and the note beside it', async () => {
      const {volume, store} = given();
      await prepare(volume, onClaim(store));
      build(volume);
      succeed(...flagsOf(volume, 'seed'), '--attempt', '1');
      const report = succeed(...flagsOf(volume, 'prune'));
      assert.ok(report.command === 'prune');
      assert.equal(report.runs[0]?.left, undefined);
      assert.deepEqual(readdirSync(home(volume)).filter((name) => name.startsWith('snapshot')), []);
    });
  });

  describe('that is read where it is', () => {
    it('is verified and not copied, and takes the place of the data when the file is still the same', async () => {
      const {volume, store} = given();
      const report = await verify(volume, store);
      assert.ok(report.ok && report.command === 'prepare-seed', JSON.stringify(report));
      assert.deepEqual([report.verified, report.snapshot], [{name: 'a.db', bytes: database().length + 32, sha256: digest}, undefined]);
      assert.deepEqual(readdirSync(home(volume)), ['built']);
      build(volume);
      assert.equal(await asked(volume, store), undefined);
      succeed(...seedFlags(volume));
      assert.equal(readFileSync(join(volume.data, 'member', 'snap', 'mark'), 'utf8'), 'from the snapshot');
      succeed(...flagsOf(volume, 'prune'));
      assert.equal(existsSync(join(home(volume), 'built')), false);
    });

    it('is not asked room for: what is made of it is', async () => {
      const {volume, store} = given();
      await prepare(volume, onClaim(store), {free: () => 1_000}, '--needs', '1000', '--in-place');
      await assert.rejects(prepare(volume, onClaim(store), {free: () => 999}, '--needs', '1000', '--in-place'), refusedAs('NoSpace', /takes 1000/));
    });

    it('is refused by the words that a fetch has', async () => {
      const refused = async (spoil: (file: string) => void): Promise<string | undefined> => {
        const {volume, store, file} = given();
        spoil(file);
        return reasonOf(await verify(volume, store));
      };
      const old = new Date(ago(1));
      const write = (content: Buffer) => (file: string) => { writeFileSync(file, content); utimesSync(file, old, old); };
      const whole = snapshotOf(database());
      assert.equal(await refused((file) => { unlinkSync(file); }), 'NoSnapshot');
      assert.equal(await refused(write(whole.subarray(0, 100))), 'SnapshotTruncated');
      assert.equal(await refused(write(Buffer.concat([whole.subarray(0, -1), Buffer.from([1 ^ (whole.at(-1) ?? 0)])]))), 'SnapshotDamaged');
      // Sound, and another one than was approved.
      const other = snapshotOf(database('abc'));
      assert.equal(await refused((file) => { write(other)(file); unlinkSync(`${file}.json`); }), 'SnapshotDamaged');
    });

    it('is refused by etcdutl where its content is not what the hash at its end says, which is all that was read before', function () {
      if (etcdVersions().length === 0) this.skip();
      for (const version of etcdVersions()) {
        const {volume, file} = given();
        const content = readFileSync(file);
        content[700] = 1 ^ (content[700] ?? 0);
        writeFileSync(file, content);
        const [, ...words] = restoreCommand({file, name: 'm', initialCluster: 'm=http://m:2380', peerURLs: ['http://m:2380'], token: 't', dataDir: join(volume.root, 'made'), walDir: undefined, bump: 1});
        const {status, stderr} = spawnSync(binary(version, 'etcdutl'), words, {encoding: 'utf8'});
        assert.notEqual(status, 0, version);
        assert.match(stderr, /expected sha256 .*got/, version);
      }
    });

    const changes: Record<string, (file: string) => void> = {
      'written to': (file) => { appendFileSync(file, 'x'); },
      'replaced by the same content in another file': (file) => { writeFileSync(`${file}.new`, readFileSync(file)); renameSync(`${file}.new`, file); },
      'taken away': (file) => { unlinkSync(file); },
      'written to, and given the size and time that it had': (file) => {
        const {atime, mtime} = statSync(file);
        const content = readFileSync(file);
        content[700] = 1 ^ (content[700] ?? 0);
        writeFileSync(file, content);
        utimesSync(file, atime, mtime);
      },
    };
    for (const [title, change] of Object.entries(changes)) {
      it(`is refused before the turn if it was ${title} after it was verified`, async () => {
        const {volume, store, file} = given();
        assert.ok((await verify(volume, store)).ok);
        const before = treeOf(join(volume.data, 'member'));
        build(volume);
        change(file);
        const report = await asked(volume, store);
        assert.equal(reasonOf(report), 'SnapshotChanged');
        assert.match(report?.ok === false ? report.message : '', /snapshot a\.db in claim backups was (taken away|written to or replaced) while it was restored/);
        assert.deepEqual(treeOf(join(volume.data, 'member')), before);
      });
    }

    it('is asked for in the process that waits for its turn, before it waits: nobody has given the turn', async () => {
      const {volume, store, file} = given();
      assert.ok((await verify(volume, store)).ok);
      appendFileSync(file, 'x');
      const entry = fileURLToPath(new URL('../../../../src/agent/main.ts', import.meta.url));
      const args = [entry, ...seedFlags(volume), '--turn', join(volume.root, 'no-turn')];
      const {status, stdout} = spawnSync(process.execPath, args, {env: {...environmentOf(claimConfig(store)), AGENT_REPORT_PATH: join(newVolume(), 'report')}, encoding: 'utf8', timeout: 20_000});
      assert.equal(status, 1);
      assert.equal(reasonOf(JSON.parse(stdout) as AgentReport), 'SnapshotChanged');
    });

    it('is the same one where only its mode was changed, as a kubelet does for the fsGroup of another pod', async () => {
      const {volume, store, file} = given();
      assert.ok((await verify(volume, store)).ok);
      chmodSync(file, 0o660);
      assert.equal(await asked(volume, store), undefined);
    });

    it('is refused if it is changed while it is verified', async () => {
      const {volume, store, file} = given();
      const odd = onClaim(store);
      const find = odd.fileOf.bind(odd);
      let looks = 0;
      // Once for the record, once for the file that is to be verified, which is read behind that.
      odd.fileOf = (name) => { if (++looks === 2) queueMicrotask(() => { writeFileSync(`${file}.new`, readFileSync(file)); renameSync(`${file}.new`, file); utimesSync(file, new Date(ago(2)), new Date(ago(2))); }); return find(name); };
      await assert.rejects(prepare(volume, odd, {}, '--in-place'), refusedAs('SnapshotChanged', /while it was verified/));
    });

    it('is looked at again after two seconds where it was written in this very moment, and refused if it is written on', async () => {
      const {volume, store, file} = given();
      const at = Date.now();
      utimesSync(file, new Date(at), new Date(at));
      let time = at + 500;
      const pause = (ms: number) => { time += ms; return Promise.resolve(); };
      assert.ok((await prepare(volume, onClaim(store), {clock: {now: () => time, pause}}, '--in-place')).verified);
      assert.equal(time, at + 2_500);
      time = at + 500;
      const writtenOn = async (ms: number) => { await pause(ms); utimesSync(file, new Date(time), new Date(time)); };
      await assert.rejects(prepare(volume, onClaim(store), {clock: {now: () => time, pause: writtenOn}}, '--in-place'), refusedAs('SnapshotChanged', /is being written to/));
    });

    it('has to be verified in this very pod: what an earlier one has noted goes with what it has built', async () => {
      const {volume, store, file} = given();
      assert.equal(reasonOf(await asked(volume, store)), 'NoData');
      assert.ok((await verify(volume, store)).ok);
      writeFileSync(file, 'something else');
      assert.equal(reasonOf(await verify(volume, store)), 'SnapshotTruncated');
      assert.equal(reasonOf(await asked(volume, store)), 'NoData');
    });
  });

  it('is told of by flags that make sense together', async () => {
    const {volume, store} = given();
    const base = flagsOf(volume, 'prepare-seed');
    assert.match(refuse(...base, '--in-place').message, /need --name/);
    assert.match(refuse(...base, '--name', 'a.db', '--database', 'db', '--expect-index', '4', '--expect-revision', '1').message, /exclude each other/);
    assert.match(refuse(...base, '--name', '../a.db').message, /must be the name of a snapshot/);
    assert.match(refuse(...flags(volume)).message, /no command of this entry/);
    const bucket: SnapshotStore = {...onClaim(store), where: 'bucket b', list: () => Promise.resolve([]), read: () => { throw new Error(); }, write: () => Promise.resolve(), remove: () => Promise.resolve(), clean: () => Promise.resolve(0)};
    await assert.rejects(prepare(volume, bucket, {}, '--in-place'), refusedAs('BadUsage', /on a claim only, and not in bucket b/));
    rmSync(store, {recursive: true});
  });
});
