import assert from 'node:assert/strict';
import {startBucket} from '../bucket.ts';
import {e2e} from '../case.ts';
import {fingerprint, untouched} from '../checks.ts';
import {setName} from '../etcd.ts';
import {etcdctl} from '../etcdctl.ts';
import {fillQuota, labOf, podNames} from '../faults.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, toldOf, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import {approve, claim, every, known, loseEverything, moreWrites, request, restored, scheduled, statesLoss, written} from '../restoring.ts';
import type {Scenario} from '../scenario.ts';
import {isPlanned, withStore} from '../snapshots.ts';
import type {SnapshotStore} from '../snapshots.ts';
import {createUserSecret, disableAuth, enableAuth} from '../users.ts';
import {Missing, until} from '../wait.ts';
import {WatchingClient} from '../watching-client.ts';

/** A client of the members' own names, which are the same before and after. */
function watchingClient(scenario: Scenario): WatchingClient {
  const lab = labOf(scenario);
  const endpoints = podNames().map((pod) => `http://${pod}.${setName}.${scenario.namespace}.svc.cluster.local:2379`);
  return new WatchingClient(lab.command([`${lab.bin}/etcdctl`, `--endpoints=${endpoints.join(',')}`]), 'writer/');
}

/** The client was told that the history is gone, has begun anew by itself, was told no revision twice, and has what etcd has. */
async function wasToldRightly(client: WatchingClient, before: number): Promise<void> {
  await until('what is written after the restore, heard by the client', () => Promise.resolve(client.highest > before || new Missing(`highest revision ${client.highest}; ${JSON.stringify(client.ends)}`)), {seconds: 180});
  await until('a cache that has what etcd has', async () => {
    const [cached, there] = [client.cache, await client.inEtcd()];
    return JSON.stringify(cached) === JSON.stringify(there) || new Missing(`${cached.length} keys cached, ${there.length} in etcd`);
  }, {seconds: 30});
  assert.deepEqual(client.twice, []);
  const end = client.ends.at(-1);
  assert.match(end?.words ?? 'the watch did not end', /watch was canceled \(etcdserver: (mvcc: required revision has been compacted|no leader)\)/);
  if (/compacted/.test(end?.words ?? '')) assert.ok((end?.compactRevision ?? 0) > before, `the history begins at ${end?.compactRevision ?? 0}, and the client had been told of ${before}`);
  console.log(`      the client had been told of revision ${before}, and then: ${client.ends.map(({words, compactRevision}) => `${words.split('\n')[0] ?? ''} (history from ${compactRevision})`).join('; ')}`);
}

describe('A cluster of which no node is left', () => {
  e2e('is restored from the newest snapshot that its schedule has brought to a bucket, on new claims of all members at once, after approval; a client that watches through it is told that the history is gone, and no revision twice', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    // Made after the members have their places: the bucket is elsewhere, and stays.
    const [aside = ''] = await scenario.addNodes(1);
    const bucket = await startBucket(scenario, aside);
    await known(scenario, {snapshot: bucket.spec, ...every('5s')});
    const client = watchingClient(scenario);
    try {
      client.start();
      const {name, revision} = await scheduled(scenario);
      await moreWrites(scenario, 50);
      await until('what the client hears', () => Promise.resolve(client.highest > revision || undefined));
      const at = await loseEverything(scenario);
      const highest = Math.max(...(await scenario.writerReport()).acks.map((ack) => ack.revision));
      const told = client.highest;
      assert.ok(told > revision, `the client was told of revision ${told}, and the snapshot is at ${revision}`);
      const before = await fingerprint(scenario);
      await changeRecovery(scenario, {trigger: {request}});
      const asked = await untilReady(scenario, 'AwaitingApproval');
      const plan = asked.status?.run?.plan;
      assert.equal(plan?.strategy, 'RestoreSnapshot');
      isPlanned(plan.snapshot, name, revision);
      assert.ok(bucket.objects().includes(name));
      assert.match(plan.expectedLoss, new RegExp(`revision ${revision}`));
      assert.deepEqual(plan.lost.map(({fenced}) => fenced), ['NodeDeleted', 'NodeDeleted', 'NodeDeleted']);
      await untouched(scenario, before);
      const begin = Date.now();
      await approve(scenario);
      const {status} = await untilComplete(scenario, 'Recovered', {request});
      statesLoss(status, revision, highest);
      const writable = Date.parse(status?.run?.writableAt ?? '');
      console.log(`      first write ${((writable - begin) / 1000).toFixed(1)} s after the approval, whole after ${((Date.parse(status?.run?.finishedAt ?? '') - begin) / 1000).toFixed(1)} s`);
      await restored(scenario, {at, survivorRevision: revision});
      await wasToldRightly(client, told);
    } finally {
      await client.stop();
    }
  }, {minutes: 10, weight: 2});

  e2e('is not restored from snapshots that are corrupt, truncated, of another cluster or too old: each is refused by name, and the next good one is taken', async (scenario) => {
    await withStore(scenario, async (store) => {
      await written(scenario, {snapshot: {claim, maxAge: '24h'}});
      const revision = await store.take('good.db', 'etcd-0');
      await spoil(store);
      const good = store.file('good.db');
      store.copy('good.db', 'aside', {hours: 0});
      store.remove('good.db');
      store.copy('aside', 'old.db', {hours: 240});
      store.remove('aside');
      assert.ok(good);
      const at = await loseEverything(scenario);
      const before = await fingerprint(scenario);
      await changeRecovery(scenario, {trigger: {request}});
      const blocked = await untilReady(scenario, 'NoSnapshot');
      const message = conditionOf(blocked.status, 'Ready')?.message ?? '';
      for (const [name, reason] of [['corrupt.db', '(SnapshotDamaged|Unreadable)'], ['truncated.db', '(SnapshotTruncated|SnapshotDamaged|Unreadable)'], ['foreign.db', 'SnapshotForeign'], ['old.db', 'SnapshotTooOld']] as const) {
        assert.match(message, new RegExp(`snapshot ${name} is not taken \\(${reason}\\)`));
      }
      await untouched(scenario, before);
      // A person finds one in time, older than the broken ones.
      store.copy('old.db', 'good.db', {hours: 20});
      await changeRecovery(scenario, {snapshot: {claim, maxAge: '23h'}});
      const asked = await untilReady(scenario, 'AwaitingApproval');
      const plan = asked.status?.run?.plan;
      isPlanned(plan?.snapshot, 'good.db', revision);
      assert.match(plan?.notes.join('\n') ?? '', /snapshot corrupt\.db is not taken/);
      await approve(scenario);
      await untilComplete(scenario, 'Recovered', {request, mayBlock: true});
      await restored(scenario, {at, survivorRevision: revision});
    });
  }, {minutes: 10, weight: 2});
});

