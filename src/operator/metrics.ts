import {Counter, Gauge, Histogram, Registry, collectDefaultMetrics} from 'prom-client';

const fastBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const stepBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600];

/** What the gauges read when they are scraped. */
export interface QueueState {
  depth: number;
  running: number;
}

/** All metrics of the operator, in a registry of their own. */
export function createMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({register: registry});
  new Gauge({
    name: 'quorumrecovery_build_info', help: 'Always 1; the labels tell which build runs.', labelNames: ['version', 'node'], registers,
  }).set({version, node: process.version}, 1);
  let queue: (() => QueueState) | undefined;
  new Gauge({
    name: 'quorumrecovery_queue_depth', help: 'Resources that wait to be reconciled.', registers,
    collect() {
      this.set(queue?.().depth ?? 0);
    },
  });
  new Gauge({
    name: 'quorumrecovery_reconciles_running', help: 'Reconciles that run now.', registers,
    collect() {
      this.set(queue?.().running ?? 0);
    },
  });
  return {
    registry,
    /** Whose depth the queue gauges show. */
    observeQueue: (state: () => QueueState) => {
      queue = state;
    },
    reconcileTotal: new Counter({
      name: 'quorumrecovery_reconcile_total', help: 'Reconciles by result: success, requeued, conflict or error.', labelNames: ['result'], registers,
    }),
    reconcileDuration: new Histogram({
      name: 'quorumrecovery_reconcile_duration_seconds', help: 'Duration of one reconcile.', buckets: fastBuckets, registers,
    }),
    queueRetries: new Counter({name: 'quorumrecovery_queue_retries_total', help: 'Reconciles that were put back after a failure.', registers}),
    leader: new Gauge({name: 'quorumrecovery_leader', help: '1 while this process leads.', registers}),
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
    /** 1 for the phase that a resource is in; see setPhase. */
    phase: new Gauge({
      name: 'quorumrecovery_phase', help: '1 for the phase that the resource is in.', labelNames: ['namespace', 'name', 'phase'], registers,
    }),
    runsTotal: new Counter({
      name: 'quorumrecovery_runs_total', help: 'Recoveries that ended, by outcome and strategy.', labelNames: ['outcome', 'strategy'], registers,
    }),
    stepDuration: new Histogram({
      name: 'quorumrecovery_step_duration_seconds', help: 'Duration of the steps of recoveries.', labelNames: ['step'], buckets: stepBuckets, registers,
    }),
    quorumLost: new Gauge({
      name: 'quorumrecovery_quorum_lost', help: '1 while the etcd cluster of the resource has no quorum.', labelNames: ['namespace', 'name'], registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

interface ResourceLabels {
  namespace: string;
  name: string;
}

const phasesSet = new WeakMap<Metrics, Map<string, string>>();

/** Shows one phase of a resource and no other. */
export function setPhase(metrics: Metrics, {namespace, name}: ResourceLabels, phase: string): void {
  const shown = phasesSet.get(metrics) ?? new Map<string, string>();
  phasesSet.set(metrics, shown);
  const key = `${namespace}/${name}`;
  const before = shown.get(key);
  if (before !== undefined && before !== phase) metrics.phase.remove({namespace, name, phase: before});
  shown.set(key, phase);
  metrics.phase.set({namespace, name, phase}, 1);
}

/** Takes a removed resource out of the metrics. */
export function removeResource(metrics: Metrics, {namespace, name}: ResourceLabels): void {
  const shown = phasesSet.get(metrics);
  const phase = shown?.get(`${namespace}/${name}`);
  if (phase !== undefined) metrics.phase.remove({namespace, name, phase});
  shown?.delete(`${namespace}/${name}`);
  metrics.quorumLost.remove({namespace, name});
}
