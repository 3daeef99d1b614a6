import assert from 'node:assert/strict';
import {dataThere, nothingLeft, required, setUnchanged, whole} from './checks.ts';
import type {Loss} from './checks.ts';
import type {EtcdOptions} from './etcd.ts';
import {loseNodesOf, podNames} from './faults.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, untilComplete, untilReady, untilWitness} from './recovery.ts';
import type {SpecInput} from './recovery.ts';
import {seedCount} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {storeClaim} from './snapshots.ts';
import {Missing, until} from './wait.ts';

/* What the cases of a restore from a store have in common. */

/** Where the snapshots are, for spec.snapshot. */
export const claim = {name: storeClaim};
/** What a person asks for the run with. */
export const request = 'no data is left';

/** The writer goes on until that many more of its writes were acknowledged. */
export async function moreWrites(scenario: Scenario, count: number): Promise<number> {
  const before = (await scenario.writerReport()).acks.length;
  return await until(`${count} more acknowledged writes`, async () => {
    const {acks} = await scenario.writerReport();
    return acks.length >= before + count ? acks.length : new Missing(`${acks.length - before} so far`);
  }, {seconds: 60});
}

/** The resource stands, has seen the cluster whole, and a client writes. */
export async function known(scenario: Scenario, spec: SpecInput): Promise<void> {
  await applyRecovery(scenario, spec);
  await untilComplete(scenario, 'NotNeeded');
  await untilWitness(scenario);
  await scenario.startWriter();
  await moreWrites(scenario, 30);
}

/** The same with a cluster of its own. */
export async function written(scenario: Scenario, spec: SpecInput, etcd: EtcdOptions = {}): Promise<void> {
  await scenario.addNodes(3);
  await scenario.startEtcd(etcd);
  await known(scenario, spec);
}

/** A schedule of snapshots. */
export const every = (interval: string): SpecInput => ({backups: {interval, keepLast: 2}});

/** The schedule takes snapshots until one has all that was written before, and rests then. @returns the last one */
export async function scheduled(scenario: Scenario): Promise<{name: string; revision: number}> {
  const wanted = Math.max(...(await scenario.writerReport()).acks.map(({revision}) => revision));
  const backups = async () => (await recovery(scenario)).status?.backups;
  await until('a snapshot of what was written', async () => {
    const {lastSuccess, current, last} = await backups() ?? {};
    return (lastSuccess?.revision ?? 0) >= wanted || new Missing(JSON.stringify({lastSuccess, current, last}));
  }, {seconds: 90});
  await changeRecovery(scenario, every('1h'));
  return await until('the end of the last one', async () => {
    const {lastSuccess, current} = await backups() ?? {};
    return current === undefined ? lastSuccess : new Missing(current.name);
  });
}

/** The node of every member goes for good, and so many new ones come. @returns when they were gone, ms since the epoch */
export async function loseEverything(scenario: Scenario, fresh = 3): Promise<number> {
  await loseNodesOf(scenario, podNames());
  const at = Date.now();
  await scenario.addNodes(fresh);
  return at;
}

/** Approves the plan that waits, whatever it is. */
export async function approve(scenario: Scenario): Promise<void> {
  const {status} = await untilReady(scenario, 'AwaitingApproval');
  await changeRecovery(scenario, {approval: 'Required', approvedPlan: status?.run?.plan?.hash ?? ''});
}

/** The cluster is whole, has all that the snapshot had and all that was written since, and no revision came twice. */
export async function restored(scenario: Scenario, loss: Loss): Promise<void> {
  await moreWrites(scenario, 20);
  const report = await scenario.stopWriter();
  await setUnchanged(scenario);
  await whole(scenario);
  await nothingLeft(scenario);
  await dataThere(scenario, required(report, loss));
  // Nothing else is lost, and nothing that is called lost is there.
  const gone = report.acks.filter(({at, revision}) => at <= loss.at + 1_000 && revision > loss.survivorRevision).map(({key}) => key);
  const differs = await scenario.tool.compare(await scenario.member('etcd-0'), seedCount, report.acks, false);
  assert.deepEqual(differs.map((words) => words.split(' ')[0]), gone);
  const old = report.acks.filter(({at}) => at <= loss.at).map(({revision}) => revision);
  const fresh = report.acks.filter(({at}) => at > loss.at + 1_000).map(({revision}) => revision);
  assert.ok(fresh.length > 0 && Math.min(...fresh) > Math.max(...old), `revision ${Math.min(...fresh)} came after ${Math.max(...old)}`);
  console.log(`      ${old.filter((revision) => revision > loss.survivorRevision).length} acknowledged writes after the snapshot are lost; revisions go on from ${Math.max(...old)} with ${Math.min(...fresh)}`);
}

/** The result names what is lost: everything after the snapshot's revision. */
export function statesLoss(status: Awaited<ReturnType<typeof recovery>>['status'], revision: number, highest: number): void {
  assert.equal(status?.dataLoss?.survivorRevision, revision);
  assert.ok((status.dataLoss.lastKnownRevision ?? 0) <= highest, 'more was seen than was written');
  const loss = conditionOf(status, 'DataLossPossible');
  assert.deepEqual([loss?.status, loss?.reason], ['True', 'RestoredFromSnapshot']);
  assert.match(loss?.message ?? '', new RegExp(`at revision ${revision}`));
}
