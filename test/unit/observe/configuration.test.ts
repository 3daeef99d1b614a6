import assert from 'node:assert/strict';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {specSchema} from '../../../src/api/spec.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {loadConfiguration} from '../../../src/observe/configuration.ts';
import {resourceOf} from '../cli/fake.ts';
import {FakeClient} from '../operator/fake-client.ts';
import {runOf} from '../decide/observations.ts';

const namespace = 'db';

describe('what spec.configuration.checks find', () => {
  let client: FakeClient;
  beforeEach(() => { client = new FakeClient(); });

  const resource = (checks: object[], status: QuorumRecoveryStatus = {run: runOf()}): QuorumRecovery =>
    ({...resourceOf(status, {metadata: {name: 'etcd', namespace}}), spec: specSchema.parse({target: {statefulSet: 'etcd'}, configuration: {checks}})});
  const found = async (check: object) => (await loadConfiguration(client, resource([{name: 'one', key: 'k', ...check}])))?.[0];
  const configMap = (data: Record<string, string>, more: object = {}) => client.seed('ConfigMap', {metadata: {name: 'site', namespace}, data, ...more});

  it('is not asked for while no run is in flight, nor once its surgery has begun', async () => {
    const checks = [{name: 'one', configMap: 'site', key: 'k'}];
    assert.equal(await loadConfiguration(client, resource(checks, {})), undefined);
    assert.equal(await loadConfiguration(client, resource(checks, {run: runOf({force: {attempt: 1, pod: 'f', turnGiven: true}})})), undefined);
    assert.equal(await loadConfiguration(client, resource(checks, {run: runOf({replace: {removed: []}})})), undefined);
    assert.deepEqual(client.calls, []);
  });

  it('is what is missing: the object, its key, the right to read it, the list of members, the schema', async () => {
    assert.equal((await found({configMap: 'site'}))?.problem, 'there is no such ConfigMap');
    assert.equal((await found({secret: 'site'}))?.problem, 'there is no such Secret');
    configMap({other: '{}', k: '{"a": 1}'});
    assert.equal((await found({configMap: 'site', key: 'none'}))?.problem, 'it has no such key');
    assert.equal((await found({configMap: 'site', format: 'JSON', members: {at: '/servers'}}))?.problem, 'has no list of members at /servers');
    assert.equal((await found({configMap: 'site', format: 'JSON', schema: {configMap: 'schemas', key: 'k'}}))?.problem, 'its schema, key k of ConfigMap schemas: there is no such ConfigMap');
    client.intercept = (verb, kind) => { if (kind === 'ConfigMap') throw new ApiError({code: 403, reason: 'Forbidden', message: 'no', verb, kind, object: 'db/site'}); };
    assert.match((await found({configMap: 'site'}))?.problem ?? '', /^the operator may not read it: /);
  });

  it('is the hosts that a ConfigMap or a Secret names, as text or as bytes', async () => {
    configMap({k: 'servers=etcd-0:11211,etcd-1:11211\n'}, {binaryData: {bytes: Buffer.from('etcd-0 etcd-1').toString('base64')}});
    client.seed('Secret', {metadata: {name: 'site', namespace}, data: {k: Buffer.from('["etcd-0"]').toString('base64')}});
    const properties = await found({configMap: 'site', format: 'Properties', members: {at: 'servers'}});
    assert.deepEqual(properties, {name: 'one', source: 'key k of ConfigMap site', secret: false, ignore: false, hosts: ['etcd-0', 'etcd-1']});
    assert.deepEqual((await found({configMap: 'site', key: 'bytes', members: {}}))?.hosts, ['etcd-0', 'etcd-1']);
    assert.deepEqual(await found({secret: 'site', format: 'JSON', members: {at: ''}, ignore: true}), {name: 'one', source: 'key k of Secret site', secret: true, ignore: true, hosts: ['etcd-0']});
  });

  it('is a schema that is not satisfied, or is none', async () => {
    configMap({k: '{"a": "geheim"}', schema: '{"properties": {"a": {"type": "number"}}}', broken: '{'});
    client.seed('Secret', {metadata: {name: 'site', namespace}, data: {k: Buffer.from('{"a": "geheim"}').toString('base64')}});
    const schema = {configMap: 'site', key: 'schema'};
    assert.equal((await found({configMap: 'site', format: 'JSON', schema}))?.problem, 'does not satisfy its schema: /a must be number');
    assert.equal((await found({secret: 'site', format: 'YAML', schema}))?.problem, 'does not satisfy its schema (type)');
    assert.match((await found({configMap: 'site', format: 'JSON', schema: {...schema, key: 'broken'}}))?.problem ?? '', /^its schema, key broken of ConfigMap site, is not well-formed JSON/);
  });
});
