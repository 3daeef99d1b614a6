import {randomBytes} from 'node:crypto';
import type {QuorumRecovery} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {loadKubeConfig} from '../kubernetes/client-config.ts';
import {HttpKubernetesClient} from '../kubernetes/client-http.ts';
import {sleep, systemClock} from './clock.ts';
import type {Clock} from './clock.ts';
import type {OperatorConfig} from './config.ts';
import {Controller} from './controller.ts';
import type {Reconciler} from './controller.ts';
import {EventRecorder} from './events.ts';
import {OperatorFeed} from './feed.ts';
import type {EventFeed, FeedEvent} from './feed.ts';
import {Leadership, leadingClient} from './guard.ts';
import type {Key} from './keys.ts';
import {LeaderElector} from './lease.ts';
import {createLog} from './log.ts';
import type {Logger} from './log.ts';
import {createMetrics} from './metrics.ts';
import type {Metrics} from './metrics.ts';
import {startServer} from './server.ts';
import type {RunningServer} from './server.ts';
import {StatusWriter} from './status.ts';
import {checkVersion, watchdogs} from './checks.ts';

/** All that a reconciler works with. */
export interface ReconcilerContext {
  config: OperatorConfig;
  /** Begins no write once leading has ended. */
  client: KubernetesClient;
  status: StatusWriter;
  events: EventRecorder;
  log: Logger;
  metrics: Metrics;
  clock: Clock;
  feed: EventFeed;
  /** Ask `assert` before any act that the client does not see, i.e. in etcd. */
  leadership: Leadership;
  /** Aborts at the moment that leading ends: no act may begin after it. */
  signal: AbortSignal;
  /** Aborts when the process is asked to stop: begin no further step, end the one that runs. */
  stopping: AbortSignal;
  /** Asks for a reconcile soon, e.g. after a push from etcd. `routine`: everything else goes before it. */
  enqueue(key: Key, routine?: boolean): void;
  /** The resources as the feed told of them last. */
  resources(): Iterable<QuorumRecovery>;
  resource(key: string): QuorumRecovery | undefined;
}

export type PodEvent = Extract<FeedEvent, {kind: 'Pod'}>;

/** What the runtime drives. */
export interface OperatorReconciler extends Reconciler {
  /**
   * Told synchronously of every pod event, before the reconcile that it causes, and also while another process leads:
   * the ledger of process ends has to be warm when this one takes over.
   */
  onPodEvent?(event: PodEvent): void;
  /** The process ends: close what is open. */
  close?(): Promise<void> | void;
  /** This process leads from now on. */
  onLeading?(): void;
}

/** What tests and the simulation put in the place of the real parts. */
export interface RuntimeParts {
  client?: KubernetesClient;
  feed?: EventFeed;
  clock?: Clock;
  log?: Logger;
  /** Where SIGTERM and SIGINT come from; the process by default. */
  signals?: Pick<NodeJS.EventEmitter, 'once' | 'off'>;
  /** Told of the port when the server listens. */
  onListening?: (port: number) => void;
}

/** How long running reconciles may go on after the process was asked to stop. */
const drainMs = 10_000;
const releaseMs = 5_000;

/** Waits for the work, but not longer. */
async function within(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  try {
    return await Promise.race([work.then(() => true), sleep(clock, milliseconds, done.signal).then(() => false)]);
  } finally {
    done.abort();
  }
}

function connect(config: OperatorConfig, parts: RuntimeParts, {clock, log, metrics}: {clock: Clock; log: Logger; metrics: Metrics}) {
  if (parts.client !== undefined && parts.feed !== undefined) return {client: parts.client, feed: parts.feed};
  const kubeConfig = loadKubeConfig(config.kubeconfig);
  const http = new HttpKubernetesClient(kubeConfig, {
    userAgent: `quorum-recovery-operator/${config.version}`,
    onCall: ({verb, kind, code, seconds}) => {
      metrics.apiDuration.observe({verb}, seconds);
      if (code >= 400 || code === 0) metrics.apiErrors.inc({verb, kind, code});
    },
  });
  const feed = new OperatorFeed({
    config: kubeConfig, client: http, clock, log, namespaces: config.namespaces, excludedNamespaces: config.excludedNamespaces,
    namespaceSelector: config.namespaceSelector, resourceSelector: config.resourceSelector,
    onRestart: (kind, failed) => {
      metrics.watchRestarts.inc({kind, failed: String(failed)});
    },
  });
  return {client: parts.client ?? http, feed: parts.feed ?? feed};
}

