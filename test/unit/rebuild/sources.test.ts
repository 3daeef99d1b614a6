import assert from 'node:assert/strict';
import fc from 'fast-check';
import type {RebuildSource} from '../../../src/api/rebuild.ts';
import {specSchema} from '../../../src/api/spec.ts';
import {apiVersion, kind, marks} from '../../../src/api/types.ts';
import {loadSources} from '../../../src/observe/sources.ts';
import {batches} from '../../../src/rebuild/batches.ts';
import {readDump} from '../../../src/rebuild/dump.ts';
import {readSource} from '../../../src/rebuild/source.ts';
import {keyInWords} from '../../../src/rebuild/words.ts';
import {FakeClient} from '../operator/fake-client.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const line = (key: string, value: string) => JSON.stringify({key: base64(key), value: base64(value)});
const texts = (found: ReturnType<typeof readDump>) => (Array.isArray(found) ? found.map(({key, value}) => [key.toString(), value.toString()]) : found);

describe('a dump', () => {
  it('is one answer of etcdctl get -w json, or several, or a line for each key', () => {
    const answer = (key: string) => JSON.stringify({header: {revision: 3}, kvs: [{key: base64(key), create_revision: 2, version: 1, value: base64('v')}], count: 1});
    assert.deepEqual(texts(readDump(answer('/a'))), [['/a', 'v']]);
    assert.deepEqual(texts(readDump(`${answer('/a')}\n${answer('/b')}\n`)), [['/a', 'v'], ['/b', 'v']]);
    assert.deepEqual(texts(readDump(`${line('/a', '1')}\n\n${line('/b', 'zwei\nzeilen')}\n`)), [['/a', '1'], ['/b', 'zwei\nzeilen']]);
  });
  it('may have keys without a value, and no key at all', () => {
    assert.deepEqual(texts(readDump(JSON.stringify({kvs: [{key: base64('/a')}]}))), [['/a', '']]);
    assert.deepEqual(texts(readDump('{"header": {"revision": 1}}')), []);
    assert.deepEqual(texts(readDump('')), []);
  });
  it('that is something else is refused by its line, and nothing of it is quoted', () => {
    for (const wrong of ['geheim', '{"key": "geheim!", "value": ""}', '{"value": "Z2VoZWlt"}', '[]', '{"key": 1}']) {
      assert.deepEqual(readDump(`${line('/a', '1')}\n${wrong}`), {problem: 'line 2 is no JSON with a key and a value in base64, or an answer that was cut off'}, wrong);
    }
    assert.ok('problem' in readDump(JSON.stringify({kvs: [{key: base64('/a')}], more: true})), 'an answer that was cut off');
  });
});

describe('batches of a load', () => {
  it('keep every key in its order, and are small enough for one transaction, unless one value alone is not', () => {
    fc.assert(fc.property(fc.array(fc.nat({max: 400_000}), {maxLength: 300}), (sizes) => {
      const entries = sizes.map((size, index) => ({key: Buffer.from(String(index)), value: Buffer.alloc(size)}));
      const found = batches(entries);
      assert.deepEqual(found.flat().map(({key}) => key.toString()), entries.map(({key}) => key.toString()));
      for (const batch of found) {
        const bytes = batch.reduce((sum, {key, value}) => sum + key.length + value.length, 0);
        assert.ok(batch.length > 0 && batch.length <= 64 && (bytes <= 256 * 1024 || batch.length === 1));
      }
    }), {numRuns: 50});
  });
});

