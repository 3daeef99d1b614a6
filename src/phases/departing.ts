import type {QuorumRecovery} from '../api/types.ts';
import {durationMs} from '../decide/durations.ts';
import {beforeDeparture} from '../decide/errands.ts';
import {setIsGoing} from '../decide/interrupt.ts';
import {leftStoppedInWords} from '../decide/steps/dependents.ts';
import type {Observation} from '../observe/observation.ts';
import type {Observed} from '../observe/observe.ts';
import type {Executor} from './executor.ts';
import type {Pass} from './pass.ts';
import type {Reporter} from './reporter.ts';

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

/** A resource that is being deleted goes, once nothing of it is left and nothing is owed. */
export async function depart(executor: Executor, reporter: Reporter, base: QuorumRecovery, observed: Observed): Promise<Pass> {
  const {observation} = observed;
  const errand = beforeDeparture(observation);
  const left = errand?.actions ?? [];
  // Nobody waits for ever for what the API server refuses: what stays stopped is said, by an Event, as there is no status any more.
  if (left.every(({type}) => type === 'ReturnDependent') && goesLate(observation)) {
    for (const outcome of await executor.perform(observed, left)) outcome.record?.(observation.status);
    reporter.leavesStopped(base, leftStoppedInWords(observation));
    return await executor.letGo(base, observation.status);
  }
  return errand === undefined ? await executor.letGo(base, observation.status) : await executor.carryOut(errand, base, observed);
}
