import assert from 'node:assert/strict';
import type {V1ConfigMap} from '@kubernetes/client-node';
import type {QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Outcome} from '../../../src/decide/decision.ts';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {checkKeys, createJob, loadKeys} from '../../../src/phases/loading.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {actingWith} from '../../invariants/fixtures.ts';
import {FakeClient} from '../operator/fake-client.ts';
import {now, observationOf, planOf, runOf} from '../decide/observations.ts';

const at = new Date(now).toISOString();
const shared = {name: 'shared', configMap: 'site', keyPrefix: '/site/', dump: false};
const configMap = (data: Record<string, string>): V1ConfigMap => ({metadata: {name: 'site', namespace: 'db'}, data});

/** An etcd that keeps what is written to it. */
class Store {
  readonly keys = new Map<string, string>();
  writes = 0;
  /** What the next write throws. */
  broken: Error | undefined;

  readonly member: Partial<EtcdMember> = {
    putAll: async (entries) => {
      if (this.broken !== undefined) throw this.broken;
      this.writes += 1;
      for (const {key, value} of entries) this.keys.set(key.toString(), value.toString());
      await Promise.resolve();
    },
    getAll: async (keys) => await Promise.resolve(keys.map((key) => this.keys.get(key.toString())).map((value) => (value === undefined ? undefined : Buffer.from(value)))),
    get: async (key) => {
      const value = this.keys.get(key);
      return await Promise.resolve({value: value === undefined ? undefined : Buffer.from(value), revision: 1});
    },
  };
}

