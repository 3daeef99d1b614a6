import assert from 'node:assert/strict';
import type {MemberStatus} from '../../src/etcd/types.ts';
import {away, claimAway, fails, isGone, over, podOf, running, story} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {etcdPod, makeClaim, peerURLs, service} from './objects.ts';
import type {EtcdPod} from './objects.ts';

export async function start(cluster: Cluster, options: EtcdPod): Promise<void> {
  await cluster.client.create('Pod', etcdPod(cluster, options));
}

export async function statusOf(cluster: Cluster, pod: string): Promise<MemberStatus> {
  return await (await cluster.etcd(pod)).status();
}

/** Their statuses, once they have one leader, and have published their names. */
export async function together(cluster: Cluster, pods: readonly string[]): Promise<MemberStatus[]> {
  return await cluster.until(`a cluster of ${pods.join(', ')}`, async () => {
    const statuses = await Promise.all(pods.map(async (pod) => await statusOf(cluster, pod)));
    const leaders = [...new Set(statuses.map(({leader}) => leader))];
    if (leaders.length !== 1 || leaders[0] === '') throw new Error(`leaders ${leaders.join(', ')}`);
    const lists = await Promise.all(pods.map(async (pod) => await (await cluster.etcd(pod)).memberList()));
    for (const {members} of lists) for (const pod of pods) if (!members.some(({name}) => name === pod)) throw new Error(`${pod} is not published: ${JSON.stringify(members)}`);
    return statuses;
  }, 120);
}

/** Makes the members of one initial cluster, all on one node unless told otherwise. */
export async function bootstrap(cluster: Cluster, members: readonly string[], more: (name: string) => Partial<EtcdPod> = () => ({})): Promise<MemberStatus[]> {
  const app = members[0]?.split('-')[0] ?? '';
  await cluster.make('Service', service(cluster, app));
  for (const name of members) {
    await makeClaim(cluster, `data-${name}`);
    await start(cluster, {name, members, node: 'home', ...more(name)});
  }
  return await together(cluster, members);
}

export async function read(cluster: Cluster, pod: string, key: string, serializable = false): Promise<string | undefined> {
  return (await (await cluster.etcd(pod)).get(key, {serializable})).value?.toString();
}

/** Puts as soon as etcd takes it. */
export async function put(cluster: Cluster, pod: string, key: string): Promise<void> {
  await cluster.until(`a put on ${pod}`, async () => await (await cluster.etcd(pod)).put(key, 'x'));
}

/** The member that leads, and the others. */
export async function leading(cluster: Cluster, pods: readonly string[]): Promise<[string, string[]]> {
  const statuses = await together(cluster, pods);
  const leader = pods[statuses.findIndex(({memberID, leader: id}) => memberID === id)] ?? '';
  return [leader, pods.filter((pod) => pod !== leader)];
}

const noLeader = async (cluster: Cluster, pod: string): Promise<true> =>
  await cluster.until(`no leader on ${pod}`, async () => ((await statusOf(cluster, pod)).leader === '' ? true : undefined));

const trio = (name: string): string[] => [0, 1, 2].map((ordinal) => `${name}-${ordinal}`);

/** It has no leader, as it says itself or by not answering, and writes nothing. */
export async function lonely(cluster: Cluster, pod: string): Promise<void> {
  const leaderOf = async (): Promise<string> => await statusOf(cluster, pod).then((status) => status.leader, () => '');
  await cluster.until(`no leader on ${pod}`, async () => (await leaderOf() === '' ? true : undefined));
  await cluster.holds(`${pod} without a leader`, 2, async () => {
    assert.equal(await leaderOf(), '');
    const written = await cluster.etcd(pod).then(async (etcd) => await etcd.put('never', 'x')).then(() => true, () => false);
    assert.equal(written, false);
  });
}

