import type {QuorumRecovery, QuorumRecoveryStatus} from '../api/types.ts';
import {inFlight} from '../api/progress.ts';
import type {BackupTurn} from '../decide/backup/backups.ts';
import {keyOf, keyText} from './keys.ts';

export interface BackupTurnsOptions {
  /** How many snapshots may be under way when another one begins. */
  limit: number;
  /** The resources, as they were heard of last. */
  resources: () => Iterable<QuorumRecovery>;
  /** All of them were heard of at least once. */
  synced: () => boolean;
  /** Wall clock, ms since the epoch. */
  now: () => number;
}

/** Who is next asks again after so long, ms; the others later, as long as about that many before them take. */
const againMs = 5_000;
const mostMs = 60_000;
/** One that was told to begin, and whose status does not tell of it for so long, has not; who should have asked for so long has gone, ms. */
const patienceMs = 30_000;
/** One that is under way for so long hangs on something, and keeps no other from its turn, ms. */
const hangsMs = 30 * 60_000;

/** A run takes the pod of a snapshot away, and may stand still for days: what is begun again after it is not under way. */
const isUnderWay = ({backups, run}: QuorumRecoveryStatus, now: number): boolean =>
  backups?.current !== undefined && inFlight(run) === undefined && now - Date.parse(backups.current.startedAt) < hangsMs;

/**
 * Whose turn it is to begin a snapshot: who was due first. What is under way is read from the statuses, so that a new leader goes on with it; the line
 * is only in memory, as everybody in it asks again.
 */
export class BackupTurns {
  readonly #options: BackupTurnsOptions;
  /** Who asked, since when it is due, and until when it is expected to ask again. */
  readonly #asked = new Map<string, {due: number; until: number}>();
  /** Who was told to begin, and the last snapshot that its status named before. */
  readonly #given = new Map<string, {before: string | undefined; at: number}>();

  constructor(options: BackupTurnsOptions) {
    this.#options = options;
  }

  ask(resource: QuorumRecovery, due: number): BackupTurn {
    const {limit, synced, now} = this.#options;
    const key = keyText(keyOf(resource));
    const at = now();
    if (!synced()) return {kind: 'Waits', why: 'this operator has just begun to lead, and does not know yet how many snapshots are under way', inMs: againMs};
    this.#given.delete(key);
    const before = this.#underWay(key, at) + this.#ahead(key, due, at);
    if (before < limit) {
      this.#asked.delete(key);
      this.#given.set(key, {before: resource.status?.backups?.last?.name, at});
      return {kind: 'Begins'};
    }
    const inMs = Math.min(mostMs, againMs * (1 + Math.floor((before - limit) / limit)));
    this.#asked.set(key, {due, until: at + inMs + patienceMs});
    return {kind: 'Waits', why: `its turn: no more than ${limit} ${limit === 1 ? 'snapshot is' : 'snapshots are'} taken at a time (--concurrent-backups)`, inMs};
  }

  /** How many of those that wait are due before it. */
  #ahead(key: string, due: number, at: number): number {
    let ahead = 0;
    for (const [other, asked] of this.#asked) {
      if (asked.until < at) this.#asked.delete(other);
      else if (other !== key && (asked.due < due || (asked.due === due && other < key))) ahead += 1;
    }
    return ahead;
  }

  /** Snapshots under way, but for that resource's own. */
  #underWay(key: string, at: number): number {
    const working = new Set<string>();
    for (const resource of this.#options.resources()) {
      const of = keyText(keyOf(resource));
      const {status = {}} = resource;
      const given = this.#given.get(of);
      if (given !== undefined && (status.backups?.current !== undefined || status.backups?.last?.name !== given.before)) this.#given.delete(of);
      if (isUnderWay(status, at)) working.add(of);
    }
    for (const [of, given] of this.#given) {
      if (at - given.at < patienceMs) working.add(of);
      else this.#given.delete(of);
    }
    working.delete(key);
    return working.size;
  }
}
