import {phases} from '../api/reasons.ts';
import type {Phase} from '../api/reasons.ts';
import {chosen, layout, table} from './grafana.ts';
import type {Panel, Query, Section} from './grafana.ts';

const selected = '{namespace=~"$namespace",name=~"$name"}';
const own = '{job=~"$job"}';
/** One series for each resource, whichever pod leads. */
const of = (metric: string, matchers = selected): string => `max by (namespace, name) (${metric}${matchers})`;
const resource = '{{namespace}}/{{name}}';

const redAbove = (value: number): object => ({mode: 'absolute', steps: [{color: 'green', value: null}, {color: 'red', value}]});
const seconds = {unit: 's', min: 0};
const series = (title: string, unit: object, queries: Query[], rest: Partial<Panel> = {}): Panel => ({type: 'timeseries', title, width: 12, height: 8, queries, defaults: unit, ...rest});
const count = (title: string, expr: string, defaults: object = {}): Panel => ({type: 'stat', title, width: 6, height: 4, queries: [{expr: `${expr} or vector(0)`}], defaults: {unit: 'none', decimals: 0, ...defaults}});

const quantile = (q: number, metric: string, matchers: string, by: string[] = []): string =>
  `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${metric}_bucket${matchers}[$__rate_interval])))`;
const mean = (metric: string, by: string): string =>
  `sum by (${by}) (increase(${metric}_sum${own}[$__range])) / (sum by (${by}) (increase(${metric}_count${own}[$__range])) > 0)`;

const colours: Partial<Record<Phase, string>> = {
  Watching: 'green', Complete: 'green', Suspected: 'orange', AwaitingApproval: 'purple', Blocked: 'red', Stalled: 'red', Failed: 'dark-red',
};

/** A phase as its place in the list of all, because a state timeline draws numbers with names. */
const phaseNumber = phases.map((phase, index) => `(${of('quorumrecovery_phase', `{namespace=~"$namespace",name=~"$name",phase="${phase}"}`)} * ${index})`).join(' or ');
const phaseNames = [{type: 'value', options: Object.fromEntries(phases.map((phase, index) => [index, {text: phase, color: colours[phase] ?? 'blue', index}]))}];

const clusters: Panel[] = [
  count('Clusters', `count(${of('quorumrecovery_phase')})`),
  count('Without quorum', `sum(${of('quorumrecovery_quorum_lost')})`, {thresholds: redAbove(1)}),
  count('Runs in flight', `count(${of('quorumrecovery_run_started_timestamp_seconds')})`),
  count('Waiting for a person', `count(${of('quorumrecovery_phase', '{namespace=~"$namespace",name=~"$name",phase=~"Blocked|Stalled|AwaitingApproval"}')})`, {thresholds: redAbove(1)}),
  {
    type: 'state-timeline', title: 'Phase', width: 24, height: 8, queries: [{expr: phaseNumber, legend: resource}],
    defaults: {mappings: phaseNames, custom: {fillOpacity: 70, lineWidth: 0}}, options: {mergeValues: true, showValue: 'auto', rowHeight: 0.8, legend: {showLegend: false}},
  },
  table('Clusters now', [
    {name: 'Healthy', expr: of('quorumrecovery_voters_healthy')}, {name: 'Needed', expr: of('quorumrecovery_voters_needed')},
    {name: 'Voters', expr: of('quorumrecovery_voters')}, {name: 'Quorum lost', expr: of('quorumrecovery_quorum_lost')},
    {name: 'Data regressed', expr: of('quorumrecovery_data_regressed')}, {name: 'Held pods', expr: of('quorumrecovery_held_pods')},
    {name: 'Seen whole before', expr: `time() - ${of('quorumrecovery_last_healthy_timestamp_seconds')}`, unit: 's'},
    {name: 'Backups', expr: of('quorumrecovery_backup_snapshots')}, {name: 'Backups failed', expr: of('quorumrecovery_backup_failures')},
    {name: 'Suspected for', expr: `time() - ${of('quorumrecovery_suspected_since_timestamp_seconds')}`, unit: 's'},
    {name: 'Waits for its turn for', expr: `time() - ${of('quorumrecovery_awaiting_turn_since_timestamp_seconds')}`, unit: 's'},
  ], 8),
  series('Healthy voters above quorum', {unit: 'none', decimals: 0}, [{expr: `${of('quorumrecovery_voters_healthy')} - ${of('quorumrecovery_voters_needed')}`, legend: resource}], {description: 'Members that may still fail. Below 0 the quorum is lost.'}),
  series('Witness age', seconds, [{expr: `time() - ${of('quorumrecovery_last_healthy_timestamp_seconds')}`, legend: resource}], {description: 'Since every voter was seen healthy the last time. About a minute is usual.'}),
  series('Suspicion', seconds, [{expr: `time() - ${of('quorumrecovery_suspected_since_timestamp_seconds')}`, legend: resource}], {description: 'For how long the quorum has been in doubt.'}),
  series('Age of the newest backup', seconds, [
    {expr: `time() - ${of('quorumrecovery_backup_last_success_timestamp_seconds')}`, legend: resource},
    {expr: of('quorumrecovery_backup_stale_after_seconds'), legend: `${resource}: stale`},
  ], {description: 'Of resources with spec.backups: since the newest snapshot was taken that was verified and saved.'}),
  series('Size of the newest backup', {unit: 'bytes', min: 0}, [{expr: of('quorumrecovery_backup_size_bytes'), legend: resource}]),
  series('Why runs wait', {unit: 'none', decimals: 0}, [
    {expr: 'max by (namespace, name, reason) (quorumrecovery_blocked{namespace=~"$namespace",name=~"$name"})', legend: `${resource} Blocked: {{reason}}`},
    {expr: 'max by (namespace, name, reason) (quorumrecovery_stalled{namespace=~"$namespace",name=~"$name"})', legend: `${resource} Stalled: {{reason}}`},
  ]),
];