/**
 * Runs the operator until it is told to stop, and resolves with the exit code: 0 after an orderly stop; 1 if it could not start, or lost
 * the lease and something that had begun would not end. One that lost the lease, and whose work has ended, stands by again with all of its
 * state made anew: a new container would wait for the kubelet's back-off, up to five minutes (docs/adr/0041). Open sockets may outlive
 * it: exit the process with that code.
 */
export async function runOperator(
  config: OperatorConfig, makeReconciler: (context: ReconcilerContext) => OperatorReconciler, parts: RuntimeParts = {},
): Promise<number> {
  const log = parts.log ?? createLog(config.logLevel, config.version);
  const metrics = createMetrics(config.version);
  try {
    for (;;) {
      const end = await new Runtime(config, log, parts, metrics).run(makeReconciler);
      if (end !== 'StandBy') return end;
    }
  } catch (error) {
    log.fatal({error}, 'The operator cannot run');
    return 1;
  }
}

class Runtime {
  readonly #config: OperatorConfig;
  readonly #log: Logger;
  readonly #parts: RuntimeParts;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #client: KubernetesClient;
  readonly #feed: EventFeed;
  readonly #leadership = new Leadership();
  readonly #stopping = new AbortController();
  readonly #events: EventRecorder;
  readonly #status: StatusWriter;
  #controller: Controller | undefined;
  #elector: LeaderElector | undefined;
  #reached = false;
  #lost = false;
  /** By a signal. */
  #asked = false;

  constructor(config: OperatorConfig, log: Logger, parts: RuntimeParts, metrics: Metrics) {
    this.#config = config;
    this.#log = log;
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#metrics = metrics;
    const {client, feed} = connect(config, parts, {clock: this.#clock, log, metrics: this.#metrics});
    this.#client = client;
    this.#feed = feed;
    const leading = leadingClient(client, this.#leadership);
    this.#status = new StatusWriter(leading);
    this.#events = new EventRecorder({
      client, clock: this.#clock, log, identity: config.identity, onFailure: () => {
        this.#metrics.eventFailures.inc();
      },
    });
  }

