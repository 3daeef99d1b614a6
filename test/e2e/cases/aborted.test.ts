import assert from 'node:assert/strict';
import {join} from 'node:path';
import {marks} from '../../../src/api/types.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, lossSeenBy, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {directoryOf, labOf, loseNodesOf, stoppedAgent, untilNoLeader} from '../faults.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, resourceName, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const alive = ['etcd-0', 'etcd-3'];

/** What shows whether anybody touched the pods that run, the claims and the set. The pods on the nodes that are gone go by themselves. */
async function asItIs(scenario: Scenario): Promise<object> {
  const found = await fingerprint(scenario);
  return {...found, pods: found.pods.filter((pod) => 'name' in pod && alive.includes(String(pod.name)))};
}

async function deleteAndWait(scenario: Scenario): Promise<void> {
  await scenario.kube.delete('quorumrecoveries', scenario.namespace, resourceName);
  await until('the end of the resource', async () => {
    const found = await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName);
    return found === undefined ? true : new Missing(conditionOf(found.status, 'Ready')?.message ?? '');
  }, {seconds: 150});
}

async function noHelpers(scenario: Scenario): Promise<void> {
  await until('the end of every helper pod', async () => {
    const helpers = await scenario.kube.list('pods', scenario.namespace, marks.helper);
    return helpers.length === 0 ? true : new Missing(helpers.map((pod) => pod.metadata?.name).join(', '));
  });
}

/** What is in a member's log, as its disk says. */
async function logOf(scenario: Scenario, pod: string): Promise<{memberID: string | undefined; index: number; changes: number}> {
  const directory = join(labOf(scenario).disk(await scenario.nodeOf(pod)), await directoryOf(scenario, `data-${pod}`), 'wal');
  const log = readWal(directory);
  assert.ok(log, `${directory} is empty`);
  return {memberID: log.metadata?.memberID, index: log.index, changes: log.confChanges.length};
}

/** It runs again, as the same member with the same log. Started without a quorum it answers no client, so that its disk is asked. */
async function startedOn(scenario: Scenario, pod: string, before: Awaited<ReturnType<typeof logOf>> | undefined): Promise<void> {
  await until(`etcd in ${pod}`, async () => {
    const found = await scenario.pod(pod);
    return found?.metadata?.deletionTimestamp === undefined && found?.status?.containerStatuses?.[0]?.state?.running !== undefined ? true : new Missing(found?.status?.phase ?? 'no pod');
  });
  assert.deepEqual(await logOf(scenario, pod), before);
}

describe('A run is given up in each of its phases', () => {
  e2e('while it plans, asks and reads the disks everything is put back; while it verifies it is finished', async (scenario) => {
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5});
    await scenario.startWriter();
    await loseNodesOf(scenario, ['etcd-1', 'etcd-2', 'etcd-4']);
    const loss = await lossSeenBy(scenario, 'etcd-0');
    await untilNoLeader(scenario, 'etcd-0');
    const before = await asItIs(scenario);
    const logs = new Map(await Promise.all(alive.map(async (pod) => [pod, await logOf(scenario, pod)] as const)));

    await applyRecovery(scenario, {approval: 'Required'});
    await stoppedAgent(scenario, 'InspectPlanning');
    assert.equal((await recovery(scenario)).status?.phase, 'Planning');
    await deleteAndWait(scenario);
    await noHelpers(scenario);
    assert.deepEqual(await asItIs(scenario), before);

    await applyRecovery(scenario, {approval: 'Required'});
    await untilPhase(scenario, ['AwaitingApproval']);
    await changeRecovery(scenario, {paused: true});
    await untilReady(scenario, 'Paused');
    await nothingLeft(scenario);
    assert.deepEqual(await asItIs(scenario), before);

    await changeRecovery(scenario, {paused: false, approval: 'Automatic'});
    await stoppedAgent(scenario, 'InspectHeld');
    const {status} = await recovery(scenario);
    assert.equal(status?.phase, 'Preserving');
    assert.ok((status.heldPods ?? []).length > 0, 'nothing is held');
    await deleteAndWait(scenario);
    for (const pod of alive) await startedOn(scenario, pod, logs.get(pod));
    await noHelpers(scenario);

    await applyRecovery(scenario);
    await untilPhase(scenario, ['Verifying'], 180);
    await deleteAndWait(scenario);
    await whole(scenario, 5);
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded');
    await setUnchanged(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, required(await scenario.stopWriter(), loss));
  }, {minutes: 10});
});
