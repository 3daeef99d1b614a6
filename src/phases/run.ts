import {randomBytes} from 'node:crypto';
import {databaseOwner} from '../api/strategies.ts';
import {leftOpen} from '../decide/interrupt.ts';
import type {Observation} from '../observe/observation.ts';
import type {QuorumRecoverySpec, QuorumRecoveryStatus, Run, StepRecord} from '../api/types.ts';

const iso = (now: number) => new Date(now).toISOString();

/**
 * Whether the resource asks for a run: it never had one, spec.trigger.request has another value than the last one's, or the last one
 * ended before it had done anything, for a reason that has passed.
 */
export function wantsRun({spec, status}: Pick<Observation, 'spec' | 'status'>): boolean {
  const {run} = status;
  const {type, request} = spec.trigger;
  if (spec.paused) return false;
  if (run === undefined) return type === 'Manual' || request !== undefined;
  // One that began by itself begins again by itself, if it still has a reason to.
  return run.finishedAt !== undefined && (run.request !== request || (leftOpen({status}) && (run.trigger ?? 'Manual') === 'Manual'));
}

/** Names of a run's pods and directories carry it. */
export const newRunID = (): string => `run-${randomBytes(4).toString('hex')}`;

/** A run that a person asks for begins the counts anew. */
function countAttempt(draft: QuorumRecoveryStatus, trigger: NonNullable<Run['trigger']>): void {
  const {automatic, autoReplace} = draft;
  switch (trigger) {
    case 'Manual':
      delete draft.automatic;
      delete draft.autoReplace;
      return;
    case 'OnQuorumLoss':
      draft.automatic = {...automatic, attempts: (automatic?.attempts ?? 0) + 1};
      return;
    case 'AutoReplace':
      draft.autoReplace = {members: [], attempts: (autoReplace?.attempts ?? 0) + 1, ...(autoReplace?.endedAt !== undefined && {endedAt: autoReplace.endedAt})};
  }
}

/** Dependents that a run had to leave at 0, with the counts that they had; also those of a run before it, which it never came to stop. */
function leftBy(run: Run | undefined): NonNullable<Run['leftStopped']> {
  const {dependents = [], leftStopped = []} = run ?? {};
  const own = dependents.flatMap(({kind, name, uid, replicas, state}) => (state !== 'Returned' && replicas !== undefined ? [{kind, name, uid, replicas}] : []));
  return [...own, ...leftStopped.filter(({kind, name}) => !dependents.some((record) => record.kind === kind && record.name === name))];
}

/**
 * Begins a run. What an earlier one left held stays held: one that lets everything go leaves no name held, so that it had changed the
 * membership, and what is on their disks may be no member's any more. A run that is let go must not let go of them.
 */
export function startRun(draft: QuorumRecoveryStatus, spec: QuorumRecoverySpec, now: number, {trigger = 'Manual', id = newRunID(), operator}: {trigger?: Run['trigger']; id?: string; operator?: string | undefined} = {}): void {
  const {request} = spec.trigger;
  countAttempt(draft, trigger);
  const heldBefore = draft.heldPods ?? [];
  const leftStopped = leftBy(draft.run);
  draft.run = {
    id, attempt: (draft.run?.attempt ?? 0) + 1, ...(request !== undefined && {request}), trigger, ...(draft.lastHealthy?.leader !== undefined && {previousLeader: draft.lastHealthy.leader}), ...(operator !== undefined && {operator}), ...(heldBefore.length > 0 && {heldBefore}), ...(leftStopped.length > 0 && {leftStopped}),
    startedAt: iso(now), steps: [{name: 'Plan', state: 'Running', startedAt: iso(now)}],
  };
  delete draft.dataLoss;
  delete draft.findings;
}

