import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {Controller} from '../../../src/operator/controller.ts';
import type {ReconcileResult} from '../../../src/operator/controller.ts';
import {NotLeadingError} from '../../../src/operator/guard.ts';
import {createLog} from '../../../src/operator/log.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {ConflictError} from '../../../src/operator/status.ts';
import {FakeClock, settle} from './fake-clock.ts';
import {FakeFeed, resource} from './fake-feed.ts';

function setUp(own: (version: string | undefined) => boolean = () => false) {
  const clock = new FakeClock();
  const feed = new FakeFeed();
  const reconciled: string[] = [];
  const metrics = createMetrics('test');
  let answer: () => Promise<ReconcileResult> = () => Promise.resolve({});
  const resting = new Set<string>();
  const controller = new Controller({
    feed, clock, log: createLog('silent', 'test'), metrics, resyncMs: 30_000, concurrency: 2, random: () => 0.5,
    isOwnWrite: ({metadata}) => own(metadata.resourceVersion),
  });
  const start = () => {
    controller.start({
      reconcile: ({namespace, name}) => {
        reconciled.push(`${namespace}/${name}`);
        return answer();
      },
      rests: ({namespace, name}) => resting.has(`${namespace}/${name}`),
    });
  };
  const took = async () => {
    await settle();
    return reconciled.splice(0);
  };
  const answers = (next: () => Promise<ReconcileResult>) => {
    answer = next;
  };
  const count = async (result: string) => (await metrics.reconcileTotal.get()).values.find(({labels}) => labels.result === result)?.value ?? 0;
  return {clock, feed, controller, metrics, start, took, answers, count, resting};
}

const pod = (name: string, metadata: object = {}) => ({metadata: {name, namespace: 'db', uid: name, ...metadata}});
const ownedBy = (kind: string, name: string) => ({ownerReferences: [{apiVersion: 'apps/v1', kind, name, uid: 'u', controller: true}]});

