import type {LeaderWatch, WatchEnd, WatchHeard} from '../etcd/leader-watch.ts';
import type {EtcdEndpoint} from '../etcd/types.ts';
import type {Credentials} from './credentials.ts';
import {endpointOf} from './access.ts';
import type {Observation} from './observation.ts';
import {isLaunch} from './observation.ts';

/** A member to watch, by the UID of its pod: a pod that was made anew is another one. */
export interface WatchTarget {
  id: string;
  pod: string;
  endpoint: EtcdEndpoint;
}

export interface LeaderWatchesOptions {
  /** Told when the open watch on a pod of that resource ended, with the others that could be watched: time to look. Of one that was never open `follow` tells. */
  onEnd: (key: string, pod: string, end: WatchEnd, others: readonly WatchTarget[]) => void;
  /** Told of every watch that ended by itself, for the metrics. */
  onCounted?: (why: WatchEnd['kind']) => void;
  open: (endpoint: EtcdEndpoint, heard: WatchHeard) => LeaderWatch;
  /** Monotonic ms. */
  now?: () => number;
}

/** A watch that ended is not opened again before this time, ms: what ends it may last. */
const againMs = 5_000;
/** One that the member refused, ms. */
const refusedMs = 300_000;

/**
 * Members that answer as parts of a quorum, followers first: a leader that is lost ends the watch on a follower too. Where etcd asks for users
 * a watch would need a token, and is refused.
 */
export function watchTargets(observation: Observation, credentials: Credentials): WatchTarget[] {
  const leads: string[] = [];
  const targets = observation.ordinals.flatMap(({pod, object, launch, probe}): WatchTarget[] => {
    const id = object?.metadata?.uid;
    if (id === undefined || object === undefined || !isLaunch(launch)) return [];
    if (probe.kind !== 'Answered' || probe.status.leader === '' || probe.status.isLearner) return [];
    if (probe.status.leader === probe.status.memberID) leads.push(id);
    return [{id, pod, endpoint: endpointOf(object, launch, {...credentials, auth: undefined})}];
  });
  return [...targets.filter(({id}) => !leads.includes(id)), ...targets.filter(({id}) => leads.includes(id))];
}

interface Open {
  target: WatchTarget;
  watch: LeaderWatch | undefined;
  confirmed: boolean;
  /** The member had no leader when it was asked for the watch. */
  leaderless: boolean;
  /** Resolves when the member has confirmed it, or it has ended. */
  settled: PromiseWithResolvers<void>;
}

interface Entry {
  open: Open | undefined;
  targets: readonly WatchTarget[];
  /** When the watch on a member may be opened again, monotonic ms, by its ID. */
  notBefore: Map<string, {at: number; refused: boolean}>;
}

/** Open: the member has confirmed the watch. Leaderless: it has no leader just now. Refused: none of the members lets this client watch. */
export type Followed = 'Open' | 'Leaderless' | 'Refused' | 'Closed';

/**
 * One open watch for each cluster that is watched by itself. It ends when its member has had no leader for three election timeouts, and
 * breaks when its member is lost; either is told at once.
 */
export class LeaderWatches {
  readonly #options: Required<LeaderWatchesOptions>;
  readonly #entries = new Map<string, Entry>();

  constructor({onEnd, open, onCounted = () => undefined, now = () => performance.now()}: LeaderWatchesOptions) {
    this.#options = {onEnd, onCounted, open, now};
  }

  /** Number of open watches. */
  get size(): number {
    return [...this.#entries.values()].filter(({open}) => open !== undefined).length;
  }

  /** A member has confirmed the watch over this cluster, and it has not ended. */
  isOpen(key: string): boolean {
    return this.#entries.get(key)?.open?.confirmed === true;
  }

  /** Keeps the watch on one of these members, or opens one there; without any it is closed. Resolves when it is known what came of it. */
  async follow(key: string, targets: readonly WatchTarget[]): Promise<Followed> {
    if (targets.length === 0) {
      this.leave(key);
      return 'Closed';
    }
    const entry: Entry = this.#entries.get(key) ?? {open: undefined, targets, notBefore: new Map()};
    this.#entries.set(key, entry);
    entry.targets = targets;
    if (entry.open !== undefined && !targets.some(({id}) => id === entry.open?.target.id)) this.#close(entry);
    const now = this.#options.now();
    for (const id of [...entry.notBefore.keys()]) if (!targets.some((target) => target.id === id)) entry.notBefore.delete(id);
    const free = targets.find(({id}) => (entry.notBefore.get(id)?.at ?? 0) <= now);
    if (entry.open === undefined && free !== undefined) this.#open(key, entry, free);
    const {open} = entry;
    await open?.settled.promise;
    if (this.isOpen(key)) return 'Open';
    if (open?.leaderless === true) return 'Leaderless';
    return targets.every(({id}) => entry.notBefore.get(id)?.refused === true) ? 'Refused' : 'Closed';
  }

  /** Not watched any more. */
  leave(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#close(entry);
    this.#entries.delete(key);
  }

  #close(entry: Entry): void {
    const {open} = entry;
    entry.open = undefined;
    open?.watch?.close();
    open?.settled.resolve();
  }

  #open(key: string, entry: Entry, target: WatchTarget): void {
    const {open, now, onEnd, onCounted} = this.#options;
    const opening: Open = {target, watch: undefined, confirmed: false, leaderless: false, settled: Promise.withResolvers()};
    entry.open = opening;
    opening.watch = open(target.endpoint, {
      onOpen: () => {
        opening.confirmed = true;
        opening.settled.resolve();
      },
      onEnd: (end) => {
        onCounted(end.kind);
        if (entry.open !== opening) return;
        entry.open = undefined;
        const refused = end.kind === 'Refused';
        opening.leaderless = end.kind === 'NoLeader' && !opening.confirmed;
        entry.notBefore.set(target.id, {at: now() + (refused ? refusedMs : againMs), refused});
        opening.settled.resolve();
        // Of a watch that was not open yet the look hears that waits for it.
        if (!refused && opening.confirmed) onEnd(key, target.pod, end, entry.targets.filter(({id}) => id !== target.id));
      },
    });
  }

  close(): void {
    for (const key of [...this.#entries.keys()]) this.leave(key);
  }
}
