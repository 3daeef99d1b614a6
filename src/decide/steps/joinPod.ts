import {marks} from '../../api/types.ts';
import {joinerPod} from '../../kubernetes/helperPods.ts';
import {isGated, isTerminating, runOf} from '../../kubernetes/ownPods.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {act, blocked, wait} from '../decision.ts';
import {joinStep, podOfJoinStep} from '../plans/plan.ts';
import {isReplacement} from '../replace.ts';
import {joinOf, runIn, sourceOf, survivorOf} from './common.ts';
import {waitsForProof} from './defer.ts';
import {replaceClaims} from './joinClaims.ts';

export interface NamedPeer {
  name: string;
  peerURLs: readonly string[];
}

/** Who a joiner meets: etcd refuses an `--initial-cluster` that is not exactly the member list (etcdserver, ValidateClusterAndAssignIDs). */
export const clusterText = (peers: readonly NamedPeer[]) =>
  peers.flatMap(({name, peerURLs}) => peerURLs.map((url) => `${name}=${url}`)).sort().join(',');

export function peerOf(view: OrdinalView): NamedPeer {
  return isLaunch(view.launch) ? {name: view.launch.name, peerURLs: view.launch.initialAdvertisePeerURLs} : {name: view.pod, peerURLs: []};
}

/** The joiner's own pod of this run, made for exactly this member list. */
const isPlaced = (observation: Observation, {object}: OrdinalView, cluster: string) =>
  object !== undefined && runOf(object) === runIn(observation).id && object.metadata?.annotations?.[marks.cluster] === cluster && !isTerminating(object);

/** A joiner's own pod, for whatever list: its agent lets no etcd start before the member's turn. */
export const isJoiner = (observation: Observation, {object}: OrdinalView) =>
  object !== undefined && runOf(object) === runIn(observation).id && object.metadata?.annotations?.[marks.cluster] !== undefined;

/** Puts the joiner's own pod in the place of the gated one; undefined: it is there. */
export function placePod(observation: Observation, view: OrdinalView, cluster: string): Decision | undefined {
  const {object} = view;
  if (isPlaced(observation, view, cluster)) return undefined;
  if (object && isTerminating(object)) return wait(`the earlier pod ${view.pod} is going`, 100);
  const made = joinerPod({observation, view, source: sourceOf(observation, view), run: runIn(observation).id, cluster});
  if ('problem' in made) return blocked('PodRefused', made.problem);
  if (object === undefined) return act(`making the pod of ${view.pod}, which waits for its turn to join`, {type: 'CreatePod', pod: made.pod});
  // A pod that was never scheduled goes at once; any other has to stop first.
  return isGated(object) ? act(`making the pod of ${view.pod}, which waits for its turn to join`, {type: 'ReplacePod', pod: object, by: made.pod})
    : act(`making room for ${view.pod}`, {type: 'DeletePod', pod: object});
}

/** Old data that nobody has set aside yet is Decommission's: no joiner is put on it before. */
function mayPlace(observation: Observation, view: OrdinalView): boolean {
  if (view.object === undefined || runOf(view.object) !== runIn(observation).id || !isLaunch(view.launch)) return false;
  if (waitsForProof(observation, view) !== undefined) return false;
  if (isJoiner(observation, view)) return true;
  const at = view.data?.place.at;
  return (at !== 'Node' && at !== 'Anywhere') || joinOf(runIn(observation), view.pod)?.guarded === true;
}

/**
 * While the run waits for something else, the claims and pods of the members that join later are made: scheduling, provisioning and the
 * sandbox take most of a join's time. Each waits in its agent for its turn. One after the other is placed, and none before the survivor, so
 * that a member whose volume ties it to a node finds that node free.
 */
export function prepareJoins(observation: Observation, current: string): Decision | undefined {
  const run = runIn(observation);
  if (run.steps.find((step) => step.name === (isReplacement(run) ? 'Remove' : 'Force'))?.state !== 'Done') return undefined;
  const survivor = survivorOf(observation);
  if (!isLaunch(survivor.launch)) return undefined;
  const bound = survivor.object !== undefined && !isTerminating(survivor.object) && survivor.object.spec?.nodeName !== undefined;
  const stay = isReplacement(run) ? observation.ordinals.filter(({pod}) => !run.steps.some((step) => step.name === joinStep(pod))) : [survivor];
  const peers: NamedPeer[] = stay.map(peerOf);
  for (const {name, state} of run.steps) {
    const pod = podOfJoinStep(name);
    const view = observation.ordinals.find((candidate) => candidate.pod === pod);
    if (view === undefined || state === 'Deferred') continue;
    peers.push(peerOf(view));
    if (state === 'Done' || name === current) continue;
    if (!mayPlace(observation, view)) return undefined;
    const claims = isJoiner(observation, view) ? undefined : replaceClaims(observation, view);
    const decision = claims ?? (bound ? placePod(observation, view, clusterText(peers)) : wait(`${survivor.pod} has no node yet`));
    if (decision !== undefined) return decision.kind === 'act' || decision.kind === 'record' ? decision : undefined;
    if (view.object?.spec?.nodeName === undefined) return undefined;
  }
  return undefined;
}
