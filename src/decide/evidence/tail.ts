import type {QuorumRecoveryStatus} from '../../api/types.ts';

/**
 * Highest term of a log entry that another source than the survivor's disk showed: with one of a later term the survivor's uncommitted
 * entries may have been replaced by others (src/etcd/wal/tail.ts). Terms of votes do not count: each failed election leaves one. The
 * witness's does: it was taken with a leader that had served a linearizable read, so that an entry of its term was committed.
 */
export function laterEntryTerm({run, lastHealthy}: QuorumRecoveryStatus, survivor: string): number | undefined {
  const disks = (run?.offline ?? []).filter((facts) => facts.pod !== survivor).map((facts) => facts.term ?? 0);
  const highest = Math.max(0, ...disks, lastHealthy?.raftTerm ?? 0);
  return highest > 0 ? highest : undefined;
}
