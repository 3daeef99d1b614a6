import {isPlanning} from '../../api/progress.ts';
import {isGated, runOf, statefulSetPod} from '../../kubernetes/ownPods.ts';
import {servesNow, statusOf} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked, done, wait} from '../decision.ts';
import {durationMs} from '../durations.ts';
import {quorumOf} from '../evidence/membership.ts';
import {judgeProcess} from '../evidence/processes.ts';
import {isReplacement, replacedPods, servingPods} from '../replace.ts';
import {anchored, recordServed, recordUnserved} from './anchor.ts';
import {memberIDOf, runIn, sourceOf, survivorOf} from './common.ts';
import {isCommitted} from './committed.ts';
import {stopDecision, stopOne} from './stop.ts';
import type {Todo} from './stop.ts';

/** No quorum for so long, ms, is no change of leaders: what was not begun yet is planned anew. */
const unservedMs = 10_000;

/** An ordinal that went with a scale-down has no pod that could be held. */
const lostViews = (observation: Observation): OrdinalView[] => {
  const pods = replacedPods(runIn(observation));
  return observation.ordinals.filter(({pod}) => pods.includes(pod));
};

/**
 * Whether a quorum serves, before each step of a run that works through one. Once the membership was changed nothing is let go any more: where
 * no quorum comes back the run ends, with its names held, so that another one can begin.
 */
export function quorumServes(observation: Observation, step: string): Decision | undefined {
  const run = runIn(observation);
  if (!isReplacement(run) || isPlanning(run)) return undefined;
  const since = run.unservedSince;
  if (observation.linearizable) return since === undefined ? anchored(observation, servingPods(observation)) ?? unverified(observation, step) : recordServed();
  if (since === undefined) return recordUnserved(observation, 'no quorum answers');
  const ms = observation.now - Date.parse(since);
  if (ms < unservedMs) return wait('no quorum answers: nothing is done before one does', 500);
  const members = servingPods(observation);
  if (!isCommitted(observation)) {
    return {kind: 'abort', reason: 'PlanChanged', message: `no quorum serves since ${since} (${members.join(', ')} were to stay): nothing was removed, every held pod is let go, and a new plan is made`};
  }
  const held = observation.status.heldPods ?? [];
  const names = held.length > 0 ? ` ${held.join(', ')} stay held` : '';
  if (ms < durationMs(observation.spec.verification.timeout)) {
    return blocked('SurvivorNotServing', `no quorum of ${members.join(', ')} serves since ${since}: nobody can join.${names}. Bring them back, and the run goes on by itself; after ${observation.spec.verification.timeout} it ends, and the next one is planned from what is there then`);
  }
  return {kind: 'failed', message: `no quorum of ${members.join(', ')} served for ${observation.spec.verification.timeout} after the membership had been changed.${names}, so that nothing starts on their data. If the quorum is lost for good, set spec.strategy: Auto and a new value of spec.trigger.request: the next run starts a new cluster from the best data that is left`};
}

/** What cannot be verified for so long is no matter of waiting, and the quorum serves: the run ends, so that another can be asked for. */
function unverified({status: {run}, spec: {verification}, now}: Observation, step: string): Decision | undefined {
  const record = run?.steps.find(({name}) => name === step);
  if ((step !== 'Verify' && step !== 'RestartProof') || record?.startedAt === undefined) return undefined;
  if (now - Date.parse(record.startedAt) < 2 * durationMs(verification.timeout)) return undefined;
  return {kind: 'failed', message: `a quorum serves, and it could not be verified within twice ${verification.timeout}: ${record.message ?? ''}`};
}

/** A member that was to be replaced serves again, and nothing was done to it: there is no reason any more. */
function isBack(observation: Observation): Decision | undefined {
  if (isCommitted(observation)) return undefined;
  const {status: {run, history}} = observation;
  const back = lostViews(observation).filter((view) => view.object !== undefined && runOf(view.object) !== run?.id && servesNow(view)).map(({pod}) => pod);
  if (back.length === 0) return undefined;
  const message = `${back.join(', ')} serves again, so it is not replaced`;
  // A member that comes and goes: it is waited for in one place, and not with one run after the other.
  if (history?.[0]?.reason === 'PlanChanged') return blocked('MemberMayReturn', `${message}. It came back before; while it serves nothing is done. If it is to be replaced all the same, stop it; else delete the QuorumRecovery`);
  return {kind: 'abort', reason: 'PlanChanged', message: `${message}: every held pod is let go, and a new plan is made`};
}

/** Holds the names of the lost members alone: all others run on, and start again as they like. */
export function holdLost(observation: Observation): Decision {
  const back = isBack(observation);
  if (back) return back;
  const names = replacedPods(runIn(observation));
  const held = observation.status.heldPods ?? [];
  if (names.some((name) => !held.includes(name))) {
    return {kind: 'record', why: `holding ${names.join(', ')}`, record: (draft) => { draft.heldPods = [...new Set([...held, ...names])]; }};
  }
  const pods = lostViews(observation).map((view) => statefulSetPod(sourceOf(observation, view)));
  return {kind: 'act', actions: [{type: 'ProveHold', pods}], why: 'proving that the admission policy denies the held names', completes: true};
}

