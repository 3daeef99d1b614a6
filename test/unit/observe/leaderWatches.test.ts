import assert from 'node:assert/strict';
import type {WatchEnd} from '../../../src/etcd/leader-watch.ts';
import {LeaderWatches, watchTargets} from '../../../src/observe/leaderWatches.ts';
import {answers, observationOf, ordinal, newSet, ownPodOf, silent} from '../decide/observations.ts';

const credentials = {tls: undefined, auth: {username: 'root', password: 'p'}, problem: undefined};
const target = (id: string) => ({id, pod: `pod-${id}`, endpoint: {address: id, port: 2379}});

function fixture() {
  const opened = new Map<string, (end: WatchEnd) => void>();
  const closed: string[] = [];
  const told: string[] = [];
  const clock = {now: 0};
  const counted: string[] = [];
  const watches = new LeaderWatches({
    onEnd: (key, pod, end) => { told.push(`${key} ${pod} ${end.kind}`); }, now: () => clock.now, onCounted: (why) => { counted.push(why); },
    open: ({address}, onEnd) => {
      opened.set(address, onEnd);
      return {close: () => { closed.push(address); }};
    },
  });
  const end = (id: string, kind: WatchEnd['kind']): void => {
    const onEnd = opened.get(id);
    opened.delete(id);
    onEnd?.({kind, message: ''});
  };
  return {watches, opened, closed, told, counted, clock, end};
}

describe('watches for a leader', () => {
  it('are held on every member that is followed, one each, and closed on those that are not any more', () => {
    const {watches, opened, closed} = fixture();
    assert.equal(watches.follow('db/etcd', [target('a'), target('b')]), 0);
    watches.follow('db/etcd', [target('a'), target('b')]);
    assert.deepEqual([[...opened.keys()], watches.size], [['a', 'b'], 2]);
    watches.follow('db/etcd', [target('b'), target('c')]);
    assert.deepEqual([closed, watches.size], [['a'], 2]);
    watches.close();
    assert.deepEqual([closed, watches.size], [['a', 'b', 'c'], 0]);
  });
  it('count every end that came by itself, a refusal too, and not those that were closed', () => {
    const {watches, counted, end} = fixture();
    watches.follow('db/etcd', [target('a'), target('b'), target('c')]);
    end('a', 'Refused');
    end('b', 'NoLeader');
    watches.close();
    assert.deepEqual(counted, ['Refused', 'NoLeader']);
  });
  it('ask for a look when one ends, and are not opened again at once: what ended them may last', () => {
    const {watches, opened, told, clock, end} = fixture();
    watches.follow('db/etcd', [target('a')]);
    end('a', 'NoLeader');
    assert.deepEqual(told, ['db/etcd pod-a NoLeader']);
    assert.equal(watches.follow('db/etcd', [target('a')]), 1, 'it is counted as not open');
    assert.equal(opened.size, 0);
    clock.now = 5_001;
    assert.equal(watches.follow('db/etcd', [target('a')]), 0);
    assert.equal(opened.size, 1);
  });
  it('tell nobody of a refusal, which says nothing of the leader, and leave that member alone for long', () => {
    const {watches, opened, told, clock, end} = fixture();
    watches.follow('db/etcd', [target('a')]);
    end('a', 'Refused');
    clock.now = 60_000;
    assert.equal(watches.follow('db/etcd', [target('a')]), 0);
    assert.deepEqual([told, opened.size], [[], 0]);
  });
  it('tell nothing of a member that is not followed any more', () => {
    const {watches, opened, told} = fixture();
    watches.follow('db/etcd', [target('a')]);
    const late = opened.get('a');
    watches.follow('db/etcd', []);
    late?.({kind: 'Broken', message: ''});
    assert.deepEqual(told, []);
  });
});

describe('the members to watch', () => {
  const set = newSet(3);
  const of = (...views: ReturnType<typeof ordinal>[]) => watchTargets({...observationOf(), ordinals: views}, credentials);
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
