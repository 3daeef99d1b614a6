import assert from 'node:assert/strict';
import {WorkQueue} from '../../../src/operator/queue.ts';
import {FakeClock, settle} from './fake-clock.ts';

interface Work {
  key: string;
  end: () => void;
}

function setUp(concurrency = 2) {
  const clock = new FakeClock();
  const begun: string[] = [];
  const open: Work[] = [];
  const waited: number[] = [];
  const queue = new WorkQueue({
    clock,
    concurrency,
    onTaken: (milliseconds) => waited.push(milliseconds),
    process: (key) => new Promise((resolve) => {
      begun.push(key);
      open.push({key, end: resolve});
    }),
  });
  const end = async (key: string) => {
    const index = open.findIndex((work) => work.key === key);
    assert.notEqual(index, -1, `${key} does not run`);
    open.splice(index, 1)[0]?.end();
    await settle();
  };
  return {clock, queue, begun, open, end, waited};
}

describe('work queue', () => {
  it('tells how long each key waited, from its first add on, and how long the present one has', async () => {
    const {clock, queue, end, waited} = setUp(1);
    queue.start();
    queue.add('a');
    queue.add('b');
    await clock.advance(3_000);
    queue.add('b');
    queue.add('a');
    assert.equal(queue.longestWaitMs, 3_000);
    await clock.advance(1_000);
    await end('a');
    assert.deepEqual([waited, queue.longestWaitMs], [[0, 4_000], 1_000], 'what is added while it runs waits too');
    await clock.advance(500);
    await end('b');
    assert.deepEqual([waited, queue.longestWaitMs], [[0, 4_000, 1_500], 0]);
  });

  it('works on nothing before its start, and on each key once however often it was added', async () => {
    const {queue, begun} = setUp();
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await settle();
    assert.deepEqual(begun, []);
    assert.equal(queue.depth, 2);
    queue.start();
    assert.deepEqual(begun, ['a', 'b']);
    assert.equal(queue.depth, 0);
    assert.equal(queue.running, 2);
  });

  it('works on a key again after its run when it was added meanwhile, and never on it twice at once', async () => {
    const {queue, begun, open, end} = setUp();
    queue.start();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await settle();
    assert.deepEqual(begun, ['a']);
    assert.equal(queue.depth, 1);
    await end('a');
    assert.deepEqual(begun, ['a', 'a']);
    assert.equal(open.length, 1);
    await end('a');
    assert.deepEqual(begun, ['a', 'a']);
  });

  it('lets a key that waits run while another one is busy, within the limit', async () => {
    const {queue, begun, end} = setUp(2);
    queue.start();
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    assert.deepEqual(begun, ['a', 'b']);
    await end('b');
    assert.deepEqual(begun, ['a', 'b', 'c']);
    await end('c');
    assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
  });

  it('takes the earliest of several times for one key', async () => {
    const {clock, queue, begun, end} = setUp();
    queue.start();
    queue.addAfter('a', 10_000);
    queue.addAfter('a', 3_000);
    queue.addAfter('a', 7_000);
    await clock.advance(2_999);
    assert.deepEqual(begun, []);
    await clock.advance(1);
    assert.deepEqual(begun, ['a']);
    await end('a');
    await clock.advance(20_000);
    assert.deepEqual(begun, ['a']);
  });

  it('begins nothing at once whose time is further away than a timer of Node can tell', async () => {
    const {clock, queue, begun} = setUp();
    queue.start();
    queue.addAfter('a', 720 * 3_600_000, true);
    await clock.advance(24 * 86_400_000);
    assert.deepEqual(begun, []);
    await clock.advance(86_400_000);
    assert.deepEqual(begun, ['a']);
  });

  it('doubles the delay of retries from 0.2 s up to 30 s, and begins again after the key was forgotten', async () => {
    const {clock, queue, begun, end} = setUp();
    queue.start();
    for (const delay of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      const before = begun.length;
      queue.addRateLimited('a');
      await clock.advance(delay - 1);
      assert.equal(begun.length, before, `sooner than ${delay} ms`);
      await clock.advance(1);
      assert.equal(begun.length, before + 1, `later than ${delay} ms`);
      await end('a');
    }
    queue.forget('a');
    queue.addRateLimited('a');
    await clock.advance(200);
    assert.equal(begun.length, 11);
    assert.equal(queue.retries, 11);
  });

  it('waits longer than the back-off where the API server asks for it', async () => {
    const {clock, queue, begun} = setUp();
    queue.start();
    queue.addRateLimited('a', 5_000);
    await clock.advance(4_999);
    assert.deepEqual(begun, []);
    await clock.advance(1);
    assert.deepEqual(begun, ['a']);
  });

  it('begins nothing after it was stopped, and is stopped when what ran has ended', async () => {
    const {clock, queue, begun, end} = setUp(1);
    queue.start();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 100);
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    queue.add('d');
    await clock.advance(1_000);
    assert.equal(stopped, false);
    await end('a');
    await stopping;
    assert.deepEqual(begun, ['a']);
    assert.equal(clock.timers, 0);
  });

  it('says how long the longest run has taken so far', async () => {
    const {clock, queue, end} = setUp();
    queue.start();
    assert.equal(queue.longestRunMs, 0);
    queue.add('a');
    await clock.advance(500);
    queue.add('b');
    await clock.advance(500);
    assert.equal(queue.longestRunMs, 1_000);
    await end('a');
    assert.equal(queue.longestRunMs, 500);
  });

  it('drops every trace of a key that was removed', async () => {
    const {clock, queue, begun, end} = setUp(1);
    queue.start();
    queue.add('busy');
    queue.add('a');
    queue.addAfter('a', 100);
    queue.remove('a');
    await end('busy');
    await clock.advance(1_000);
    assert.deepEqual(begun, ['busy']);
  });
});

