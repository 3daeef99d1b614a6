import type {QuorumRecovery} from '../api/types.ts';
import {inFlight} from '../api/progress.ts';
import {isAtWork, turnOf} from '../decide/watch/turns.ts';
import type {Turn, Waiting} from '../decide/watch/turns.ts';
import {keyOf, keyText} from './keys.ts';

export interface TurnsOptions {
  /** How many runs may be at work when another one begins by itself. */
  limit: number;
  /** The resources that are served, as they were heard of last. */
  resources: () => Iterable<QuorumRecovery>;
  /** All of them were heard of at least once. */
  synced: () => boolean;
  /** Wall clock, ms since the epoch. */
  now: () => number;
}

/** Who has not asked for so long does not wait any more, or cannot be looked at: it keeps nobody behind it, ms. */
const patienceMs = 30_000;

/**
 * Whose turn it is to begin a run by itself. Runs at work and those that wait are read from the statuses, so that a new leader goes on with
 * the line as it is; what is remembered is only what the feed has not told yet.
 */
export class Turns {
  readonly #options: TurnsOptions;
  /** Who asked when, and what it said. */
  readonly #asked = new Map<string, Waiting & {at: number}>();
  /** Who was told to begin, and the run that its status named before. */
  readonly #given = new Map<string, {before: string | undefined; at: number}>();
  #firstAsk: number | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get limit(): number {
    return this.#options.limit;
  }

  /** Asks for a turn. `before`: the run that the status names now. undefined: not all resources were heard of yet, so ask again soon. */
  ask(waiting: Waiting, before: string | undefined): Turn | undefined {
    const {limit, synced, now} = this.#options;
    if (!synced()) return undefined;
    const at = now();
    this.#firstAsk ??= at;
    this.#asked.set(waiting.key, {...waiting, at});
    // Told to begin, and did not: its write came too late. It takes its place in the line again.
    this.#given.delete(waiting.key);
    const turn = turnOf(waiting.key, this.#line(at), {atWork: this.#atWork(waiting.key, at), limit});
    if (turn.kind === 'Begins') {
      this.#given.set(waiting.key, {before, at});
      this.#asked.delete(waiting.key);
    }
    return turn;
  }

  /** It waits for none any more: a quorum serves, or a run is in flight. */
  leave(key: string): void {
    this.#asked.delete(key);
  }

  #line(at: number): Waiting[] {
    const line = new Map<string, Waiting>();
    const fresh = (since: number) => at - since < patienceMs;
    for (const resource of this.#options.resources()) {
      const {suspicion, autoReplace, run} = resource.status ?? {};
      const key = keyText(keyOf(resource));
      if (inFlight(run) !== undefined || !fresh(this.#firstAsk ?? at)) continue;
      if (suspicion?.queuedAt !== undefined) line.set(key, {key, since: suspicion.since});
      else if (autoReplace?.queuedAt !== undefined) line.set(key, {key, since: autoReplace.queuedAt, serves: true});
    }
    for (const [key, asked] of this.#asked) {
      if (fresh(asked.at)) line.set(key, asked);
      else this.#asked.delete(key);
    }
    for (const key of this.#given.keys()) line.delete(key);
    return [...line.values()];
  }

  /** Runs at work, but for that resource's own. */
  #atWork(key: string, at: number): number {
    const working = new Set<string>();
    for (const resource of this.#options.resources()) {
      const of = keyText(keyOf(resource));
      const given = this.#given.get(of);
      if (given !== undefined && resource.status?.run?.id !== given.before) this.#given.delete(of);
      if (isAtWork(resource.status ?? {}, at)) working.add(of);
    }
    for (const [of, given] of this.#given) {
      if (at - given.at < patienceMs) working.add(of);
      else this.#given.delete(of);
    }
    working.delete(key);
    return working.size;
  }
}
