import {Counter, Gauge, Histogram, Registry, collectDefaultMetrics} from 'prom-client';
import type {Run} from '../api/types.ts';
import {etcdErrorKinds} from '../etcd/errors.ts';
import {resourceGauges} from './resource-metrics.ts';
import type {Resources} from './resource-metrics.ts';

const fastBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const stepBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600];
const runBuckets = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600];

/** prom-client gives these gauges the ending of a counter. What they count is in nodejs_active_handles and its like, by type. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** What the gauges read when they are scraped. */
export interface QueueState {
  depth: number;
  running: number;
  /** How long the key has waited that waits longest, milliseconds. */
  longestWaitMs: number;
  /** How long the longest reconcile has been running, milliseconds. */
  longestRunMs: number;
}

const idle: QueueState = {depth: 0, running: 0, longestWaitMs: 0, longestRunMs: 0};

function queueMetrics(registers: Registry[], state: () => QueueState) {
  const gauge = (name: string, help: string, value: (queue: QueueState) => number) => {
    new Gauge({
      name, help, registers,
      collect() {
        this.set(value(state()));
      },
    });
  };
  gauge('quorumrecovery_queue_depth', 'Resources that wait to be reconciled.', ({depth}) => depth);
  gauge('quorumrecovery_queue_longest_wait_seconds', 'How long the resource has waited that waits longest.', ({longestWaitMs}) => longestWaitMs / 1000);
  gauge('quorumrecovery_reconciles_running', 'Reconciles that run now.', ({running}) => running);
  gauge('quorumrecovery_reconcile_longest_running_seconds', 'How long the reconcile has been running that runs longest.', ({longestRunMs}) => longestRunMs / 1000);
  return {
    queueWait: new Histogram({
      name: 'quorumrecovery_queue_wait_seconds', help: 'How long resources waited until their reconcile began.', buckets: fastBuckets, registers,
    }),
    queueRetries: new Counter({name: 'quorumrecovery_queue_retries_total', help: 'Reconciles that were put back after a failure.', registers}),
  };
}

function leaseMetrics(registers: Registry[]) {
  return {
    leader: new Gauge({name: 'quorumrecovery_leader', help: '1 while this process leads.', registers}),
    leaseRenewed: new Gauge({
      name: 'quorumrecovery_lease_renewed_timestamp_seconds', help: 'When this process renewed the lease last; 0 while it does not hold it.', registers,
    }),
    leaseFailures: new Counter({
      name: 'quorumrecovery_lease_failures_total', help: 'Tries to take or renew the lease that failed or had no answer in time.', registers,
    }),
  };
}

function apiMetrics(registers: Registry[]) {
  return {
    watchRestarts: new Counter({
      name: 'quorumrecovery_watch_restarts_total', help: 'Watches that were begun anew, by whether the one before failed.',
      labelNames: ['kind', 'failed'], registers,
    }),
    apiDuration: new Histogram({
      name: 'quorumrecovery_api_request_duration_seconds', help: 'Duration of calls to the API server.', labelNames: ['verb'],
      buckets: fastBuckets, registers,
    }),
    apiErrors: new Counter({
      name: 'quorumrecovery_api_errors_total', help: 'Calls to the API server that failed, by HTTP status; 0: no answer.',
      labelNames: ['verb', 'kind', 'code'], registers,
    }),
    eventFailures: new Counter({name: 'quorumrecovery_event_failures_total', help: 'Kubernetes Events that could not be written.', registers}),
  };
}

/** What the gauges of the watch over clusters read when they are scraped. */
export interface WatchState {
  /** Open watches on members. */
  open: () => number;
  /** Clusters of which one member in turn is asked. */
  calm: () => number;
  /** For how long the ask of one of them has been due that is due longest, milliseconds. */
  lagMs: () => number;
}

const unwatched: WatchState = {open: () => 0, calm: () => 0, lagMs: () => 0};