describe('a source of a rebuild', () => {
  let client: FakeClient;
  beforeEach(() => { client = new FakeClient(); });
  const namespace = 'db';
  const read = async (source: Partial<RebuildSource>) => {
    const found = await readSource(client, namespace, {name: 'one', dump: false, ...source});
    return 'problem' in found ? found.problem : found.entries.map(({key, value}) => `${key.toString()}=${value.toString()}`).join(' ');
  };
  const hashOf = async (source: Partial<RebuildSource>) => {
    const found = await readSource(client, namespace, {name: 'one', dump: false, ...source});
    assert.ok(!('problem' in found));
    return found.hash;
  };

  it('is every field under a prefix, one field as one key, or a dump, of a ConfigMap or a Secret', async () => {
    client.seed('ConfigMap', {metadata: {name: 'site', namespace}, data: {b: '2', a: '1'}, binaryData: {c: base64('3')}});
    client.seed('Secret', {metadata: {name: 'site', namespace}, data: {password: base64('geheim'), dump: base64(line('/x', 'y'))}});
    assert.equal(await read({configMap: 'site', keyPrefix: '/site/'}), '/site/a=1 /site/b=2 /site/c=3');
    assert.equal(await read({configMap: 'site', field: 'b', key: '/other'}), '/other=2');
    assert.equal(await read({secret: 'site', field: 'password', key: '/password'}), '/password=geheim');
    assert.equal(await read({secret: 'site', field: 'dump', dump: true}), '/x=y');
  });
  it('that is not there, has no field, is no dump, or names a key twice or the operator\'s own is refused by its name', async () => {
    assert.equal(await read({configMap: 'none', keyPrefix: '/'}), 'there is no ConfigMap none');
    client.seed('ConfigMap', {metadata: {name: 'site', namespace}, data: {a: 'geheim', twice: `${line('/x', '1')}\n${line('/x', '2')}`, own: line(marks.probeKey, '')}});
    client.seed('Secret', {metadata: {name: 'empty', namespace}});
    assert.equal(await read({configMap: 'site', field: 'z', key: '/z'}), 'it has no field z');
    assert.equal(await read({secret: 'empty', keyPrefix: '/'}), 'it has no field');
    assert.equal(await read({configMap: 'site', field: 'a', dump: true}), 'field a: line 1 is no JSON with a key and a value in base64, or an answer that was cut off');
    assert.equal(await read({configMap: 'site', field: 'twice', dump: true}), 'it names key /x twice');
    assert.match(await read({configMap: 'site', field: 'own', dump: true}), /which is the operator's own/);
  });
  it('has a hash that tells one state of it from another, and of a Secret one that nobody can guess a value by', async () => {
    const [data, secret] = [{k: 'v'}, {k: base64('v')}];
    client.seed('ConfigMap', {metadata: {name: 'a', namespace}, data});
    client.seed('ConfigMap', {metadata: {name: 'b', namespace}, data: {k: 'w'}});
    client.seed('Secret', {metadata: {name: 'a', namespace}, data: secret});
    client.seed('Secret', {metadata: {name: 'b', namespace}, data: secret});
    const of = async (source: Partial<RebuildSource>) => await hashOf({...source, keyPrefix: '/'});
    assert.equal(await of({configMap: 'a'}), await of({configMap: 'a'}));
    const all = [await of({configMap: 'a'}), await of({configMap: 'b'}), await of({secret: 'a'}), await of({secret: 'b'})];
    assert.equal(new Set(all).size, 4);
  });
  it('is observed with that hash, and without any value', async () => {
    client.seed('Secret', {metadata: {name: 'site', namespace}, data: {password: base64('geheim')}});
    const spec = specSchema.parse({target: {statefulSet: 'etcd'}, rebuild: {sources: [{name: 'one', secret: 'site', keyPrefix: '/'}]}});
    const views = await loadSources(client, {apiVersion, kind, metadata: {name: 'etcd', namespace}, spec, status: {run: {id: 'run-1', attempt: 1, startedAt: new Date(0).toISOString(), steps: []}}});
    assert.deepEqual(views, [{name: 'one', from: 'Secret site', keys: ['/password'], hash: await hashOf({secret: 'site', keyPrefix: '/'})}]);
  });
  it('has keys that a message can name', () => {
    assert.equal(keyInWords(Buffer.from('/a/b')), '/a/b');
    assert.equal(keyInWords(Buffer.from([0, 255])), 'AP8= (base64)');
  });
});