const runs: Panel[] = [
  table('Last runs', [
    {expr: `max by (namespace, name, outcome) (quorumrecovery_last_run_outcome${selected})`},
    {name: 'Ended before', expr: `time() - ${of('quorumrecovery_last_run_finished_timestamp_seconds')}`, unit: 's'},
    {name: 'Duration', expr: of('quorumrecovery_last_run_duration_seconds'), unit: 's'},
    {name: 'Time to first write', expr: of('quorumrecovery_last_run_first_write_seconds'), unit: 's'},
  ], 8),
  series('Run in flight', seconds, [
    {expr: `time() - ${of('quorumrecovery_run_started_timestamp_seconds')}`, legend: resource},
    {expr: `time() - max by (namespace, name, step) (quorumrecovery_step_started_timestamp_seconds${selected})`, legend: `${resource} {{step}}`},
  ], {description: 'Age of the run, and of the step that it is at.'}),
  series('Runs in flight, and those that wait for their turn', {unit: 'none', decimals: 0}, [
    {expr: `count(${of('quorumrecovery_run_started_timestamp_seconds')})`, legend: 'in flight'},
    {expr: `count(${of('quorumrecovery_awaiting_turn_since_timestamp_seconds')})`, legend: 'waiting'},
    {expr: `max(quorumrecovery_concurrent_runs_limit${own})`, legend: 'limit'},
  ], {description: 'Runs that are Blocked or wait for an approval are in flight, and do not count for the limit.'}),
  {type: 'bargauge', title: 'Runs by outcome', width: 12, height: 8, queries: [{expr: `sum by (outcome) (increase(quorumrecovery_runs_total${own}[$__range])) > 0`, legend: '{{outcome}}'}], defaults: {unit: 'none', decimals: 0, min: 0}},
  series('Duration of runs, and time to first write', seconds, [
    {expr: `histogram_quantile(0.5, sum by (le) (increase(quorumrecovery_run_duration_seconds_bucket${own}[$__range])))`, legend: 'run, median'},
    {expr: `histogram_quantile(0.9, sum by (le) (increase(quorumrecovery_run_duration_seconds_bucket${own}[$__range])))`, legend: 'run, 90 %'},
    {expr: `histogram_quantile(0.5, sum by (le) (increase(quorumrecovery_run_first_write_seconds_bucket${own}[$__range])))`, legend: 'first write, median'},
    {expr: `histogram_quantile(0.9, sum by (le) (increase(quorumrecovery_run_first_write_seconds_bucket${own}[$__range])))`, legend: 'first write, 90 %'},
  ], {width: 24}),
  {type: 'bargauge', title: 'Mean duration of phases', width: 12, height: 8, queries: [{expr: mean('quorumrecovery_phase_duration_seconds', 'phase'), legend: '{{phase}}'}], defaults: seconds},
  {type: 'bargauge', title: 'Mean duration of steps', width: 12, height: 8, queries: [{expr: mean('quorumrecovery_step_duration_seconds', 'step'), legend: '{{step}}'}], defaults: seconds},
];

const etcd: Panel[] = [
  series('Time that members take to answer', seconds, [
    {expr: quantile(0.5, 'quorumrecovery_etcd_probe_duration_seconds', own, ['result']), legend: '{{result}}, median'},
    {expr: quantile(0.99, 'quorumrecovery_etcd_probe_duration_seconds', own, ['result']), legend: '{{result}}, 99 %'},
  ]),
  series('Members that do not answer', {unit: 'ops', min: 0}, [{expr: `sum by (cause) (rate(quorumrecovery_etcd_probe_failures_total${own}[$__rate_interval])) > 0`, legend: '{{cause}}'}]),
  series('Watches for a lost leader', {unit: 'none', decimals: 0, min: 0}, [{expr: `sum(quorumrecovery_leader_watches${own})`, legend: 'open'}]),
  series('Ends of those watches', {unit: 'ops', min: 0}, [{expr: `sum by (why) (rate(quorumrecovery_leader_watch_ends_total${own}[$__rate_interval]))`, legend: '{{why}}'}]),
  series('Calm clusters', {unit: 'none', decimals: 0, min: 0}, [{expr: `sum(quorumrecovery_calm_clusters${own})`, legend: 'one member in turn is asked'}]),
  series('Ends of the calm', {unit: 'ops', min: 0}, [{expr: `sum by (why) (rate(quorumrecovery_calm_ends_total${own}[$__rate_interval]))`, legend: '{{why}}'}]),
];

