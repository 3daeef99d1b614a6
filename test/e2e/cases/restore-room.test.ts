import assert from 'node:assert/strict';
import {startBucket} from '../bucket.ts';
import {e2e} from '../case.ts';
import {corruptVolume} from '../damage.ts';
import {others, untilNoLeader} from '../faults.ts';
import {askedPlan, changeRecovery, conditionOf, recovery, standing, untilComplete} from '../recovery.ts';
import {every, known, moreWrites, request, restored, scheduled} from '../restoring.ts';
import type {Scenario} from '../scenario.ts';
import {fillDisk, listing, makeRoom, oneOnSmallDisk} from '../small-disks.ts';
import {isPlanned} from '../snapshots.ts';
import {Missing, until} from '../wait.ts';

/** What is on this pod's volume once every old member is stopped. */
async function stopped(scenario: Scenario, pod: string, node: string): Promise<string> {
  await until('the step Restore', async () => {
    const {status} = await recovery(scenario);
    return status?.run?.steps.some(({name, state}) => name === 'Restore' && state !== 'Pending') === true ? true : new Missing(standing(status));
  }, {seconds: 120, every: 100});
  return await listing(scenario, pod, node);
}

/** The member is left out, and why is told with what is needed and what is free. */
async function leftOut(scenario: Scenario, pod: string): Promise<void> {
  const deferred = await until(`${pod} left out`, async () => {
    const {status} = await recovery(scenario);
    return status?.run?.joins?.find((join) => join.pod === pod)?.deferred ?? new Missing(standing(status));
  }, {seconds: 120, every: 100});
  assert.equal(deferred.reason, 'NoSpace', deferred.message);
  const words = new RegExp(`^${pod} has no room for the data: prepare: NoSpace: the snapshot and the data of the member that is made from it take (\\d+) bytes, and (\\d+) are free on the volume: enlarge it, or remove old data that was set aside on it \\(\\.quorumrecovery\\)\\. Nothing was changed`);
  const [needed = 0, free = 0] = (words.exec(deferred.message)?.slice(1) ?? []).map(Number);
  assert.ok(free > 0 && needed > free, deferred.message);
}

describe('A snapshot from a bucket is to be restored on the volumes that are there, and one of them has no room for it', () => {
  e2e('that member is left out by name with what is on its volume untouched, the others begin without it and serve, and it joins by itself once there is room', async (scenario) => {
    const {pod, node} = await oneOnSmallDisk(scenario, 700);
    const [aside = ''] = await scenario.addNodes(1);
    const bucket = await startBucket(scenario, aside);
    await known(scenario, {snapshot: bucket.spec, ...every('5s')});
    const {name, revision} = await scheduled(scenario);
    await moreWrites(scenario, 30);
    const {members = []} = (await recovery(scenario)).status ?? {};
    const lostMembers = members.filter((member) => member.pod !== pod).map((member) => ({pod: member.pod, memberID: member.memberID ?? ''}));
    await Promise.all(others(pod).map(async (other) => { await corruptVolume(scenario, other); }));
    await untilNoLeader(scenario, pod);
    const at = Date.now();
    await fillDisk(scenario, node, 16 << 20);
    await changeRecovery(scenario, {strategy: 'RestoreSnapshot', approval: 'Required', lostMembers, trigger: {request}});
    const plan = await askedPlan(scenario);
    isPlanned(plan.snapshot, name, revision);
    await changeRecovery(scenario, {approvedPlan: plan.hash});
    const before = await stopped(scenario, pod, node);
    await leftOut(scenario, pod);
    const {status: degraded} = await untilComplete(scenario, 'Degraded', {request, mayBlock: true, seconds: 240});
    assert.deepEqual([degraded?.run?.newCluster?.members, degraded?.heldPods, conditionOf(degraded, 'Degraded')?.reason], [others(pod), [pod], 'NoSpace']);
    assert.match(conditionOf(degraded, 'Degraded')?.message ?? '', new RegExp(`^${pod} has no room for the data`));
    await moreWrites(scenario, 20);
    assert.equal(await listing(scenario, pod, node), before, 'what is on its volume was touched');
    await makeRoom(scenario, node);
    // Nothing tells that there is room: it is tried again when nodes change, as those of other cases do, or after five minutes.
    const {status} = await untilComplete(scenario, 'Recovered', {request, mayBlock: true, leaving: 'Degraded', seconds: 420});
    assert.deepEqual([status?.run?.id, conditionOf(status, 'Degraded')], [degraded?.run?.id, undefined]);
    isPlanned(status?.run?.plan?.snapshot, name, revision);
    const loss = conditionOf(status, 'DataLossPossible');
    assert.deepEqual([status?.dataLoss?.survivorRevision, loss?.status, loss?.reason], [revision, 'True', 'RestoredFromSnapshot']);
    await restored(scenario, {at, survivorRevision: revision});
  }, {minutes: 14, weight: 2, extended: true});
});
