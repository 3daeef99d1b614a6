import type {LeaderWatch, WatchEnd, WatchHeard} from '../../src/etcd/leader-watch.ts';
import type {Process} from './etcd.ts';
import type {World} from './world.ts';

interface Watch {
  address: string;
  process: Process;
  heard: WatchHeard;
  /** Since when its member has no leader, virtual ms. */
  leaderlessSince: number | undefined;
  /** Since when nothing comes back from its machine, virtual ms. */
  silentSince: number | undefined;
}

/** After so long without a leader etcd ends a watch that asked for one, and the kernel a connection on which nothing comes back, ms. */
const patienceMs = 3_000;

/** The watches on members that ask for a leader, as etcd and the kernel end them. */
export class SimWatches {
  readonly #world: World;
  readonly #open = new Set<Watch>();
  /** Whether this end is never told of: the operator that holds the watch takes it for open. */
  isLost: () => boolean = () => false;

  constructor(world: World) {
    this.#world = world;
  }

  open(address: string, heard: WatchHeard): LeaderWatch {
    const process = this.#world.processAt(address);
    if (process === undefined || process.leader === '') {
      const end: WatchEnd = process === undefined ? {kind: 'Broken', message: 'connection refused'} : {kind: 'NoLeader', message: 'etcdserver: no leader'};
      let closed = false;
      void Promise.resolve().then(() => { if (!closed) heard.onEnd(end); });
      return {close: () => { closed = true; }};
    }
    const watch: Watch = {address, process, heard, leaderlessSince: undefined, silentSince: undefined};
    this.#open.add(watch);
    void Promise.resolve().then(() => { if (this.#open.has(watch)) heard.onOpen(); });
    return {close: () => { this.#open.delete(watch); }};
  }

  /** Some time has passed. */
  tick(): void {
    for (const watch of [...this.#open]) {
      const why = this.#endOf(watch);
      if (why === undefined) continue;
      this.#open.delete(watch);
      if (!this.isLost()) watch.heard.onEnd(why);
    }
  }

  #endOf(watch: Watch): WatchEnd | undefined {
    const {process, address} = watch;
    const {now, machines} = this.#world;
    const connected = machines.get(process.node)?.connected === true;
    watch.silentSince = connected ? undefined : watch.silentSince ?? now;
    watch.leaderlessSince = process.leader === '' ? watch.leaderlessSince ?? now : undefined;
    const lasts = (since: number | undefined): boolean => since !== undefined && now - since >= patienceMs;
    if (connected ? this.#world.processAt(address) !== process : lasts(watch.silentSince)) return {kind: 'Broken', message: 'the connection broke'};
    return connected && lasts(watch.leaderlessSince) ? {kind: 'NoLeader', message: 'etcdserver: no leader'} : undefined;
  }
}