export const quorum = story({name: 'quorum', about: 'etcd members with and without a quorum', of: 'etcd', nodes: ['home']}, {
  'members that start from one list make one cluster, elect one leader and publish their names': async (cluster) => {
    const statuses = await bootstrap(cluster, trio('quorum'), () => ({restart: 'Never'}));
    assert.equal(new Set(statuses.map(({clusterID}) => clusterID)).size, 1);
    assert.equal(new Set(statuses.map(({memberID}) => memberID)).size, 3);
    const {members} = await (await cluster.etcd('quorum-1')).memberList({linearizable: true});
    assert.deepEqual(members.map(({peerURLs: urls, isLearner}) => [urls, isLearner]).sort(), trio('quorum').map((pod) => [peerURLs(cluster, pod), false]));
  },
  'what one member has acknowledged another one reads, and the hashes of a revision agree': async (cluster) => {
    const {revision} = await (await cluster.etcd('quorum-0')).put('kept', 'value');
    assert.equal(await read(cluster, 'quorum-1', 'kept'), 'value');
    const hashes = await cluster.until('the revision on each member', async () =>
      await Promise.all(trio('quorum').map(async (pod) => await (await cluster.etcd(pod)).hashKV(revision))));
    assert.equal(new Set(hashes.map(({hash}) => hash)).size, 1);
    await fails((await cluster.etcd('quorum-0')).hashKV(revision + 1000), 'NotReady');
    await (await cluster.etcd('quorum-2')).deleteKey('kept');
    assert.equal(await read(cluster, 'quorum-1', 'kept'), undefined);
    await put(cluster, 'quorum-1', 'kept');
    assert.deepEqual(await (await cluster.etcd('quorum-1')).alarms(), []);
  },
  'without a quorum a member that runs serves its own state and nothing that needs others; no campaign counts as a term': async (cluster) => {
    const [leader, others] = await leading(cluster, trio('quorum'));
    const before = await cluster.until('everything applied', async () => {
      const status = await statusOf(cluster, leader);
      return status.raftAppliedIndex === status.raftIndex ? status : undefined;
    });
    for (const pod of others) await cluster.kill(pod);
    await noLeader(cluster, leader);
    const etcd = await cluster.etcd(leader);
    assert.equal(await read(cluster, leader, 'kept', true), 'x');
    assert.equal((await etcd.memberList()).members.length, 3);
    await fails(etcd.get('kept'), 'Timeout', 'NoLeader');
    await fails(etcd.memberList({linearizable: true}), 'Timeout', 'NoLeader');
    await fails(etcd.put('kept', 'y'), 'Timeout', 'NoLeader');
    await fails(etcd.alarms(), 'Timeout', 'NoLeader');
    await fails(etcd.addLearner(['http://nobody.example:2380']), 'Unhealthy');
    assert.equal(await etcd.authEnabled(), false);
    const after = await statusOf(cluster, leader);
    assert.ok(after.errors.includes('etcdserver: no leader'), after.errors.join());
    for (const key of ['clusterID', 'memberID', 'raftTerm', 'raftIndex', 'revision'] as const) assert.equal(after[key], before[key], key);
    for (const pod of others) {
      await over(cluster, pod);
      await away(cluster, pod);
    }
  },
  'started again without a quorum it serves nothing, not even its status': async (cluster) => {
    const [pod] = (await cluster.client.list('Pod', cluster.namespace, {labelSelector: 'app=quorum'})).map(({metadata}) => metadata?.name ?? '');
    assert.ok(pod);
    await away(cluster, pod);
    await start(cluster, {name: 'quorum-0', members: trio('quorum'), node: 'home'});
    await running(cluster, 'quorum-0');
    await cluster.holds('no answer', 5, async () => { await fails(statusOf(cluster, 'quorum-0'), 'Timeout', 'Unreachable'); });
  },
  'with one more of three there is a quorum again, with everything that was acknowledged': async (cluster) => {
    await start(cluster, {name: 'quorum-1', members: trio('quorum'), node: 'home'});
    await together(cluster, ['quorum-0', 'quorum-1']);
    assert.equal(await read(cluster, 'quorum-1', 'kept'), 'x');
    await put(cluster, 'quorum-0', 'again');
  },
});

