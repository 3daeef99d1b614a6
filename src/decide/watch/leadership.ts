import {inFlight} from '../../api/progress.ts';
import {previousLeader} from '../../api/rules.ts';
import type {Condition, QuorumRecoveryStatus} from '../../api/types.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {statusOf} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {removeCondition, setCondition} from '../../operator/conditions.ts';
import type {Action, Transaction} from '../decision.ts';
import {isReady} from './suspicion.ts';
import {isWhole, statusesOf, wentBack} from './witness.ts';

/*
 * Leadership is moved for spec.preferredLeader alone (docs/adr/0032): while the cluster is whole and no run is in flight, to a voter that
 * has what the leader has. Who leads costs no data and no quorum, so every doubt is a reason to wait.
 */

/** Between two requests to move leadership, ms; twice as much after each that did not last. */
const leastGapMs = 60_000;
const mostGapMs = 3_600_000;
/** Leadership that stayed for so long has come to stay, ms. */
const staysMs = 600_000;
/** How soon members that did not agree yet who leads are asked again after a request, ms. */
const settleMs = 500;
/** How soon a member that is behind is looked at again, ms. What else keeps one from leading may last for days: it has no look of its own. */
const behindMs = 5_000;
/**
 * Entries that the next leader may lack. From the request on until it has them the leader takes no write, and etcd gives up after an election
 * timeout (raft, MsgTransferLeader); members that are asked one after the other differ by some hundreds under load.
 */
export const mostEntriesBehind = 1_000;

export type MoveLeader = Extract<Action, {type: 'MoveLeader'}>;

/** What comes of a look for the leadership. */
export interface Leading {
  /** Leadership is to be moved now; the intent stands in the status. */
  move?: MoveLeader;
  /** When the next look is needed at the latest, ms. */
  inMs?: number;
}

type Say = (state: Condition['status'], reason: string, message: string) => void;

const gapMs = (tries: number): number => Math.min(mostGapMs, leastGapMs * 2 ** Math.max(0, tries - 1));

const memberOf = ({ordinals}: Observation, pod: string) => statusOf(ordinals.find((candidate) => candidate.pod === pod));

/** The pod of the member that all others follow; undefined: they do not agree, or it is no pod of the set. */
export function leaderOf({ordinals}: Observation): string | undefined {
  const named = new Set(statusesOf({ordinals}).map((status) => status.leader));
  const [leader] = named;
  if (named.size !== 1 || leader === '') return undefined;
  return ordinals.find((view) => statusOf(view)?.memberID === leader)?.pod;
}

/** The intent's refusal, by etcd or on the way to it. */
export const recordRefusal = (why: string): Transaction => ({leadership}) => { if (leadership?.move !== undefined) leadership.move.failed = why; };

/** Who is to lead now; `words`: what is to be said where nobody is. */
function wanted({spec, status}: Observation, leader: string | undefined): {pod: string} | {pod?: undefined; status: Condition['status']; reason: string; words: string} {
  const {run, leadership} = status;
  if (spec.preferredLeader !== previousLeader) return {pod: spec.preferredLeader ?? ''};
  const leads = leader === undefined ? '' : ` ${leader} leads.`;
  if (run?.outcome !== 'Recovered') return {status: 'True', reason: 'NothingToReturn', words: `there was no recovery after which leadership has to return.${leads}`};
  if (run.previousLeader === undefined) {
    return {status: 'Unknown', reason: 'PreviousUnknown', words: `who led before run ${run.id} is not known, as this resource did not see the cluster whole before it.${leads} Name a pod in spec.preferredLeader if it matters`};
  }
  if (leadership?.returnedIn === run.id) return {status: 'True', reason: 'Returned', words: `leadership was with ${run.previousLeader} again after run ${run.id}.${leads}`};
  return {pod: run.previousLeader};
}

/** Whether it lacks more than who is to lead may lack. */
function isBehind(observation: Observation, {probe}: OrdinalView, leader: string): boolean {
  const leading = memberOf(observation, leader);
  return probe.kind === 'Answered' && leading !== undefined && leading.raftIndex - probe.status.raftAppliedIndex > mostEntriesBehind;
}

/** Why this member is not asked to lead now; undefined: it may. */
function unfit(observation: Observation, view: OrdinalView, leader: string): string | undefined {
  const {pod, object, probe} = view;
  if (probe.kind !== 'Answered' || memberOf(observation, leader) === undefined) return `${pod} does not answer`;
  const {status} = probe;
  if (status.isLearner) return `${pod} is a learner`;
  if (status.errors.length > 0) return `${pod} complains: ${status.errors.join(', ')}`;
  if (object === undefined || isTerminating(object)) return `${pod} is about to end`;
  if (!isReady(observation, view)) return `${pod} is not Ready on a Ready node`;
  if (observation.nodes.some((node) => node.name === object.spec?.nodeName && node.unschedulable)) return `${pod} is on node ${object.spec?.nodeName ?? ''}, which is cordoned: it would not lead for long`;
  const found = observation.status.findings?.find((finding) => finding.pod === pod);
  // Without its numbers, which change with each look: a condition that changes is a write.
  if (found !== undefined) return `something is wrong with ${pod} (${found.case}: see Degraded)`;
  return isBehind(observation, view, leader) ? `${pod} is more than ${mostEntriesBehind} log entries behind ${leader}` : undefined;
}

