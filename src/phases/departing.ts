import {setIsGoing} from '../decide/interrupt.ts';
import {durationMs} from '../decide/durations.ts';
import type {Observation} from '../observe/observation.ts';

/** A resource that is being deleted may go: no run is in flight and nothing is held, or its set is gone and there is nothing left to finish. */
export function mayDepart(observation: Observation): boolean {
  const {resource, status: {run, heldPods = []}} = observation;
  if (resource.metadata.deletionTimestamp === undefined) return false;
  // Held pods of a degraded cluster may stand on empty claims: letting them start could make an empty cluster beside it.
  return run === undefined || (run.finishedAt !== undefined && heldPods.length === 0) || setIsGoing(observation);
}

/** It has been going for longer than a check may take: nothing that is only owed keeps it any longer. */
export function goesLate({resource: {metadata: {deletionTimestamp}}, spec, now}: Observation): boolean {
  return deletionTimestamp !== undefined && now - new Date(deletionTimestamp).getTime() > durationMs(spec.verification.timeout);
}
