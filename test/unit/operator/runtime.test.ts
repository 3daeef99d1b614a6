import assert from 'node:assert/strict';
import {EventEmitter} from 'node:events';
import {checkVersion, watchdogs} from '../../../src/operator/checks.ts';
import {parseConfig} from '../../../src/operator/config.ts';
import {Leadership, leadingClient, NotLeadingError} from '../../../src/operator/guard.ts';
import {createLog} from '../../../src/operator/log.ts';
import {runOperator} from '../../../src/operator/runtime.ts';
import type {OperatorReconciler, ReconcilerContext, RuntimeParts} from '../../../src/operator/runtime.ts';
import {FakeClient, unavailable} from './fake-client.ts';
import {FakeClock, settle} from './fake-clock.ts';
import {FakeFeed, resource} from './fake-feed.ts';

function setUp(args: string[] = []) {
  const invocation = parseConfig(['--port=0', '--lease-namespace=system', '--identity=operator-1', ...args], {});
  assert.equal(invocation.kind, 'Run');
  const client = new FakeClient();
  const clock = new FakeClock();
  const feed = new FakeFeed();
  const signals = new EventEmitter();
  const seen: string[] = [];
  let context: ReconcilerContext | undefined;
  let port = 0;
  let reconcile: OperatorReconciler['reconcile'] = () => Promise.resolve({});
  const parts: RuntimeParts = {
    client, clock, feed, signals, log: createLog('silent', 'test'), onListening: (listening) => {
      port = listening;
    },
  };
  const run = () => runOperator(invocation.config, (given) => {
    context = given;
    return {
      reconcile: (key) => {
        seen.push(`reconcile ${key.namespace}/${key.name}`);
        return reconcile(key);
      },
      onPodEvent: ({type, object}) => seen.push(`pod ${type} ${object.metadata?.name ?? ''}`),
      close: () => {
        seen.push('closed');
      },
    };
  }, parts);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return {status: response.status, text: await response.text()};
  };
  const started = async () => {
    for (let turn = 0; turn < 100 && !feed.started; turn += 1) await settle();
    await settle();
    assert.ok(context);
    return context;
  };
  const reconciles = (next: OperatorReconciler['reconcile']) => {
    reconcile = next;
  };
  return {client, clock, feed, signals, seen, run, get, started, reconciles, parts};
}

