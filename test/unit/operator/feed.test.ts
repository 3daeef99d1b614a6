import assert from 'node:assert/strict';
import type {ServerResponse} from 'node:http';
import {HttpKubernetesClient} from '../../../src/kubernetes/client-http.ts';
import {OperatorFeed} from '../../../src/operator/feed.ts';
import {createLog} from '../../../src/operator/log.ts';
import {failure, FakeApiServer, json} from '../kubernetes/fake-api-server.ts';
import {FakeClock, settle} from './fake-clock.ts';

const resources = '/apis/quorumrecovery.io/v1alpha1/quorumrecoveries';
const pods = '/api/v1/namespaces/db/pods';

const object = (name: string, resourceVersion: string, fields: object = {}) =>
  ({metadata: {name, namespace: 'db', uid: `uid-${name}`, resourceVersion, creationTimestamp: '2026-01-01T00:00:00Z'}, ...fields});

/** Waits for I/O, not for time: gives up after as many turns as no working code needs. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 2_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.fail(`never: ${what}`);
}

describe('event feed', () => {
  let server: FakeApiServer;
  let clock: FakeClock;
  let feed: OperatorFeed;
  let told: string[];
  let lists: Record<string, object[]>;
  let watches: Map<string, {response: ServerResponse; version: string | null}[]>;

  const streamsOf = (path: string) => watches.get(path) ?? [];
  const send = (path: string, type: string, sent: object) => streamsOf(path).at(-1)?.response.write(`${JSON.stringify({type, object: sent})}\n`);
  const listsOf = (path: string) => server.requests.filter((request) => request.path === path && !request.query.has('watch')).length;

  beforeEach(async () => {
    told = [];
    lists = {};
    watches = new Map();
    clock = new FakeClock();
    server = new FakeApiServer((request, response) => {
      if (!request.query.has('watch')) {
        json(response, 200, {metadata: {resourceVersion: '100'}, items: lists[request.path] ?? []});
        return;
      }
      assert.equal(request.query.get('allowWatchBookmarks'), 'true');
      response.writeHead(200);
      response.flushHeaders();
      watches.set(request.path, [...streamsOf(request.path), {response, version: request.query.get('resourceVersion')}]);
    });
    const config = await server.listen();
    const log = createLog('silent', 'test');
    feed = new OperatorFeed({config, client: new HttpKubernetesClient(config), clock, log, namespaces: []});
    feed.subscribe(({kind, type, object: {metadata}}) => told.push(`${kind} ${type} ${metadata?.name ?? ''}@${metadata?.resourceVersion ?? ''}`));
  });

  afterEach(async () => {
    feed.stop();
    await server.close();
  });

  const start = async () => {
    lists[resources] = [object('etcd', '7')];
    lists[pods] = [object('etcd-0', '8'), object('etcd-1', '9')];
    await feed.start();
    await until(() => streamsOf(pods).length === 1, 'pods are watched');
    assert.deepEqual(told, ['QuorumRecovery Added etcd@7', 'Pod Added etcd-0@8', 'Pod Added etcd-1@9']);
    told.length = 0;
  };

  it('watches pods and sets only in the namespaces that hold a resource, from its first to its last', async () => {
    await feed.start();
    await until(() => streamsOf(resources).length === 1 && streamsOf('/api/v1/nodes').length === 1, 'resources and nodes are watched');
    assert.equal(feed.synced, true);
    assert.equal(listsOf(pods), 0);
    send(resources, 'ADDED', object('etcd', '101'));
    await until(() => streamsOf(pods).length === 1 && streamsOf('/apis/apps/v1/namespaces/db/statefulsets').length === 1, 'both are watched');
    send(resources, 'ADDED', object('other', '102'));
    send(resources, 'DELETED', object('etcd', '103'));
    send(pods, 'ADDED', object('etcd-0', '104'));
    await until(() => told.includes('Pod Added etcd-0@104'), 'the pod is told of');
    assert.equal(streamsOf(pods).length, 1);
    const ended = new Promise((resolve) => streamsOf(pods)[0]?.response.on('close', resolve));
    send(resources, 'DELETED', object('other', '105'));
    await ended;
    assert.deepEqual(feed.known('Pod'), []);
  });

  it('tells of a deleted pod with its last state', async () => {
    await start();
    const seen: unknown[] = [];
    feed.subscribe((event) => seen.push(event));
    const status = {containerStatuses: [{name: 'etcd', state: {terminated: {exitCode: 0, finishedAt: '2026-01-01T00:00:09Z'}}}]};
    send(pods, 'DELETED', object('etcd-0', '110', {status}));
    await until(() => seen.length === 1, 'the deletion is told of');
    const [event] = seen as {type: string; object: {metadata: object; status: object}; finalStateUnknown?: boolean}[];
    assert.equal(event?.type, 'Deleted');
    assert.equal(event.finalStateUnknown, undefined);
    assert.deepEqual(event.object.status, {
      containerStatuses: [{name: 'etcd', state: {terminated: {exitCode: 0, finishedAt: new Date('2026-01-01T00:00:09Z')}}}],
    });
  });

  it('keeps of a pod and of a set what is asked of them, and says what was there before it looked', async () => {
    const seen: {kind: string; listed?: true; object: object}[] = [];
    feed.subscribe((event) => seen.push(event));
    lists[resources] = [object('etcd', '7')];
    const spec = {nodeName: 'node-1', restartPolicy: 'Always', containers: [{name: 'etcd', image: 'registry.example/etcd:3.6.16'}], volumes: [{name: 'data'}]};
    const made = object('etcd-0', '8', {spec, status: {phase: 'Running'}});
    lists[pods] = [{...made, metadata: {...made.metadata, labels: {app: 'etcd'}, annotations: {'quorumrecovery.io/run': 'r', 'example.com/large': 'x'}}}];
    await feed.start();
    await until(() => streamsOf(pods).length === 1 && streamsOf('/apis/apps/v1/namespaces/db/statefulsets').length === 1, 'both are watched');
    send('/apis/apps/v1/namespaces/db/statefulsets', 'ADDED', object('etcd', '9', {spec: {replicas: 3}, status: {replicas: 3}}));
    await until(() => seen.length === 3, 'all of them are told of');
    assert.deepEqual(seen.map(({kind, listed}) => `${kind}${listed ? ' listed' : ''}`), ['QuorumRecovery listed', 'Pod listed', 'StatefulSet']);
    const [, pod, set] = seen as {object: {metadata: {labels?: object; annotations?: object}; spec?: object; status?: object}}[];
    assert.deepEqual(pod?.object.spec, {nodeName: 'node-1', restartPolicy: 'Always', containers: []});
    assert.deepEqual([pod.object.metadata.labels, pod.object.metadata.annotations, pod.object.status], [{app: 'etcd'}, {'quorumrecovery.io/run': 'r'}, {phase: 'Running'}]);
    assert.deepEqual([set?.object.spec, set?.object.status], [undefined, undefined]);
  });

  it('resumes after a reset from the last event, and loses nothing', async () => {
    await start();
    send(pods, 'MODIFIED', object('etcd-0', '110'));
    await until(() => told.length === 1, 'the change is told of');
    server.reset();
    await settle();
    for (let tries = 0; streamsOf(pods).length < 2 && tries < 50; tries += 1) await clock.advance(500);
    await until(() => streamsOf(pods).length === 2, 'pods are watched again');
    assert.equal(streamsOf(pods)[1]?.version, '110');
    assert.equal(listsOf(pods), 1);
    send(pods, 'DELETED', object('etcd-0', '111'));
    await until(() => told.includes('Pod Deleted etcd-0@111'), 'the deletion is told of');
  });

  it('goes on after the server closed the stream', async () => {
    await start();
    await clock.advance(5_000);
    send(pods, 'BOOKMARK', {kind: 'Pod', metadata: {resourceVersion: '120'}});
    streamsOf(pods)[0]?.response.end();
    await until(() => streamsOf(pods).length === 2, 'pods are watched again');
    assert.equal(streamsOf(pods)[1]?.version, '120');
    assert.deepEqual(told, []);
  });

  it('finds a pod that was deleted between two watches when the old place is gone (410 in the stream)', async () => {
    await start();
    await clock.advance(5_000);
    lists[pods] = [object('etcd-1', '9')];
    send(pods, 'ERROR', failure(410, 'Expired', 'too old resource version'));
    await until(() => streamsOf(pods).length === 2, 'pods are watched again');
    assert.deepEqual(told, ['Pod Deleted etcd-0@8']);
  });

  it('finds it as well when the watch is refused with status 410', async () => {
    await start();
    await clock.advance(5_000);
    lists[pods] = [object('etcd-1', '9')];
    const answer = server.answer;
    server.answer = (request, response) => {
      if (request.path !== pods || !request.query.has('watch')) {
        answer(request, response);
        return;
      }
      server.answer = answer;
      json(response, 410, failure(410, 'Expired', 'too old resource version'));
    };
    streamsOf(pods)[0]?.response.end();
    await until(() => server.answer === answer, 'the watch is refused');
    for (let tries = 0; streamsOf(pods).length < 2 && tries < 50; tries += 1) {
      await clock.advance(500);
    }
    await until(() => streamsOf(pods).length === 2, 'pods are watched again');
    assert.deepEqual(told, ['Pod Deleted etcd-0@8']);
  });

  it('watches one collection each of several namespaces', async () => {
    const config = await (server.close(), server = new FakeApiServer(server.answer), server.listen());
    feed = new OperatorFeed({
      config, client: new HttpKubernetesClient(config), clock, log: createLog('silent', 'test'), namespaces: ['db', 'other'],
    });
    await feed.start();
    const path = (namespace: string) => `/apis/quorumrecovery.io/v1alpha1/namespaces/${namespace}/quorumrecoveries`;
    await until(() => streamsOf(path('db')).length === 1 && streamsOf(path('other')).length === 1, 'both are watched');
    assert.equal(listsOf(resources), 0);
  });

  it('asks for no resource of a namespace that is left out, and for the pods and nodes as ever', async () => {
    const config = await (server.close(), server = new FakeApiServer(server.answer), server.listen());
    feed = new OperatorFeed({
      config, client: new HttpKubernetesClient(config), clock, log: createLog('silent', 'test'), namespaces: [], excludedNamespaces: ['db', 'other'],
    });
    lists[resources] = [object('etcd', '7')];
    await feed.start();
    await until(() => [resources, '/api/v1/nodes', pods].every((path) => streamsOf(path).length === 1), 'all are watched');
    const asked = (path: string) => server.requests.filter((request) => request.path === path).map((request) => request.query.get('fieldSelector'));
    assert.deepEqual(asked(resources), Array.from({length: 2}, () => 'metadata.namespace!=db,metadata.namespace!=other'));
    for (const path of ['/api/v1/nodes', pods]) assert.deepEqual(asked(path), [null, null], path);
  });

  it('serves the namespaces that have the labels, and lets those go at once that lose them, with pods and sets', async () => {
    const config = await (server.close(), server = new FakeApiServer(server.answer), server.listen());
    feed = new OperatorFeed({
      config, client: new HttpKubernetesClient(config), clock, log: createLog('silent', 'test'), namespaces: [], excludedNamespaces: ['left'],
      namespaceSelector: 'team=db', resourceSelector: 'shard in (a)',
    });
    feed.subscribe(({kind, type, object: {metadata}, finalStateUnknown = false}) => told.push(`${kind} ${type} ${metadata?.name ?? ''}${finalStateUnknown ? ', not seen' : ''}`));
    const namespaces = '/api/v1/namespaces';
    const inside = '/apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries';
    const namespace = {metadata: {name: 'db', uid: 'uid-db', resourceVersion: '5'}};
    lists[inside] = [object('etcd', '7')];
    await feed.start();
    await until(() => streamsOf(namespaces).length === 1, 'namespaces are watched');
    assert.equal(listsOf(resources), 0);
    const asked = (path: string, name: string) => [...new Set(server.requests.filter((request) => request.path === path).map((request) => request.query.get(name)))];
    assert.deepEqual([asked(namespaces, 'labelSelector'), asked(namespaces, 'fieldSelector')], [['team=db'], ['metadata.name!=left']]);
    send(namespaces, 'ADDED', namespace);
    await until(() => streamsOf(inside).length === 1 && streamsOf(pods).length === 1, 'it is served');
    assert.deepEqual([asked(inside, 'labelSelector'), asked(inside, 'fieldSelector'), asked(pods, 'labelSelector')], [['shard in (a)'], [null], [null]]);
    const ended = Promise.all([inside, pods].map(async (path) => await new Promise((resolve) => streamsOf(path)[0]?.response.on('close', resolve))));
    send(namespaces, 'DELETED', namespace);
    await ended;
    assert.deepEqual(told, ['Namespace Added db', 'QuorumRecovery Added etcd', 'Namespace Deleted db', 'QuorumRecovery Deleted etcd, not seen']);
    send(namespaces, 'ADDED', namespace);
    await until(() => streamsOf(inside).length === 2 && streamsOf(pods).length === 2, 'it is served again');
  });

  it('tells the other subscribers when one of them throws, and nobody who has left', async () => {
    const seen: string[] = [];
    feed.subscribe(() => {
      throw new Error('a defect');
    });
    const leave = feed.subscribe(() => seen.push('left'));
    feed.subscribe(({kind}) => seen.push(kind));
    leave();
    await feed.start();
    await until(() => streamsOf(resources).length === 1, 'resources are watched');
    send(resources, 'ADDED', object('etcd', '101'));
    await until(() => seen.length > 0, 'it is told of');
    assert.deepEqual(seen, ['QuorumRecovery']);
  });
});
