import {isGated, runOf} from '../../kubernetes/ownPods.ts';
import type {Observation} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision, Transaction} from '../decision.ts';
import {act, blocked, wait} from '../decision.ts';
import {isOverdue} from '../trouble.ts';
import {dropForced} from './forceHelper.ts';
import {replaceEnded} from './stop.ts';
import {runIn, survivorOf} from './common.ts';

/** Lets the survivor's own pod start from the unchanged template, and proves that it takes writes as the only member. */
export function startSurvivor(observation: Observation): Decision {
  const decision = start(observation);
  if (decision.kind !== 'wait' || !isOverdue(observation, 'StartSurvivor')) return decision;
  return blocked('SurvivorNotServing', `after ${observation.spec.verification.timeout}: ${decision.why}. The force is done, and no member serves; look at pod ${survivorOf(observation).pod}. The run goes on once it runs`);
}

function start(observation: Observation): Decision {
  const run = runIn(observation);
  const survivor = survivorOf(observation);
  const pod = survivor.object;
  const held = observation.status.heldPods ?? [];
  if (held.includes(survivor.pod)) {
    const old = replaceEnded(observation, survivor);
    if (old) return old;
    // From here on its data is the cluster: the template may start on it, whoever makes the pod.
    const record: Transaction = (draft) => { draft.heldPods = held.filter((name) => name !== survivor.pod); };
    return {kind: 'act', why: `starting ${survivor.pod} from the unchanged template`, record, actions: [{type: 'UngatePod', pod: pod ?? {}}]};
  }
  if (pod === undefined) return wait(`the StatefulSet controller makes ${survivor.pod} again`);
  if (isGated(pod) && runOf(pod) === run.id) return act(`starting ${survivor.pod} from the unchanged template`, {type: 'UngatePod', pod});
  if (pod.status?.podIP && pod.status.containerStatuses?.some((status) => status.state?.running)) {
    return {kind: 'act', actions: [{type: 'ProveWrite', pod}], why: `${survivor.pod} has to take a write as the only member, without the force flag`, completes: true};
  }
  return dropForced(observation) ?? wait(`${survivor.pod} is coming up${podCause(pod) ? ` (${podCause(pod) ?? ''})` : ''}`);
}
