import {Gauge} from 'prom-client';
import type {Registry} from 'prom-client';
import {inFlight} from '../api/progress.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../api/types.ts';
import {staleAfterMs} from '../decide/backup/backupWords.ts';
import {isTrue} from './conditions.ts';

/** Where the gauges read the resources from, each time that they are scraped. Empty while this process does not lead. */
export type Resources = () => Iterable<QuorumRecovery>;

type Value<T> = (status: QuorumRecoveryStatus, resource: QuorumRecovery) => T | undefined;

/** A gauge with one number for each resource, none where it is undefined. */
interface Numbered {
  help: string;
  value: Value<number>;
}

/** A gauge that is 1 for the text that holds now, and has no series for any other. */
interface Named {
  help: string;
  label: string;
  value: Value<string>;
}

const secondsOf = (time: string | undefined): number | undefined => (time === undefined ? undefined : Date.parse(time) / 1000);

const ofMs = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

const between = (from: string | undefined, to: string | undefined): number | undefined =>
  (from === undefined || to === undefined ? undefined : Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000));

const ended = ({run}: QuorumRecoveryStatus) => (run?.finishedAt === undefined ? undefined : run);

/** Why the resource stands in this phase: the reason of the condition Stalled, which is True in both. */
const reasonIn = (phase: 'Blocked' | 'Stalled'): Value<string> => (status) =>
  (status.phase === phase ? status.conditions?.find(({type}) => type === 'Stalled')?.reason : undefined);

const runningStep = (status: QuorumRecoveryStatus) => inFlight(status.run)?.steps.find(({state}) => state === 'Running');

const numbered = {
  quorumrecovery_quorum_lost: {help: '1 while the etcd cluster of the resource has no quorum.', value: ({conditions}) => Number(isTrue(conditions, 'QuorumLost'))},
  quorumrecovery_voters: {help: 'Voters that the etcd cluster has.', value: ({quorum}) => quorum?.voters},
  quorumrecovery_voters_needed: {help: 'Voters that make a quorum.', value: ({quorum}) => quorum?.needed},
  quorumrecovery_voters_healthy: {help: 'Voters that answer.', value: ({quorum}) => quorum?.healthy},
  quorumrecovery_last_healthy_timestamp_seconds: {help: 'When every voter was seen healthy the last time. Renewed about once a minute.', value: ({lastHealthy}) => secondsOf(lastHealthy?.observedAt)},
  quorumrecovery_suspected_since_timestamp_seconds: {help: 'Since when the loss of the quorum is suspected; only while it is.', value: ({suspicion}) => secondsOf(suspicion?.since)},
  quorumrecovery_awaiting_turn_since_timestamp_seconds: {help: 'Since when the run waits for its turn to begin by itself; only while it does.', value: ({suspicion}) => secondsOf(suspicion?.queuedAt)},
  quorumrecovery_data_regressed: {help: '1 while a quorum serves data that is older than what was seen before.', value: ({regression}) => Number(regression !== undefined)},
  quorumrecovery_held_pods: {help: 'Pods that are held for the run.', value: ({heldPods}) => heldPods?.length ?? 0},
  quorumrecovery_run_started_timestamp_seconds: {help: 'When the run began that is in flight; only while one is.', value: (status) => secondsOf(inFlight(status.run)?.startedAt)},
  quorumrecovery_last_run_finished_timestamp_seconds: {help: 'When the last run ended; not while one is in flight.', value: (status) => secondsOf(ended(status)?.finishedAt)},
  quorumrecovery_last_run_duration_seconds: {help: 'How long the last run took; not while one is in flight.', value: (status) => between(ended(status)?.startedAt, ended(status)?.finishedAt)},
  quorumrecovery_last_run_first_write_seconds: {help: 'Time from the begin of the last run to the first write that was accepted.', value: ({run}) => between(run?.startedAt, run?.writableAt)},
  quorumrecovery_backup_last_success_timestamp_seconds: {help: 'When the newest snapshot was taken that was verified and saved for spec.backups.', value: ({backups}) => secondsOf(backups?.lastSuccess?.takenAt)},
  quorumrecovery_backup_stale_after_seconds: {help: 'Age from which on that snapshot is too old: two intervals of spec.backups and a minute. Only where there is a spec.backups.', value: (_, {spec}) => ofMs(staleAfterMs(spec))},
  quorumrecovery_backup_failures: {help: 'Snapshots for spec.backups that failed since the last one that was saved.', value: ({backups}) => backups && (backups.failures ?? 0)},
  quorumrecovery_backup_size_bytes: {help: 'Size of the newest snapshot that was saved for spec.backups.', value: ({backups}) => backups?.lastSuccess?.bytes},
  quorumrecovery_backup_snapshots: {help: 'Snapshots of this cluster that the store held after the last one was saved.', value: ({backups}) => backups?.lastSuccess?.kept},
} satisfies Record<string, Numbered>;

