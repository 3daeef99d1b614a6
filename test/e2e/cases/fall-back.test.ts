import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {damageLog, walOf} from '../damage.ts';
import {approved, compared, killed, notForced, survivor} from '../falling-back.ts';
import {Plugin} from '../plugin.ts';
import {applyRecovery, askedPlan, changeRecovery, conditionOf, recovery, standing, toldOf, untilReady} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('An etcd version whose --force-new-cluster is not clean, two of three nodes lost', () => {
  e2e('goes on from the survivor\'s own database after approval, and the entries of its log that are lost are told before and after', async (scenario) => {
    const {disk, before} = await killed(scenario, {image: notForced});
    await applyRecovery(scenario);
    const {status: asked} = await untilReady(scenario, 'AwaitingApproval');
    const plan = asked?.run?.plan;
    assert.equal(plan?.strategy, 'RestoreSnapshot');
    assert.deepEqual([plan.snapshot?.pod, plan.snapshot?.index, plan.snapshot?.logIndex, plan.snapshot?.revision], [survivor, disk.index, disk.logIndex, disk.revision]);
    assert.match(plan.why, /nothing can be forced: etcd 3\.5\.21 may leave members of the old cluster behind/);
    const left = disk.logIndex - disk.index;
    if (left > 1) assert.match(plan.expectedLoss, new RegExp(`the ${left} entries ${disk.index + 1} to ${disk.logIndex} of its log are not in its database`));
    assert.deepEqual(asked?.heldPods ?? [], [], 'something was touched before the approval');
    const {out} = await new Plugin(scenario).run('plan', 'etcd');
    assert.match(out, new RegExp(`Strategy {2}RestoreSnapshot[\\s\\S]*Survivor {2}${survivor}: nothing can be forced`));
    const status = await approved(scenario);
    assert.deepEqual(status.dataLoss?.database, {pod: survivor, index: disk.index, logIndex: disk.logIndex});
    assert.equal(status.dataLoss.survivorRevision, disk.revision);
    assert.equal(conditionOf(status, 'DataLossPossible')?.status, left === 0 ? 'Unknown' : 'True');
    assert.equal(status.run?.force, undefined, 'something was forced');
    await compared(scenario, before, disk.revision);
  }, {minutes: 9});
});

describe('The log of the only member that is left is damaged, and its database is not', () => {
  e2e('the cluster goes on from that database after approval, and it is told that nobody knows how much the log held', async (scenario) => {
    const {disk, before} = await killed(scenario, {}, damageLog);
    await applyRecovery(scenario);
    const {status: asked} = await untilReady(scenario, 'AwaitingApproval');
    const plan = asked?.run?.plan;
    assert.deepEqual([plan?.strategy, plan?.snapshot?.pod, plan?.snapshot?.index, plan?.snapshot?.logIndex], ['RestoreSnapshot', survivor, disk.index, undefined]);
    assert.match(plan?.why ?? '', /nothing can be forced: its data cannot be read/);
    assert.match(plan?.expectedLoss ?? '', new RegExp(`how much was written after entry ${disk.index} is not known`));
    const status = await approved(scenario);
    assert.deepEqual([conditionOf(status, 'DataLossPossible')?.status, conditionOf(status, 'DataLossPossible')?.reason], ['True', 'RestoredFromSurvivor']);
    await compared(scenario, before, disk.revision);
  }, {minutes: 9});
});

describe('The log of the only member that is left is damaged after its plan was asked about, which was to go on from its database', () => {
  e2e('nobody can tell any more how much is lost, so that the approved plan is not carried out: everything is put back (PlanChanged), another plan is asked about, and that one ends as it says', async (scenario) => {
    const {disk, before} = await killed(scenario, {image: notForced});
    await applyRecovery(scenario);
    const plan = await askedPlan(scenario);
    const id = (await recovery(scenario)).status?.run?.id;
    assert.deepEqual([plan.strategy, plan.snapshot?.pod, plan.snapshot?.index, plan.snapshot?.logIndex], ['RestoreSnapshot', survivor, disk.index, disk.logIndex]);
    damageLog(await walOf(scenario, survivor));
    await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
    const [past] = await until('the end of the run whose plan is not carried out', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.id === id ? new Missing(standing(status)) : status?.history;
    }, {seconds: 120});
    assert.deepEqual([past?.id, past?.outcome, past?.reason], [id, 'Released', 'PlanChanged']);
    assert.match(await toldOf(scenario, 'Released'), new RegExp(`the database of ${survivor}: its log cannot be read to its end, so that how much was written after entry ${disk.index} is not known: .*, and the plan had been that .*every held pod is let go, and a new plan is made`));
    const second = await askedPlan(scenario);
    assert.notEqual(second.hash, plan.hash, 'the word for the first plan would do for the second');
    assert.deepEqual([second.strategy, second.snapshot?.pod, second.snapshot?.index, second.snapshot?.logIndex], ['RestoreSnapshot', survivor, disk.index, undefined]);
    assert.match(second.why, /nothing can be forced: its data cannot be read/);
    assert.match(second.expectedLoss, new RegExp(`how much was written after entry ${disk.index} is not known`));
    const status = await approved(scenario);
    assert.equal(status.run?.attempt, 2, 'it took more than the two runs');
    assert.deepEqual([conditionOf(status, 'DataLossPossible')?.status, conditionOf(status, 'DataLossPossible')?.reason], ['True', 'RestoredFromSurvivor']);
    await compared(scenario, before, disk.revision);
  }, {minutes: 9, extended: true});
});
