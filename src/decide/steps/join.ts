import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../api/types.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {ClaimView, Observation, OrdinalView} from '../../observe/observation.ts';
import type {ListedMember} from '../../etcd/types.ts';
import {joinerPod} from '../../kubernetes/helperPods.ts';
import {newClaim} from '../../kubernetes/claims.ts';
import {isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import {podCause} from '../causes.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {sha256} from '../plan.ts';
import {judgeProcess} from '../processes.ts';
import {durationMs} from '../durations.ts';
import type {Todo} from './stop.ts';
import {stopDecision, stopOne} from './stop.ts';
import {countVoters} from '../records.ts';
import {joinOf, memberIDOf, recordJoin, runIn, sourceOf, survivorOf, viewOf} from './common.ts';

/** How long a joiner may be unschedulable before its learner is taken out again and the next is tried, ms. */
const unschedulableMs = 10_000;

/** Changes when a member that found no node may find one now. */
export const nodesSeen = (observation: Observation) =>
  sha256(observation.nodes.filter((node) => node.ready && !node.unschedulable).map((node) => [node.name, node.uid, node.labels]));

const isLost = (claim: ClaimView, named: boolean) =>
  claim.object !== undefined && (claim.place.at === 'GoneNode' || (named && claim.place.at === 'NotReadyNode'));

/** Where only the place of its disk proves that the member has ended, the proof goes with the claim: it is recorded before. */
function keepProof(observation: Observation, view: OrdinalView): Transaction {
  const memberID = memberIDOf(observation, view.pod);
  const proven = memberID === undefined ? undefined : judgeProcess(observation, {memberID, pod: view.pod}).proven;
  const nodes = view.data?.place.at === 'GoneNode' ? view.data.place.nodes : [];
  return (draft) => {
    const record = draft.members?.find((member) => member.pod === view.pod);
    if (record === undefined || memberID === undefined || proven === undefined || record.podUID !== undefined) return;
    Object.assign(record, {memberID, fenced: proven, ...(nodes.length === 1 && {node: nodes[0]})});
  };
}

/** Claims whose volumes are lost are made anew, the old volumes kept: one joiner at a time, in its own turn. */
function replaceClaims(observation: Observation, view: OrdinalView): Decision | undefined {
  const join = joinOf(runIn(observation), view.pod);
  const memberID = memberIDOf(observation, view.pod);
  const named = observation.spec.lostMembers?.some((lost) => lost.pod === view.pod && lost.memberID === memberID) === true;
  const lost = view.claims.filter((claim) => isLost(claim, named));
  const known = join?.replacedClaims ?? [];
  const fresh = lost.map((claim) => claim.object?.metadata?.uid ?? '').filter((uid) => !known.includes(uid));
  if (fresh.length > 0) {
    const kept = keepProof(observation, view);
    return {kind: 'record', why: `replacing ${lost.map((claim) => claim.name).join(', ')}`, record: (draft) => {
      recordJoin(view.pod, {replacedClaims: [...known, ...fresh]})(draft);
      kept(draft);
    }};
  }
  const actions: Action[] = [];
  for (const claim of lost) {
    if (claim.volume && claim.volume.spec?.persistentVolumeReclaimPolicy !== 'Retain') actions.push({type: 'RetainVolume', volume: claim.volume});
    else if (claim.object && claim.object.metadata?.deletionTimestamp === undefined) actions.push({type: 'DeleteClaim', claim: claim.object});
  }
  if (actions.length > 0) return act(`keeping the lost volumes of ${view.pod} and making its claims anew`, ...actions);
  if (lost.length > 0) return wait(`claim ${lost[0]?.name ?? ''} is going`, 100);
  const missing = view.claims.filter((claim) => claim.place.at === 'Missing');
  if (missing.length > 0 && observation.set) {
    const {set} = observation;
    return act(`making the claims of ${view.pod}`, ...missing.map((claim): Action => ({type: 'CreateClaim', claim: newClaim(set, claim.template, view.ordinal)})));
  }
  return undefined;
}

/** A member that cannot join now is taken out again; its name stays held, and it joins when the reason is gone. */
function defer(observation: Observation, view: OrdinalView, reason: string, message: string, member?: ListedMember): Decision {
  const survivor = survivorOf(observation);
  const actions: Action[] = [];
  if (member?.isLearner) actions.push({type: 'RemoveMember', via: survivor.pod, memberID: member.id, pod: view.pod});
  // Only a pod of this run: an old pod is never deleted without its proof.
  if (view.object && runOf(view.object) === runIn(observation).id && !isGated(view.object)) actions.push({type: 'DeletePod', pod: view.object});
  const attempt = (joinOf(runIn(observation), view.pod)?.attempt ?? 1) + (member ? 1 : 0);
  return {kind: 'deferred', reason, message, actions, record: recordJoin(view.pod, {attempt, deferred: {reason, message, nodes: nodesSeen(observation)}})};
}

/** Whether a deferred join may go on: its member's end is proven now, or the nodes have changed. */
export function mayRetry(observation: Observation, pod: string): boolean {
  const deferred = joinOf(runIn(observation), pod)?.deferred;
  if (deferred === undefined) return true;
  if (deferred.reason === 'FencingUnproven') return waitsForProof(observation, viewOf(observation, pod)) === undefined;
  return deferred.nodes !== nodesSeen(observation);
}

/** Why the last process of the old member cannot be proven stopped, nor be stopped now; undefined: it is, or can be. */
function waitsForProof(observation: Observation, view: OrdinalView): string | undefined {
  const memberID = memberIDOf(observation, view.pod);
  if (memberID === undefined) return undefined;
  const verdict = judgeProcess(observation, {memberID, pod: view.pod});
  return verdict.proven === undefined && !verdict.stoppable ? (verdict.waitsFor ?? `${view.pod} may still run`) : undefined;
}

/** An old pod that was out of reach while the others were stopped: it is stopped with the same proof before its member joins anew. */
function retireOldPod(observation: Observation, view: OrdinalView): Decision | undefined {
  if (view.object === undefined || runOf(view.object) === runIn(observation).id) return undefined;
  const todo: Todo = {actions: [], records: [], waits: []};
  stopOne(observation, view, todo);
  return stopDecision(todo) ?? wait(`the old pod ${view.pod} is going`, 200);
}

function overdue(observation: Observation, pod: string): boolean {
  const step = runIn(observation).steps.find((candidate) => candidate.name === `Join ${pod}`);
  if (step?.startedAt === undefined) return false;
  return observation.now - Date.parse(step.startedAt) > durationMs(observation.spec.verification.timeout);
}

function unschedulable(observation: Observation, pod: V1Pod): boolean {
  const condition = pod.status?.conditions?.find((candidate) => candidate.type === 'PodScheduled' && candidate.status === 'False');
  const since = new Date(pod.metadata?.creationTimestamp ?? observation.now).getTime();
  return condition?.reason === 'Unschedulable' && observation.now - since > unschedulableMs;
}

/** Puts the joiner's own pod in the place of the gated one, with an overlay that names the members of the moment. */
function placePod(observation: Observation, view: OrdinalView, member: ListedMember, members: readonly ListedMember[]): Decision | undefined {
  const run = runIn(observation);
  const pod = view.object;
  if (pod === undefined) {
    const made = joinerPod({
      observation, view, source: sourceOf(observation, view), run: run.id, member, members,
      // A bound claim may hold data: an agent clears the way. A claim that waits for its first consumer holds none.
      prepare: view.data?.place.at === 'Node' || view.data?.place.at === 'Anywhere',
    });
    if ('problem' in made) return blocked('PodRefused', made.problem);
    return act(`starting ${view.pod} as learner ${member.id}`, {type: 'CreatePod', pod: made.pod});
  }
  if (pod.metadata?.annotations?.[marks.member] === member.id && runOf(pod) === run.id && !isTerminating(pod)) return undefined;
  if (isTerminating(pod)) return wait(`the earlier pod ${view.pod} is going`, 100);
  return act(`making room for ${view.pod}`, {type: 'DeletePod', pod});
}

/** Joins one member: claim, MemberAdd as learner, own pod with the launch overlay, promotion; one after the other. */
export function join(observation: Observation, pod: string): Decision {
  const view = viewOf(observation, pod);
  const survivor = survivorOf(observation);
  const waitsFor = waitsForProof(observation, view);
  if (waitsFor !== undefined) return defer(observation, view, 'FencingUnproven', `${pod} stays held: ${waitsFor}`);
  const retiring = retireOldPod(observation, view);
  if (retiring) return retiring;
  const {probe} = survivor;
  if (probe.kind !== 'Answered') return wait(`${survivor.pod} does not answer: ${probe.kind === 'NotAsked' ? probe.why : probe.message}`);
  if (!isLaunch(view.launch)) return blocked('PodRefused', view.launch.message);
  const peerURLs = view.launch.initialAdvertisePeerURLs;
  const member = probe.members.find((candidate) => candidate.peerURLs.some((url) => peerURLs.includes(url)));
  if (member && !member.isLearner && member.name !== '') return joined(observation, view);
  if (overdue(observation, pod)) return defer(observation, view, 'JoinTimedOut', `${pod} did not join within ${observation.spec.verification.timeout}: ${podCause(view.object) ?? 'its etcd did not catch up'}. It stays held and is tried again when nodes change`, member);
  const claims = member === undefined ? replaceClaims(observation, view) : undefined;
  if (claims) return claims;
  if (member === undefined) return act(`adding ${pod} as learner`, {type: 'AddLearner', via: survivor.pod, pod, peerURLs});
  const placed = placePod(observation, view, member, probe.members);
  if (placed) return placed;
  if (view.object && unschedulable(observation, view.object)) {
    return defer(observation, view, 'Unschedulable', `no node takes ${pod}: ${podCause(view.object) ?? ''}. It stays held and joins when a node is there`, member);
  }
  if (member.name === '') return wait(`${pod} is coming up as learner${podCause(view.object) ? ` (${podCause(view.object) ?? ''})` : ''}`, 150);
  return act(`promoting ${pod}`, {type: 'PromoteLearner', via: survivor.pod, memberID: member.id, pod});
}

function joined(observation: Observation, view: OrdinalView): Decision {
  const held = observation.status.heldPods ?? [];
  const survivor = survivorOf(observation);
  return done(`${view.pod} is a voter`, (draft) => {
    draft.heldPods = held.filter((name) => name !== view.pod);
    if (survivor.probe.kind === 'Answered') countVoters(draft, survivor.probe.members.filter((member) => !member.isLearner).length, observation.ordinals.length);
    recordJoin(view.pod, {})(draft);
    for (const record of draft.run?.joins ?? []) if (record.pod === view.pod) delete record.deferred;
  });
}

/** A deferred joiner's name is kept by a gated own pod until its turn comes again. */
export function keepHeld(observation: Observation, pod: string): Action | undefined {
  const view = viewOf(observation, pod);
  if (view.object !== undefined) return undefined;
  return {type: 'CreatePod', pod: ownPod(sourceOf(observation, view), runIn(observation).id, true)};
}