/** Beside a good snapshot: one with a changed byte, half of one, and one of another cluster. */
async function spoil(store: SnapshotStore): Promise<void> {
  store.corrupt('good.db', 'corrupt.db');
  store.truncate('good.db', 'truncated.db');
  await store.makeForeign('good.db', 'foreign.db');
}

/** What is under way when the operator is killed, by the step that runs. */
const steps = ['Plan', 'Approve', 'Hold', 'Stop', 'Restore', 'StartAll', 'Verify'];

describe('The operator is killed with SIGKILL once in each step of a restore', () => {
  e2e('the run ends as if nothing had happened, with the same snapshot', async (scenario) => {
    await withStore(scenario, async (store) => {
      await written(scenario, {snapshot: {claim}});
      const revision = await store.take('first.db', 'etcd-2');
      await moreWrites(scenario, 20);
      const at = await loseEverything(scenario);
      let current = await leader(scenario);
      await changeRecovery(scenario, {trigger: {request}});
      const killed: string[] = [];
      const ended = await until('the end of the run', async () => {
        const found = await recovery(scenario);
        const {status} = found;
        if (status?.run?.request !== request) return undefined;
        const step = status.run.steps.find(({state}) => state === 'Running')?.name ?? '';
        if (steps.includes(step) && !killed.includes(step)) {
          killOperator(current);
          killed.push(step);
          const before = JSON.stringify(status.run.steps);
          current = await until(`another step after the kill in ${step}`, async () => {
            const now = await recovery(scenario);
            if (step === 'Approve' && now.status?.run?.plan !== undefined) return await leader(scenario);
            return JSON.stringify(now.status?.run?.steps) === before && now.status?.run?.finishedAt === undefined ? undefined : await leader(scenario);
          }, {seconds: 150, every: 20});
          return undefined;
        }
        if (status.phase === 'AwaitingApproval' && found.spec.approvedPlan !== status.run.plan?.hash) await changeRecovery(scenario, {approval: 'Required', approvedPlan: status.run.plan?.hash ?? ''});
        return conditionOf(status, 'Complete')?.status === 'True' ? found : new Missing(standing(status));
      }, {seconds: 720, every: 15});
      console.log(`      killed in ${killed.join(', ')}`);
      assert.ok(killed.includes('Restore') && killed.includes('StartAll'), `killed only in ${killed.join(', ')}`);
      assert.equal(conditionOf(ended.status, 'Complete')?.reason, 'Recovered');
      isPlanned(ended.status?.run?.plan?.snapshot, 'first.db', revision);
      await restored(scenario, {at, survivorRevision: revision});
    });
  }, {minutes: 15, ownOperator: true, weight: 3});
});

