import type {QuorumRecoveryStatus} from '../../api/types.ts';
import {isServedSuperseded} from './witness.ts';

/** What was the most revisions a second is half of that after this time, ms. */
const rateHalvedMs = 600_000;

/** How far clients have seen at least, from a revision that a quorum serves now. What they have seen they have seen: it never goes back. */
export function renewServed(draft: QuorumRecoveryStatus, revision: number, now: number): void {
  const before = isServedSuperseded(draft) ? undefined : draft.lastServed;
  // A follower that is behind, or data that went back.
  if (before !== undefined && revision < before.revision) return;
  const age = now - Date.parse(before?.at ?? new Date(0).toISOString());
  const measured = before && Math.max((revision - before.revision) / (age / 1_000), (before.perSecond ?? 0) * 2 ** (-age / rateHalvedMs));
  draft.lastServed = {revision, ...(measured !== undefined && {perSecond: Math.ceil(measured * 10) / 10}), at: new Date(now).toISOString()};
}