const operator: Panel[] = [
  series('Who leads', {unit: 'none', decimals: 0, min: 0, max: 1}, [{expr: `max by (pod) (quorumrecovery_leader${own})`, legend: '{{pod}}'}]),
  series('Age of the lease', seconds, [
    {expr: `time() - max by (pod) (quorumrecovery_lease_renewed_timestamp_seconds${own} > 0)`, legend: '{{pod}}'},
    {expr: `sum by (pod) (increase(quorumrecovery_lease_failures_total${own}[$__rate_interval]))`, legend: '{{pod}}: failed tries'},
  ], {overrides: [{matcher: {id: 'byRegexp', options: '.*failed tries'}, properties: [{id: 'unit', value: 'none'}]}]}),
  series('Questions to calm clusters that are late', seconds, [{expr: `max(quorumrecovery_calm_ask_lag_seconds${own})`, legend: 'the latest'}]),
  series('Queue', {unit: 'none', decimals: 0, min: 0}, [
    {expr: `sum(quorumrecovery_queue_depth${own})`, legend: 'waiting'},
    {expr: `sum(quorumrecovery_reconciles_running${own})`, legend: 'running'},
  ]),
  series('Time in the queue', seconds, [
    {expr: quantile(0.5, 'quorumrecovery_queue_wait_seconds', own), legend: 'median'},
    {expr: quantile(0.99, 'quorumrecovery_queue_wait_seconds', own), legend: '99 %'},
    {expr: `max(quorumrecovery_queue_longest_wait_seconds${own})`, legend: 'waits longest now'},
  ]),
  series('Reconciles', {unit: 'ops', min: 0}, [
    {expr: `sum by (result) (rate(quorumrecovery_reconcile_total${own}[$__rate_interval]))`, legend: '{{result}}'},
    {expr: `sum(rate(quorumrecovery_queue_retries_total${own}[$__rate_interval]))`, legend: 'put back'},
  ]),
  series('Duration of reconciles', seconds, [
    {expr: quantile(0.5, 'quorumrecovery_reconcile_duration_seconds', own), legend: 'median'},
    {expr: quantile(0.99, 'quorumrecovery_reconcile_duration_seconds', own), legend: '99 %'},
    {expr: `max(quorumrecovery_reconcile_longest_running_seconds${own})`, legend: 'runs longest now'},
  ]),
  series('API errors', {unit: 'ops', min: 0}, [{expr: `sum by (verb, kind, code) (rate(quorumrecovery_api_errors_total${own}[$__rate_interval])) > 0`, legend: '{{verb}} {{kind}} {{code}}'}], {description: '404 to a get is an answer, and 409 is another writer. 0: no answer.'}),
  series('API latency', seconds, [{expr: quantile(0.99, 'quorumrecovery_api_request_duration_seconds', own, ['verb']), legend: '{{verb}}, 99 %'}]),
  series('Watches begun anew, events not written', {unit: 'ops', min: 0}, [
    {expr: `sum by (kind, failed) (rate(quorumrecovery_watch_restarts_total${own}[$__rate_interval]))`, legend: '{{kind}}, failed: {{failed}}'},
    {expr: `sum(rate(quorumrecovery_event_failures_total${own}[$__rate_interval]))`, legend: 'events not written'},
  ]),
  series('Memory', {unit: 'bytes', min: 0}, [{expr: `max by (pod) (process_resident_memory_bytes${own})`, legend: '{{pod}}'}]),
  series('Processor', {unit: 'none', min: 0}, [{expr: `sum by (pod) (rate(process_cpu_seconds_total${own}[$__rate_interval]))`, legend: '{{pod}}'}]),
  series('Event loop lag', seconds, [{expr: `max by (pod) (nodejs_eventloop_lag_p99_seconds${own})`, legend: '{{pod}}, 99 %'}]),
];

const sections: readonly Section[] = [['Clusters', clusters], ['Runs', runs], ['etcd, as the operator sees it', etcd], ['Operator', operator]];

/** The dashboard of the chart, as Grafana 10 and later import it. Its variables: the data source, the operator's scrape job, and which resources. */
export const dashboard = {
  uid: 'quorum-recovery', title: 'Quorum recovery', tags: ['etcd', 'quorum-recovery'], schemaVersion: 39, version: 1, editable: true, graphTooltip: 1,
  refresh: '30s', time: {from: 'now-3h', to: 'now'}, timezone: 'browser', annotations: {list: []}, links: [],
  templating: {
    list: [
      {type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus', current: {}, refresh: 1},
      chosen('job', 'Operator', 'label_values(quorumrecovery_leader, job)'),
      chosen('namespace', 'Namespace', 'label_values(quorumrecovery_phase, namespace)'),
      chosen('name', 'Resource', 'label_values(quorumrecovery_phase{namespace=~"$namespace"}, name)'),
    ],
  },
  panels: layout(sections),
};
