import type {Cancel, Clock} from './clock.ts';

export interface QueueOptions {
  clock: Clock;
  /** How many keys are worked on at once. */
  concurrency: number;
  /** Works on one key; it must not reject, what goes wrong is the caller's to retry. */
  process: (key: string) => Promise<void>;
  /** Told how long a key waited, milliseconds, when the work on it begins. */
  onTaken?: (waitedMs: number) => void;
  /** Delay of the first retry, doubled with every further one. */
  baseDelayMs?: number;
  maxDelayMs?: number;
}

interface Delayed {
  due: number;
  cancel: Cancel;
}

/**
 * Keyed work queue with client-go's semantics: a key waits at most once; a key that is added while it is worked on is worked on
 * again afterwards and never twice at the same time; different keys run in parallel.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  /** Since when each key waits, on the monotonic clock. */
  readonly #waiting = new Map<string, number>();
  readonly #running = new Map<string, number>();
  readonly #dirty = new Map<string, number>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #state: 'New' | 'Running' | 'Stopped' = 'New';
  #retries = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a free place; keys whose time has not come are not among them. */
  get depth(): number {
    return this.#waiting.size + this.#dirty.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** For how long the key has waited that waits longest, milliseconds. */
  get longestWaitMs(): number {
    const now = this.#options.clock.monotonic();
    return Math.max(0, ...[...this.#waiting.values(), ...this.#dirty.values()].map((since) => now - since));
  }

  /** Rate limited adds since the start. */
  get retries(): number {
    return this.#retries;
  }

  /** For how long the longest running key has been worked on, milliseconds. */
  get longestRunMs(): number {
    const now = this.#options.clock.monotonic();
    return Math.max(0, ...[...this.#running.values()].map((since) => now - since));
  }

  start(): void {
    if (this.#state !== 'New') return;
    this.#state = 'Running';
    this.#fill();
  }

  add(key: string): void {
    if (this.#state === 'Stopped') return;
    const line = this.#running.has(key) ? this.#dirty : this.#waiting;
    if (!line.has(key)) line.set(key, this.#options.clock.monotonic());
    this.#fill();
  }

  /** Adds the key after a time; of several times for one key the earliest counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#state === 'Stopped') return;
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const due = this.#options.clock.monotonic() + milliseconds;
    const known = this.#delayed.get(key);
    if (known !== undefined && known.due <= due) return;
    known?.cancel();
    const cancel = this.#options.clock.setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, milliseconds);
    this.#delayed.set(key, {due, cancel});
  }

  /** Adds the key after its back-off, or after `atLeastMs` if that is longer: 0.2 s at first, doubled each time up to 30 s, until it is forgotten. */
  addRateLimited(key: string, atLeastMs = 0): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#retries += 1;
    const {baseDelayMs = 200, maxDelayMs = 30_000} = this.#options;
    this.addAfter(key, Math.max(atLeastMs, Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(failures, 30))));
  }

  /** The key went well: its next retry starts from the first delay again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Drops all that a removed key still has here: its retries and its times. A run in progress ends as it will. */
  remove(key: string): void {
    this.forget(key);
    this.#waiting.delete(key);
    this.#dirty.delete(key);
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }

  /** Takes no further key; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#state = 'Stopped';
    for (const {cancel} of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#dirty.clear();
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #fill(): void {
    if (this.#state !== 'Running') return;
    for (const [key, since] of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      const now = this.#options.clock.monotonic();
      this.#waiting.delete(key);
      this.#running.set(key, now);
      this.#options.onTaken?.(now - since);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.process(key);
    } finally {
      this.#running.delete(key);
      const since = this.#dirty.get(key);
      this.#dirty.delete(key);
      if (since !== undefined) this.#waiting.set(key, since);
      if (this.#running.size === 0) {
        for (const resolve of this.#idle) resolve();
        this.#idle = [];
      }
      this.#fill();
    }
  }
}
