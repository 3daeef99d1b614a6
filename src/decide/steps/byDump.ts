import type {RebuildSource} from '../../api/rebuild.ts';
import type {BlockedReason} from '../../api/reasons.ts';
import {marks} from '../../api/types.ts';
import type {DumpCompareReport, DumpLoadReport} from '../../agent/report.ts';
import {dumpPod, dumpStep} from '../../kubernetes/dumpPod.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {agentEndedAt} from '../../observe/agentReport.ts';
import type {Observation} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision, Transaction} from '../decision.ts';
import {act, blocked, wait} from '../decision.ts';
import {sha256} from '../plans/plan.ts';
import {viewsOf} from '../newCluster.ts';
import {isSilent, makesRoom, saidBy} from './agents.ts';
import {helperOf, runIn, sourceOf} from './common.ts';
import {isUp} from './lostFirst.ts';
import {newClusterOf} from './newCluster.ts';
import {neverBegan} from './readDumps.ts';

/** What the agent could not do is tried again after this time, ms. */
const retryMs = 10_000;

export interface DumpWork {
  command: 'dump-load' | 'dump-compare';
  source: RebuildSource;
  /** E.g. `source queue (file all.json of claim dumps)`. */
  what: string;
  /** What else it is asked for: another is another pod. */
  of: unknown;
  begun: Transaction;
  reason: BlockedReason;
  /** What it found; a problem is looked at again after a while. */
  ended: (report: DumpLoadReport | DumpCompareReport) => Decision | {problem: string};
}

/** Has a pod of the run do it, which reads the dump on its claim and speaks to a member of the new cluster. One after the other: there is one such pod at a time. */
export function byDump(observation: Observation, {command, source, what, of, begun, reason, ended}: DumpWork): Decision {
  const [first] = observation.ordinals;
  const {members, clusterID} = newClusterOf(observation);
  if (first === undefined) return wait('the StatefulSet has no pod');
  const {id} = runIn(observation);
  const asked = sha256({run: id, command, source, of});
  const helper = helperOf(observation, dumpStep, first.pod);
  const via = viewsOf(observation, members).find((view) => isUp(observation, view));
  if (helper === undefined) {
    if (via === undefined) return wait('no member of the new cluster runs', 500);
    return {
      kind: 'act', why: `${what}: a pod ${command === 'dump-load' ? 'loads' : 'compares'} it through ${via.pod}`, record: begun,
      actions: [{type: 'CreatePod', pod: dumpPod({observation, view: first, source: sourceOf(observation, first), run: id, asked}, {command, source, via, cluster: clusterID})}],
    };
  }
  const again = (why: string): Decision => act(why, {type: 'DeletePod', pod: helper});
  if (isTerminating(helper)) return isSilent(observation, helper) ? act('its node does not answer', {type: 'ReleasePod', pod: helper, force: true}) : wait('an earlier pod on a dump is going', 100);
  if (helper.metadata?.annotations?.[marks.asked] !== asked || makesRoom(helper) || isSilent(observation, helper)) return again('an earlier pod on a dump is needed no more');
  const report = saidBy(helper);
  const cause = podCause(helper) === undefined ? '' : ` (${podCause(helper) ?? ''})`;
  if (report === undefined) {
    if (!neverBegan(observation, helper)) return wait(`${what}: pod ${helper.metadata.name ?? ''} works${cause}`, 500);
    return blocked(reason, `${what}: pod ${helper.metadata.name ?? ''} does not start${cause}. Is the claim there, and can a node mount it? The run goes on by itself once it starts. Nobody uses the new cluster yet`);
  }
  const answer = report.ok && (report.command === 'dump-load' || report.command === 'dump-compare') ? ended(report)
    : {problem: report.ok ? 'the agent sent another report' : report.message};
  if (!('problem' in answer)) return answer;
  if (observation.now - agentEndedAt(helper) > retryMs) return again(`${what} is tried again`);
  return blocked(reason, `${what}: ${answer.problem}. It is tried again after ten seconds, and the run goes on by itself once it holds. Nobody uses the new cluster yet`);
}