/** Why leadership is not touched at all now; undefined: nothing speaks against it. */
function notNow(observation: Observation): string | undefined {
  const {status, spec, templates, resource, duplicateOf} = observation;
  if (duplicateOf !== undefined) return `QuorumRecovery ${duplicateOf} is for the same StatefulSet, and was there first`;
  if (resource.metadata.deletionTimestamp !== undefined) return 'the resource is being deleted';
  if (spec.paused) return 'spec.paused is set';
  if (inFlight(status.run) !== undefined || (status.heldPods ?? []).length > 0) return 'members of a run wait to join';
  if (status.regression !== undefined || wentBack(status, observation)) return 'the data went back, and that is not settled';
  if (!isWhole(observation)) return 'not every member answers as a voter with a leader';
  return templates?.rollout === undefined ? undefined : `the StatefulSet is in the middle of a rollout (${templates.rollout})`;
}

const isSettled = ({movedAt, failed}: {movedAt?: string | undefined; failed?: string | undefined}): boolean => movedAt !== undefined || failed !== undefined;

/** What became of a request that nobody has seen the end of. */
function settleMove({status: {leadership}, linearizable, now}: Observation, leader: string | undefined): void {
  const move = leadership?.move;
  if (move === undefined || isSettled(move) || leader === undefined || !linearizable) return;
  if (leader === move.to) move.movedAt = new Date(now).toISOString();
  else move.failed = `${leader} leads, and what became of the request is not known`;
}

/**
 * Brings the condition PreferredLeader and `status.leadership` up to what is seen, and says whether leadership is moved now. Asked with every
 * member asked, while no run is in flight.
 */
export function settleLeadership(observation: Observation): Leading {
  const {status, spec, now, resource} = observation;
  const say: Say = (state, reason, message) => {
    status.conditions = setCondition(status.conditions, {type: 'PreferredLeader', status: state, reason, message}, resource.metadata.generation, now);
  };
  const leader = leaderOf(observation);
  if (observation.set === undefined) return {};
  settleMove(observation, leader);
  if (spec.preferredLeader === undefined) {
    status.conditions = removeCondition(status.conditions, 'PreferredLeader');
    return {};
  }
  const goal = wanted(observation, leader);
  if (goal.pod === undefined) {
    say(goal.status, goal.reason, goal.words);
    return {};
  }
  const {pod} = goal;
  const view = observation.ordinals.find((candidate) => candidate.pod === pod);
  if (view === undefined) {
    const there = observation.ordinals.map((one) => one.pod).join(', ');
    say('False', 'NoSuchPod', `the StatefulSet has no pod ${pod}${there === '' ? '' : ` (it has ${there})`}: name another one in spec.preferredLeader`);
    return {};
  }
  if (leader === pod) {
    settleStay(status, spec.preferredLeader, pod, now);
    say('True', 'Leads', `${pod} leads`);
    return {};
  }
  const asked = status.leadership?.move;
  if (leader === undefined && asked !== undefined && !isSettled(asked)) return {inMs: settleMs};
  const led = leader === undefined ? 'no leader is known' : `${leader} leads`;
  const against = notNow(observation) ?? (leader === undefined ? 'the members do not agree on a leader' : unfit(observation, view, leader));
  if (against !== undefined) {
    say('False', 'Waiting', `${led}; leadership moves to ${pod} later: ${against}`);
    return leader === undefined || isBehind(observation, view, leader) ? {inMs: behindMs} : {};
  }
  return ask(observation, {pod, leader: leader ?? '', say});
}

/** It leads as it is to. */
function settleStay(status: QuorumRecoveryStatus, preferred: string, pod: string, now: number): void {
  const {leadership, run} = status;
  if (preferred === previousLeader && run !== undefined) status.leadership = {...leadership, returnedIn: run.id};
  const {tries, ...rest} = status.leadership ?? {};
  const since = rest.move?.to === pod ? rest.move.movedAt ?? rest.move.askedAt : undefined;
  if (tries !== undefined && (since === undefined || now - Date.parse(since) >= staysMs)) status.leadership = rest;
}

/** Everything is fit for it: it is asked for, unless the last time was just now. */
function ask(observation: Observation, {pod, leader, say}: {pod: string; leader: string; say: Say}): Leading {
  const {status, now, spec} = observation;
  const {move, tries = 0} = status.leadership ?? {};
  const same = move?.to === pod;
  const before = same ? tries : 0;
  const dueAt = move === undefined ? now : Date.parse(move.askedAt) + gapMs(before);
  if (dueAt > now) {
    const next = `the next try is at ${new Date(dueAt).toISOString()}`;
    if (same && move.failed !== undefined) say('False', 'MoveFailed', `${leader} leads: it did not hand over to ${pod} (${move.failed}); ${next}. If that does not help, look at the log of both, and at the network between them`);
    else if (same && before > 1) say('False', 'DoesNotStay', `${leader} leads: leadership went to ${pod} ${before} times and did not stay; ${next}. Look at why ${pod} loses it (slow disk, processor, network), or name another pod in spec.preferredLeader`);
    else say('False', 'Waiting', `${leader} leads; leadership moves to ${pod} later: it was moved at ${move?.askedAt ?? ''}; ${next}`);
    return {inMs: dueAt - now};
  }
  status.leadership = {...status.leadership, move: {from: leader, to: pod, askedAt: new Date(now).toISOString()}, tries: before + 1};
  say('False', 'Moving', `${leader} leads and is asked to hand over to ${pod} (spec.preferredLeader: ${spec.preferredLeader ?? ''})`);
  return {move: {type: 'MoveLeader', from: leader, to: pod, memberID: memberOf(observation, pod)?.memberID ?? ''}};
}

/** Leadership is still to be moved, or was just now: such a cluster is looked at in full. */
export const isToBeMoved = ({conditions}: QuorumRecoveryStatus): boolean =>
  conditions?.some(({type, status, reason}) => type === 'PreferredLeader' && status === 'False' && reason !== 'NoSuchPod') === true;
