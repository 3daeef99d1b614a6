import type {QuorumRecovery, QuorumRecoverySpec} from '../api/types.ts';
import {ApiError, isConflict, isUnavailable} from '../kubernetes/errors.ts';
import type {Clock} from './clock.ts';
import type {EventFeed, FeedEvent} from './feed.ts';
import {NotLeadingError} from './guard.ts';
import {concernsNode, concernsPod, concernsSet, keyOf, keyText, nodeChanged, parseKey} from './keys.ts';
import type {Key} from './keys.ts';
import type {Logger} from './log.ts';
import type {Metrics} from './metrics.ts';
import {WorkQueue} from './queue.ts';
import {ConflictError} from './status.ts';

export interface ReconcileResult {
  /** Reconcile again after this time, milliseconds; 0: at once. Without it the next event or the periodic resync does. */
  requeueAfterMs?: number;
  /** Nobody waits for that: everything else goes before it. */
  routine?: true;
}

export interface Reconciler {
  /** Looks at one resource as it is now, does at most one step, records it. A rejection means: again, after a back-off. */
  reconcile(key: Key): Promise<ReconcileResult>;
  /** Nothing speaks for a look at it now, and something watches over it: a reconcile that only the time asks for is left out. */
  rests?(key: Key): boolean;
}

export interface ControllerOptions {
  feed: Pick<EventFeed, 'subscribe'>;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Every resource that does not rest is reconciled at least once in this time, milliseconds; of those that do it is asked whether they still do. */
  resyncMs: number;
  concurrency: number;
  /** Whether the resource is as this process's own last write left it: then its event asks for nothing. */
  isOwnWrite?: (resource: QuorumRecovery) => boolean;
  random?: () => number;
}

/** A conflict means that something else moved first; looking again is all it takes. */
const conflictDelayMs = 100;
const quickConflicts = 5;

/** Somebody may wait for it, or it is in trouble: a run is in flight or may be asked for, pods are held, or a loss is suspected. */
function isWaitedFor({spec, status}: QuorumRecovery): boolean {
  const {run, suspicion, heldPods = []} = status ?? {};
  if (suspicion !== undefined || heldPods.length > 0) return true;
  // What a broken API server lets through is not checked yet.
  const {trigger} = spec as Partial<QuorumRecoverySpec>;
  if (run === undefined) return trigger?.type !== 'OnQuorumLoss' || trigger.request !== undefined;
  return run.finishedAt === undefined || run.request !== trigger?.request;
}

