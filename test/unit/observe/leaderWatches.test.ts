import assert from 'node:assert/strict';
import type {WatchEnd, WatchHeard} from '../../../src/etcd/leader-watch.ts';
import {LeaderWatches, watchTargets} from '../../../src/observe/leaderWatches.ts';
import {answers, observationOf, ordinal, newSet, ownPodOf, silent} from '../decide/observations.ts';
import {settle} from '../operator/fake-clock.ts';

const credentials = {tls: undefined, auth: {username: 'root', password: 'p'}, problem: undefined};
const target = (id: string) => ({id, pod: `pod-${id}`, endpoint: {address: id, port: 2379}});
const key = 'db/etcd';

function fixture() {
  const opened = new Map<string, WatchHeard>();
  const closed: string[] = [];
  const told: string[] = [];
  const clock = {now: 0};
  const counted: string[] = [];
  /** What comes of a watch when it is opened; undefined: nothing. */
  const outcome = {of: undefined as WatchEnd['kind'] | 'Open' | undefined};
  outcome.of = 'Open';
  const end = (id: string, kind: WatchEnd['kind']): void => {
    const heard = opened.get(id);
    opened.delete(id);
    heard?.onEnd({kind, message: ''});
  };
  const watches = new LeaderWatches({
    onEnd: (of, pod, {kind}, others) => { told.push([of, pod, kind, ...others.map((other) => other.pod)].join(' ')); }, now: () => clock.now, onCounted: (why) => { counted.push(why); },
    open: ({address}, heard) => {
      opened.set(address, heard);
      const {of} = outcome;
      if (of === 'Open') queueMicrotask(heard.onOpen);
      else if (of !== undefined) queueMicrotask(() => { end(address, of); });
      return {close: () => { closed.push(address); opened.delete(address); }};
    },
  });
  return {watches, opened, closed, told, counted, clock, end, outcome};
}

describe('the watch for a leader', () => {
  it('is held on one member of a cluster, and on another once that one is not among those to watch any more', async () => {
    const {watches, opened, closed} = fixture();
    assert.equal(await watches.follow(key, [target('a'), target('b')]), 'Open');
    assert.equal(await watches.follow(key, [target('b'), target('a')]), 'Open');
    assert.deepEqual([[...opened.keys()], watches.size, watches.isOpen(key)], [['a'], 1, true]);
    assert.equal(await watches.follow(key, [target('b'), target('c')]), 'Open');
    assert.deepEqual([closed, [...opened.keys()]], [['a'], ['b']]);
    watches.close();
    assert.deepEqual([closed, watches.size, watches.isOpen(key)], [['a', 'b'], 0, false]);
  });
  it('is open once its member has confirmed it, and not before', async () => {
    const {watches, opened, outcome} = fixture();
    outcome.of = undefined;
    const following = watches.follow(key, [target('a')]);
    await settle();
    assert.equal(watches.isOpen(key), false);
    opened.get('a')?.onOpen();
    assert.equal(await following, 'Open');
    assert.equal(watches.isOpen(key), true);
  });
  for (const [kind, followed] of [['Broken', 'Closed'], ['NoLeader', 'Leaderless']] as const) {
    it(`that ends as ${kind} before it was confirmed is ${followed}, which only the look hears that waits for it`, async () => {
      const {watches, told, outcome} = fixture();
      outcome.of = kind;
      assert.equal(await watches.follow(key, [target('a')]), followed);
      assert.deepEqual([told, watches.isOpen(key)], [[], false]);
    });
    it(`that ends as ${kind} is open no longer when that is told`, async () => {
      const {watches, told, end} = fixture();
      await watches.follow(key, [target('a')]);
      end('a', kind);
      assert.deepEqual([told, watches.isOpen(key)], [[`${key} pod-a ${kind}`], false]);
    });
  }
  it('names the others, as they were last, when it ends', async () => {
    const {watches, told, end} = fixture();
    await watches.follow(key, [target('a'), target('b')]);
    await watches.follow(key, [target('c'), target('a')]);
    end('a', 'Broken');
    assert.deepEqual(told, [`${key} pod-a Broken pod-c`]);
  });
  it('goes to another member when one ended it, and back after a while: what ends it may last', async () => {
    const {watches, opened, clock, end} = fixture();
    await watches.follow(key, [target('a'), target('b')]);
    end('a', 'Broken');
    await watches.follow(key, [target('a'), target('b')]);
    assert.deepEqual([...opened.keys()], ['b']);
    end('b', 'Broken');
    assert.equal(await watches.follow(key, [target('a'), target('b')]), 'Closed');
    clock.now = 5_001;
    assert.equal(await watches.follow(key, [target('a'), target('b')]), 'Open');
    assert.deepEqual([...opened.keys()], ['a']);
  });
  it('is Refused where each member refuses it, which says nothing of a leader and is not tried again for long', async () => {
    const {watches, opened, told, clock, outcome} = fixture();
    outcome.of = 'Refused';
    assert.equal(await watches.follow(key, [target('a')]), 'Refused');
    clock.now = 60_000;
    assert.equal(await watches.follow(key, [target('a')]), 'Refused');
    assert.deepEqual([told, opened.size], [[], 0]);
  });
  it('counts every end that came by itself, and not those that were closed', async () => {
    const {watches, counted, end} = fixture();
    await watches.follow(key, [target('a')]);
    end('a', 'NoLeader');
    await watches.follow(key, [target('b')]);
    watches.close();
    assert.deepEqual(counted, ['NoLeader']);
  });
  it('tells nothing any more of a member that is not watched', async () => {
    const {watches, opened, told} = fixture();
    await watches.follow(key, [target('a')]);
    const late = opened.get('a');
    watches.leave(key);
    late?.onEnd({kind: 'Broken', message: ''});
    assert.deepEqual(told, []);
  });
});

describe('the members to watch', () => {
  const set = newSet(3);
  const of = (...views: ReturnType<typeof ordinal>[]) => watchTargets({...observationOf(), ordinals: views}, credentials);
  it('are followers first: the loss of a leader ends the watch on a follower too', () => {
    const targets = of(...[0, 1, 2].map((index) => ordinal(set, index, {probe: answers(index, 3, {leader: 'a0'})})));
    assert.deepEqual(targets.map(({pod}) => pod), ['etcd-1', 'etcd-2', 'etcd-0']);
  });
  it('are the voters that answer with a leader, without a password that only a quorum could check', () => {
    const targets = of(
      ordinal(set, 0, {probe: answers(0, 3, {leader: 'a0'})}), ordinal(set, 1, {probe: answers(1, 3)}),
      ordinal(set, 2, {probe: answers(2, 3, {leader: 'a0', isLearner: true})}), ordinal(set, 2, {probe: silent}),
    );
    assert.deepEqual(targets, [{id: 'pod-uid-0', pod: 'etcd-0', endpoint: {address: '10.0.0.0', port: 2379}}]);
  });
  it('are told apart by the UIDs of their pods', () => {
    const [again] = of(ordinal(set, 0, {object: ownPodOf(0, {uid: 'anew'}), probe: answers(0, 3, {leader: 'a0'})}));
    assert.equal(again?.id, 'anew');
  });
});
