import assert from 'node:assert/strict';
import {isEtcdError} from '../../src/etcd/errors.ts';
import {away, claimAway, fails, over, podOf, running, story} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {bootstrap, leading, lonely, put, read, start, statusOf, together} from './etcd-story.ts';
import {makeClaim, peerURLs} from './objects.ts';

const trio = ['force-0', 'force-1', 'force-2'];
const helper = 'force-helper';

/** Who led when the quorum was lost, and the two that were lost. */
function parts({notes}: Cluster): {survivor: string; joiner: string; old: string} {
  const survivor = notes.get('survivor') ?? '';
  const [joiner = '', old = ''] = trio.filter((pod) => pod !== survivor);
  return {survivor, joiner, old};
}

const membersOf = async (cluster: Cluster, pod: string, linearizable = true) => (await (await cluster.etcd(pod)).memberList({linearizable})).members;

async function memberID(cluster: Cluster, name: string): Promise<string> {
  return (await membersOf(cluster, parts(cluster).survivor)).find((member) => member.name === name)?.id ?? '';
}

/** Asks until it is taken, and tells how often etcd refused because a voter was away or had come back just now. */
async function untilAdded(cluster: Cluster, pod: string, url: string): Promise<number> {
  let refusals = 0;
  await cluster.until(`a learner added through ${pod}`, async () => {
    try {
      return await (await cluster.etcd(pod)).addLearner([url]);
    } catch (error) {
      if (isEtcdError(error, 'Unhealthy')) refusals += 1;
      throw error;
    }
  }, 120);
  return refusals;
}

async function untilPromoted(cluster: Cluster, pod: string, id: string): Promise<void> {
  await cluster.until('a promotion', async () => {
    await (await cluster.etcd(pod)).promote(id);
    return true;
  });
}

/** Its answers to what a learner does not serve. */
async function refusedAsLearner(cluster: Cluster, pod: string): Promise<void> {
  const etcd = await cluster.etcd(pod);
  const calls = [
    () => etcd.get('kept'), () => etcd.memberList(), () => etcd.memberList({linearizable: true}), () => etcd.put('kept', 'y'), () => etcd.deleteKey('kept'),
    () => etcd.hashKV(0), () => etcd.alarms(), () => etcd.addLearner(peerURLs(cluster, 'force-9')), () => etcd.promote('1'), () => etcd.removeMember('1'),
    () => etcd.compact(1), () => etcd.defragment(), () => etcd.disarm({memberID: '1', alarm: 'NOSPACE'}),
  ];
  for (const call of calls) await fails(call(), 'LearnerRefused');
}