  /** @returns the exit code, or that another one may begin in this process */
  async run(makeReconciler: (context: ReconcilerContext) => OperatorReconciler): Promise<number | 'StandBy'> {
    const {namespaces, excludedNamespaces, namespaceSelector, resourceSelector, leaderElect, identity, agentImage} = this.#config;
    this.#log.info({namespaces, excludedNamespaces, namespaceSelector, resourceSelector, leaderElect, identity, agentImage}, 'The operator starts');
    const stop = () => {
      this.#log.info('Asked to stop');
      this.#asked = true;
      this.#stopping.abort();
    };
    const signals = this.#parts.signals ?? process;
    for (const name of ['SIGTERM', 'SIGINT']) signals.once(name, stop);
    let server: RunningServer | undefined;
    let reconciler: OperatorReconciler | undefined;
    let ended = false;
    try {
      server = await this.#serve();
      this.#parts.onListening?.(server.port);
      await this.#reach();
      if (!this.#stopping.signal.aborted) {
        reconciler = await this.#begin(makeReconciler);
        await this.#stopped();
      }
      ended = await this.#end();
    } finally {
      await reconciler?.close?.();
      this.#feed.stop();
      await server?.close();
      for (const name of ['SIGTERM', 'SIGINT']) signals.off(name, stop);
    }
    if (!this.#lost) return 0;
    if (!ended || this.#asked) {
      this.#log.info('The operator ends, because it lost the lease');
      return 1;
    }
    this.#log.info('The lease was lost, and all that had begun has ended: standing by again');
    return 'StandBy';
  }

  #serve(): Promise<RunningServer> {
    return startServer(this.#config.port, {
      registry: this.#metrics.registry,
      healthy: watchdogs({
        reconcileMs: () => this.#controller?.longestRunMs ?? 0,
        feedMs: () => this.#feed.idleMs,
        leaseMs: () => this.#stopping.signal.aborted ? 0 : this.#elector?.idleMs ?? 0,
      }),
      ready: {
        api: () => this.#reached ? undefined : 'the API server was not reached yet',
        election: () => this.#elector === undefined && !this.#leadership.active ? 'neither leading nor standing by' : undefined,
      },
    });
  }

  /** Waits until the API server answers, and refuses one that is too old. */
  async #reach(): Promise<void> {
    const {signal} = this.#stopping;
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        const version = await this.#client.version();
        checkVersion(version);
        this.#reached = true;
        this.#log.info({kubernetes: version.gitVersion}, 'The API server answers');
        return;
      } catch (error) {
        if (error instanceof RangeError) throw error;
        this.#log.warn({error}, 'The API server could not be reached: trying again');
        await sleep(this.#clock, Math.min(15_000, 500 * 2 ** Math.min(tries, 5)), signal);
      }
    }
  }

  async #begin(makeReconciler: (context: ReconcilerContext) => OperatorReconciler): Promise<OperatorReconciler> {
    const reconciler = makeReconciler(this.#context());
    this.#feed.subscribe((event) => {
      if (event.kind === 'Pod') reconciler.onPodEvent?.(event);
    });
    this.#controller = new Controller({
      feed: this.#feed, clock: this.#clock, log: this.#log, metrics: this.#metrics,
      resyncMs: this.#config.resyncMs, concurrency: this.#config.concurrency,
      isOwnWrite: (resource) => this.#status.isOwnWrite(resource),
    });
    const controller = this.#controller;
    this.#metrics.observeResources(() => this.#leadership.active ? controller.resources() : []);
    await this.#feed.start();
    if (this.#config.leaderElect) this.#elect(reconciler);
    else this.#lead(reconciler);
    return reconciler;
  }

  #context(): ReconcilerContext {
    return {
      config: this.#config, client: leadingClient(this.#client, this.#leadership), status: this.#status, events: this.#events, log: this.#log,
      metrics: this.#metrics, clock: this.#clock, feed: this.#feed, leadership: this.#leadership, signal: this.#leadership.signal,
      stopping: this.#stopping.signal,
      enqueue: (key, routine) => {
        this.#controller?.enqueue(key, routine);
      },
      resources: () => this.#controller?.resources() ?? [],
      resource: (key) => this.#controller?.resource(key),
    };
  }

  #elect(reconciler: OperatorReconciler): void {
    const {lease, identity} = this.#config;
    this.#elector = new LeaderElector({
      client: this.#client, clock: this.#clock, log: this.#log, namespace: lease.namespace, name: lease.name, times: lease,
      // Two processes may carry the same name, e.g. a container and the one that replaces it.
      identity: `${identity}_${randomBytes(4).toString('hex')}`,
      onStarted: (signal) => {
        signal.addEventListener('abort', () => {
          this.#endLeading();
        });
        this.#lead(reconciler);
      },
      onRenewed: () => {
        this.#metrics.leaseRenewed.set(this.#clock.now() / 1000);
      },
      onFailure: () => {
        this.#metrics.leaseFailures.inc();
      },
      onStopped: (why) => {
        this.#endLeading();
        if (why === 'Released') return;
        this.#lost = true;
        this.#stopping.abort();
      },
    });
    this.#elector.start();
  }

  #lead(reconciler: OperatorReconciler): void {
    if (this.#stopping.signal.aborted) return;
    this.#leadership.begin();
    this.#metrics.leader.set(1);
    this.#controller?.start(reconciler);
    reconciler.onLeading?.();
  }

  #endLeading(): void {
    this.#leadership.end();
    this.#metrics.leader.set(0);
    this.#metrics.leaseRenewed.set(0);
  }

  #stopped(): Promise<void> {
    const {signal} = this.#stopping;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
  }

  /**
   * Takes no further key, lets what runs end, and only then gives the lease back.
   * @returns whether all has ended
   */
  async #end(): Promise<boolean> {
    const drained = await within(this.#clock, drainMs, this.#controller?.stop() ?? Promise.resolve());
    if (!drained) this.#log.warn('A reconcile still runs; it begins no further act');
    this.#endLeading();
    const settled = await within(this.#clock, releaseMs, Promise.all([this.#events.drain(), this.#elector?.stop()]));
    if (!this.#lost) this.#log.info('The operator ends');
    return drained && settled;
  }
}
