import assert from 'node:assert/strict';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {LeaderElector} from '../../../src/operator/lease.ts';
import {createLog} from '../../../src/operator/log.ts';
import {FakeClient, unavailable} from './fake-client.ts';
import {FakeClock, settle} from './fake-clock.ts';

const times = {durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000};
const log = createLog('silent', 'test');

function candidate(client: FakeClient, clock: FakeClock, identity: string, name = 'operator', said?: string[]) {
  const seen: string[] = [];
  const tries = {renewed: 0, failed: 0};
  const elector = new LeaderElector({
    client, clock, log: said === undefined ? log : createLog('error', 'test', {write: (line) => { said.push((JSON.parse(line) as {message: string}).message); }}), namespace: 'system', name, identity, times, random: () => 0.5,
    onStarted: (signal) => {
      seen.push('started');
      signal.addEventListener('abort', () => seen.push('aborted'));
    },
    onStopped: (why) => seen.push(why),
    onRenewed: () => { tries.renewed += 1; },
    onFailure: () => { tries.failed += 1; },
  });
  return {elector, seen, tries};
}

/** The first leads, and the second stands by. `clockOfB`, `ofA`: what tells the one the time, and how the other speaks to the API server, where that differs. */
async function pair(clock: FakeClock, {client = new FakeClient(), ofA = client, clockOfB = clock, name}: {client?: FakeClient; ofA?: FakeClient; clockOfB?: FakeClock; name?: string} = {}) {
  const a = candidate(ofA, clock, 'a', name);
  const b = candidate(client, clockOfB, 'b', name);
  a.elector.start();
  await settle();
  b.elector.start();
  return {client, a, b};
}

async function leaseOf(client: FakeClient) {
  const lease = await client.get('Lease', 'system', 'operator');
  assert.ok(lease?.spec);
  return lease.spec;
}

