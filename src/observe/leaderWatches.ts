import {watchLeader} from '../etcd/leader-watch.ts';
import type {LeaderWatch, WatchEnd} from '../etcd/leader-watch.ts';
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
  /** Told when the watch on a pod of that resource ended: time to look. */
  onEnd: (key: string, pod: string, end: WatchEnd) => void;
  /** Told of every watch that ended by itself, for the metrics. */
  onCounted?: (why: WatchEnd['kind']) => void;
  open?: (endpoint: EtcdEndpoint, onEnd: (end: WatchEnd) => void) => LeaderWatch;
  /** Monotonic ms. */
  now?: () => number;
}

/** A watch that ended is not opened again before this time, ms: what ends it may last. */
const againMs = 5_000;
/** One that the member refused, ms. */
const refusedMs = 300_000;

/** Members that answer as parts of a quorum; where etcd asks for users a watch would need a token, and is refused. */
export function watchTargets(observation: Observation, credentials: Credentials): WatchTarget[] {
  return observation.ordinals.flatMap(({pod, object, launch, probe}): WatchTarget[] => {
    const id = object?.metadata?.uid;
    if (id === undefined || object === undefined || !isLaunch(launch)) return [];
    if (probe.kind !== 'Answered' || probe.status.leader === '' || probe.status.isLearner) return [];
    return [{id, pod, endpoint: endpointOf(object, launch, {...credentials, auth: undefined})}];
  });
}

interface Entry {
  watch: LeaderWatch | undefined;
  /** When it may be opened again, monotonic ms. */
  notBefore: number;
}

/**
 * One open watch for each member of each cluster that is watched by itself. With a watch on every voter one of those that are left tells
 * of a lost quorum: etcd ends it when its member has had no leader for three election timeouts.
 */
export class LeaderWatches {
  readonly #options: Required<LeaderWatchesOptions>;
  readonly #entries = new Map<string, Map<string, Entry>>();

  constructor({onEnd, onCounted = () => undefined, open = watchLeader, now = () => performance.now()}: LeaderWatchesOptions) {
    this.#options = {onEnd, onCounted, open, now};
  }

  /** Number of open watches. */
  get size(): number {
    return [...this.#entries.values()].reduce((sum, entries) => sum + [...entries.values()].filter(({watch}) => watch !== undefined).length, 0);
  }

  /** Opens and closes watches until they are those of `targets`. @returns how many of them are not open now, and may be later */
  follow(key: string, targets: readonly WatchTarget[]): number {
    const entries = this.#entries.get(key) ?? new Map<string, Entry>();
    for (const [id, {watch}] of entries) {
      if (targets.some((target) => target.id === id)) continue;
      watch?.close();
      entries.delete(id);
    }
    for (const target of targets) this.#open(key, entries, target);
    if (entries.size === 0) this.#entries.delete(key);
    else this.#entries.set(key, entries);
    const {now} = this.#options;
    return [...entries.values()].filter(({watch, notBefore}) => watch === undefined && notBefore - now() <= againMs).length;
  }

  #open(key: string, entries: Map<string, Entry>, {id, pod, endpoint}: WatchTarget): void {
    const {open, now, onEnd, onCounted} = this.#options;
    const known = entries.get(id);
    if (known?.watch !== undefined || (known !== undefined && known.notBefore > now())) return;
    const entry: Entry = {watch: undefined, notBefore: 0};
    entries.set(id, entry);
    entry.watch = open(endpoint, (end) => {
      entry.watch = undefined;
      onCounted(end.kind);
      entry.notBefore = now() + (end.kind === 'Refused' ? refusedMs : againMs);
      if (entries.get(id) === entry && end.kind !== 'Refused') onEnd(key, pod, end);
    });
  }

  close(): void {
    for (const key of [...this.#entries.keys()]) this.follow(key, []);
  }
}