export const force = story({name: 'force', about: 'A forced start, and members that join it', of: 'etcd', nodes: ['home']}, {
  'what a leader could not send to a quorum is not acknowledged, and not to be read': async (cluster) => {
    await bootstrap(cluster, trio, () => ({restart: 'Never'}));
    await put(cluster, 'force-0', 'kept');
    const [survivor, others] = await leading(cluster, trio);
    cluster.notes.set('survivor', survivor);
    const before = await statusOf(cluster, survivor);
    for (const key of ['clusterID', 'memberID'] as const) cluster.notes.set(key, before[key]);
    const etcd = await cluster.etcd(survivor);
    for (const pod of others) await cluster.kill(pod);
    await fails(etcd.put('tail', 'x'), 'Timeout', 'NoLeader');
    await lonely(cluster, survivor);
    const after = await statusOf(cluster, survivor);
    assert.deepEqual([after.raftIndex, after.revision], [before.raftIndex, before.revision]);
    assert.deepEqual([await read(cluster, survivor, 'kept', true), await read(cluster, survivor, 'tail', true)], ['x', undefined]);
    for (const pod of others) {
      await over(cluster, pod);
      await away(cluster, pod);
    }
  },
  'started by force it is the only member, with the same IDs and all that was committed, and leads': async (cluster) => {
    const {survivor} = parts(cluster);
    await away(cluster, survivor);
    await start(cluster, {name: helper, worksFor: survivor, members: trio, force: true, restart: 'Never'});
    const status = await cluster.until('a leader', async () => {
      const now = await statusOf(cluster, helper);
      return now.leader === now.memberID ? now : undefined;
    });
    assert.deepEqual([status.clusterID, status.memberID], [cluster.notes.get('clusterID'), cluster.notes.get('memberID')]);
    const members = await membersOf(cluster, helper);
    assert.deepEqual(members.map(({id, name, peerURLs: urls, isLearner}) => [id, name, urls, isLearner]), [[status.memberID, survivor, peerURLs(cluster, survivor), false]]);
    assert.deepEqual([await read(cluster, helper, 'kept'), await read(cluster, helper, 'tail')], ['x', undefined]);
    await put(cluster, helper, 'forced');
  },
  'no old member finds it outside of the Service': async (cluster) => {
    const {old} = parts(cluster);
    await start(cluster, {name: old, members: trio, node: 'home', restart: 'Never'});
    await running(cluster, old);
    await cluster.holds('an etcd alone', 5, async () => { await fails(statusOf(cluster, old), 'Timeout', 'Unreachable'); });
    assert.equal((await podOf(cluster, old)).status?.phase, 'Running');
    assert.equal((await membersOf(cluster, helper)).length, 1);
  },
  'the template\'s own flags go on with the forced data, alone': async (cluster) => {
    const {survivor} = parts(cluster);
    await away(cluster, helper);
    await start(cluster, {name: survivor, members: trio, node: 'home'});
    await together(cluster, [survivor]);
    assert.equal((await membersOf(cluster, survivor)).length, 1);
    assert.equal(await read(cluster, survivor, 'forced'), 'x');
  },
  'an old member on its old disk serves nobody beside it, and is told that it was removed': async (cluster) => {
    const {survivor, old} = parts(cluster);
    const pod = await over(cluster, old);
    assert.notEqual(pod.status?.phase, 'Running');
    await away(cluster, old);
    await claimAway(cluster, `data-${old}`);
    await together(cluster, [survivor]);
  },
  'a learner is added under a new ID and without a name; its URL is taken then (first), and it is the only one (second)': async (cluster) => {
    const {survivor, joiner, old} = parts(cluster);
    const etcd = await cluster.etcd(survivor);
    const added = await etcd.addLearner(peerURLs(cluster, joiner));
    assert.deepEqual([added.name, added.isLearner, added.peerURLs], ['', true, peerURLs(cluster, joiner)]);
    cluster.notes.set('learner', added.id);
    assert.deepEqual((await membersOf(cluster, survivor)).filter(({id}) => id === added.id), [added]);
    await fails(etcd.addLearner(peerURLs(cluster, joiner)), 'MemberExists');
    await fails(etcd.addLearner(peerURLs(cluster, survivor)), 'MemberExists');
    await fails(etcd.addLearner(peerURLs(cluster, old)), 'TooManyLearners');
  },
  'a learner that does not run is not promoted; nor is a member that there is not': async (cluster) => {
    const etcd = await cluster.etcd(parts(cluster).survivor);
    await fails(etcd.promote(cluster.notes.get('learner') ?? ''), 'NotReady');
    await fails(etcd.promote('123'), 'NotFound');
    await fails(etcd.removeMember('123'), 'NotFound');
  },
  'who joins with another list than the members have ends, and says that the member count is unequal': async (cluster) => {
    const {joiner} = parts(cluster);
    await claimAway(cluster, `data-${joiner}`);
    await makeClaim(cluster, `data-${joiner}`);
    await start(cluster, {name: joiner, members: trio, state: 'existing', node: 'home', restart: 'Never'});
    const pod = await over(cluster, joiner);
    const end = pod.status?.containerStatuses?.[0]?.state?.terminated;
    assert.equal(pod.status?.phase, 'Failed');
    assert.match(end?.message ?? '', /member count is unequal/);
    await away(cluster, joiner);
  },
  'who joins with that list becomes that learner, publishes its name, and serves its own state alone': async (cluster) => {
    const {survivor, joiner} = parts(cluster);
    await start(cluster, {name: joiner, members: [survivor, joiner], state: 'existing', node: 'home', restart: 'Never'});
    await cluster.until('its name', async () => await memberID(cluster, joiner) || undefined);
    const status = await cluster.until('the data', async () => (await read(cluster, joiner, 'forced', true) === undefined ? undefined : await statusOf(cluster, joiner)));
    assert.deepEqual([status.clusterID, status.memberID, status.isLearner], [cluster.notes.get('clusterID'), cluster.notes.get('learner'), true]);
    await refusedAsLearner(cluster, joiner);
  },
  'in sync it is promoted, once more without an effect, and serves like the other one': async (cluster) => {
    const {survivor, joiner} = parts(cluster);
    await untilPromoted(cluster, survivor, cluster.notes.get('learner') ?? '');
    await (await cluster.etcd(survivor)).promote(cluster.notes.get('learner') ?? '');
    assert.deepEqual((await membersOf(cluster, survivor)).map(({isLearner}) => isLearner), [false, false]);
    await cluster.until('a linearizable read', async () => await read(cluster, joiner, 'forced'));
    await put(cluster, joiner, 'joined');
  },
  'while a voter is away, and just after it came back, no learner is added': async (cluster) => {
    const {survivor, joiner, old} = parts(cluster);
    await untilAdded(cluster, survivor, peerURLs(cluster, old)[0] ?? '');
    await (await cluster.etcd(survivor)).removeMember((await membersOf(cluster, survivor)).find(({isLearner}) => isLearner)?.id ?? '');
    await cluster.kill(joiner);
    await over(cluster, joiner);
    await fails((await cluster.etcd(survivor)).addLearner(peerURLs(cluster, old)), 'Unhealthy');
    await away(cluster, joiner);
    await start(cluster, {name: joiner, members: [survivor, joiner], state: 'existing', node: 'home', restart: 'Never'});
    await cluster.until('the same voter again', async () => (await statusOf(cluster, joiner)).leader || undefined, 120);
    assert.ok(await untilAdded(cluster, survivor, peerURLs(cluster, old)[0] ?? '') > 0, 'it was added at once');
  },
  'one that has itself just started adds none either': async (cluster) => {
    const {survivor, old} = parts(cluster);
    await (await cluster.etcd(survivor)).removeMember((await membersOf(cluster, survivor)).find(({isLearner}) => isLearner)?.id ?? '');
    await cluster.kill(survivor);
    await cluster.until('it serves again', async () => ((await podOf(cluster, survivor)).status?.containerStatuses?.[0]?.restartCount === 1 ? (await statusOf(cluster, survivor)).leader || undefined : undefined), 120);
    assert.ok(await untilAdded(cluster, survivor, peerURLs(cluster, old)[0] ?? '') > 0, 'it added at once');
    assert.equal(await read(cluster, survivor, 'joined'), 'x', 'what was acknowledged before');
    await (await cluster.etcd(survivor)).removeMember((await membersOf(cluster, survivor)).find(({isLearner}) => isLearner)?.id ?? '');
  },
  'a member that is removed ends, and ends again when it is started on its disk': async (cluster) => {
    const {survivor, joiner} = parts(cluster);
    await together(cluster, [survivor, joiner]);
    await cluster.until('the removal', async () => {
      await (await cluster.etcd(survivor)).removeMember(await memberID(cluster, joiner));
      return true;
    });
    await over(cluster, joiner);
    await away(cluster, joiner);
    await start(cluster, {name: joiner, members: [survivor, joiner], state: 'existing', node: 'home', restart: 'Never'});
    await over(cluster, joiner);
    await cluster.until('the survivor alone', async () => (await together(cluster, [survivor]), (await membersOf(cluster, survivor)).length === 1 ? true : undefined));
    await put(cluster, survivor, 'alone');
  },
});
