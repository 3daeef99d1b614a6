import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setImmediate as tick} from 'node:timers/promises';
import {blockText} from '../../../src/agent/guard.ts';
import type {PresentData} from '../../../src/agent/report.ts';
import {
  binary, call, etcdVersions, freePort, hex, put, startCluster, startEtcd, status, stop, stopEverything, until,
} from './etcd-processes.ts';
import type {Member, Status} from './etcd-processes.ts';
import {newVolume, refuse, removeVolumes, succeed} from './volumes.ts';

interface MemberList {
  members: {ID: string; name?: string; peerURLs: string[]; clientURLs?: string[]; isLearner?: boolean}[];
}

function inspect(root: string, dataDir: string): PresentData {
  const report = succeed('inspect', '--root', root, '--data-dir', dataDir, '--run', 'r1');
  assert.ok(report.command === 'inspect' && report.data === 'Present', JSON.stringify(report));
  return report;
}

function backendOf({backend}: PresentData): Exclude<PresentData['backend'], {error: string}> {
  assert.ok(!('error' in backend), JSON.stringify(backend));
  return backend;
}

async function leaderOf(members: readonly Member[]): Promise<Status> {
  return until('all members name one leader', async () => {
    const all = await Promise.all(members.map((member) => status(member)));
    const [first] = all;
    return first !== undefined && first.leader !== '0' && all.every(({leader}) => leader === first.leader) ? first : undefined;
  });
}

const versions = etcdVersions();

