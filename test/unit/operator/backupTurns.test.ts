import assert from 'node:assert/strict';
import type {Backups, QuorumRecovery, QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {BackupTurns} from '../../../src/operator/backupTurns.ts';
import {resource} from './fake-feed.ts';

const iso = (ms: number) => new Date(ms).toISOString();
const second = 1_000;
const minute = 60_000;

const takenBy = (name: string, at: number) => ({name, pod: 'etcd-1', memberID: '1', clusterID: 'c', startedAt: iso(at)});

/** Clusters whose snapshots are due, as an operator sees them: by statuses that come late. */
class Fleet {
  now = 1_000_000_000;
  synced = true;
  readonly limit: number;
  readonly #statuses = new Map<string, QuorumRecoveryStatus>();
  /** What the feed has told. */
  readonly #heard = new Map<string, QuorumRecovery>();
  turns: BackupTurns;

  constructor(limit: number, names: readonly string[]) {
    this.limit = limit;
    for (const name of names) this.#statuses.set(name, {backups: {since: iso(this.now)}});
    this.hear();
    this.turns = this.restart();
  }

  restart(): BackupTurns {
    this.turns = new BackupTurns({limit: this.limit, resources: () => this.#heard.values(), synced: () => this.synced, now: () => this.now});
    return this.turns;
  }

  hear(): void {
    for (const [name, status] of this.#statuses) this.#heard.set(name, resource(name, `uid-${name}`, {status: structuredClone(status)}));
  }

  statusOf(name: string): QuorumRecoveryStatus & {backups: Backups} {
    const status = this.#statuses.get(name);
    assert.ok(status?.backups);
    return {...status, backups: status.backups};
  }

  /** A look at one that is due. @returns when it asks again, ms; undefined: it has begun */
  look(name: string, due: number): number | undefined {
    const turn = this.turns.ask(resource(name, `uid-${name}`, {status: this.statusOf(name)}), due);
    if (turn.kind === 'Waits') return turn.inMs;
    this.statusOf(name).backups.current = {...takenBy(`of-${name}-${this.now}`, this.now), helper: 'h', version: '3.6.16', revision: 1};
    return undefined;
  }

  end(name: string): void {
    const {backups} = this.statusOf(name);
    backups.last = {...takenBy(backups.current?.name ?? '', this.now), finishedAt: iso(this.now), saved: true};
    delete backups.current;
  }

  get underWay(): string[] {
    return [...this.#statuses.keys()].filter((name) => this.statusOf(name).backups.current !== undefined);
  }
}

describe('turns to take a snapshot', () => {
  it('are given to as many as the limit says at a time; of the others who was due first goes first, and all get one', () => {
    const names = Array.from({length: 200}, (_, index) => `c${String((index * 37) % 200).padStart(3, '0')}`);
    const fleet = new Fleet(10, names);
    const due = new Map(names.map((name) => [name, fleet.now + Number(name.slice(1))]));
    const asksAt = new Map(names.map((name) => [name, fleet.now]));
    const begun: string[] = [];
    const ends = new Map<string, number>();
    for (let ticks = 0; begun.length < names.length; ticks += 1) {
      assert.ok(ticks < 600, `after ten minutes only ${begun.length} of 200 have begun`);
      fleet.now += second;
      for (const [name, at] of ends) {
        if (at <= fleet.now) {
          fleet.end(name);
          ends.delete(name);
        }
      }
      // The feed tells every other second.
      if (ticks % 2 === 0) fleet.hear();
      for (const [name, at] of [...asksAt].sort(([, a], [, b]) => a - b)) {
        if (at > fleet.now) continue;
        const inMs = fleet.look(name, due.get(name) ?? 0);
        if (inMs === undefined) {
          begun.push(name);
          asksAt.delete(name);
          ends.set(name, fleet.now + 5 * second);
        } else {
          asksAt.set(name, fleet.now + inMs);
        }
        assert.ok(fleet.underWay.length <= 10, `${fleet.underWay.length} at a time`);
      }
    }
    // All but those that came before anybody waited are in the order of their time.
    const late = begun.slice(10).map((name) => due.get(name) ?? 0);
    const overtaken = late.filter((at, index) => late.slice(0, index).filter((before) => before > at).length > 10);
    assert.deepEqual(overtaken, []);
  });

  it('are not given before all resources were heard of: a new leader does not know what is under way', () => {
    const fleet = new Fleet(1, ['a']);
    fleet.synced = false;
    assert.equal(fleet.look('a', fleet.now), 5 * second);
    fleet.synced = true;
    assert.equal(fleet.look('a', fleet.now), undefined);
  });

  it('count what an operator before has begun', () => {
    const fleet = new Fleet(1, ['a', 'b']);
    assert.equal(fleet.look('a', fleet.now), undefined);
    fleet.hear();
    fleet.restart();
    assert.equal(fleet.look('b', fleet.now), 5 * second);
    fleet.end('a');
    fleet.hear();
    assert.equal(fleet.look('b', fleet.now), undefined);
  });

  it('are taken back from one whose begin was never written', () => {
    const fleet = new Fleet(1, ['a', 'b']);
    fleet.look('a', fleet.now);
    delete fleet.statusOf('a').backups.current;
    assert.equal(fleet.look('b', fleet.now), 5 * second);
    fleet.now += 30 * second;
    assert.equal(fleet.look('b', fleet.now), undefined);
  });

  it('are free again as soon as a short one is over, though the feed has told neither of its begin nor of its end in between', () => {
    const fleet = new Fleet(1, ['a', 'b']);
    fleet.look('a', fleet.now);
    fleet.end('a');
    fleet.hear();
    assert.equal(fleet.look('b', fleet.now), undefined);
  });

  it('are not kept from others by one that hangs, nor by one whose pod a run has taken away', () => {
    const fleet = new Fleet(1, ['a', 'b', 'c']);
    fleet.look('a', fleet.now);
    fleet.hear();
    fleet.now += 29 * minute;
    assert.equal(fleet.look('b', fleet.now), 5 * second);
    fleet.now += minute;
    assert.equal(fleet.look('b', fleet.now), undefined);
    const {backups} = fleet.statusOf('b');
    const blocked: QuorumRecoveryStatus = {backups, run: {id: 'run-1', attempt: 1, startedAt: iso(fleet.now), steps: []}};
    const turns = new BackupTurns({limit: 1, resources: () => [resource('b', 'uid-b', {status: blocked})], synced: () => true, now: () => fleet.now});
    assert.equal(turns.ask(resource('c', 'uid-c', {}), fleet.now).kind, 'Begins');
  });

  it('are not kept free for one who does not ask any more', () => {
    const fleet = new Fleet(1, ['a', 'b', 'c']);
    fleet.look('a', fleet.now);
    fleet.look('b', fleet.now);
    fleet.end('a');
    fleet.hear();
    assert.equal(fleet.look('c', fleet.now + 1), 5 * second, 'b is due before it');
    fleet.now += 36 * second;
    assert.equal(fleet.look('c', fleet.now), undefined);
  });
});
