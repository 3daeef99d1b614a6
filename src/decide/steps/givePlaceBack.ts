import {isTerminating} from '../../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../causes.ts';
import type {Decision, Transaction} from '../decision.ts';
import {joinStep} from '../plan.ts';
import {joinOf, madeSinceHold, recordJoin, runIn} from './common.ts';
import {defer, unschedulable} from './defer.ts';
import {isJoiner} from './joinPod.ts';

/*
 * Whoever deletes the survivor's pod lets a member that waits for its turn onto its node, where it would keep out the only one that has the data.
 */

/** The survivor, where no node takes it; undefined: one has taken it, or the scheduler may still find one. */
function placeless(observation: Observation): OrdinalView | undefined {
  const survivor = observation.ordinals.find(({pod}) => pod === runIn(observation).plan?.survivor);
  return survivor?.object !== undefined && unschedulable(observation, survivor.object) ? survivor : undefined;
}

/** It has a node, and is in no list of members yet: nobody misses it. */
function onlyWaits(observation: Observation, {pod, object}: OrdinalView): boolean {
  const run = runIn(observation);
  return object?.spec?.nodeName !== undefined && joinOf(run, pod)?.memberID === undefined && run.newCluster?.members.includes(pod) !== true;
}

/** A volume that was made for it on that node would tie it there for good. No etcd has run on one that was made since the hold, so its claim is made anew. */
function untie(observation: Observation, {pod, claims}: OrdinalView): Transaction {
  const known = joinOf(runIn(observation), pod)?.replacedClaims ?? [];
  const tied = claims.filter(({object, place}) => place.at === 'Node' && madeSinceHold(observation, object?.metadata)).map(({object}) => object?.metadata?.uid ?? '');
  return (draft) => { if (tied.length > 0) recordJoin(pod, {replacedClaims: [...new Set([...known, ...tied])]})(draft); };
}

const words = (view: OrdinalView, survivor: OrdinalView): string =>
  `${view.pod} gives its place back: no node takes ${survivor.pod}, which has the data (${podCause(survivor.object) ?? ''})`;

/** For the member whose turn it is: the others go on without it. */
export function deferToSurvivor(observation: Observation, view: OrdinalView): Decision | undefined {
  const survivor = placeless(observation);
  if (survivor === undefined || !onlyWaits(observation, view)) return undefined;
  const deferred = defer(observation, view, 'Unschedulable', `${words(view, survivor)}. It stays held and joins when a node is there`);
  if (deferred.kind !== 'deferred') return deferred;
  const untied = untie(observation, view);
  return {...deferred, record: (draft) => { deferred.record(draft); untied(draft); }};
}

/** For those whose pods were made before their turn, whatever the run is at: each is made again in it. */
export function giveBackPlaces(observation: Observation, step: string): Decision | undefined {
  const survivor = placeless(observation);
  if (survivor === undefined) return undefined;
  const early = observation.ordinals.filter((view) => joinStep(view.pod) !== step && isJoiner(observation, view) && onlyWaits(observation, view)
    && view.object !== undefined && !isTerminating(view.object));
  if (early.length === 0) return undefined;
  const records = early.map((view) => untie(observation, view));
  return {
    kind: 'act', why: early.map((view) => words(view, survivor)).join('; '), record: (draft) => { for (const record of records) record(draft); },
    actions: early.map(({object}) => ({type: 'DeletePod', pod: object ?? {}})),
  };
}
