import assert from 'node:assert/strict';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {Turns} from '../../../src/operator/turns.ts';
import {resource} from './fake-feed.ts';

const iso = (ms: number) => new Date(ms).toISOString();

/** Clusters that have lost their quorum, as an operator sees them: by statuses that come late. */
class Fleet {
  now = 1_000_000_000;
  /** What the API server has. */
  readonly statuses = new Map<string, QuorumRecoveryStatus>();
  /** What the feed has told. */
  readonly heard = new Map<string, QuorumRecovery>();
  readonly limit: number;
  synced = true;
  turns: Turns;

  constructor(limit: number, losses: readonly number[]) {
    this.limit = limit;
    for (const [at, loss] of losses.entries()) this.statuses.set(`db/etcd-${at}`, {suspicion: {since: iso(this.now + loss), kubernetes: '', etcd: ''}});
    this.hear();
    this.turns = this.restart();
  }

  restart(): Turns {
    this.turns = new Turns({limit: this.limit, resources: () => this.heard.values(), synced: () => this.synced, now: () => this.now});
    return this.turns;
  }

  hear(keys: Iterable<string> = this.statuses.keys()): void {
    for (const key of keys) this.heard.set(key, resource(key.slice(3), key, {status: structuredClone(this.statuses.get(key) ?? {})}));
  }

  get atWork(): string[] {
    return [...this.statuses].filter(([, {run}]) => run !== undefined && run.finishedAt === undefined).map(([key]) => key);
  }

  get waiting(): string[] {
    return [...this.statuses].filter(([, {run}]) => run === undefined).map(([key]) => key);
  }

  /** A look at a cluster whose run is due. @returns whether it began */
  look(key: string): boolean {
    const status = this.statuses.get(key);
    assert.ok(status?.suspicion);
    const turn = this.turns.ask({key, since: status.suspicion.since}, status.run?.id);
    if (turn?.kind === 'Begins') status.run = {id: `run-${key}`, attempt: 1, startedAt: iso(this.now), steps: [{name: 'Plan', state: 'Running', startedAt: iso(this.now)}]};
    else status.suspicion.queuedAt ??= iso(this.now);
    return turn?.kind === 'Begins';
  }

  end(key: string): void {
    const {run} = this.statuses.get(key) ?? {};
    if (run) run.finishedAt = iso(this.now);
    delete this.statuses.get(key)?.suspicion;
  }
}

/** Numbers that look drawn, the same each time (mulberry32). */
function drawn(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const twenty = Array.from({length: 20}, (_, at) => (at * 7) % 20);

describe('turns to begin a run', () => {
  it('are given to 20 clusters lost in the same second side by side, where the limit is 20', () => {
    const fleet = new Fleet(20, twenty);
    for (const key of fleet.waiting) assert.equal(fleet.look(key), true, key);
  });

  it('never put more at work than the limit, and everybody gets one, whoever has asked and lost its quorum earlier before it, whatever order they ask in, however late the feed is, and over restarts', () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const below = drawn(seed);
      const limit = 1 + below(5);
      const fleet = new Fleet(limit, Array.from({length: 20}, () => below(3_000)));
      const order: string[] = [];
      const asked = new Map<string, number>();
      const since = (key: string) => fleet.statuses.get(key)?.suspicion?.since ?? '';
      for (let turn = 0; fleet.waiting.length > 0; turn += 1) {
        assert.ok(turn < 5_000, `seed ${seed}: ${fleet.waiting.join()} starve`);
        fleet.now += 1_000;
        const asker = fleet.waiting[below(fleet.waiting.length)];
        assert.ok(asker);
        const free = limit - fleet.atWork.length;
        asked.set(asker, fleet.now);
        if (fleet.look(asker)) {
          const before = fleet.waiting.filter((key) => since(key) < since(asker) && fleet.now - (asked.get(key) ?? 0) < 30_000);
          assert.ok(before.length < free, `seed ${seed}: ${asker} overtook ${before.join()} with ${free} places free`);
          order.push(asker);
        }
        assert.ok(fleet.atWork.length <= limit, `seed ${seed}: ${fleet.atWork.length} at work of ${limit}`);
        const working = fleet.atWork[below(fleet.atWork.length)];
        if (working !== undefined && below(4) === 0) fleet.end(working);
        if (below(2) === 0) fleet.hear([...fleet.statuses.keys()].filter(() => below(2) === 0));
        if (below(20) === 0) {
          fleet.hear();
          fleet.restart();
        }
      }
      assert.equal(new Set(order).size, 20, `seed ${seed}`);
    }
  });

  it('go by the line that stands in the statuses, with a new leader too: who asks first does not overtake', () => {
    const fleet = new Fleet(1, [0, 10, 20]);
    assert.deepEqual(['db/etcd-0', 'db/etcd-1', 'db/etcd-2'].map((key) => fleet.look(key)), [true, false, false]);
    fleet.end('db/etcd-0');
    fleet.hear();
    fleet.restart();
    assert.equal(fleet.look('db/etcd-2'), false);
    assert.equal(fleet.look('db/etcd-1'), true);
  });

  it('are not kept free for one who does not come: it is passed over after half a minute', () => {
    const fleet = new Fleet(1, [0, 10, 20]);
    for (const key of fleet.waiting) fleet.look(key);
    fleet.end('db/etcd-0');
    fleet.hear();
    assert.equal(fleet.look('db/etcd-2'), false);
    fleet.now += 30_000;
    assert.equal(fleet.look('db/etcd-2'), true, 'etcd-1 has not asked for 30 s');
  });

  it('are taken back from one whose begin was never written, and kept by one whose was, before the feed tells of it', () => {
    const fleet = new Fleet(1, [0, 10]);
    assert.equal(fleet.look('db/etcd-0'), true);
    assert.equal(fleet.look('db/etcd-1'), false, 'the feed has told nothing yet');
    delete fleet.statuses.get('db/etcd-0')?.run;
    fleet.now += 29_000;
    assert.equal(fleet.look('db/etcd-1'), false);
    fleet.now += 1_000;
    assert.equal(fleet.look('db/etcd-1'), true);
  });

  it('are given to one that asks again because its begin was refused', () => {
    const fleet = new Fleet(1, [0, 10]);
    fleet.look('db/etcd-0');
    delete fleet.statuses.get('db/etcd-0')?.run;
    assert.equal(fleet.look('db/etcd-0'), true);
  });

  it('go to the next one at once when one that waits is served again', () => {
    const fleet = new Fleet(1, [0, 10, 20]);
    for (const key of fleet.waiting) fleet.look(key);
    fleet.end('db/etcd-0');
    fleet.end('db/etcd-1');
    fleet.hear();
    fleet.turns.leave('db/etcd-1');
    assert.equal(fleet.look('db/etcd-2'), true);
  });

  it('are given to nobody before every resource was heard of: the runs at work are not known', () => {
    const fleet = new Fleet(1, [0]);
    fleet.synced = false;
    assert.equal(fleet.turns.ask({key: 'db/etcd-0', since: iso(0)}, undefined), undefined);
  });
});
