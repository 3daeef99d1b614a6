import assert from 'node:assert/strict';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {MemberStatus} from '../../../src/etcd/types.ts';
import {CalmClusters, askEveryMs} from '../../../src/observe/calmClusters.ts';
import {answers} from '../decide/observations.ts';
import {settle} from '../operator/fake-clock.ts';

const key = 'db/etcd';

function status(index: number, more: Partial<MemberStatus> = {}): MemberStatus {
  const probe = answers(index, 3, {leader: 'a0', revision: 60, ...more});
  return probe.kind === 'Answered' ? probe.status : assert.fail();
}

/** Three members, each of which says what `says` has for it; undefined: nothing comes back before `release`. */
function fixture() {
  const clock = {now: 0};
  const says = new Map<string, MemberStatus | EtcdError | undefined>([0, 1, 2].map((index) => [`etcd-${index}`, status(index)]));
  const asked: string[] = [];
  const told: string[] = [];
  const renewed: number[] = [];
  const state = {watched: true, write: (): Promise<void> => Promise.resolve()};
  let sleepers: {due: number; wake: () => void}[] = [];
  const calm = new CalmClusters({
    ask: async ({address}) => {
      asked.push(address);
      const answer = says.get(address);
      if (answer === undefined) return await new Promise(() => undefined);
      if (answer instanceof EtcdError) throw answer;
      return await Promise.resolve(answer);
    },
    isWatched: () => state.watched,
    onAnswer: async (_, all) => {
      renewed.push(Math.max(...all.map((one) => one.status.revision)));
      await state.write();
    },
    onEnd: (_, why, __, leaderless) => { told.push([why, ...(leaderless === undefined ? [] : [leaderless])].join(' ')); },
    now: () => clock.now, random: () => 0,
    sleep: (ms) => new Promise((resolve) => { sleepers.push({due: clock.now + ms, wake: resolve}); }),
  });
  const members = [0, 1, 2].map((index) => ({pod: `etcd-${index}`, endpoint: {address: `etcd-${index}`, port: 2379}, status: status(index)}));
  const pass = async (ms: number): Promise<void> => {
    clock.now += ms;
    for (const {wake} of sleepers.filter(({due}) => due <= clock.now)) wake();
    sleepers = sleepers.filter(({due}) => due > clock.now);
    await settle();
  };
  const took = (): string[] => asked.splice(0);
  return {calm, clock, says, told, renewed, state, members, pass, took};
}

