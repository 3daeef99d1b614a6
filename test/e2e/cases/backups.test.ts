import assert from 'node:assert/strict';
import {existsSync, mkdtempSync, readFileSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Backups} from '../../../src/api/types.ts';
import {marks} from '../../../src/api/types.ts';
import {run} from '../../lab/shell.ts';
import {bucketPod, startBucket} from '../bucket.ts';
import {e2e} from '../case.ts';
import {fingerprint, nothingLeft, setUnchanged, untouched} from '../checks.ts';
import {directoryOf, labOf, processesOf, signalPod} from '../faults.ts';
import {resourceSeries} from '../metrics.ts';
import {killOperator, leader} from '../operator.ts';
import {changeRecovery, conditionOf, recovery, toldOf} from '../recovery.ts';
import type {SpecInput} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';
import {watched} from '../watched.ts';

type Success = NonNullable<Backups['lastSuccess']>;

const standing = async (scenario: Scenario): Promise<{backups: Backups | undefined; condition: ReturnType<typeof conditionOf>}> => {
  const {status} = await recovery(scenario);
  return {backups: status?.backups, condition: conditionOf(status, 'BackedUp')};
};

/** Waits for a snapshot that was saved, and that is none of those. */
async function saved(scenario: Scenario, known: readonly string[] = [], seconds = 90): Promise<Success> {
  return await until('another snapshot in the store', async () => {
    const {backups, condition} = await standing(scenario);
    const {lastSuccess} = backups ?? {};
    if (lastSuccess !== undefined && !known.includes(lastSuccess.name)) return lastSuccess;
    return new Missing(`${condition?.reason ?? 'no condition'}: ${condition?.message ?? ''}; ${JSON.stringify(backups?.current ?? {})}`);
  }, {seconds});
}

/** etcdutl reads the snapshot whole, and restores it. */
async function verifies(scenario: Scenario, file: string, revision: number): Promise<void> {
  const etcdutl = join(labOf(scenario).bin, 'etcdutl');
  const told = JSON.parse(await run(etcdutl, ['snapshot', 'status', file, '-w', 'json'])) as {revision: number};
  assert.equal(told.revision, revision);
  const scratch = mkdtempSync(join(tmpdir(), 'e2e-backup-'));
  try {
    await run(etcdutl, ['snapshot', 'restore', file, '--data-dir', join(scratch, 'restored')]);
  } finally {
    rmSync(scratch, {recursive: true});
  }
}

const backupPods = async (scenario: Scenario) => (await scenario.kube.list('pods', scenario.namespace, `${marks.helper}=Agent`)).filter((pod) => pod.metadata?.annotations?.[marks.step] === 'Backup');

/** The member that every member follows. */
async function leaderID(scenario: Scenario): Promise<string> {
  return (await scenario.etcdStatus('etcd-0')).leader;
}

const within = (interval: string, more: object = {}): SpecInput => ({backups: {interval, keepLast: 2, ...more}});

