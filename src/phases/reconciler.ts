import type {V1Pod} from '@kubernetes/client-node';
import {inFlight, isPlanning} from '../api/progress.ts';
import {statusSchema} from '../api/status.ts';
import type {QuorumRecovery, QuorumRecoveryStatus, Run} from '../api/types.ts';
import {recordBackupProblem, settleBackups} from '../decide/backup/backups.ts';
import {sayBackups} from '../decide/backup/backupWords.ts';
import type {BackingUp} from '../decide/backup/backups.ts';
import type {Answer} from '../decide/watch/calm.ts';
import type {Action, Decision, Outcome} from '../decide/decision.ts';
import {unseenOwed} from '../decide/dependents.ts';
import {interrupted} from '../decide/interrupt.ts';
import {depthFor} from '../decide/depth.ts';
import {nextStep, reopens} from '../decide/next.ts';
import type {NextStep} from '../decide/next.ts';
import {settleFindings} from '../decide/watch/findings.ts';
import type {Doubt} from '../decide/watch/findings.ts';
import {recordRefusal, settleLeadership} from '../decide/watch/leadership.ts';
import type {MoveLeader} from '../decide/watch/leadership.ts';
import {keptBy, prune} from '../decide/kept.ts';
import {isReplacement} from '../decide/replace.ts';
import {isRestart} from '../decide/restart.ts';
import {leftHelpers} from '../decide/steps/release.ts';
import {settleQuorumEnded} from '../decide/evidence/quorumEnded.ts';
import {leaveNothing} from '../decide/evidence/strays.ts';
import {leftStoppedInWords} from '../decide/steps/dependents.ts';
import {ProcessLedger, refreshMembers, refreshRecords} from '../decide/watch/records.ts';
import type {Standing} from '../decide/summary.ts';
import {summarize} from '../decide/summary.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import type {EtcdAccess} from '../observe/access.ts';
import {Launches} from '../observe/launches.ts';
import type {Observation} from '../observe/observation.ts';
import type {Observed} from '../observe/observe.ts';
import {observe} from '../observe/observe.ts';
import type {Depth, Watched} from '../observe/observe.ts';
import type {Sentinels} from '../observe/sentinels.ts';
import {keyOf, keyText} from '../operator/keys.ts';
import {ConflictError} from '../operator/status.ts';
import type {BackupTurns} from '../operator/backupTurns.ts';
import type {Turns} from '../operator/turns.ts';
import type {StatusWriter} from '../operator/status.ts';
import {CalmWitness} from './calmWitness.ts';
import {Custodian} from './custodian.ts';
import type {Installation} from './custodian.ts';
import {goesLate, mayDepart} from './departing.ts';
import {addFinalizer, dropFinalizer, hasFinalizer} from './finalizer.ts';
import {HeavyActs} from './heavy.ts';
import {perform} from './perform.ts';
import type {Reporter} from './reporter.ts';
import {finishRun, markEnded, markRunning, startRun, wantsRun} from './run.ts';
import {nextLook, Watching} from './watching.ts';
import type {Look, Seen} from './watching.ts';
import {specOf} from './specOf.ts';
import type {UsedSpec} from './specOf.ts';

export interface RecovererOptions {
  client: KubernetesClient;
  status: StatusWriter;
  etcd: EtcdAccess;
  reporter: Reporter;
  /** What watches clusters beside the looks. undefined: every look is a full one. */
  sentinels?: Sentinels;
  watched?: Watched;
  /** Whose turn it is to begin a run by itself. undefined: everybody's, at once. */
  turns?: Turns;
  /** Whose turn it is to begin a snapshot. undefined: everybody's, at once. */
  backupTurns?: BackupTurns;
  /** Where other installations may be beside this one. undefined: this is the only one, and serves everything. */
  installation?: Installation;
  agentImage: string | undefined;
  now: () => number;
  /** Where the same has to happen twice: names of runs that are not drawn at random. */
  newRunID?: () => string;
  /** Aborted when this replica does not lead any more: no act is begun after it. */
  signal: AbortSignal;
}

