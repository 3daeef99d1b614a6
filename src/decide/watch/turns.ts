import {approveStep, inFlight} from '../../api/progress.ts';
import type {QuorumRecoveryStatus} from '../../api/types.ts';
import {findCondition} from '../../operator/conditions.ts';

/** A step that has not ended for so long may hang on something that nobody has foreseen: its run keeps no other from its turn, ms. */
const patienceMs = 30 * 60_000;

/**
 * Whether the resource's run loads nodes, disks and API server now. One that stands still until a person or the cluster changes something
 * does not: those that wait for a turn would otherwise wait for that person too. It goes on at once when it can.
 */
export function isAtWork({run, conditions}: QuorumRecoveryStatus, now: number): boolean {
  const current = inFlight(run);
  if (current === undefined || findCondition(conditions, 'Stalled')?.status === 'True') return false;
  const step = current.steps.find(({state}) => state === 'Running');
  return step?.name !== approveStep && now - Date.parse(step?.startedAt ?? current.startedAt) < patienceMs;
}

/** A resource whose run would begin by itself now. */
export interface Waiting {
  key: string;
  /** When the loss of its quorum was first suspected, ISO 8601. */
  since: string;
  /** A quorum serves: those that lost theirs go first. */
  serves?: true;
}

export type Turn = {kind: 'Begins'} | {kind: 'Waits'; atWork: number; ahead: number};

/** Who lost its quorum first goes first, and before all that only replace a member. */
const byLoss = (a: Waiting, b: Waiting): number => Number(a.serves ?? false) - Number(b.serves ?? false) || Date.parse(a.since) - Date.parse(b.since) || (a.key < b.key ? -1 : 1);

/**
 * Whether one of those that wait may begin. `ahead`: how many of them go before it. With one place free the first of the line gets it, with
 * two the first two, in whatever order they ask: nobody overtakes, and nobody who asks keeps one behind him from a place that is left.
 */
export function turnOf(key: string, waiting: readonly Waiting[], {atWork, limit}: {atWork: number; limit: number}): Turn {
  const ahead = [...waiting].sort(byLoss).findIndex((one) => one.key === key);
  return ahead >= 0 && atWork + ahead < limit ? {kind: 'Begins'} : {kind: 'Waits', atWork, ahead};
}

/** What a run waits for whose turn it is not. `turn` undefined: nobody knows yet how many are at work. */
export function turnInWords(turn: Extract<Turn, {kind: 'Waits'}> | undefined, limit: number): string {
  if (turn === undefined) return 'its turn: this operator has just begun to lead, and does not know yet how many runs are at work';
  const {atWork, ahead} = turn;
  return `its turn: ${atWork} ${atWork === 1 ? 'run is' : 'runs are'} at work, and none begins by itself while there are ${limit} (--concurrent-runs)${ahead > 0 ? `; ${ahead} ${ahead === 1 ? 'cluster that lost its' : 'clusters that lost their'} quorum earlier ${ahead === 1 ? 'goes' : 'go'} first` : ''}`;
}
