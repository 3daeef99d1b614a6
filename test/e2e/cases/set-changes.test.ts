import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {nothingLeft, recovered, whole} from '../checks.ts';
import {etcdSet, setName} from '../etcd.ts';
import type {EtcdOptions} from '../etcd.ts';
import {labOf, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, conditionOf, recovery, resourceName, untilComplete, untilPhase, untilReady, standing} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';
/** Its pods take some seconds to stop: the hold can be interrupted. */
const options: EtcdOptions = {stopSeconds: 6};

async function lost(scenario: Scenario, nodes = 5): Promise<Loss> {
  return await quorumLost(scenario, {survivor, nodes, etcd: options});
}

async function whileHolding(scenario: Scenario): Promise<void> {
  const {status} = await untilPhase(scenario, ['Holding']);
  assert.equal(status?.run?.force?.turnGiven, undefined, 'the hold was over too soon');
}

/** The force is done, and members are still missing. */
async function afterForce(scenario: Scenario): Promise<void> {
  const {status} = await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
  assert.notEqual(status?.run?.force?.endedAt, undefined);
}

async function changeSet(scenario: Scenario, spec: object): Promise<void> {
  const changed = await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec});
  scenario.specBefore = JSON.stringify(changed.spec);
}

const annotated = (value: string) => ({template: {metadata: {annotations: {'e2e/change': value}}}});

async function makeSet(scenario: Scenario): Promise<void> {
  const made = await scenario.kube.create('statefulsets', etcdSet(scenario.namespace, {...scenario.nodeSelector, ...options}));
  scenario.specBefore = JSON.stringify(made.spec);
}

async function deleteSet(scenario: Scenario, cascade: 'background' | 'orphan'): Promise<void> {
  const lab = scenario.environment.lab;
  assert.ok(lab);
  await lab.kubectl(['-n', scenario.namespace, 'delete', 'statefulset', setName, `--cascade=${cascade}`, '--wait=false']);
  await until('the end of the set', async () => ((await scenario.kube.get('statefulsets', scenario.namespace, setName)) === undefined ? true : undefined));
}

/** Released for the changed set, and the next run is there. */
async function planned(scenario: Scenario, attempt: number): Promise<void> {
  const {status} = await until(`attempt ${attempt}`, async () => {
    const found = await recovery(scenario);
    return found.status?.run?.attempt === attempt ? found : new Missing(`attempt ${found.status?.run?.attempt ?? 0}`);
  }, {seconds: 90});
  assert.equal(status?.history?.[0]?.reason, 'SetChanged');
}

async function nothingHeld(scenario: Scenario): Promise<void> {
  const pods = await scenario.kube.list('pods', scenario.namespace);
  assert.deepEqual(pods.filter((pod) => (pod.metadata?.finalizers ?? []).includes(marks.fence)).map((pod) => pod.metadata?.name), [], 'fence finalizers are left');
  assert.deepEqual(pods.filter((pod) => (pod.spec?.schedulingGates ?? []).length > 0).map((pod) => pod.metadata?.name), [], 'gated pods are left');
  assert.deepEqual((await recovery(scenario)).status?.heldPods ?? [], []);
}

