import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {AgentReport, SnapshotReport} from '../../../src/agent/report.ts';
import {runSnapshot} from '../../../src/agent/streaming.ts';
import {makeCertificates} from '../../e2e/certificates.ts';
import {binary, call, etcdVersions, freePort, hex, put, startCluster, startEtcd, status, stop, stopEverything, until} from './etcd-processes.ts';
import type {Member} from './etcd-processes.ts';
import {newVolume, removeVolumes} from './volumes.ts';

async function take(root: string, dataDir: string, endpoint: string, ...more: string[]): Promise<AgentReport> {
  return (await runSnapshot(['snapshot', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--endpoint', endpoint, ...more])).report;
}

async function taken(...words: Parameters<typeof take>): Promise<SnapshotReport> {
  const report = await take(...words);
  assert.ok(report.ok && report.command === 'snapshot', JSON.stringify(report));
  return report;
}

async function alone(version: string, root: string, flags: string[] = []): Promise<Member> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  return startEtcd({version, name: 'a', dataDir: join(root, 'a'), client, peer, flags: ['--initial-cluster', `a=${peer}`, ...flags]});
}

const utl = (version: string, ...words: string[]): string => execFileSync(binary(version, 'etcdutl'), words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});

describe('a snapshot of a real etcd', function () {
  this.timeout(90_000);
  const versions = etcdVersions();
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });
  if (versions.length === 0) it('needs ETCD_BINS', function () { this.skip(); });

  for (const version of versions) {
    it(`of ${version} is taken from the one member that is left without a quorum, and etcdutl checks and restores it`, async () => {
      const root = newVolume();
      const members = await startCluster(version, root, []);
      const [first] = members;
      assert.ok(first);
      await until('a leader', async () => ((await status(first)).leader === '0' ? undefined : true));
      // Larger than one window of the stream and one piece of the file.
      for (let number = 0; number < 12; number++) await put(first, `key-${number}`, Buffer.alloc(500_000, number));
      const {header: {revision, member_id: id}} = await until('everything is applied', async () => {
        const now = await status(first);
        return now.header.revision === '13' ? now : undefined;
      });
      await stop(members.slice(1));
      await until('it has no leader', async () => (Number((await status(first)).leader) > 0 ? undefined : true));
      const report = await taken(root, first.dataDir, first.client, '--expect-member', hex(id));
      assert.equal(report.revision, Number(revision));
      const file = join(root, report.path);
      assert.equal(statSync(file).size, report.bytes);
      const told = JSON.parse(utl(version, 'snapshot', 'status', file, '-w', 'json')) as {revision: number; totalKey: number; totalSize: number};
      assert.deepEqual([told.revision, told.totalSize], [Number(revision), report.bytes - 32]);
      utl(version, 'snapshot', 'restore', file, '--data-dir', join(root, 'restored'));
      // The etcd that it was taken from serves on, and a second run finds the first's.
      assert.equal((await taken(root, first.dataDir, first.client)).already, true);
      assert.equal((await status(first)).header.revision, revision);
    });
  }

  const version = versions.find((candidate) => candidate.startsWith('3.6')) ?? versions[0];
  if (version === undefined) return;

  it('is taken over TLS with a client certificate, and refused to another authority\'s', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'snapshot-tls-'));
    try {
      const {server, client, stranger} = await makeCertificates('db');
      const write = (name: string, {stringData = {}}: typeof server): string => {
        const path = join(directory, name);
        rmSync(path, {recursive: true, force: true});
        execFileSync('mkdir', ['-p', path]);
        for (const [file, text] of Object.entries(stringData)) writeFileSync(join(path, file), text);
        return path;
      };
      const [own, with_, without] = [write('server', server), write('client', client), write('stranger', stranger)];
      const root = newVolume();
      const [port, peer] = [await freePort(), `http://127.0.0.1:${await freePort()}`];
      const url = `https://127.0.0.1:${port}`;
      startEtcd({version, name: 'a', dataDir: join(root, 'a'), client: url, peer, flags: [
        '--initial-cluster', `a=${peer}`, '--cert-file', join(own, 'tls.crt'), '--key-file', join(own, 'tls.key'), '--trusted-ca-file', join(own, 'ca.crt'), '--client-cert-auth',
      ]});
      const report = await until('a snapshot over TLS', async () => {
        const made = await take(root, join(root, 'a'), url, '--tls', with_, '--server-name', 'localhost');
        return made.ok && made.command === 'snapshot' ? made : undefined;
      });
      assert.ok(report.bytes > 32);
      const tell = async (...words: string[]): Promise<string> => {
        const other = await take(root, join(root, 'a'), url, '--run', 'r2', ...words);
        assert.ok(!other.ok, JSON.stringify(other));
        return `${other.reason}: ${other.message}`;
      };
      assert.match(await tell('--tls', without, '--server-name', 'localhost'), /^EtcdUnreachable: .*(certificate|TLS|ECONNRESET|alert)/i);
      assert.match(await tell('--tls', with_, '--server-name', 'etcd-0.elsewhere'), /^EtcdUnreachable: .*(altnames|certificate)/i);
      assert.match(await tell('--tls', join(directory, 'nowhere')), /^BadUsage: --tls/);
    } finally {
      rmSync(directory, {recursive: true});
    }
  });

  it('is refused, with etcd\'s own words, where etcd asks who wants it', async () => {
    const root = newVolume();
    const member = await alone(version, root);
    await until('it serves', async () => await status(member));
    await call(member, 'auth/user/add', {name: 'root', password: 'p'});
    await call(member, 'auth/user/grant', {user: 'root', role: 'root'});
    await call(member, 'auth/enable', {});
    const report = await take(root, member.dataDir, member.client);
    assert.ok(!report.ok && report.reason === 'EtcdRefused' && /user name is empty/.test(report.message), JSON.stringify(report));
  });

  it('is not there when etcd is killed while it sends', async () => {
    const root = newVolume();
    const member = await alone(version, root);
    await until('it serves', async () => await status(member));
    for (let number = 0; number < 40; number++) await put(member, `key-${number}`, Buffer.alloc(1_000_000, number));
    const taking = take(root, member.dataDir, member.client);
    await until('something has come', () => {
      try {
        return Promise.resolve(statSync(join(root, '.quorumrecovery', 'r1', 'snapshot.db.tmp')).size > 100_000 || undefined);
      } catch {
        return Promise.resolve(undefined);
      }
    });
    await stop([member]);
    const report = await taking;
    // It may have been all sent before the kill came; what counts is that nothing half is left.
    if (report.ok) assert.equal(report.command === 'snapshot' && report.bytes, statSync(join(root, '.quorumrecovery', 'r1', 'snapshot.db')).size);
    else assert.equal(report.reason, 'EtcdUnreachable', JSON.stringify(report));
    assert.throws(() => statSync(join(root, '.quorumrecovery', 'r1', 'snapshot.db.tmp')));
  });
});