function etcdMetrics(registers: Registry[], state: () => WatchState) {
  const gauge = (name: string, help: string, value: (watches: WatchState) => number) => {
    new Gauge({
      name, help, registers,
      collect() {
        this.set(value(state()));
      },
    });
  };
  gauge('quorumrecovery_leader_watches', 'Open watches on members of etcd that tell of a lost leader.', ({open}) => open());
  gauge('quorumrecovery_calm_clusters', 'Clusters that are whole, and of which one member in turn is asked.', ({calm}) => calm());
  gauge('quorumrecovery_calm_ask_lag_seconds', 'For how long the question to a calm cluster has been due that is due longest.', ({lagMs}) => lagMs() / 1000);
  return {
    calmEnds: new Counter({
      name: 'quorumrecovery_calm_ends_total', help: 'Calm clusters that were looked at in full because something spoke against it, by what.', labelNames: ['why'], registers,
    }),
    leaderWatchEnds: new Counter({
      name: 'quorumrecovery_leader_watch_ends_total', help: 'Watches on members of etcd that ended by themselves, by why.', labelNames: ['why'], registers,
    }),
    probeDuration: new Histogram({
      name: 'quorumrecovery_etcd_probe_duration_seconds', help: 'How long a member of etcd took to answer whether it is well, or to fail.',
      labelNames: ['result'], buckets: fastBuckets, registers,
    }),
    probeFailures: new Counter({
      name: 'quorumrecovery_etcd_probe_failures_total', help: 'Members of etcd that did not answer whether they are well, by cause.', labelNames: ['cause'], registers,
    }),
  };
}

function runMetrics(registers: Registry[]) {
  return {
    concurrentRuns: new Gauge({
      name: 'quorumrecovery_concurrent_runs_limit', help: 'How many runs may be at work when another one begins by itself.', registers,
    }),
    runsTotal: new Counter({
      name: 'quorumrecovery_runs_total', help: 'Recoveries that ended, by outcome and strategy.', labelNames: ['outcome', 'strategy'], registers,
    }),
    runDuration: new Histogram({
      name: 'quorumrecovery_run_duration_seconds', help: 'Duration of recoveries, by outcome.', labelNames: ['outcome'], buckets: runBuckets, registers,
    }),
    firstWrite: new Histogram({
      name: 'quorumrecovery_run_first_write_seconds', help: 'Time from the begin of a recovery to the first write that was accepted.', buckets: runBuckets, registers,
    }),
    phaseDuration: new Histogram({
      name: 'quorumrecovery_phase_duration_seconds', help: 'What the steps of each phase of a recovery took together.', labelNames: ['phase'], buckets: stepBuckets, registers,
    }),
    stepDuration: new Histogram({
      name: 'quorumrecovery_step_duration_seconds', help: 'Duration of the steps of recoveries.', labelNames: ['step'], buckets: stepBuckets, registers,
    }),
  };
}

const outcomes: readonly NonNullable<Run['outcome']>[] = ['Recovered', 'Degraded', 'NotNeeded', 'Failed', 'Released'];
const results = ['success', 'requeued', 'conflict', 'error'];

/** All metrics of the operator, in a registry of their own. */
export function createMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  const sources = {queue: (): QueueState => idle, resources: ((): never[] => []) as Resources, watches: unwatched};
  collectDefaultMetrics({register: registry});
  for (const name of misnamed) registry.removeSingleMetric(name);
  new Gauge({
    name: 'quorumrecovery_build_info', help: 'Always 1; the labels tell which build runs.', labelNames: ['version', 'node'], registers,
  }).set({version, node: process.version}, 1);
  resourceGauges(registry, () => sources.resources());
  const metrics = {
    registry,
    /** Whose state the queue gauges show. */
    observeQueue: (state: () => QueueState) => {
      sources.queue = state;
    },
    /** Whose statuses the gauges of resources show. */
    observeResources: (resources: Resources) => {
      sources.resources = resources;
    },
    /** Who tells of the watch over clusters. */
    observeWatches: (state: WatchState) => {
      sources.watches = state;
    },
    reconcileTotal: new Counter({
      name: 'quorumrecovery_reconcile_total', help: 'Reconciles by result: success, requeued, conflict or error.', labelNames: ['result'], registers,
    }),
    reconcileDuration: new Histogram({
      name: 'quorumrecovery_reconcile_duration_seconds', help: 'Duration of one reconcile.', buckets: fastBuckets, registers,
    }),
    ...queueMetrics(registers, () => sources.queue()),
    ...leaseMetrics(registers),
    ...apiMetrics(registers),
    ...etcdMetrics(registers, () => sources.watches),
    ...runMetrics(registers),
  };
  // A counter that first appears with its first increment has not increased as far as Prometheus can tell.
  for (const result of results) metrics.reconcileTotal.inc({result}, 0);
  for (const outcome of outcomes) for (const strategy of ['Restart', 'ForceNewCluster', 'ReplaceMembers', 'RestoreSnapshot', 'RebuildFromConfig', 'None']) metrics.runsTotal.inc({outcome, strategy}, 0);
  for (const cause of etcdErrorKinds) metrics.probeFailures.inc({cause}, 0);
  return metrics;
}

export type Metrics = ReturnType<typeof createMetrics>;
