import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import {setName} from './etcd.ts';
import type {Scenario} from './scenario.ts';
import {seedCount} from './scenario.ts';
import type {Acknowledged, WriterReport} from './tool-protocol.ts';
import {recovery} from './recovery.ts';
import {Missing, until} from './wait.ts';

/** What was there when the quorum was lost. */
export interface Loss {
  /** When the last of the quorum was gone, ms since the epoch. */
  at: number;
  /** Up to this revision the survivor had applied, so that it knew every write as committed. */
  survivorRevision: number;
}

/** The survivor's revision right after the loss. */
export async function lossSeenBy(scenario: Scenario, survivor: string): Promise<Loss> {
  const at = Date.now();
  return {at, survivorRevision: (await scenario.etcdStatus(survivor)).revision};
}

/** An answer of the old quorum can still be on its way for that long after its end, ms. */
const inFlightMs = 1_000;

/** Acknowledged writes that have to be there: those that the survivor knew as committed, and all that the new cluster acknowledged. */
export function required(report: WriterReport, loss: Loss | undefined): Acknowledged[] {
  if (loss === undefined) return report.acks;
  return report.acks.filter((ack) => ack.revision <= loss.survivorRevision || ack.at > loss.at + inFlightMs);
}

/** The StatefulSet is as it was, byte for byte. */
export async function setUnchanged(scenario: Scenario): Promise<void> {
  assert.equal(JSON.stringify((await scenario.statefulSet()).spec), scenario.specBefore, 'the StatefulSet\'s spec was changed');
}

export const helpersOf = (pods: readonly V1Pod[]): V1Pod[] => pods.filter((pod) => pod.metadata?.labels?.[marks.helper] !== undefined);

/** Of a helper that was taken away the object is there for a second longer than its containers, which is what a run waits for. */
export async function untilHelpersGone(scenario: Scenario): Promise<V1Pod[]> {
  return await until('helper pods that were taken away to be gone', async () => {
    const pods = await scenario.kube.list('pods', scenario.namespace);
    const helpers = helpersOf(pods);
    const kept = helpers.filter((pod) => pod.metadata?.deletionTimestamp === undefined).map((pod) => pod.metadata?.name);
    return helpers.length === 0 ? pods : new Missing(`${helpers.length} are there, and of ${kept.join(', ') || 'none'} nobody has asked for its end`);
  }, {seconds: 10});
}

/** No helper pod is left, no name held, no gate and no fence finalizer on any pod. */
export async function nothingLeft(scenario: Scenario): Promise<void> {
  const {status, metadata} = await recovery(scenario);
  assert.deepEqual(status?.heldPods ?? [], [], 'names are still held');
  const pods = await untilHelpersGone(scenario);
  const gated = pods.filter((pod) => (pod.spec?.schedulingGates ?? []).length > 0).map((pod) => pod.metadata?.name);
  assert.deepEqual(gated, [], 'gated pods are left');
  const fenced = pods.filter((pod) => (pod.metadata?.finalizers ?? []).includes(marks.fence)).map((pod) => pod.metadata?.name);
  assert.deepEqual(fenced, [], 'fence finalizers are left');
  const terminating = pods.filter((pod) => pod.metadata?.deletionTimestamp !== undefined).map((pod) => pod.metadata?.name);
  assert.deepEqual(terminating, [], 'pods are still terminating');
  await until('the finalizer to be gone from the resource', async () =>
    ((await recovery(scenario)).metadata.finalizers?.includes(marks.finalizer) ? new Missing(`${metadata.name ?? ''} still has it`) : true), {seconds: 10});
}

/** Voters in one list of one cluster, all Ready, with equal hashes at one revision. */
export async function whole(scenario: Scenario, count = 3): Promise<void> {
  await scenario.healthy(count);
  const members = await scenario.members();
  assert.deepEqual(members.map((member) => member.pod), Array.from({length: count}, (_, ordinal) => `${setName}-${ordinal}`));
  const first = members[0];
  assert.ok(first);
  const lists = await Promise.all(members.map(async (member) => await scenario.tool.members(member)));
  assert.equal(new Set(lists.map((list) => list.clusterID)).size, 1, 'members name different clusters');
  for (const {members: listed} of lists) {
    assert.deepEqual(listed.map((member) => member.name).sort(), members.map((member) => member.pod), 'the member list is not the set');
    assert.deepEqual(listed.filter((member) => member.isLearner), [], 'learners are left');
  }
  const {revision} = await scenario.tool.put(first, 'e2e/check', String(Date.now()));
  const hashes = await Promise.all(members.map(async (member) => await until(`revision ${revision} on ${member.pod}`, async () => {
    const read = await scenario.tool.get(member, 'e2e/check', {serializable: true});
    return read.revision >= revision ? await scenario.tool.hash(member, revision) : undefined;
  }, {seconds: 20})));
  assert.deepEqual(hashes.slice(1), hashes.slice(0, -1), 'HashKV differs');
}

/** On every member, read from its own store, and once by a quorum: all keys of the seed and all writes that must not be lost. */
export async function dataThere(scenario: Scenario, acks: Acknowledged[], seed = seedCount): Promise<void> {
  for (const member of await scenario.members()) {
    const missing = await scenario.tool.compare(member, seed, acks, true);
    assert.deepEqual(missing.slice(0, 10), [], `${missing.length} keys are missing or different on ${member.pod}`);
  }
  const [first] = await scenario.members();
  assert.ok(first);
  const missing = await scenario.tool.compare(first, seed, acks, false);
  assert.deepEqual(missing.slice(0, 10), [], `${missing.length} keys are missing or different in a linearizable read`);
}

/** No pod and no container of the set was started again: nothing was touched. */
export async function untouched(scenario: Scenario, before: Awaited<ReturnType<typeof fingerprint>>): Promise<void> {
  assert.deepEqual(await fingerprint(scenario), before, 'pods or claims were touched');
}

/** What shows whether anybody touched the set's pods and claims. */
export async function fingerprint(scenario: Scenario): Promise<{pods: object[]; claims: object[]; spec: string}> {
  const pods = (await scenario.pods()).map((pod) => ({
    name: pod.metadata?.name, uid: pod.metadata?.uid, deleted: pod.metadata?.deletionTimestamp, finalizers: pod.metadata?.finalizers ?? [],
    containers: (pod.status?.containerStatuses ?? []).map((status) => status.containerID),
  }));
  const claims = (await scenario.kube.list('persistentvolumeclaims', scenario.namespace)).map((claim) => ({name: claim.metadata?.name, uid: claim.metadata?.uid, volume: claim.spec?.volumeName}));
  return {pods, claims, spec: JSON.stringify((await scenario.statefulSet()).spec)};
}

/** Everything that has to hold after a recovery. */
export async function recovered(scenario: Scenario, report: WriterReport, loss: Loss, keys = seedCount): Promise<void> {
  await setUnchanged(scenario);
  await whole(scenario);
  await nothingLeft(scenario);
  await dataThere(scenario, required(report, loss), keys);
}
