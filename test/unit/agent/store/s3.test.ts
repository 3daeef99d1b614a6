import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {StoreConfig} from '../../../../src/agent/store/config.ts';
import {openBucket} from '../../../../src/agent/store/s3.ts';
import {Refusal} from '../../../../src/agent/failure.ts';
import {freePort} from '../etcd-processes.ts';
import {memberID, newVolume, removeVolumes} from '../volumes.ts';
import {cluster, database, fetch, list, place, snapshotOf} from './snapshots.ts';

const keys = {AWS_ACCESS_KEY_ID: 'backup', AWS_SECRET_ACCESS_KEY: 'backup-secret'};
const expecting = ['--expect-cluster', cluster, '--expect-members', memberID];
const gateway = process.env.VERSITYGW;

async function* pieces(...buffers: Buffer[]): AsyncGenerator<Buffer> {
  for (const buffer of buffers) yield await Promise.resolve(buffer);
}

/** A real server that speaks S3, with a directory for each bucket. */
async function startGateway(): Promise<{port: number; root: string; process: ChildProcess}> {
  const [root, sidecar, port] = [newVolume(), newVolume(), await freePort()];
  mkdirSync(join(root, 'backups'));
  const server = spawn(gateway ?? '', ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', sidecar, root], {
    env: {ROOT_ACCESS_KEY: keys.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: keys.AWS_SECRET_ACCESS_KEY}, stdio: 'ignore',
  });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answers = await globalThis.fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false);
    if (answers) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {port, root, process: server};
}

const bucketAt = (port: number, more: object = {}): StoreConfig =>
  ({kind: 's3', bucket: 'backups', prefix: 'clusters/db', endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', forcePathStyle: true, ...more});

describe('a store of snapshots in a bucket', function () {
  this.timeout(60_000);
  // AWS's client reads them from the process that it is in.
  before(() => { Object.assign(process.env, keys); });
  after(() => {
    for (const name of Object.keys(keys)) Reflect.deleteProperty(process.env, name);
    removeVolumes();
  });

  it('that nobody serves is named, and counts as unreachable', async () => {
    const report = await list(bucketAt(await freePort()), [], keys);
    assert.ok(!report.ok);
    assert.equal(report.reason, 'StoreUnreachable');
    assert.match(report.message, /bucket backups, prefix clusters\/db at http:\/\/127\.0\.0\.1:\d+ cannot be reached: ECONNREFUSED/);
  });

  if (gateway === undefined) {
    it('needs VERSITYGW, the binary of a server', function () { this.skip(); });
    return;
  }
  let server: Awaited<ReturnType<typeof startGateway>>;
  before(async () => { server = await startGateway(); });
  after(() => { server.process.kill(); });

  it('holds what was written, in one part or in several, and lists it below its prefix', async () => {
    const store = await openBucket(bucketAt(server.port) as never, undefined);
    const large = Buffer.alloc(20 << 20, 'etcd');
    await store.write('small.db', pieces(Buffer.from('small')), 5);
    await store.write('large.db', pieces(large.subarray(0, 7_000_000), large.subarray(7_000_000)), large.length);
    writeFileSync(join(server.root, 'backups', 'elsewhere.db'), 'not ours');
    assert.deepEqual((await store.list()).map(({name, bytes}) => [name, bytes]).sort(), [['large.db', large.length], ['small.db', 5]]);
    const read: Buffer[] = [];
    for await (const piece of store.read('large.db')) read.push(piece);
    assert.ok(Buffer.concat(read).equals(large));
    await store.remove('large.db');
    await store.remove('small.db');
    await store.remove('was-never-there.db');
    assert.deepEqual(await store.list(), []);
  });
  it('shows nothing of an upload that breaks off', async () => {
    const store = await openBucket(bucketAt(server.port) as never, undefined);
    const breaks = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(12 << 20);
      await Promise.resolve();
      throw new Error('etcd went away');
    };
    await assert.rejects(store.write('half.db', breaks(), 20 << 20), /etcd went away/);
    await assert.rejects(store.write('short.db', pieces(Buffer.alloc(9 << 20)), 20 << 20), (error: unknown) => error instanceof Refusal && error.reason === 'SnapshotDamaged');
    assert.deepEqual(await store.list(), []);
  });
  it('is cleared of uploads whose writer was killed, and of nobody else\'s', async () => {
    const {CreateMultipartUploadCommand, S3Client} = await import('@aws-sdk/client-s3');
    const client = new S3Client({region: 'us-east-1', endpoint: `http://127.0.0.1:${server.port}`, forcePathStyle: true});
    for (const name of ['db-etcd-20260101T000000Z.db', 'another.db']) await client.send(new CreateMultipartUploadCommand({Bucket: 'backups', Key: `clusters/db/${name}`}));
    const store = await openBucket(bucketAt(server.port) as never, undefined);
    assert.equal(await store.clean((name) => name.startsWith('db-etcd-')), 1);
    assert.equal(await store.clean((name) => name.startsWith('db-etcd-')), 0);
    assert.equal(await store.clean(() => true), 1);
  });
  it('gives the newest snapshot that verifies, like any other store', async () => {
    const directory = join(server.root, 'backups', 'clusters', 'db');
    place(directory, {name: 'old.db', takenAt: '2026-01-01T00:00:00Z'});
    place(directory, {name: 'new.db', takenAt: '2026-01-02T00:00:00Z', content: Buffer.alloc(10)});
    const volume = newVolume();
    const report = await fetch(bucketAt(server.port), volume, expecting, keys);
    assert.ok(report.ok, JSON.stringify(report));
    assert.deepEqual([report.snapshot.name, report.refused.map(({name, reason}) => [name, reason])], ['old.db', [['new.db', 'SnapshotTruncated']]]);
    assert.deepEqual(readFileSync(join(volume, report.path ?? '')), snapshotOf(database()));
  });
  it('tells what is wrong with the key or the bucket', async () => {
    const missing = await list(bucketAt(server.port, {bucket: 'not-there'}), [], keys);
    assert.ok(!missing.ok && missing.reason === 'StoreRefused', JSON.stringify(missing));
    assert.match(missing.message, /bucket not-there.* answers 404 NoSuchBucket/);
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    try {
      const refused = await list(bucketAt(server.port), []);
      assert.ok(!refused.ok && refused.reason === 'StoreRefused', JSON.stringify(refused));
      assert.match(refused.message, /answers 403 SignatureDoesNotMatch/);
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = keys.AWS_SECRET_ACCESS_KEY;
    }
    assert.ok(existsSync(join(server.root, 'backups')) && readdirSync(server.root).length > 0);
  });
});
