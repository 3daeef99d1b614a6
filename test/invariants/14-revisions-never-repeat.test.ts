import assert from 'node:assert/strict';
import {cpSync} from 'node:fs';
import {join as path} from 'node:path';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {maxMove, moveFor} from '../../src/decide/plans/revisions.ts';
import {force} from '../../src/decide/steps/force.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {summarize} from '../../src/decide/summary.ts';
import {connectMember} from '../../src/etcd/client.ts';
import {Connection} from '../../src/etcd/connection.ts';
import type {EtcdMember} from '../../src/etcd/types.ts';
import {checkForced} from '../../src/phases/forcing.ts';
import {moveRevision} from '../../src/phases/revisions.ts';
import {etcdVersions, freePort, put, startCluster, startEtcd, status, stop as kill, stopEverything, until} from '../unit/agent/etcd-processes.ts';
import type {Member} from '../unit/agent/etcd-processes.ts';
import {newVolume, removeVolumes} from '../unit/agent/volumes.ts';
import {clusterID, members, now, observationOf} from '../unit/decide/observations.ts';
import {actingWith, at, forcedPod, hasItsTurn, identity, lost, planned, ready, recorded, told, withHelper} from './fixtures.ts';

const notProven = /not proven that no client saw a later revision.*Restart clients that cache by revision/;

interface Heard {
  created?: boolean;
  compact_revision?: string;
  canceled?: boolean;
  events?: {kv: {key: Buffer; value: Buffer; mod_revision: string}}[];
}

/** What a watch hears that goes on after the revision that it saw last. */
async function watchAfter(client: string, seen: number): Promise<{heard: Heard[]; close: () => void}> {
  const connection = new Connection({address: '127.0.0.1', port: Number(new URL(client).port)});
  const {call} = await connection.openWatch({});
  const heard: Heard[] = [];
  call.on('data', (message) => { heard.push(message as Heard); });
  call.on('error', () => undefined);
  call.write({create_request: {key: Buffer.from('\0'), range_end: Buffer.from('\0'), start_revision: String(seen + 1)}});
  await until('the watch is there', () => Promise.resolve(heard.some(({created}) => created) || undefined));
  return {heard, close: () => { connection.close(); }};
}

const clientOf = (member: Member): EtcdMember => connectMember({address: '127.0.0.1', port: Number(new URL(member.client).port)});

