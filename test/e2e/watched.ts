import assert from 'node:assert/strict';
import type {WriterReport} from './tool-protocol.ts';
import {setName} from './etcd.ts';
import {applyRecovery, recovery, standing} from './recovery.ts';
import type {SpecInput} from './recovery.ts';
import type {Scenario} from './scenario.ts';
import {Missing, until} from './wait.ts';

/** The resource stands, and has seen every member well. */
export async function watched(scenario: Scenario, trigger: object, spec: SpecInput = {}, count = 3): Promise<void> {
  await applyRecovery(scenario, {...spec, trigger: {type: 'OnQuorumLoss', ...trigger}});
  await until('a watched cluster with a witness', async () => {
    const {status} = await recovery(scenario);
    return status?.phase === 'Watching' && status.lastHealthy?.members.length === count ? true : new Missing(standing(status));
  }, {seconds: 60});
}

/** What a force, a restore or a rebuild would have changed: it leaves one of the members, and makes the others anew. */
export interface Lineage {
  clusterID: string;
  memberIDs: string[];
  claims: (string | undefined)[];
  raftTerm: number;
  revision: number;
}

export async function lineage(scenario: Scenario): Promise<Lineage> {
  const member = await scenario.member(`${setName}-0`);
  const {raftTerm, revision} = await scenario.tool.status(member);
  const {clusterID, members} = await scenario.tool.members(member);
  const claims = (await scenario.kube.list('persistentvolumeclaims', scenario.namespace)).map(({metadata}) => metadata?.uid).sort();
  return {clusterID, memberIDs: members.map(({id}) => id).sort(), claims, raftTerm, revision};
}

/** No run has forced anything, whether one began or not, and none was counted as an attempt. */
export async function noForce(scenario: Scenario): Promise<string | undefined> {
  const {status} = await recovery(scenario);
  if (status?.run?.force !== undefined) return `a force was begun: ${standing(status)}`;
  if ((status?.heldPods ?? []).length > 0) return `pods are held: ${standing(status)}`;
  const worked = status?.history?.filter(({outcome}) => outcome !== 'NotNeeded') ?? [];
  return worked.length > 0 ? `a run did something: ${JSON.stringify(worked)}` : undefined;
}

/** The cluster is whole, is the one that it was, and is watched again. */
export async function nothingForced(scenario: Scenario, before: Lineage, what: string): Promise<void> {
  await scenario.healthy(before.memberIDs.length, 150);
  const status = await until(`the watch going on after ${what}`, async () => {
    const found = (await recovery(scenario)).status;
    return found?.phase === 'Watching' && found.suspicion === undefined ? found : new Missing(standing(found));
  }, {seconds: 90});
  assert.equal(await noForce(scenario), undefined, what);
  assert.equal(status.automatic, undefined, `${what} was counted as an attempt`);
  const {raftTerm, revision, ...after} = await lineage(scenario);
  const {raftTerm: termBefore, revision: revisionBefore, ...same} = before;
  assert.deepEqual(after, same, `the cluster is another one after ${what}`);
  assert.ok(raftTerm >= termBefore && revision >= revisionBefore, `term ${raftTerm} and revision ${revision} went back after ${what}, from ${termBefore} and ${revisionBefore}`);
}

/** An answer of the old quorum can still be on its way for that long after its end, ms. */
const inFlightMs = 1_000;

/** Says how long after the end of a quorum (`ended`, ms) the loss was suspected, and a client could write again. */
export function tellTimes(ended: number, suspectedAt: string | undefined, {acks}: WriterReport): void {
  const seconds = (at: number | undefined): string => (at === undefined ? 'never' : `${((at - ended) / 1000).toFixed(1)} s`);
  const suspected = suspectedAt === undefined ? undefined : Date.parse(suspectedAt);
  console.log(`      after the second member's end: suspected ${seconds(suspected)}, first acknowledged write ${seconds(acks.find(({at}) => at > ended + inFlightMs)?.at)}`);
}
