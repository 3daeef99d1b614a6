import type {V1Pod} from '@kubernetes/client-node';
import type {TailFacts} from '../../agent/report.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {agentEndedAt, agentReport} from '../../observe/agentReport.ts';
import type {Observation} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {longerLogs} from '../evidence/loss.ts';
import {moveFor} from '../plans/revisions.ts';
import {endedByKubelet} from '../evidence/processes.ts';
import {keptWhere, untilSnapshot} from '../snapshots.ts';
import {behindPlan, helperOf, runIn, survivorOf} from './common.ts';
import {forceMayHaveBegun, giveTurn, makeHelper, refusedUntouched, replaceOldPod, turnOf} from './forceHelper.ts';
import {recordOffline} from './etcdutl.ts';
import {guardStart, guardSurvivor} from './guard.ts';
import {offlineFacts} from './inspect.ts';
import {replaceEnded} from './stop.ts';

/** A start that dies is tried again this often; the copy is there from the first. */
const maxAttempts = 3;
/** A disk that the agent refused is looked at again after this time, ms: space may have been made. */
const agentRetryMs = 30_000;

/** Asked before each forced start. What may have been forced already is never let go. */
function guard(observation: Observation): Decision | undefined {
  return guardStart(observation, forceMayHaveBegun(observation)) ?? guardSurvivor(observation, survivorOf(observation));
}

/** Starts the survivor's data once with --force-new-cluster, in a helper pod outside every Service, and checks what came of it. */
export function force(observation: Observation): Decision {
  const run = runIn(observation);
  const survivor = survivorOf(observation);
  const attempt = run.force?.attempt ?? 1;
  const helper = helperOf(observation, 'Force', survivor.pod);
  if (helper === undefined) return guard(observation) ?? makeHelper(observation, run.force?.turnGiven ? attempt + 1 : attempt);
  if (turnOf(helper) === undefined && !isTerminating(helper)) return guard(observation) ?? untilSnapshot(observation) ?? giveTurn(observation, helper, attempt);
  const prepared = agentSaid(observation, helper, attempt);
  if (prepared) return prepared;
  const again = endedByKubelet(helper) ? retry(observation, attempt, helper) : neverPlaced(helper);
  if (again) return again;
  // The agent has ended well, so etcd is starting: the kubelet tells of it up to a second later than its port does.
  if (helper.status?.podIP && run.force?.podUID === helper.metadata?.uid && !cannotStart(helper)) {
    return checkAndMove(observation, helper);
  }
  return replaceOldPod(observation, helper) ?? wait(`the forced start of ${survivor.pod} is coming up${podCause(helper) ? ` (${podCause(helper) ?? ''})` : ''}`);
}

/** The check, then the last of the forced start: nothing can reach it yet. How far is settled once, and an attempt after this one goes on to the same. */
function checkAndMove(observation: Observation, helper: V1Pod): Decision {
  const {force: forced} = runIn(observation);
  const revision = forced?.revision;
  if (revision === undefined) return act('checking the forced etcd: one member, its own leader, canary keys, a write', {type: 'CheckForced', pod: helper});
  const move = forced?.move ?? moveFor(observation, survivorOf(observation).pod, revision);
  return {
    kind: 'act', actions: [{type: 'MoveRevision', pod: helper, target: move.target}], why: `moving the revision from ${revision} to ${move.target}, past what clients may have seen (${move.why})`, completes: true,
    record: (draft) => {
      if (draft.run?.force) draft.run.force = {...draft.run.force, move};
    },
  };
}

/** Nothing schedules or binds a pod that is being deleted (pkg/scheduler, skipPodSchedule; registry/core/pod, assignPod): its fence alone would keep it, for ever. */
function neverPlaced(helper: V1Pod): Decision | undefined {
  if (!isTerminating(helper) || helper.spec?.nodeName !== undefined) return undefined;
  return act(`pod ${helper.metadata?.name ?? ''} was deleted before it had a node: another takes its place`, {type: 'ReleasePod', pod: helper, force: true});
}

/** E.g. an image that cannot be pulled: the kubelet's words say more than a port that refuses. */
const cannotStart = (helper: V1Pod) => helper.status?.containerStatuses?.some(({state}) =>
  state?.waiting?.reason !== undefined && !['PodInitializing', 'ContainerCreating'].includes(state.waiting.reason)) === true;

