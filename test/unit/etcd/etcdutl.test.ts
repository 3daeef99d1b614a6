import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {readBackend} from '../../../src/etcd/bolt/backend.ts';
import {readStatus, statusCommand} from '../../../src/etcd/etcdutl.ts';
import type {EtcdutlFacts} from '../../../src/etcd/etcdutl.ts';
import {binary, etcdVersions, freePort, put, startEtcd, status, stop, stopEverything, until} from '../agent/etcd-processes.ts';

describe('what etcdutl says of a database', () => {
  const completed = {exitCode: 0, reason: 'Completed'};
  it('are its numbers, the hash as people see it', () => {
    assert.deepEqual(readStatus(completed, '{"hash":3735928559,"revision":13,"totalKey":12,"totalSize":20480,"version":"3.6.0"}\n'), {keys: 12, hash: 'deadbeef', revision: 13, totalSize: 20_480});
  });
  it('is nothing where it says something else', () => {
    for (const log of ['', 'Usage:', '{"hash":1}', '{"hash":-1,"revision":1,"totalKey":1,"totalSize":1}', '{']) assert.match(readStatus(completed, log).missing ?? '', /^etcdutl says something else/, log);
  });
  it('is that it is broken only in its own words for that: what it could not look at says nothing', () => {
    const failed = {exitCode: 1, reason: 'Error'};
    assert.match(readStatus(failed, 'Error: snapshot file integrity check failed. 2 errors found.\npage 3: unreachable unfreed').broken ?? '', /^Error: snapshot file integrity/);
    assert.match(readStatus({exitCode: 2, reason: 'Error'}, 'some line\npanic: page 7 already freed\n\ngoroutine 1').broken ?? '', /^panic: page 7/);
    for (const log of ['Error: open /data/member/snap/db: permission denied', 'Error: stat /data/member/snap/db: no such file or directory', 'Error: unknown command "snapshot"']) {
      assert.match(readStatus(failed, log).missing ?? '', /^etcdutl ended with exit code 1 \(Error\): Error: /, log);
    }
    assert.equal(readStatus({exitCode: 137, reason: 'OOMKilled'}, '').missing, 'etcdutl ended with exit code 137 (OOMKilled)');
  });
});

describe('the etcdutl of each version', function () {
  this.timeout(60_000);
  const versions = etcdVersions();
  let directory = '';
  beforeEach(() => { directory = mkdtempSync(join(tmpdir(), 'etcdutl-')); });
  afterEach(() => {
    stopEverything();
    rmSync(directory, {recursive: true});
  });
  if (versions.length === 0) it('needs ETCD_BINS', function () { this.skip(); });
  const said = (version: string, file: string): EtcdutlFacts => {
    const [, ...words] = statusCommand(file);
    const {status: code, stdout, stderr} = spawnSync(binary(version, 'etcdutl'), words, {encoding: 'utf8'});
    return readStatus({exitCode: code ?? 137, reason: ''}, `${stderr}${stdout}`);
  };
  for (const version of versions) {
    it(`${version} reads the database of a stopped etcd as it is, changes nothing in it, and tells a broken one`, async () => {
      const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
      const member = startEtcd({version, name: 'a', dataDir: join(directory, 'a'), client, peer, flags: ['--initial-cluster', `a=${peer}`]});
      await until('it serves', async () => await status(member));
      for (let number = 0; number < 300; number++) await put(member, `key-${number % 100}`, Buffer.alloc(2_000, number));
      await stop([member], 'SIGTERM');
      const file = join(member.dataDir, 'member', 'snap', 'db');
      const bytes = readFileSync(file);
      const facts = said(version, file);
      assert.deepEqual([facts.revision, facts.broken, facts.missing], [readBackend(file).revision, undefined, undefined]);
      // Before 3.6 it counts every entry of every bucket, and each revision of a key.
      if (version.startsWith('3.5')) assert.ok((facts.keys ?? 0) > 300, JSON.stringify(facts));
      else assert.equal(facts.keys, 100);
      assert.ok(/^[0-9a-f]{1,8}$/.test(facts.hash ?? '') && (facts.totalSize ?? 0) > 100_000 && (facts.totalSize ?? 0) <= bytes.length, JSON.stringify(facts));
      assert.ok(readFileSync(file).equals(bytes));
      // Everything but the meta pages: our own reader may still find its way to what it reads.
      writeFileSync(file, Buffer.concat([bytes.subarray(0, 8192), Buffer.alloc(bytes.length - 8192, 0x5a)]));
      assert.ok(said(version, file).broken !== undefined, JSON.stringify(said(version, file)));
    });
  }
});
