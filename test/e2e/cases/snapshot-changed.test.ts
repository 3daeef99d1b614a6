import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {podNames, stoppedInAll} from '../faults.ts';
import {askedPlan, changeRecovery, conditionOf, recovery, standing, untilComplete, untilReady} from '../recovery.ts';
import {claim, loseEverything, moreWrites, request, restored, statesLoss, written} from '../restoring.ts';
import type {Scenario} from '../scenario.ts';
import {isPlanned, withStore} from '../snapshots.ts';
import type {SnapshotStore} from '../snapshots.ts';
import {Missing, until} from '../wait.ts';

const name = 'good.db';

interface Planned {
  /** When every old member was gone, ms since the epoch. */
  at: number;
  /** That of the snapshot. */
  revision: number;
  highest: number;
  /** The plan's hash. */
  hash: string;
  id: string | undefined;
}

/** A cluster of which no data is left, and a plan to restore a snapshot that a claim has, which waits for approval. */
async function planned(scenario: Scenario, store: SnapshotStore): Promise<Planned> {
  await written(scenario, {snapshot: {claim, name}});
  const revision = await store.take(name, 'etcd-1');
  await moreWrites(scenario, 30);
  await store.take('newer.db', 'etcd-1');
  const at = await loseEverything(scenario);
  const highest = Math.max(...(await scenario.writerReport()).acks.map((ack) => ack.revision));
  await changeRecovery(scenario, {trigger: {request}});
  const plan = await askedPlan(scenario);
  isPlanned(plan.snapshot, name, revision);
  return {at, revision, highest, hash: plan.hash, id: (await recovery(scenario)).status?.run?.id};
}

/** Blocked with these words, every name held, nothing put in place and nothing served. */
async function refused(scenario: Scenario, words: RegExp, seconds = 180): Promise<void> {
  await until(`RestoreFailed with ${String(words)}`, async () => {
    const {status} = await recovery(scenario);
    const ready = conditionOf(status, 'Ready');
    return ready?.reason === 'RestoreFailed' && words.test(ready.message) ? true : new Missing(standing(status));
  }, {seconds});
  const {status} = await untilReady(scenario, 'RestoreFailed');
  const {newCluster, writableAt} = status?.run ?? {};
  assert.deepEqual([status?.phase, newCluster?.seeded, newCluster?.members, writableAt, [...status?.heldPods ?? []].sort()], ['Blocked', [], podNames(), undefined, podNames()]);
}

/** The same run ends, with the snapshot that was approved. */
async function goesOn(scenario: Scenario, {at, revision, highest, id}: Planned): Promise<void> {
  const {status} = await untilComplete(scenario, 'Recovered', {request, mayBlock: true, seconds: 240});
  assert.equal(status?.run?.id, id, 'it took another run');
  isPlanned(status?.run?.plan?.snapshot, name, revision);
  statesLoss(status, revision, highest);
  await restored(scenario, {at, survivorRevision: revision});
}

describe('The snapshot on a claim is another file after its plan was approved', () => {
  e2e('a job keeps writing to it: SnapshotChanged is told, nothing is restored from it, and the run goes on by itself once the file is left alone', async (scenario) => { await withStore(scenario, async (store) => {
    const plan = await planned(scenario, store);
    const end = store.keepWriting(name);
    try {
      await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
      await refused(scenario, /the snapshot could not be restored for etcd-\d \(prepare: SnapshotChanged: snapshot good\.db in claim backups is being written to\. What was read of it is not used, and no data was changed: leave the file alone until the restore is over\)\. Its old data is kept, and every name is held; it is tried again after half a minute/);
    } finally {
      end();
    }
    await goesOn(scenario, plan);
  }); }, {minutes: 10, weight: 2, extended: true});

  e2e('a newer one takes its name while etcdutl reads it: what was built is not used (SnapshotChanged), nor is the newer one (SnapshotDamaged), and the run goes on with the approved one once that is back', async (scenario) => { await withStore(scenario, async (store) => {
    const plan = await planned(scenario, store);
    await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
    const goOn = await stoppedInAll(scenario, 'Restore', 'etcdutl', 3);
    store.rename(name, 'approved.db');
    store.rename('newer.db', name);
    goOn();
    await refused(scenario, /the snapshot could not be restored for etcd-\d \(volume-agent: SnapshotChanged: snapshot good\.db in claim backups was written to or replaced while it was restored\. What was read of it is not used, and no data was changed: leave the file alone until the restore is over\)/);
    await refused(scenario, /the snapshot could not be restored for etcd-\d \(prepare: SnapshotDamaged: Snapshot good\.db is another one than was approved, or was cut off or changed since/);
    store.rename('approved.db', name);
    await goesOn(scenario, plan);
  }); }, {minutes: 10, weight: 2, extended: true});
});