describe('loading a new cluster', () => {
  let client: FakeClient;
  let store: Store;
  beforeEach(() => {
    client = new FakeClient();
    store = new Store();
  });

  function acting(rebuild?: Run['rebuild'], signal?: AbortSignal): Acting {
    const run = runOf({plan: planOf({strategy: 'RebuildFromConfig'}), newCluster: {attempt: 1, members: ['etcd-0', 'etcd-1', 'etcd-2'], clusterID: 'c', seeded: [], servedAt: at}, ...(rebuild && {rebuild})});
    const observation = observationOf({spec: {rebuild: {sources: [shared]}}, status: {run}});
    return {...actingWith(observation, store.member, {}, signal), client};
  }
  function after(outcome: Outcome, rebuild?: Run['rebuild']): Run['rebuild'] {
    const draft: QuorumRecoveryStatus = {run: runOf({...(rebuild && {rebuild: structuredClone(rebuild)})})};
    outcome.record?.(draft);
    return draft.run?.rebuild;
  }
  const words = (outcome: Outcome) => ('message' in outcome ? outcome.message : 'why' in outcome ? outcome.why : undefined) ?? '';
  const loading = {sources: [{name: 'shared', state: 'Loading' as const, startedAt: at}], checks: []};

  it('writes every key in bounded transactions, and records their number and a hash, never a value', async () => {
    client.seed('ConfigMap', configMap(Object.fromEntries(Array.from({length: 150}, (_, n) => [`k${n}`, `geheim ${n}`]))));
    const outcome = await loadKeys(acting(), shared);
    assert.equal(outcome.kind, 'done');
    assert.deepEqual([store.keys.size, store.writes, store.keys.get('/site/k7')], [150, 3, 'geheim 7']);
    const rebuild = after(outcome, loading);
    assert.deepEqual(rebuild?.sources.map(({name, state, from, keys}) => [name, state, from, keys]), [['shared', 'Loaded', 'ConfigMap site', 150]]);
    assert.match(rebuild.sources[0]?.hash ?? '', /^sha256-[0-9a-f]{32}$/);
    assert.doesNotMatch(JSON.stringify(rebuild), /geheim/);
  });

  it('done twice is the same as done once', async () => {
    client.seed('ConfigMap', configMap({a: '1'}));
    await loadKeys(acting(), shared);
    const once = new Map(store.keys);
    assert.deepEqual((await loadKeys(acting(), shared)).kind, 'done');
    assert.deepEqual(store.keys, once);
  });

  it('is tried again while the cluster has no leader, and records nothing then', async () => {
    client.seed('ConfigMap', configMap({a: '1'}));
    store.broken = new EtcdError('NoLeader', 'etcdserver: no leader');
    const outcome = await loadKeys(acting(), shared);
    assert.deepEqual([outcome.kind, after(outcome, loading)?.sources[0]?.state], ['retry', 'Loading']);
  });

  it('writes nothing once this operator does not lead any more', async () => {
    client.seed('ConfigMap', configMap({a: '1'}));
    assert.equal((await loadKeys(acting(undefined, AbortSignal.abort()), shared)).kind, 'retry');
    assert.equal(store.writes, 0);
  });

  it('blocks by the source\'s name where it is not there any more', async () => {
    const outcome = await loadKeys(acting(), shared);
    assert.deepEqual([outcome.kind, 'reason' in outcome && outcome.reason], ['blocked', 'LoadFailed']);
    assert.match(words(outcome), /^source shared \(ConfigMap site\): there is no ConfigMap site\. Correct it/);
  });

  it('takes a Job that is there already for its own, and says why one is refused', async () => {
    const job = {metadata: {name: 'etcd-load-1', namespace: 'db'}};
    assert.deepEqual([(await createJob(acting(), job)).kind, (await createJob(acting(), job)).kind], ['done', 'done']);
    client.intercept = (verb, kind) => { throw new ApiError({code: 403, reason: 'Forbidden', message: 'exceeded quota', verb, kind, object: 'db/etcd-load-2'}); };
    const outcome = await createJob(acting(), {metadata: {name: 'etcd-load-2', namespace: 'db'}});
    assert.match(words(outcome), /^the API server refuses Job etcd-load-2: .*exceeded quota/);
  });

  describe('and checking it', () => {
    const inSync = {name: 'in-sync', sources: ['shared']};
    const load = async () => after(await loadKeys(acting(), shared), loading);

    it('passes where every key has the value of its source', async () => {
      client.seed('ConfigMap', configMap({a: '1', b: '2'}));
      const rebuild = await load();
      const outcome = await checkKeys(acting(rebuild), inSync);
      assert.equal(outcome.kind, 'done');
      assert.deepEqual(after(outcome, rebuild)?.checks.map(({name, state}) => [name, state]), [['in-sync', 'Passed']]);
    });
    it('fails by the key where somebody wrote another value, or took it away, and tells neither', async () => {
      client.seed('ConfigMap', configMap({a: 'geheim', b: '2'}));
      const rebuild = await load();
      store.keys.set('/site/a', 'anders');
      const other = await checkKeys(acting(rebuild), inSync);
      assert.match(words(other), /^check in-sync: key \/site\/a has another value in etcd, unlike in source shared \(ConfigMap site\)/);
      assert.doesNotMatch(words(other), /geheim|anders/);
      store.keys.delete('/site/a');
      assert.match(words(await checkKeys(acting(rebuild), inSync)), /key \/site\/a is not there/);
    });
    it('has a source loaded anew that was changed since, and every check asked again', async () => {
      client.seed('ConfigMap', configMap({a: '1'}));
      const rebuild = await load();
      client.seed('ConfigMap', configMap({a: '2'}));
      const outcome = await checkKeys(acting(rebuild), inSync);
      assert.equal(outcome.kind, 'retry');
      const next = after(outcome, {sources: rebuild?.sources ?? [], checks: [{name: 'other', state: 'Passed', startedAt: at}]});
      assert.deepEqual([next?.sources[0]?.state, next?.checks[0]?.state], ['Loading', 'Running']);
    });
    it('reads keys in their format, and fails by the key and its place', async () => {
      store.keys.set('/site/x', '{"a": "geheim"\n "b": 1}');
      const json = {name: 'json', keys: ['/site/x'], format: 'JSON' as const};
      assert.match(words(await checkKeys(acting(), json)), /^check json: the value of key \/site\/x is not well-formed JSON \(line 2, column 2\)\. It is checked again/);
      assert.match(words(await checkKeys(acting(), {...json, keys: ['/none']})), /key \/none is not there/);
      store.keys.set('/site/x', '{"a": "geheim"}');
      assert.equal((await checkKeys(acting(), json)).kind, 'done');
    });
    it('compares keys with a JSON Schema, and tells no part of the value', async () => {
      store.keys.set('/site/x', '{"geheim": 1}');
      const check = {name: 'schema', keys: ['/site/x'], format: 'JSON' as const, schema: {configMap: 'site', key: 'schema'}};
      assert.match(words(await checkKeys(acting(), check)), /its schema, key schema of ConfigMap site: there is no such ConfigMap/);
      client.seed('ConfigMap', configMap({schema: '{"additionalProperties": {"type": "string"}}'}));
      const outcome = await checkKeys(acting(), check);
      assert.match(words(outcome), /the value of key \/site\/x does not satisfy its schema \(type\)/);
      assert.doesNotMatch(words(outcome), /geheim/);
    });
  });
});