describe('leader election', () => {
  it('tells of every renewal, and of every try that failed or hung, but not of a lease that another holds', async () => {
    const clock = new FakeClock();
    const {client, a, b} = await pair(clock);
    await clock.advance(6_000);
    assert.deepEqual([a.tries, b.tries], [{renewed: 4, failed: 0}, {renewed: 0, failed: 0}]);
    client.intercept = (verb, kind) => { throw unavailable(verb, kind); };
    await clock.advance(2_000);
    assert.deepEqual(a.tries, {renewed: 4, failed: 1});
    client.intercept = () => new Promise<never>(() => undefined);
    await clock.advance(2_000 + times.renewDeadlineMs / 2);
    assert.deepEqual(a.tries, {renewed: 4, failed: 2});
  });

  it('lets the first process lead and the second stand by', async () => {
    const clock = new FakeClock();
    const {client, a, b} = await pair(clock);
    await clock.advance(60_000);
    assert.deepEqual(a.seen, ['started']);
    assert.deepEqual(b.seen, []);
    assert.equal(b.elector.holder, 'a');
    const spec = await leaseOf(client);
    assert.equal(spec.holderIdentity, 'a');
    assert.equal(spec.leaseDurationSeconds, 15);
    assert.equal(spec.leaseTransitions, 0);
  });

  it('lets the second lead no sooner than the lease duration after the last renewal of the first, which was killed, and no more than a look later', async () => {
    const clock = new FakeClock();
    const client = new FakeClient();
    let alive = true;
    const ofA = {
      get: client.get.bind(client), create: client.create.bind(client),
      replace: (...args: Parameters<FakeClient['replace']>) => alive ? client.replace(...args) : new Promise<never>(() => undefined),
    } as unknown as FakeClient;
    const {b} = await pair(clock, {client, ofA});
    await clock.advance(7_000);
    // Killed: it writes no more.
    alive = false;
    // Renewed at 6 s.
    await clock.advance(13_900);
    assert.deepEqual(b.seen, []);
    await clock.advance(850);
    assert.deepEqual(b.seen, ['started']);
    assert.equal((await leaseOf(client)).leaseTransitions, 1);
  });

  it('hands over within a quarter of the retry period when the leader gives the lease back', async () => {
    const clock = new FakeClock();
    const {client, a, b} = await pair(clock);
    await clock.advance(5_000);
    await a.elector.stop();
    assert.deepEqual(a.seen, ['started', 'aborted', 'Released']);
    const spec = await leaseOf(client);
    assert.equal(spec.holderIdentity, '');
    assert.equal(spec.leaseDurationSeconds, 1);
    await clock.advance(600);
    assert.deepEqual(b.seen, ['started']);
  });

  it('does not ask an API server more often that does not answer', async () => {
    const clock = new FakeClock();
    const {client, b} = await pair(clock);
    await clock.advance(1_000);
    client.intercept = (verb, kind) => { throw unavailable(verb, kind); };
    await clock.advance(8_000);
    assert.ok(b.tries.failed <= 4, `${b.tries.failed} tries in 8 s`);
  });

  it('ends leading ten seconds after the last good renewal began when the API server is away, before another one can lead', async () => {
    const clock = new FakeClock();
    const client = new FakeClient();
    const a = candidate(client, clock, 'a');
    a.elector.start();
    await clock.advance(1_000);
    client.intercept = (verb, kind) => {
      throw unavailable(verb, kind);
    };
    await clock.advance(8_900);
    assert.deepEqual(a.seen, ['started']);
    await clock.advance(200);
    assert.deepEqual(a.seen, ['started', 'aborted', 'Lost']);
    assert.equal(a.elector.isLeader, false);
  });

  it('ends leading in time even while a renewal hangs for ever', async () => {
    const clock = new FakeClock();
    const client = new FakeClient();
    const a = candidate(client, clock, 'a');
    a.elector.start();
    await clock.advance(1_000);
    client.intercept = () => new Promise(() => undefined);
    await clock.advance(9_100);
    assert.deepEqual(a.seen, ['started', 'aborted', 'Lost']);
  });

  it('says whether the API server took no renewal, or this process was hardly run', async () => {
    const lostBy = async (stalledMs: number) => {
      const [clock, client, said] = [new FakeClock(), new FakeClient(), [] as string[]];
      candidate(client, clock, 'a', 'operator', said).elector.start();
      await clock.advance(1_000);
      client.intercept = () => new Promise(() => undefined);
      await clock.advance(2_000);
      clock.stall(stalledMs);
      await clock.advance(9_000);
      return said.join();
    };
    assert.match(await lostBy(0), /^The lease could not be renewed in time, because the API server did not take a renewal for 10 s: /);
    assert.match(await lostBy(12_000), /^The lease could not be renewed in time, because this process was hardly run: its node has too little processor time/);
  });

  it('is renewed by one write, and read only where somebody else wrote it', async () => {
    const [clock, client] = [new FakeClock(), new FakeClient()];
    const a = candidate(client, clock, 'a');
    a.elector.start();
    await clock.advance(1_000);
    const verbs = async (milliseconds: number) => {
      client.calls.length = 0;
      await clock.advance(milliseconds);
      return client.calls.map(({verb}) => verb).join(' ');
    };
    assert.equal(await verbs(4_000), 'update update');
    const lease = await client.get('Lease', 'system', 'operator') ?? assert.fail();
    await client.replace('Lease', {...lease, metadata: {...lease.metadata, labels: {by: 'a person'}}});
    assert.equal(await verbs(2_000), 'update get update');
    assert.equal(await verbs(2_000), 'update');
    const taken = await client.get('Lease', 'system', 'operator') ?? assert.fail();
    await client.replace('Lease', {...taken, spec: {...taken.spec, holderIdentity: 'b'}});
    await clock.advance(11_000);
    assert.deepEqual(a.seen, ['started', 'aborted', 'Lost']);
    assert.equal((await leaseOf(client)).holderIdentity, 'b');
  });

  it('is read, and no failure counted, where the write finds none: somebody has deleted it', async () => {
    const [clock, client] = [new FakeClock(), new FakeClient()];
    const a = candidate(client, clock, 'a');
    a.elector.start();
    await clock.advance(1_000);
    let isGone = true;
    client.intercept = (verb) => {
      if (verb !== 'update' || !isGone) return;
      isGone = false;
      throw new ApiError({verb: 'update', kind: 'Lease', object: 'operator', code: 404, reason: 'NotFound', message: ''});
    };
    client.calls.length = 0;
    await clock.advance(1_000);
    assert.deepEqual(client.calls.map(({verb}) => verb), ['update', 'get', 'update']);
    assert.deepEqual([a.seen, a.tries.failed], [['started'], 0]);
  });

  it('leads on through errors that pass before the deadline', async () => {
    const clock = new FakeClock();
    const client = new FakeClient();
    const a = candidate(client, clock, 'a');
    a.elector.start();
    await clock.advance(1_000);
    client.intercept = (verb, kind) => {
      throw unavailable(verb, kind);
    };
    await clock.advance(6_000);
    client.intercept = () => undefined;
    await clock.advance(60_000);
    assert.deepEqual(a.seen, ['started']);
  });

  it('does not believe wall clocks: a lease that was renewed in a far past or future is held as long as it changes', async () => {
    const client = new FakeClient();
    for (const skew of [-86_400_000, 86_400_000]) {
      const clock = new FakeClock();
      const other = new FakeClock(clock.now() + skew);
      const name = `operator${String(skew)}`;
      const {a, b} = await pair(clock, {client, clockOfB: other, name});
      for (let second = 0; second < 60; second += 1) {
        await clock.advance(1_000);
        await other.advance(1_000);
      }
      assert.deepEqual([a.seen, b.seen], [['started'], []]);
    }
  });

  it('keeps standing by when the other wrote first', async () => {
    const clock = new FakeClock();
    const client = new FakeClient();
    const a = candidate(client, clock, 'a');
    const b = candidate(client, clock, 'b');
    a.elector.start();
    b.elector.start();
    await clock.advance(30_000);
    assert.deepEqual([a.seen, b.seen].filter((seen) => seen.length > 0), [['started']]);
  });

  it('refuses times with which two could lead at once', () => {
    const client = new FakeClient();
    const clock = new FakeClock();
    const options = {client, clock, log, namespace: 'n', name: 'l', identity: 'a', onStarted: () => undefined, onStopped: () => undefined};
    assert.throws(() => new LeaderElector({...options, times: {...times, renewDeadlineMs: 15_000}}), /lease duration must be longer/);
    assert.throws(() => new LeaderElector({...options, times: {...times, retryMs: 9_000}}), /renew deadline must be longer/);
  });
});