export const phantom = story({name: 'phantom', about: 'Empty disks under the template\'s own flags', of: 'etcd', nodes: ['home']}, {
  'members that are gone leave their disks, and a claim made anew is an empty one': async (cluster) => {
    const members = trio('phantom');
    const before = await bootstrap(cluster, members);
    await put(cluster, 'phantom-0', 'kept');
    for (const pod of members) await away(cluster, pod);
    for (const pod of members.slice(1)) {
      await claimAway(cluster, `data-${pod}`);
      await makeClaim(cluster, `data-${pod}`);
    }
    cluster.notes.set('before', JSON.stringify(before.slice(1).map(({clusterID, memberID}) => [clusterID, memberID])));
  },
  'one that is to join, and reaches nobody, ends, and says so': async (cluster) => {
    await start(cluster, {name: 'phantom-2', members: trio('phantom'), state: 'existing', node: 'home', restart: 'Never'});
    const pod = await over(cluster, 'phantom-2');
    assert.match(pod.status?.containerStatuses?.[0]?.state?.terminated?.message ?? '', /cannot fetch cluster info from peer urls/);
    await away(cluster, 'phantom-2');
  },
  'two of three on empty disks make the same cluster once more: the same IDs, a leader, none of the keys': async (cluster) => {
    const members = trio('phantom');
    for (const pod of members.slice(1)) {
      await start(cluster, {name: pod, members, node: 'home'});
    }
    const after = await together(cluster, members.slice(1));
    assert.equal(JSON.stringify(after.map(({clusterID, memberID}) => [clusterID, memberID])), cluster.notes.get('before'));
    assert.equal(await read(cluster, 'phantom-1', 'kept'), undefined);
    await put(cluster, 'phantom-2', 'new');
  },
});

export const partition = story({name: 'partition', about: 'etcd on both sides of a cut', of: 'etcd', nodes: ['home', 'other']}, {
  'the side with a quorum goes on; the other has no leader, and its pod is as it was': async (cluster) => {
    await bootstrap(cluster, trio('partition'), (name) => (name === 'partition-2' ? {node: 'other'} : {}));
    const pod = await podOf(cluster, 'partition-2');
    await cluster.cutOff('other');
    await put(cluster, 'partition-0', 'meanwhile');
    await together(cluster, ['partition-0', 'partition-1']);
    await lonely(cluster, 'partition-2');
    assert.deepEqual((await podOf(cluster, 'partition-2')).metadata, pod.metadata);
  },
  'when the cut is over it follows, in the same process': async (cluster) => {
    await cluster.reconnect('other');
    await together(cluster, trio('partition'));
    await cluster.until('what was written meanwhile', async () => await read(cluster, 'partition-2', 'meanwhile', true));
    assert.equal((await podOf(cluster, 'partition-2')).status?.containerStatuses?.[0]?.restartCount, 0);
  },
  'a pod that is deleted while its node is cut off stays as it is until the node is heard again, and goes then': async (cluster) => {
    await cluster.cutOff('other');
    const {metadata} = await podOf(cluster, 'partition-2');
    await cluster.client.delete('Pod', cluster.namespace, 'partition-2', {uid: metadata?.uid ?? ''});
    await cluster.holds('a pod that nobody ends', 5, async () => {
      const pod = await podOf(cluster, 'partition-2');
      assert.ok(pod.metadata?.deletionTimestamp);
      assert.equal(pod.status?.phase, 'Running');
    });
    await cluster.reconnect('other');
    await cluster.until('the end of partition-2', async () => await isGone(cluster, 'partition-2'));
    await together(cluster, ['partition-0', 'partition-1']);
  },
  'an etcd runs on when the Node of its machine is deleted, until its pod is collected': async (cluster) => {
    await start(cluster, {name: 'partition-2', members: trio('partition'), node: 'other'});
    await together(cluster, trio('partition'));
    const etcd = await cluster.etcd('partition-2');
    await cluster.deleteNode('other');
    await cluster.holds('a voter without a Node', 15, async () => {
      await etcd.status();
      assert.equal((await podOf(cluster, 'partition-2')).metadata?.deletionTimestamp, undefined);
    });
    await cluster.until('the end of partition-2', async () => await isGone(cluster, 'partition-2'), 120);
    await cluster.until('the end of its etcd', async () => await etcd.status().then(() => undefined, () => true));
  },
});
