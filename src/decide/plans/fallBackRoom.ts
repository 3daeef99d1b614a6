import {newWalBytes, reserveBytes} from '../../agent/report.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {offlineOf} from '../evidence/offline.ts';
import type {Refusal} from './preflight.ts';
import {viewOf} from '../steps/common.ts';

/*
 * What a fall-back takes on the survivor's own volume, asked while nothing has been touched: once its database is what the cluster is, every name is held,
 * and the agent would only say then that there is no room. The old data needs none: it is renamed, and stays beside the new one.
 */

/** Size of its database, bytes: as it was read, else as its etcd says; 0: nobody knows. */
function databaseBytes(observation: Observation, {pod, probe}: OrdinalView): number {
  return offlineOf(observation, pod)?.database?.bytes ?? (probe.kind === 'Answered' ? probe.status.dbSizeBytes : 0);
}

/** Defragmenting writes the database once more beside itself: what a quota that is filled (NOSPACE) takes before the first write. */
const isFull = (observation: Observation, pod: string): boolean => offlineOf(observation, pod)?.database?.alarms?.some(({alarm}) => alarm === 'NOSPACE') === true;

/** What is built from the snapshot takes on the volume of the data beside a log, bytes. */
export const builtBytes = (observation: Observation, view: OrdinalView): number => databaseBytes(observation, view) * (isFull(observation, view.pod) ? 2 : 1);

/** What the snapshot of the own database and all that is built from it take on the volume of the data, bytes. */
export const fallBackBytes = (observation: Observation, view: OrdinalView): number =>
  databaseBytes(observation, view) + builtBytes(observation, view) + (view.wal === undefined ? newWalBytes : 0);

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
/** Never more than there is. */
const free = (bytes: number): string => `${Math.floor(bytes / 1e6)} MB`;

function partsInWords(observation: Observation, view: OrdinalView): string {
  const bytes = databaseBytes(observation, view);
  return [
    `${megabytes(bytes)} for the snapshot that is made of it`, `${megabytes(bytes)} for the database that is built from that`,
    ...(isFull(observation, view.pod) ? [`${megabytes(bytes)} to defragment it, because it fills its quota`] : []),
    ...(view.wal === undefined ? [`${megabytes(newWalBytes)} for the log`] : []),
  ].join(', ');
}

const wayOut = 'Enlarge the claim, or remove what earlier runs have kept on the volume (.quorumrecovery)';

/** Why there is no room for it; undefined: there is, or nobody has read how much there is. */
export function roomRefusal(observation: Observation, pod: string, others: readonly string[]): Refusal | undefined {
  const view = viewOf(observation, pod);
  const {freeBytes, walFreeBytes} = offlineOf(observation, pod) ?? {};
  const needed = fallBackBytes(observation, view) + reserveBytes;
  const other = others.length === 0 ? '' : `; or name another member in spec.survivor (${others.join(', ')}), whose database has less in it`;
  const end = `Nothing was touched. ${wayOut}${other}. It is looked at again every two minutes`;
  if (freeBytes !== undefined && needed > freeBytes) {
    return {reason: 'RestoreFailed', message: `${pod}: there is no room to restore its own database in the place of a force: claim ${view.data?.name ?? ''} has ${free(freeBytes)} free, and ${megabytes(needed)} are needed beside what is there (${partsInWords(observation, view)}). ${end}`};
  }
  if (view.wal !== undefined && walFreeBytes !== undefined && newWalBytes > walFreeBytes) {
    return {reason: 'RestoreFailed', message: `${pod}: there is no room to restore its own database in the place of a force: claim ${view.wal.name} has ${free(walFreeBytes)} free, and ${megabytes(newWalBytes)} are needed for the log. ${end}`};
  }
  return undefined;
}

/** What is needed and what is there, for the plan. */
export function roomNotes(observation: Observation, pod: string): string[] {
  const view = viewOf(observation, pod);
  const {freeBytes} = offlineOf(observation, pod) ?? {};
  if (freeBytes === undefined) return [];
  const kept = observation.spec.preserve.mode === 'Skip' ? '' : '. The snapshot of a member that still runs is taken before it is stopped only where that room is left';
  return [`restoring the database of ${pod} takes ${megabytes(fallBackBytes(observation, view) + reserveBytes)} on claim ${view.data?.name ?? ''} beside what is there (${partsInWords(observation, view)}), and ${free(freeBytes)} were free${kept}`];
}
