import assert from 'node:assert/strict';
import {MemberPool} from '../../../src/etcd/member.ts';
import type {WatchHeard} from '../../../src/etcd/leader-watch.ts';
import type {EtcdEndpoint, EtcdMember} from '../../../src/etcd/member.ts';

function setUp(): {pool: MemberPool; connected: EtcdEndpoint[]; closed: number[]; advance: (ms: number) => void; finish: () => void; watches: WatchHeard[]} {
  const connected: EtcdEndpoint[] = [];
  const closed: number[] = [];
  let now = 0;
  let finish: () => void = () => undefined;
  const watches: WatchHeard[] = [];
  const pool = new MemberPool({
    idleMs: 1000, now: () => now,
    connect: endpoint => {
      const index = connected.push(endpoint) - 1;
      const member: Partial<EtcdMember> = {
        put: () => Promise.resolve({revision: index}),
        deleteKey: () => new Promise(resolve => { finish = resolve; }),
        promote: () => Promise.reject(new Error('no')),
        watchLeader: heard => {
          watches.push(heard);
          return {close: () => undefined};
        },
        close: () => { closed.push(index); },
      };
      return member as EtcdMember;
    },
  });
  return {pool, connected, closed, advance: ms => { now += ms; }, finish: () => { finish(); }, watches};
}

describe('MemberPool', () => {
  const endpoint: EtcdEndpoint = {address: 'a', port: 1, tls: {cert: 'one'}};

  it('connects once for each endpoint, and anew for other certificates', async () => {
    const {pool, connected} = setUp();
    await pool.member(endpoint).put('k', 'v');
    await pool.member({...endpoint}).put('k', 'v');
    assert.equal(connected.length, 1);
    await pool.member({...endpoint, tls: {cert: 'two'}}).put('k', 'v');
    assert.equal(connected.length, 2);
    pool.close();
  });

  it('closes what is idle, not what is used, and a kept member connects again', async () => {
    const {pool, connected, closed, advance, finish} = setUp();
    const kept = pool.member(endpoint);
    await kept.put('k', 'v');
    const busy = pool.member({address: 'b', port: 1}).deleteKey('k');
    advance(1001);
    pool.closeIdle();
    assert.deepEqual(closed, [0]);
    finish();
    await busy;
    pool.closeIdle();
    assert.equal(pool.size, 1);
    assert.equal((await kept.put('k', 'v')).revision, 2);
    assert.equal(connected.length, 3);
    pool.close();
    assert.deepEqual(closed, [0, 1, 2]);
  });

  it('counts a failed call as use, and hands the error on', async () => {
    const {pool, closed, advance} = setUp();
    await assert.rejects(pool.member(endpoint).promote('1'), /no/);
    advance(1001);
    pool.closeIdle();
    assert.deepEqual(closed, [0]);
    pool.close();
  });

  it('keeps a connection for as long as a watch is open on it, and calls share it', async () => {
    const {pool, connected, closed, advance, watches} = setUp();
    const heard: string[] = [];
    const watch = pool.member(endpoint).watchLeader({onOpen: () => undefined, onEnd: ({kind}) => { heard.push(kind); }});
    await pool.member(endpoint).put('k', 'v');
    assert.equal(connected.length, 1);
    advance(10_000);
    pool.closeIdle();
    pool.release(endpoint);
    assert.deepEqual(closed, []);
    watch.close();
    watch.close();
    pool.release(endpoint);
    assert.deepEqual(closed, [0]);
    pool.member(endpoint).watchLeader({onOpen: () => undefined, onEnd: ({kind}) => { heard.push(kind); }});
    watches.at(-1)?.onEnd({kind: 'Broken', message: ''});
    pool.release(endpoint);
    assert.deepEqual([heard, closed, pool.size], [['Broken'], [0, 1], 0]);
    pool.close();
  });
});
