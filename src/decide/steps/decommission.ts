import {agentPod} from '../../kubernetes/helperPods.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {agentEndedAt} from '../../observe/agentReport.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {judgeProcess} from '../evidence/processes.ts';
import {isReplacement, replacedPods} from '../replace.ts';
import {makesRoom, saidBy, takeAway} from './agents.ts';
import {isJoiner} from './joinPod.ts';
import {helperOf, joinOf, memberIDOf, recordJoin, runIn, sourceOf, survivorOf} from './common.ts';

const step = 'Decommission';
/** What an agent could not do is tried again after this time, ms: its node may only have started again, and space may have been made. */
const agentRetryMs = 30_000;

/** Old data within reach, of a member whose process is proven stopped. What is on a lost node stays as it is, a guard in itself. */
function reachable(observation: Observation, view: OrdinalView): boolean {
  const at = view.data?.place.at;
  if ((at !== 'Node' && at !== 'Anywhere') || isJoiner(observation, view)) return false;
  const memberID = memberIDOf(observation, view.pod);
  const verdict = judgeProcess(observation, {memberID: memberID ?? '', pod: view.pod});
  return memberID === undefined || verdict.proven !== undefined;
}

/** Sets old data within reach aside, with a guard file in its place, so that no etcd can start on it or on nothing. */
export function decommission(observation: Observation): Decision {
  const run = runIn(observation);
  const survivor = survivorOf(observation);
  const actions: Action[] = [];
  const records: Transaction[] = [];
  const waits: string[] = [];
  const stays = isReplacement(run) ? observation.ordinals.map(({pod}) => pod).filter((pod) => !replacedPods(run).includes(pod)) : [survivor.pod];
  for (const view of observation.ordinals.filter((candidate) => !stays.includes(candidate.pod) && reachable(observation, candidate))) {
    const helper = helperOf(observation, step, view.pod);
    if (joinOf(run, view.pod)?.guarded) {
      if (helper) takeAway(observation, helper, {actions, waits});
      continue;
    }
    if (helper === undefined) {
      actions.push({type: 'CreatePod', pod: agentPod({observation, view, source: sourceOf(observation, view), run: run.id, step, command: ['set-aside'], readOnly: false})});
      continue;
    }
    if (makesRoom(helper)) {
      actions.push({type: 'DeletePod', pod: helper});
      continue;
    }
    const report = saidBy(helper);
    if (report === undefined) waits.push(`setting the old data of ${view.pod} aside${podCause(helper) ? ` (${podCause(helper) ?? ''})` : ''}`);
    else if (report.ok) records.push(recordJoin(view.pod, {guarded: true}));
    else if (isTerminating(helper)) waits.push(`the volume agent ${helper.metadata?.name ?? ''} is going`);
    else if (observation.now - agentEndedAt(helper) > agentRetryMs) actions.push({type: 'DeletePod', pod: helper});
    else return blocked('AgentFailed', `the old data of ${view.pod} cannot be set aside (${report.reason}): ${report.message}. The survivor serves; ${view.pod} stays held. It is tried again after half a minute`);
  }
  if (records.length > 0) return {kind: 'record', why: 'old data was set aside', record: (draft) => { for (const record of records) record(draft); }};
  if (actions.length > 0) return act('setting old data aside', ...actions);
  if (waits.length > 0) return wait(waits.join('; '));
  return done('no old member is in the list, and no old data can start');
}
