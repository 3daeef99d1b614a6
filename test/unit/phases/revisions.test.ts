import assert from 'node:assert/strict';
import {join} from 'node:path';
import {marks} from '../../../src/api/types.ts';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {connectMember} from '../../../src/etcd/client.ts';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember, MemberAlarm} from '../../../src/etcd/types.ts';
import {HeavyActs} from '../../../src/phases/heavy.ts';
import {moveRevision} from '../../../src/phases/revisions.ts';
import {actingWith, forcedPod, identity, planned, ready} from '../../invariants/fixtures.ts';
import {etcdVersions, freePort, startEtcd, stopEverything, until} from '../agent/etcd-processes.ts';
import {newVolume, removeVolumes} from '../agent/volumes.ts';
import {clusterID, members, observationOf} from '../decide/observations.ts';

interface Made {
  revision?: number;
  alarms?: MemberAlarm[];
  more?: Partial<EtcdMember>;
}

/** An etcd that counts: what was done to it, and where it is. */
function etcd({revision = 50, alarms = [], more = {}}: Made = {}): {member: Partial<EtcdMember>; done: string[]} {
  const done: string[] = [];
  let at = revision;
  const say = async (what: string) => { done.push(what); await Promise.resolve(); };
  const member: Partial<EtcdMember> = {
    status: async () => await Promise.resolve({clusterID, memberID: 'a0', version: '3.6.16', leader: 'a0', raftTerm: 6, raftIndex: 1, raftAppliedIndex: 1, revision: at, dbSizeBytes: 1, isLearner: false, errors: []}),
    memberList: async () => await Promise.resolve({clusterID, members: members(1)}),
    alarms: async () => await Promise.resolve(alarms.splice(0)),
    advance: async (key, by) => {
      assert.equal(key, marks.probeKey);
      at += by;
      await say(`advance ${by}`);
      return {revision: at};
    },
    compact: async (to, options) => { await say(`compact ${to}${options?.inBackground ? ' in background' : ''}`); },
    defragment: async () => { await say('defragment'); },
    disarm: async ({alarm}) => { await say(`disarm ${alarm}`); },
    removeMember: async (id) => { await say(`remove ${id}`); },
    ...more,
  };
  return {member, done};
}

const move = {from: 50, target: 1_050, proven: true, why: 'seen'};
const acting = (member: Partial<EtcdMember>, more: object = {}, signal?: AbortSignal) =>
  actingWith(observationOf(ready(planned({force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, revision: 50, move, ...more}}))), member, {}, signal);

async function moved(made: Made = {}, target = move.target) {
  const {member, done} = etcd(made);
  const outcome = await moveRevision(acting(member), forcedPod(), target);
  const draft: QuorumRecoveryStatus = {run: planned({force: {attempt: 1, pod: 'f', move}})};
  outcome.record?.(draft);
  return {outcome, done, revisions: draft.dataLoss?.revisions, words: 'message' in outcome ? outcome.message : 'why' in outcome ? outcome.why : undefined};
}