describe('Backups', () => {
  e2e('to a bucket: on schedule, of a follower, each verified, the last two kept, and told by condition and metric', async (scenario) => {
    const [first = ''] = await scenario.addNodes(3);
    await scenario.startEtcd();
    const bucket = await startBucket(scenario, first);
    const before = await fingerprint(scenario);
    const begin = Date.now();
    await watched(scenario, {gracePeriod: '1h'}, {...within('4s'), snapshot: bucket.spec});
    const names: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const {name, memberID} = await saved(scenario, names);
      if (count === 0) console.log(`      the first snapshot was in the bucket ${((Date.now() - begin) / 1000).toFixed(1)} s after the resource was made`);
      assert.notEqual(memberID, await leaderID(scenario), 'it was taken from the leader');
      names.push(name);
    }
    await changeRecovery(scenario, within('1h'));
    await until('the end of the last one', async () => ((await standing(scenario)).backups?.current === undefined && (await backupPods(scenario)).length === 0 ? true : undefined));
    const {backups, condition} = await standing(scenario);
    const {lastSuccess} = backups ?? {};
    assert.ok(lastSuccess);
    assert.deepEqual([condition?.status, condition?.reason], ['True', 'Saved']);
    assert.equal(lastSuccess.kept, 2);
    const objects = bucket.objects();
    assert.deepEqual(objects.filter((name) => name.endsWith('.json')), objects.filter((name) => name.endsWith('.db')).map((name) => `${name}.json`));
    assert.equal(objects.length, 4, objects.join(', '));
    await verifies(scenario, join(bucket.directory, lastSuccess.name), lastSuccess.revision);
    const record = JSON.parse(readFileSync(join(bucket.directory, `${lastSuccess.name}.json`), 'utf8')) as {sha256: string; clusterID: string};
    assert.deepEqual([record.sha256, record.clusterID], [lastSuccess.sha256, lastSuccess.clusterID]);
    const series = await resourceSeries(scenario);
    assert.ok(Math.abs((series.get('backup_last_success_timestamp_seconds') ?? 0) - Date.parse(lastSuccess.takenAt) / 1000) < 1);
    assert.deepEqual([series.get('backup_stale_after_seconds'), series.get('backup_failures'), series.get('backup_snapshots')], [7_260, 0, 2]);
    assert.match(await toldOf(scenario, 'BackupSaved'), /was verified and saved at revision/);
    await untouched(scenario, before);
    await setUnchanged(scenario);
    await nothingLeft(scenario);
  });

  e2e('to a claim, over TLS: a file and its record appear together, and nothing else is left there', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({tlsSecret: 'etcd-tls'});
    await scenario.kube.create('persistentvolumeclaims', {metadata: {name: 'backups', namespace: scenario.namespace}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}}});
    await watched(scenario, {gracePeriod: '1h'}, {...within('5s', {keepLast: 1}), target: {tls: {secretName: 'etcd-client-tls'} as never}, snapshot: {claim: {name: 'backups', path: 'db/etcd'}}});
    const first = await saved(scenario);
    const second = await saved(scenario, [first.name]);
    await changeRecovery(scenario, within('1h', {keepLast: 1}));
    await until('the end of the last one', async () => ((await backupPods(scenario)).length === 0 ? true : undefined));
    const {lastSuccess = second} = (await standing(scenario)).backups ?? {};
    const name = await directoryOf(scenario, 'backups');
    const disks = labOf(scenario).nodes().map((node) => join(labOf(scenario).disk(node.name), name, 'db', 'etcd'));
    const directory = disks.find((candidate) => existsSync(candidate)) ?? '';
    assert.deepEqual(readdirSync(directory).sort(), [lastSuccess.name, `${lastSuccess.name}.json`]);
    await verifies(scenario, join(directory, lastSuccess.name), lastSuccess.revision);
    await nothingLeft(scenario);
  });

  e2e('say by condition and event that the store is away, leave the cluster alone, and go on by themselves', async (scenario) => {
    const [first = ''] = await scenario.addNodes(3);
    await scenario.startEtcd();
    const bucket = await startBucket(scenario, first);
    const before = await fingerprint(scenario);
    await watched(scenario, {gracePeriod: '1h'}, {...within('5s'), snapshot: bucket.spec});
    const {name} = await saved(scenario);
    await scenario.kube.patch('services', scenario.namespace, bucketPod, {spec: {selector: {app: 'nobody'}}});
    const failed = await until('the failure', async () => {
      const {backups, condition} = await standing(scenario);
      return backups?.last?.saved === false ? {backups, condition} : new Missing(JSON.stringify(backups?.current ?? {}));
    }, {seconds: 120});
    assert.equal(failed.backups.last?.reason, 'StoreUnreachable');
    assert.deepEqual([failed.condition?.status, failed.condition?.reason], ['False', 'Failed']);
    assert.match(failed.condition?.message ?? '', /cannot be reached.*The last one that was saved is/);
    assert.match(await toldOf(scenario, 'BackupFailed'), /StoreUnreachable/);
    assert.ok(((await resourceSeries(scenario)).get('backup_failures') ?? 0) >= 1);
    assert.equal((await recovery(scenario)).status?.phase, 'Watching');
    await scenario.kube.patch('services', scenario.namespace, bucketPod, {spec: {selector: {app: bucketPod}}});
    await saved(scenario, [name, ...bucket.objects()], 120);
    await until('the condition', async () => {
      const {condition} = await standing(scenario);
      return condition?.status === 'True' ? true : new Missing(condition?.message ?? '');
    });
    await untouched(scenario, before);
    await scenario.healthy(3);
  }, {extended: true});

  e2e('of which one is cut off in mid-upload, with the operator killed: no half snapshot looks whole, and the next one is', async (scenario) => {
    const [first = ''] = await scenario.addNodes(3);
    await scenario.startEtcd();
    const bucket = await startBucket(scenario, first);
    const before = await fingerprint(scenario);
    await watched(scenario, {gracePeriod: '1h'}, {...within('5s', {keepLast: 10}), snapshot: bucket.spec});
    await saved(scenario);
    const server = await scenario.pod(bucketPod);
    signalPod(server, 'versitygw', 'SIGSTOP');
    // From here on no upload ends; one that is under way is in the middle.
    const agent = await until('an agent that uploads', async () => {
      const [pod] = await backupPods(scenario);
      const since = pod?.status?.containerStatuses?.[0]?.state?.running?.startedAt;
      return since !== undefined && processesOf(pod, 'agent/main.js').length > 0 && Date.now() - new Date(since).getTime() > 3_000 ? pod : undefined;
    }, {seconds: 60});
    const {current} = (await standing(scenario)).backups ?? {};
    killOperator(await leader(scenario));
    signalPod(agent, 'agent/main.js', 'SIGKILL');
    signalPod(server, 'versitygw', 'SIGCONT');
    const next = await saved(scenario, [current?.name ?? '', ...bucket.objects()], 150);
    const {failures, last} = (await standing(scenario)).backups ?? {};
    assert.equal(failures, undefined, JSON.stringify(last));
    await changeRecovery(scenario, within('1h', {keepLast: 10}));
    await until('the end of the last one', async () => ((await backupPods(scenario)).length === 0 ? true : undefined));
    const objects = bucket.objects();
    assert.ok(!objects.includes(`${current?.name ?? ''}.json`), `${current?.name ?? ''} has a record`);
    for (const name of objects.filter((object) => object.endsWith('.json'))) {
      const {revision} = JSON.parse(readFileSync(join(bucket.directory, name), 'utf8')) as {revision: number};
      await verifies(scenario, join(bucket.directory, name.replace(/\.json$/, '')), revision);
    }
    assert.ok(objects.includes(next.name));
    await untouched(scenario, before);
    await nothingLeft(scenario);
  }, {ownOperator: true});
});