/** How often a resource is looked at while nothing happens, ms. Pod and node events come at once. */
const watchMs = 30_000;
/** The same while a member that should answer does not, ms. */
const watchSilentMs = 5_000;
const blockedMs = 3_000;
/** Passes of one reconcile before others get their turn. */
const maxPasses = 50;

interface Pass {
  base: QuorumRecovery;
  draft: QuorumRecoveryStatus;
  /** undefined: at once again. */
  requeueMs: number | undefined;
  /** Nobody waits for the next look. */
  routine?: true;
  /** Something was recorded in `draft` that is not written yet: whatever comes next writes it first. */
  unwritten?: true;
}

/** observe → decide → act → record, one step at a time, from what is there: nothing is remembered but the ends of processes. */
export class Recoverer {
  readonly #options: RecovererOptions;
  readonly #ledger = new ProcessLedger();
  readonly #watching: Watching;
  readonly #custodian: Custodian;
  readonly #launches = new Launches();
  readonly #heavy = new HeavyActs();
  readonly #witness: CalmWitness;
  /** What was seen of clusters that serve and is no finding yet, by resource. */
  readonly #doubts = new Map<string, Doubt[]>();

  constructor(options: RecovererOptions) {
    this.#options = options;
    const {sentinels, status, now, watched} = options;
    this.#witness = new CalmWitness(status, now, (key) => watched?.resource(key));
    this.#watching = new Watching(sentinels, options.turns);
    this.#custodian = new Custodian(options.installation, status, options.reporter);
  }

  /** Every pod event of a watched namespace, DELETED included. */
  onPod(pod: V1Pod): void {
    this.#ledger.see(pod, this.#options.now());
  }

  /** The member in this pod has had no leader for longer than an election takes: the resource is to be reconciled now. */
  onLeaderless(key: string, pod: string): void {
    this.#watching.push(key, pod);
  }

  /** A member of a calm cluster has answered as it did before. */
  async onAnswer(key: string, answers: readonly Answer[]): Promise<void> {
    await this.#witness.renew(key, answers);
  }

  /** A look at a resource: at everything that can be asked. */
  async reconcile(key: {namespace: string; name: string}): Promise<{requeueAfterMs?: number; routine?: true}> {
    this.#watching.stir(keyText(key));
    const read = await this.#options.client.get('QuorumRecovery', key.namespace, key.name);
    if (read === undefined) {
      this.#doubts.delete(keyText(key));
      this.#watching.leave(keyText(key));
      return {};
    }
    const claimed = await this.#custodian.claim(read);
    if (!claimed.acts) {
      this.#watching.leave(keyText(key));
      return claimed.requeueAfterMs === undefined ? {} : {requeueAfterMs: claimed.requeueAfterMs};
    }
    // What this process has written itself it need not check.
    const readable = this.#options.status.isOwnWrite(read) ? read : this.#withReadableStatus(read);
    if (readable === undefined) return {requeueAfterMs: watchMs};
    const resource = claimed.take ? await this.#custodian.take(readable) : readable;
    let pass: Pass = {base: resource, draft: structuredClone(resource.status ?? {}), requeueMs: undefined};
    for (let passes = 0; passes < maxPasses && !this.#options.signal.aborted; passes += 1) {
      const used = specOf({...pass.base, status: pass.draft});
      if (used.spec === undefined) {
        await this.#write(pass.base, pass.draft, {at: 'stalled', reason: 'InvalidSpec', message: used.problem});
        return {};
      }
      pass = await this.#pass(pass, used);
      if (pass.requeueMs !== undefined) return {requeueAfterMs: pass.requeueMs, ...(pass.routine && {routine: true})};
    }
    return {requeueAfterMs: 100};
  }

