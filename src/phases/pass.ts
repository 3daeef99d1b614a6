import type {QuorumRecovery, QuorumRecoveryStatus} from '../api/types.ts';

/** How often a resource is looked at while nothing happens, ms. Pod and node events come at once. */
export const watchMs = 30_000;

/** What one round of observe, decide, act, record leaves to the next. */
export interface Pass {
  base: QuorumRecovery;
  draft: QuorumRecoveryStatus;
  /** undefined: at once again. */
  requeueMs: number | undefined;
  /** Nobody waits for the next look. */
  routine?: true;
  /** Something was recorded in `draft` that is not written yet: whatever comes next writes it first. */
  unwritten?: true;
}
