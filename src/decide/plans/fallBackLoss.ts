import type {Condition, DataLoss, PlanSnapshot, QuorumRecoveryStatus} from '../../api/types.ts';

/** Entries of its own log that are not in a database; undefined: that is not known. */
export const leftInLog = ({index, logIndex}: Pick<PlanSnapshot, 'index' | 'logIndex'>): number | undefined =>
  (index === undefined || logIndex === undefined ? undefined : logIndex - index);

/** How far the log of any disk that was read goes beyond a database: each entry may have made a revision that clients have seen. */
export function entriesBeyond({status: {run}}: {status: QuorumRecoveryStatus}, snapshot: PlanSnapshot | undefined): number {
  if (snapshot?.index === undefined) return 0;
  const {index, logIndex = 0} = snapshot;
  return Math.max(logIndex, ...(run?.offline ?? []).flatMap((facts) => [facts.index ?? 0, facts.database?.index ?? 0]), index) - index;
}

const entries = (count: number, from: number, to: number): string => (count === 1 ? `entry ${from}` : `the ${count} entries ${from} to ${to}`);

/** Which part of its own log a database does not have: part of a sentence. */
export function leftInWords({index, logIndex}: Pick<PlanSnapshot, 'index' | 'logIndex'>): string {
  const left = leftInLog({index, logIndex});
  if (index === undefined) return 'how much of its log is in its database is read once nothing runs on it any more';
  if (left === undefined) return `its log cannot be read to its end, so that how much was written after entry ${index} is not known: it cannot come along`;
  if (left === 0) return `its log ends with entry ${index} too, so that nothing on its disk is left behind`;
  return `${entries(left, index + 1, index + left)} of its log ${left === 1 ? 'is' : 'are'} not in its database and cannot come along: acknowledged writes may be among them`;
}

export interface ToldLoss {
  status: Condition['status'];
  reason: string;
  message: string;
}

/** What a run that restored a member's own database has lost, as far as anybody saw; undefined: it did no such thing. */
export function fallBackLoss({database, survivorRevision = 0, lastKnownRevision = 0, witnessed = false, longerLogs = []}: DataLoss): ToldLoss | undefined {
  if (database === undefined) return undefined;
  const {pod, index} = database;
  const left = leftInLog(database);
  const behind = Math.max(0, lastKnownRevision - survivorRevision);
  const message = [
    `the cluster was started from the database of ${pod}, at log entry ${index} and revision ${survivorRevision}; ${leftInWords(database)}${left === 0 ? '' : ' (its old data is kept)'}`,
    ...longerLogs, ...(behind > 0 ? [`revision ${lastKnownRevision} was seen before: ${behind} revisions are not in it`] : []),
  ].join('; ');
  if (left !== 0 || longerLogs.length > 0 || behind > 0) return {status: 'True', reason: 'RestoredFromSurvivor', message};
  if (!witnessed) return {status: 'Unknown', reason: 'NoWitness', message: `${message}; whether the lost members had more is not known, because this resource did not watch the cluster before`};
  return {status: 'False', reason: 'NothingDropped', message: `${message}, and it is not behind the last seen revision ${lastKnownRevision}`};
}
