import type {V1Pod} from '@kubernetes/client-node';
import type {AgentReport} from '../../agent/report.ts';
import {marks} from '../../api/types.ts';
import type {Run} from '../../api/types.ts';
import {forcePod} from '../../kubernetes/helperPods.ts';
import {hasFence} from '../../kubernetes/ownPods.ts';
import {agentReport} from '../../observe/agentReport.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {act, blocked} from '../decision.ts';
import {endedByKubelet} from '../evidence/processes.ts';
import {helperOf, runIn, sourceOf, survivorOf} from './common.ts';
import {laterEntryTerm} from '../evidence/tail.ts';
import {replaceEnded} from './stop.ts';

/** A helper that was bound to its old pod's node is made anew for any node when it finds no place there for so long, ms. */
const unscheduledMs = 5_000;

/**
 * The forced etcd may have run: from here on the run can only be finished. A helper without its turn, or whose agent refused before
 * it had spent the marker, never started it. The turn is intended in the status before it is given.
 */
export function forceMayHaveBegun(observation: Observation): boolean {
  const {force: forced, plan} = observation.status.run ?? {};
  if (forced?.podUID !== undefined) return true;
  const helper = plan === undefined ? undefined : helperOf(observation, 'Force', plan.survivor);
  if (helper !== undefined && refusedUntouched(agentReport(helper), forced)) return false;
  return forced?.turnGiven === true || (helper !== undefined && turnOf(helper) !== undefined);
}

/** Another pod was there before this one: its etcd may have started. */
const spentByOthers: readonly string[] = ['MarkerSpent', 'AttemptSuperseded', 'RunSealed'];

/**
 * The agent itself says that it changed nothing, and no attempt before it had its turn. One that was killed said nothing, and may have
 * spent the marker and committed the tail.
 */
export const refusedUntouched = (report: AgentReport | undefined, forced: Run['force']): boolean =>
  report?.ok === false && report.command === 'prepare-force' && report.marker === undefined && !spentByOthers.includes(report.reason)
  && (forced?.attempt ?? 1) === 1 && forced?.refused === undefined;

export const turnOf = (helper: V1Pod) => helper.metadata?.annotations?.[marks.turn];

/** What stays from one attempt to the next. */
const pick = (forced: Run['force']): Partial<NonNullable<Run['force']>> => ({...(forced?.turnGiven && {turnGiven: true}), ...(forced?.refused && {refused: forced.refused}), ...(forced?.move && {move: forced.move})});

const startAttempt = (attempt: number, pod: string) => (draft: {run?: Run | undefined}) => {
  if (draft.run) draft.run.force = {attempt, pod, ...pick(draft.run.force)};
};

/** Makes the helper of an attempt. Its agent waits for its turn: until then it touches nothing, and the run can still let everything go. */
export function makeHelper(observation: Observation, attempt: number): Decision {
  const survivor = survivorOf(observation);
  const {id, identity, plan} = runIn(observation);
  const pod = forcePod({
    observation, view: survivor, source: sourceOf(observation, survivor), run: id, attempt, members: identity, lowest: plan?.lowest,
    laterEntryTerm: laterEntryTerm(observation.status, survivor.pod),
  });
  if ('problem' in pod) return blocked('ForceFailed', pod.problem);
  return {kind: 'act', why: `making the pod that starts ${survivor.pod}'s data once with --force-new-cluster; it waits for its turn`, actions: [{type: 'CreatePod', pod: pod.pod}], record: startAttempt(attempt, pod.pod.metadata?.name ?? '')};
}

/**
 * The helper's pod is made while pods are stopped, where there is one candidate only, so that nothing but its turn is left to wait for.
 * @param decision what Stop does or waits for meanwhile
 */
export function withHelper(observation: Observation, decision: Decision): Decision {
  if (decision.kind !== 'act' && decision.kind !== 'wait') return decision;
  const {plan, force: forced} = runIn(observation);
  if (plan?.candidates.length !== 1 || forced !== undefined || survivorOf(observation).object?.spec?.nodeName === undefined) return decision;
  const made = makeHelper(observation, 1);
  if (made.kind !== 'act') return decision;
  if (decision.kind === 'wait') return made;
  return {
    ...decision, actions: [...decision.actions, ...made.actions],
    record: (draft) => {
      decision.record?.(draft);
      made.record?.(draft);
    },
  };
}

/** A helper that ended before its turn, or cannot come up where it was bound to: another takes its place. */
function misplaced(observation: Observation, helper: V1Pod): boolean {
  if (endedByKubelet(helper)) return true;
  const {nodeName} = helper.spec ?? {};
  if (nodeName !== undefined) return !observation.nodes.some((node) => node.name === nodeName);
  const refused = helper.status?.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  const age = observation.now - new Date(helper.metadata?.creationTimestamp ?? observation.now).getTime();
  return helper.spec?.nodeSelector?.['kubernetes.io/hostname'] !== undefined && refused === true && age > unscheduledMs;
}

/** Gives the helper its turn; what is asked before is the caller's. */
export function giveTurn(observation: Observation, helper: V1Pod, attempt: number): Decision {
  const survivor = survivorOf(observation);
  // The old pod's object first: while it is there the next helper would be bound to its node again.
  if (misplaced(observation, helper)) return replaceEnded(observation, survivor) ?? act('the pod of the forced start cannot come up: another takes its place', {type: 'ReleasePod', pod: helper, force: true});
  const turn = helper.metadata?.annotations?.[marks.attempt] ?? String(attempt);
  return {
    kind: 'act', why: `starting ${survivor.pod}'s data once with --force-new-cluster`, actions: [{type: 'GiveTurn', pod: helper, turn}],
    record: (draft) => { if (draft.run?.force) draft.run.force.turnGiven = true; },
  };
}

/** The old pod's object goes once the helper has the volume, or if the scheduler may be waiting for it (ReadWriteOncePod). */
export function replaceOldPod(observation: Observation, helper: V1Pod): Decision | undefined {
  const unscheduled = helper.status?.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  return helper.status?.podIP !== undefined || unscheduled ? replaceEnded(observation, survivorOf(observation)) : undefined;
}

/** The object of the ended forced start is let go while there is nothing else to do. */
export function dropForced(observation: Observation): Decision | undefined {
  const helper = helperOf(observation, 'Force', survivorOf(observation).pod);
  if (helper === undefined || !hasFence(helper)) return undefined;
  const onNode = observation.nodes.some((candidate) => candidate.name === helper.spec?.nodeName);
  return act('taking the forced start away', {type: 'ReleasePod', pod: helper, force: !onNode});
}
