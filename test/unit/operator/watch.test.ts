import assert from 'node:assert/strict';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {createLog} from '../../../src/operator/log.ts';
import {WatchLoop} from '../../../src/operator/watch.ts';
import type {Watchable, WatchSource} from '../../../src/operator/watch.ts';
import {FakeClock, settle} from './fake-clock.ts';

interface Stream {
  version: string;
  emit: (type: string, object: Watchable) => void;
  close: () => void;
  fail: (error: unknown) => void;
  aborted: () => boolean;
}

const object = (name: string, resourceVersion: string, uid = `uid-${name}`): Watchable => ({metadata: {name, namespace: 'db', uid, resourceVersion}});
const expired = () => new ApiError({verb: 'watch', kind: 'Pod', object: 'db', code: 410, reason: 'Expired', message: 'too old'});
const away = () => new ApiError({verb: 'list', kind: 'Pod', object: 'db', code: 0, reason: 'Unavailable', message: 'refused'});

function setUp() {
  const clock = new FakeClock();
  const streams: Stream[] = [];
  const told: string[] = [];
  const lists: (() => {items: Watchable[]; resourceVersion: string})[] = [];
  let listed = 0;
  const source: WatchSource = {
    list: () => {
      listed += 1;
      const next = lists.shift();
      if (next === undefined) return Promise.reject(away());
      return new Promise((resolve) => {
        resolve(next());
      });
    },
    stream: (version, emit, signal) => new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
      streams.push({version, emit, close: resolve, fail: reject, aborted: () => signal.aborted});
    }),
  };
  const loop = new WatchLoop({
    what: 'pods', source, clock, log: createLog('silent', 'test'), random: () => 1,
    onChange: ({type, object: {metadata}, previous, finalStateUnknown}) => {
      if (metadata?.name === 'poison') throw new Error('a defect');
      told.push(`${type} ${metadata?.name ?? ''}@${metadata?.resourceVersion ?? ''}`
        + (previous === undefined ? '' : ` after ${previous.metadata?.resourceVersion ?? ''}`) + (finalStateUnknown === true ? ' unseen' : ''));
    },
  });
  const stream = () => {
    const newest = streams.at(-1);
    assert.ok(newest);
    return newest;
  };
  const willList = (resourceVersion: string, ...items: Watchable[]) => lists.push(() => ({items, resourceVersion}));
  return {clock, loop, told, streams, stream, willList, listed: () => listed};
}

describe('watch loop', () => {
  it('lists, watches from there, and tells of each change with the state before', async () => {
    const {loop, told, stream, willList} = setUp();
    willList('10', object('a', '5'));
    loop.start();
    await settle();
    assert.equal(loop.synced, true);
    assert.equal(stream().version, '10');
    stream().emit('MODIFIED', object('a', '11'));
    stream().emit('ADDED', object('b', '12'));
    stream().emit('DELETED', object('a', '13'));
    assert.deepEqual(told, ['Added a@5', 'Modified a@11 after 5', 'Added b@12', 'Deleted a@13 after 11']);
    assert.deepEqual(loop.known().map((known) => known.metadata?.name), ['b']);
  });

  it('goes on from the last bookmark when the server closes the stream, without a list and without a delay', async () => {
    const {clock, loop, told, streams, stream, willList, listed} = setUp();
    willList('10');
    loop.start();
    await clock.advance(60_000);
    stream().emit('BOOKMARK', {metadata: {resourceVersion: '40'}});
    stream().close();
    await settle();
    assert.equal(streams.length, 2);
    assert.equal(stream().version, '40');
    assert.equal(listed(), 1);
    assert.deepEqual(told, []);
  });

  it('does not flood a server that closes every stream at once', async () => {
    const {clock, loop, streams, willList} = setUp();
    willList('10');
    loop.start();
    for (let second = 0; second < 300; second += 1) {
      await clock.advance(100);
      streams.at(-1)?.close();
    }
    assert.ok(streams.length <= 7, `${streams.length} streams in 30 s`);
  });

  it('finds by a new list what was deleted while nothing watched, with its last known state', async () => {
    const {clock, loop, told, stream, willList} = setUp();
    willList('10', object('a', '5'), object('b', '6'));
    willList('30', object('b', '20'));
    loop.start();
    await clock.advance(60_000);
    stream().fail(expired());
    await clock.advance(500);
    assert.deepEqual(told, ['Added a@5', 'Added b@6', 'Deleted a@5 after 5 unseen', 'Modified b@20 after 6']);
    assert.equal(stream().version, '30');
  });

  it('tells of a deletion and a creation when an object came back under its name', async () => {
    const {clock, loop, told, stream, willList} = setUp();
    willList('10', object('a', '5', 'first'));
    willList('30', object('a', '20', 'second'));
    loop.start();
    await clock.advance(60_000);
    stream().emit('ERROR', {code: 410, message: 'too old resource version'} as Watchable);
    await settle();
    assert.deepEqual(told, ['Added a@5', 'Deleted a@5 after 5 unseen', 'Added a@20']);
  });

  it('lists again after an ERROR event of any kind, and does so slower and slower', async () => {
    const {clock, loop, streams, stream, willList, listed} = setUp();
    for (let list = 0; list < 20; list += 1) willList('10');
    loop.start();
    await settle();
    for (let second = 0; second < 300; second += 1) {
      if (!stream().aborted()) stream().emit('ERROR', {code: 500, message: 'etcdserver: no leader'} as Watchable);
      await clock.advance(100);
    }
    assert.equal(listed(), streams.length);
    assert.ok(streams.length <= 7, `${streams.length} streams in 30 s`);
  });

  it('tries again until the API server is there, every 15 s at last', async () => {
    const {clock, loop, streams, willList, listed} = setUp();
    loop.start();
    for (const [after, tries] of [[0, 1], [500, 2], [1_000, 3], [2_000, 4], [4_000, 5], [8_000, 6], [15_000, 7], [15_000, 8]] as const) {
      await clock.advance(after);
      assert.equal(listed(), tries);
    }
    assert.equal(loop.synced, false);
    willList('10');
    await clock.advance(15_000);
    assert.equal(streams.length, 1);
    assert.equal(loop.synced, true);
  });

  it('resumes from the last event after a reset', async () => {
    const {clock, loop, stream, willList, listed} = setUp();
    willList('10');
    loop.start();
    await clock.advance(5_000);
    stream().emit('ADDED', object('a', '11'));
    stream().fail(away());
    await clock.advance(500);
    assert.equal(stream().version, '11');
    assert.equal(listed(), 1);
  });

  it('tells of nothing once it is stopped, nor of what an ended stream still delivers', async () => {
    const {clock, loop, told, streams, stream, willList} = setUp();
    willList('10');
    loop.start();
    await clock.advance(5_000);
    const old = stream();
    old.close();
    await clock.advance(500);
    old.emit('ADDED', object('late', '11'));
    assert.equal(streams.length, 2);
    loop.stop();
    stream().emit('ADDED', object('a', '12'));
    assert.equal(stream().aborted(), true);
    await clock.advance(60_000);
    assert.equal(streams.length, 2);
    assert.deepEqual(told, []);
  });

  it('goes on when a handler throws', async () => {
    const {loop, told, stream, willList} = setUp();
    willList('10');
    loop.start();
    await settle();
    stream().emit('ADDED', object('poison', '11'));
    stream().emit('ADDED', object('a', '12'));
    assert.deepEqual(told, ['Added a@12']);
  });
});
