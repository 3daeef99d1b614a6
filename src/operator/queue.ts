import type {Cancel, Clock} from './clock.ts';

export interface QueueOptions {
  clock: Clock;
  /** How many keys are worked on at once. Of routine ones an eighth at most, so that there is always a place for what is urgent, and they do not take the processor from each other. */
  concurrency: number;
  /** Works on one key; it must not reject, what goes wrong is the caller's to retry. `routine`: nothing has happened to it, only its time has come. */
  process: (key: string, routine: boolean) => Promise<void>;
  /** Told how long a key waited, milliseconds, when the work on it begins. */
  onTaken?: (waitedMs: number) => void;
  /** Delay of the first retry, doubled with every further one. */
  baseDelayMs?: number;
  maxDelayMs?: number;
}

/** setTimeout of Node takes no more, ms, and fires at once beyond it: a key whose time is later is looked at before it, and is put off again. */
const longestTimerMs = 2 ** 31 - 1;

interface Delayed {
  due: number;
  cancel: Cancel;
}

interface Waiting {
  /** Since when, on the monotonic clock. */
  since: number;
  routine: boolean;
}

/**
 * Keyed work queue with client-go's semantics: a key waits at most once; a key that is added while it is worked on is worked on
 * again afterwards and never twice at the same time; different keys run in parallel. Beyond client-go's: what is urgent goes before what is
 * routine.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting = {urgent: new Map<string, Waiting>(), routine: new Map<string, Waiting>()};
  readonly #running = new Map<string, Waiting>();
  readonly #dirty = new Map<string, Waiting>();
  readonly #delayed = {urgent: new Map<string, Delayed>(), routine: new Map<string, Delayed>()};
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #state: 'New' | 'Running' | 'Stopped' = 'New';
  #retries = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a free place; keys whose time has not come are not among them. */
  get depth(): number {
    return this.#waiting.urgent.size + this.#waiting.routine.size + this.#dirty.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** For how long the key has waited that waits longest, milliseconds. */
  get longestWaitMs(): number {
    const now = this.#options.clock.monotonic();
    const {urgent, routine} = this.#waiting;
    return Math.max(0, ...[urgent, routine, this.#dirty].flatMap((line) => [...line.values()]).map(({since}) => now - since));
  }

  /** Rate limited adds since the start. */
  get retries(): number {
    return this.#retries;
  }

  /** For how long the longest running key has been worked on, milliseconds. */
  get longestRunMs(): number {
    const now = this.#options.clock.monotonic();
    return Math.max(0, ...[...this.#running.values()].map(({since}) => now - since));
  }

  start(): void {
    if (this.#state !== 'New') return;
    this.#state = 'Running';
    this.#fill();
  }

  /** @param routine nothing has happened to it: it may wait behind everything else */
  add(key: string, routine = false): void {
    if (this.#state === 'Stopped') return;
    const since = this.#options.clock.monotonic();
    if (this.#running.has(key)) {
      const known = this.#dirty.get(key);
      this.#dirty.set(key, {since: known?.since ?? since, routine: routine && known?.routine !== false});
    } else this.#wait(key, {since, routine});
    this.#fill();
  }

  /** What waits as routine and becomes urgent changes lines. */
  #wait(key: string, wanted: Waiting): void {
    const {urgent, routine} = this.#waiting;
    if (urgent.has(key) || (wanted.routine && routine.has(key))) return;
    const since = routine.get(key)?.since ?? wanted.since;
    routine.delete(key);
    (wanted.routine ? routine : urgent).set(key, {...wanted, since});
  }

  /** Adds the key after a time; of several times for one key the earliest counts, of the urgent and of the routine ones. */
  addAfter(key: string, milliseconds: number, routine = false): void {
    if (this.#state === 'Stopped') return;
    if (milliseconds <= 0) {
      this.add(key, routine);
      return;
    }
    const inMs = Math.min(milliseconds, longestTimerMs);
    const due = this.#options.clock.monotonic() + inMs;
    const delayed = routine ? this.#delayed.routine : this.#delayed.urgent;
    const known = delayed.get(key);
    if (known !== undefined && known.due <= due) return;
    known?.cancel();
    const cancel = this.#options.clock.setTimeout(() => {
      delayed.delete(key);
      this.add(key, routine);
    }, inMs);
    delayed.set(key, {due, cancel});
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
    this.#waiting.urgent.delete(key);
    this.#waiting.routine.delete(key);
    this.#dirty.delete(key);
    for (const delayed of Object.values(this.#delayed)) {
      delayed.get(key)?.cancel();
      delayed.delete(key);
    }
  }

  /** Takes no further key; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#state = 'Stopped';
    for (const delayed of Object.values(this.#delayed)) {
      for (const {cancel} of delayed.values()) cancel();
      delayed.clear();
    }
    this.#waiting.urgent.clear();
    this.#waiting.routine.clear();
    this.#dirty.clear();
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #fill(): void {
    if (this.#state !== 'Running') return;
    const {concurrency} = this.#options;
    this.#take(this.#waiting.urgent, () => this.#running.size < concurrency);
    const most = Math.max(1, Math.floor(concurrency / 8));
    const routine = (): number => [...this.#running.values()].filter((one) => one.routine).length;
    this.#take(this.#waiting.routine, () => this.#running.size < concurrency && routine() < most);
  }

  #take(line: Map<string, Waiting>, hasPlace: () => boolean): void {
    for (const [key, {since, routine}] of line) {
      if (!hasPlace()) return;
      const now = this.#options.clock.monotonic();
      line.delete(key);
      this.#running.set(key, {since: now, routine});
      this.#options.onTaken?.(now - since);
      void this.#run(key, routine);
    }
  }

  async #run(key: string, routine: boolean): Promise<void> {
    try {
      await this.#options.process(key, routine);
    } finally {
      this.#running.delete(key);
      const dirty = this.#dirty.get(key);
      this.#dirty.delete(key);
      if (dirty !== undefined) this.#wait(key, dirty);
      if (this.#running.size === 0) {
        for (const resolve of this.#idle) resolve();
        this.#idle = [];
      }
      this.#fill();
    }
  }
}