/** Feed → queue → reconciler: only keys go through, the reconciler reads for itself. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #resources = new Map<string, QuorumRecovery>();
  /** Conflicts in a row of each key. */
  readonly #conflicts = new Map<string, number>();
  readonly #unsubscribe: () => void;
  #reconciler: Reconciler | undefined;

  /** Follows the feed from now on, so that a later start knows every resource; reconciles nothing before `start`. */
  constructor(options: ControllerOptions) {
    this.#options = options;
    const {clock, concurrency, metrics, feed} = options;
    this.#queue = new WorkQueue({
      clock, concurrency, process: (key, routine) => this.#process(key, routine),
      onTaken: (waitedMs) => {
        metrics.queueWait.observe(waitedMs / 1000);
      },
    });
    metrics.observeQueue(() => this.#queue);
    this.#unsubscribe = feed.subscribe((event) => {
      this.#onEvent(event);
    });
  }

  /** How long the longest reconcile has been running, milliseconds. */
  get longestRunMs(): number {
    return this.#queue.longestRunMs;
  }

  keys(): Key[] {
    return [...this.#resources.keys()].map(parseKey);
  }

  /** The resources as the feed told them last. */
  resources(): Iterable<QuorumRecovery> {
    return this.#resources.values();
  }

  resource(key: string): QuorumRecovery | undefined {
    return this.#resources.get(key);
  }

  start(reconciler: Reconciler): void {
    this.#reconciler = reconciler;
    for (const [key, resource] of this.#resources) this.#queue.add(key, !isWaitedFor(resource));
    this.#queue.start();
  }

  /** Takes no further key; resolves when the running reconciles have ended. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#queue.stop();
  }

  /** Asks for a reconcile from outside the feed, e.g. when a push from etcd says that its leader is gone. */
  enqueue(key: Key, routine = false): void {
    if (this.#reconciler !== undefined) this.#queue.add(keyText(key), routine);
  }

  #onEvent(event: FeedEvent): void {
    switch (event.kind) {
      case 'QuorumRecovery':
        this.#onResource(event);
        return;
      case 'Pod':
        this.#enqueueWhere((resource) => concernsPod(resource, event.object), event.listed);
        return;
      case 'StatefulSet':
        this.#enqueueWhere((resource) => concernsSet(resource, event.object), event.listed);
        return;
      case 'Node':
        if (event.type === 'Modified' && !nodeChanged(event.previous, event.object)) return;
        this.#enqueueWhere((resource) => concernsNode(resource, event.object), event.listed);
        return;
      case 'Namespace':
        // What it means for its resources is told of each of them.
    }
  }

  #onResource({type, object: resource, listed}: Extract<FeedEvent, {kind: 'QuorumRecovery'}>): void {
    const key = keyOf(resource);
    const text = keyText(key);
    if (type === 'Deleted') {
      this.#resources.delete(text);
      this.#queue.remove(text);
      this.#conflicts.delete(text);
    } else {
      this.#resources.set(text, resource);
      if (this.#options.isOwnWrite?.(resource) === true) return;
    }
    // Once more after its removal, too: the reconciler finds that it is gone, and lets go of what it keeps for it.
    if (this.#reconciler !== undefined) this.#queue.add(text, listed === true && !isWaitedFor(resource));
  }

  /** What the first list of its kind names was there before: nothing has happened. */
  #enqueueWhere(concerns: (resource: QuorumRecovery) => boolean, listed = false): void {
    if (this.#reconciler === undefined) return;
    for (const [text, resource] of this.#resources) {
      if (concerns(resource)) this.#queue.add(text, listed);
    }
  }

  async #process(text: string, routine: boolean): Promise<void> {
    if (routine && this.#reconciler?.rests?.(parseKey(text)) === true) {
      this.#resync(text);
      return;
    }
    const {metrics} = this.#options;
    const end = metrics.reconcileDuration.startTimer();
    try {
      const result = await this.#reconciler?.reconcile(parseKey(text));
      this.#queue.forget(text);
      this.#conflicts.delete(text);
      const after = result?.requeueAfterMs;
      metrics.reconcileTotal.inc({result: after === undefined ? 'success' : 'requeued'});
      if (after !== undefined) this.#queue.addAfter(text, after, result?.routine === true);
      this.#resync(text);
    } catch (error) {
      this.#failed(text, error);
    } finally {
      end();
    }
  }

  /** Jittered, so that a thousand clusters are not asked in the same second. Of this and what the reconcile asked for the earlier counts. */
  #resync(text: string): void {
    const {resyncMs, random = Math.random} = this.#options;
    if (this.#resources.has(text)) this.#queue.addAfter(text, resyncMs * (0.75 + 0.25 * random()), true);
  }

  #failed(text: string, error: unknown): void {
    const {log, metrics} = this.#options;
    const {namespace, name} = parseKey(text);
    if (error instanceof ConflictError || isConflict(error)) {
      metrics.reconcileTotal.inc({result: 'conflict'});
      log.debug({namespace, name, error}, 'Something changed since it was read: reconciling again');
      const conflicts = (this.#conflicts.get(text) ?? 0) + 1;
      this.#conflicts.set(text, conflicts);
      if (conflicts <= quickConflicts) this.#queue.addAfter(text, conflictDelayMs);
      else this.#queue.addRateLimited(text);
      return;
    }
    metrics.reconcileTotal.inc({result: 'error'});
    if (error instanceof NotLeadingError) {
      log.info({namespace, name}, error.message);
      return;
    }
    metrics.queueRetries.inc();
    this.#queue.addRateLimited(text, (error instanceof ApiError ? error.retryAfterSeconds ?? 0 : 0) * 1000);
    if (isUnavailable(error)) log.warn({namespace, name, error}, 'The API server did not answer: reconciling again after a back-off');
    else log.error({namespace, name, error}, 'The reconcile failed: trying again after a back-off');
  }
}
