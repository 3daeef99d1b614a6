import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {judgeFencing} from '../evidence/fencing.ts';
import {recordOf} from '../evidence/membership.ts';
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

/** The member whose own data goes on: its end is proven by more than a person's word, and its volume is nobody else's. */
export function guardSurvivor(observation: Observation, {pod, data, wal}: OrdinalView): Decision | undefined {
  if (recordOf(observation, pod)?.fenced?.by === 'LostMembers') {
    return blocked('SurvivorNotEligible', `${pod} cannot be the survivor: only spec.lostMembers says that its process has ended`);
  }
  // A node that is proven gone may still have a network volume: nothing else writes to it before it is detached.
  const volumes = [data, wal].map((claim) => claim?.volume?.metadata?.name);
  const held = observation.storage.attachments.find(({volume}) => volumes.includes(volume));
  if (held === undefined) return undefined;
  return blocked('FencingUnproven', `volume ${held.volume} of ${pod} is still attached to node ${held.node}, which is gone: the run goes on once it is detached (kubectl get volumeattachments). Every name is held`);
}
