import type {WatchEnd} from '../etcd/leader-watch.ts';
import type {EtcdAccess} from './access.ts';
import {CalmClusters} from './calmClusters.ts';
import type {CalmEnd, CalmOptions} from './calmClusters.ts';
import {firstLeaderless} from './leaderless.ts';
import {LeaderWatches} from './leaderWatches.ts';

/** What watches over clusters between the looks at them. */
export interface Sentinels {
  etcd: Pick<EtcdAccess, 'release'>;
  leaders: LeaderWatches;
  calm: CalmClusters;
}

export interface SentinelOptions extends Pick<CalmOptions, 'onAnswer' | 'now' | 'sleep' | 'random'> {
  etcd: EtcdAccess;
  /** The member in this pod has had no leader for longer than an election takes. Told before `onStir`. */
  onLeaderless: (key: string, pod: string) => void;
  /** The cluster is to be looked at in full. `routine`: nothing speaks for a lost quorum, and what does goes first. */
  onStir: (key: string, routine: boolean) => void;
  /** Told of the end of each calm, and of each watch that ended by itself: for logs and metrics. */
  onCalmEnd?: (key: string, why: CalmEnd, message: string) => void;
  onWatchEnd?: (why: WatchEnd['kind']) => void;
}

/** Ties the watch over each cluster to its calm: whatever ends the one ends the other, and is followed by a full look. */
export function openSentinels({etcd, onLeaderless, onStir, onCalmEnd, onWatchEnd, ...rest}: SentinelOptions): Sentinels {
  const ask: CalmOptions['ask'] = async (endpoint, deadlineMs) => await etcd.status(endpoint, deadlineMs);
  const calm = new CalmClusters({
    ...rest, ask, isWatched: (key) => leaders.isOpen(key),
    onEnd: (key, why, message, leaderless) => {
      onCalmEnd?.(key, why, message);
      if (leaderless !== undefined) onLeaderless(key, leaderless);
      // While its watch is open a cluster has a leader: neither a member that is silent nor a write that failed is urgent.
      onStir(key, why === 'Silence' || why === 'Write');
    },
  });
  const leaders = new LeaderWatches({
    open: (endpoint, heard) => etcd.watchLeader(endpoint, heard), now: rest.now,
    onEnd: (key, pod, end, others) => {
      if (calm.watchEnded(key, pod, end)) return;
      const tell = (leaderless: string | undefined): void => {
        if (leaderless !== undefined) onLeaderless(key, leaderless);
        onStir(key, false);
      };
      if (end.kind === 'NoLeader') tell(pod);
      else void firstLeaderless(others, {ask, sleep: rest.sleep}).then(tell);
    },
    ...(onWatchEnd && {onCounted: onWatchEnd}),
  });
  return {etcd, leaders, calm};
}
