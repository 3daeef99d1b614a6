import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../api/types.ts';
import type {DependentRecord, Run} from '../../api/types.ts';
import type {DependentView} from '../../kubernetes/dependents.ts';
import {countOf, daemonSetPatch, isStopped, nameOfDependent, readinessOf, runningPods, writerOf} from '../../kubernetes/dependents.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {done, wait} from '../decision.ts';
import {dependentRefusal, giveBack, heldInWords, isOwed, isSettled, viewOfRecord} from '../dependents.ts';
import {durationMs} from '../durations.ts';
import {isOverdue} from '../trouble.ts';
import {quorumCameBack, runIn} from './common.ts';
import {forceMayHaveBegun} from './forceHelper.ts';

const iso = (now: number) => new Date(now).toISOString();

/** What changes in a record. */
type DependentChange = Partial<DependentRecord>;

/** Changes the record of one of them. */
export const recordDependent = ({kind, name}: Pick<DependentRecord, 'kind' | 'name'>, change: DependentChange): Transaction => (draft) => {
  const record = draft.run?.dependents?.find((one) => one.kind === kind && one.name === name);
  if (record === undefined) return;
  // What was said of another change is over; of this one it stands until it succeeds.
  if (change.state !== undefined && change.state !== record.state) {
    delete record.refused;
    delete record.message;
  }
  Object.assign(record, change);
};

function newRecord(run: Run, view: DependentView, now: number): DependentRecord {
  const {kind, name, object} = view;
  const count = countOf(view);
  // An earlier run could not bring it back: what it had before that one is what it gets.
  const before = count === 0 ? run.leftStopped?.find((left) => left.kind === kind && left.name === name && left.uid === object?.metadata?.uid) : undefined;
  const replicas = before?.replicas ?? count;
  return {
    kind, name, uid: object?.metadata?.uid ?? '', ...(replicas === undefined ? {nodeSelector: `${marks.stopped}=${run.id}`} : {replicas}),
    state: 'Stopping', stoppedAt: iso(now),
  };
}

/** Whoever starts one again is overruled at once the first time, and then so often, ms: the run has something else to do, and a tool may answer within milliseconds. */
const stopAgainMs = 10_000;

const isOld = ({stoppedAt}: DependentRecord, now: number): boolean => now - Date.parse(stoppedAt) >= stopAgainMs;

/** One that runs though the run has stopped it, or was about to: somebody's newest word on its count is the one that is given back. */
function caughtRunning(record: DependentRecord, view: DependentView, now: number): DependentChange {
  const replicas = countOf(view);
  const by = writerOf(view);
  return {
    uid: view.object?.metadata?.uid ?? record.uid, ...(replicas !== undefined && {replicas}),
    ...((record.state === 'Stopped' || isOld(record, now)) && {stoppedAt: iso(now)}),
    ...(record.state === 'Stopped' && {state: 'Stopping' as const, startedAgain: (record.startedAgain ?? 0) + 1, ...(by !== undefined && {startedBy: by})}),
  };
}

interface Running {
  record: DependentRecord;
  view: DependentView;
}

/** Recorded ones that ask for pods, though the run keeps them stopped. */
const startedOnes = (observation: Observation): Running[] => (runIn(observation).dependents ?? []).flatMap((record) => {
  const view = viewOfRecord(observation, record);
  if (view?.object === undefined || isStopped(view, runIn(observation).id) || (record.state !== 'Stopping' && record.state !== 'Stopped')) return [];
  return [{record, view}];
});

/** Whether it is stopped in this very look. Nothing that fails again and again, or is undone again and again, takes the place of everything else. */
function isDue(record: DependentRecord, now: number, late: boolean): boolean {
  const isFirst = record.refused === undefined && (record.state === 'Stopping' || record.startedAgain === undefined);
  return (isFirst && !late) || isOld(record, now);
}

