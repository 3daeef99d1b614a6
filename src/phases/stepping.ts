import type {QuorumRecovery, Run} from '../api/types.ts';
import type {Action, Decision, Outcome} from '../decide/decision.ts';
import {interrupted} from '../decide/interrupt.ts';
import {keptBy} from '../decide/kept.ts';
import type {NextStep} from '../decide/next.ts';
import type {Standing} from '../decide/summary.ts';
import type {Observed} from '../observe/observe.ts';
import type {Executor} from './executor.ts';
import type {Pass} from './pass.ts';
import type {Reporter} from './reporter.ts';
import {finishRun, markEnded, markRunning} from './run.ts';

/** How soon it is looked at again whether a run that stands still may go on, ms. */
const blockedMs = 3_000;

/** A decision about a step, and what it is carried out on. */
interface Step<D extends Decision = Decision> {
  base: QuorumRecovery;
  observed: Observed;
  run: Run;
  name: string;
  decision: D;
  standing: Standing;
}

type Acting = Step<Extract<Decision, {kind: 'act'}>>;

/** Carries out what was decided about the step of a run: its intent is written, it is done, and what came of it is recorded. */
export class Stepping {
  readonly #executor: Executor;
  readonly #reporter: Reporter;

  constructor(executor: Executor, reporter: Reporter) {
    this.#executor = executor;
    this.#reporter = reporter;
  }

