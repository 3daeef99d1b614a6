import type {V1Pod} from '@kubernetes/client-node';
import {hasFence, isGated, isTerminating, runOf} from '../../kubernetes/ownPods.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Action} from '../decision.ts';
import {owedBack} from '../dependents.ts';
import {setIsGoing} from '../interrupt.ts';
import {endedByKubelet} from './processes.ts';

/** A pod that is stopping behind its fence on a node that answers: its end is a matter of seconds, and it is read. */
export const isEnding = (observation: Observation, pod: V1Pod): boolean => isTerminating(pod) && hasFence(pod) && !endedByKubelet(pod)
  && isOnReadyNode(observation, pod);

/** Pods of no ordinal of the set: what held them back is taken off, so that they can go. */
export const releaseStrays = ({strays}: Observation): Action[] =>
  strays.filter((pod) => isTerminating(pod) && hasFence(pod)).map((pod): Action => ({type: 'ReleasePod', pod, force: false}));

/** Gated pods of the run that no set makes again: nobody would ever let them start. */
export const dropGatedStrays = ({strays, status: {run}}: Observation): Action[] =>
  strays.filter((pod) => isGated(pod) && runOf(pod) === run?.id && !isTerminating(pod)).map((pod): Action => ({type: 'DeletePod', pod}));

/**
 * A resource that is being deleted, and whose set is gone or goes (with its namespace, say): nothing of the run may stay behind, and no
 * finalizer of it keeps anything. No end is waited for: there is no cluster left that it would have to be proven for.
 */
export function leaveNothing(observation: Observation): Action[] {
  if (!setIsGoing(observation)) return [];
  const {helpers, pruners, savers, ordinals} = observation;
  const own = ordinals.flatMap(({object}) => (object !== undefined && isTerminating(object) && hasFence(object) ? [object] : []));
  return [
    ...[...helpers, ...pruners, ...savers].flatMap((pod): Action[] => {
      if (!isTerminating(pod)) return [{type: 'DeletePod', pod}];
      return hasFence(pod) ? [{type: 'ReleasePod', pod, force: false}] : [];
    }),
    ...own.map((pod): Action => ({type: 'ReleasePod', pod, force: false})), ...dropGatedStrays(observation), ...releaseStrays(observation), ...owedBack(observation),
  ];
}
