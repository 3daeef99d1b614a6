import type {QuorumRecoveryStatus} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';

/**
 * Names that an earlier run left held, and that this one has not joined. Their claims may be empty or of no member of the list, so that the
 * template must not start on them.
 */
export const heldBefore = ({status: {run, heldPods = []}, ordinals}: Pick<Observation, 'status' | 'ordinals'>): string[] =>
  heldPods.filter((pod) => run?.heldBefore?.includes(pod) === true && ordinals.some((view) => view.pod === pod));

/** At the end of a run that had nothing to do with them: who stays held, and what brings them back; undefined: nobody. */
export function leftHeldInWords({run, heldPods = []}: QuorumRecoveryStatus): string | undefined {
  if (run?.finishedAt === undefined || run.outcome === 'Failed') return undefined;
  const deferred = (run.joins ?? []).filter((join) => join.deferred !== undefined).map(({pod}) => pod);
  const left = heldPods.filter((pod) => run.heldBefore?.includes(pod) === true && !deferred.includes(pod));
  if (left.length === 0) return undefined;
  return `${left.join(', ')} ${left.length === 1 ? 'stays' : 'stay'} held since an earlier run, as the data on ${left.length === 1 ? 'its disk' : 'their disks'} may be no member's. To bring ${left.length === 1 ? 'it' : 'them'} back, set spec.strategy: ReplaceMembers and a new value of spec.trigger.request`;
}