/** @param late the time is over that may be spent on them: they are stopped still, beside what the run does else */
function stopStarted(observation: Observation, late: boolean): Decision | undefined {
  const started = startedOnes(observation).filter(({record}) => isDue(record, observation.now, late));
  if (started.length === 0) return undefined;
  const changes = started.map(({record, view}) => recordDependent(record, caughtRunning(record, view, observation.now)));
  return {
    kind: 'act', why: `stopping ${started.map(({view}) => nameOfDependent(view)).join(', ')}`, actions: started.map(({view}): Action => ({type: 'StopDependent', dependent: view})),
    record: (draft) => { for (const change of changes) change(draft); },
  };
}

interface Left {
  awaited: V1Pod[];
  /** On nodes that do not answer: nobody can end them, and nobody waits for them. */
  silent: V1Pod[];
}

function leftPods(observation: Observation): Left {
  const stopped = (runIn(observation).dependents ?? []).filter(({state}) => state === 'Stopping' || state === 'Stopped');
  const pods = stopped.flatMap((record) => runningPods(viewOfRecord(observation, record) ?? {...record, object: undefined, pods: []}));
  const isSilent = (pod: V1Pod) => pod.spec?.nodeName !== undefined && !isOnReadyNode(observation, pod);
  return {awaited: pods.filter((pod) => !isSilent(pod)), silent: pods.filter(isSilent)};
}

/** How many pods a message names: a DaemonSet has one on each node. */
const mostNamed = 6;

function named(pods: readonly V1Pod[]): string {
  const names = pods.slice(0, mostNamed).map(({metadata, spec}) => `${metadata?.name ?? ''}${spec?.nodeName === undefined ? '' : ` on ${spec.nodeName}`}`);
  return `${names.join(', ')}${pods.length > mostNamed ? ` and ${pods.length - mostNamed} more` : ''}`;
}

function whyRunning({refused}: DependentRecord, view: DependentView): string {
  if (refused !== undefined) return ` (the API server refuses to stop it: ${refused})`;
  const by = writerOf(view);
  return by === undefined ? '' : ` (started by ${by})`;
}

/** Those that run though they are kept stopped, and why. */
const startedInWords = (observation: Observation): string => startedOnes(observation).map(({record, view}) => `${nameOfDependent(record)}${whyRunning(record, view)}`).join(', ');

/** What may not be looked at is not known to have ended. */
const unseenInWords = (observation: Observation): string => (runIn(observation).dependents ?? []).filter(({state}) => state === 'Stopping' || state === 'Stopped')
  .flatMap((record) => {
    const problem = viewOfRecord(observation, record)?.problem;
    return problem === undefined ? [] : [`the operator may not look at ${nameOfDependent(record)} any more: ${problem}`];
  }).join('; ');

/** Waits until none of them runs; by the age of the step, which nobody who starts one again makes younger. */
function awaitEnds(observation: Observation): Decision | undefined {
  const started = startedInWords(observation);
  if (started !== '') return wait(`waiting for the next try, once in ${stopAgainMs / 1_000} s, to stop ${started}`, 500);
  const unseen = unseenInWords(observation);
  if (unseen !== '') return wait(unseen, 1_000);
  const {awaited} = leftPods(observation);
  return awaited.length === 0 ? undefined : wait(`waiting for the end of ${named(awaited)}`, 500);
}

/** Pods that the run did not wait for to the end, and why. */
function stillThere(observation: Observation): string {
  const {awaited, silent} = leftPods(observation);
  const started = startedInWords(observation);
  const runs = started === '' ? '' : `. Not so ${started}: it was still asked to run after ${observation.spec.verification.timeout}. The recovery of etcd goes on beside it`;
  const slow = awaited.length === 0 ? '' : `. ${named(awaited)} had not ended after ${observation.spec.verification.timeout}: the recovery of etcd does not wait longer`;
  const unseen = unseenInWords(observation);
  return `${runs}${slow}${unseen === '' ? '' : `. Whether all have ended is not known: ${unseen}`}${silent.length === 0 ? '' : `. On nodes that are not Ready, where nothing can be ended and nothing is waited for: ${named(silent)}`}`;
}

