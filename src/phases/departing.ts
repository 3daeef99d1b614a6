import {forceMayHaveBegun} from '../decide/steps/forceHelper.ts';
import type {Observation} from '../observe/observation.ts';

/**
 * A resource that is being deleted, or whose set is gone. Before the force everything is put back; after it the run is finished
 * first; with the set gone there is nothing left to finish.
 */
export function departing(observation: Observation): 'drop-finalizer' | {reason: string; message: string} | undefined {
  const {resource, status: {run}, set} = observation;
  if (resource.metadata.deletionTimestamp === undefined) return undefined;
  const held = (observation.status.heldPods ?? []).length > 0;
  // Held pods of a degraded cluster may stand on empty claims: letting them start could make an empty cluster beside it.
  if (run === undefined || (run.finishedAt !== undefined && !held) || set === undefined || set.metadata?.deletionTimestamp !== undefined) return 'drop-finalizer';
  if (run.finishedAt === undefined && !forceMayHaveBegun(observation)) return {reason: 'Deleted', message: 'the QuorumRecovery was deleted before anything was forced: every held pod is let go'};
  return undefined;
}