const named = {
  quorumrecovery_phase: {help: '1 for the phase that the resource is in.', label: 'phase', value: ({phase}) => phase},
  quorumrecovery_blocked: {help: '1 for the reason why the run does not go on; only while it is Blocked.', label: 'reason', value: reasonIn('Blocked')},
  quorumrecovery_stalled: {help: '1 for what has to be changed in the resource, or around it; only while it is Stalled.', label: 'reason', value: reasonIn('Stalled')},
  quorumrecovery_last_run_outcome: {help: '1 for the outcome of the last run; not while one is in flight.', label: 'outcome', value: (status) => ended(status)?.outcome},
} satisfies Record<string, Named>;

/** A status that another version of the operator wrote may have another form: what cannot be read of it is not shown. */
function read<T>(value: Value<T>, resource: QuorumRecovery): T | undefined {
  const {status} = resource;
  try {
    return status === undefined ? undefined : value(status, resource);
  } catch {
    return undefined;
  }
}

interface Shown {
  name: string;
  help: string;
  label?: string;
  /** The value of the label, empty without one, and the number. */
  show: (resource: QuorumRecovery) => [text: string, value: number] | undefined;
}

function gauge(registry: Registry, resources: Resources, {name, help, label, show}: Shown): void {
  new Gauge({
    name, help, labelNames: ['namespace', 'name', ...(label === undefined ? [] : [label])], registers: [registry],
    collect() {
      this.reset();
      for (const resource of resources()) {
        const [text = '', value = NaN] = show(resource) ?? [];
        const {namespace = '', name: of = ''} = resource.metadata;
        if (Number.isFinite(value)) this.set({namespace, name: of, ...(label !== undefined && {[label]: text})}, value);
      }
    },
  });
}

/** The name of a step without the pod: a label must not have a value for each pod. */
export const kindOfStep = (name: string): string => name.split(' ')[0] ?? '';

/**
 * The gauges of resources are read from their statuses when they are scraped. So they are right from the moment that a process leads, nothing
 * is left of a resource that is gone, and a process that has lost its lease shows none.
 */
export function resourceGauges(registry: Registry, resources: Resources): void {
  for (const [name, {help, value}] of Object.entries<Numbered>(numbered)) {
    gauge(registry, resources, {name, help, show: (resource) => ['', read(value, resource) ?? NaN]});
  }
  for (const [name, {help, label, value}] of Object.entries<Named>(named)) {
    gauge(registry, resources, {name, help, label, show: (resource) => {
      const text = read(value, resource);
      return text === undefined ? undefined : [text, 1];
    }});
  }
  gauge(registry, resources, {
    name: 'quorumrecovery_step_started_timestamp_seconds', help: 'When the step began that the run is at; only while one is in flight.', label: 'step',
    show: (resource) => {
      const step = read(runningStep, resource);
      return step === undefined ? undefined : [kindOfStep(step.name), secondsOf(step.startedAt) ?? NaN];
    },
  });
}