/** The first act of a run that changes anything: what uses etcd is stopped, its counts recorded first, and its pods are waited for. */
export function stopDependents(observation: Observation): Decision {
  const back = quorumCameBack(observation);
  if (back) return back;
  const run = runIn(observation);
  if (run.dependents === undefined) {
    // It may have gone, or the right to see it, since the plan was made.
    const refusal = dependentRefusal(observation);
    if (refusal) return refusal;
    const records = observation.dependents.filter(({object}) => object !== undefined).map((view) => newRecord(run, view, observation.now));
    return {kind: 'record', why: `stopping ${records.map(heldInWords).join(', ')}`, record: (draft) => { if (draft.run) draft.run.dependents = records; }};
  }
  const {dependents} = run;
  const late = isOverdue(observation, 'StopDependents');
  const decision = stopStarted(observation, late) ?? (late ? undefined : awaitEnds(observation));
  if (decision) return decision;
  const running = startedOnes(observation).map(({record}) => nameOfDependent(record));
  return done(`stopped: ${dependents.map(heldInWords).join(', ')}${stillThere(observation)}`, (draft) => {
    for (const record of draft.run?.dependents ?? []) if (record.state === 'Stopping' && !running.includes(nameOfDependent(record))) recordDependent(record, {state: 'Stopped'})(draft);
  });
}

/**
 * An autoscaler, a GitOps tool or a person starts one of them again before the survivor is verified: it is stopped again, and before the force
 * its pods are waited for once more, until that step is overdue. From the survivor's own pod on nothing is stopped any more.
 */
export function keepStopped(observation: Observation, step: string | undefined): Decision | undefined {
  const {steps} = runIn(observation);
  const isDone = (name: string) => steps.some((one) => one.name === name && one.state === 'Done');
  if (!isDone('StopDependents') || isDone('StartSurvivor')) return undefined;
  const late = step === 'Force' && isOverdue(observation, 'Force');
  return stopStarted(observation, late) ?? (step === 'Force' && !late && !forceMayHaveBegun(observation) ? awaitEnds(observation) : undefined);
}

/** What becomes of one that is to have back what it had. */
function giveBackOne(observation: Observation, record: DependentRecord): {actions: Action[]; change: DependentChange; why: string} {
  const view = viewOfRecord(observation, record);
  if (view !== undefined && isOwed(runIn(observation), record, view)) return {actions: [giveBack(view, record)], change: {state: 'Returning'}, why: `bringing ${heldInWords(record)} back`};
  const returned = {state: 'Returned' as const, returnedAt: iso(observation.now)};
  // It is there, for all that is known, and at 0: as with a write that is refused, that passes or is for a person to mend.
  if (view?.problem !== undefined) return {actions: [], change: {state: 'Returning', refused: view.problem}, why: `the operator may not look at ${nameOfDependent(record)}, and cannot bring it back: ${view.problem}`};
  if (view?.object === undefined) return {actions: [], change: {...returned, message: 'it was deleted in the middle of the run'}, why: `${nameOfDependent(record)} is not there any more`};
  return {actions: [], change: {...returned, ...(view.kind !== 'DaemonSet' && {replicas: countOf(view) ?? 0})}, why: `${nameOfDependent(record)} runs again`};
}

function bring(observation: Observation, records: readonly DependentRecord[]): Decision {
  const each = records.map((record) => ({record, ...giveBackOne(observation, record)}));
  const record: Transaction = (draft) => { for (const one of each) recordDependent(one.record, one.change)(draft); };
  const actions = each.flatMap((one) => one.actions);
  const why = each.map((one) => one.why).join('; ');
  const isSaid = each.every(({record: {state, refused}, change}) => change.refused !== undefined && state === 'Returning' && refused === change.refused);
  if (isSaid) return wait(why, 1_000);
  return actions.length > 0 ? {kind: 'act', why, record, actions} : {kind: 'record', why, record};
}

/** It should have come back, and the API server did not let it. */
const isRefused = ({state, refused}: DependentRecord): boolean => state === 'Returning' && refused !== undefined;

/** Whose turn it is: one after the other, in order. Those that were refused come last, and together: they keep nobody from coming back. */
function nextOnes({dependents = []}: Run): DependentRecord[] {
  const open = dependents.filter((record) => !isSettled(record));
  const next = open.find((record) => !isRefused(record));
  return next === undefined ? open : [next];
}

