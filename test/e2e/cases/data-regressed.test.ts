import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, setUnchanged, untouched, whole} from '../checks.ts';
import {setName} from '../etcd.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {until} from '../wait.ts';

async function scale(scenario: Scenario, replicas: number): Promise<void> {
  await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {replicas}});
}

/** All pods go, two of three claims are wiped meanwhile, and their pods come back first: they elect an empty cluster of the same ID. Tells when the old one ended. */
async function goBack(scenario: Scenario): Promise<string> {
  const old = await scenario.nodeOf('etcd-2');
  await scale(scenario, 0);
  const over = new Date().toISOString();
  await until('the end of every pod', async () => ((await scenario.pods()).length === 0 ? true : undefined), {seconds: 60});
  for (const pod of ['etcd-0', 'etcd-1']) await scenario.kube.delete('persistentvolumeclaims', scenario.namespace, `data-${pod}`);
  await until('the end of their claims', async () => ((await scenario.kube.list('persistentvolumeclaims', scenario.namespace)).length === 1 ? true : undefined), {seconds: 60});
  // A member that comes back anew could take the node of the one that has the data.
  await scenario.kube.patch('nodes', '', old, {spec: {unschedulable: true}});
  await scale(scenario, 2);
  return over;
}

/** It is said, and nothing comes of it by itself. */
async function onlyTold(scenario: Scenario): Promise<void> {
  const seen = (await recovery(scenario)).status?.lastHealthy;
  const over = await goBack(scenario);
  const {status} = await untilReady(scenario, 'DataRegressed', 120);
  assert.equal(conditionOf(status, 'DataRegressed')?.status, 'True');
  assert.match(conditionOf(status, 'DataRegressed')?.message ?? '', /The old data may still be on volume pvc-\S+ of etcd-2, which the StatefulSet has no pod for now/);
  console.log(`      ${conditionOf(status, 'DataRegressed')?.message ?? ''}`);
  // What their kubelets tell of them comes after what they answer.
  await scenario.healthy(2);
  const before = await fingerprint(scenario);
  await delay(5_000);
  const later = (await recovery(scenario)).status;
  // With so short a grace period one can begin while the empty pods start; it finds a quorum that serves, and plans nothing.
  assert.ok(later?.run === undefined || (later.run.outcome === 'NotNeeded' && later.run.plan === undefined), `a run was planned: ${JSON.stringify(later?.run)}`);
  // A last look can have come between.
  assert.deepEqual(later?.lastHealthy?.members.map(({claimUID}) => claimUID), seen?.members.map(({claimUID}) => claimUID), 'the witness was overwritten by what went back');
  assert.ok((later?.lastHealthy?.observedAt ?? over) < over && (later?.lastHealthy?.revision ?? 0) >= (seen?.revision ?? 0), `the witness is of ${later?.lastHealthy?.observedAt ?? 'never'}, after the old cluster's end at ${over}`);
  await untouched(scenario, before);
}

/** A person decides for the old data, whose member comes back beside the cluster that went back. */
async function takeOldData(scenario: Scenario): Promise<void> {
  for (const node of scenario.nodes) await scenario.kube.patch('nodes', '', node, {spec: {unschedulable: null}});
  await scale(scenario, 3);
  scenario.specBefore = JSON.stringify((await scenario.statefulSet()).spec);
  await changeRecovery(scenario, {survivor: {pod: 'etcd-2'}, trigger: {request: 'the old data'}});
  const asked = (await untilReady(scenario, 'AwaitingApproval', 180)).status;
  const plan = asked?.run?.plan;
  console.log(`      ${plan?.expectedLoss ?? ''}`);
  assert.deepEqual([plan?.survivor, plan?.givenUp], ['etcd-2', ['etcd-0', 'etcd-1']]);
  assert.deepEqual(asked?.heldPods ?? [], [], 'names were held before anybody approved');
  await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan?.hash ?? ''});
  const {status} = await untilComplete(scenario, 'Recovered', {request: 'the old data', mayBlock: true});
  assert.equal(conditionOf(status, 'DataLossPossible')?.reason, 'PresentDataSetAside');
  assert.equal(conditionOf(status, 'DataRegressed'), undefined);
  assert.deepEqual((status?.kept ?? []).map(({pod}) => pod).sort(), ['etcd-0', 'etcd-1', 'etcd-2'], 'not all that was there is kept');
}

describe('Data that went back', () => {
  e2e('is told from the old, and never acted on; a person\'s pick of the old data is planned, and carried out once approved', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await applyRecovery(scenario, {trigger: {type: 'OnQuorumLoss', gracePeriod: '1s'}});
    await untilWitness(scenario);
    await onlyTold(scenario);
    await scenario.tool.put(await scenario.member('etcd-0'), 'written-since', 'yes');
    await takeOldData(scenario);
    await setUnchanged(scenario);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, []);
    const since = await scenario.tool.get(await scenario.member('etcd-1'), 'written-since', {serializable: false});
    assert.equal(since.value, undefined, 'the cluster that was given up is part of the new one');
  }, {minutes: 9});
});
