import type {Fenced, MemberRecord} from '../../api/types.ts';
import {isGated, runOf} from '../../kubernetes/ownPods.ts';
import {isLaunch, isOnReadyNode} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {describePlace} from '../../observe/places.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked} from '../decision.ts';
import {isNamedLost, quorumOf, recordOf} from '../evidence/membership.ts';
import {newMemberID, viewsOf} from '../newCluster.ts';
import {joinStep} from '../plans/plan.ts';
import {endOf} from '../evidence/processes.ts';
import {memberIDOf, recordJoin, runIn} from './common.ts';
import {addJoinStep, newClusterOf} from './newCluster.ts';
import type {Todo} from './stop.ts';
import {stopDecision, stopOne} from './stop.ts';

/*
 * A member of the new cluster that is gone for good before that one serves. Its ID is in every member's list, and it may have voted, so nothing
 * may start empty under it. While the others are a quorum it is taken out of the list, and joins anew as a learner.
 */

const placesOf = ({data, wal}: OrdinalView) => [data, wal].flatMap((claim) => (claim === undefined ? [] : [claim.place]));

const isHeld = (observation: Observation, {object}: OrdinalView): boolean =>
  object !== undefined && isGated(object) && runOf(object) === runIn(observation).id;

/** It runs, where its kubelet is heard of. */
export const isUp = (observation: Observation, {object, launch}: OrdinalView): boolean => object?.status?.podIP !== undefined && object.metadata?.deletionTimestamp === undefined
  && isOnReadyNode(observation, object) && object.status.containerStatuses?.some(({name, state}) => isLaunch(launch) && name === launch.container && state?.running !== undefined) === true;

/** Why it does not come back: its volume went with its node, and its process with it, or a person's word for that very member. A node that does not answer proves nothing. */
function evidenceFor(observation: Observation, view: OrdinalView): string | undefined {
  // One that runs is no matter of opinion.
  if (isNamedLost(observation, view.pod, newMemberID(runIn(observation), view))) return isUp(observation, view) ? undefined : 'spec.lostMembers names it';
  const gone = placesOf(view).find(({at}) => at === 'GoneNode');
  if (gone === undefined) return undefined;
  const end = view.object === undefined ? undefined : endOf(observation, view.object, recordOf(observation, view.pod));
  return end === undefined || 'fenced' in end ? describePlace(gone) : undefined;
}

/** Members that are gone, and those that the new cluster goes on with. */
export interface Parted {
  lost: {view: OrdinalView; why: string}[];
  others: OrdinalView[];
}

/** Once it is written that a member is lost it is taken out of the list, whatever comes back: a call that does so may be on its way. */
export function partLost(observation: Observation): Parted {
  const {members, lost: known = []} = newClusterOf(observation);
  const views = viewsOf(observation, members);
  const lost = views.flatMap((view) => {
    const why = known.find(({pod}) => pod === view.pod)?.why ?? evidenceFor(observation, view);
    return why === undefined ? [] : [{view, why}];
  });
  return {lost, others: views.filter(({pod}) => !lost.some(({view}) => view.pod === pod))};
}

/** The list that the new cluster began with: what each of its members was made for. */
export function begunWith(observation: Observation): OrdinalView[] {
  const {members, lost = []} = newClusterOf(observation);
  return viewsOf(observation, [...members, ...lost.map(({pod}) => pod)]);
}

export const namesIn = (observation: Observation, views: readonly OrdinalView[]): string =>
  views.map((view) => `{pod: ${view.pod}, memberID: ${newMemberID(runIn(observation), view)}}`).join(', ');

/** How a run ends that has no quorum to go on with: nothing that it made is touched, and what comes then is planned from it. */
function wayOut(observation: Observation): string {
  const {resource: {metadata: {namespace = 'default', name = ''}}, spec: {target: {statefulSet}}} = observation;
  const {plan} = runIn(observation);
  const next = plan?.strategy === 'RebuildFromConfig' ? 'with strategy RebuildFromConfig, so that all is loaded anew'
    : 'with strategy Auto a plan starts from the restored data that is left, with RestoreSnapshot from the snapshot once more';
  return `If the machines are off for good: kubectl -n ${namespace} delete statefulset ${statefulSet} --cascade=orphan, then kubectl -n ${namespace} delete quorumrecovery ${name}, which ends this run and keeps every volume; apply both again, the QuorumRecovery first (${next}). If they are not: bring a node back, and the run goes on by itself`;
}

