import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {RebuildSource} from '../../../../src/api/rebuild.ts';
import {parseDumpArguments} from '../../../../src/agent/dump/arguments.ts';
import type {DumpArguments} from '../../../../src/agent/dump/arguments.ts';
import {dumpCheck} from '../../../../src/agent/dump/check.ts';
import {dumpCompare, dumpLoad} from '../../../../src/agent/dump/load.ts';
import {runDump} from '../../../../src/agent/dump/main.ts';
import type {EtcdMember} from '../../../../src/etcd/types.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const lines = (entries: Record<string, string>) => Object.entries(entries).map(([key, value]) => JSON.stringify({key: base64(key), value: base64(value)})).join('\n');

describe('the agent on a dump', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'dump-'));
    for (const name of ['queue', 'site', 'other']) mkdirSync(join(root, name));
  });
  afterEach(() => { rmSync(root, {recursive: true}); });

  const queue: RebuildSource = {name: 'queue', claim: 'dumps', path: 'all.json', dump: true};
  const site: RebuildSource = {name: 'site', configMap: 'site', keyPrefix: '/site/', dump: false};
  const checking = async (sources: RebuildSource[]) => await dumpCheck({run: 'r1', root, owner: 'uid', path: '', endpoint: '', cluster: '', sources});
  const args = (more: Partial<DumpArguments> = {}): DumpArguments => ({run: 'r1', root: join(root, 'queue'), owner: 'uid', path: 'all.json', endpoint: 'http://10.0.0.1:2379', cluster: 'c2', sources: [], ...more});
  const write = (entries: Record<string, string>) => { writeFileSync(join(root, 'queue', 'all.json'), lines(entries)); };

  class Fake {
    readonly keys = new Map<string, string>();
    readonly sizes: number[] = [];
    closed = 0;
    clusterID = 'c2';
    status = async () => await Promise.resolve({clusterID: this.clusterID} as Awaited<ReturnType<EtcdMember['status']>>);
    putAll = async (entries: readonly {key: Buffer; value: Buffer}[]) => {
      this.sizes.push(entries.length);
      for (const {key, value} of entries) this.keys.set(key.toString(), value.toString());
      await Promise.resolve();
    };
    getAll = async (keys: readonly Buffer[]) => await Promise.resolve(keys.map((key) => {
      const value = this.keys.get(key.toString());
      return value === undefined ? undefined : Buffer.from(value);
    }));
    close = () => { this.closed += 1; };
  }

  it('tells how much is in it, by a hash that changes with each value, and no value', async () => {
    write({'/queue/1': 'geheim', '/queue/2': 'b'});
    const first = await checking([queue, site]);
    write({'/queue/1': 'anders', '/queue/2': 'b'});
    const second = await checking([queue, site]);
    assert.deepEqual([first.sources.map((one) => 'keys' in one && one.keys), first.overlaps], [[2], []]);
    assert.notDeepEqual(first.sources, second.sources);
    assert.doesNotMatch(JSON.stringify(first), /geheim|Z2VoZWlt/);
  });

  it('tells which keys it and another source write, or it twice', async () => {
    write({'/site/a': '1', '/queue/2': 'b'});
    writeFileSync(join(root, 'site', 'a'), 'x');
    writeFileSync(join(root, 'site', '..data'), 'the kubelet\'s own');
    const found = await checking([queue, site]);
    assert.deepEqual(found.overlaps, ['queue and site both write key /site/a']);
    writeFileSync(join(root, 'queue', 'all.json'), `${lines({'/a': '1'})}\n${lines({'/a': '1'})}`);
    assert.deepEqual((await checking([queue])).sources, [{name: 'queue', problem: 'it names key /a twice'}]);
  });

  it('tells the line that is none, the file that is not there, and follows no link out of the claim', async () => {
    const problem = async () => (await checking([queue])).sources.map((one) => ('problem' in one ? one.problem : 'none')).join();
    assert.match(await problem(), /there is no file all\.json on it/);
    writeFileSync(join(root, 'queue', 'all.json'), `${lines({'/a': '1'})}\ngeheim`);
    assert.equal(await problem(), 'line 2 is no JSON with a key and a value in base64, or an answer that was cut off');
    rmSync(join(root, 'queue', 'all.json'));
    writeFileSync(join(root, 'secret'), lines({'/a': '1'}));
    symlinkSync(join(root, 'secret'), join(root, 'queue', 'all.json'));
    assert.match(await problem(), /is a symbolic link/);
  });

  it('loads it in bounded transactions, and again with the same end', async () => {
    const entries = Object.fromEntries(Array.from({length: 200}, (_, n) => [`/queue/${n}`, `value ${n}`]));
    write(entries);
    const member = new Fake();
    const report = await dumpLoad(args(), member);
    assert.deepEqual([report.keys, member.keys.size, Math.max(...member.sizes) <= 64, member.closed], [200, 200, true, 1]);
    assert.deepEqual(await dumpLoad(args(), member), report);
    assert.deepEqual((await checking([queue])).sources, [{name: 'queue', keys: 200, hash: report.hash}], 'the plan and the load tell the same hash');
    assert.equal((await dumpCompare(args(), member)).wrong, undefined);
    member.keys.set('/queue/7', 'geheim');
    assert.equal((await dumpCompare(args(), member)).wrong, 'key /queue/7 has another value');
    member.keys.delete('/queue/7');
    assert.equal((await dumpCompare(args(), member)).wrong, 'key /queue/7 is not there');
  });

  it('writes nothing before all of it is known to be good, and nothing into another cluster', async () => {
    const member = new Fake();
    writeFileSync(join(root, 'queue', 'all.json'), `${lines({'/a': '1'})}\nbad`);
    await assert.rejects(dumpLoad(args(), member), /line 2 is no JSON/);
    write({'/a': '1'});
    member.clusterID = 'c1';
    await assert.rejects(dumpLoad(args(), member), /is in cluster c1, not in c2/);
    assert.equal(member.keys.size, 0);
  });

  it('reports what its command line lacks', async () => {
    assert.throws(() => parseDumpArguments('dump-load', ['--run', 'r1']), /dump-load needs --root/);
    const {report, exitCode} = await runDump(['dump-check', '--run', 'r1', '--root', root, '--owner', 'u', '--sources', '{']);
    assert.deepEqual([report.ok, 'reason' in report && report.reason, exitCode], [false, 'BadUsage', 2]);
  });
});