/** The next thing to do so that they come back one after the other, each awaited; undefined: all are back. */
function bringNext(observation: Observation): Decision | undefined {
  const records = nextOnes(runIn(observation));
  const [record] = records;
  if (record === undefined) return undefined;
  if (record.state !== 'Returned') return mayStillBeStopped(observation, record) ? wait(`${nameOfDependent(record)} may still be stopped by a call that is on its way`, 500) : bring(observation, records);
  const limit = observation.spec.verification.timeout;
  const late = observation.now - Date.parse(record.returnedAt ?? iso(observation.now)) > durationMs(limit);
  const view = viewOfRecord(observation, record);
  if (view?.problem !== undefined) {
    if (!late) return wait(`the operator may not look at ${nameOfDependent(record)}, which has back what it had: ${view.problem}`, 1_000);
    return {kind: 'record', why: `${nameOfDependent(record)} cannot be looked at`, record: recordDependent(record, {message: `whether it is Ready is not known, as the operator may not look at it: ${view.problem}`})};
  }
  if (view?.object === undefined) return {kind: 'record', why: `${nameOfDependent(record)} is not there any more`, record: recordDependent(record, {message: 'it was deleted after its return'})};
  const {is, ready, wanted, without} = readinessOf(view, (pod) => isOnReadyNode(observation, pod));
  const lacking = without === 0 ? '' : `, no Ready node takes ${without}`;
  if (is) return {kind: 'record', why: `${nameOfDependent(record)} is back: ${ready} of ${wanted} pods Ready${lacking}`, record: recordDependent(record, {readyAt: iso(observation.now), ...(without > 0 && {message: `${ready} of ${wanted} pods were Ready${lacking}`})})};
  if (late) {
    return {kind: 'record', why: `${nameOfDependent(record)} is not Ready after ${limit}`, record: recordDependent(record, {message: `not Ready ${limit} after its return: ${ready} of ${wanted} pods were${lacking}. The next was brought back all the same`})};
  }
  return wait(`${nameOfDependent(record)} is coming up: ${ready} of ${wanted} pods Ready`, 1_000);
}

/** The cluster holds what it is to hold, and serves: of one that was made anew, what is loaded is loaded and checked. */
const isThere = ({steps, newCluster}: Run): boolean => steps.some(({name, state}) => name === 'StartSurvivor' && state === 'Done')
  || (newCluster?.servedAt !== undefined && steps.every(({name, state}) => !['StartAll', 'StartEmpty', 'Load', 'Check'].includes(name) || state === 'Done'));

/**
 * The survivor serves, so dependents come back while members join: each takes a moment, and a join may take an hour, or wait for a person. One
 * that the API server refused to change is tried again only where there is nothing else to do.
 * @param instead what the step would do now
 */
export function returnMeanwhile(observation: Observation, instead: Decision): Decision | undefined {
  const run = runIn(observation);
  if (!isThere(run)) return undefined;
  if (instead.kind !== 'wait' && (!isRoom(instead) || nextOnes(run).every(isRefused))) return undefined;
  const decision = bringNext(observation);
  return decision?.kind === 'wait' ? undefined : decision;
}

/** Whether one that comes back is in nobody's way, and finds an etcd that serves. */
function isRoom(instead: Decision): boolean {
  if (instead.kind === 'act') return true;
  return (instead.kind === 'blocked' || instead.kind === 'stalled') && instead.reason !== 'SurvivorNotServing' && instead.reason !== 'StatefulSetNotFound';
}

/** What a person does to bring it back. */
function byHand({resource}: Observation, {kind, name, replicas}: DependentRecord): string {
  const kubectl = `kubectl -n ${resource.metadata.namespace ?? 'default'}`;
  const what = kind.toLowerCase();
  return kind === 'DaemonSet' ? `${kubectl} patch ${what} ${name} --type=merge -p '${JSON.stringify(daemonSetPatch(null))}'` : `${kubectl} scale ${what} ${name} --replicas=${replicas ?? 0}`;
}

const leftInWords = (observation: Observation, record: DependentRecord): string => `not brought back, as the API server refuses it: ${record.refused ?? ''}. By hand: ${byHand(observation, record)}`;

