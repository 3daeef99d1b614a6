import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, lossSeenBy, nothingLeft, recovered, setUnchanged, untouched, whole} from '../checks.ts';
import {deleteNodes, endNodesOf, labOf, loseNodesOf, others, untilNotReady} from '../faults.ts';
import {conditionOf, recovery, standing} from '../recovery.ts';
import {Missing, holds, until} from '../wait.ts';
import {lineage, watched} from '../watched.ts';

const afterSeconds = 15;
const trigger = {gracePeriod: '10s', cooldown: '20s', autoReplace: {after: `${afterSeconds}s`}};

describe('A standing QuorumRecovery with trigger.autoReplace', () => {
  e2e('replaces the member whose node is deleted by itself, after its time, while clients write', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await watched(scenario, trigger);
    await scenario.startWriter();
    const {memberID} = await scenario.etcdStatus('etcd-2');
    const nodes = await endNodesOf(scenario, ['etcd-2']);
    await untilNotReady(scenario, nodes);
    // For longer than the time: that the node is NotReady proves nothing.
    await holds('nobody is replaced while the node is only NotReady', afterSeconds + 5, async () => {
      const {status} = await recovery(scenario);
      return status?.run === undefined ? undefined : standing(status);
    });
    assert.match(conditionOf((await recovery(scenario)).status, 'Ready')?.message ?? '', /No member is replaced by itself: .*etcd-2 .*NotReady/);
    await deleteNodes(scenario, nodes);
    const deleted = Date.now();
    const done = await until('a replacement that began by itself', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.outcome === 'Recovered' ? {...status, run: status.run} : new Missing(standing(status));
    }, {seconds: 240});
    const waited = (Date.parse(done.run.startedAt) - deleted) / 1000;
    console.log(`      began ${waited.toFixed(1)} s after the Node was deleted (after: ${afterSeconds}s), took ${done.history?.[0]?.durationSeconds ?? 0} s`);
    assert.ok(waited >= afterSeconds - 1, `it began ${waited} s after the proof`);
    assert.equal(done.run.trigger, 'AutoReplace');
    assert.equal(done.run.plan?.strategy, 'ReplaceMembers');
    assert.deepEqual(done.run.plan.lost.map(({pod, memberID: id, fenced}) => [pod, id, fenced]), [['etcd-2', memberID, 'NodeDeleted']]);
    const {acks} = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, acks);
  }, {minutes: 8});

  e2e('leaves a member alone whose node is NotReady, says why, and has nothing to say once it is back', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {...trigger, autoReplace: {after: '5s'}});
    const before = await lineage(scenario);
    await scenario.startWriter();
    const [node = ''] = await endNodesOf(scenario, ['etcd-1']);
    await untilNotReady(scenario, [node]);
    const pods = await fingerprint(scenario);
    await until('the reason why nobody is replaced', async () => {
      const {status} = await recovery(scenario);
      return /No member is replaced by itself: .*etcd-1 .*which is NotReady.*delete its Node object/.test(conditionOf(status, 'Ready')?.message ?? '') ? true : new Missing(standing(status));
    }, {seconds: 60});
    await holds('nothing is touched', 15, async () => {
      await untouched(scenario, pods);
      const {status} = await recovery(scenario);
      return status?.run === undefined ? undefined : standing(status);
    });
    await labOf(scenario).startNode(node);
    await scenario.healthy(3, 150);
    await until('a cluster that is watched, and nothing more', async () => {
      const {status} = await recovery(scenario);
      return status?.autoReplace === undefined && status?.quorum?.summary === '3/3' ? true : new Missing(standing(status));
    }, {seconds: 60});
    assert.deepEqual((await lineage(scenario)).memberIDs, before.memberIDs);
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  }, {minutes: 8});

  e2e('leaves the cluster to OnQuorumLoss where the quorum is lost before its time is over', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await watched(scenario, {...trigger, gracePeriod: '5s', autoReplace: {after: '1m'}});
    await scenario.startWriter();
    await loseNodesOf(scenario, ['etcd-2']);
    await until('etcd-2 proven gone', async () => {
      const {status} = await recovery(scenario);
      return status?.autoReplace?.members[0]?.pod === 'etcd-2' ? true : new Missing(standing(status));
    }, {seconds: 90});
    await loseNodesOf(scenario, ['etcd-1']);
    const loss = await lossSeenBy(scenario, 'etcd-0');
    const done = await until('a recovery that began by itself', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.outcome === 'Recovered' ? {...status, run: status.run} : new Missing(standing(status));
    }, {seconds: 300});
    assert.equal(done.run.trigger, 'OnQuorumLoss');
    assert.equal(done.run.plan?.strategy, 'ForceNewCluster');
    assert.deepEqual(done.run.plan.lost.map(({pod}) => pod), others('etcd-0'));
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, extended: true});
});
