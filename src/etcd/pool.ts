import {createHash} from 'node:crypto';
import {connectMember} from './client.ts';
import type {LeaderWatch, WatchHeard} from './leader-watch.ts';
import type {ConnectMember, EtcdEndpoint, EtcdMember} from './types.ts';

export interface MemberPoolOptions {
  connect?: ConnectMember;
  deadlineMs?: number;
  /** A connection without calls for so long is closed. Default 90 s. */
  idleMs?: number;
  /** Monotonic milliseconds. */
  now?: () => number;
}

interface Entry {
  member: EtcdMember;
  lastUsed: number;
  running: number;
}

const keys = new WeakMap<EtcdEndpoint, string>();

/** By content, so that whoever reads the same certificates again finds the same connection. Made once for each object, of which there is one for each member that is asked in turn. */
function keyOf(endpoint: EtcdEndpoint): string {
  const known = keys.get(endpoint);
  if (known !== undefined) return known;
  const key = createHash('sha256').update(JSON.stringify(endpoint)).digest('base64');
  keys.set(endpoint, key);
  return key;
}

/**
 * Clients by endpoint, because a connection with mTLS costs 5 ms of CPU. What it hands out may be kept: it connects
 * again when its connection was closed as idle, and its `close` does nothing. Other certificates are another endpoint.
 */
export class MemberPool {
  readonly #connect: ConnectMember;
  readonly #connectOptions: {deadlineMs?: number};
  readonly #idleMs: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: MemberPoolOptions = {}) {
    this.#connect = options.connect ?? connectMember;
    this.#connectOptions = options.deadlineMs === undefined ? {} : {deadlineMs: options.deadlineMs};
    this.#idleMs = options.idleMs ?? 90_000;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = setInterval(() => { this.closeIdle(); }, Math.max(this.#idleMs / 2, 1_000));
    this.#timer.unref();
  }

  /** Number of connected clients. */
  get size(): number {
    return this.#entries.size;
  }

  member(endpoint: EtcdEndpoint): EtcdMember {
    const key = keyOf(endpoint);
    const use = <T>(call: (member: EtcdMember) => Promise<T>): Promise<T> => this.#use(key, endpoint, call);
    return {
      status: options => use(member => member.status(options)),
      memberList: options => use(member => member.memberList(options)),
      get: (name, options) => use(member => member.get(name, options)),
      put: (name, value) => use(member => member.put(name, value)),
      putAll: entries => use(member => member.putAll(entries)),
      getAll: keys => use(member => member.getAll(keys)),
      advance: (name, by) => use(member => member.advance(name, by)),
      deleteKey: name => use(member => member.deleteKey(name)),
      hashKV: revision => use(member => member.hashKV(revision)),
      addLearner: peerURLs => use(member => member.addLearner(peerURLs)),
      promote: id => use(member => member.promote(id)),
      removeMember: id => use(member => member.removeMember(id)),
      moveLeader: id => use(member => member.moveLeader(id)),
      alarms: () => use(member => member.alarms()),
      disarm: alarm => use(member => member.disarm(alarm)),
      compact: (revision, options) => use(member => member.compact(revision, options)),
      defragment: () => use(member => member.defragment()),
      authEnabled: () => use(member => member.authEnabled()),
      watchLeader: heard => this.#watch(key, endpoint, heard),
      close: () => undefined,
    };
  }

  /** Closes what had no call for `idleMs`; also runs by itself. */
  closeIdle(): void {
    const before = this.#now() - this.#idleMs;
    for (const [key, entry] of this.#entries) {
      if (entry.running > 0 || entry.lastUsed > before) continue;
      this.#entries.delete(key);
      entry.member.close();
    }
  }

  /** Closes the connection to this endpoint, unless a call or a watch uses it: nobody will ask there soon. */
  release(endpoint: EtcdEndpoint): void {
    const key = keyOf(endpoint);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.running > 0) return;
    this.#entries.delete(key);
    entry.member.close();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const entry of this.#entries.values()) entry.member.close();
    this.#entries.clear();
  }

  #begin(key: string, endpoint: EtcdEndpoint): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {member: this.#connect(endpoint, this.#connectOptions), lastUsed: 0, running: 0};
      this.#entries.set(key, entry);
    }
    entry.running += 1;
    return entry;
  }

  #end(entry: Entry): void {
    entry.running -= 1;
    entry.lastUsed = this.#now();
  }

  async #use<T>(key: string, endpoint: EtcdEndpoint, call: (member: EtcdMember) => Promise<T>): Promise<T> {
    const entry = this.#begin(key, endpoint);
    try {
      return await call(entry.member);
    } finally {
      this.#end(entry);
    }
  }

  /** A watch is a use for as long as it is open. */
  #watch(key: string, endpoint: EtcdEndpoint, {onOpen, onEnd}: WatchHeard): LeaderWatch {
    const entry = this.#begin(key, endpoint);
    let used = true;
    const end = (): void => {
      if (used) this.#end(entry);
      used = false;
    };
    const watch = entry.member.watchLeader({onOpen, onEnd: (why) => { end(); onEnd(why); }});
    return {close: () => { end(); watch.close(); }};
  }
}
