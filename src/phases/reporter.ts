import {databaseOwner, strategyWords} from '../api/strategies.ts';
import type {QuorumRecovery} from '../api/types.ts';
import type {Decision} from '../decide/decision.ts';
import {revisionsMayRepeat} from '../decide/plans/revisions.ts';
import {findCondition} from '../operator/conditions.ts';
import type {EventRecorder} from '../operator/events.ts';
import type {Logger} from '../operator/log.ts';
import type {Metrics} from '../operator/metrics.ts';
import {kindOfStep} from '../operator/resource-metrics.ts';
import {dependentEvents} from './dependentEvents.ts';
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

  /** Another installation may act on it now, or does. */
  leftAlone(resource: QuorumRecovery, why: 'NotServed' | 'LetGo' | 'Theirs'): void {
    const {id = '', operator = ''} = resource.status?.run ?? {};
    const {namespace, name} = resource.metadata;
    if (why === 'NotServed') {
      this.#log.debug({namespace, name}, 'this operator does not serve the resource (any more)');
      return;
    }
    const words = why === 'LetGo'
      ? 'the resource or its namespace does not have the labels any more that this operator serves, and nothing was touched yet: the run is left to the operator that serves it now'
      : `the operator with the Lease ${operator} carries this run out; this one, which serves the resource too, does nothing until the run has ended or nobody holds that Lease`;
    this.#once(resource, id, why === 'LetGo' ? 'LetGo' : 'OtherOperator', words);
  }

  /** The run of a resource that is not served any more. */
  finishes(resource: QuorumRecovery): void {
    this.#once(resource, resource.status?.run?.id ?? '', 'FinishedFirst', 'the resource or its namespace does not have the labels any more that this operator serves; pods are stopped already, so the run is ended here first');
  }

  /** The resource goes, and with it whoever would bring these back. Empty: there are none. */
  leavesStopped(resource: QuorumRecovery, words: string): void {
    if (words !== '') this.#once(resource, resource.status?.run?.id ?? '', 'DependentNotReady', words);
  }

  takes(resource: QuorumRecovery, before: string | undefined): void {
    const {namespace, name} = resource.metadata;
    this.#log.info({namespace, name, run: resource.status?.run?.id, before}, before === undefined ? 'This operator carries the run out from here on' : `This operator carries the run out from here on: nobody holds the Lease ${before}`);
  }

  /** Said of each run only once, though it is found again at each look. */
  #once(resource: QuorumRecovery, run: string, reason: string, words: string): void {
    if (this.#repeats(`${run} ${reason}`, reason, words)) return;
    const {namespace, name} = resource.metadata;
    this.#log.warn({namespace, name, run}, words);
    this.#event(resource, 'Warning', reason, words);
  }

  written(before: QuorumRecovery, after: QuorumRecovery): void {
    if (before === after) return;
    measureRun(this.#metrics, before.status, after.status ?? {});
    this.#steps(before, after);
    const {status: was} = before;
    const is = after.status ?? {};
    this.#planned(before, after);
    this.#watched(before, after);
    this.#leadership(before, after);
    this.#findings(before, after);
    this.#backups(before, after);
    for (const {type, reason, note} of dependentEvents(was, is)) this.#event(after, type, reason, note);
    this.#revisions(before, after);
    const ready = findCondition(is.conditions, 'Ready');
    const same = ready?.reason === findCondition(was?.conditions, 'Ready')?.reason && is.phase === was?.phase;
    if (ready === undefined || same) return;
    if (is.phase === 'Suspected' || is.phase === 'Blocked' || is.phase === 'Stalled' || is.phase === 'Failed') this.#event(after, 'Warning', ready.reason, ready.message);
    else if (is.phase === 'AwaitingApproval') this.#event(after, 'Normal', ready.reason, ready.message);
    else if (is.phase === 'Complete') this.#event(after, ready.status === 'True' ? 'Normal' : 'Warning', ready.reason, ready.message);
  }

  #planned({status: was}: QuorumRecovery, after: QuorumRecovery): void {
    const {run} = after.status ?? {};
    if (was?.run?.plan !== undefined || run?.plan === undefined) return;
    this.#event(after, 'Normal', 'Planned', `run ${run.id}: ${strategyWords(run.plan.strategy, databaseOwner(run.plan)).does(run.plan)} (${run.plan.why})`);
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

  /** What is wrong with a cluster that serves, when it is found. A member that does not answer, and then catches up, is told by its pod's own events. */
  #findings({status: was}: QuorumRecovery, after: QuorumRecovery): void {
    for (const {case: what, pod, service, message} of after.status?.findings ?? []) {
      const same = (was?.findings ?? []).filter((finding) => finding.pod === pod && finding.service === service);
      const known = same.some((finding) => finding.case === what) || (what === 'MemberBehind' && same.length > 0);
      if (!known && what !== 'MemberNotAnswering') this.#event(after, 'Warning', what, message);
    }
  }

  /** What became of a request to move leadership. */
  #leadership({status: was}: QuorumRecovery, after: QuorumRecovery): void {
    const move = after.status?.leadership?.move;
    const before = was?.leadership?.move;
    if (move === undefined) return;
    const known = before?.askedAt === move.askedAt ? before : undefined;
    if (move.movedAt !== undefined && known?.movedAt === undefined) this.#event(after, 'Normal', 'LeaderMoved', `leadership went from ${move.from} to ${move.to} (spec.preferredLeader)`);
    if (move.failed !== undefined && known?.failed === undefined) this.#event(after, 'Warning', 'LeaderNotMoved', findCondition(after.status?.conditions, 'PreferredLeader')?.message ?? move.failed);
  }

  /** Each that failed, and the first that was saved, or was again. */
  #backups({status: was}: QuorumRecovery, after: QuorumRecovery): void {
    const last = after.status?.backups?.last;
    const before = was?.backups?.last;
    if (last === undefined || (before?.name === last.name && before.finishedAt === last.finishedAt)) return;
    if (!last.saved) this.#event(after, 'Warning', 'BackupFailed', `snapshot ${last.name} from ${last.pod} was not saved (${last.reason ?? ''}): ${last.message ?? ''}`);
    else if (last.message !== undefined) this.#event(after, 'Warning', 'BackupNotPruned', `snapshot ${last.name}: ${last.message}`);
    else if (before?.saved !== true) this.#event(after, 'Normal', 'BackupSaved', `snapshot ${last.name} from ${last.pod} was verified and saved at revision ${after.status?.backups?.lastSuccess?.revision ?? 0}`);
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