describe('14. No watcher sees a revision twice with different content, where a witness or minRevision says how far they had seen; elsewhere it is reported as not proven', () => {
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  it('every plan of a force without a witness reports it as not proven', () => {
    const notesOf = (more: QuorumRecoveryStatus) => {
      const options = lost();
      const state = {...options.status, ...more};
      return recorded(plan(observationOf({...options, status: state})), state).run?.plan?.notes ?? [];
    };
    assert.ok(notesOf({}).some((note) => notProven.test(note)), notesOf({}).join('\n'));
    assert.ok(!notesOf({lastServed: {revision: 50, at}}).some((note) => notProven.test(note)));
  });

  it('a minRevision that a force cannot reach is refused before anything is touched', () => {
    const options = lost();
    assert.equal(told(plan(observationOf({...options, spec: {minRevision: 10_000_000}}))), 'blocked RevisionOutOfReach');
    assert.notEqual(told(plan(observationOf({...options, spec: {minRevision: 10_000}}))), 'blocked RevisionOutOfReach');
  });

  const losses: [string, QuorumRecoveryStatus['dataLoss']][] = [
    ['LongerLogElsewhere', {longerLogs: ['the log of etcd-1 ends later']}], ['EntriesDiscarded', {discardedEntries: 1}],
    ['BehindWitness', {survivorRevision: 50, lastKnownRevision: 60, witnessed: true}], ['NoWitness', {witnessed: false}],
    ['NothingDropped', {survivorRevision: 60, lastKnownRevision: 60, witnessed: true}],
  ];
  for (const [reason, dataLoss] of losses) {
    it(`a result of ${reason} reports whether it is proven`, () => {
      const messageOf = (revisions?: NonNullable<QuorumRecoveryStatus['dataLoss']>['revisions']) => {
        const draft: QuorumRecoveryStatus = {run: planned({force: {attempt: 1, pod: 'f', podUID: 'f', endedAt: at}}), dataLoss: {...dataLoss, ...(revisions && {revisions})}};
        summarize(draft, {at: 'watching'}, 1, now);
        const condition = draft.conditions?.find(({type}) => type === 'DataLossPossible');
        assert.equal(condition?.reason, reason);
        return condition.message;
      };
      assert.match(messageOf(), notProven);
      assert.match(messageOf({from: 1, to: 2, proven: false, why: 'w'}), notProven);
      assert.doesNotMatch(messageOf({from: 1, to: 2, proven: true, why: 'w'}), notProven);
    });
  }

  it('the revision is moved past what was seen, and past what was written after it; the step is not done before', () => {
    const checked = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'forced-uid', turnGiven: true, revision: 60}});
    const options = ready(checked);
    const helper = forcedPod(options, (pod) => {
      hasItsTurn(pod);
      pod.status = {podIP: '10.0.0.9', phase: 'Running', initContainerStatuses: [], containerStatuses: []};
    });
    const decision = force(withHelper({...options, status: {...options.status, lastServed: {revision: 500, perSecond: 10, at: new Date(now - 60_000).toISOString()}}}, helper));
    assert.ok(decision.kind === 'act' && decision.completes && decision.actions[0]?.type === 'MoveRevision', told(decision));
    assert.ok(decision.actions[0].target >= 500 + 2 * 10 * 60);
  });

  it('one that cannot be reached is not called proven', () => {
    const status: QuorumRecoveryStatus = {lastServed: {revision: 10 * maxMove, perSecond: 1, at}};
    assert.equal(moveFor(observationOf({status}), 'etcd-0', 50).proven, false);
  });

  it('only the forced etcd of this very cluster, alone, is moved', async () => {
    const changes: string[] = [];
    const answers = {clusterID, memberID: 'a0', version: '3.6.16', leader: 'a0', raftTerm: 6, raftIndex: 1, raftAppliedIndex: 1, revision: 50, dbSizeBytes: 1, isLearner: false, errors: []};
    const etcd = (more: object, list = 1) => ({
      status: async () => await Promise.resolve({...answers, ...more}), memberList: async () => await Promise.resolve({clusterID, members: members(list)}),
      alarms: async () => await Promise.resolve([]), removeMember: async () => { await Promise.resolve(); },
      advance: async () => { changes.push('advance'); return await Promise.resolve({revision: 1}); }, compact: async () => { changes.push('compact'); await Promise.resolve(); },
    });
    for (const member of [etcd({clusterID: 'another'}), etcd({leader: 'a1'}), etcd({}, 3)]) {
      assert.equal((await moveRevision(actingWith(observationOf(ready()), member), forcedPod(), 60)).kind, 'retry');
    }
    assert.deepEqual(changes, []);
  });

  for (const version of etcdVersions().filter((one) => !one.startsWith('3.5.21'))) {
    it(`with a real etcd ${version}: a watch that saw more than the survivor is ended, and no revision comes again with other content`, async function real() {
      this.timeout(60_000);
      const cluster = await startCluster(version, newVolume(), []);
      const ahead = await until('a member leads', async () => {
        const all = await Promise.all(cluster.map(async (member) => ({member, state: await status(member)})));
        return all.find(({state}) => state.leader === state.header.member_id)?.member;
      });
      const behind = cluster.find((member) => member !== ahead) ?? assert.fail();
      await until('it takes a write', async () => { await put(ahead, 'common', 'x'); return true; });
      const survivorAt = Number((await status(ahead)).header.revision);
      await until('the survivor has it', async () => Number((await status(behind)).header.revision) >= survivorAt || undefined);
      await kill([behind]);
      for (let number = 0; number < 20; number += 1) await put(ahead, 'lost', `${number}`);
      const seen = Number((await status(ahead)).header.revision);
      const before = await watchAfter(ahead.client, survivorAt);
      await until('the watch has seen it all', () => Promise.resolve(before.heard.flatMap(({events = []}) => events).length >= 20 || undefined));
      const contents = new Map(before.heard.flatMap(({events = []}) => events).map(({kv}) => [kv.mod_revision, kv.value.toString()]));
      before.close();
      await kill(cluster);

      /** What the same watch hears when it goes on in a new cluster from the data that is behind, and whether anything comes twice. */
      const goesOn = async (moved: boolean) => {
        const dataDir = path(newVolume(), 'data');
        cpSync(behind.dataDir, dataDir, {recursive: true});
        const forced = startEtcd({version, name: behind.name, dataDir, client: `http://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}`, flags: ['--force-new-cluster']});
        const client = clientOf(forced);
        const first = await until(`it leads: ${forced.log().slice(-300)}`, async () => { const state = await client.status(); return state.leader === state.memberID ? state : undefined; });
        const run = planned({identity: {...identity, clusterID: first.clusterID}, force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true}});
        const state: QuorumRecoveryStatus = {...ready(run).status, lastServed: {revision: seen, perSecond: 20, at}};
        const acting = actingWith(observationOf({...ready(run), status: state}), client, {podLog: async () => await Promise.resolve('')});
        assert.equal((await checkForced(acting, forcedPod())).kind, 'done');
        const target = moveFor(acting.observation, 'etcd-0', (await client.status()).revision);
        if (moved) assert.equal((await moveRevision(acting, forcedPod(), target.target)).kind, 'done');
        // Nothing is left but the revision, and one key that the run takes away at its end.
        const watch = await watchAfter(forced.client, seen);
        const written = [];
        for (let number = 0; number < 25; number += 1) written.push(await client.put('new', `after ${number}`));
        // More than the watch has seen already: it hears of what is beyond that, or that it was ended.
        const {heard} = watch;
        await until('the watch hears something', () => Promise.resolve(heard.some(({canceled, events = []}) => canceled || events.length > 0) || undefined));
        watch.close();
        client.close();
        await kill([forced]);
        const twice = written.filter(({revision}) => contents.has(String(revision)));
        return {heard, twice, lowest: written[0]?.revision ?? 0};
      };

      const without = await goesOn(false);
      assert.ok(without.twice.length > 0, 'without the move revisions come twice: else this test shows nothing');
      assert.ok(without.heard.every(({compact_revision: compacted = '0'}) => compacted === '0'));
      const {heard, twice, lowest} = await goesOn(true);
      assert.deepEqual(twice, []);
      assert.ok(lowest > seen);
      const ended = heard.find(({canceled}) => canceled);
      assert.ok(Number(ended?.compact_revision) > seen, `the watch heard ${JSON.stringify(heard.map(({compact_revision: compacted, canceled}) => ({compacted, canceled})))}`);
      assert.deepEqual(heard.flatMap(({events = []}) => events), []);
    });
  }
});
