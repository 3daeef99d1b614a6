import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../api/types.ts';
import {restorePod, restoreStep} from '../../kubernetes/restorePod.ts';
import type {RestoreOptions} from '../../kubernetes/restorePod.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {databaseOwner} from '../../api/strategies.ts';
import {agentContainer} from '../../observe/agentReport.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {describePlace} from '../../observe/places.ts';
import {podCause} from '../evidence/causes.ts';
import type {Action, Decision} from '../decision.ts';
import {act, blocked, done, together, wait} from '../decision.ts';
import {entriesBeyond} from '../plans/fallBackLoss.ts';
import {builtBytes} from '../plans/fallBackRoom.ts';
import {withoutOwner} from '../evidence/ownerGone.ts';
import {initialCluster, newMemberID, tokenOf, viewsOf} from '../newCluster.ts';
import {restoreMove} from '../plans/restoreRevision.ts';
import {inStore} from '../plans/stored.ts';
import {isSilent, makesRoom, saidBy, without} from './agents.ts';
import {helperOf, runIn, sourceOf} from './common.ts';
import {guardSurvivor} from './guard.ts';
import {replaceClaims} from './joinClaims.ts';
import {unschedulable} from './defer.ts';
import {beginNewCluster, guardNewCluster, leaveOut, newClusterOf, settleMembers} from './newCluster.ts';

/*
 * On every claim at once: the snapshot is restored beside what is there, by a helper pod that then waits for its turn. One in a bucket is fetched to
 * the volume before, one on a claim is read where it is. Only when all have come so far, the turn is given to all, and each sets the old data aside and puts the new one in its place. What
 * is on the claims of nodes that are gone is replaced before, once the others are ready.
 */

/** What an agent could not do is tried again after this time, ms: space may have been made, or the store be there again. */
const retryMs = 30_000;

const attemptOf = ({metadata}: V1Pod) => Number(metadata?.annotations?.[marks.attempt] ?? 1);

/** Where the helper of a member stands. */
type Standing =
  | {at: 'absent'} | {at: 'outdated' | 'comesUp' | 'waits' | 'works'; pod: V1Pod}
  | {at: 'seeded'; pod: V1Pod} | {at: 'failed'; pod: V1Pod; why: string; noSpace: boolean; endedAt: number};

interface Ended {
  exitCode: number;
  message?: string | undefined;
  finishedAt?: Date | undefined;
}

/** The container of the helper that failed, and its words: an agent's report, or the log of etcdutl. */
function failedIn({status}: V1Pod): {name: string; ended: Ended} | undefined {
  for (const {name, state, lastState} of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const ended = state?.terminated ?? lastState?.terminated;
    if (ended !== undefined && ended.exitCode !== 0) return {name, ended};
  }
  return undefined;
}

function wordsOf({name, ended}: {name: string; ended: Ended}): {why: string; noSpace: boolean} {
  try {
    const {reason, message} = JSON.parse(ended.message ?? '') as {reason: string; message: string};
    return {why: `${name}: ${reason}: ${message}`, noSpace: reason === 'NoSpace'};
  } catch {
    const text = (ended.message ?? '').trim();
    return {why: `${name} ended with exit code ${ended.exitCode}${text === '' ? '' : `: ${text.slice(-300)}`}`, noSpace: /no space left/i.test(text)};
  }
}

function standing(observation: Observation, view: OrdinalView): Standing {
  const pod = helperOf(observation, restoreStep, view.pod);
  if (pod === undefined) return {at: 'absent'};
  const {attempt} = newClusterOf(observation);
  if (attemptOf(pod) !== attempt || isTerminating(pod) || makesRoom(pod)) return {at: 'outdated', pod};
  const report = saidBy(pod);
  if (report?.ok === true) return {at: 'seeded', pod};
  return failure(pod, report?.ok === false ? report.message : undefined) ?? progress(pod);
}

/** It has ended without having done its work; undefined: it has not. */
function failure(pod: V1Pod, reported: string | undefined): Standing | undefined {
  const failed = failedIn(pod);
  if (failed === undefined && reported === undefined && pod.status?.phase !== 'Failed') return undefined;
  const words = failed === undefined ? {why: reported ?? `its pod failed: ${pod.status?.reason ?? ''}`, noSpace: false} : wordsOf(failed);
  return {at: 'failed', pod, ...words, endedAt: new Date(failed?.ended.finishedAt ?? pod.metadata?.creationTimestamp ?? 0).getTime()};
}

/** How far it has come. */
function progress(pod: V1Pod): Standing {
  const built = pod.status?.initContainerStatuses?.length === pod.spec?.initContainers?.length
    && pod.status?.initContainerStatuses?.every(({state}) => state?.terminated?.exitCode === 0) === true;
  if (!built) return {at: 'comesUp', pod};
  if (pod.metadata?.annotations?.[marks.turn] !== undefined) return {at: 'works', pod};
  return pod.status?.containerStatuses?.some(({name, state}) => name === agentContainer && state?.running !== undefined) === true ? {at: 'waits', pod} : {at: 'comesUp', pod};
}

