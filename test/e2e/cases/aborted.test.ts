import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {stoppedAgent, untilRunsAgain} from '../faults.ts';
import {quorumLost} from '../loss.ts';
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

describe('A run is given up in each of its phases', () => {
  e2e('while it plans, asks and reads the disks everything is put back; while it verifies it is finished', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-0', lost: ['etcd-1', 'etcd-2', 'etcd-4'], nodes: 7, etcd: {replicas: 5}});
    const before = await asItIs(scenario);

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
    for (const pod of alive) await untilRunsAgain(scenario, pod);
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
  }, {minutes: 10, extended: true});
});
