import assert from 'node:assert/strict';
import {cpSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {Durable} from '../../../src/agent/durable.ts';
import {isLocked} from '../../../src/agent/locks.ts';
import type {PrepareForceReport} from '../../../src/agent/report.ts';
import {runCommand} from '../../../src/agent/run.ts';
import {planAppend} from '../../../src/etcd/wal/append.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../src/etcd/wal/wal.ts';
import {call, etcdVersions, freePort, put, startCluster, startEtcd, status, stop, stopEverything, until} from './etcd-processes.ts';
import type {Member} from './etcd-processes.ts';
import {newVolume, refuse, removeVolumes, succeed} from './volumes.ts';

interface Volume {
  root: string;
  dataDir: string;
}

const count = 25;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const lastSegment = (dataDir: string): string => join(dataDir, 'member', 'wal', wal(dataDir).end.position.segment);
const wal = (dataDir: string): WalSummary => readWal(join(dataDir, 'member', 'wal')) ?? assert.fail();

/** A leader whose followers are stopped: what it is told now stands in its own WAL and is committed by nobody. */
async function lonelyLeader(version: string, root: string): Promise<{leader: Member; followers: Member[]; committed: number}> {
  // A leader that hears nothing steps down after an election timeout: long enough for what is written meanwhile.
  const flags = ['--heartbeat-interval', '300', '--election-timeout', '3000', '--strict-reconfig-check=false'];
  const members = await startCluster(version, root, flags);
  const leader = await until('a member leads', async () => {
    const all = await Promise.all(members.map(async (member) => ({member, state: await status(member)})));
    return all.find(({state}) => state.leader === state.header.member_id)?.member;
  });
  for (let number = 0; number < 5; number++) await put(leader, `kept-${number}`, 'x');
  const followers = members.filter((member) => member !== leader);
  for (const {process: follower} of followers) follower.kill('SIGSTOP');
  return {leader, followers, committed: wal(leader.dataDir).index};
}

/** Ends all three at once; asks first until the leader's WAL holds so many entries more. */
async function loseQuorum({leader, followers, committed}: Awaited<ReturnType<typeof lonelyLeader>>, entries: number): Promise<void> {
  await until(`${entries} entries stand in the leader's WAL`, () =>
    Promise.resolve(wal(leader.dataDir).index >= committed + entries ? true : undefined));
  await stop([leader, ...followers]);
}

function prepare(root: string, dataDir: string, attempt: number, ...more: string[]): PrepareForceReport {
  const report = succeed(...words(root, dataDir, attempt), ...more);
  assert.ok(report.command === 'prepare-force');
  return report;
}

const words = (root: string, dataDir: string, attempt: number): string[] =>
  ['prepare-force', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--attempt', String(attempt), '--pod', `p${attempt}`];

async function start(version: string, dataDir: string, name: string, ...flags: string[]): Promise<Member> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  return startEtcd({version, name, dataDir, client, peer, flags});
}

async function keys(member: Member, prefix: string): Promise<number> {
  const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
  const {count: found = '0'} = await call<{count?: string}>(member, 'kv/range', {key: base64(prefix), range_end: base64(end), count_only: true});
  return Number(found);
}

/** Starts with the force flag, and gives what is there then; etcd is killed afterwards. */
async function forced(version: string, dataDir: string, name: string): Promise<{kept: number; tail: number; log: string}> {
  const member = await start(version, dataDir, name, '--force-new-cluster');
  await until(`the forced member serves: ${member.log().slice(-500)}`, () => put(member, 'after', 'the force').then(() => true));
  const found = {kept: await keys(member, 'kept-'), tail: await keys(member, 'tail-')};
  const {members} = await call<{members: unknown[]}>(member, 'cluster/member/list', {});
  assert.equal(members.length, 1);
  await stop([member]);
  return {...found, log: member.log()};
}

/** An etcd is started between the marker and the tail. */
async function refuseBesideEtcd(version: string, {root, dataDir}: Volume, name: string): Promise<void> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const segment = statSync(lastSegment(dataDir));
  const onStep = (what: string): void => {
    if (!what.startsWith('link') || !what.endsWith('/force-1')) return;
    startEtcd({version, name, dataDir, client, peer, flags: []});
    const end = Date.now() + 20_000;
    while (!isLocked(readFileSync('/proc/locks', 'utf8'), [segment])) assert.ok(Date.now() < end, 'etcd locks its WAL');
  };
  assert.throws(() => runCommand(parseArguments(words(root, dataDir, 1)), onStep), /An etcd on this node holds a lock/);
  stopEverything();
  await until('its lock is gone', () => Promise.resolve(isLocked(readFileSync('/proc/locks', 'utf8'), [segment]) ? undefined : true));
}