describe('agent with data of a real etcd', function () {
  this.timeout(120_000);
  this.slow(30_000);

  if (versions.length === 0) {
    it('agrees with it (skipped: ETCD_BINS does not name a folder with <version>/etcd and <version>/etcdutl)');
  }

  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  for (const version of versions) {
    it(`${version}: agrees with the living members, before and after all of them were killed under load`, async () => {
      const root = newVolume();
      const members = await startCluster(version, root, ['--snapshot-count', '200']);
      await leaderOf(members);
      const [a] = members as [Member];
      // More than one segment of 64 MB, some snapshots, deletions, a compaction, and a member that came and went.
      const large = Buffer.alloc(1_400_000, 'x');
      for (let number = 0; number < 48; number++) {
        await put(a, 'large', large);
      }
      for (let round = 0; round < 6; round++) {
        await Promise.all(Array.from({length: 100}, (_, number) => put(a, `key-${number}`, `value ${round}`)));
      }
      await call(a, 'kv/deleterange', {key: Buffer.from('key-1').toString('base64')});
      await call(a, 'kv/compaction', {revision: '40', physical: true});
      // Until all members have been connected for 5 s, etcd refuses with "unhealthy cluster".
      const gone = await until('a learner is added', () =>
        call<{member: {ID: string}}>(a, 'cluster/member/add', {peerURLs: ['http://127.0.0.1:1'], isLearner: true}));
      await call(a, 'cluster/member/remove', {ID: gone.member.ID});
      const list = await call<MemberList>(a, 'cluster/member/list', {});
      const leader = await leaderOf(members);
      const live = inspect(root, a.dataDir);
      assert.equal(live.clusterID, hex(leader.header.cluster_id));
      assert.ok(live.index >= backendOf(live).consistentIndex);
      for (const command of ['copy', 'set-aside'] as const) {
        assert.equal(refuse(command, '--root', root, '--data-dir', a.dataDir, '--run', 'r1').reason, 'DataInUse');
      }

      let written = 0;
      const writers = Array.from({length: 16}, async (_, writer) => {
        for (let number = 0; ; number++) {
          await put(members[writer % 3] as Member, `load-${writer}-${number}`, 'x');
          written++;
        }
      }).map((writer) => writer.catch(() => undefined));
      while (written < 400) {
        await tick();
      }
      const before = await status(a);
      await stop(members);
      await Promise.all(writers);

      for (const member of members) {
        const facts = inspect(root, member.dataDir);
        const backend = backendOf(facts);
        const listed = list.members.find(({name}) => name === member.name);
        assert.equal(facts.memberID, hex(listed?.ID ?? '0'));
        assert.equal(facts.clusterID, hex(leader.header.cluster_id));
        assert.equal(facts.term, Number(before.raftTerm));
        assert.equal(facts.torn, false);
        assert.ok(facts.index >= Number(before.raftIndex) - 100 && facts.index >= facts.commit, `${facts.index} of ${before.raftIndex}`);
        assert.ok(backend.consistentIndex > 600 && backend.consistentIndex <= facts.index);
        assert.ok(facts.snapshotIndex > 0 && facts.snapshotIndex <= facts.commit);
        assert.deepEqual(byID(backend.members), byID(list.members.map((one) => ({
          id: hex(one.ID), name: one.name ?? '', peerURLs: one.peerURLs, clientURLs: one.clientURLs ?? [], isLearner: one.isLearner ?? false,
        }))));
        assert.deepEqual(backend.removed, [hex(gone.member.ID)]);
        assert.deepEqual(facts.pendingConfChanges, []);
        const db = join(member.dataDir, 'member', 'snap', 'db');
        const utl = JSON.parse(execFileSync(binary(version, 'etcdutl'), ['snapshot', 'status', db, '-w', 'json'], {encoding: 'utf8'})) as {revision: number};
        assert.equal(backend.revision, utl.revision);
      }
      assert.ok(members.some(({dataDir}) => readdirSync(join(dataDir, 'member', 'wal')).filter((name) => name.endsWith('.wal')).length > 1));
      await forceTheCopy(version, root, a);
    });

    it(`${version}: does not start on the guard, nor on the block with and without a member directory`, async () => {
      const root = newVolume();
      const dataDir = join(root, 'data');
      const exits = async (): Promise<void> => {
        const member = await startAlone(version, dataDir);
        await until('etcd exits', () => Promise.resolve(member.process.exitCode ?? undefined));
        assert.notEqual(member.process.exitCode, 0, member.log());
      };
      const first = await startAlone(version, dataDir);
      await until('it serves', () => status(first));
      await stop([first]);
      writeFileSync(join(dataDir, 'proxy'), blockText('r1'));
      await exits();
      rmSync(join(dataDir, 'proxy'));
      succeed('set-aside', '--root', root, '--data-dir', dataDir, '--run', 'r1');
      await exits();
      rmSync(join(dataDir, 'member'));
      writeFileSync(join(dataDir, 'proxy'), blockText('r1'));
      await exits();
      assert.deepEqual(readdirSync(dataDir), ['proxy']);
      rmSync(join(dataDir, 'proxy'));
      succeed('prepare-join', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--member', 'abc');
      const fresh = await startAlone(version, dataDir);
      await until('it starts afresh', () => status(fresh));
      assert.ok(existsSync(join(dataDir, 'member', 'wal')));
    });
  }
});

function byID<T extends {id: string}>(members: T[]): T[] {
  return [...members].sort((one, other) => (one.id < other.id ? -1 : 1));
}

async function startAlone(version: string, dataDir: string): Promise<Member> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  return startEtcd({version, name: 'alone', dataDir, client, peer, flags: ['--initial-cluster', `alone=${peer}`]});
}

/** Forces a cluster from the agent's copy, and compares what etcd says it dropped with the tail that inspection found. */
async function forceTheCopy(version: string, root: string, {dataDir, client, peer, name}: Member): Promise<void> {
  const report = succeed('prepare-force', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--attempt', '1', '--pod', 'p');
  assert.ok(report.command === 'prepare-force');
  console.log(`      ${JSON.stringify({version, tail: report.inspect.tail, ...report.milliseconds, copiedBytes: report.copy?.copiedBytes})}`);
  const copy = join(root, report.copy?.path ?? '');
  const forced = startEtcd({version, name, dataDir: copy, client, peer, flags: ['--force-new-cluster']});
  const state = await until('the forced member serves', () => status(forced));
  assert.equal(hex(state.header.member_id), report.inspect.memberID);
  assert.equal(hex(state.header.cluster_id), report.inspect.clusterID);
  const dropped = Number(/"number-of-discarded-entries":(\d+)/.exec(forced.log())?.[1] ?? 0);
  // Before 3.5.22 and 3.6.1 etcd keeps only what the hard state says is committed.
  const onlyHardState = version === '3.5.21' || version === '3.6.0';
  assert.equal(dropped, onlyHardState ? report.inspect.index - report.inspect.commit : report.inspect.tail.entries);
  const exit = once(forced.process, 'exit');
  forced.process.kill('SIGTERM');
  await exit;
}
