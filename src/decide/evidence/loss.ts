import type {DataLoss, QuorumRecoveryStatus} from '../../api/types.ts';
import {endsBefore} from '../../etcd/wal/log-end.ts';

/** The highest revision that was seen anywhere: by the witness, in a member's own answer, on a disk. */
export function highestRevision({lastHealthy, lastServed, members, run}: QuorumRecoveryStatus): number {
  return Math.max(0, lastHealthy?.revision ?? 0, lastServed?.revision ?? 0, ...(members ?? []).map(({revision = 0}) => revision), ...(run?.offline ?? []).map(({revision = 0}) => revision));
}

/** How far clients may have seen: further than anybody has data of, where a new cluster was lost before it served. */
export const highestForClients = (status: QuorumRecoveryStatus): number => Math.max(highestRevision(status), ...(status.members ?? []).map(({lostRevision = 0}) => lostRevision));

/** What is known before anything is done. */
export function knownLoss(status: QuorumRecoveryStatus, survivorRevision: number | undefined): DataLoss {
  // Revisions of a cluster that is given up are of other data.
  const given = status.run?.plan?.givenUp ?? [];
  const highest = highestRevision({...status, members: status.members?.filter(({pod}) => !given.includes(pod))});
  return {
    ...(survivorRevision !== undefined && {survivorRevision}), ...(highest > 0 && {lastKnownRevision: highest}), witnessed: status.lastHealthy !== undefined,
  };
}

/** Logs of other disks that go further than the survivor's: what they hold beyond it is not in the new cluster. */
export function longerLogs({run}: QuorumRecoveryStatus, survivor: string, end: {term: number; index: number}): string[] {
  return (run?.offline ?? []).flatMap(({pod, term, index, unfit, database}) => {
    if (pod === survivor) return [];
    // Of a log that is damaged early on, what was applied says more.
    if (database !== undefined && database.index > (index ?? 0) && endsBefore(end, database)) return [`the database of ${pod} has the log up to term ${database.term}, index ${database.index}${unfit === undefined ? '' : `, and no cluster can be forced from it: ${unfit}`}`];
    if (term === undefined || index === undefined || !endsBefore(end, {term, index})) return [];
    return [`the log of ${pod} ends at term ${term}, index ${index}${unfit === undefined ? '' : `, and no cluster can start from it: ${unfit}`}`];
  });
}