const versions = etcdVersions();

describe('agent prepare-force with the tail of a real etcd', function () {
  this.timeout(120_000);
  this.slow(40_000);

  if (versions.length === 0) {
    it('keeps it (skipped: ETCD_BINS does not name a folder with <version>/etcd and <version>/etcdutl)');
  }

  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  for (const version of versions) {
    it(`${version}: keeps every entry of the tail, which a force alone loses`, async () => {
      const cluster = newVolume();
      const lonely = await lonelyLeader(version, cluster);
      const {leader} = lonely;
      const writes = Array.from({length: count}, (_, number) => put(leader, `tail-${number}`, 'x').catch(() => undefined));
      await loseQuorum(lonely, count);
      await Promise.all(writes);
      const volumes = [newVolume(), newVolume(), newVolume()].map((root) => ({root, dataDir: join(root, 'data')}));
      for (const {dataDir} of volumes) cpSync(leader.dataDir, dataDir, {recursive: true});
      const [kept, lost, started] = volumes as [Volume, Volume, Volume];

      const without = prepare(lost.root, lost.dataDir, 1, '--no-commit-tail');
      assert.equal(without.tail?.committed, false);
      const plain = await forced(version, lost.dataDir, leader.name);
      assert.deepEqual([plain.kept, plain.tail], [5, 0], 'without the tail the writes are lost: this test can fail');
      assert.match(plain.log, new RegExp(`"number-of-discarded-entries":${without.inspect.index - Math.max(without.inspect.commit, version === '3.5.21' ? 0 : applied(without))}[,}]`));

      const first = prepare(kept.root, kept.dataDir, 1);
      assert.ok(first.tail?.committed === true && first.tail.entries >= count && first.tail.entries === first.inspect.tail.entries);
      assert.equal(first.tail.toIndex, first.inspect.index);
      console.log(`      ${JSON.stringify({version, entries: first.tail.entries, milliseconds: first.milliseconds})}`);
      const again = prepare(kept.root, kept.dataDir, 1);
      assert.deepEqual(again.tail, {...first.tail, already: true});
      const once = await forced(version, kept.dataDir, leader.name);
      assert.deepEqual([once.kept, once.tail], [5, count]);
      assert.doesNotMatch(once.log, /discarded/);

      const before = wal(started.dataDir).hardState;
      await refuseBesideEtcd(version, started, leader.name);
      assert.equal(wal(started.dataDir).hardState.commit, before.commit, 'nothing was written below an etcd that was started meanwhile');

      // A second attempt, after the first forced etcd was killed: nothing of it goes, and what was lost is counted as before.
      const second = prepare(kept.root, kept.dataDir, 2);
      assert.deepEqual([second.tail?.entries, second.tail?.fromIndex], [first.tail.entries, first.tail.fromIndex]);
      const twice = await forced(version, kept.dataDir, leader.name);
      assert.deepEqual([twice.kept, twice.tail], [5, count]);
      assert.doesNotMatch(twice.log, /discarded/);
      const own = await start(version, kept.dataDir, leader.name);
      await until('it serves without the flag', () => put(own, 'last', 'x').then(() => true));
      assert.equal(await keys(own, 'tail-'), count);
    });

    it(`${version}: panics on a tail that removes it, which is why the agent refuses to commit that`, async () => {
      const cluster = newVolume();
      const lonely = await lonelyLeader(version, cluster);
      const {leader} = lonely;
      const {header: {member_id: ID}} = await status(leader);
      const removal = call(leader, 'cluster/member/remove', {ID}).catch(() => undefined);
      await loseQuorum(lonely, 1);
      await removal;
      const root = newVolume();
      const dataDir = join(root, 'data');
      cpSync(leader.dataDir, dataDir, {recursive: true});
      assert.equal(refuse(...words(root, dataDir, 1)).reason, 'TailRemovesMember');
      const summary = wal(dataDir);
      const path = lastSegment(dataDir);
      new Durable().changeFile(path, planAppend(summary, {...summary.hardState, commit: summary.index}, statSync(path).size).steps);
      const panics = await start(version, dataDir, leader.name, '--force-new-cluster');
      await until('etcd exits', () => Promise.resolve(panics.process.exitCode ?? undefined));
      assert.match(panics.log(), /removed all voters|panic/);
      cpSync(leader.dataDir, join(root, 'again'), {recursive: true});
      assert.equal(prepare(root, join(root, 'again'), 1, '--no-commit-tail').tail?.committed, false);
      assert.equal((await forced(version, join(root, 'again'), leader.name)).kept, 5);
    });
  }
});

function applied({inspect: {backend}}: PrepareForceReport): number {
  assert.ok(!('error' in backend));
  return backend.consistentIndex;
}
