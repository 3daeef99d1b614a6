import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {dataThere, lossSeenBy, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {damageLog, walOf} from '../damage.ts';
import {directoryOf, labOf, loseNodesOf, signalPod, untilNoLeader} from '../faults.ts';
import {applyRecovery, askedPlan, changeRecovery, conditionOf, untilComplete} from '../recovery.ts';
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

const survivorOf = ({status}: QuorumRecovery) => status?.run?.plan?.survivor;

async function recovered(scenario: Scenario, loss: Loss): Promise<void> {
  const report = await scenario.stopWriter();
  await setUnchanged(scenario);
  await whole(scenario, 5);
  await nothingLeft(scenario);
  await dataThere(scenario, required(report, loss));
}

/** What is on its disk cannot be started any more. */
async function crashLooping(scenario: Scenario, pod: string): Promise<void> {
  signalPod(await scenario.pod(pod), etcd, 'SIGKILL');
  await until(`a crash-looping ${pod}`, async () => ((await scenario.pod(pod))?.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 2 || undefined, {seconds: 60});
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
    assert.equal(survivorOf(ended), 'etcd-3');
    await recovered(scenario, loss);
  }, {minutes: 8});

  e2e('the newer data has a broken database: it starts from the older, sound data, and says what that is behind', async (scenario) => {
    await twoOfFive(scenario);
    const loss = await lossSeenBy(scenario, 'etcd-0');
    const newest = (await scenario.etcdStatus('etcd-3')).raftIndex;
    const lab = labOf(scenario);
    // Both meta pages and what follows them.
    const file = `/var/local/${await directoryOf(scenario, 'data-etcd-3')}/member/snap/db`;
    await lab.onNode(await scenario.nodeOf('etcd-3'), `head -c 65536 /dev/urandom | dd of=${file} conv=notrunc,fsync status=none`);
    await crashLooping(scenario, 'etcd-3');
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
    assert.equal(survivorOf(ended), 'etcd-0');
    await recovered(scenario, loss);
  }, {minutes: 8, extended: true});

  e2e('the newer data has a damaged log, and a sound database that goes further than the older log: it starts from that database after approval, and loses nothing of it', async (scenario) => {
    await twoOfFive(scenario);
    const loss = await lossSeenBy(scenario, 'etcd-3');
    const behind = await scenario.etcdStatus('etcd-0');
    assert.ok(behind.revision < loss.survivorRevision, `etcd-0 is at revision ${behind.revision}, etcd-3 at ${loss.survivorRevision}`);
    damageLog(await walOf(scenario, 'etcd-3'));
    await crashLooping(scenario, 'etcd-3');
    await applyRecovery(scenario);
    const plan = await askedPlan(scenario);
    const {snapshot, why} = plan;
    assert.deepEqual([plan.strategy, plan.survivor, plan.candidates, snapshot?.pod, snapshot?.logIndex], ['RestoreSnapshot', 'etcd-3', ['etcd-3', 'etcd-0'], 'etcd-3', undefined]);
    assert.equal(snapshot?.revision, loss.survivorRevision, 'its database does not have all that it had applied');
    const [, log, database] = /the log of etcd-0 ends at entry (\d+), and the database of etcd-3 has the log up to entry (\d+), which cannot be forced: its data cannot be read/.exec(why) ?? [];
    assert.ok(Number(log) >= behind.raftIndex && Number(database) > Number(log) && Number(database) === snapshot.index, why);
    assert.match(plan.expectedLoss, /the database of etcd-3 has the log up to entry \d+ \(revision \d+\); its log cannot be read to its end/);
    assert.match(plan.notes.join('\n'), /^once they are stopped the databases of etcd-3, etcd-0 are read again/m);
    await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240});
    assert.deepEqual([status?.run?.force, status?.run?.newCluster?.members], [undefined, ['etcd-3']], 'something was forced, or another began');
    assert.deepEqual(status?.dataLoss?.database, {pod: 'etcd-3', index: snapshot.index});
    const possible = conditionOf(status, 'DataLossPossible');
    assert.deepEqual([possible?.status, possible?.reason], ['True', 'RestoredFromSurvivor']);
    await recovered(scenario, loss);
  }, {minutes: 9, extended: true});
});
