import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setImmediate as tick} from 'node:timers/promises';
import {call, etcdVersions, freePort, put, startEtcd, status, stop, stopEverything, until} from './etcd-processes.ts';
import type {Member} from './etcd-processes.ts';
import {etcdWould, flagsOf, killAt, layouts, refuse, removeVolumes, snapshotOf, succeed} from './volumes.ts';
import type {Volume} from './volumes.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const versions = etcdVersions();

async function start(version: string, {data, wal}: Volume, ...flags: string[]): Promise<Member> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const all = [...(wal === undefined ? [] : ['--wal-dir', wal]), '--initial-cluster', `alone=${peer}`, ...flags];
  return startEtcd({version, name: 'alone', dataDir: data, client, peer, flags: all});
}

async function serving(member: Member): Promise<{revision: string; memberID: string; clusterID: string}> {
  const {header} = await until(`it serves: ${member.log().slice(-800)}`, () => status(member));
  return {revision: header.revision, memberID: header.member_id, clusterID: header.cluster_id};
}

async function valueOf(member: Member, key: string): Promise<string | undefined> {
  const {kvs = []} = await call<{kvs?: {value: string}[]}>(member, 'kv/range', {key: base64(key)});
  return kvs[0] === undefined ? undefined : Buffer.from(kvs[0].value, 'base64').toString();
}

async function exits(version: string, volume: Volume): Promise<void> {
  const member = await start(version, volume);
  await until('etcd exits', () => Promise.resolve(member.process.exitCode ?? undefined));
  assert.notEqual(member.process.exitCode, 0, member.log());
}

describe('agent restore-copy and prune with a real etcd', function () {
  this.timeout(120_000);
  this.slow(30_000);

  if (versions.length === 0) {
    it('has the old data again (skipped: ETCD_BINS does not name a folder with <version>/etcd and <version>/etcdutl)');
  }

  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  for (const version of versions) {
    for (const layout of [layouts[0], layouts[2]]) {
      it(`${version}, ${layout?.name ?? ''}: etcd starts on the data of the copy, and what was written after the force is set aside`, async () => {
        const volume = layout?.make() ?? assert.fail();
        const first = await start(version, volume);
        await serving(first);
        for (let number = 0; number < 30; number++) {
          await put(first, `key-${number}`, 'old');
        }
        const before = await serving(first);
        await stop([first]);

        succeed(...flagsOf(volume, 'copy'));
        const copy = snapshotOf(join(volume.root, '.quorumrecovery', 'r1', 'copy'));
        const forced = await start(version, volume, '--force-new-cluster');
        await serving(forced);
        for (let number = 0; number < 30; number++) {
          await put(forced, `key-${number}`, 'new');
        }
        await put(forced, 'more', 'new');
        assert.equal(refuse(...flagsOf(volume, 'restore-copy')).reason, 'DataInUse');
        await stop([forced]);

        // The moment in which neither data is there.
        let step = 0;
        while (killAt(step, ...flagsOf(volume, 'restore-copy')) === undefined && existsSync(join(volume.data, 'member'))) {
          step++;
        }
        assert.equal(etcdWould(volume), 'exit');
        await exits(version, volume);
        assert.deepEqual(readdirSync(volume.data), ['proxy']);

        const report = succeed(...flagsOf(volume, 'restore-copy'));
        assert.ok(report.command === 'restore-copy' && !report.already);
        assert.deepEqual(report.moved.map(({what}) => what), report.restored);
        assert.deepEqual(snapshotOf(join(volume.root, '.quorumrecovery', 'r1', 'copy')), copy);
        const restored = await start(version, volume);
        const after = await serving(restored);
        assert.deepEqual(after, before);
        assert.deepEqual([await valueOf(restored, 'key-0'), await valueOf(restored, 'key-29'), await valueOf(restored, 'more')], ['old', 'old', undefined]);
        await put(restored, 'later', 'x');
        await stop([restored]);
        const again = succeed(...flagsOf(volume, 'restore-copy'));
        assert.ok(again.command === 'restore-copy' && again.already);
        const restarted = await start(version, volume);
        await serving(restarted);
        assert.equal(await valueOf(restarted, 'later'), 'x', 'a second start of the command threw nothing away');

        await pruneBeside(restarted, volume);
        await stop([restarted]);
        const last = await start(version, volume);
        await serving(last);
        assert.deepEqual([await valueOf(last, 'key-7'), await valueOf(last, 'later')], ['old', 'x']);
      });
    }

    it(`${version}: a copy on which an etcd runs is not pruned`, async () => {
      const volume = layouts[0]?.make() ?? assert.fail();
      const member = await start(version, volume);
      await serving(member);
      await stop([member]);
      succeed(...flagsOf(volume, 'copy'));
      const looking = await start(version, {root: volume.root, data: join(volume.root, '.quorumrecovery', 'r1', 'copy')}, '--force-new-cluster');
      await serving(looking);
      assert.equal(refuse(...flagsOf(volume, 'prune')).reason, 'DataInUse');
      await stop([looking]);
      assert.equal(succeed(...flagsOf(volume, 'prune')).ok, true);
    });
  }
});

/** Under load, beside the etcd whose data is on the same volume. */
async function pruneBeside(member: Member, volume: Volume): Promise<void> {
  let written = 0;
  const end = new AbortController();
  const load = (async () => {
    while (!end.signal.aborted) {
      await put(member, 'load', String(written));
      written++;
    }
  })();
  while (written < 20) {
    await tick();
  }
  const pruned = succeed(...flagsOf(volume, 'prune'));
  assert.ok(pruned.command === 'prune' && pruned.bytes > 10_000 && pruned.runs[0]?.left === undefined);
  const at = written;
  await until('writes go on', () => Promise.resolve(written > at + 20 ? true : undefined));
  end.abort();
  await load;
  assert.equal(await valueOf(member, 'load'), String(written - 1));
  assert.deepEqual(readdirSync(join(volume.root, '.quorumrecovery', 'r1')).sort(), ['restored-1', 'sealed']);
  assert.equal(refuse(...flagsOf(volume, 'prepare-force'), '--attempt', '1', '--pod', 'late').reason, 'RunSealed');
}