/** Nobody can be taken out without a quorum, and nothing may start in the place of data that is gone. */
function stuck(observation: Observation, {lost, others}: Parted): Decision | undefined {
  const {members} = newClusterOf(observation);
  if (lost.length > 0 && others.length < quorumOf(members.length)) {
    const named = lost.map(({view: {pod}, why}) => `${pod} (${why})`).join(', ');
    return blocked('NewClusterNotServing', `${named} of the new cluster went before it served, and of its ${members.length} members ${quorumOf(members.length)} have to be there: ${others.length === 0 ? 'none is left' : `${others.map(({pod}) => pod).join(', ')} cannot serve alone`}. Every name is held, and the old data is kept on its volumes (.quorumrecovery/${runIn(observation).id}). ${wayOut(observation)}`);
  }
  const bare = others.filter((view) => placesOf(view).some(({at}) => at === 'Missing' || at === 'Unbound'));
  if (bare.length === 0) return undefined;
  return blocked('NewClusterNotServing', `the data of ${bare.map((view) => `${view.pod} (${placesOf(view).map(describePlace).join('; ')})`).join(', ')} was in place, and its claim is not what it was: nothing starts empty under the ID of a member that may have voted. Name it in spec.lostMembers (${namesIn(observation, bare)}): while a quorum of the others serves it is taken out of the list, and joins anew. Every name is held`);
}

/** Replaces what is known of the old cluster's member: from here on it is this one whose end is asked for. */
const recordEnd = ({pod}: OrdinalView, memberID: string, fenced: Fenced, node: string | undefined): Transaction => (draft) => {
  const record: MemberRecord = {pod, role: 'Unknown', health: 'Held', memberID, fenced, ...(fenced.podUID !== undefined && {podUID: fenced.podUID}), ...(node !== undefined && {node})};
  draft.members = [...(draft.members ?? []).filter((member) => member.pod !== pod), record].sort((a, b) => (a.pod < b.pod ? -1 : 1));
};

/** Its name is taken by a gated pod once its process has ended, and that is written down. */
function holdLost(observation: Observation, {view, why}: Parted['lost'][number], todo: Todo): void {
  const {object, pod} = view;
  const memberID = memberIDOf(observation, pod) ?? '';
  if (!isHeld(observation, view)) {
    const end = object === undefined ? undefined : endOf(observation, object, recordOf(observation, pod));
    if (end !== undefined && 'fenced' in end && end.fenced.by !== 'NeverStarted') todo.records.push(recordEnd(view, memberID, end.fenced, object?.spec?.nodeName));
    stopOne(observation, view, todo);
    return;
  }
  const gone = placesOf(view).find((place) => place.at === 'GoneNode');
  if (gone?.at !== 'GoneNode' || recordOf(observation, pod)?.memberID === memberID) return;
  todo.records.push(recordEnd(view, memberID, {by: 'NodeDeleted', at: new Date(observation.now).toISOString(), message: why}, gone.nodes.length === 1 ? gone.nodes[0] : undefined));
}

/** Writes who is lost, and takes their names; a wait keeps nobody from starting the others. undefined: nobody is, or all is done for it. */
export function holdLostOnes(observation: Observation, parted: Parted): Decision | undefined {
  const dead = stuck(observation, parted);
  if (dead) return dead;
  const {lost: known = []} = newClusterOf(observation);
  const fresh = parted.lost.filter(({view}) => !known.some(({pod}) => pod === view.pod));
  if (fresh.length > 0) {
    const run = runIn(observation);
    return {kind: 'record', why: `${fresh.map(({view: {pod}, why}) => `${pod} (${why})`).join(', ')} went before the new cluster served: it is taken out of the list and joins anew`, record: (draft) => {
      const {newCluster} = draft.run ?? {};
      if (newCluster) newCluster.lost = [...known, ...fresh.map(({view, why}) => ({pod: view.pod, memberID: newMemberID(run, view), why}))];
    }};
  }
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const one of parted.lost) holdLost(observation, one, todo);
  return stopDecision(todo);
}

/** Takes the lost ones out of the list, one after the other, through those that are there; undefined: none is left in it. */
export function removeLostOnes(observation: Observation, {lost, others}: Parted): Decision | undefined {
  const [next] = lost;
  const [via] = others;
  if (next === undefined || via === undefined) return undefined;
  const {view, why} = next;
  const memberID = newMemberID(runIn(observation), view);
  return {
    kind: 'act', why: `removing member ${memberID} (${view.pod}) from the list of the new cluster: ${why}`,
    actions: [{type: 'RemoveVoter', via: via.pod, memberID, pod: view.pod, among: others.map(({pod}) => pod)}],
  };
}

/** It is no member of the new cluster any more, and joins it like one that came too late. */
export const recordRemoved = (pod: string): Transaction => (draft) => {
  const {run} = draft;
  const lost = run?.newCluster?.lost?.find((one) => one.pod === pod);
  if (run?.newCluster === undefined || lost === undefined) return;
  lost.removed = true;
  run.newCluster.members = run.newCluster.members.filter((member) => member !== pod);
  addJoinStep(run, {name: joinStep(pod), state: 'Pending'});
  recordJoin(pod, {})(draft);
};