describe('routine work', () => {
  it('waits behind everything that is urgent, and has an eighth of the places', async () => {
    const {queue, begun, end} = setUp(16);
    for (const key of ['r1', 'r2', 'r3']) queue.add(key, true);
    queue.add('u1');
    queue.start();
    assert.deepEqual(begun, ['u1', 'r1', 'r2']);
    const more = Array.from({length: 13}, (_, index) => `u${index + 2}`);
    for (const key of more) queue.add(key);
    assert.deepEqual(begun.slice(3), more);
    queue.add('last');
    await end('r1');
    assert.deepEqual(begun.slice(16), ['last'], 'a free place went to what is routine');
    await end('r2');
    assert.deepEqual(begun.slice(17), ['r3']);
  });
  it('becomes urgent when something happens, and keeps its time in the line', async () => {
    const {clock, queue, begun, end, waited} = setUp(1);
    queue.start();
    queue.add('first');
    queue.add('a', true);
    queue.add('b', true);
    await clock.advance(1_000);
    queue.add('b');
    queue.add('b', true);
    await end('first');
    assert.deepEqual([begun, waited], [['first', 'b'], [0, 1_000]]);
  });
  it('is urgent after a run in which something happened, also if its time came too', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    let open = (): void => undefined;
    const queue = new WorkQueue({clock, concurrency: 1, process: async (key, routine) => {
      seen.push(`${key} ${routine ? 'routine' : 'urgent'}`);
      await new Promise<void>((resolve) => { open = resolve; });
    }});
    queue.start();
    queue.add('a', true);
    queue.add('a', true);
    queue.add('a');
    queue.add('a', true);
    open();
    await settle();
    assert.deepEqual(seen, ['a routine', 'a urgent']);
  });
  it('that is due sooner takes no urgent time away', async () => {
    const {clock, queue, begun, end} = setUp(1);
    queue.start();
    queue.addAfter('a', 1_000, true);
    queue.addAfter('a', 2_000);
    await clock.advance(1_000);
    await end('a');
    await clock.advance(1_000);
    assert.deepEqual(begun, ['a', 'a']);
  });
});