describe('runtime', () => {
  it('leads, reconciles, tells of pods before their reconcile, and ends with 0 after SIGTERM with the lease given back', async () => {
    const {client, feed, signals, seen, run, get, started} = setUp();
    const ended = run();
    const context = await started();
    assert.equal(context.leadership.active, true);
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await settle();
    feed.tell({kind: 'Pod', type: 'Added', object: {metadata: {name: 'etcd-0', namespace: 'db'}}});
    await settle();
    assert.deepEqual(seen, ['reconcile db/etcd', 'pod Added etcd-0', 'reconcile db/etcd']);
    assert.equal((await get('/readyz')).status, 200);
    assert.deepEqual(await get('/healthz'), {status: 200, text: 'ok\n'});
    const metrics = await get('/metrics');
    for (const line of ['quorumrecovery_leader 1', 'quorumrecovery_reconcile_total{result="success"} 2', 'quorumrecovery_build_info{']) {
      assert.ok(metrics.text.includes(line), line);
    }
    assert.equal((await get('/')).status, 404);
    assert.match((await client.get('Lease', 'system', 'quorum-recovery-operator'))?.spec?.holderIdentity ?? '', /^operator-1_[0-9a-f]{8}$/);
    signals.emit('SIGTERM');
    assert.equal(await ended, 0);
    assert.equal((await client.get('Lease', 'system', 'quorum-recovery-operator'))?.spec?.holderIdentity, '');
    assert.equal(context.signal.aborted, true);
    assert.equal(feed.stopped, true);
    assert.equal(seen.at(-1), 'closed');
  });

  it('keeps the ledger of pods warm while another process leads, is ready, and changes nothing', async () => {
    const {client, clock, feed, signals, seen, run, get, started} = setUp();
    client.seed('Lease', {metadata: {namespace: 'system', name: 'quorum-recovery-operator'}, spec: {holderIdentity: 'other', leaseDurationSeconds: 15}});
    const ended = run();
    const context = await started();
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    feed.tell({kind: 'Pod', type: 'Deleted', object: {metadata: {name: 'etcd-0', namespace: 'db'}}});
    await settle();
    assert.deepEqual(seen, ['pod Deleted etcd-0']);
    assert.equal((await get('/readyz')).status, 200);
    await assert.rejects(context.client.create('Pod', {metadata: {name: 'p', namespace: 'db'}}), NotLeadingError);
    await clock.advance(18_000);
    assert.deepEqual(seen, ['pod Deleted etcd-0', 'reconcile db/etcd']);
    signals.emit('SIGINT');
    assert.equal(await ended, 0);
  });

  it('begins no write once it has lost the lease, and when all has ended stands by again with everything made anew, without a new container', async () => {
    const {client, clock, feed, signals, seen, run, started, reconciles} = setUp();
    const ended = run();
    const context = await started();
    let refused: unknown;
    reconciles(async () => {
      await new Promise((resolve) => {
        context.signal.addEventListener('abort', resolve);
      });
      refused = await context.client.create('Pod', {metadata: {name: 'late', namespace: 'db'}}).catch((error: unknown) => error);
      return {};
    });
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await settle();
    client.intercept = (verb, kind) => {
      if (kind === 'Lease') throw unavailable(verb, kind);
    };
    await clock.advance(10_500);
    assert.ok(refused instanceof NotLeadingError);
    assert.equal(client.calls.some(({verb, kind}) => verb === 'create' && kind === 'Pod'), false);
    assert.deepEqual(seen, ['reconcile db/etcd', 'closed']);
    assert.ok(context.signal.aborted);

    client.intercept = () => undefined;
    const again = await started();
    assert.notEqual(again, context);
    reconciles(() => Promise.resolve({}));
    assert.equal(again.leadership.active, false, 'the one before has the lease until it runs out');
    await clock.advance(18_000);
    assert.equal(again.leadership.active, true);
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await clock.advance(1_000);
    assert.deepEqual(seen, ['reconcile db/etcd', 'closed', 'reconcile db/etcd']);
    signals.emit('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('ends, and does not stand by, where it is asked to stop while what had begun before the loss ends', async () => {
    const {client, clock, feed, signals, seen, run, started, reconciles} = setUp();
    const ended = run();
    const context = await started();
    const work = Promise.withResolvers<object>();
    reconciles(() => work.promise);
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await settle();
    client.intercept = (verb, kind) => {
      if (kind === 'Lease') throw unavailable(verb, kind);
    };
    await clock.advance(10_500);
    assert.ok(context.signal.aborted);
    signals.emit('SIGTERM');
    work.resolve({});
    // One that stood by again would have gone on until it leads and is asked once more.
    for (let turn = 0; turn < 20 && !seen.includes('closed'); turn += 1) await settle();
    assert.equal(await Promise.race([ended, settle().then(settle).then(() => 'it stands by')]), 1);
  });

  it('ends with 1 when it has lost the lease and what had begun does not end: a new process begins with a clean slate', async () => {
    const {client, clock, feed, run, started, reconciles} = setUp();
    const ended = run();
    await started();
    reconciles(() => new Promise(() => undefined));
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await settle();
    client.intercept = (verb, kind) => {
      if (kind === 'Lease') throw unavailable(verb, kind);
    };
    await clock.advance(21_000);
    assert.equal(await ended, 1);
  });

  it('shows the gauges of resources as soon as it leads, before any of them was reconciled, and none of them before or after', async () => {
    const {client, clock, feed, run, get, started, reconciles} = setUp();
    client.seed('Lease', {metadata: {namespace: 'system', name: 'quorum-recovery-operator'}, spec: {holderIdentity: 'other', leaseDurationSeconds: 15}});
    const ended = run();
    await started();
    reconciles(() => new Promise(() => undefined));
    const shown = async () => (await get('/metrics')).text.split('\n').filter((line) => /^quorumrecovery_(phase\{|voters_healthy\{|leader |lease_renewed)/.test(line));
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd', 'etcd', {status: {phase: 'Watching', quorum: {voters: 3, needed: 2, healthy: 3, summary: '3/3'}}})});
    await settle();
    assert.deepEqual(await shown(), ['quorumrecovery_leader 0', 'quorumrecovery_lease_renewed_timestamp_seconds 0']);
    await clock.advance(18_000);
    const leading = await shown();
    assert.deepEqual(leading.slice(0, 3), ['quorumrecovery_voters_healthy{namespace="db",name="etcd"} 3', 'quorumrecovery_phase{namespace="db",name="etcd",phase="Watching"} 1', 'quorumrecovery_leader 1']);
    assert.doesNotMatch(leading.join(), /lease_renewed_timestamp_seconds 0/);
    client.intercept = (verb, kind) => {
      if (kind === 'Lease') throw unavailable(verb, kind);
    };
    // Past the renew deadline, and within the time that the reconcile that hangs is waited for.
    await clock.advance(12_500);
    assert.deepEqual(await shown(), ['quorumrecovery_leader 0', 'quorumrecovery_lease_renewed_timestamp_seconds 0']);
    assert.match((await get('/metrics')).text, /^quorumrecovery_lease_failures_total [1-9]/m);
    await clock.advance(10_000);
    assert.equal(await ended, 1);
  });

  it('lets a running reconcile end its step for ten seconds, and gives the lease back only then', async () => {
    const {client, clock, feed, signals, run, started, reconciles} = setUp();
    const ended = run();
    const context = await started();
    const holder = async () => (await client.get('Lease', 'system', 'quorum-recovery-operator'))?.spec?.holderIdentity ?? '';
    reconciles(() => new Promise(() => undefined));
    feed.tell({kind: 'QuorumRecovery', type: 'Added', object: resource('etcd')});
    await settle();
    signals.emit('SIGTERM');
    await clock.advance(9_000);
    assert.equal(context.stopping.aborted, true);
    assert.equal(context.leadership.active, true);
    assert.notEqual(await holder(), '');
    await clock.advance(1_000);
    assert.equal(await ended, 0);
    assert.equal(context.leadership.active, false);
    assert.equal(await holder(), '');
  });

  it('waits for an API server that is away, alive but not ready', async () => {
    const {client, clock, signals, run, get, started} = setUp(['--leader-elect=false']);
    const version = client.version.bind(client);
    client.version = () => Promise.reject(unavailable('get', 'version'));
    const ended = run();
    await settle();
    assert.equal((await get('/healthz')).status, 200);
    assert.deepEqual(await get('/readyz'), {
      status: 503, text: 'api: the API server was not reached yet\nelection: neither leading nor standing by\n',
    });
    client.version = version;
    await clock.advance(1_000);
    const context = await started();
    assert.equal(context.leadership.active, true);
    assert.equal((await get('/readyz')).status, 200);
    signals.emit('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('refuses a Kubernetes that is too old, with 1', async () => {
    const {client, run} = setUp();
    client.version = () => Promise.resolve({major: 1, minor: 29, gitVersion: 'v1.29.4'});
    assert.equal(await run(), 1);
    assert.throws(() => {
      checkVersion({major: 1, minor: 29, gitVersion: 'v1.29.4'});
    }, /Kubernetes v1\.29\.4 is too old: the operator needs 1\.30 or later/);
    checkVersion({major: 1, minor: 30, gitVersion: 'v1.30.0'});
    checkVersion({major: 2, minor: 0, gitVersion: 'v2.0.0'});
  });
});

describe('watchdogs', () => {
  it('fail only where a loop stands still for far longer than an outage would explain', () => {
    const checks = (reconcileMs: number, feedMs: number, leaseMs: number) =>
      Object.values(watchdogs({reconcileMs: () => reconcileMs, feedMs: () => feedMs, leaseMs: () => leaseMs})).map((check) => check());
    assert.deepEqual(checks(800_000, 100_000, 60_000), [undefined, undefined, undefined]);
    assert.deepEqual(checks(901_000, 181_000, 121_000), [
      'one reconcile has been running for 901 s', 'a watch has shown no life for 181 s', 'the leader election has stood still for 121 s',
    ]);
  });
});

describe('client of the leader', () => {
  it('writes only between the begin and the end of leading, and reads always', async () => {
    const client = new FakeClient();
    client.seed('QuorumRecovery', resource('etcd'));
    const leadership = new Leadership();
    const guarded = leadingClient(client, leadership);
    const writes = [
      () => guarded.create('Pod', {metadata: {name: 'p', namespace: 'db'}}),
      () => guarded.patch('Pod', 'db', 'p', {}),
      () => guarded.delete('Pod', 'db', 'p', {uid: 'u'}),
      () => guarded.replace('Lease', {metadata: {name: 'l'}}),
      () => guarded.replaceStatus(resource('etcd')),
      () => guarded.at('https://10.0.0.1').patch('Pod', 'db', 'p', {}),
    ];
    for (const write of writes) await assert.rejects(write(), NotLeadingError);
    leadership.begin();
    await guarded.create('Pod', {metadata: {name: 'p', namespace: 'db'}});
    leadership.end();
    for (const write of writes) await assert.rejects(write(), NotLeadingError);
    assert.equal((await guarded.list('QuorumRecovery', 'db')).length, 1);
    assert.equal((await guarded.get('Pod', 'db', 'p'))?.metadata?.name, 'p');
    leadership.begin();
    assert.equal(leadership.active, false);
  });
});
