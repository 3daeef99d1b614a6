import type {QuorumRecoverySpec} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {removeCondition, setCondition} from '../../operator/conditions.ts';
import {durationMs} from '../durations.ts';

/** Beyond two intervals, ms: an interval may be as short as what a transfer takes. */
const graceMs = 60_000;

/** A last snapshot that is older, ms, is stale: two turns have come to nothing. undefined: none is to be taken. */
export const staleAfterMs = ({backups}: QuorumRecoverySpec): number | undefined =>
  (backups === undefined ? undefined : 2 * durationMs(backups.interval) + graceMs);

/** The store that the spec names, so that another one has other words. */
export function storeInWords({snapshot}: QuorumRecoverySpec): string {
  const {claim, s3} = snapshot ?? {};
  if (claim !== undefined) return `claim ${claim.name}${claim.path === undefined ? '' : `, directory ${claim.path}`}`;
  return `bucket ${s3?.bucket ?? ''}${s3?.prefix === undefined ? '' : `, prefix ${s3.prefix}`}${s3?.endpoint === undefined ? '' : ` at ${s3.endpoint}`}`;
}

/**
 * The condition BackedUp. A message changes only with what it tells of: each change is a write.
 * @param waits why none is taken although it is due
 */
export function sayBackups({status, spec, now, resource}: Observation, waits: string | undefined): void {
  const {backups} = status;
  const stale = staleAfterMs(spec);
  if (backups === undefined || stale === undefined) {
    status.conditions = removeCondition(status.conditions, 'BackedUp');
    return;
  }
  const say = (state: 'True' | 'False' | 'Unknown', reason: string, message: string): void => {
    status.conditions = setCondition(status.conditions, {type: 'BackedUp', status: state, reason, message}, resource.metadata.generation, now);
  };
  const {last, lastSuccess} = backups;
  const newest = lastSuccess === undefined ? 'No snapshot was saved yet' : `The last one that was saved is ${lastSuccess.name} (revision ${lastSuccess.revision}, taken from ${lastSuccess.pod}) in ${lastSuccess.store ?? storeInWords(spec)}`;
  const because = waits === undefined ? '' : `. None is taken now: ${waits}`;
  const age = now - Date.parse(lastSuccess?.takenAt ?? backups.since);
  if (last?.saved === false) say('False', 'Failed', `Snapshot ${last.name} from ${last.pod} was not saved (${last.reason ?? ''}): ${last.message ?? ''} It is tried again. ${newest}${because}`);
  else if (age > stale) say('False', 'Stale', `${newest}; it is older than two intervals of ${spec.backups?.interval ?? ''}${because}`);
  else if (lastSuccess === undefined) say('Unknown', 'NoneYet', `${newest}${because}`);
  else say('True', 'Saved', `${newest}${last?.message === undefined ? '' : `; ${last.message}`}${because}`);
}
