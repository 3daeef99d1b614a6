import {isTerminating} from '../../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision, Transaction} from '../decision.ts';
import {joinOf, madeSinceHold, recordJoin, runIn} from './common.ts';
import {unschedulable} from './defer.ts';
import {isJoiner} from './joinPod.ts';

/*
 * Whoever deletes the survivor's pod lets a member that waits for its turn onto its node, where it would keep out the only one that has the data.
 */

/** The survivor, where no node takes it; undefined: one has taken it, or the scheduler may still find one. */
function placeless(observation: Observation): OrdinalView | undefined {
  const survivor = observation.ordinals.find(({pod}) => pod === runIn(observation).plan?.survivor);
  return survivor?.object !== undefined && unschedulable(observation, survivor.object) ? survivor : undefined;
}

/** On a node that the survivor can run on: where its volume ties it to some, those. */
function isInTheWay({data}: OrdinalView, {object}: OrdinalView): boolean {
  const node = object?.spec?.nodeName;
  return node !== undefined && (data?.place.at !== 'Node' || data.place.nodes.includes(node));
}

/** A joiner in no list of members yet: nobody misses it. */
function onlyWaits(observation: Observation, view: OrdinalView): boolean {
  const run = runIn(observation);
  return isJoiner(observation, view) && joinOf(run, view.pod)?.memberID === undefined && run.newCluster?.members.includes(view.pod) !== true;
}

/** A volume that was made for it on that node would tie it there for good. No etcd has run on one that was made since the hold, so its claim is made anew. */
function untie(observation: Observation, {pod, claims}: OrdinalView): Transaction {
  const known = joinOf(runIn(observation), pod)?.replacedClaims ?? [];
  const tied = claims.filter(({object, place}) => place.at === 'Node' && madeSinceHold(observation, object?.metadata)).map(({object}) => object?.metadata?.uid ?? '');
  return (draft) => { if (tied.length > 0) recordJoin(pod, {replacedClaims: [...new Set([...known, ...tied])]})(draft); };
}

/** Whosever turn it is, and whatever the run is at: each is made again in its turn, where a node takes it. */
export function givePlacesBack(observation: Observation): Decision | undefined {
  const survivor = placeless(observation);
  if (survivor === undefined) return undefined;
  const guests = observation.ordinals.filter((view) => onlyWaits(observation, view) && isInTheWay(survivor, view) && view.object !== undefined && !isTerminating(view.object));
  if (guests.length === 0) return undefined;
  const records = guests.map((view) => untie(observation, view));
  return {
    kind: 'act', why: `${guests.map(({pod}) => pod).join(', ')} ${guests.length === 1 ? 'gives its place' : 'give their places'} back: no node takes ${survivor.pod}, which has the data (${podCause(survivor.object) ?? ''})`,
    record: (draft) => { for (const record of records) record(draft); }, actions: guests.map(({object}) => ({type: 'DeletePod', pod: object ?? {}})),
  };
}
