import type {QuorumRecovery} from '../api/types.ts';
import type {Decision} from '../decide/decision.ts';
import {revisionsMayRepeat} from '../decide/revisions.ts';
import {findCondition} from '../operator/conditions.ts';
import type {EventRecorder} from '../operator/events.ts';
import type {Logger} from '../operator/log.ts';
import type {Metrics} from '../operator/metrics.ts';
import {kindOfStep} from '../operator/resource-metrics.ts';
import {endedSteps, measureRun} from './measuring.ts';

/** Says what was decided and what was written: one log line a decision, events and metrics after the status write that they tell of. */
export class Reporter {
  readonly #log: Logger;
  readonly #events: EventRecorder;
  readonly #metrics: Metrics;
  /** What was said of the present step of each run: trying again says nothing new. */
  readonly #said = new Map<string, {step: string; lines: Set<string>}>();

  constructor(log: Logger, events: EventRecorder, metrics: Metrics) {
    this.#log = log;
    this.#events = events;
    this.#metrics = metrics;
  }

  decided({metadata}: QuorumRecovery, run: string, step: string, decision: Decision): void {
    const words = 'why' in decision ? decision.why : decision.message;
    if (this.#repeats(run, step, `${decision.kind}/${words}`)) return;
    const log = this.#log.child({namespace: metadata.namespace, name: metadata.name, run, step});
    const fields = {decision: decision.kind, ...('reason' in decision && {reason: decision.reason}), ...(decision.kind === 'act' && {actions: decision.actions.map((action) => action.type)})};
    if (decision.kind === 'blocked' || decision.kind === 'stalled' || decision.kind === 'abort') log.warn(fields, words);
    else log.info(fields, words);
  }

  #repeats(run: string, step: string, line: string): boolean {
    const said = this.#said.get(run);
    if (said?.step === step && said.lines.has(line)) return true;
    if (said?.step === step && said.lines.size < 200) said.lines.add(line);
    else this.#said.set(run, {step, lines: new Set([line])});
    if (this.#said.size > 1_000) this.#said.delete(this.#said.keys().next().value ?? '');
    return false;
  }

  unreadableStatus(resource: QuorumRecovery, problem: string, needed: boolean): void {
    const {namespace, name} = resource.metadata;
    const words = needed
      ? 'the status cannot be read in the middle of a run: nothing is done. Install the CRD of this version of the operator, or the version of the operator that wrote it'
      : 'the status cannot be read and counts as absent';
    this.#log.error({namespace, name, problem}, words);
    if (needed) this.#event(resource, 'Warning', 'StatusUnreadable', words);
  }

  written(before: QuorumRecovery, after: QuorumRecovery): void {
    if (before === after) return;
    measureRun(this.#metrics, before.status, after.status ?? {});
    this.#steps(before, after);
    const {status: was} = before;
    const is = after.status ?? {};
    if (was?.run?.plan === undefined && is.run?.plan !== undefined) this.#event(after, 'Normal', 'Planned', `run ${is.run.id}: start from ${is.run.plan.survivor} (${is.run.plan.why})`);
    this.#watched(before, after);
    this.#revisions(before, after);
    const ready = findCondition(is.conditions, 'Ready');
    const same = ready?.reason === findCondition(was?.conditions, 'Ready')?.reason && is.phase === was?.phase;
    if (ready === undefined || same) return;
    if (is.phase === 'Suspected' || is.phase === 'Blocked' || is.phase === 'Stalled' || is.phase === 'Failed') this.#event(after, 'Warning', ready.reason, ready.message);
    else if (is.phase === 'AwaitingApproval') this.#event(after, 'Normal', ready.reason, ready.message);
    else if (is.phase === 'Complete') this.#event(after, ready.status === 'True' ? 'Normal' : 'Warning', ready.reason, ready.message);
  }

  /** Whether clients have to do something is known from the forced start on. */
  #revisions({status: was}: QuorumRecovery, after: QuorumRecovery): void {
    const revisions = after.status?.dataLoss?.revisions;
    if (revisions === undefined || revisions.proven || was?.dataLoss?.revisions !== undefined) return;
    this.#event(after, 'Warning', 'RevisionsMayRepeat', `the revision was moved from ${revisions.from} to ${revisions.to} (${revisions.why}). ${revisionsMayRepeat}`);
  }

  /** What was seen without a run. */
  #watched({status: was = {}}: QuorumRecovery, after: QuorumRecovery): void {
    const {status: is = {}} = after;
    if (is.regression !== undefined && was.regression === undefined) this.#event(after, 'Warning', 'DataRegressed', is.regression.message);
    const sameRun = is.run?.id === was.run?.id;
    if (was.suspicion !== undefined && is.suspicion === undefined && sameRun && is.phase !== 'Stalled') this.#event(after, 'Normal', 'QuorumServes', 'a quorum serves again: nothing was done');
  }

  /** One event for each step that ended with this write. */
  #steps(before: QuorumRecovery, after: QuorumRecovery): void {
    for (const {name, state, message} of endedSteps(before.status, after.status ?? {})) {
      this.#event(after, state === 'Done' ? 'Normal' : 'Warning', `${kindOfStep(name)}${state}`, message ?? name);
    }
  }

  #event(resource: QuorumRecovery, type: 'Normal' | 'Warning', reason: string, note: string): void {
    this.#events.record({regarding: resource, type, reason, action: 'Recover', note});
  }
}
