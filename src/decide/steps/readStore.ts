import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../api/types.ts';
import {readStorePod, readStoreStep} from '../../kubernetes/readStorePod.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {isEvicted} from '../../kubernetes/scratch.ts';
import {agentReport} from '../../observe/agentReport.ts';
import type {Observation} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision, Transaction} from '../decision.ts';
import {act, wait} from '../decision.ts';
import type {Stored} from '../plans/stored.ts';
import {askedFor, choosing} from '../plans/stored.ts';
import {makesRoom, saidBy, takeAway} from './agents.ts';
import {helperOf, runIn, sourceOf} from './common.ts';

/*
 * Before the plan: the newest snapshot that verifies, or the named one, is looked for with all of its content, so that the plan names one
 * that can be restored, and says why newer ones are not.
 */

/** The pod has to begin within this time, ms: a Secret or a claim may be missing, and it says so only by not starting. */
const startMs = 60_000;
/** An answer is believed for so long, ms, while nothing can be planned with it. */
const believedMs = 120_000;

const record = (stored: Stored): Transaction => (draft) => { if (draft.run) draft.run.stored = stored; };

function answerOf(observation: Observation, helper: V1Pod): Stored | undefined {
  const asked = askedFor(observation);
  const readAt = new Date(observation.now).toISOString();
  // Another pod of the same size would go the same way: that is told before it is tried again.
  const report = isEvicted(helper) ? agentReport(helper) : saidBy(helper);
  if (report?.ok === true && report.command === 'store-fetch') {
    const {name, takenAt, revision, bytes, sha256, clusterID} = report.snapshot;
    return {asked, readAt, snapshot: {name, takenAt, revision, bytes, sha256, ...(clusterID !== undefined && {clusterID})}, refused: report.refused};
  }
  if (report !== undefined) {
    const [reason, message] = report.ok ? ['Internal', 'the agent sent another report'] : [report.reason, report.message];
    return {asked, readAt, refused: report.ok ? [] : report.refused ?? [], problem: {reason, message}};
  }
  const made = new Date(helper.metadata?.creationTimestamp ?? observation.now).getTime();
  const begun = helper.status?.containerStatuses?.some(({state}) => (state?.running ?? state?.terminated) !== undefined) === true;
  if (begun || observation.now - made < startMs) return undefined;
  return {asked, readAt, refused: [], problem: {reason: 'StoreUnreachable', message: `the pod that reads the store did not start within ${startMs / 1000} s${podCause(helper) === undefined ? '' : ` (${podCause(helper) ?? ''})`}: are the Secret and the claim there that spec.snapshot names?`}};
}

/** Whether what was found still answers what is asked, and need not be asked again. */
function stands(observation: Observation, stored: Stored | undefined): boolean {
  if (stored === undefined || stored.asked !== askedFor(observation)) return false;
  return stored.snapshot !== undefined || observation.now - Date.parse(stored.readAt) < believedMs;
}

/** How large a snapshot may be, by what was seen of the database and of its snapshots; undefined: nothing was. */
function largestKnown({status: {backups, run}, ordinals}: Observation): number | undefined {
  const sizes = [backups?.lastSuccess?.bytes, run?.stored?.snapshot?.bytes, run?.plan?.snapshot?.bytes, ...ordinals.map(({probe}) => (probe.kind === 'Answered' ? probe.status.dbSizeBytes : undefined))]
    .filter((bytes) => bytes !== undefined);
  return sizes.length === 0 ? undefined : Math.max(...sizes);
}

/** Reads the store; undefined: what it holds is in the status, and the pod that read it is gone. */
export function readStore(observation: Observation): Decision | undefined {
  const [first] = observation.ordinals;
  if (first === undefined || observation.spec.snapshot === undefined) return undefined;
  const helper = helperOf(observation, readStoreStep, first.pod);
  if (stands(observation, runIn(observation).stored)) {
    const todo = {actions: [], waits: []};
    if (helper) takeAway(observation, helper, todo);
    return todo.actions.length > 0 ? act('what the store holds is known', ...todo.actions) : todo.waits.length > 0 ? wait('the pod that read the store is going', 100) : undefined;
  }
  if (helper === undefined) {
    const pod = readStorePod({observation, view: first, source: sourceOf(observation, first), run: runIn(observation).id, choosing: choosing(observation), asked: askedFor(observation), bytes: largestKnown(observation)});
    return act('reading the store of snapshots: the newest that verifies', {type: 'CreatePod', pod});
  }
  const outdated = helper.metadata?.annotations?.[marks.asked] !== askedFor(observation);
  if ((outdated || (makesRoom(helper) && !isEvicted(helper))) && !isTerminating(helper)) return act('the store is asked anew', {type: 'DeletePod', pod: helper});
  if (isTerminating(helper)) return wait('the pod that read the store is going', 100);
  const answer = answerOf(observation, helper);
  if (answer === undefined) return wait(`reading the store of snapshots${podCause(helper) === undefined ? '' : ` (${podCause(helper) ?? ''})`}`, 250);
  return {kind: 'record', why: answer.snapshot === undefined ? 'the store holds no snapshot that can be restored' : `snapshot ${answer.snapshot.name} can be restored`, record: record(answer)};
}
