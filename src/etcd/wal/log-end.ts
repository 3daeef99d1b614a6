/** The end of a raft log: term and index of its last entry. */
export interface LogEnd {
  term: number;
  index: number;
}

/** Whether a log ends before another one, as raft compares them; term 0: whatever the term. */
export const endsBefore = (found: LogEnd, lowest: LogEnd): boolean =>
  (lowest.term > 0 && found.term !== lowest.term ? found.term < lowest.term : found.index < lowest.index);
