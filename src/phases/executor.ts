import type {QuorumRecovery, QuorumRecoveryStatus} from '../api/types.ts';
import type {Action, Outcome} from '../decide/decision.ts';
import type {Errand} from '../decide/errands.ts';
import {summarize} from '../decide/summary.ts';
import type {Standing} from '../decide/summary.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import type {EtcdAccess} from '../observe/access.ts';
import type {Observed} from '../observe/observe.ts';
import {ConflictError} from '../operator/status.ts';
import type {StatusWriter} from '../operator/status.ts';
import {addFinalizer, dropFinalizer} from './finalizer.ts';
import {HeavyActs} from './heavy.ts';
import {watchMs} from './pass.ts';
import type {Pass} from './pass.ts';
import {perform} from './perform.ts';
import type {Reporter} from './reporter.ts';

export interface ExecutorOptions {
  client: KubernetesClient;
  status: StatusWriter;
  etcd: EtcdAccess;
  reporter: Reporter;
  now: () => number;
  /** Aborted when this replica does not lead any more: no act is begun after it. */
  signal: AbortSignal;
}

/** What the status says when an errand is carried out. */
export interface Written {
  standing: Standing;
  /** It was written in this look, and with it the errand's intent. */
  isFresh: boolean;
}

/** Through here the loop changes whatever it changes: the status, the finalizer, and all that actions are for. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #heavy = new HeavyActs();

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  async perform({observation, credentials}: Observed, actions: readonly Action[]): Promise<Outcome[]> {
    const {client, etcd, now, signal} = this.#options;
    return await Promise.all(actions.map(async (action) => await perform({client, etcd, credentials, observation, now, signal, heavy: this.#heavy}, action)));
  }

  async write(base: QuorumRecovery, status: QuorumRecoveryStatus, standing: Standing): Promise<QuorumRecovery> {
    summarize(status, base.spec.paused && standing.at === 'watching' ? {at: 'paused'} : standing, base.metadata.generation, this.#options.now());
    const written = await this.#options.status.update(base, () => status);
    this.#options.reporter.written(base, written);
    return written;
  }

  /**
   * Writes the intent of an act. Where it stands in the status already there is nothing to write, and so nothing that would tell of another
   * operator: it is asked for then. One that was deposed in this reconcile sees pods of the leader's, and would take them for those that it was to stop.
   */
  async intend(base: QuorumRecovery, status: QuorumRecoveryStatus, standing: Standing): Promise<QuorumRecovery> {
    const written = await this.write(base, status, standing);
    if (written === base) await this.#requireUndisturbed(base);
    return written;
  }

  /** Does an errand whose intent stands in the status. */
  async carryOut(errand: Errand, base: QuorumRecovery, observed: Observed, {standing, isFresh}: Written = {standing: {at: 'watching'}, isFresh: false}): Promise<Pass> {
    const {status} = observed.observation;
    const {name, actions, why, record, nextLook = watchMs} = errand;
    // Nothing was written that would have told of another operator, whose helper pods would look like those that are left.
    if (actions.length > 0 && !isFresh) await this.#requireUndisturbed(base);
    this.#options.reporter.decided(base, status.run?.id ?? '', name, {kind: 'act', why, actions});
    const outcomes = await this.perform(observed, actions);
    const isTold = record?.(status, outcomes) === true;
    return {base: isTold ? await this.write(base, status, standing) : base, draft: status, requeueMs: nextLook === 'AtOnce' ? undefined : nextLook};
  }

  /** The finalizer keeps the resource, and with it the policy's parameter. */
  async keep(base: QuorumRecovery): Promise<QuorumRecovery> {
    return await addFinalizer(this.#options.client, base);
  }

  /** Nothing keeps the resource any more. */
  async letGo(base: QuorumRecovery, draft: QuorumRecoveryStatus): Promise<Pass> {
    return {base: await dropFinalizer(this.#options.client, base), draft, requeueMs: watchMs};
  }

  /** @throws {ConflictError} somebody has written the resource since it was read */
  async #requireUndisturbed(base: QuorumRecovery): Promise<void> {
    const {namespace, name = '', resourceVersion} = base.metadata;
    const now = await this.#options.client.get('QuorumRecovery', namespace, name);
    if (now?.metadata.resourceVersion !== resourceVersion) throw new ConflictError(`QuorumRecovery ${namespace ?? ''}/${name}`);
  }
}
