import type {V1ObjectMeta} from '@kubernetes/client-node';
import {isExpired} from '../kubernetes/errors.ts';
import {sleep} from './clock.ts';
import type {Clock} from './clock.ts';
import type {Logger} from './log.ts';

export interface Watchable {
  metadata?: V1ObjectMeta;
}

/** Whatever lists and watches one collection of an API server. */
export interface WatchSource {
  list(): Promise<{items: Watchable[]; resourceVersion: string}>;
  /**
   * Watches from that resourceVersion with bookmarks. Resolves when the stream ended in a normal way (closed, idle for too long, aborted),
   * rejects with ApiError otherwise; an ERROR event of the stream is given to `onEvent` like any other.
   */
  stream(resourceVersion: string, onEvent: (type: string, object: Watchable) => void, signal: AbortSignal): Promise<void>;
}

export interface Change {
  type: 'Added' | 'Modified' | 'Deleted';
  /** For Deleted: the last state, as the API server sent it, or as it was known where the deletion itself was not seen. */
  object: Watchable;
  /** The state before, if it was known. */
  previous?: Watchable;
  /** Deleted between two watches: what happened after `object` was read is not known. */
  finalStateUnknown?: boolean;
  /** Added by the first list: it was there before. */
  listed?: true;
}

export interface WatchLoopOptions {
  /** For log lines: which collection. */
  what: string;
  source: WatchSource;
  clock: Clock;
  log: Logger;
  onChange: (change: Change) => void;
  /** The stream ended or failed, and is begun anew. */
  onRestart?: (failed: boolean) => void;
  random?: () => number;
}

const firstDelayMs = 500;
const maxDelayMs = 15_000;

/** A stream that ends sooner is taken for a failure, so that a server that closes each watch at once is not flooded. */
const shortestStreamMs = 1_000;

const idOf = (object: Watchable) => `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;

interface StatusObject {
  code?: number;
  message?: string;
}

/**
 * Lists a collection, then watches it from there, for ever. After a gap it lists again and compares with what was known, so that
 * no deletion is missed. client-node's informer is dead after any network error, and its operator library exits the process.
 */
export class WatchLoop {
  readonly #options: WatchLoopOptions;
  readonly #stopping = new AbortController();
  readonly #known = new Map<string, Watchable>();
  #version: string | undefined;
  #synced = false;
  #failures = 0;
  #lastActivity: number;
  #started = false;

  constructor(options: WatchLoopOptions) {
    this.#options = options;
    this.#lastActivity = options.clock.monotonic();
  }

  /** The first list was read. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Milliseconds since anything happened here, be it a failed try. */
  get idleMs(): number {
    return this.#options.clock.monotonic() - this.#lastActivity;
  }

  known(): Watchable[] {
    return [...this.#known.values()];
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#run();
  }

  /** Aborts the stream; nothing is told of afterwards. Does not wait. */
  stop(): void {
    this.#stopping.abort();
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const {clock, onRestart} = this.#options;
    while (!this.#stopped()) {
      const begun = clock.monotonic();
      this.#lastActivity = begun;
      let failed = true;
      try {
        await this.#cycle();
        failed = clock.monotonic() - begun < shortestStreamMs;
      } catch (error) {
        this.#complain(error);
      }
      if (this.#stopped()) return;
      onRestart?.(failed);
      this.#failures = failed ? this.#failures + 1 : 0;
      if (failed) await sleep(clock, this.#delay(), this.#stopping.signal);
    }
  }

  #delay(): number {
    const full = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(this.#failures - 1, 10));
    // Between the half and the whole, and never below the first delay.
    return Math.max(firstDelayMs, full * (0.5 + 0.5 * (this.#options.random ?? Math.random)()));
  }

  #complain(error: unknown): void {
    const {log, what} = this.#options;
    if (this.#stopped()) return;
    if (isExpired(error)) {
      log.info({what}, 'The watch is too old to go on from: listing again');
      return;
    }
    log.warn({what, error, failures: this.#failures + 1}, 'The watch failed and is begun anew');
  }

  /** One list, where it is needed, and one stream. */
  async #cycle(): Promise<void> {
    const {source} = this.#options;
    const version = this.#version ?? await this.#relist();
    if (this.#stopped()) return;
    this.#version = version;
    const stream = new AbortController();
    let failure: StatusObject | undefined;
    try {
      await source.stream(version, (type, object) => {
        if (this.#stopped() || stream.signal.aborted) return;
        this.#lastActivity = this.#options.clock.monotonic();
        if (type === 'ERROR') {
          failure = object as StatusObject;
          stream.abort();
          return;
        }
        this.#onEvent(type, object);
      }, AbortSignal.any([stream.signal, this.#stopping.signal]));
    } catch (error) {
      if (isExpired(error)) this.#version = undefined;
      throw error;
    } finally {
      // What a stream that ended still delivers late comes again from the next one.
      stream.abort();
    }
    if (failure === undefined) return;
    // Any ERROR event ends what the resourceVersion is good for.
    this.#version = undefined;
    if (failure.code !== 410) throw new Error(`the API server ended the watch: ${failure.code ?? ''} ${failure.message ?? ''}`);
  }

  async #relist(): Promise<string> {
    const {items, resourceVersion} = await this.#options.source.list();
    this.#lastActivity = this.#options.clock.monotonic();
    if (this.#stopped()) return resourceVersion;
    const present = new Set(items.map(idOf));
    for (const [id, object] of this.#known) {
      if (!present.has(id)) this.#gone(id, object, true);
    }
    for (const item of items) this.#put(item, !this.#synced);
    this.#synced = true;
    return resourceVersion;
  }

  #onEvent(type: string, object: Watchable): void {
    const version = object.metadata?.resourceVersion;
    if (version === undefined) return;
    const id = idOf(object);
    if (type === 'ADDED' || type === 'MODIFIED') this.#put(object);
    else if (type === 'DELETED') this.#gone(id, object, false);
    this.#version = version;
  }

  #put(object: Watchable, listed = false): void {
    const id = idOf(object);
    let previous = this.#known.get(id);
    if (previous !== undefined && previous.metadata?.uid !== object.metadata?.uid) {
      // Deleted and created again under the same name, in a gap.
      this.#gone(id, previous, true);
      previous = undefined;
    }
    if (previous !== undefined && previous.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    this.#known.set(id, object);
    this.#tell(previous === undefined ? {type: 'Added', object, ...(listed && {listed})} : {type: 'Modified', object, previous});
  }

  #gone(id: string, object: Watchable, finalStateUnknown: boolean): void {
    const previous = this.#known.get(id);
    this.#known.delete(id);
    this.#tell({type: 'Deleted', object, ...(previous !== undefined && {previous}), ...(finalStateUnknown && {finalStateUnknown})});
  }

  #tell(change: Change): void {
    try {
      this.#options.onChange(change);
    } catch (error) {
      this.#options.log.error({what: this.#options.what, error}, 'A handler of watch events failed: this is a defect');
    }
  }
}