/** A degraded run goes on with the members that waited; what was verified is verified again. */
export function reopen(draft: QuorumRecoveryStatus, steps: readonly string[], spec: QuorumRecoverySpec): void {
  const {run} = draft;
  if (run === undefined) return;
  delete run.finishedAt;
  delete run.outcome;
  delete draft.findings;
  if (spec.trigger.request === undefined) delete run.request;
  else run.request = spec.trigger.request;
  for (const step of run.steps) {
    const late = steps.includes(step.name);
    if (!late && step.name !== 'Verify' && step.name !== 'Release') continue;
    Object.assign(step, {state: 'Pending', message: 'a member that waited may join now'});
    delete step.startedAt;
    delete step.finishedAt;
  }
  for (const join of run.joins ?? []) if (steps.includes(`Join ${join.pod}`)) delete join.deferred;
}

function stepOf(run: Run, name: string): StepRecord {
  const found = run.steps.find((step) => step.name === name);
  if (found) return found;
  const made: StepRecord = {name, state: 'Pending'};
  run.steps.push(made);
  return made;
}

export function markRunning(run: Run, name: string, message: string, now: number): void {
  const step = stepOf(run, name);
  if (step.state === 'Deferred') {
    for (const join of run.joins ?? []) if (name === `Join ${join.pod}`) delete join.deferred;
    delete step.startedAt;
    delete step.finishedAt;
  }
  step.state = 'Running';
  step.startedAt ??= iso(now);
  step.message = message;
}

export function markEnded(run: Run, name: string, state: 'Done' | 'Deferred' | 'Failed', message: string, now: number): void {
  const step = stepOf(run, name);
  step.state = state;
  step.startedAt ??= iso(now);
  step.finishedAt = iso(now);
  step.message = message;
}

const seconds = (from: string, to: string) => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);

/** A run that found nothing to do, or that a person ended, is no attempt; the cooldown counts from the end of a real one. */
function settleTrigger(draft: QuorumRecoveryStatus, run: Run): void {
  delete draft.suspicion;
  delete draft.quorumEnded;
  settleReplacement(draft, run);
  if (run.trigger !== 'OnQuorumLoss' || draft.automatic === undefined) return;
  const idle = run.outcome === 'NotNeeded' || run.outcome === 'Released';
  const attempts = idle ? draft.automatic.attempts - 1 : draft.automatic.attempts;
  const endedAt = idle ? draft.automatic.endedAt : run.finishedAt;
  if (attempts > 0) draft.automatic = {attempts, ...(endedAt !== undefined && {endedAt})};
  else delete draft.automatic;
}

/** Here the cooldown counts from an idle one too: what it found in the way may come and go. */
function settleReplacement(draft: QuorumRecoveryStatus, {trigger, outcome, finishedAt}: Run): void {
  if (trigger !== 'AutoReplace' || draft.autoReplace === undefined) return;
  const {attempts = 1} = draft.autoReplace;
  const left = outcome === 'NotNeeded' || outcome === 'Released' ? attempts - 1 : attempts;
  draft.autoReplace = {members: [], ...(left > 0 && {attempts: left}), ...(finishedAt !== undefined && {endedAt: finishedAt})};
}

/** Ends a run and writes its line of the history (the last ten are kept). */
export function finishRun(draft: QuorumRecoveryStatus, outcome: NonNullable<Run['outcome']>, now: number): void {
  const {run} = draft;
  if (run === undefined) return;
  run.outcome = outcome;
  run.finishedAt = iso(now);
  settleTrigger(draft, run);
  if (run.force?.endedAt !== undefined || run.newCluster?.servedAt !== undefined) delete draft.regression;
  const lost = draft.conditions?.find((condition) => condition.type === 'QuorumLost' && condition.status === 'True')?.lastTransitionTime;
  const since = lost !== undefined && lost < run.startedAt ? lost : run.startedAt;
  const entry = {
    id: run.id, outcome, finishedAt: run.finishedAt, durationSeconds: seconds(run.startedAt, run.finishedAt),
    ...(run.aborted && {reason: run.aborted.reason}),
    ...(run.plan && {strategy: run.plan.strategy, survivor: databaseOwner(run.plan) ?? run.plan.survivor}),
    ...(run.writableAt !== undefined && {unavailableSeconds: seconds(since, run.writableAt)}),
    ...(draft.dataLoss && run.plan && {dataLoss: draft.dataLoss}),
  };
  draft.history = [entry, ...(draft.history ?? []).filter((past) => past.id !== run.id)].slice(0, 10);
}
