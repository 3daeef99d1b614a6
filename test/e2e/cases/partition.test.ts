import assert from 'node:assert/strict';
import {run} from '../../lab/shell.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, untouched, whole} from '../checks.ts';
import {etcdSet, setName} from '../etcd.ts';
import type {EtcdOptions} from '../etcd.ts';
import {deleteNodes, labOf, podNames, untilNoLeader, untilNotReady} from '../faults.ts';
import {applyRecovery, conditionOf, recovery, standing, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';
import {lineage, noForce, nothingForced, watched} from '../watched.ts';

/** These nodes reach one another and nobody else; the operators, the API server and every other node are on the other side. */
async function cutOff(scenario: Scenario, nodes: readonly string[]): Promise<void> {
  const lab = labOf(scenario);
  await lab.partition(nodes, ['api', ...lab.nodes().map((node) => node.name).filter((name) => !nodes.includes(name))], scenario.namespace);
}

/** Blocked for want of a proof, and nothing touched for as long as we look. */
async function staysBlocked(scenario: Scenario, words: RegExp): Promise<void> {
  const {status} = await untilReady(scenario, 'FencingUnproven');
  assert.equal(status?.phase, 'Blocked');
  assert.match(conditionOf(status, 'Ready')?.message ?? '', words);
  assert.deepEqual(status.heldPods ?? [], []);
  const before = await fingerprint(scenario);
  await holds('blocked with nothing touched', 8, async () => {
    await untouched(scenario, before);
    return undefined;
  });
}

/** etcd started on the other side, with a list of that many members; a member more is added there through `via`. */
async function grow(scenario: Scenario, options: EtcdOptions, replicas: number, via: string): Promise<void> {
  const lab = labOf(scenario);
  const {address} = await scenario.member(via);
  const pod = `${setName}-${replicas - 1}`;
  const [program = '', ...args] = lab.command([`${lab.bin}/etcdctl`, `--endpoints=http://${address}:2379`, 'member', 'add', pod, `--peer-urls=http://${pod}.${setName}.${scenario.namespace}.svc:2380`]);
  await until(`a list of ${replicas} members`, async () => {
    const {members} = await scenario.tool.members(await scenario.member(via));
    if (!members.some((member) => member.peerURLs.some((url) => url.includes(`${pod}.`)))) await run(program, args);
    return true;
  }, {seconds: 30, every: 1_000});
  const {replicas: count, template} = etcdSet(scenario.namespace, {...scenario.nodeSelector, ...options, replicas, clusterState: 'existing'}).spec ?? {};
  await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {replicas: count, template}});
  await until(`${pod} in the cluster`, async () => {
    const status = await scenario.etcdStatus(pod);
    return status.leader === '' ? new Missing('it has no leader') : true;
  }, {seconds: 60});
}