/** The members are verified at last, whatever does not let a dependent come back. Beside what is left of the run it is tried still. */
function goOnWithout(observation: Observation, refused: readonly DependentRecord[]): Decision {
  const left = refused.map((record) => ({record, message: leftInWords(observation, record)}));
  const back = (runIn(observation).dependents ?? []).filter((record) => !refused.includes(record));
  const words = back.length === 0 ? '' : `back: ${back.map(inWords).join('; ')}. `;
  return done(`${words}${left.map(({record, message}) => `${heldInWords(record)}: ${message}`).join('; ')}`, (draft) => {
    for (const {record, message} of left) recordDependent(record, {message})(draft);
  });
}

const inWords = (record: DependentRecord): string => `${heldInWords(record)}${record.message === undefined ? '' : `: ${record.message}`}`;

/** Whoever is not back by now is waited for; one that is refused until the step is overdue. */
export function returnDependents(observation: Observation): Decision {
  const {dependents = []} = runIn(observation);
  const next = nextOnes(runIn(observation));
  // Somebody else may have brought one back.
  const refused = next.filter((record) => isRefused(record) && giveBackOne(observation, record).change.state !== 'Returned');
  if (refused.length > 0 && refused.length === next.length && isOverdue(observation, 'ReturnDependents')) return goOnWithout(observation, refused);
  return bringNext(observation) ?? done(`back: ${dependents.map(inWords).join('; ')}`);
}

/** Of a resource that goes: what stays stopped, why, and how to bring it back; empty: nothing does. */
export function leftStoppedInWords(observation: Observation): string {
  const {dependents = []} = observation.status.run ?? {};
  const left = observation.namespaceGoing ? [] : dependents.flatMap((record) => {
    const view = viewOfRecord(observation, record);
    const why = view?.problem ?? record.refused;
    const owed = view?.problem !== undefined ? record.state !== 'Returned' : isOwed(runIn(observation), record, view);
    return owed ? [`${heldInWords(record)} stays stopped${why === undefined ? '' : `, as the API server refuses: ${why}`}. By hand: ${byHand(observation, record)}`] : [];
  });
  return left.join('; ');
}

/** What stays stopped is in the status before the run ends; undefined: it is. */
function giveUp(observation: Observation, refused: readonly DependentRecord[]): Decision | undefined {
  const unsaid = refused.filter(({message}) => message === undefined);
  if (unsaid.length === 0) return undefined;
  return {kind: 'record', why: `the run ends without ${unsaid.map(nameOfDependent).join(', ')}`, record: (draft) => {
    for (const record of unsaid) recordDependent(record, {message: leftInWords(observation, record)})(draft);
  }};
}

/**
 * Before the force, when a run ends: all have back what they had, at once. Nobody waits for them, as there may be no etcd that they could use;
 * nor for one that is refused for longer than a check may take: the run ends, and it is said how to bring it back.
 */
export function giveBackAll(observation: Observation): Decision | undefined {
  const open = (runIn(observation).dependents ?? []).filter(({state}) => state !== 'Returned');
  if (open.length === 0) return undefined;
  const refused = open.filter((record) => isRefused(record) && giveBackOne(observation, record).change.state !== 'Returned');
  if (refused.length === open.length && isOverdue(observation, 'LetGo')) return giveUp(observation, refused);
  const settled = open.filter((record) => !mayStillBeStopped(observation, record));
  return settled.length > 0 ? bring(observation, settled) : wait(`${open.map(nameOfDependent).join(', ')} may still be stopped by a call that is on its way`, 500);
}

/**
 * How long a call may be on its way, ms, of a process that hung right before it or is gone: longer than the Lease is held. Until then nothing
 * that still runs counts as brought back, as it would be stopped behind the back of whoever said so. Once it was stopped and started the
 * resourceVersion is another one, and the call is refused.
 */
const onItsWayMs = 20_000;

function mayStillBeStopped(observation: Observation, record: DependentRecord): boolean {
  return record.state === 'Stopping' && observation.now - Date.parse(record.stoppedAt) < onItsWayMs && !isOwed(runIn(observation), record, viewOfRecord(observation, record));
}
