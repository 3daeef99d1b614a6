import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {passwordVariable, userVariable} from '../../../../src/agent/store/variables.ts';
import {binary, call, etcdVersions, freePort, hex, put, startEtcd, status, stopEverything, until} from '../etcd-processes.ts';
import type {Member} from '../etcd-processes.ts';
import {newVolume, removeVolumes} from '../volumes.ts';
import {claimConfig, fetch, save} from './snapshots.ts';

async function alone(version: string): Promise<{member: Member; memberID: string; clusterID: string}> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const member = startEtcd({version, name: 'a', dataDir: join(newVolume(), 'a'), client, peer, flags: ['--initial-cluster', `a=${peer}`]});
  const {header} = await until('a leader', async () => {
    const now = await status(member);
    return now.leader === '0' ? undefined : now;
  });
  return {member, memberID: hex(header.member_id), clusterID: hex(header.cluster_id)};
}

const flagsFor = ({client}: Member, memberID: string, clusterID: string, more: string[] = []): string[] =>
  ['--root', newVolume(), '--name', 'db-etcd-20260131T000000Z.db', '--endpoint', client, '--cluster', clusterID, '--member', memberID, ...more];

describe('a backup of a real etcd', function () {
  this.timeout(60_000);
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });
  const versions = etcdVersions();
  if (versions.length === 0) it('needs ETCD_BINS', function () { this.skip(); });

  for (const version of versions) {
    it(`of ${version} is saved, fetched and restored by etcdutl, with and without authentication`, async () => {
      const {member, memberID, clusterID} = await alone(version);
      for (let number = 0; number < 8; number += 1) await put(member, `key-${number}`, Buffer.alloc(500_000, number));
      const {header: {revision}} = await status(member);
      const store = newVolume();
      const report = await save(claimConfig(store), flagsFor(member, memberID, clusterID, ['--at-least', revision]));
      assert.ok(report.ok, JSON.stringify(report));
      assert.deepEqual([report.snapshot.revision, report.snapshot.members], [Number(revision), [memberID]]);
      const volume = newVolume();
      const fetched = await fetch(claimConfig(store), volume, ['--expect-cluster', clusterID, '--expect-members', memberID]);
      assert.ok(fetched.ok, JSON.stringify(fetched));
      execFileSync(binary(version, 'etcdutl'), ['snapshot', 'restore', join(volume, fetched.path ?? ''), '--data-dir', join(volume, 'restored')], {stdio: 'ignore'});

      // A user is given although etcd asks for none, and then it does.
      const env = {[userVariable]: 'root', [passwordVariable]: 'secret'};
      const early = await save(claimConfig(newVolume()), flagsFor(member, memberID, clusterID), env);
      assert.ok(early.ok, JSON.stringify(early));
      await call(member, 'auth/user/add', {name: 'root', password: 'secret'});
      await call(member, 'auth/role/add', {name: 'root'});
      await call(member, 'auth/user/grant', {user: 'root', role: 'root'});
      await call(member, 'auth/enable', {});
      const refused = await save(claimConfig(newVolume()), flagsFor(member, memberID, clusterID));
      assert.ok(!refused.ok && refused.reason === 'EtcdRefused', JSON.stringify(refused));
      const wrong = await save(claimConfig(newVolume()), flagsFor(member, memberID, clusterID), {...env, [passwordVariable]: 'guess'});
      assert.ok(!wrong.ok && wrong.reason === 'EtcdRefused', JSON.stringify(wrong));
      assert.match(wrong.message, /does not let user root in/);
      const allowed = await save(claimConfig(newVolume()), flagsFor(member, memberID, clusterID), env);
      assert.ok(allowed.ok, JSON.stringify(allowed));
    });
  }
});