/** What the agent before the forced etcd reported: recorded once, or a refusal. */
function agentSaid(observation: Observation, helper: V1Pod, attempt: number): Decision | undefined {
  const survivor = survivorOf(observation);
  const {force: forced} = runIn(observation);
  const report = agentReport(helper);
  const uid = helper.metadata?.uid ?? '';
  if (report !== undefined && !report.ok) {
    if (report.reason === 'BehindPlan' && report.inspect?.data === 'Present') {
      return behindPlan(observation, survivor.pod, {term: report.inspect.lastEntryTerm, index: report.inspect.index});
    }
    const since = observation.now - agentEndedAt(helper);
    const going = isTerminating(helper);
    // Who deletes the pod wants it tried again at once; its fence would keep it for ever.
    if (going ? endedByKubelet(helper) : since > agentRetryMs) {
      return {kind: 'act', why: 'looking at the disk again', actions: [{type: 'ReleasePod', pod: helper, force: true}], record: (draft) => {
        if (draft.run?.force === undefined || turnOf(helper) === undefined) return;
        // Its etcd never started. With the marker spent its log may say already that its tail is committed: only a force may start on it.
        if (refusedUntouched(report, runIn(observation).force)) delete draft.run.force.turnGiven;
        else draft.run.force.refused = [...new Set([...(draft.run.force.refused ?? []), attempt])];
      }};
    }
    const untouched = refusedUntouched(report, runIn(observation).force) ? 'Nothing was changed on it' : 'The log on it may say already that its last entry is committed, so only a forced start may follow: the run is finished, whatever comes';
    return blocked('AgentFailed', `the disk of ${survivor.pod} cannot be forced (${report.reason}): ${report.message}. ${untouched}; every name is held`);
  }
  if (report?.command !== 'prepare-force' || forced?.podUID === uid) return undefined;
  const facts = offlineFacts(survivor.pod, 'Held', report.inspect);
  const {tail} = report;
  return {
    kind: 'record', why: `${survivor.pod}'s disk was read${report.copy ? ' and copied' : ''}${tail ? `; ${tailInWords(tail)}` : ''}`,
    record: (draft) => {
      recordOffline(facts, observation.now)(draft);
      if (!draft.run) return;
      draft.run.force = {...(draft.run.force ?? {attempt, pod: ''}), podUID: uid, ...('dataBytes' in report.inspect && {dataBytes: report.inspect.dataBytes}), ...(report.copy && {copy: report.copy.path}), ...(tail && {tail: tailInWords(tail)})};
      const longer = longerLogs(draft, survivor.pod, {term: report.inspect.lastEntryTerm, index: report.inspect.index});
      draft.dataLoss = {...draft.dataLoss, ...(longer.length > 0 && {longerLogs: longer}), ...(facts.revision !== undefined && forced?.move === undefined && {survivorRevision: facts.revision}), ...(tail && {recoveredTailEntries: tail.entries})};
    },
  };
}

function tailInWords({committed, entries, fromIndex, toIndex, why}: TailFacts): string {
  const range = `${fromIndex ?? 0} to ${toIndex ?? 0}`;
  if (!committed) return `the entries ${range} beyond its commit index are left to be dropped: ${why ?? ''}`;
  return entries === 0 ? 'its log has no entry beyond its commit index' : `${entries} entries beyond its commit index (${range}) were committed`;
}

function retry(observation: Observation, attempt: number, helper: V1Pod): Decision {
  const ended = podCause(helper) ?? 'its etcd ended';
  const starts = attempt - (runIn(observation).force?.refused ?? []).length;
  if (starts >= maxAttempts && !isTerminating(helper)) {
    return blocked('ForceFailed', `the forced start of ${runIn(observation).plan?.survivor ?? ''} ended ${starts} times: ${ended}. Read the log of pod ${helper.metadata?.name ?? ''}, and delete that pod to have it tried once more; ${keptWhere(runIn(observation))}`);
  }
  return act(`the forced start ended (${ended}): trying again`, {type: 'ReleasePod', pod: helper, force: true});
}

/** Ends the forced start. What counts is its proven end, not that its object is gone: docs/adr/0010. */
export function endForce(observation: Observation): Decision {
  const {force: forced} = runIn(observation);
  const survivor = survivorOf(observation);
  const helper = helperOf(observation, 'Force', survivor.pod);
  if (forced?.endedAt !== undefined) return done('the forced start has ended');
  if (helper === undefined) return blocked('FencingUnproven', `pod ${forced?.pod ?? ''} is gone and nobody saw its end: make sure that no etcd runs on the volume of ${survivor.pod}; docs/runbooks/FencingUnproven.md says how to go on`);
  const onNode = observation.nodes.some((candidate) => candidate.name === helper.spec?.nodeName);
  if (endedByKubelet(helper) || !onNode) {
    return done(onNode ? 'the kubelet told the end of the forced start' : `the node of the forced start, ${helper.spec?.nodeName ?? ''}, is gone`, (draft) => {
      if (draft.run?.force) draft.run.force.endedAt = new Date(observation.now).toISOString();
    });
  }
  if (!isTerminating(helper)) return act('stopping the forced start', {type: 'StopPod', pod: helper});
  return replaceEnded(observation, survivor) ?? wait('the forced start is stopping');
}