describe('A snapshot in which more stands than keys', () => {
  e2e('a full database: the alarm NOSPACE that comes with it is settled before the first write, that is told, and clients write again', async (scenario) => {
    await withStore(scenario, async (store) => {
      await written(scenario, {snapshot: {claim}}, {quotaBytes: 16 << 20});
      await fillQuota(scenario, 'etcd-0');
      // The member that raised it has it on its disk: nothing is acknowledged after this snapshot.
      const revision = await store.take('full.db', 'etcd-0');
      const at = await loseEverything(scenario);
      assert.equal((await scenario.writerReport()).acks.filter((ack) => ack.revision > revision).length, 0, 'a full database took a write');
      await changeRecovery(scenario, {trigger: {request}});
      await approve(scenario);
      const {status} = await untilComplete(scenario, 'Recovered', {request});
      isPlanned(status?.run?.plan?.snapshot, 'full.db', revision);
      statesLoss(status, revision, revision);
      for (const words of [status?.run?.steps.find(({name}) => name === 'StartAll')?.message ?? '', await toldOf(scenario, 'StartAllDone')]) {
        assert.match(words, /serve as the new cluster [0-9a-f]+, from revision [0-9]+; alarm NOSPACE of member [0-9a-f]+ came with the data and is disarmed/);
      }
      for (const member of await scenario.members()) assert.deepEqual(await scenario.tool.member(member).alarms(), [], `an alarm stands on ${member.pod}`);
      await restored(scenario, {at, survivorRevision: revision});
    });
  }, {minutes: 10, weight: 2});

  e2e('users, whom the cluster had no more when it was lost: without one the new members refuse the operator, that is told by its field, and the run goes on once the spec names a user', async (scenario) => {
    const password = 'right';
    await withStore(scenario, async (store) => {
      await scenario.addNodes(3);
      await scenario.startEtcd();
      // From now on the case's own clients show it where they are asked.
      scenario.user = {username: 'root', password};
      await scenario.startWriter();
      await moreWrites(scenario, 30);
      await enableAuth(scenario, 'etcd-0', password);
      const revision = await store.take('users.db', 'etcd-0');
      await disableAuth(scenario, 'etcd-0');
      await applyRecovery(scenario, {snapshot: {claim}});
      await untilComplete(scenario, 'NotNeeded');
      await untilWitness(scenario);
      await moreWrites(scenario, 30);
      const at = await loseEverything(scenario);
      const highest = Math.max(...(await scenario.writerReport()).acks.map((ack) => ack.revision));
      await changeRecovery(scenario, {trigger: {request}});
      await approve(scenario);
      const {status: refused} = await untilReady(scenario, 'CredentialsRejected', 180);
      assert.match(conditionOf(refused, 'Ready')?.message ?? '', /etcd does not take the user and password, as there are none \(spec\.target\.auth\).*set spec\.target\.auth to a Secret with a user of the root role, and the run goes on by itself/s);
      assert.deepEqual([refused?.run?.steps.find(({state}) => state === 'Running')?.name, refused?.run?.writableAt], ['StartAll', undefined]);
      assert.deepEqual([...refused?.heldPods ?? []].sort(), podNames(), 'a name was let go before the new cluster serves');
      await changeRecovery(scenario, {target: await createUserSecret(scenario, password)});
      const {status} = await untilComplete(scenario, 'Recovered', {request, mayBlock: true});
      isPlanned(status?.run?.plan?.snapshot, 'users.db', revision);
      statesLoss(status, revision, highest);
      await restored(scenario, {at, survivorRevision: revision});
    });
  }, {minutes: 10, weight: 2, extended: true});

  e2e('the alarm CORRUPT: nobody knows whose data it is, so nothing is written and nothing disarmed before a person has done that', async (scenario) => {
    await withStore(scenario, async (store) => {
      await written(scenario, {snapshot: {claim}});
      const {memberID} = await scenario.etcdStatus('etcd-1');
      await scenario.tool.raiseCorrupt(await scenario.member('etcd-0'), memberID);
      const revision = await store.take('corrupt.db', 'etcd-0');
      const at = await loseEverything(scenario);
      await changeRecovery(scenario, {trigger: {request}});
      await approve(scenario);
      const {status} = await untilReady(scenario, 'AlarmRaised', 180);
      assert.match(conditionOf(status, 'Ready')?.message ?? '', new RegExp(`the alarm CORRUPT of member ${memberID} stands in the data that was restored, .*which may be the one that the data is of.*etcdctl alarm disarm`));
      const raised = async () => await scenario.tool.member(await scenario.member('etcd-0')).alarms();
      assert.deepEqual(await raised(), [{memberID, alarm: 'CORRUPT'}]);
      assert.equal(status?.run?.writableAt, undefined);
      await etcdctl(scenario, 'etcd-0', 'alarm', 'disarm');
      await untilComplete(scenario, 'Recovered', {request, mayBlock: true});
      assert.deepEqual(await raised(), []);
      await restored(scenario, {at, survivorRevision: revision});
    });
  }, {minutes: 10, weight: 2, extended: true});
});
