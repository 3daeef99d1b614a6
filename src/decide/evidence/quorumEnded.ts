import {createHash} from 'node:crypto';
import {inFlight} from '../../api/progress.ts';
import type {QuorumRecoveryStatus} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {judgeFencing} from './fencing.ts';

/** What a pod ran and where. A member that came back and went again is another pod, is on another node, or runs another container. */
function traceOf({pod, object}: OrdinalView): string {
  const containers = (object?.status?.containerStatuses ?? []).map(({containerID = ''}) => containerID);
  return [pod, object?.metadata?.uid ?? '', object?.spec?.nodeName ?? '', ...containers].join(' ');
}

const digest = (ordinals: readonly OrdinalView[]): string => createHash('sha256').update(ordinals.map(traceOf).join('\n')).digest('hex').slice(0, 16);

/**
 * Settles since when no quorum of the old members can have acknowledged a write, because those that are not proven to have ended are too few to
 * elect a leader. A run that waits for its turn or for a person is no reason to take more revisions for used (plans/revisions.ts). From the first
 * held name on nothing of the old cluster can start, and the pods are the run's own: what is known stays.
 */
export function settleQuorumEnded(draft: QuorumRecoveryStatus, observation: Observation): void {
  if (inFlight(draft.run) === undefined && draft.suspicion === undefined) {
    delete draft.quorumEnded;
    return;
  }
  if ((draft.heldPods ?? []).length > 0) return;
  const {holds, processes} = observation.set === undefined || observation.ordinals.length === 0 ? {holds: false, processes: []} : judgeFencing(observation, false);
  if (!holds) {
    delete draft.quorumEnded;
    return;
  }
  // The others may come and go, as a survivor does whose liveness probe asks for a quorum: they are too few.
  const ended = new Set(processes.flatMap(({pod, proven}) => (proven === undefined ? [] : [pod])));
  const of = digest(observation.ordinals.filter(({pod}) => ended.has(pod)));
  if (draft.quorumEnded?.of !== of) draft.quorumEnded = {at: new Date(observation.now).toISOString(), of};
}
