import {createHash} from 'node:crypto';
import type {V1Pod} from '@kubernetes/client-node';
import type {Backups, QuorumRecoverySpec} from '../../api/types.ts';
import {backupPod, savesWithinSeconds} from '../../kubernetes/backupPod.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {agentReport} from '../../observe/agentReport.ts';
import type {Observation} from '../../observe/observation.ts';
import {backupSource, noBackupNow} from './backupSource.ts';
import {sayBackups, storeInWords} from './backupWords.ts';
import {podCause} from '../evidence/causes.ts';
import type {Action, Outcome} from '../decision.ts';
import {durationMs} from '../durations.ts';
import {sourceOf} from '../steps/common.ts';

/*
 * Snapshots for spec.backups (docs/adr/0036): one at a time, while no run is in flight and a quorum serves. What is to be taken stands in
 * the status before its pod is made; the pod's name is in it, so that whoever goes on from there makes the same one or finds it.
 */

type Current = NonNullable<Backups['current']>;

/** After the first failure the next try comes after so long, ms; twice as much after each more, and never later than the schedule. */
const retryMs = 60_000;
/** A pod that does not start for so long, ms, is given up: a Secret or a claim is missing, or no node takes it. */
const startsWithinMs = 300_000;
/** How often a pod that saves is looked at besides its events, ms. */
const lookMs = 5_000;
/** One that is due and waits for the cluster is tried again so often, ms: each try is a full look. What it waits for else comes with an event. */
const againMs = 30_000;
/** The first one of a resource comes within this part of the interval, and at the latest after so long, ms. */
const firstWithin = {part: 0.1, ms: 600_000};
/** A node that went away says nothing of its pods: they are given up so long after the kubelet would have ended them, ms. */
const lostMs = savesWithinSeconds * 1000 + 600_000;

export interface BackingUp {
  /** Done once the intent stands in the status. */
  actions: Action[];
  /** What is decided, for the log. */
  why: string;
  /** When the next look is needed at the latest, ms. */
  inMs?: number;
}

export const intervalMs = ({backups}: QuorumRecoverySpec): number => durationMs(backups?.interval ?? '1h');

/** Whether one more may be begun now, of all that this operator takes. */
export type BackupTurn = {kind: 'Begins'} | {kind: 'Waits'; why: string; inMs: number};

/** @param due when it was to be begun, ms since the epoch */
export type AskBackupTurn = (due: number) => BackupTurn;

/**
 * How much later this resource begins, ms, always the same: what is made together, or is heard of together by a new operator, would begin together, and
 * so would all that follows, as the schedule counts from there.
 */
function spreadMs({metadata: {uid = ''}}: Observation['resource'], spec: QuorumRecoverySpec): number {
  const part = createHash('sha256').update(uid).digest().readUInt32BE() / 2 ** 32;
  return Math.round(part * Math.min(firstWithin.ms, firstWithin.part * intervalMs(spec)));
}

/** When the next one is to be begun, ms since the epoch. */
function dueAt({since, last, lastSuccess, failures = 0}: Backups, {resource, spec}: Observation): number {
  if (last === undefined) return Date.parse(since) + spreadMs(resource, spec);
  // Nothing is in a store that has just been named.
  if (last.saved && lastSuccess?.store !== undefined && lastSuccess.store !== storeInWords(spec)) return 0;
  const gap = last.saved ? intervalMs(spec) : Math.min(intervalMs(spec), retryMs * 2 ** Math.min(10, Math.max(0, failures - 1)));
  return Date.parse(last.startedAt) + gap;
}

/**
 * `db-etcd-1f3a90c2-20260131T000000Z.db`: of which resource, and when it was begun. The UID's first digits keep it apart from one of the same
 * name that was there before, or is in another Kubernetes cluster, and a-b/c from a/b-c.
 */