describe('a calm cluster', () => {
  it('is asked one member in turn, each interval', async () => {
    const {calm, members, pass, took, told} = fixture();
    assert.equal(calm.enter(key, members), true);
    for (const pod of ['etcd-0', 'etcd-1', 'etcd-2', 'etcd-0']) {
      assert.deepEqual(calm.due(), [key]);
      await calm.ask(key);
      assert.deepEqual([took(), calm.due()], [[pod], []]);
      await pass(askEveryMs);
    }
    assert.deepEqual(told, []);
  });
  it('ends when a member has not applied what another one had a while ago, and not for what came since', async () => {
    const {calm, members, says, pass, told} = fixture();
    calm.enter(key, members);
    says.set('etcd-0', status(0, {raftIndex: 900, raftAppliedIndex: 900}));
    await calm.ask(key);
    await pass(askEveryMs);
    says.set('etcd-1', status(1, {raftIndex: 905, raftAppliedIndex: 900}));
    await calm.ask(key);
    assert.deepEqual(told, []);
    await pass(askEveryMs);
    says.set('etcd-2', status(2, {raftIndex: 899, raftAppliedIndex: 899}));
    await calm.ask(key);
    assert.deepEqual(told, ['Answer']);
  });
  it('is none without an open watch, however whole it is', async () => {
    const {calm, members, state, took, told} = fixture();
    state.watched = false;
    assert.equal(calm.enter(key, members), false);
    state.watched = true;
    calm.enter(key, members);
    state.watched = false;
    assert.equal(calm.rests(key), false, 'it rests without a watch');
    await calm.ask(key);
    assert.deepEqual([took(), told, calm.size], [[], ['Watch'], 0]);
  });
  it('is looked at in full as soon as an answer does not go on from that member\'s last one', async () => {
    const {calm, members, says, told, renewed, pass} = fixture();
    calm.enter(key, members);
    says.set('etcd-0', status(0, {revision: 70}));
    await calm.ask(key);
    for (let turn = 0; turn < 2; turn += 1) {
      await pass(askEveryMs);
      await calm.ask(key);
    }
    assert.deepEqual([told, renewed], [[], [70, 70, 70]]);
    says.set('etcd-0', status(0, {revision: 69}));
    await pass(askEveryMs);
    await calm.ask(key);
    assert.deepEqual([told, calm.size], [['Answer'], 0]);
    await calm.ask(key);
    assert.deepEqual(told, ['Answer'], 'its end is told twice');
  });
  it('is told of with the member that has no leader, once that has none a while later either', async () => {
    for (const [later, expected] of [['', 'Answer etcd-0'], ['a1', 'Answer']] as const) {
      const {calm, members, says, told, pass, took} = fixture();
      calm.enter(key, members);
      says.set('etcd-0', status(0, {leader: ''}));
      await calm.ask(key);
      await pass(0);
      says.set('etcd-0', status(0, {leader: later}));
      await pass(899);
      assert.deepEqual([took(), told, calm.rests(key)], [['etcd-0', 'etcd-0'], [], false]);
      await pass(1);
      assert.deepEqual(told, [expected]);
    }
  });
  it('is looked at in full when a member says nothing, twice in a row', async () => {
    const {calm, members, says, told, took} = fixture();
    calm.enter(key, members);
    says.set('etcd-0', new EtcdError('Timeout', 'deadline exceeded'));
    await calm.ask(key);
    assert.deepEqual([took(), told], [['etcd-0', 'etcd-1', 'etcd-2', 'etcd-0'], ['Silence']]);
  });
  it('is told of with another member that has no leader, while the one that is asked says nothing: a watch there breaks late', async () => {
    const {calm, members, says, told, pass} = fixture();
    calm.enter(key, members);
    const ask = says.get.bind(says);
    let first = true;
    says.get = (pod) => {
      if (pod !== 'etcd-0') return ask(pod);
      const answer = first ? new EtcdError('Timeout', 'deadline exceeded') : undefined;
      first = false;
      return answer;
    };
    says.set('etcd-2', status(2, {leader: ''}));
    void calm.ask(key);
    await pass(0);
    await pass(899);
    assert.deepEqual([told, calm.rests(key)], [[], true]);
    await pass(1);
    assert.deepEqual([told, calm.rests(key)], [['Answer etcd-2'], false]);
  });
  it('is not blamed for what this process was late to hear', async () => {
    const {calm, members, says, told, clock} = fixture();
    calm.enter(key, members);
    let late = 0;
    says.get = () => {
      clock.now += late;
      return new EtcdError('Timeout', 'deadline exceeded');
    };
    late = 6_000;
    await calm.ask(key);
    assert.deepEqual([told, calm.rests(key)], [[], true]);
    late = 5_000;
    await calm.ask(key);
    assert.deepEqual(told, ['Silence']);
  });
  it('is looked at in full when its witness cannot be written', async () => {
    const {calm, members, state, told} = fixture();
    calm.enter(key, members);
    state.write = () => Promise.reject(new Error('conflict'));
    await calm.ask(key);
    assert.deepEqual(told, ['Write']);
  });
  it('does not rest for longer than ten minutes, nor when nobody has asked it for long', async () => {
    const {calm, members, clock, pass} = fixture();
    calm.enter(key, members);
    for (let passed = 0; passed < 450_000; passed += askEveryMs) {
      assert.equal(calm.rests(key), true);
      await pass(askEveryMs);
      await calm.ask(key);
    }
    assert.equal(calm.rests(key), false, 'no full look is due');
    calm.enter(key, members);
    clock.now += 4 * askEveryMs;
    assert.equal(calm.rests(key), false, 'it rests unasked');
    assert.equal(calm.lagMs, 4 * askEveryMs);
  });
  it('ends silently with a full look, and an answer that comes then is for nothing', async () => {
    const {calm, members, says, told, renewed} = fixture();
    calm.enter(key, members);
    says.set('etcd-0', status(0, {leader: ''}));
    const asking = calm.ask(key);
    calm.leave(key);
    await asking;
    assert.deepEqual([told, renewed, calm.rests(key)], [[], [], false]);
  });
});

describe('the end of the watch over a calm cluster', () => {
  it('ends the calm at once, whatever is being asked', () => {
    const {calm, members, told} = fixture();
    calm.enter(key, members);
    assert.equal(calm.watchEnded(key, 'etcd-1', {kind: 'NoLeader', message: ''}), true);
    assert.deepEqual([told, calm.rests(key), calm.size], [['Watch etcd-1'], false, 0]);
    assert.equal(calm.watchEnded(key, 'etcd-1', {kind: 'NoLeader', message: ''}), false, 'what is not calm is not told of here');
  });
  it('asks the others where it broke, and names the first that has no leader a while later either', async () => {
    const {calm, members, says, told, pass, took} = fixture();
    calm.enter(key, members);
    says.set('etcd-0', undefined);
    says.set('etcd-2', status(2, {leader: ''}));
    calm.watchEnded(key, 'etcd-1', {kind: 'Broken', message: ''});
    await pass(0);
    await pass(899);
    assert.deepEqual([took(), told], [['etcd-0', 'etcd-2'], []]);
    await pass(1);
    assert.deepEqual([took(), told], [['etcd-2'], ['Watch etcd-2']]);
    await pass(10_000);
    assert.deepEqual(told, ['Watch etcd-2'], 'it is told twice');
  });
  it('names nobody while there is a leader, or one comes: a full look follows at once', async () => {
    const {calm, members, says, told, pass} = fixture();
    calm.enter(key, members);
    calm.watchEnded(key, 'etcd-1', {kind: 'Broken', message: ''});
    await pass(0);
    assert.deepEqual(told, ['Watch']);
    calm.enter(key, members);
    says.set('etcd-2', status(2, {leader: ''}));
    calm.watchEnded(key, 'etcd-1', {kind: 'Broken', message: ''});
    await pass(0);
    says.set('etcd-2', status(2));
    await pass(900);
    assert.deepEqual(told, ['Watch', 'Watch']);
  });
  it('is followed by a full look within three seconds, although no answer ever comes', async () => {
    const {calm, members, says, told, pass} = fixture();
    calm.enter(key, members);
    for (const pod of says.keys()) says.set(pod, undefined);
    calm.watchEnded(key, 'etcd-1', {kind: 'Broken', message: ''});
    await pass(2_999);
    assert.deepEqual(told, []);
    await pass(1);
    assert.deepEqual(told, ['Watch']);
  });
});
