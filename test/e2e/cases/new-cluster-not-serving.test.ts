import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {endNodesOf, labOf, loseNodesOf, podNames} from '../faults.ts';
import {closeGates, gateContainer, openGates, untilAtGate} from '../power-failure.ts';
import {changeRecovery, conditionOf, recovery, standing, untilComplete, untilReady} from '../recovery.ts';
import type {SpecInput} from '../recovery.ts';
import {approve, claim, loseEverything, moreWrites, request, restored, statesLoss, written} from '../restoring.ts';
import type {Scenario} from '../scenario.ts';
import {isPlanned, withStore} from '../snapshots.ts';
import type {SnapshotStore} from '../snapshots.ts';
import {Missing, until} from '../wait.ts';

interface Begun {
  /** When every old member was gone, ms since the epoch. */
  at: number;
  /** That of the snapshot. */
  revision: number;
  /** The last one that a client was told of before. */
  highest: number;
}

/** A restore whose data is in place on every new claim. The pods of these members have nodes, and their etcd does not start yet. */
async function heldBack(scenario: Scenario, store: SnapshotStore, pods: readonly string[], {fresh = 3, spec = {}}: {fresh?: number; spec?: SpecInput} = {}): Promise<Begun> {
  await written(scenario, {snapshot: {claim}, ...spec}, {initContainers: [gateContainer]});
  const revision = await store.take('good.db', 'etcd-1');
  await moreWrites(scenario, 30);
  const at = await loseEverything(scenario, fresh);
  const highest = Math.max(...(await scenario.writerReport()).acks.map((ack) => ack.revision));
  await changeRecovery(scenario, {trigger: {request}});
  await approve(scenario);
  await closeGates(scenario, pods);
  await untilAtGate(scenario, pods);
  const {run} = (await recovery(scenario)).status ?? {};
  assert.deepEqual([run?.steps.find(({state}) => state === 'Running')?.name, [...run?.newCluster?.seeded ?? []].sort()], ['StartAll', podNames()]);
  assert.equal(run?.newCluster?.servedAt, undefined, 'it served without a member that is held back');
  return {at, revision, highest};
}

const stepsOf = ({status}: QuorumRecovery, ...names: string[]) => status?.run?.steps.filter(({name}) => names.includes(name)).map(({name, state}) => `${name} ${state}`);

describe('The data of a restored cluster is in place, and it does not serve yet', () => {
  e2e('a member is lost for good with its node: the others take it out of their list, it joins anew on another node, and nothing but what the snapshot did not have is lost', async (scenario) => { await withStore(scenario, async (store) => {
    const lost = 'etcd-0';
    const {at, revision, highest} = await heldBack(scenario, store, [lost], {fresh: 4});
    await loseNodesOf(scenario, [lost]);
    const ended = await untilComplete(scenario, 'Recovered', {request, mayBlock: true});
    const {status} = ended;
    const {newCluster, attempt, plan} = status?.run ?? {};
    isPlanned(plan?.snapshot, 'good.db', revision);
    assert.equal(attempt, 2, 'it took more than one run');
    const [gone] = newCluster?.lost ?? [];
    assert.deepEqual([newCluster?.lost?.length, gone?.pod, gone?.removed, newCluster?.members], [1, lost, true, podNames().filter((pod) => pod !== lost)]);
    assert.match(gone?.why ?? '', /its volume was on node .*, which is gone/);
    assert.deepEqual(stepsOf(ended, 'StartAll', `Join ${lost}`), ['StartAll Done', `Join ${lost} Done`]);
    const now = (await scenario.etcdStatus(lost)).memberID;
    assert.notEqual(now, gone?.memberID, 'it runs under the ID of the member that was lost');
    statesLoss(status, revision, highest);
    await restored(scenario, {at, survivorRevision: revision});
  }); }, {minutes: 10, weight: 2, extended: true});

  e2e('the nodes of two do not answer for longer than spec.verification.timeout: NewClusterNotServing names these pods, nothing is let go or given up, and the run goes on by itself once they are back', async (scenario) => { await withStore(scenario, async (store) => {
    const away = ['etcd-1', 'etcd-2'];
    const {at, revision, highest} = await heldBack(scenario, store, away, {spec: {verification: {timeout: '20s'}}});
    const nodes = await endNodesOf(scenario, away);
    await untilReady(scenario, 'NewClusterNotServing', 180);
    const blocked = await until('the nodes in the condition', async () => {
      const {status} = await recovery(scenario);
      const message = conditionOf(status, 'Ready')?.message ?? '';
      return nodes.every((node) => message.includes(`(node ${node} is not Ready)`)) ? status : new Missing(standing(status));
    }, {seconds: 90});
    const ready = conditionOf(blocked, 'Ready');
    assert.deepEqual([blocked.phase, ready?.status, ready?.reason], ['Blocked', 'False', 'NewClusterNotServing']);
    assert.match(ready?.message ?? '', /^after 20s: etcd-1 \(node \S+ is not Ready\), etcd-2 \(node \S+ is not Ready\) of the new cluster is coming up\..* look at these pods\. The run goes on by itself once they run\..*\{pod: etcd-1, memberID: [0-9a-f]+\}, \{pod: etcd-2, memberID: [0-9a-f]+\}/);
    const {newCluster, writableAt} = blocked.run ?? {};
    assert.deepEqual([newCluster?.lost, newCluster?.servedAt, writableAt, newCluster?.members], [undefined, undefined, undefined, podNames()]);
    assert.deepEqual([...blocked.heldPods ?? []].sort(), podNames(), 'a name was let go before the new cluster serves');
    await openGates(scenario, away);
    await Promise.all(nodes.map(async (node) => { await labOf(scenario).startNode(node); }));
    const ended = await untilComplete(scenario, 'Recovered', {request, mayBlock: true});
    const {run} = ended.status ?? {};
    isPlanned(run?.plan?.snapshot, 'good.db', revision);
    assert.deepEqual([run?.attempt, run?.newCluster?.members, run?.newCluster?.lost], [2, podNames(), undefined]);
    assert.deepEqual(run?.steps.filter(({name}) => name.startsWith('Join ')), [], 'a member joined anew');
    statesLoss(ended.status, revision, highest);
    await restored(scenario, {at, survivorRevision: revision});
  }); }, {minutes: 10, weight: 2, extended: true});
});
