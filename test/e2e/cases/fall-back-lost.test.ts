import assert from 'node:assert/strict';
import type {Plan} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, lossSeenBy, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {notForced} from '../falling-back.ts';
import {loseNodesOf, untilNoLeader, untilRunsAgain} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {closeGates, gateContainer, openGates, untilAtGate} from '../power-failure.ts';
import {applyRecovery, askedPlan, changeRecovery, conditionOf, recovery, standing, toldOf, untilComplete} from '../recovery.ts';
import {claim, known, moreWrites, request, restored} from '../restoring.ts';
import type {Scenario} from '../scenario.ts';
import {isPlanned, withStore} from '../snapshots.ts';
import {Missing, until} from '../wait.ts';

interface Begun {
  id: string | undefined;
  /** Whose database the new cluster is. */
  owner: string;
  /** The revision that it begins at. */
  target: number;
}

/** The plan is carried out up to the new cluster of one member, whose etcd does not start yet. */
async function begun(scenario: Scenario, plan: Plan): Promise<Begun> {
  await closeGates(scenario, plan.candidates);
  await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
  const {run} = await until('the restored data in its place', async () => {
    const {status} = await recovery(scenario);
    return status?.run?.newCluster?.seeded.length === 1 ? status : new Missing(standing(status));
  }, {seconds: 180});
  const [owner = ''] = run?.newCluster?.seeded ?? [];
  await untilAtGate(scenario, [owner]);
  const {newCluster, writableAt} = (await recovery(scenario)).status?.run ?? {};
  assert.deepEqual([newCluster?.members, newCluster?.servedAt, writableAt], [[owner], undefined, undefined], 'it served before its etcd had started');
  return {id: run?.id, owner, target: newCluster?.move?.target ?? 0};
}

/** Its node goes for good, and with it the only volume that the run had changed: everything is let go, and that is told. */
async function letGo(scenario: Scenario, {id, owner}: Begun): Promise<void> {
  const [node] = await loseNodesOf(scenario, [owner]);
  const [past] = await until('the end of the run whose only volume is lost', async () => {
    const {status} = await recovery(scenario);
    return status?.run?.id === id ? new Missing(standing(status)) : status?.history;
  }, {seconds: 120});
  assert.deepEqual([past?.id, past?.outcome, past?.reason], [id, 'Released', 'PlanChanged']);
  assert.match(await toldOf(scenario, 'Released'), new RegExp(`the database of ${owner} was to be restored, and it is lost before the new cluster has served: its volume was on node ${node ?? ''}, which is gone\\. No other disk was changed: every held pod is let go, and a new plan is made from what is left, which asks for approval again`));
}

describe('A member\'s own database is restored in the place of a force, and its volume is lost for good before the new cluster has served', () => {
  e2e('no other data is left: everything is let go, and a snapshot from the store is planned, asked about, and restored, past the revision that the lost one would have begun at', async (scenario) => { await withStore(scenario, async (store) => {
    const survivor = 'etcd-0';
    await scenario.addNodes(3);
    await scenario.startEtcd({image: notForced, initContainers: [gateContainer]});
    await known(scenario, {snapshot: {claim}});
    const revision = await store.take('good.db', survivor);
    await moreWrites(scenario, 30);
    await loseQuorum(scenario, survivor);
    await scenario.addNodes(3);
    await changeRecovery(scenario, {trigger: {request}});
    const plan = await askedPlan(scenario);
    assert.deepEqual([plan.strategy, plan.candidates, plan.snapshot?.pod], ['RestoreSnapshot', [survivor], survivor]);
    const first = await begun(scenario, plan);
    await letGo(scenario, first);
    const at = Date.now();
    const second = await askedPlan(scenario);
    assert.notEqual(second.hash, plan.hash, 'the word for the first plan would do for the second');
    assert.deepEqual([second.strategy, second.candidates, second.snapshot?.pod], ['RestoreSnapshot', [], undefined]);
    isPlanned(second.snapshot, 'good.db', revision);
    await changeRecovery(scenario, {approvedPlan: second.hash});
    const {status} = await untilComplete(scenario, 'Recovered', {request, seconds: 240});
    const {newCluster} = status?.run ?? {};
    assert.ok((newCluster?.move?.target ?? 0) > first.target, `it begins at revision ${newCluster?.move?.target ?? 0}, and the lost one was to begin at ${first.target}`);
    assert.deepEqual([status?.dataLoss?.survivorRevision, conditionOf(status, 'DataLossPossible')?.status, conditionOf(status, 'DataLossPossible')?.reason], [revision, 'True', 'RestoredFromSnapshot']);
    assert.ok((status?.dataLoss?.lastKnownRevision ?? 0) < first.target, `what the lost one was to skip, up to revision ${first.target}, is told as lost`);
    await restored(scenario, {at, survivorRevision: revision});
  }); }, {minutes: 10, weight: 2, extended: true});

  e2e('of five members another one is left: its pod starts again on its own data, its database is planned and asked about, and restored with all that is in it', async (scenario) => {
    const left = ['etcd-0', 'etcd-3'];
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5, image: notForced, initContainers: [gateContainer]});
    await scenario.startWriter();
    await moreWrites(scenario, 100);
    await loseNodesOf(scenario, ['etcd-1', 'etcd-2', 'etcd-4']);
    const losses = new Map(await Promise.all(left.map(async (pod) => [pod, await lossSeenBy(scenario, pod)] as const)));
    await Promise.all(left.map(async (pod) => { await untilNoLeader(scenario, pod); }));
    await applyRecovery(scenario);
    const plan = await askedPlan(scenario);
    assert.deepEqual([plan.strategy, [...plan.candidates].sort()], ['RestoreSnapshot', left]);
    const first = await begun(scenario, plan);
    const other = left.find((pod) => pod !== first.owner) ?? '';
    await openGates(scenario, [other]);
    await letGo(scenario, first);
    await untilRunsAgain(scenario, other);
    const second = await askedPlan(scenario);
    assert.notEqual(second.hash, plan.hash, 'the word for the first plan would do for the second');
    assert.deepEqual([second.strategy, second.candidates, second.snapshot?.pod], ['RestoreSnapshot', [other], other]);
    const {revision = 0} = second.snapshot ?? {};
    const loss = losses.get(other);
    assert.ok(loss && revision >= loss.survivorRevision, `the database of ${other} is at revision ${revision}, and it had applied ${loss?.survivorRevision ?? 0}`);
    await changeRecovery(scenario, {approvedPlan: second.hash});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240});
    const {survivorRevision = 0} = status?.dataLoss ?? {};
    assert.deepEqual([status?.run?.newCluster?.members, status?.run?.force], [[other], undefined]);
    assert.ok(survivorRevision >= revision, `it goes on from revision ${survivorRevision}, and the plan had been ${revision}`);
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    await dataThere(scenario, required(report, {at: loss.at, survivorRevision}));
  }, {minutes: 11, weight: 2, extended: true});
});
