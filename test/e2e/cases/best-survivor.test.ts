import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {dataThere, lossSeenBy, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {directoryOf, labOf, loseNodesOf, signalPod, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete} from '../recovery.ts';
import {seedCount} from '../scenario.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const etcd = '/usr/local/bin/etcd';

/** How long peers keep a connection on which nothing comes, ms (etcd: rafthttp, ConnReadTimeout): what was sent before is lost after it. */
const connectionMs = 8_000;

/** Five members lose three. etcd-0 did not hear its peers for a while before, so that etcd-3 has the newer data of the two that are left. */
async function twoOfFive(scenario: Scenario): Promise<void> {
  await scenario.addNodes(7);
  await scenario.startEtcd({replicas: 5});
  await scenario.startWriter();
  const slow = await scenario.nodeOf('etcd-0');
  const peers = async (how: '-I' | '-D') => {
    await labOf(scenario).onNode(slow, ['--dport', '--sport'].map((port) => `iptables ${how} FORWARD -p tcp ${port} 2380 -j DROP`).join('\n'));
  };
  const behind = await scenario.etcdStatus('etcd-0');
  await peers('-I');
  const since = Date.now();
  await until('etcd-3 far ahead of etcd-0, and the connections between them closed', async () => {
    const {revision} = await scenario.etcdStatus('etcd-3');
    return revision > behind.revision + 100 && Date.now() - since > connectionMs ? true : new Missing(`revision ${revision}`);
  }, {seconds: 30});
  await loseNodesOf(scenario, ['etcd-1', 'etcd-2', 'etcd-4']);
  await untilNoLeader(scenario, 'etcd-3');
  await peers('-D');
  await untilNoLeader(scenario, 'etcd-0');
}

async function recovered(scenario: Scenario, ended: QuorumRecovery, survivor: string, loss: Loss): Promise<void> {
  assert.equal(ended.status?.run?.plan?.survivor, survivor);
  const report = await scenario.stopWriter();
  await setUnchanged(scenario);
  await whole(scenario, 5);
  await nothingLeft(scenario);
  await dataThere(scenario, required(report, loss));
}

describe('Three of five members are gone, and one of the two that are left is behind', () => {
  e2e('the cluster starts from the newer data, which is not that of the lower ordinal', async (scenario) => {
    await twoOfFive(scenario);
    const loss = await lossSeenBy(scenario, 'etcd-3');
    const {revision} = await scenario.etcdStatus('etcd-0');
    assert.ok(revision < loss.survivorRevision, `etcd-0 is at revision ${revision}, etcd-3 at ${loss.survivorRevision}`);
    await applyRecovery(scenario);
    const ended = await untilComplete(scenario, 'Recovered');
    // Both ran, and were snapshotted; etcdutl had read both disks before the survivor was settled.
    assert.deepEqual(ended.status?.run?.snapshots?.map(({pod, skipped}) => [pod, skipped]), [['etcd-0', undefined], ['etcd-3', undefined]]);
    for (const {pod, stage, etcdutl} of ended.status.run.offline ?? []) {
      assert.deepEqual([stage, etcdutl?.broken, etcdutl?.missing, (etcdutl?.keys ?? 0) >= seedCount], ['Held', undefined, undefined, true], `${pod}: ${JSON.stringify(etcdutl)}`);
    }
    await recovered(scenario, ended, 'etcd-3', loss);
  }, {minutes: 8});

  e2e('the newer data has a broken database: it starts from the older, sound data, and says what that is behind', async (scenario) => {
    await twoOfFive(scenario);
    const loss = await lossSeenBy(scenario, 'etcd-0');
    const newest = (await scenario.etcdStatus('etcd-3')).raftIndex;
    const lab = labOf(scenario);
    // Both meta pages and what follows them.
    const file = `/var/local/${await directoryOf(scenario, 'data-etcd-3')}/member/snap/db`;
    await lab.onNode(await scenario.nodeOf('etcd-3'), `head -c 65536 /dev/urandom | dd of=${file} conv=notrunc,fsync status=none`);
    signalPod(await scenario.pod('etcd-3'), etcd, 'SIGKILL');
    await until('a crash-looping etcd-3', async () => ((await scenario.pod('etcd-3'))?.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 2 || undefined, {seconds: 60});
    await applyRecovery(scenario);
    const ended = await untilComplete(scenario, 'Recovered');
    const plan = ended.status?.run?.plan;
    assert.match(plan?.notes.join('\n') ?? '', /^etcd-3 is no survivor: its database cannot be read/m);
    assert.deepEqual(plan?.candidates, ['etcd-0']);
    const possible = conditionOf(ended.status, 'DataLossPossible');
    assert.deepEqual([possible?.status, possible?.reason], ['True', 'LongerLogElsewhere']);
    assert.match(possible?.message ?? '', /the log of etcd-3 ends at term \d+, index \d+/);
    assert.ok(Number(/index (\d+)/.exec(possible?.message ?? '')?.[1]) >= newest, possible?.message);
    assert.equal(conditionOf(ended.status, 'Succeeded')?.status, 'True');
    await recovered(scenario, ended, 'etcd-0', loss);
  }, {minutes: 8, extended: true});
});
