import assert from 'node:assert/strict';
import type {V1Probe} from '@kubernetes/client-node';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, setUnchanged, untouched, whole} from '../checks.ts';
import {defaultImage, setName} from '../etcd.ts';
import {podNames} from '../faults.ts';
import {Plugin} from '../plugin.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';
import {watched} from '../watched.ts';

const badImage = 'localhost/etcd:no-such-version';

/** Ready only with a leader, as etcd's own /readyz has it: a first pod without the others never is. */
const withQuorum: V1Probe = {httpGet: {path: '/readyz', port: 8080}, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 1};

/** Every pod is of the newest revision and Ready. */
async function untilRolledOut(scenario: Scenario): Promise<void> {
  await until('the rollout to be finished', async () => {
    const {metadata, status} = await scenario.statefulSet();
    const seen = status?.observedGeneration === metadata?.generation && status?.updatedReplicas === 3 && status.readyReplicas === 3 && status.currentRevision === status.updateRevision;
    return seen ? true : new Missing(JSON.stringify(status));
  }, {seconds: 120});
  await scenario.healthy(3);
}

/** Pods are made in order, and each is Ready only in a quorum: so it comes up in a set that had another probe before. */
async function inOrder(scenario: Scenario): Promise<void> {
  await scenario.addNodes(3);
  await scenario.startEtcd({podManagementPolicy: 'OrderedReady'});
  const {template} = (await scenario.statefulSet()).spec ?? {};
  const containers = template?.spec?.containers.map((container) => (container.name === 'etcd' ? {...container, readinessProbe: withQuorum} : container));
  await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {template: {spec: {containers}}}});
  await untilRolledOut(scenario);
  scenario.specBefore = JSON.stringify((await scenario.statefulSet()).spec);
}

async function rollTo(scenario: Scenario, image: string): Promise<void> {
  const {template} = (await scenario.statefulSet()).spec ?? {};
  const containers = template?.spec?.containers.map((container) => (container.name === 'etcd' ? {...container, image} : container));
  await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {template: {spec: {containers}}}});
}

async function deleteAll(scenario: Scenario): Promise<void> {
  await Promise.all((await scenario.pods()).map(async (pod) => { await scenario.kube.delete('pods', scenario.namespace, pod.metadata?.name ?? ''); }));
}

/** The first pod is there again and not Ready, and nobody makes the others. */
async function untilStuck(scenario: Scenario, before: readonly (string | undefined)[]): Promise<void> {
  await until('etcd-0 alone', async () => {
    const pods = await scenario.pods();
    const [first, ...more] = pods;
    const alone = more.length === 0 && first?.metadata?.name === 'etcd-0' && !before.includes(first.metadata.uid) && (first.status?.containerStatuses ?? []).length > 0;
    return alone ? true : new Missing(pods.map((pod) => `${pod.metadata?.name ?? ''} ${pod.metadata?.deletionTimestamp === undefined ? '' : 'terminating'}`).join(', '));
  }, {seconds: 60});
}

const uids = async (scenario: Scenario) => (await scenario.pods()).map((pod) => pod.metadata?.uid);
const claims = async (scenario: Scenario) => (await fingerprint(scenario)).claims;

/** What has to hold after pods were brought up again: all that was ever acknowledged is there, on the same disks. */
async function restarted(scenario: Scenario, status: QuorumRecoveryStatus | undefined, pods: readonly string[], before: Awaited<ReturnType<typeof claims>>): Promise<void> {
  assert.equal(status?.run?.plan?.strategy, 'Restart');
  assert.equal(status.run.force, undefined);
  assert.deepEqual(status.run.restarted?.map(({pod}) => pod), pods);
  assert.equal(conditionOf(status, 'DataLossPossible')?.status, 'False');
  assert.match(conditionOf(status, 'DataLossPossible')?.message ?? '', /^nothing was lost/);
  const report = await scenario.stopWriter();
  console.log(`      brought ${pods.join(', ')} up again in ${status.history?.[0]?.durationSeconds ?? 0} s; ${report.acks.length} acknowledged writes`);
  assert.ok(report.acks.length > 0);
  await setUnchanged(scenario);
  await whole(scenario);
  await nothingLeft(scenario);
  assert.deepEqual(await claims(scenario), before, 'a claim was changed');
  await dataThere(scenario, report.acks);
}

describe('All pods of a set that makes them in order were deleted at once, and each is Ready only in a quorum', () => {
  e2e('a watched cluster comes up again by itself, with every disk kept', async (scenario) => {
    await inOrder(scenario);
    await watched(scenario, {gracePeriod: '8s'});
    await scenario.startWriter();
    const [disks, pods] = [await claims(scenario), await uids(scenario)];
    await deleteAll(scenario);
    await untilStuck(scenario, pods);
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true, leaving: 'NotNeeded'});
    assert.equal(status?.run?.trigger, 'OnQuorumLoss');
    await restarted(scenario, status, ['etcd-1', 'etcd-2'], disks);
  }, {minutes: 8});
});

describe('A rollout broke, all pods were deleted, and the template was put right', () => {
  e2e('the image is named and nothing is touched before; then the pod that is stuck is replaced, and the others are made', async (scenario) => {
    await inOrder(scenario);
    await applyRecovery(scenario, {strategy: 'Restart', approval: 'Required'});
    await untilComplete(scenario, 'NotNeeded');
    await untilWitness(scenario);
    await scenario.startWriter();
    const [disks, pods] = [await claims(scenario), await uids(scenario)];
    await rollTo(scenario, badImage);
    await until('etcd-2 that cannot pull its image', async () => (/Image/.test((await scenario.pod('etcd-2'))?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '') ? true : undefined));
    await deleteAll(scenario);
    await untilStuck(scenario, pods);
    await changeRecovery(scenario, {trigger: {request: 'restart'}});
    const {status: blocked} = await untilReady(scenario, 'QuorumOfDataIntact');
    assert.match(conditionOf(blocked, 'Ready')?.message ?? '', /etcd-0: container etcd: \w*Image/);
    const stands = await fingerprint(scenario);
    await holds('nothing touched', 12, async () => (JSON.stringify(await fingerprint(scenario)) === JSON.stringify(stands) ? undefined : 'something was touched'));
    await rollTo(scenario, defaultImage);
    const {status: waiting} = await untilReady(scenario, 'AwaitingApproval');
    const {out} = await new Plugin(scenario).run('plan', 'etcd');
    assert.match(out, /Strategy {2}Restart[\s\S]*Loss {6}none[\s\S]*etcd-0 is stopped and made again: .*older revision[\s\S]*etcd-1 is made/);
    await untouched(scenario, {...stands, spec: JSON.stringify((await scenario.statefulSet()).spec)});
    await changeRecovery(scenario, {approvedPlan: waiting?.run?.plan?.hash ?? ''});
    const {status} = await untilComplete(scenario, 'Recovered', {request: 'restart', mayBlock: true});
    scenario.specBefore = JSON.stringify((await scenario.statefulSet()).spec);
    await restarted(scenario, status, podNames(), disks);
  }, {minutes: 8});
});