/** Every lost member's name is taken by a gated own pod, and its last process has ended; undefined: so it is. */
function stopLost(observation: Observation): Decision | undefined {
  const views = lostViews(observation);
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const view of views) stopOne(observation, view, todo);
  const decision = stopDecision(todo);
  if (decision) return decision;
  const loose = views.map((view) => ({pod: view.pod, why: notEnded(observation, view)})).filter(({why}) => why !== undefined);
  if (loose.length === 0) return undefined;
  return blocked('FencingUnproven', `${loose.map(({pod, why}) => `${pod}: ${why ?? ''}`).join('; ')}. No member is removed before that is proven; the run goes on when it is. Way out: bring the node back, or delete its Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service`);
}

function notEnded(observation: Observation, view: OrdinalView): string | undefined {
  const {object} = view;
  if (object === undefined || !isGated(object) || runOf(object) !== runIn(observation).id) return 'its old pod is still there';
  const memberID = memberIDOf(observation, view.pod);
  if (memberID === undefined) return undefined;
  const {proven, waitsFor} = judgeProcess(observation, {memberID, pod: view.pod});
  return proven === undefined ? waitsFor ?? 'nobody saw its last process end' : undefined;
}

/** Stops the lost members with proof. */
export const stopReplaced = (observation: Observation): Decision =>
  isBack(observation) ?? stopLost(observation) ?? done('every lost member is proven stopped, and its name is held');

/** Before it is changed the quorum is counted: what votes then, and who of it serves now. */
function atRisk(observation: Observation, memberID: string): string | undefined {
  const {probe} = survivorOf(observation);
  if (probe.kind !== 'Answered') return 'nobody tells the member list';
  const lostIDs = replacedPods(runIn(observation)).map((pod) => memberIDOf(observation, pod));
  const after = probe.members.filter((member) => !member.isLearner && member.id !== memberID);
  const serving = observation.ordinals.filter(servesNow).map((view) => statusOf(view)?.memberID);
  const away = after.filter(({id}) => !serving.includes(id) && !lostIDs.includes(id));
  if (away.length > 0) return `${away.map(({id, name}) => `${name || 'a member without a name'} (${id})`).join(', ')} of the members that stay does not serve, and etcd lets nobody join meanwhile`;
  const healthy = after.filter(({id}) => serving.includes(id)).length;
  return healthy >= quorumOf(after.length) ? undefined : `${healthy} of ${after.length} voters would serve, and ${quorumOf(after.length)} are needed`;
}

/**
 * Takes the lost members out of the list, one after the other. All of them before the first joins: etcd adds nobody, not even a learner, while
 * a voter of the list is away (etcdserver, mayAddMember), and each that is gone lowers what a quorum needs.
 */
export function removeLost(observation: Observation): Decision {
  const run = runIn(observation);
  const anchor = survivorOf(observation);
  const loose = isBack(observation) ?? stopLost(observation);
  if (loose) return loose;
  if (anchor.probe.kind !== 'Answered') return wait(`${anchor.pod} does not answer`, 500);
  const {members: list, status: {dbSizeBytes}} = anchor.probe;
  const next = replacedPods(run).map((pod) => ({pod, memberID: memberIDOf(observation, pod)})).find(({memberID}) => list.some(({id}) => id === memberID));
  if (next?.memberID === undefined) {
    const words = (run.replace?.removed ?? []).map(({pod, memberID}) => `${memberID} (${pod})`).join(', ');
    return done(words === '' ? 'none of them was in the member list any more' : `out of the member list: ${words}`, begin(dbSizeBytes));
  }
  const {pod, memberID} = next;
  const risk = list.some(({id, isLearner}) => id === memberID && isLearner) ? undefined : atRisk(observation, memberID);
  if (risk !== undefined) return blocked('QuorumAtRisk', `${pod} (${memberID}) is not removed now: ${risk}. The run goes on by itself once it may. If one of those that stay is gone for good too, end this run (kubectl quorum-recovery release) and ask for another: what is held stays held`);
  return {
    kind: 'act', why: `removing member ${memberID} (${pod}) from the list`, actions: [{type: 'RemoveVoter', via: anchor.pod, memberID, pod}],
    record: (draft) => {
      begin(dbSizeBytes)(draft);
      const removed = draft.run?.replace?.removed;
      if (removed?.some((one) => one.memberID === memberID) === false) removed.push({pod, memberID, at: new Date(observation.now).toISOString()});
    },
  };
}

/** Written before the first change of the membership: from here on the run is finished. */
const begin = (dataBytes: number): Transaction => (draft) => {
  if (draft.run) draft.run.replace ??= {removed: [], dataBytes};
};
