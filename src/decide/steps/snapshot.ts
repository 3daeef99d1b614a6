import type {V1Pod} from '@kubernetes/client-node';
import {agentContainer, agentReport} from '../../observe/agentReport.ts';
import {databaseOwner} from '../../api/strategies.ts';
import {marks} from '../../api/types.ts';
import type {Plan, SnapshotRecord} from '../../api/types.ts';
import {snapshotPod, snapshotStep} from '../../kubernetes/snapshotPod.ts';
import {isGated, isTerminating} from '../../kubernetes/ownPods.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import {fallBackBytes} from '../plans/fallBackRoom.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, wait} from '../decision.ts';
import {helperOf, memberIDOf, runIn, sourceOf, viewOf} from './common.ts';

/*
 * A member that still runs is snapshotted before it is stopped (docs/adr/0016). What cannot be had in time is said and not waited for:
 * the copy of its disk follows anyway, and has more.
 */

/** An agent that has not begun after this time, ms, is not waited for: its image, its node or the volume is in the way. */
const startMs = 10_000;
/** What an agent may take, s. */
const withinS = 110;
/** No snapshot is waited for longer than this after the hold began, ms. */
const limitMs = 130_000;

const modes = (view: OrdinalView) => [view.data, view.wal].flatMap((claim) => claim?.object?.spec?.accessModes ?? []);

/** Why no snapshot will be asked for; undefined: nothing speaks against it. */
function hopeless(view: OrdinalView): string | undefined {
  switch (view.probe.kind) {
    case 'Answered': break;
    case 'PeerOnly': case 'Failed': return `its etcd serves no client: ${view.probe.message}`;
    case 'NotAsked': return undefined;
  }
  return modes(view).includes('ReadWriteOncePod') ? 'its volume lets no second pod in (ReadWriteOncePod)' : undefined;
}

/** Candidates whose etcd runs, when the plan is made: what becomes of each is told by the end of the run. */
export function plannedSnapshots({spec, ordinals}: Observation, {candidates}: Pick<Plan, 'candidates'>): SnapshotRecord[] {
  if (spec.preserve.mode === 'Skip') return [];
  return ordinals.filter((view) => candidates.includes(view.pod) && view.probe.kind !== 'NotAsked').map((view) => {
    const skipped = hopeless(view);
    return {pod: view.pod, ...(skipped !== undefined && {skipped})};
  });
}

const change = (pod: string, facts: Omit<SnapshotRecord, 'pod'>): Transaction => (draft) => {
  if (draft.run?.snapshots) draft.run.snapshots = draft.run.snapshots.map((known) => (known.pod === pod ? {pod, ...facts} : known));
};

/** Records that a member is stopped without a snapshot, and why. */
export const skipSnapshot = (pod: string, skipped: string): Transaction => change(pod, {skipped});

const isOpen = ({path, skipped}: SnapshotRecord) => path === undefined && skipped === undefined;

const openOnes = (observation: Observation) => (runIn(observation).snapshots ?? []).filter(isOpen).map(({pod}) => viewOf(observation, pod));

/** What etcd says of itself is only asked of one that runs where its kubelet answers. */
function ended(observation: Observation, {object, launch}: OrdinalView): string | undefined {
  const runs = object?.status?.containerStatuses?.some(({name, state}) => isLaunch(launch) && name === launch.container && state?.running !== undefined);
  if (object === undefined || isGated(object) || isTerminating(object) || runs !== true || !object.status?.podIP) return 'its etcd does not run any more';
  const {nodeName} = object.spec ?? {};
  return observation.nodes.some(({name, ready}) => name === nodeName && ready) ? undefined : `its node ${nodeName ?? ''} is not Ready`;
}

const hasBegun = (helper: V1Pod) => helper.status?.containerStatuses?.some(({name, state}) => name === agentContainer && (state?.running ?? state?.terminated) !== undefined) === true;

const since = (observation: Observation, at: string | Date | undefined) => observation.now - new Date(at ?? observation.now).getTime();

/** Why it is not waited for any longer. */
function givenUp(observation: Observation, view: OrdinalView, helper: V1Pod | undefined): string | undefined {
  if (helper !== undefined && !hasBegun(helper) && since(observation, helper.metadata?.creationTimestamp) > startMs) {
    return `the volume agent did not start within ${startMs / 1000} s${podCause(helper) ? ` (${podCause(helper) ?? ''})` : ''}`;
  }
  const hold = runIn(observation).steps.find(({name}) => name === 'Hold')?.startedAt;
  return since(observation, hold) > limitMs ? `it was not there ${limitMs / 1000} s after the hold began` : ended(observation, view);
}

function fromAgent(observation: Observation, view: OrdinalView, helper: V1Pod): Transaction | undefined {
  const report = agentReport(helper);
  if (report === undefined) return undefined;
  if (!report.ok) return skipSnapshot(view.pod, `${report.reason}: ${report.message}`);
  if (report.command !== 'snapshot') return skipSnapshot(view.pod, 'the agent sent another report');
  const {path, bytes, sha256, revision} = report;
  return change(view.pod, {path, bytes, sha256, revision, takenAt: new Date(observation.now).toISOString()});
}

function take(observation: Observation, view: OrdinalView): Action {
  // No copy follows where its own database is restored, and more than that: what would take the room for it is not kept.
  const leave = databaseOwner(runIn(observation).plan) === undefined ? undefined : fallBackBytes(observation, view);
  const options = {observation, view, source: sourceOf(observation, view), run: runIn(observation).id, memberID: memberIDOf(observation, view.pod), within: withinS, leave};
  return {type: 'TakeSnapshot', of: view.pod, pod: snapshotPod(options)};
}

/** The agents that are not there yet, to be made as early as anything is: they work while the hold is proven and others are stopped. */
export const takeSnapshots = (observation: Observation): Action[] => openOnes(observation)
  .filter((view) => helperOf(observation, snapshotStep, view.pod) === undefined && givenUp(observation, view, undefined) === undefined)
  .map((view) => take(observation, view));

/** Right before the first candidate is stopped: undefined once each has its snapshot, or the reason why there is none. */
export function awaitSnapshots(observation: Observation): Decision | undefined {
  const records: Transaction[] = [];
  const waits: string[] = [];
  for (const view of openOnes(observation)) {
    const helper = helperOf(observation, snapshotStep, view.pod);
    const told = helper && fromAgent(observation, view, helper);
    const why = told === undefined ? givenUp(observation, view, helper) : undefined;
    if (told) records.push(told);
    else if (why !== undefined) records.push(skipSnapshot(view.pod, why));
    else if (helper) waits.push(view.pod);
  }
  if (records.length > 0) return {kind: 'record', why: 'recording what became of the snapshots', record: (draft) => { for (const record of records) record(draft); }};
  const missing = takeSnapshots(observation);
  if (missing.length > 0) return act('snapshotting the members that still run', ...missing);
  return waits.length > 0 ? wait(`${waits.join(', ')} is snapshotted before it is stopped`) : undefined;
}

/** Agents whose word is in the status. */
export const settledSnapshotAgents = ({helpers, status: {run}}: Observation): Action[] => helpers
  .filter(({metadata}) => metadata?.annotations?.[marks.step] === snapshotStep && metadata.deletionTimestamp === undefined)
  .filter(({metadata}) => !(run?.snapshots ?? []).some((known) => isOpen(known) && known.pod === metadata?.annotations?.[marks.pod]))
  .map((pod): Action => ({type: 'DeletePod', pod}));
