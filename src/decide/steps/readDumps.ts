import type {V1Pod} from '@kubernetes/client-node';
import type {Run} from '../../api/types.ts';
import {readDumpsPod, readDumpsStep} from '../../kubernetes/dumpPod.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {marks} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision} from '../decision.ts';
import {act, wait} from '../decision.ts';
import {askedOfDumps, namesDump} from '../plans/rebuildSources.ts';
import {makesRoom, saidBy, takeAway} from './agents.ts';
import {helperOf, runIn, sourceOf} from './common.ts';

/*
 * Before the plan: what a pod of the run finds in the dumps that spec.rebuild names on claims, so that the plan tells how much that is, and
 * what is wrong with it is known while nothing was touched. The operator itself mounts no claim.
 */

type Dumps = NonNullable<Run['dumps']>;

/** The pod has to begin within this time, ms: a claim may be missing, and it says so only by not starting. */
export const dumpStartMs = 60_000;
/** How long what was found is believed, ms, while nothing can be planned with it: somebody may be mending it. */
const believedMs = 30_000;

/** It was made so long ago, and no container of it has begun. */
export const neverBegan = ({now}: Observation, helper: V1Pod): boolean =>
  helper.status?.containerStatuses?.some(({state}) => (state?.running ?? state?.terminated) !== undefined) !== true
  && now - new Date(helper.metadata?.creationTimestamp ?? now).getTime() >= dumpStartMs;

function answerOf(observation: Observation, helper: V1Pod): Dumps | undefined {
  const head = {asked: askedOfDumps(observation), readAt: new Date(observation.now).toISOString()};
  const report = saidBy(helper);
  if (report?.ok === true && report.command === 'dump-check') return {...head, sources: report.sources, overlaps: report.overlaps};
  if (report !== undefined) return {...head, sources: [], overlaps: [], problem: report.ok ? 'the agent sent another report' : `${report.reason}: ${report.message}`};
  if (!neverBegan(observation, helper)) return undefined;
  return {...head, sources: [], overlaps: [], problem: `the pod that reads the dumps did not start within ${dumpStartMs / 1000} s${podCause(helper) === undefined ? '' : ` (${podCause(helper) ?? ''})`}: are the claims there, and can one node mount all of them?`};
}

const isGood = ({problem, overlaps, sources}: Dumps): boolean => problem === undefined && overlaps.length === 0 && sources.every((source) => source.problem === undefined);

/** What was found answers what is asked, and need not be asked again now. */
const stands = ({now}: Observation, dumps: Dumps | undefined, asked: string): boolean =>
  dumps?.asked === asked && (isGood(dumps) || now - Date.parse(dumps.readAt) < believedMs);

/** All that is loaded but scripts, and what is not there: the operator says that itself. */
const readable = ({spec, sources}: Observation) => (spec.rebuild?.sources ?? [])
  .filter(({name, cronJob}) => cronJob === undefined && sources?.find((one) => one.name === name)?.problem === undefined);

/** Reads the dumps; undefined: there is none, or what they hold is in the status and the pod that read them is gone. */
export function readDumps(observation: Observation): Decision | undefined {
  const [first] = observation.ordinals;
  const {dumps, id} = runIn(observation);
  if (first === undefined || !namesDump(observation.spec)) return undefined;
  if (observation.sources === undefined) return wait('looking at what spec.rebuild names', 10);
  const asked = askedOfDumps(observation);
  const helper = helperOf(observation, readDumpsStep, first.pod);
  if (stands(observation, dumps, asked)) {
    const todo = {actions: [], waits: []};
    if (helper) takeAway(observation, helper, todo);
    return todo.actions.length > 0 ? act('what the dumps hold is known', ...todo.actions) : todo.waits.length > 0 ? wait('the pod that read the dumps is going', 100) : undefined;
  }
  if (helper === undefined) {
    return act('reading the dumps that spec.rebuild names', {type: 'CreatePod', pod: readDumpsPod({observation, view: first, source: sourceOf(observation, first), run: id, asked}, readable(observation))});
  }
  if (isTerminating(helper)) return wait('the pod that read the dumps is going', 100);
  if (helper.metadata?.annotations?.[marks.asked] !== asked || makesRoom(helper)) return act('the dumps are read anew', {type: 'DeletePod', pod: helper});
  const answer = answerOf(observation, helper);
  if (answer === undefined) return wait(`reading the dumps that spec.rebuild names${podCause(helper) === undefined ? '' : ` (${podCause(helper) ?? ''})`}`, 250);
  return {kind: 'record', why: isGood(answer) ? 'the dumps are good' : 'what is wrong with the dumps is known', record: (draft) => { if (draft.run) draft.run.dumps = answer; }};
}
