import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {judgeFencing} from '../fencing.ts';
import {secretGone} from '../trouble.ts';
import {quorumCameBack} from './common.ts';

/**
 * The fencing rule, asked again with the newest list of nodes in the moment before a new cluster starts, of whatever strategy.
 * @param begun what is never let go any more, whoever comes back: the fencing rule alone holds it then
 */
export function guardStart(observation: Observation, begun: boolean): Decision | undefined {
  // Without the Secrets the new etcd could not even be checked.
  const early = (begun ? undefined : quorumCameBack(observation)) ?? secretGone(observation);
  if (early) return early;
  if (observation.templates?.rollout !== undefined) {
    return blocked('RolloutInProgress', `the template changed during the run: ${observation.templates.rollout}. Undo it (kubectl rollout undo); every name is held and the run goes on by itself then`);
  }
  const fencing = judgeFencing(observation, false);
  return fencing.holds ? undefined : blocked('FencingUnproven', `${fencing.message}. Every name is held; the run goes on when the proof is there`);
}