describe('the revision of the forced etcd', () => {
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });
  it('is moved to the target, and the history before it compacted while the disk follows', async () => {
    const {done, revisions, words} = await moved();
    assert.deepEqual(done, ['advance 1000', 'compact 1050 in background']);
    assert.deepEqual(revisions, {from: 50, to: 1_050, proven: true, why: 'seen'});
    assert.equal(words, 'one member, its own leader; revision moved from 50 to 1050, and the history before it compacted');
  });
  it('is moved on from where it is after a kill, not once more by all of it', async () => {
    const {done, revisions} = await moved({revision: 700});
    assert.deepEqual(done, ['advance 350', 'compact 1050 in background']);
    assert.deepEqual([revisions?.from, revisions?.to], [50, 1_050]);
  });
  it('stays where it is when it is beyond the target already, and is compacted there', async () => {
    assert.deepEqual((await moved({revision: 2_000})).done, ['compact 2000 in background']);
  });
  it('is moved in slices', async () => {
    assert.deepEqual((await moved({}, 12_050)).done, ['advance 5000', 'advance 5000', 'advance 2000', 'compact 12050 in background']);
  });
  it('is left at once by an operator that does not lead any more, and not compacted by it', async () => {
    const stops = new AbortController();
    const {member, done} = etcd();
    const advance = member.advance ?? assert.fail();
    const outcome = await moveRevision(acting({...member, advance: async (key, by) => {
      stops.abort();
      return await advance(key, by);
    }}, {}, stops.signal), forcedPod(), 12_050);
    assert.deepEqual([outcome.kind, done], ['retry', ['advance 5000']]);
  });
  it('takes turns with those of other clusters, two at a time, so that this process can do what else it has to', async () => {
    const heavy = new HeavyActs();
    const {member} = etcd({});
    const advance = member.advance ?? assert.fail();
    const under = Promise.withResolvers<undefined>();
    const slow: Partial<EtcdMember> = {...member, advance: async (key, by) => {
      await under.promise;
      return await advance(key, by);
    }};
    const move = async (of: Partial<EtcdMember>) => await moveRevision({...acting(of), heavy}, forcedPod(), 1_050);
    const first = [move(slow), move(slow)];
    const third = await move(etcd({}).member);
    assert.deepEqual([third.kind, 'why' in third && third.why], ['retry', 'the revision is moved on once those of other clusters are, two at a time']);
    under.resolve(undefined);
    await Promise.allSettled(first);
    assert.equal((await move(etcd({}).member)).kind, 'done');
    const failing = {...etcd({}).member, advance: () => Promise.reject(new Error('no'))};
    for (let round = 0; round < 3; round += 1) await assert.rejects(move(failing), /no/, 'one that failed has not ended');
  });
  it('ends where it got to after half a minute on a slow disk, and is not called proven then', async () => {
    let time = 0;
    const {member} = etcd();
    const slow = {...acting(member), now: () => time};
    const advance = member.advance ?? assert.fail();
    member.advance = async (key, by) => {
      time += 20_000;
      return await advance(key, by);
    };
    const outcome = await moveRevision(slow, forcedPod(), 20_050);
    const draft: QuorumRecoveryStatus = {run: planned({force: {attempt: 1, pod: 'f', move}})};
    outcome.record?.(draft);
    assert.deepEqual([draft.dataLoss?.revisions?.to, draft.dataLoss?.revisions?.proven], [10_050, false]);
    assert.match(draft.dataLoss?.revisions?.why ?? '', /got to 10050 of 20050 within 30 s/);
  });
  it('is not touched where another cluster answers, where it is not alone, and where it does not lead', async () => {
    const other = etcd();
    const status = other.member.status ?? assert.fail();
    const answer = async (more: object) => ({...await status(), ...more});
    const lists = async () => await Promise.resolve({clusterID, members: members(3)});
    for (const more of [{status: () => answer({clusterID: 'another'})}, {status: () => answer({leader: ''})}, {memberList: lists}]) {
      const {outcome, done} = await moved({more});
      assert.equal(outcome.kind, 'retry');
      assert.deepEqual(done.filter((what) => !what.startsWith('remove')), []);
    }
  });
  it('is moved on after the alarm was settled, when what was written for it filled the database', async () => {
    const full = new EtcdError('NoSpace', 'database space exceeded');
    const first = etcd();
    const advance = first.member.advance ?? assert.fail();
    const outcome = await moveRevision(acting({...first.member, advance: async (key, by) => {
      await advance(key, 300);
      throw by > 0 ? full : new Error(key);
    }}), forcedPod(), 1_050);
    assert.deepEqual([outcome.kind, first.done], ['retry', ['advance 300']]);
    const second = await moved({revision: 350, alarms: [{memberID: 'a0', alarm: 'NOSPACE'}]});
    assert.deepEqual(second.done, ['compact 350', 'defragment', 'disarm NOSPACE', 'advance 700', 'compact 1050 in background']);
    const stuck = await moved({more: {advance: async () => await Promise.reject(full)}});
    assert.ok(stuck.outcome.kind === 'blocked' && stuck.outcome.reason === 'AlarmRaised');
  });
  const version = etcdVersions().find((one) => one.startsWith('3.6'));
  it('with a real etcd: is moved in a database that has no room for it, which is compacted on the way', async function real() {
    if (version === undefined) this.skip();
    this.timeout(120_000);
    const dataDir = join(newVolume(), 'data');
    const peer = `http://127.0.0.1:${await freePort()}`;
    const process = startEtcd({version, name: 'a', dataDir, client: `http://127.0.0.1:${await freePort()}`, peer, flags: ['--initial-cluster', `a=${peer}`, '--quota-backend-bytes', '400000']});
    const member = connectMember({address: '127.0.0.1', port: Number(new URL(process.client).port)});
    const {clusterID: id} = await until('it leads', async () => { const state = await member.status(); return state.leader === state.memberID ? state : undefined; });
    const run = planned({identity: {...identity, clusterID: id}, force: {attempt: 1, pod: 'f', move: {...move, target: 12_000}}});
    const rounds: string[] = [];
    for (let round = 0; round < 20 && rounds.at(-1) !== 'done'; round += 1) rounds.push((await moveRevision(actingWith(observationOf(ready(run)), member), forcedPod(), 12_000)).kind);
    assert.equal(rounds.at(-1), 'done');
    assert.ok(rounds.length > 1, 'it never got full: this shows nothing');
    assert.ok((await member.status()).revision >= 12_000);
    assert.deepEqual(await member.alarms(), []);
    member.close();
  });
  it('is found compacted by a repeat', async () => {
    const compact = async () => await Promise.reject(new EtcdError('Compacted', 'required revision has been compacted'));
    assert.equal((await moved({revision: 1_050, more: {compact}})).outcome.kind, 'done');
  });
});