describe('controller', () => {
  it('reconciles nothing before it is started, and every known resource then', async () => {
    const {feed, start, took} = setUp();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('b')});
    assert.deepEqual(await took(), []);
    start();
    assert.deepEqual(await took(), ['db/a', 'db/b']);
  });

  it('reconciles the resources that a pod, a set or a node matters to', async () => {
    const {feed, start, took} = setUp();
    start();
    const members = [{pod: 'etcd-0', node: 'node-1', role: 'Voter' as const, health: 'Healthy' as const}];
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a', 'etcd', {status: {members}})});
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('b', 'other', {status: {members: [{...members[0], node: 'node-2'} as never]}})});
    await took();
    const told: [object, string[]][] = [
      [pod('etcd-0', ownedBy('StatefulSet', 'etcd')), ['db/a']],
      [pod('etcd-0', ownedBy('ReplicaSet', 'etcd')), []],
      [pod('other-1'), ['db/b']],
      [pod('helper', {labels: {[marks.resource]: 'b'}}), ['db/b']],
      [pod('etcd-0', {namespace: 'elsewhere'}), []],
    ];
    for (const [object, expected] of told) {
      feed.tell({kind: 'Pod', type: 'Deleted', object});
      assert.deepEqual(await took(), expected, JSON.stringify(object));
    }
    feed.tell({kind: 'StatefulSet', type: 'Modified', object: {metadata: {name: 'etcd', namespace: 'db'}}});
    assert.deepEqual(await took(), ['db/a']);
    feed.tell({kind: 'Node', type: 'Deleted', object: {metadata: {name: 'node-2'}}});
    assert.deepEqual(await took(), ['db/b']);
  });

  it('takes a heartbeat of a node for nothing, and a change of its readiness for something', async () => {
    const {feed, start, took} = setUp();
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await took();
    const node = (status: string, lastHeartbeatTime: string) =>
      ({metadata: {name: 'node-1', uid: 'n'}, status: {conditions: [{type: 'Ready', status, lastHeartbeatTime: new Date(lastHeartbeatTime)}]}});
    const previous = node('True', '2026-01-01T00:00:00Z');
    feed.tell({kind: 'Node', type: 'Modified', object: node('True', '2026-01-01T00:05:00Z'), previous});
    assert.deepEqual(await took(), []);
    feed.tell({kind: 'Node', type: 'Modified', object: node('Unknown', '2026-01-01T00:05:00Z'), previous});
    assert.deepEqual(await took(), ['db/a']);
  });

  it('leaves its own status write alone, and reconciles what anyone else wrote', async () => {
    const {feed, start, took} = setUp((version) => version === '5');
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await took();
    const changed = (resourceVersion: string) => resource('a', 'a', {metadata: {name: 'a', namespace: 'db', resourceVersion}});
    feed.tell({kind: 'QuorumRecovery', type: 'Modified', object: changed('5')});
    assert.deepEqual(await took(), []);
    feed.tell({kind: 'QuorumRecovery', type: 'Modified', object: changed('6')});
    assert.deepEqual(await took(), ['db/a']);
  });

  it('looks once more at a removed resource, and never again', async () => {
    const {clock, feed, start, took, controller} = setUp();
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await took();
    feed.tell({kind: 'QuorumRecovery', type: 'Deleted', object: resource('a')});
    assert.deepEqual(await took(), ['db/a']);
    await clock.advance(120_000);
    assert.deepEqual(await took(), []);
    assert.deepEqual(controller.keys(), []);
  });

  it('comes back after the time that the reconciler asks for', async () => {
    const {clock, feed, start, took, answers, count} = setUp();
    answers(() => Promise.resolve({requeueAfterMs: 700}));
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    assert.deepEqual(await took(), ['db/a']);
    await clock.advance(699);
    assert.deepEqual(await took(), []);
    answers(() => Promise.resolve({}));
    await clock.advance(1);
    assert.deepEqual(await took(), ['db/a']);
    assert.deepEqual([await count('requeued'), await count('success')], [1, 1]);
  });

  it('looks at every resource at least once in the resync time', async () => {
    const {clock, feed, start, took} = setUp();
    start();
    for (const name of ['a', 'b', 'c']) feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource(name)});
    await took();
    for (let interval = 0; interval < 5; interval += 1) {
      await clock.advance(30_000);
      assert.deepEqual([...new Set(await took())].sort(), ['db/a', 'db/b', 'db/c']);
    }
  });

  it('leaves a resource that rests alone until something happens to it, and asks in each resync time whether it still rests', async () => {
    const {clock, feed, start, took, resting} = setUp();
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a', 'etcd')});
    await took();
    resting.add('db/a');
    for (let interval = 0; interval < 20; interval += 1) {
      await clock.advance(30_000);
      assert.deepEqual(await took(), []);
    }
    feed.tell({kind: 'Pod', type: 'Modified', object: pod('etcd-0', ownedBy('StatefulSet', 'etcd'))});
    assert.deepEqual(await took(), ['db/a'], 'an event is not looked at');
    resting.delete('db/a');
    await clock.advance(30_000);
    assert.ok((await took()).length > 0, 'it is not looked at although it does not rest');
  });

  it('looks first at what somebody may wait for, and at what was listed when there is time', async () => {
    const {clock, feed, start, took, answers} = setUp();
    let end = (): void => undefined;
    answers(() => new Promise((resolve) => { end = () => { resolve({}); }; }));
    const trigger = {type: 'OnQuorumLoss'};
    const known = (name: string, status: object) => resource(name, name, {spec: {target: {statefulSet: name}, trigger}, status} as never);
    feed.tell({kind: 'QuorumRecovery', type: 'Added', listed: true, object: known('calm', {})});
    feed.tell({kind: 'QuorumRecovery', type: 'Added', listed: true, object: known('calm-too', {})});
    feed.tell({kind: 'QuorumRecovery', type: 'Added', listed: true, object: known('lost', {suspicion: {since: ''}})});
    feed.tell({kind: 'QuorumRecovery', type: 'Added', listed: true, object: known('running', {run: {id: 'r'}})});
    start();
    assert.deepEqual(await took(), ['db/lost', 'db/running']);
    feed.tell({kind: 'QuorumRecovery', type: 'Added', listed: true, object: known('later', {})});
    feed.tell({kind: 'Pod', type: 'Added', listed: true, object: pod('calm-0')});
    feed.tell({kind: 'Pod', type: 'Modified', object: pod('calm-too-0')});
    end();
    await clock.advance(0);
    assert.deepEqual(await took(), ['db/calm-too']);
  });

  it('tries again with a back-off after an error, and as late as the API server asks', async () => {
    const {clock, feed, start, took, answers, count} = setUp();
    answers(() => Promise.reject(new Error('a defect')));
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await clock.advance(199);
    assert.equal((await took()).length, 1);
    await clock.advance(401);
    assert.equal((await took()).length, 2);
    answers(() => Promise.reject(new ApiError({
      code: 429, reason: 'TooManyRequests', message: 'later', verb: 'get', kind: 'Pod', object: '', retryAfterSeconds: 5,
    })));
    await clock.advance(800);
    assert.equal((await took()).length, 1);
    await clock.advance(4_999);
    assert.equal((await took()).length, 0);
    await clock.advance(1);
    assert.equal((await took()).length, 1);
    assert.equal(await count('error'), 5);
  });

  it('tries again at once after a conflict, but not for ever at that pace', async () => {
    const {clock, feed, start, took, answers, count} = setUp();
    answers(() => Promise.reject(new ConflictError('QuorumRecovery db/a')));
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await clock.advance(500);
    assert.equal((await took()).length, 6);
    await clock.advance(10_000);
    assert.ok((await took()).length < 8);
    assert.ok(await count('conflict') > 6);
  });

  it('does not try again what it may not do any more', async () => {
    const {clock, feed, start, took, answers} = setUp();
    answers(() => Promise.reject(new NotLeadingError('create Pod')));
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    assert.equal((await took()).length, 1);
    await clock.advance(5_000);
    assert.equal((await took()).length, 0);
  });

  it('waits for what runs when it is stopped, and begins nothing more', async () => {
    const {clock, feed, start, took, answers, controller} = setUp();
    let end: (result: ReconcileResult) => void = () => undefined;
    answers(() => new Promise((resolve) => {
      end = resolve;
    }));
    start();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('a')});
    await took();
    let stopped = false;
    const stopping = controller.stop().then(() => {
      stopped = true;
    });
    feed.tell({kind: 'QuorumRecovery', type: 'Modified', object: resource('a')});
    await clock.advance(1_000);
    assert.equal(stopped, false);
    end({requeueAfterMs: 0});
    await stopping;
    await clock.advance(120_000);
    assert.deepEqual(await took(), []);
    assert.equal(clock.timers, 0);
  });
});