function make(observation: Observation, view: OrdinalView): V1Pod {
  const run = runIn(observation);
  const {attempt, members, clusterID, move} = newClusterOf(observation);
  const snapshot = run.plan?.snapshot;
  if (snapshot === undefined || move === undefined) throw new Error('the plan names no snapshot');
  const {pod, index = 0, revision, name} = snapshot;
  const options: RestoreOptions = {
    observation, view, source: sourceOf(observation, view), run: run.id, attempt, memberID: newMemberID(run, view), clusterID,
    initialCluster: initialCluster(viewsOf(observation, members)), token: tokenOf(run), bump: move.target - move.from,
    bytes: pod === undefined ? snapshot.bytes : Math.max(snapshot.bytes, builtBytes(observation, view)),
    ...(pod === undefined ? {stored: inStore(observation, snapshot)} : {database: {file: name.replace(/^.*\//, ''), index, revision}}),
  };
  return restorePod(options);
}

/** Its volume is within reach as it is; the others need a new one, which is a change. */
const hasVolume = ({data, wal}: OrdinalView): boolean => [data, wal].every((claim) => claim === undefined || claim.place.at === 'Node' || claim.place.at === 'Anywhere');

/** Its node does not answer, and it had not done its work. */
const isLost = (observation: Observation, now: Standing): boolean =>
  now.at !== 'absent' && now.at !== 'outdated' && now.at !== 'seeded' && isSilent(observation, now.pod);

/** A member's own database is nowhere else than on its volume. */
const isStoreGone = ({spec, status: {run}}: Observation): boolean => spec.snapshot === undefined && databaseOwner(run?.plan) === undefined;

const storeGone = (observation: Observation, view: OrdinalView): Decision =>
  blocked('RestoreFailed', `spec.snapshot does not name the store any more that snapshot ${runIn(observation).plan?.snapshot?.name ?? ''} of the approved plan is in, and the data of ${view.pod} is not restored yet. Name the store in spec.snapshot again; the run goes on by itself. Every name is held and all old data is kept`);

/** What else can be done, as long as nothing was set aside. */
function otherwise(observation: Observation, noSpace: boolean): string {
  if (newClusterOf(observation).begunAt !== undefined) return '';
  if (databaseOwner(runIn(observation).plan) === undefined) return '; if the snapshot itself is at fault, delete the QuorumRecovery while nothing was set aside (status.run.newCluster.begunAt), and name another one';
  return `${noSpace ? '; enlarge the claim' : ''}; or name another member in spec.survivor while nothing was set aside (status.run.newCluster.begunAt), or delete the QuorumRecovery: either lets everything go`;
}

/** Brings the helpers of these members as far as they come by themselves; undefined: each waits for its turn, or has had it. */
function bringUp(observation: Observation, views: readonly OrdinalView[]): Decision | undefined {
  const actions: Action[] = [];
  const waits: string[] = [];
  for (const view of views) {
    const now = standing(observation, view);
    if (isLost(observation, now)) {
      return leaveOut(observation, {pod: view.pod, reason: 'NodeNotReady', message: `the node on which the data of ${view.pod} is restored is not Ready`});
    }
    switch (now.at) {
      case 'absent':
        if (isStoreGone(observation)) return storeGone(observation, view);
        actions.push({type: 'CreatePod', pod: make(observation, view)});
        break;
      case 'outdated':
        if (!isTerminating(now.pod)) actions.push({type: 'DeletePod', pod: now.pod});
        else if (isSilent(observation, now.pod)) actions.push({type: 'ReleasePod', pod: now.pod, force: true});
        else waits.push(`the volume agent ${now.pod.metadata?.name ?? ''} is going`);
        break;
      case 'failed':
        if (now.noSpace && newClusterOf(observation).begunAt === undefined && newClusterOf(observation).members.length > 1) return leaveOut(observation, {pod: view.pod, reason: 'NoSpace', message: `${view.pod} has no room for the data: ${now.why}`});
        if (observation.now - now.endedAt > retryMs) actions.push({type: 'DeletePod', pod: now.pod});
        else return blocked('RestoreFailed', `the snapshot could not be restored for ${view.pod} (${now.why}). Its old data is kept, and every name is held; it is tried again after half a minute. Read the logs of pod ${now.pod.metadata?.name ?? ''}${otherwise(observation, now.noSpace)}`);
        break;
      case 'comesUp':
        if (unschedulable(observation, now.pod)) return leaveOut(observation, {pod: view.pod, reason: 'Unschedulable', message: `no node takes ${view.pod}: ${podCause(now.pod) ?? ''}`});
        waits.push(`the snapshot is restored for ${view.pod}${podCause(now.pod) === undefined ? '' : ` (${podCause(now.pod) ?? ''})`}`);
        break;
      case 'waits': case 'works': case 'seeded': break;
    }
  }
  if (actions.length > 0) return act(`restoring the snapshot for ${views.map(({pod}) => pod).join(', ')}, beside what is on their volumes`, ...actions);
  return waits.length > 0 ? wait(waits.join('; ')) : undefined;
}

/** How far the revision is to be moved is settled once, when the old members are proven ended: all have to have the same. */
function settleMove(observation: Observation): Decision | undefined {
  if (newClusterOf(observation).move !== undefined) return undefined;
  const {plan} = runIn(observation);
  const move = restoreMove(observation, plan?.snapshot?.revision ?? 0, entriesBeyond(observation, plan?.snapshot));
  return {kind: 'record', why: `the revision is moved from ${move.from} to ${move.target}, past what clients may have seen (${move.why})`, record: (draft) => {
    if (draft.run?.newCluster) draft.run.newCluster.move = move;
  }};
}

/** The helper of a member that was left out: it would choose a node for a claim that is to join later. */
const isStray = ({metadata}: V1Pod, members: readonly string[]): boolean =>
  metadata?.annotations?.[marks.step] === restoreStep && !members.includes(metadata.annotations[marks.pod] ?? '');

/** Restores the snapshot on the claim of every member that begins the new cluster. */
export function restoreClaims(observation: Observation): Decision {
  const settled = settleMembers(observation) ?? settleMove(observation);
  if (settled) return settled;
  const {members, seeded, begunAt} = newClusterOf(observation);
  const strays = without(observation, observation.helpers.filter((pod) => isStray(pod, members)), 'members that were left out need no helper');
  if (strays) return strays;
  const open = viewsOf(observation, members).filter(({pod}) => !seeded.includes(pod));
  if (open.length === 0) return done(`the snapshot is restored on the claims of ${members.join(', ')}; what was there before is set aside on the same volumes`);
  const told = open.filter((view) => standing(observation, view).at === 'seeded').map(({pod}) => pod);
  if (told.length > 0) {
    return {kind: 'record', why: `the restored data is in place on the claims of ${told.join(', ')}`, record: (draft) => {
      if (draft.run?.newCluster) draft.run.newCluster.seeded = [...new Set([...draft.run.newCluster.seeded, ...told])].sort();
    }};
  }
  const away = ownerAway(observation, open);
  if (away) return away;
  if (begunAt === undefined) {
    const early = guardNewCluster(observation) ?? bringUp(observation, open.filter(hasVolume));
    if (early) return early;
  }
  return claimsAnew(observation, open) ?? bringUp(observation, open) ?? giveTurns(observation, open);
}

/** Where a member's own database is restored there is nothing else that its claim could be replaced by. */
function ownerAway(observation: Observation, open: readonly OrdinalView[]): Decision | undefined {
  const owner = open.find(({pod}) => pod === databaseOwner(runIn(observation).plan));
  if (owner === undefined) return undefined;
  if (hasVolume(owner)) return guardSurvivor(observation, owner);
  const gone = withoutOwner(observation, false);
  if (gone) return gone;
  const where = [owner.data, owner.wal].filter((claim) => claim !== undefined).map(({name, place}) => `${name}: ${describePlace(place)}`).join('; ');
  return blocked('RestoreFailed', `the volume of ${owner.pod}, whose database is restored, is not within reach (${where}). Bring its node back, and the run goes on by itself. If it is lost for good: delete its Node object once the machine is off, or taint it node.kubernetes.io/out-of-service; then everything is let go, and a new plan is made from what is left. Every name is held and all old data is kept${newClusterOf(observation).begunAt === undefined ? '; or delete the QuorumRecovery, which lets everything go' : ''}`);
}

/** The claims of nodes that are gone are made anew, their old volumes kept. From there on nothing is let go. */
function claimsAnew(observation: Observation, open: readonly OrdinalView[]): Decision | undefined {
  const lost = open.filter((view) => !hasVolume(view) && standing(observation, view).at === 'absent');
  if (lost.length === 0) return undefined;
  if (newClusterOf(observation).begunAt === undefined) {
    return {kind: 'record', why: `the claims of ${lost.map(({pod}) => pod).join(', ')} are made anew: from here on the run is finished, whatever comes`, record: beginNewCluster(observation)};
  }
  return together(lost.map((view) => replaceClaims(observation, view)).filter((decision) => decision !== undefined));
}

function giveTurns(observation: Observation, open: readonly OrdinalView[]): Decision {
  const {attempt, begunAt} = newClusterOf(observation);
  const waiting = open.map((view) => standing(observation, view)).flatMap((one) => (one.at === 'waits' ? [one.pod] : []));
  if (waiting.length === 0) return wait('the restored data is being put in place');
  // Asked again in the moment before; later what is set aside is no data of the old cluster any more.
  const loose = begunAt === undefined || waiting.length === open.length ? guardNewCluster(observation) : undefined;
  if (loose) return loose;
  return {
    kind: 'act', why: 'the old data is set aside, and the restored one put in its place', record: beginNewCluster(observation),
    actions: waiting.map((pod): Action => ({type: 'GiveTurn', pod, turn: String(attempt)})),
  };
}
