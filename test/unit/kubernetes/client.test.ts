import assert from 'node:assert/strict';
import {V1MicroTime} from '@kubernetes/client-node';
import {HttpKubernetesClient} from '../../../src/kubernetes/client-http.ts';
import type {CallObservation} from '../../../src/kubernetes/client-http.ts';
import {
  ApiError, isAlreadyExists, isConflict, isExpired, isForbidden, isInvalid, isNotFound, isNotServed, isUnavailable,
} from '../../../src/kubernetes/errors.ts';
import {failure, FakeApiServer, json, kubeConfigFor} from './fake-api-server.ts';

const pod = (name: string, fields: object = {}) => ({metadata: {name, namespace: 'db', uid: `uid-${name}`, resourceVersion: '7'}, ...fields});

describe('client of the API server', () => {
  let server: FakeApiServer;
  let client: HttpKubernetesClient;
  let calls: CallObservation[];

  beforeEach(async () => {
    server = new FakeApiServer((_request, response) => {
      json(response, 404, failure(404, 'NotFound', 'nothing here'));
    });
    calls = [];
    client = new HttpKubernetesClient(await server.listen(), {timeoutMs: 500, userAgent: 'tests/1', onCall: (call) => calls.push(call)});
  });

  afterEach(() => server.close());

  const answerWith = (status: number, body: object, headers?: Record<string, string>) => {
    server.answer = (_request, response) => {
      json(response, status, body, headers);
    };
  };

  const last = () => {
    const request = server.requests.at(-1);
    assert.ok(request);
    return request;
  };

  it('gives undefined for an object that is not there', async () => {
    assert.equal(await client.get('Pod', 'db', 'etcd-0'), undefined);
    assert.equal(last().path, '/api/v1/namespaces/db/pods/etcd-0');
    assert.equal(last().headers.authorization, 'Bearer of-the-tester');
    assert.equal(last().headers['user-agent'], 'tests/1');
    assert.deepEqual(calls.map(({verb, kind, code}) => ({verb, kind, code})), [{verb: 'get', kind: 'Pod', code: 404}]);
  });

  it('tells an API that this cluster does not have from an object that is not there', async () => {
    await assert.rejects(client.list('VolumeSnapshotClass'), (error) => isNotFound(error) && !isNotServed(error));
    server.answer = (_request, response) => {
      response.writeHead(404, {'content-type': 'text/plain'}).end('404 page not found\n');
    };
    await assert.rejects(client.list('VolumeSnapshotClass'), isNotServed);
    assert.equal(last().path, '/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses');
    assert.equal(await client.get('Pod', 'db', 'etcd-0'), undefined);
  });

  it('makes dates of what the types call dates, drops managedFields, and keeps fields that it does not know', async () => {
    answerWith(200, pod('etcd-0', {
      metadata: {name: 'etcd-0', creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{time: '2026-01-01T00:00:00Z'}]},
      spec: {futureField: {startedAt: '2026-01-01T00:00:00Z'}},
      status: {containerStatuses: [{state: {terminated: {finishedAt: '2026-01-01T00:00:09Z', message: '2026-01-01T00:00:09Z'}}}]},
    }));
    const read = await client.get('Pod', 'db', 'etcd-0');
    assert.ok(read);
    assert.deepEqual(read.metadata, {name: 'etcd-0', creationTimestamp: new Date('2026-01-01T00:00:00Z')});
    assert.deepEqual(read.status?.containerStatuses?.[0]?.state?.terminated, {
      finishedAt: new Date('2026-01-01T00:00:09Z'), message: '2026-01-01T00:00:09Z',
    });
    assert.deepEqual(read.spec, {futureField: {startedAt: '2026-01-01T00:00:00Z'}});
  });

  it('keeps the managedFields of a workload: they tell who scaled it', async () => {
    const entry = {manager: 'kubectl', subresource: 'scale', fieldsV1: {'f:spec': {'f:replicas': {}}}};
    answerWith(200, {metadata: {name: 'api', managedFields: [entry]}, spec: {replicas: 3}});
    assert.deepEqual((await client.get('Deployment', 'db', 'api'))?.metadata?.managedFields, [entry]);
  });

  it('leaves the dates of a QuorumRecovery\'s status as text', async () => {
    answerWith(200, {metadata: {name: 'etcd', deletionTimestamp: '2026-01-01T00:00:00Z'}, status: {run: {startedAt: '2026-01-01T00:00:00Z'}}});
    const read = await client.get('QuorumRecovery', 'db', 'etcd');
    assert.ok(read);
    assert.equal(read.status?.run?.startedAt, '2026-01-01T00:00:00Z');
    assert.deepEqual(read.metadata.deletionTimestamp, new Date('2026-01-01T00:00:00Z'));
  });

  it('reads a long list page by page, and gives its items their kind', async () => {
    server.answer = (request, response) => {
      const second = request.query.get('continue') === 'more';
      json(response, 200, second
        ? {metadata: {resourceVersion: '9'}, items: [pod('etcd-1')]}
        : {metadata: {resourceVersion: '9', continue: 'more'}, items: [pod('etcd-0')]});
    };
    const list = await client.list('Pod', 'db', {labelSelector: 'app=etcd'});
    assert.deepEqual(list.map((item) => [item.apiVersion, item.kind, item.metadata?.name]), [['v1', 'Pod', 'etcd-0'], ['v1', 'Pod', 'etcd-1']]);
    assert.deepEqual(server.requests.map(({query}) => query.toString()), [
      'labelSelector=app%3Detcd&limit=500', 'labelSelector=app%3Detcd&limit=500&continue=more',
    ]);
  });

  it('lists again in one piece when the continuation has expired', async () => {
    server.answer = (request, response) => {
      if (request.query.has('continue')) json(response, 410, failure(410, 'Expired', 'too old'));
      else if (request.query.has('limit')) json(response, 200, {metadata: {continue: 'more'}, items: [pod('etcd-0')]});
      else json(response, 200, {metadata: {resourceVersion: '12'}, items: [pod('etcd-0'), pod('etcd-1')]});
    };
    const {items, resourceVersion} = await client.collection('Pod', 'db');
    assert.equal(items.length, 2);
    assert.equal(resourceVersion, '12');
  });

  it('creates with kind and apiVersion, and only tries where a dry run is asked for', async () => {
    answerWith(201, pod('etcd-0'));
    await client.create('Pod', {metadata: {name: 'etcd-0', namespace: 'db'}}, {dryRun: true});
    assert.equal(last().method, 'POST');
    assert.equal(last().path, '/api/v1/namespaces/db/pods');
    assert.equal(last().query.get('dryRun'), 'All');
    assert.deepEqual(JSON.parse(last().body), {metadata: {name: 'etcd-0', namespace: 'db'}, apiVersion: 'v1', kind: 'Pod'});
  });

  it('writes times of a Lease with six digits, even those that lost their class in a copy', async () => {
    answerWith(200, {metadata: {name: 'l'}});
    const spec = {renewTime: new V1MicroTime('2026-01-01T00:00:00.123Z'), acquireTime: structuredClone(new Date('2026-01-01T00:00:00.5Z'))};
    await client.replace('Lease', {metadata: {name: 'l', namespace: 'db', resourceVersion: '1'}, spec});
    const body = JSON.parse(last().body) as {spec: unknown};
    assert.deepEqual(body.spec, {renewTime: '2026-01-01T00:00:00.123000Z', acquireTime: '2026-01-01T00:00:00.500000Z'});
  });

  it('patches by merge patch', async () => {
    answerWith(200, pod('etcd-0'));
    await client.patch('Pod', 'db', 'etcd-0', {metadata: {uid: 'u', finalizers: null}});
    assert.equal(last().method, 'PATCH');
    assert.equal(last().headers['content-type'], 'application/merge-patch+json');
    assert.deepEqual(JSON.parse(last().body), {metadata: {uid: 'u', finalizers: null}});
  });

  it('reports a patch for another UID as a conflict', async () => {
    answerWith(422, failure(422, 'Invalid', 'field is immutable', {causes: [{field: 'metadata.uid', reason: 'FieldValueInvalid'}]}));
    await assert.rejects(client.patch('Pod', 'db', 'etcd-0', {metadata: {uid: 'other'}}), (error) => isConflict(error) && error.code === 409);
  });

  it('deletes by UID, says whether there was anything to delete, and refuses to delete without a UID', async () => {
    answerWith(200, {kind: 'Status', status: 'Success'});
    assert.equal(await client.delete('Pod', 'db', 'etcd-0', {uid: 'u', gracePeriodSeconds: 0}), true);
    const body = JSON.parse(last().body) as object;
    assert.deepEqual(body, {apiVersion: 'v1', kind: 'DeleteOptions', preconditions: {uid: 'u'}, propagationPolicy: 'Background', gracePeriodSeconds: 0});
    await client.delete('Pod', 'db', 'etcd-0', {uid: 'u', resourceVersion: '7'});
    assert.deepEqual((JSON.parse(last().body) as {preconditions: object}).preconditions, {uid: 'u', resourceVersion: '7'});
    answerWith(404, failure(404, 'NotFound', 'gone'));
    assert.equal(await client.delete('Pod', 'db', 'etcd-0', {uid: 'u'}), false);
    answerWith(409, failure(409, 'Conflict', 'the UID in the precondition does not match'));
    await assert.rejects(client.delete('Pod', 'db', 'etcd-0', {uid: 'u'}), isConflict);
    const before = server.requests.length;
    await assert.rejects(client.delete('Pod', 'db', 'etcd-0', {uid: ''}), TypeError);
    assert.equal(server.requests.length, before);
  });

  it('writes a status to its subresource', async () => {
    answerWith(200, {metadata: {name: 'etcd', namespace: 'db', resourceVersion: '8'}});
    await client.replaceStatus({
      apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name: 'etcd', namespace: 'db', resourceVersion: '7'},
      spec: {target: {statefulSet: 'etcd'}} as never, status: {phase: 'Watching'},
    });
    assert.equal(last().method, 'PUT');
    assert.equal(last().path, '/apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries/etcd/status');
  });

  it('reads logs as text', async () => {
    server.answer = (_request, response) => response.end('line 1\nline 2\n');
    assert.equal(await client.podLog('db', 'etcd-0', {container: 'etcd', tailLines: 2, limitBytes: 100}), 'line 1\nline 2\n');
    assert.equal(last().query.toString(), 'container=etcd&limitBytes=100&tailLines=2');
  });

  it('reads versions, those that vendors write with a plus too', async () => {
    answerWith(200, {major: '1', minor: '30+', gitVersion: 'v1.30.1-vendor'});
    assert.deepEqual(await client.version(), {major: 1, minor: 30, gitVersion: 'v1.30.1-vendor'});
  });

  it('refuses a verb that the table of kinds does not list, before it asks anybody', async () => {
    await assert.rejects(client.patch('StatefulSet', 'db', 'etcd', {spec: {replicas: 0}}), TypeError);
    await assert.rejects(client.list('Secret', 'db'), TypeError);
    assert.deepEqual(server.requests, []);
  });

  const answers: [number, object | string, (error: unknown) => boolean, string][] = [
    [403, failure(403, 'Forbidden', 'pods is forbidden'), isForbidden, 'get Pod db/etcd-0: pods is forbidden (403 Forbidden)'],
    [401, failure(401, 'Unauthorized', 'Unauthorized'), isForbidden, 'get Pod db/etcd-0: Unauthorized (401 Unauthorized)'],
    [409, failure(409, 'AlreadyExists', 'there is one'), isAlreadyExists, 'get Pod db/etcd-0: there is one (409 AlreadyExists)'],
    [409, failure(409, 'Conflict', 'modified'), isConflict, 'get Pod db/etcd-0: modified (409 Conflict)'],
    [422, failure(422, 'Invalid', 'spec: bad'), isInvalid, 'get Pod db/etcd-0: spec: bad (422 Invalid)'],
    [410, failure(410, 'Expired', 'too old'), isExpired, 'get Pod db/etcd-0: too old (410 Expired)'],
    [503, 'upstream is away', isUnavailable, 'get Pod db/etcd-0: upstream is away (503 ServiceUnavailable)'],
    [500, failure(500, 'InternalError', 'etcdserver: no leader'), isUnavailable, 'get Pod db/etcd-0: etcdserver: no leader (500 InternalError)'],
  ];
  for (const [code, body, matches, message] of answers) {
    it(`maps an answer of ${code} to: ${message}`, async () => {
      server.answer = (_request, response) => {
        response.writeHead(code);
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
      };
      await assert.rejects(client.get('Pod', 'db', 'etcd-0'), (error) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.message, message);
        assert.equal(matches(error), true);
        assert.equal(isNotFound(error), false);
        return true;
      });
    });
  }

  it('keeps what the API server says about when to come back', async () => {
    answerWith(429, {}, {'retry-after': '3'});
    await assert.rejects(client.get('Pod', 'db', 'etcd-0'), (error) => isUnavailable(error) && error.retryAfterSeconds === 3);
  });

  it('reports a refused connection as Unavailable, with its reason', async () => {
    await server.close();
    await assert.rejects(client.get('Pod', 'db', 'etcd-0'), (error) => {
      assert.ok(isUnavailable(error));
      assert.deepEqual([error.code, error.reason], [0, 'Unavailable']);
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  it('gives up on a server that does not answer, or that stops in the middle of its answer', async () => {
    server.answer = () => undefined;
    await assert.rejects(client.get('Pod', 'db', 'etcd-0'), (error) => isUnavailable(error) && error.code === 0 && /in time/.test(error.message));
    server.answer = (_request, response) => {
      response.writeHead(200);
      response.write('{"metadata":');
    };
    await assert.rejects(client.get('Pod', 'db', 'etcd-0'), (error) => isUnavailable(error) && error.code === 0);
    assert.deepEqual(calls.map((call) => call.code), [0, 0]);
  });

  it('reports an answer that is no object as Unavailable', async () => {
    server.answer = (_request, response) => response.end('<html>a proxy</html>');
    await assert.rejects(client.get('Pod', 'db', 'etcd-0'), isUnavailable);
  });

  it('asks one API server at its own address with the same credentials', async () => {
    const other = new FakeApiServer((_request, response) => {
      json(response, 200, {major: '1', minor: '35', gitVersion: 'v1.35.4'});
    });
    const address = (await other.listen()).getCurrentCluster()?.server ?? '';
    const there = client.at(address);
    assert.equal((await there.version()).minor, 35);
    assert.equal(client.at(address), there);
    assert.equal(other.requests[0]?.headers.authorization, 'Bearer of-the-tester');
    const config = kubeConfigFor('https://10.0.0.1:6443').at('https://10.0.0.2:6443');
    assert.equal(config.getCurrentCluster()?.tlsServerName, 'kubernetes.default.svc');
    await other.close();
  });
});