  /** @param unwritten something was recorded in the status that is not written yet */
  async step(base: QuorumRecovery, observed: Observed, {name, decision}: NextStep, unwritten: boolean): Promise<Pass> {
    const {observation} = observed;
    const {status, now} = observation;
    const {run} = status;
    if (run === undefined) throw new Error('a step without a run');
    const stopped = interrupted(observation);
    const standing: Standing = {at: 'step', step: name, decision, ...(stopped && 'goesOn' in stopped && {note: stopped.goesOn})};
    const step = {base, observed, run, name, standing};
    this.#reporter.decided(base, run.id, name, decision);
    switch (decision.kind) {
      case 'done':
        decision.record?.(status);
        if (run.aborted) return await this.#finish({...step, decision}, 'Released');
        markEnded(run, name, 'Done', decision.message, now);
        return {base, draft: status, requeueMs: undefined, ...(unwritten && {unwritten})};
      case 'record':
        // Written with what is done next, before it is done.
        decision.record(status);
        markRunning(run, name, decision.why, now);
        return {base, draft: status, requeueMs: undefined, unwritten: true};
      case 'wait':
        return await this.#stand({...step, decision}, decision.why, decision.ms);
      case 'stalled': case 'blocked':
        if (decision.kind === 'blocked') decision.record?.(status);
        return await this.#stand({...step, decision}, decision.message, blockedMs);
      case 'not-needed':
        return await this.#finish({...step, decision}, 'NotNeeded');
      case 'failed':
        return await this.#finish({...step, decision}, 'Failed');
      case 'abort':
        run.aborted = {reason: decision.reason, message: decision.message};
        return {base: await this.#executor.write(base, status, standing), draft: status, requeueMs: undefined};
      case 'deferred': {
        markRunning(run, name, decision.message, now);
        decision.record(status);
        const intended = await this.#executor.intend(base, status, standing);
        const pass = await this.#act({...step, base: intended, decision: {kind: 'act', why: decision.message, actions: decision.actions ?? []}});
        // Only now: a step that counts as deferred is not looked at again, and a learner that was left would stop all others.
        if (pass.requeueMs === undefined) markEnded(run, name, 'Deferred', decision.message, now);
        return pass;
      }
      case 'act':
        return await this.#begin({...step, decision}, unwritten);
    }
  }

  /** Said, and looked at again later. */
  async #stand({base, observed: {observation: {status, now}}, run, name, standing}: Step, message: string, requeueMs: number): Promise<Pass> {
    markRunning(run, name, message, now);
    return {base: await this.#executor.write(base, status, standing), draft: status, requeueMs};
  }

  /** The run ends with this step. One that found nothing to do has left nothing that would have to be kept. */
  async #finish({base, observed: {observation}, run, name, decision}: Step<Extract<Decision, {kind: 'done' | 'not-needed' | 'failed'}>>, outcome: 'Released' | 'NotNeeded' | 'Failed'): Promise<Pass> {
    const {status, now} = observation;
    markEnded(run, name, outcome === 'Failed' ? 'Failed' : 'Done', decision.message, now);
    if (outcome !== 'NotNeeded') status.kept = keptBy(observation);
    finishRun(status, outcome, now);
    return {base: await this.#executor.write(base, status, {at: 'watching'}), draft: status, requeueMs: undefined};
  }

  /** Acts, once the intent stands in the status. */
  async #begin(step: Acting, unwritten: boolean): Promise<Pass> {
    const {base, observed: {observation: {status, now}}, run, name, decision, standing} = step;
    // What changes nothing has no intent to write: its step was begun in the status before, and a write costs the critical path.
    const asks = decision.actions.every(asksOnly);
    if (asks && !unwritten && decision.record === undefined && isRunning(base, name)) return await this.#act(step);
    decision.record?.(status);
    markRunning(run, name, decision.why, now);
    // A plan is written with the first thing that comes of it: the hold, or why there is none.
    if (asks && name === 'Plan') return {...await this.#act(step), unwritten: true};
    // The resource is kept from the first act on a pod to the last.
    const kept = name === 'Plan' ? base : await this.#executor.keep(base);
    return await this.#act({...step, base: await this.#executor.intend(kept, status, standing)});
  }

  async #act({base, observed, run, name, decision}: Acting): Promise<Pass> {
    const {observation} = observed;
    const {status} = observation;
    const outcomes = await this.#executor.perform(observed, decision.actions);
    for (const outcome of outcomes) outcome.record?.(status);
    const hindered = hindrance(outcomes);
    if (hindered !== undefined) {
      this.#reporter.decided(base, run.id, name, hindered);
      if (hindered.kind === 'wait') markRunning(run, name, hindered.why, observation.now);
      // A plan whose trial pods were refused is no plan: the next pass plans anew.
      if (name === 'Plan') delete run.plan;
      return {base: await this.#executor.write(base, status, {at: 'step', step: name, decision: hindered}), draft: status, requeueMs: hindered.kind === 'wait' ? hindered.ms : blockedMs};
    }
    if (decision.completes) {
      const message = outcomes.map((outcome) => ('message' in outcome ? outcome.message : undefined)).find((text) => text !== undefined);
      markEnded(run, name, 'Done', message ?? decision.why, observation.now);
    }
    return {base, draft: status, requeueMs: undefined};
  }
}

/** What keeps an act from being done: a refusal before all that is only tried again. undefined: nothing. */
function hindrance(outcomes: readonly Outcome[]): Extract<Decision, {kind: 'blocked' | 'wait'}> | undefined {
  const refusal = outcomes.find((outcome) => outcome.kind === 'blocked');
  if (refusal) return {kind: 'blocked', reason: refusal.reason, message: refusal.message};
  const retry = outcomes.filter((outcome) => outcome.kind === 'retry');
  return retry.length === 0 ? undefined : {kind: 'wait', why: retry[0]?.why ?? '', ms: Math.min(...retry.map(({ms}) => ms))};
}

/** Proofs by trying: a dry run, or a check of an etcd whose only write is the probe key. */
const asksOnly = ({type}: Action) => type === 'DryRunPods' || type === 'TryDependents' || type === 'ReadEtcdutl' || type === 'ProveHold' || type === 'CheckForced' || type === 'ProveWrite' || type === 'ProveNewCluster' || type === 'VerifyMembers';

const isRunning = ({status}: QuorumRecovery, step: string) => status?.run?.steps.find((candidate) => candidate.name === step)?.state === 'Running';