describe('A partition behind which a majority lives', () => {
  e2e('is never forced, also when a person force-deletes its pods: it serves on, and nothing is lost', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const nodes = [await scenario.nodeOf('etcd-1'), await scenario.nodeOf('etcd-2')];
    const members = await scenario.members();
    const majority = members.filter((member) => member.pod !== 'etcd-0');
    try {
      await cutOff(scenario, nodes);
      await untilNoLeader(scenario, 'etcd-0');
      await untilNotReady(scenario, nodes);
      await applyRecovery(scenario);
      await staysBlocked(scenario, /etcd-1.*etcd-2|etcd-2.*etcd-1/);
      for (const pod of ['etcd-1', 'etcd-2']) await scenario.kube.delete('pods', scenario.namespace, pod, 0);
      await until('pods of the controller in their place', async () => ((await scenario.pods()).length === 3 ? true : undefined), {seconds: 30});
      await staysBlocked(scenario, /etcd-1.*etcd-2|etcd-2.*etcd-1/);
      // From the lab's own namespace both sides are reached: forcing now would have been a second cluster beside this one.
      const [first] = majority;
      assert.ok(first);
      await scenario.tool.put(first, 'behind/the/partition', 'written');
    } finally {
      await lab.heal(scenario.namespace);
    }
    await untilComplete(scenario, 'NotNeeded', {seconds: 240, mayBlock: true});
    await whole(scenario);
    await nothingLeft(scenario);
    const {value} = await scenario.tool.get(await scenario.member('etcd-0'), 'behind/the/partition');
    assert.equal(value, 'written');
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  }, {minutes: 9});

  e2e('is never forced when the cluster was scaled from three to five behind it: the larger membership counts', async (scenario) => {
    const lab = labOf(scenario);
    const options: EtcdOptions = {updateStrategy: 'OnDelete'};
    await scenario.addNodes(5);
    await scenario.startEtcd(options, 1_000);
    const survivor = await scenario.nodeOf('etcd-0');
    const others = scenario.nodes.filter((node) => node !== survivor);
    try {
      // What was cut off is the survivor: it never hears of the two that come.
      await lab.partition([survivor], others, scenario.namespace);
      await until('another leader than etcd-0', async () => ((await scenario.etcdStatus('etcd-1')).leader === (await scenario.etcdStatus('etcd-0')).memberID ? undefined : true));
      await grow(scenario, options, 4, 'etcd-1');
      await grow(scenario, options, 5, 'etcd-1');
      const lost = await scenario.nodeOf('etcd-1');
      const alive = await Promise.all(['etcd-2', 'etcd-3', 'etcd-4'].map(async (pod) => await scenario.nodeOf(pod)));
      const behind = (await scenario.members()).filter((member) => ['etcd-2', 'etcd-3', 'etcd-4'].includes(member.pod));
      await cutOff(scenario, alive);
      await lab.endNode(lost);
      await deleteNodes(scenario, [lost]);
      await untilNotReady(scenario, alive);
      assert.equal((await scenario.tool.members(await scenario.member('etcd-0'), {linearizable: false})).members.length, 3, 'the survivor knows of the others');
      await applyRecovery(scenario);
      // Of its own three members one is proven gone and it is stopped itself: by that list alone it could be forced.
      await staysBlocked(scenario, /3 of 5 voters/);
      const [first] = behind;
      assert.ok(first);
      await scenario.tool.put(first, 'behind/the/partition', 'written');
    } finally {
      await lab.heal(scenario.namespace);
    }
    await untilComplete(scenario, 'NotNeeded', {seconds: 240, mayBlock: true});
    const value = await until('an answer of etcd-0', async () => (await scenario.tool.get(await scenario.member('etcd-0'), 'behind/the/partition')).value);
    assert.equal(value, 'written');
  }, {minutes: 9, extended: true});
});

describe('A partition that leaves no side a quorum', () => {
  e2e('loses the quorum and no data: nothing is forced or touched, the cause is named, and it serves again by itself once the network is back', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(3);
    // Kubernetes is to agree that the quorum is lost: only then does a run begin by itself, and is blocked.
    await scenario.startEtcd({readinessProbe: {httpGet: {path: '/readyz', port: 8080}, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 1}});
    await watched(scenario, {gracePeriod: '5s', cooldown: '1s'});
    const before = await lineage(scenario);
    await scenario.startWriter();
    const [a = '', b = '', c = ''] = await Promise.all(podNames().map(async (pod) => await scenario.nodeOf(pod)));
    const owners = [`${scenario.namespace}-a`, `${scenario.namespace}-b`];
    const pods = await fingerprint(scenario);
    try {
      await lab.partition([a], [b, c], owners[0]);
      await lab.partition([b], [c], owners[1]);
      const {status} = await until('a run that is blocked', async () => {
        const found = await recovery(scenario);
        return conditionOf(found.status, 'Ready')?.reason === 'QuorumOfDataIntact' ? found : new Missing(standing(found.status));
      }, {seconds: 120});
      console.log(`      ${conditionOf(status, 'Ready')?.message ?? ''}`);
      assert.match(conditionOf(status, 'Ready')?.message ?? '', /^3 of 3 voters still have their data: .*nothing is forced/);
      assert.equal(conditionOf(status, 'QuorumLost')?.status, 'True');
      await holds('nothing is touched', 15, async () => {
        await untouched(scenario, pods);
        return await noForce(scenario);
      });
    } finally {
      for (const owner of owners) await lab.heal(owner);
    }
    await nothingForced(scenario, before, 'a partition without a quorum on any side');
    await untouched(scenario, pods);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  }, {minutes: 8});
});
