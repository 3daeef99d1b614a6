import type {V1Pod} from '@kubernetes/client-node';
import {inFlight, isPlanning} from '../api/progress.ts';
import {statusSchema} from '../api/status.ts';
import type {QuorumRecovery, QuorumRecoveryStatus, Run} from '../api/types.ts';
import {sayBackups} from '../decide/backup/backupWords.ts';
import type {Answer} from '../decide/watch/calm.ts';
import {interrupted} from '../decide/interrupt.ts';
import {depthFor} from '../decide/depth.ts';
import {nextStep, reopens} from '../decide/next.ts';
import {keptBy} from '../decide/kept.ts';
import {isReplacement} from '../decide/replace.ts';
import {isRestart} from '../decide/restart.ts';
import {settleQuorumEnded} from '../decide/evidence/quorumEnded.ts';
import {ProcessLedger, refreshMembers, refreshRecords} from '../decide/watch/records.ts';
import {Launches} from '../observe/launches.ts';
import type {Observed} from '../observe/observe.ts';
import {observe} from '../observe/observe.ts';
import type {Depth, Watched} from '../observe/observe.ts';
import type {Sentinels} from '../observe/sentinels.ts';
import {keyOf, keyText} from '../operator/keys.ts';
import type {BackupTurns} from '../operator/backupTurns.ts';
import type {Turns} from '../operator/turns.ts';
import {BetweenRuns} from './betweenRuns.ts';
import {CalmWitness} from './calmWitness.ts';
import {Custodian} from './custodian.ts';
import type {Installation} from './custodian.ts';
import {depart, mayDepart} from './departing.ts';
import {Executor} from './executor.ts';
import type {ExecutorOptions} from './executor.ts';
import {watchMs} from './pass.ts';
import type {Pass} from './pass.ts';
import {finishRun, wantsRun} from './run.ts';
import {Stepping} from './stepping.ts';
import {Watching} from './watching.ts';
import type {Seen} from './watching.ts';
import {specOf} from './specOf.ts';
import type {UsedSpec} from './specOf.ts';

export interface RecovererOptions extends ExecutorOptions {
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
  /** Where the same has to happen twice: names of runs that are not drawn at random. */
  newRunID?: () => string;
}

/** Passes of one reconcile before others get their turn. */
const maxPasses = 50;

/** observe → decide → act → record, one step at a time, from what is there: nothing is remembered but the ends of processes. */
export class Recoverer {
  readonly #options: RecovererOptions;
  readonly #ledger = new ProcessLedger();
  readonly #watching: Watching;
  readonly #custodian: Custodian;
  readonly #launches = new Launches();
  readonly #executor: Executor;
  readonly #stepping: Stepping;
  readonly #between: BetweenRuns;
  readonly #witness: CalmWitness;

  constructor(options: RecovererOptions) {
    this.#options = options;
    const {sentinels, status, now, watched, reporter} = options;
    this.#witness = new CalmWitness(status, now, (key) => watched?.resource(key));
    this.#watching = new Watching(sentinels, options.turns);
    this.#custodian = new Custodian(options.installation, status, reporter, options.newRunID);
    this.#executor = new Executor(options);
    this.#stepping = new Stepping(this.#executor, reporter);
    this.#between = new BetweenRuns(this.#executor, this.#watching, this.#custodian, options.backupTurns);
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
      this.#between.forget(keyText(key));
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
        await this.#executor.write(pass.base, pass.draft, {at: 'stalled', reason: 'InvalidSpec', message: used.problem});
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
    if (mayDepart(observation)) return await depart(this.#executor, this.#options.reporter, base, observed);
    const stopped = interrupted(observation);
    if (stopped !== undefined && 'ends' in stopped && status.run) status.run.aborted ??= stopped.ends;
    const late = observation.spec.paused ? [] : reopens(observation);
    if (late.length > 0) this.#custodian.reopen(status, late, observation.spec);
    else if (wantsRun(observation) && base.metadata.deletionTimestamp === undefined) {
      if (status.run?.outcome === 'Degraded' && deferredSteps(status).length > 0) this.#custodian.reopen(status, deferredSteps(status), observation.spec);
      else this.#custodian.begin(observation, 'Manual');
    }
    if (status.run === undefined || status.run.finishedAt !== undefined) return await this.#between.look(base, observed);
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
      return await this.#between.look(base, last);
    }
    return await this.#stepping.step(base, observed, next, unwritten === true);
  }

  async #suspect(base: QuorumRecovery, {observation}: Observed, pushed: readonly string[]): Promise<Pass> {
    const look = this.#watching.lookAtPushed(observation);
    const written = look === undefined ? base : await this.#executor.write(base, observation.status, look.standing);
    this.#watching.settle(keyText(keyOf(base)), pushed);
    return {base: written, draft: look === undefined ? structuredClone(base.status ?? {}) : observation.status, requeueMs: undefined};
  }
}

const deferredSteps = (status: QuorumRecoveryStatus) => (status.run?.steps ?? []).filter((step) => step.state === 'Deferred').map((step) => step.name);

/** Members run on as they were, or run again: what is known of their processes stays true to them. */
const keepsRecords = (run: Run): boolean => isPlanning(run) || isRestart(run);