  /**
   * A status that another version wrote and this one cannot read counts as absent, and that is said. Not so in the middle of a run, or
   * while pods are held: forgetting that would be worse than standing still.
   */
  #withReadableStatus(resource: QuorumRecovery): QuorumRecovery | undefined {
    const parsed = statusSchema.safeParse(resource.status ?? {});
    if (parsed.success) return {...resource, status: parsed.data};
    const {run, heldPods = []} = resource.status ?? {};
    const needed = heldPods.length > 0 || (run !== undefined && run.finishedAt === undefined);
    this.#options.reporter.unreadableStatus(resource, parsed.error.message, needed);
    return needed ? undefined : {...resource, status: {}};
  }

  async #observe(base: QuorumRecovery, status: QuorumRecoveryStatus, {spec, problem}: UsedSpec, depth: Depth): Promise<Observed> {
    return await observe({...this.#options, launches: this.#launches}, {...base, spec, status}, problem, depth);
  }

  /** undefined: nothing is decided yet, and another look comes first. */
  async #see(base: QuorumRecovery, draft: QuorumRecoveryStatus, used: UsedSpec): Promise<Seen | undefined> {
    const look = async (only?: string[]): Promise<Observed> => await this.#observe(base, draft, used, only === undefined ? depthFor(draft) : {only});
    return inFlight(draft.run) === undefined ? await this.#watching.see(keyText(keyOf(base)), this.#options.now(), look) : {observed: await look()};
  }

  async #pass({base, draft, unwritten}: Pass, used: UsedSpec): Promise<Pass> {
    const seen = await this.#see(base, draft, used);
    if (seen === undefined) return {base, draft, requeueMs: undefined};
    const {observed, pushed} = seen;
    const {observation} = observed;
    const status = observation.status;
    this.#ledger.apply(status);
    settleQuorumEnded(status, observation);
    // Only some were asked: enough to say that the quorum seems to be lost, and for nothing else.
    if (pushed !== undefined) return await this.#suspect(base, observed, pushed);
    if (mayDepart(observation)) return await this.#depart(base, observed);
    const stopped = interrupted(observation);
    if (stopped !== undefined && 'ends' in stopped && status.run) status.run.aborted ??= stopped.ends;
    const late = observation.spec.paused ? [] : reopens(observation);
    if (late.length > 0) this.#custodian.reopen(status, late, observation.spec);
    else if (wantsRun(observation) && base.metadata.deletionTimestamp === undefined) {
      if (status.run?.outcome === 'Degraded' && deferredSteps(status).length > 0) this.#custodian.reopen(status, deferredSteps(status), observation.spec);
      else startRun(status, observation.spec, observation.now, this.#beginning());
    }
    if (status.run === undefined || status.run.finishedAt !== undefined) return await this.#watch(base, observed);
    this.#watching.leave(keyText(keyOf(base)));
    if (status.backups !== undefined) sayBackups(observation, 'a run is in flight');
    if (used.problem === undefined) status.run.spec = JSON.stringify(used.spec);
    if (keepsRecords(status.run)) refreshRecords(status, observation);
    // A pod of those that stay may come and go meanwhile, and is made again once its last process has ended.
    else if (isReplacement(status.run)) refreshMembers(status, observation);
    const next = nextStep(observation);
    if (next === undefined) {
      // The end is told together with what every member says by then.
      const last = await this.#observe(base, status, used, 'Members');
      last.observation.status.kept = keptBy(last.observation);
      finishRun(last.observation.status, (status.heldPods ?? []).length > 0 ? 'Degraded' : 'Recovered', last.observation.now);
      return await this.#watch(base, last);
    }
    return await this.#step(base, observed, next, unwritten === true);
  }

  /** No run in flight: the records and the witness are kept fresh, and the resource is free to go. */
  async #watch(base: QuorumRecovery, observed: Observed): Promise<Pass> {
    const {observation} = observed;
    const status = observation.status;
    // A call of an operator that ended in between can come after the end of the run.
    const left = status.run?.finishedAt === undefined ? [] : leftHelpers(observation);
    if (left.length > 0) return await this.#clear(base, observed, left, 'taking helper pods away that came after the end of their run');
    const pruned = await this.#prune(base, observed);
    if (pruned) return pruned;
    if (observation.set !== undefined && observation.ordinals.some((view) => view.probe.kind !== 'NotAsked')) refreshRecords(status, observation);
    const found = this.#find(keyText(keyOf(base)), observation);
    const leading = settleLeadership(observation);
    const look = await this.#look(base, observed);
    if (look.begins) {
      startRun(status, observation.spec, observation.now, {trigger: look.replaces ? 'AutoReplace' : 'OnQuorumLoss', ...this.#beginning()});
      return {base, draft: status, requeueMs: undefined};
    }
    const {backupTurns} = this.#options;
    const backing = settleBackups(observation, backupTurns && ((due) => backupTurns.ask(observation.resource, due)));
    const written = await this.#write(base, status, look.standing);
    const freed = (status.heldPods ?? []).length === 0 && hasFinalizer(written) ? await this.#dropFinalizer(written, status) : undefined;
    if (leading.move !== undefined) return await this.#moveLeader(freed?.base ?? written, observed, leading.move);
    if (backing.actions.length > 0) return await this.#backUp(freed?.base ?? written, observed, backing, {standing: look.standing, isWritten: written !== base});
    if (freed !== undefined) return freed;
    const calm = look.calm !== undefined && found.inMs === undefined;
    if (look.calm !== undefined && calm) this.#watching.rest(keyText(keyOf(base)), look.calm);
    return {base: written, draft: status, ...nextLook(look, calm, [leading.inMs, found.inMs, backing.inMs], backing.inMs)};
  }

  #find(key: string, observation: Observation): ReturnType<typeof settleFindings> {
    const found = settleFindings(observation, this.#doubts.get(key) ?? []);
    this.#doubts.set(key, found.doubts);
    if (found.doubts.length === 0) this.#doubts.delete(key);
    return found;
  }

  /** Its intent stands in the status. What came of it, the next look at the members tells. */
  async #moveLeader(base: QuorumRecovery, observed: Observed, move: MoveLeader): Promise<Pass> {
    const {status} = observed.observation;
    const why = `asking ${move.from} to hand leadership over to ${move.to} (spec.preferredLeader)`;
    this.#options.reporter.decided(base, status.run?.id ?? '', 'MoveLeader', {kind: 'act', why, actions: [move]});
    for (const outcome of await this.#perform(observed, [move])) {
      if (outcome.kind === 'done') outcome.record?.(status);
      else recordRefusal('message' in outcome ? outcome.message : outcome.why)(status);
    }
    return {base, draft: status, requeueMs: undefined};
  }

  /** What is to be taken, or what became of it, stands in the status. The end of a pod that saves brings the next look. */
  async #backUp(base: QuorumRecovery, observed: Observed, {actions, why, inMs}: BackingUp, {standing, isWritten}: {standing: Standing; isWritten: boolean}): Promise<Pass> {
    const {status} = observed.observation;
    if (!isWritten) await this.#requireUndisturbed(base);
    this.#options.reporter.decided(base, status.run?.id ?? '', 'Backup', {kind: 'act', why, actions});
    const isRefused = recordBackupProblem(status.backups, await this.#perform(observed, actions));
    return {base: isRefused ? await this.#write(base, status, standing) : base, draft: status, requeueMs: inMs ?? watchMs};
  }

  async #suspect(base: QuorumRecovery, {observation}: Observed, pushed: readonly string[]): Promise<Pass> {
    const look = this.#watching.lookAtPushed(observation);
    const written = look === undefined ? base : await this.#write(base, observation.status, look.standing);
    this.#watching.settle(keyText(keyOf(base)), pushed);
    return {base: written, draft: look === undefined ? structuredClone(base.status ?? {}) : observation.status, requeueMs: undefined};
  }

  #beginning(): {id?: string; operator?: string | undefined} {
    const {newRunID} = this.#options;
    return {operator: this.#custodian.own, ...(newRunID !== undefined && {id: newRunID()})};
  }

  async #look(base: QuorumRecovery, observed: Observed): Promise<Look> {
    const {observation} = observed;
    const key = keyText(keyOf(base));
    if (observation.spec.trigger.type === 'OnQuorumLoss' && base.metadata.deletionTimestamp === undefined) return await this.#watching.look(key, observed);
    this.#watching.leave(key);
    delete observation.status.suspicion;
    delete observation.status.autoReplace;
    const silent = observation.ordinals.some((view) => view.probe.kind === 'Failed' || view.probe.kind === 'PeerOnly');
    return {standing: {at: 'watching'}, ...(silent ? {requeueMs: watchSilentMs} : {requeueMs: watchMs, routine: true})};
  }

  /** What runs kept on volumes goes when its time is over. What is due stands in the status: that is the intent. */
  async #prune(base: QuorumRecovery, observed: Observed): Promise<Pass | undefined> {
    const {status} = observed.observation;
    // The end of the run has to stand in the status first, and with it what was kept.
    const ended = [status.run, base.status?.run].every((run) => run === undefined || run.finishedAt !== undefined);
    if (base.metadata.deletionTimestamp !== undefined || !ended) return undefined;
    const {actions, records, problems} = prune(observed.observation);
    if (actions.length === 0 && records.length === 0) return undefined;
    const why = problems.length > 0 ? problems.join('; ') : 'taking away what earlier runs kept on volumes, because its time is over';
    this.#options.reporter.decided(base, status.run?.id ?? '', 'Prune', {kind: 'act', why, actions});
    if (actions.length > 0) await this.#requireUndisturbed(base);
    await this.#perform(observed, actions);
    for (const record of records) record(status);
    return {base: records.length > 0 ? await this.#write(base, status, {at: 'watching'}) : base, draft: status, requeueMs: 1_000};
  }

  /** A resource that is being deleted goes, once nothing of it is left and nothing is owed. */
  async #depart(base: QuorumRecovery, observed: Observed): Promise<Pass> {
    const {observation} = observed;
    const left = leaveNothing(observation);
    const unseen = unseenOwed(observation);
    // Nobody waits for ever for what the API server refuses: what stays stopped is said, by an Event, as there is no status any more.
    if (left.every(({type}) => type === 'ReturnDependent') && goesLate(observation)) {
      const outcomes = await this.#perform(observed, left);
      for (const outcome of outcomes) outcome.record?.(observation.status);
      this.#options.reporter.leavesStopped(base, leftStoppedInWords(observation));
      return await this.#dropFinalizer(base, observation.status);
    }
    if (left.length === 0 && unseen === '') return await this.#dropFinalizer(base, observation.status);
    return await this.#clear(base, observed, left, unseen === '' ? 'taking away what the run has left, as its StatefulSet is gone' : `staying until everything has back what it had: ${unseen}`);
  }

  async #clear(base: QuorumRecovery, observed: Observed, actions: Action[], why: string): Promise<Pass> {
    const {observation} = observed;
    this.#options.reporter.decided(base, observation.status.run?.id ?? '', 'Release', {kind: 'act', why, actions});
    await this.#perform(observed, actions);
    return {base, draft: observation.status, requeueMs: 1_000};
  }

  async #step(base: QuorumRecovery, observed: Observed, next: NextStep, unwritten: boolean): Promise<Pass> {
    const {observation} = observed;
    const status = observation.status;
    const run = status.run;
    if (run === undefined) throw new Error('a step without a run');
    const {name, decision} = next;
    const stopped = interrupted(observation);
    const standing: Standing = {at: 'step', step: name, decision, ...(stopped && 'goesOn' in stopped && {note: stopped.goesOn})};
    this.#options.reporter.decided(base, run.id, name, decision);
    switch (decision.kind) {
      case 'done':
        decision.record?.(status);
        if (run.aborted) {
          markEnded(run, name, 'Done', decision.message, observation.now);
          status.kept = keptBy(observation);
          finishRun(status, 'Released', observation.now);
          return {base: await this.#write(base, status, {at: 'watching'}), draft: status, requeueMs: undefined};
        }
        markEnded(run, name, 'Done', decision.message, observation.now);
        return {base, draft: status, requeueMs: undefined, ...(unwritten && {unwritten})};
      case 'record':
        // Written with what is done next, before it is done.
        decision.record(status);
        markRunning(run, name, decision.why, observation.now);
        return {base, draft: status, requeueMs: undefined, unwritten: true};
      case 'wait':
        markRunning(run, name, decision.why, observation.now);
        return {base: await this.#write(base, status, standing), draft: status, requeueMs: decision.ms};
      case 'stalled': case 'blocked':
        if (decision.kind === 'blocked') decision.record?.(status);
        markRunning(run, name, decision.message, observation.now);
        return {base: await this.#write(base, status, standing), draft: status, requeueMs: blockedMs};
      case 'not-needed':
        markEnded(run, name, 'Done', decision.message, observation.now);
        finishRun(status, 'NotNeeded', observation.now);
        return {base: await this.#write(base, status, {at: 'watching'}), draft: status, requeueMs: undefined};
      case 'failed':
        markEnded(run, name, 'Failed', decision.message, observation.now);
        status.kept = keptBy(observation);
        finishRun(status, 'Failed', observation.now);
        return {base: await this.#write(base, status, {at: 'watching'}), draft: status, requeueMs: undefined};
      case 'abort':
        run.aborted = {reason: decision.reason, message: decision.message};
        return {base: await this.#write(base, status, standing), draft: status, requeueMs: undefined};
      case 'deferred': {
        markRunning(run, name, decision.message, observation.now);
        decision.record(status);
        const acts: Decision = {kind: 'act', why: decision.message, actions: decision.actions ?? []};
        const pass = await this.#act(await this.#intend(base, status, standing), observed, {...next, decision: acts});
        // Only now: a step that counts as deferred is not looked at again, and a learner that was left would stop all others.
        if (pass.requeueMs === undefined) markEnded(run, name, 'Deferred', decision.message, observation.now);
        return pass;
      }
      case 'act': {
        // What changes nothing has no intent to write: its step was begun in the status before, and a write costs the critical path.
        const asks = decision.actions.every(asksOnly);
        if (asks && !unwritten && decision.record === undefined && isRunning(base, name)) return await this.#act(base, observed, next);
        decision.record?.(status);
        markRunning(run, name, decision.why, observation.now);
        // A plan is written with the first thing that comes of it: the hold, or why there is none.
        if (asks && name === 'Plan') return {...await this.#act(base, observed, next), unwritten: true};
        // The finalizer keeps the resource, and with it the policy's parameter, from the first act on a pod to the last.
        const kept = name === 'Plan' ? base : await addFinalizer(this.#options.client, base);
        return await this.#act(await this.#intend(kept, status, standing), observed, next);
      }
    }
  }

  async #perform({observation, credentials}: Observed, actions: readonly Action[]): Promise<Outcome[]> {
    const {client, etcd, now, signal} = this.#options;
    return await Promise.all(actions.map(async (action) => await perform({client, etcd, credentials, observation, now, signal, heavy: this.#heavy}, action)));
  }

  async #act(base: QuorumRecovery, observed: Observed, {name, decision}: NextStep): Promise<Pass> {
    if (decision.kind !== 'act') throw new Error(`nothing to act on in ${decision.kind}`);
    const {observation} = observed;
    const status = observation.status;
    const outcomes = await this.#perform(observed, decision.actions);
    for (const outcome of outcomes) outcome.record?.(status);
    const refusal = outcomes.find((outcome) => outcome.kind === 'blocked');
    if (refusal) {
      const standing: Standing = {at: 'step', step: name, decision: {kind: 'blocked', reason: refusal.reason, message: refusal.message}};
      this.#options.reporter.decided(base, status.run?.id ?? '', name, standing.decision);
      return {base: await this.#write(base, undoPlan(status, name), standing), draft: status, requeueMs: blockedMs};
    }
    const retry = outcomes.filter((outcome): outcome is Extract<Outcome, {kind: 'retry'}> => outcome.kind === 'retry');
    if (retry.length > 0) {
      const waiting: Decision = {kind: 'wait', why: retry[0]?.why ?? '', ms: Math.min(...retry.map((outcome) => outcome.ms))};
      this.#options.reporter.decided(base, status.run?.id ?? '', name, waiting);
      if (status.run) markRunning(status.run, name, waiting.why, observation.now);
      return {base: await this.#write(base, undoPlan(status, name), {at: 'step', step: name, decision: waiting}), draft: status, requeueMs: waiting.ms};
    }
    if (decision.completes && status.run) {
      const message = outcomes.map((outcome) => ('message' in outcome ? outcome.message : undefined)).find((text) => text !== undefined);
      markEnded(status.run, name, 'Done', message ?? decision.why, observation.now);
    }
    return {base, draft: status, requeueMs: undefined};
  }

  async #write(base: QuorumRecovery, status: QuorumRecoveryStatus, standing: Standing): Promise<QuorumRecovery> {
    summarize(status, base.spec.paused && standing.at === 'watching' ? {at: 'paused'} : standing, base.metadata.generation, this.#options.now());
    const written = await this.#options.status.update(base, () => status);
    this.#options.reporter.written(base, written);
    return written;
  }

  /**
   * Writes the intent of an act. Where it stands in the status already there is nothing to write, and so nothing that would tell of another
   * operator: it is asked for then. One that was deposed in this reconcile sees pods of the leader's, and would take them for those that it was to stop.
   */
  async #intend(base: QuorumRecovery, status: QuorumRecoveryStatus, standing: Standing): Promise<QuorumRecovery> {
    const written = await this.#write(base, status, standing);
    if (written === base) await this.#requireUndisturbed(base);
    return written;
  }

  /** @throws {ConflictError} somebody has written the resource since it was read */
  async #requireUndisturbed(base: QuorumRecovery): Promise<void> {
    const {namespace, name = '', resourceVersion} = base.metadata;
    const now = await this.#options.client.get('QuorumRecovery', namespace, name);
    if (now?.metadata.resourceVersion !== resourceVersion) throw new ConflictError(`QuorumRecovery ${namespace ?? ''}/${name}`);
  }

  async #dropFinalizer(base: QuorumRecovery, draft: QuorumRecoveryStatus): Promise<Pass> {
    return {base: await dropFinalizer(this.#options.client, base), draft, requeueMs: watchMs};
  }
}

const deferredSteps = (status: QuorumRecoveryStatus) => (status.run?.steps ?? []).filter((step) => step.state === 'Deferred').map((step) => step.name);

/** Proofs by trying: a dry run, or a check of an etcd whose only write is the probe key. */
const asksOnly = ({type}: Action) => type === 'DryRunPods' || type === 'TryDependents' || type === 'ReadEtcdutl' || type === 'ProveHold' || type === 'CheckForced' || type === 'ProveWrite' || type === 'ProveNewCluster' || type === 'VerifyMembers';

/** Members run on as they were, or run again: what is known of their processes stays true to them. */
const keepsRecords = (run: Run): boolean => isPlanning(run) || isRestart(run);

const isRunning = ({status}: QuorumRecovery, step: string) => status?.run?.steps.find((candidate) => candidate.name === step)?.state === 'Running';

/** A plan whose trial pods were refused is no plan: the next pass plans anew. */
function undoPlan(status: QuorumRecoveryStatus, step: string): QuorumRecoveryStatus {
  if (step === 'Plan' && status.run) delete status.run.plan;
  return status;
}