function nameOf({resource: {metadata}, now}: Observation): {name: string; helper: string} {
  const stamp = `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  const {namespace = 'default', name = '', uid = ''} = metadata;
  return {name: `${`${namespace}-${name}`.slice(0, 171)}-${uid.slice(0, 8)}-${stamp}.db`, helper: `${name.slice(0, 220)}-backup-${stamp.toLowerCase()}`};
}

/**
 * Brings `status.backups` and the condition BackedUp up to what is seen, and says what is done now. Asked with every member asked, while no
 * run is in flight.
 * @param ask whether it is this one's turn; without it, it always is
 */
export function settleBackups(observation: Observation, ask?: AskBackupTurn): BackingUp {
  const {status, spec, savers, set} = observation;
  if (set === undefined) return {actions: [], why: ''};
  if (spec.backups === undefined) {
    delete status.backups;
    sayBackups(observation, undefined);
    return {actions: takeAway(savers), why: 'taking pods away that took snapshots, as spec.backups is gone'};
  }
  const backups = status.backups ?? {since: iso(observation.now)};
  status.backups = backups;
  const others = takeAway(savers.filter(({metadata}) => metadata?.name !== backups.current?.helper));
  const done = backups.current === undefined ? begin(observation, backups, ask) : goOn(observation, backups, backups.current);
  sayBackups(observation, done.waits);
  return {actions: [...others, ...done.actions], why: done.why, ...(done.inMs !== undefined && {inMs: Math.max(100, done.inMs)})};
}

const iso = (ms: number): string => new Date(ms).toISOString();

const takeAway = (pods: readonly V1Pod[]): Action[] => pods.filter((pod) => !isTerminating(pod)).map((pod): Action => ({type: 'DeletePod', pod}));

type Step = BackingUp & {waits?: string | undefined};

function begin(observation: Observation, backups: Backups, ask: AskBackupTurn | undefined): Step {
  const due = dueAt(backups, observation);
  if (due > observation.now) return {actions: [], why: '', inMs: due - observation.now, ...(backups.last === undefined && {waits: `the first one is taken at ${iso(due)}, so that not all begin together`})};
  const against = noBackupNow(observation);
  const source = against === undefined ? backupSource(observation) : undefined;
  if (source === undefined) return {actions: [], why: '', waits: against?.why ?? 'no member can be snapshotted', ...(against?.toldOf !== true && {inMs: againMs})};
  const turn = ask?.(due);
  if (turn?.kind === 'Waits') return {actions: [], why: '', waits: turn.why, inMs: turn.inMs};
  const {view, answer, leads} = source;
  const current: Current = {
    ...nameOf(observation), pod: view.pod, memberID: answer.status.memberID, clusterID: answer.clusterID, version: answer.status.version, revision: answer.status.revision,
    startedAt: iso(observation.now), store: storeInWords(observation.spec),
  };
  backups.current = current;
  return {
    actions: [{type: 'CreatePod', pod: backupPod(observation, view, sourceOf(observation, view), current)}], inMs: lookMs,
    why: `taking snapshot ${current.name} from ${view.pod}${leads ? ', which leads: no follower is fit for it' : ''}`,
  };
}

function goOn(observation: Observation, backups: Backups, current: Current): Step {
  const {savers, now, ordinals} = observation;
  const since = now - Date.parse(current.startedAt);
  const pod = savers.find(({metadata}) => metadata?.name === current.helper);
  if (pod === undefined) {
    if (since > startsWithinMs) return end(observation, backups, current, undefined, current.problem === undefined ? {reason: 'Interrupted', message: 'its pod was taken away'} : {reason: 'PodRefused', message: current.problem});
    const view = ordinals.find((candidate) => candidate.pod === current.pod);
    const answers = view?.probe.kind === 'Answered' && view.probe.status.memberID === current.memberID;
    const against = noBackupNow(observation);
    if (view === undefined || !answers || against !== undefined) {
      return end(observation, backups, current, undefined, {reason: 'Interrupted', message: against?.why ?? `${current.pod} does not answer as member ${current.memberID} any more`});
    }
    current.store = storeInWords(observation.spec);
    return {actions: [{type: 'CreatePod', pod: backupPod(observation, view, sourceOf(observation, view), current)}], why: `taking snapshot ${current.name} from ${current.pod}`, inMs: lookMs};
  }
  const report = agentReport(pod);
  if (report !== undefined) {
    if (report.ok && report.command === 'store-save') return saved(observation, backups, current, pod, report);
    const {reason, message} = report.ok ? {reason: 'Internal', message: `its pod reports ${report.command}`} : report;
    return end(observation, backups, current, pod, {reason, message});
  }
  if (pod.status?.phase !== 'Running' && since > startsWithinMs) {
    return end(observation, backups, current, pod, {reason: 'NotStarted', message: `its pod ${current.helper} did not start: ${podCause(pod) ?? 'Kubernetes does not say why; look at its events'}`});
  }
  if (since > lostMs) return end(observation, backups, current, pod, {reason: 'NodeLost', message: `nothing is heard of its pod ${current.helper}`});
  return {actions: [], why: '', inMs: lookMs};
}

function saved(observation: Observation, backups: Backups, current: Current, pod: V1Pod, report: Extract<ReturnType<typeof agentReport>, {ok: true; command: 'store-save'}>): Step {
  const {snapshot: {name, takenAt, revision, bytes, sha256}, kept, pruneProblem} = report;
  const {pod: of, memberID, clusterID, startedAt} = current;
  const finishedAt = iso(observation.now);
  backups.lastSuccess = {name, pod: of, memberID, clusterID, startedAt, takenAt, finishedAt, revision, bytes, sha256, kept, ...(current.store !== undefined && {store: current.store})};
  const message = pruneProblem === undefined ? undefined : `it was saved; what is kept no longer could not be taken away: ${pruneProblem}`;
  backups.last = {name, pod: of, memberID, clusterID, startedAt, finishedAt, saved: true, ...(message !== undefined && {message})};
  delete backups.current;
  delete backups.failures;
  return {actions: takeAway([pod]), why: `snapshot ${name} was saved at revision ${revision}`, inMs: dueAt(backups, observation) - observation.now};
}

function end(observation: Observation, backups: Backups, current: Current, pod: V1Pod | undefined, {reason, message}: {reason: string; message: string}): Step {
  const {name, pod: of, memberID, clusterID, startedAt} = current;
  backups.last = {name, pod: of, memberID, clusterID, startedAt, finishedAt: iso(observation.now), saved: false, reason, message: message.slice(0, 2_000)};
  backups.failures = (backups.failures ?? 0) + 1;
  delete backups.current;
  return {
    actions: pod === undefined ? [] : takeAway([pod]), why: `snapshot ${name} was not saved (${reason}): ${message}`, inMs: dueAt(backups, observation) - observation.now,
  };
}

/** What the API server says against the pod that was to be made, if anything. */
export function recordBackupProblem(backups: Backups | undefined, outcomes: readonly Outcome[]): boolean {
  const [problem] = outcomes.flatMap((outcome) => (outcome.kind === 'done' ? [] : ['message' in outcome ? outcome.message : outcome.why]));
  if (problem === undefined || backups?.current === undefined) return false;
  backups.current.problem = problem.slice(0, 1_000);
  return true;
}