describe('The StatefulSet changes in the middle of a run', () => {
  e2e('scaled up or with another template: before the force the run plans anew, after it new ordinals are held and join', async (scenario) => {
    const loss = await lost(scenario, 6);
    await applyRecovery(scenario);
    await whileHolding(scenario);
    // A template that changes while nothing is stopped yet is a rollout like any other, and has to be finished or undone.
    await until('the survivor being stopped', async () => ((await scenario.pod('etcd-0'))?.metadata?.deletionTimestamp !== undefined ? true : undefined), {seconds: 60, every: 20});
    await changeSet(scenario, annotated('before the force'));
    await planned(scenario, 2);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining'], 180);
    await changeSet(scenario, {replicas: 4, ...annotated('after the force')});
    const status = await until('the end of the run', async () => {
      const {status: now} = await recovery(scenario);
      return now?.run?.attempt === 2 && now.run.finishedAt !== undefined ? {...now, run: now.run} : new Missing(standing(now));
    }, {seconds: 240});
    assert.equal(status.run.joins?.find(({pod}) => pod === 'etcd-3')?.added, true);
    await scenario.stopWriter();
    if (status.run.outcome === 'Recovered') {
      // With the last fence gone the controller rolls the changed template out.
      await labOf(scenario).kubectl(['-n', scenario.namespace, 'rollout', 'status', 'statefulset/etcd', '--timeout=120s']);
      await whole(scenario, 4);
      await nothingLeft(scenario);
    } else {
      // The controller was quick, and the volume that its pod brought about is on the node of another member by now.
      assert.deepEqual([status.run.outcome, status.heldPods], ['Degraded', ['etcd-3']]);
      assert.match(status.run.joins.find(({pod}) => pod === 'etcd-3')?.deferred?.message ?? '', /Unschedulable/);
    }
    assert.ok(loss.survivorRevision > 0);
  }, {minutes: 8});

  e2e('scaled down after the force: what is left is made whole', async (scenario) => {
    await lost(scenario);
    await applyRecovery(scenario);
    await afterForce(scenario);
    await changeSet(scenario, {replicas: 2});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    assert.equal(status?.run?.joins?.find(({pod}) => pod === 'etcd-2')?.gone, true);
    await whole(scenario, 2);
    await nothingLeft(scenario);
    await scenario.stopWriter();
  }, {minutes: 8, extended: true});

  e2e('deleted before the force: nothing stays held, and one that is made again is recovered', async (scenario) => {
    await lost(scenario);
    await applyRecovery(scenario);
    await whileHolding(scenario);
    await deleteSet(scenario, 'background');
    const {status} = await untilReady(scenario, 'StatefulSetNotFound');
    assert.equal(status?.history?.[0]?.reason, 'SetChanged');
    await until('nothing held', async () => { await nothingHeld(scenario); return true; });
    await makeSet(scenario);
    await untilComplete(scenario, 'Recovered', {seconds: 240, leaving: 'Released', mayBlock: true});
    await whole(scenario);
    await nothingLeft(scenario);
    await scenario.stopWriter();
  }, {minutes: 8, extended: true});

  e2e('deleted without its pods after the force and made again: the run goes on with the new one', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await afterForce(scenario);
    await deleteSet(scenario, 'orphan');
    const {status} = await untilReady(scenario, 'StatefulSetNotFound');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /Create it again, and the run goes on/);
    await makeSet(scenario);
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, extended: true});

  e2e('with its whole namespace: nothing of the run keeps it, before and after the force', async (scenario) => {
    for (const [when, nodes] of [[whileHolding, 5], [afterForce, 0]] as const) {
      if (nodes > 0) await lost(scenario, nodes);
      else {
        await scenario.begin();
        await scenario.addNodes(4);
        await scenario.startEtcd(options);
        await loseNodesOf(scenario, others(survivor));
        await untilNoLeader(scenario, survivor);
      }
      await applyRecovery(scenario);
      await when(scenario);
      if (nodes > 0) await scenario.stopWriter();
      await scenario.kube.delete('namespaces', scenario.namespace, scenario.namespace);
      // Pods on deleted nodes go with the pod garbage collector, after some 40 s.
      await until('the end of the namespace', async () => {
        const left = await scenario.kube.get('namespaces', scenario.namespace, scenario.namespace);
        const pods = await scenario.kube.list('pods', scenario.namespace);
        const resource = await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName);
        return left === undefined ? true : new Missing(`pods ${pods.map((pod) => `${pod.metadata?.name ?? ''} ${(pod.metadata?.finalizers ?? []).join()}`).join('; ')}; resource ${resource === undefined ? 'gone' : 'there'}`);
      }, {seconds: 150});
    }
  }, {minutes: 10, extended: true});
});
