import assert from 'node:assert/strict';
import type {WatchEnd, WatchHeard} from '../../../src/etcd/leader-watch.ts';
import type {EtcdAccess} from '../../../src/observe/access.ts';
import type {EtcdEndpoint} from '../../../src/etcd/types.ts';
import {openSentinels} from '../../../src/observe/sentinels.ts';
import {answers} from '../decide/observations.ts';
import {settle} from '../operator/fake-clock.ts';

const key = 'db/etcd';
const target = (index: number) => ({id: `uid-${index}`, pod: `etcd-${index}`, endpoint: {address: `etcd-${index}`, port: 2379}});

/** A watch on etcd-0 over a cluster that is not calm, in which these have no leader; etcd-1 says nothing. */
async function watched(leaderless: readonly string[]) {
  const told: string[] = [];
  const asked: string[] = [];
  const wakes: (() => void)[] = [];
  let heard: WatchHeard | undefined;
  const etcd = {
    watchLeader: (_: EtcdEndpoint, given: WatchHeard) => { heard = given; queueMicrotask(given.onOpen); return {close: () => undefined}; },
    status: async ({address}: EtcdEndpoint) => {
      asked.push(address);
      if (address === 'etcd-1') return await new Promise(() => undefined);
      const probe = answers(2, 3, {leader: leaderless.includes(address) ? '' : 'a0'});
      return probe.kind === 'Answered' ? probe.status : undefined;
    },
  } as unknown as EtcdAccess;
  const {leaders} = openSentinels({
    etcd, now: () => 0, random: () => 0, sleep: (ms) => new Promise((resolve) => { if (ms < 1_000) wakes.push(resolve); }), onAnswer: () => Promise.resolve(),
    onLeaderless: (_, pod) => { told.push(`${pod} has no leader`); }, onStir: (_, routine) => { told.push(routine ? 'routine' : 'look'); },
  });
  assert.equal(await leaders.follow(key, [0, 1, 2].map(target)), 'Open');
  const end = async (kind: WatchEnd['kind']): Promise<void> => {
    heard?.onEnd({kind, message: ''});
    await settle();
    for (const wake of wakes.splice(0)) wake();
    await settle();
  };
  return {told, asked, end};
}

describe('the end of the watch over a cluster that is not calm', () => {
  it('is told at once where its member has no leader', async () => {
    const {told, asked, end} = await watched([]);
    await end('NoLeader');
    assert.deepEqual([told, asked], [['etcd-0 has no leader', 'look'], []]);
  });
  it('is told with another one that has no leader, where it broke: a look at everybody would wait for those that are silent', async () => {
    const {told, asked, end} = await watched(['etcd-2']);
    await end('Broken');
    assert.deepEqual([told, asked], [['etcd-2 has no leader', 'look'], ['etcd-1', 'etcd-2', 'etcd-2']]);
  });
});
