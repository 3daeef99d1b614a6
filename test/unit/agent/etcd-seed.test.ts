import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {restoreCommand, statusCommand} from '../../../src/etcd/etcdutl.ts';
import {clusterIDOfNew, memberIDOfNew} from '../../../src/etcd/ids.ts';
import {binary, call, etcdVersions, freePort, hex, put, startCluster, startEtcd, status, stop, stopEverything, until} from './etcd-processes.ts';
import type {Member} from './etcd-processes.ts';
import {flagsOf, newVolume, removeVolumes, succeed} from './volumes.ts';

const token = 'quorumrecovery-run-1';
const bump = 5_000;

interface Told {
  memberID: string;
  clusterID: string;
  revision: number;
}

async function serving(members: readonly Member[]): Promise<Told[]> {
  return await until('every member has a leader', async () => {
    const statuses = await Promise.all(members.map(async (member) => await status(member)));
    if (statuses.some(({leader}) => leader === '0')) return undefined;
    return statuses.map(({header}) => ({memberID: hex(header.member_id), clusterID: hex(header.cluster_id), revision: Number(header.revision)}));
  });
}

describe('agent seed, with real etcdutl and etcd', function () {
  this.timeout(120_000);
  const versions = etcdVersions().filter((version) => !version.startsWith('3.4'));
  if (versions.length === 0) it('starts a whole new cluster (skipped: ETCD_BINS does not name a folder with <version>/etcd and <version>/etcdutl)');

  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  for (const version of versions) {
    for (const walApart of [false, true]) {
      it(`${version}${walApart ? ', WAL on a volume of its own' : ''}: three members start at once as the cluster whose IDs were told, at a moved revision`, async () => {
        const old = await startCluster(version, newVolume(), ['--initial-cluster-token', 'old']);
        await serving(old);
        const [first] = old;
        assert.ok(first);
        for (let number = 0; number < 20; number++) await put(first, `key-${number}`, 'value');
        const [before] = await serving([first]);
        assert.ok(before);
        await stop(old, 'SIGTERM');

        const places = await Promise.all(['a', 'b', 'c'].map(async (name) => {
          const root = newVolume();
          const walRoot = walApart ? newVolume() : undefined;
          return {name, volume: {root, data: join(root, 'data'), ...(walRoot !== undefined && {wal: join(walRoot, 'etcd', 'wal'), walRoot})}, client: `http://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}`};
        }));
        const initialCluster = places.map(({name, peer}) => `${name}=${peer}`).sort().join(',');
        const ids = places.map(({peer}) => memberIDOfNew([peer], token));
        const clusterID = clusterIDOfNew(ids);
        places.forEach(({name, volume, peer}, at) => {
          succeed(...flagsOf(volume, 'prepare-seed'));
          const home = join(volume.root, '.quorumrecovery', 'r1', 'built');
          const walDir = volume.walRoot === undefined ? undefined : join(volume.walRoot, '.quorumrecovery', 'r1', 'built', 'wal');
          // A database without the hash that a snapshot ends with needs a word for it.
          const [, ...words] = restoreCommand({file: join(first.dataDir, 'member', 'snap', 'db'), name, initialCluster, peerURLs: [peer], token, dataDir: join(home, 'data'), walDir, bump});
          const {status: code, stderr} = spawnSync(binary(version, 'etcdutl'), [...words, '--skip-hash-check'], {encoding: 'utf8'});
          assert.equal(code, 0, stderr);
          const report = succeed(...flagsOf(volume, 'seed'), '--attempt', '1', '--expect-member', ids[at] ?? '', '--expect-cluster', clusterID);
          assert.equal(report.command, 'seed');
        });
        // The template's own flags, which say something else: a WAL is there.
        const members = places.map(({name, volume, client, peer}) => startEtcd({
          version, name, dataDir: volume.data, client, peer, flags: ['--initial-cluster', `${name}=${peer}`, '--initial-cluster-state', 'new', '--initial-cluster-token', 'old', ...(volume.wal === undefined ? [] : ['--wal-dir', volume.wal])],
        }));
        const after = await serving(members);
        assert.ok(after.every(({revision}) => revision === before.revision + bump), JSON.stringify(after));
        assert.deepEqual(after.map(({memberID}) => memberID).sort(), [...ids].sort());
        assert.ok(after.every((one) => one.clusterID === clusterID));
        await stop(members, 'SIGTERM');
      });
    }
    it(`${version}: of three that were killed one goes on from its own database, as a cluster of one, with every write that was in it`, async () => {
      const root = newVolume();
      const old = await startCluster(version, root, ['--initial-cluster-token', 'old']);
      await serving(old);
      const [survivor] = old;
      assert.ok(survivor);
      for (let number = 0; number < 200; number++) await put(survivor, `key-${number}`, 'value');
      await stop(old);
      const volume = {root, data: survivor.dataDir};
      const facts = succeed(...flagsOf(volume, 'inspect'));
      assert.ok(facts.command === 'inspect' && facts.data === 'Present' && !('error' in facts.backend));
      const {consistentIndex, revision} = facts.backend;
      assert.ok(consistentIndex <= facts.index && revision <= 201, `${consistentIndex} of ${facts.index}, revision ${revision}`);
      const database = ['--database', 'db', '--expect-index', String(consistentIndex), '--expect-revision', String(revision)];
      succeed(...flagsOf(volume, 'prepare-seed'), ...database);
      const home = join(root, '.quorumrecovery', 'r1');
      const file = join(home, 'survivor.db');
      const check = spawnSync(binary(version, 'etcdutl'), statusCommand(file).slice(1), {encoding: 'utf8'});
      assert.equal(check.status, 0, check.stderr);
      const {name, client, peer} = survivor;
      // With the hash behind it, so that etcdutl compares it.
      const [, ...words] = restoreCommand({file, name, initialCluster: `${name}=${peer}`, peerURLs: [peer], token, dataDir: join(home, 'built', 'data'), walDir: undefined, bump});
      const built = spawnSync(binary(version, 'etcdutl'), words, {encoding: 'utf8'});
      assert.equal(built.status, 0, built.stderr);
      succeed(...flagsOf(volume, 'seed'), '--attempt', '1', '--expect-member', memberIDOfNew([peer], token), '--expect-cluster', clusterIDOfNew([memberIDOfNew([peer], token)]), ...database);
      const alone = startEtcd({version, name, dataDir: volume.data, client, peer, flags: ['--initial-cluster', `${name}=${peer}`, '--initial-cluster-state', 'new', '--initial-cluster-token', 'old']});
      const [after] = await serving([alone]);
      assert.deepEqual([after?.revision, after?.clusterID], [revision + bump, clusterIDOfNew([memberIDOfNew([peer], token)])]);
      const {count} = await call<{count: string}>(alone, 'kv/range', {key: Buffer.from('key-').toString('base64'), range_end: Buffer.from('key.').toString('base64'), count_only: true});
      assert.equal(Number(count), revision - 1, 'each revision up to that of the database made one key');
      await stop([alone], 'SIGTERM');
    });
  }
});
