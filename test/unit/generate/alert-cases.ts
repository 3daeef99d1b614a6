/** A rule of the chart, as Prometheus loads it. */
export interface AlertRule {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** What Prometheus has scraped, a value a minute, and what comes of it. */
interface AlertCase {
  alert: string;
  /** When it is looked. */
  at: string;
  series: Record<string, string>;
  /** The labels that it fires with; undefined: it is quiet. */
  fires?: Record<string, string>;
  /** What $value is as the annotations write it. */
  value?: string;
}

const etcd = 'namespace="db",name="etcd"';
const ofEtcd = {namespace: 'db', name: 'etcd'};
const own = 'job="release-quorum-recovery-operator-metrics",namespace="somewhere"';

/** The same value for two hours. */
const steady = (value: number): string => `${value}x120`;

/** Each with a case in which it fires, and at least one in which it is quiet although something like it goes on. */
export const alertCases: readonly AlertCase[] = [
  {alert: 'QuorumLost', at: '2m', series: {[`quorumrecovery_quorum_lost{${etcd}}`]: '1x5'}, fires: ofEtcd},
  // Another pod leads from the third minute on: the alert does not begin anew.
  {alert: 'QuorumLost', at: '3m', series: {[`quorumrecovery_quorum_lost{pod="a",${etcd}}`]: '1 1 1 stale', [`quorumrecovery_quorum_lost{pod="b",${etcd}}`]: '_ _ _ 1 1'}, fires: ofEtcd},
  {alert: 'QuorumLost', at: '5m', series: {[`quorumrecovery_quorum_lost{${etcd}}`]: '0 0 1 0 0 1'}},

  {alert: 'Suspected', at: '20m', series: {[`quorumrecovery_suspected_since_timestamp_seconds{${etcd}}`]: '60x60'}, fires: ofEtcd, value: '19m 0s'},
  {alert: 'Suspected', at: '10m', series: {[`quorumrecovery_suspected_since_timestamp_seconds{${etcd}}`]: '60x60'}},
  {alert: 'Suspected', at: '20m', series: {[`quorumrecovery_suspected_since_timestamp_seconds{${etcd}}`]: '60x60', [`quorumrecovery_run_started_timestamp_seconds{${etcd}}`]: '660x60'}},

  {alert: 'DataRegressed', at: '1m', series: {[`quorumrecovery_data_regressed{${etcd}}`]: '1x5'}, fires: ofEtcd},
  {alert: 'DataRegressed', at: '1m', series: {[`quorumrecovery_data_regressed{${etcd}}`]: '0x5'}},

  {alert: 'WitnessStale', at: '50m', series: {[`quorumrecovery_last_healthy_timestamp_seconds{${etcd}}`]: steady(60), [`quorumrecovery_voters{${etcd}}`]: steady(3)}, fires: ofEtcd},
  {alert: 'WitnessStale', at: '20m', series: {[`quorumrecovery_voters{${etcd}}`]: steady(3)}, fires: ofEtcd},
  {alert: 'WitnessStale', at: '50m', series: {[`quorumrecovery_last_healthy_timestamp_seconds{${etcd}}`]: '0+60x120', [`quorumrecovery_voters{${etcd}}`]: steady(3)}},
  {alert: 'WitnessStale', at: '50m', series: {[`quorumrecovery_last_healthy_timestamp_seconds{${etcd}}`]: steady(60), [`quorumrecovery_run_started_timestamp_seconds{${etcd}}`]: steady(90)}},

  {alert: 'BackupStale', at: '50m', series: {[`quorumrecovery_backup_last_success_timestamp_seconds{${etcd}}`]: steady(60), [`quorumrecovery_backup_stale_after_seconds{${etcd}}`]: steady(600)}, fires: ofEtcd},
  {alert: 'BackupStale', at: '20m', series: {[`quorumrecovery_backup_stale_after_seconds{${etcd}}`]: steady(600)}, fires: ofEtcd},
  {alert: 'BackupStale', at: '50m', series: {[`quorumrecovery_backup_last_success_timestamp_seconds{${etcd}}`]: '0+60x120', [`quorumrecovery_backup_stale_after_seconds{${etcd}}`]: steady(600)}},
  // Nothing asks for backups any more.
  {alert: 'BackupStale', at: '50m', series: {[`quorumrecovery_backup_last_success_timestamp_seconds{${etcd}}`]: steady(60)}},

  {alert: 'Blocked', at: '2m', series: {[`quorumrecovery_blocked{${etcd},reason="NoSurvivor"}`]: '1x5'}, fires: {...ofEtcd, reason: 'NoSurvivor'}},
  {alert: 'Blocked', at: '2m', series: {[`quorumrecovery_blocked{${etcd},reason="OperatorCutOff"}`]: '1x5'}},
  {alert: 'Blocked', at: '2m', series: {[`quorumrecovery_blocked{${etcd},reason="NoSurvivor"}`]: '_ 1 stale'}},

  {alert: 'OperatorCutOff', at: '2m', series: {[`quorumrecovery_blocked{${etcd},reason="OperatorCutOff"}`]: '1x5'}, fires: ofEtcd},
  {alert: 'OperatorCutOff', at: '2m', series: {[`quorumrecovery_blocked{${etcd},reason="NoSurvivor"}`]: '1x5'}},

  {alert: 'Stalled', at: '6m', series: {[`quorumrecovery_stalled{${etcd},reason="SecretNotFound"}`]: '1x9'}, fires: {...ofEtcd, reason: 'SecretNotFound'}},
  {alert: 'Stalled', at: '6m', series: {[`quorumrecovery_blocked{${etcd},reason="NoSurvivor"}`]: '1x9'}},

  {alert: 'AwaitingApproval', at: '2m', series: {[`quorumrecovery_phase{${etcd},phase="AwaitingApproval"}`]: '1x5'}, fires: ofEtcd},
  {alert: 'AwaitingApproval', at: '2m', series: {[`quorumrecovery_phase{${etcd},phase="Holding"}`]: '1x5'}},

  {alert: 'RunSlow', at: '30m', series: {[`quorumrecovery_run_started_timestamp_seconds{${etcd}}`]: '60x60', [`quorumrecovery_phase{${etcd},phase="Rejoining"}`]: '1x60'}, fires: ofEtcd, value: '29m 0s'},
  {alert: 'RunSlow', at: '10m', series: {[`quorumrecovery_run_started_timestamp_seconds{${etcd}}`]: '60x60'}},
  {alert: 'RunSlow', at: '30m', series: {[`quorumrecovery_run_started_timestamp_seconds{${etcd}}`]: '60x60', [`quorumrecovery_phase{${etcd},phase="Blocked"}`]: '1x60'}},

  {alert: 'Degraded', at: '20m', series: {[`quorumrecovery_last_run_outcome{${etcd},outcome="Degraded"}`]: '1x30'}, fires: ofEtcd},
  {alert: 'Degraded', at: '20m', series: {[`quorumrecovery_last_run_outcome{${etcd},outcome="Recovered"}`]: '1x30'}},

  {alert: 'OperatorDown', at: '5m', series: {'up{job="other"}': '1x9'}, fires: {job: 'release-quorum-recovery-operator-metrics', namespace: 'somewhere'}},
  {alert: 'OperatorDown', at: '5m', series: {[`quorumrecovery_leader{${own},pod="a"}`]: '0x9'}},
  {alert: 'OperatorDown', at: '5m', series: {[`quorumrecovery_leader{job="another-metrics",namespace="somewhere",pod="a"}`]: '1x9'}, fires: {job: 'release-quorum-recovery-operator-metrics', namespace: 'somewhere'}},

  {alert: 'NobodyLeads', at: '5m', series: {[`quorumrecovery_leader{${own},pod="a"}`]: '0x9', [`quorumrecovery_leader{${own},pod="b"}`]: '0x9'}, fires: {}},
  {alert: 'NobodyLeads', at: '5m', series: {[`quorumrecovery_leader{${own},pod="a"}`]: '0x9', [`quorumrecovery_leader{${own},pod="b"}`]: '1x9'}},

  {alert: 'ReconcileErrors', at: '20m', series: {[`quorumrecovery_reconcile_total{${own},pod="a",result="error"}`]: '0+3x30'}, fires: {}, value: '30'},
  {alert: 'ReconcileErrors', at: '20m', series: {[`quorumrecovery_reconcile_total{${own},pod="a",result="conflict"}`]: '0+3x30', [`quorumrecovery_reconcile_total{${own},pod="a",result="error"}`]: '0 5x30'}},
].map((one) => ({...one, alert: `QuorumRecovery${one.alert}`}));

/** The alerts that have both a case in which they fire and one in which they do not, sorted. */
export function alertsIn(cases: readonly AlertCase[]): string[] {
  const names = [...new Set(cases.map(({alert}) => alert))].sort();
  return names.filter((name) => [true, false].every((fires) => cases.some(({alert, fires: labels}) => alert === name && (labels !== undefined) === fires)));
}

/** What Prometheus makes of an annotation, as far as the annotations of the chart go. */
function expanded(text: string, labels: Record<string, string>, value: string | undefined): string {
  return text.replaceAll(/\{\{ (.+?) \}\}/g, (whole, expression: string) => {
    const [, label = '', lower] = /^\$labels\.(\w+)( \| toLower)?$/.exec(expression) ?? [];
    if (label !== '') return lower === undefined ? labels[label] ?? '' : (labels[label] ?? '').toLowerCase();
    if (/^\$value \| humanize(Duration)?$/.test(expression) && value !== undefined) return value;
    throw new Error(`${whole} is not known to this test`);
  });
}

/** The cases as promtool test rules reads them: each a world of its own. */
export function testFile(rules: string, alerts: readonly AlertRule[], cases: readonly AlertCase[]): object {
  return {
    rule_files: [rules],
    evaluation_interval: '1m',
    tests: cases.map(({alert, at, series, fires, value}) => {
      const {labels = {}, annotations = {}} = alerts.find((rule) => rule.alert === alert) ?? {};
      const expected = fires === undefined ? [] : [{
        exp_labels: {...labels, ...fires},
        exp_annotations: Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, expanded(text, fires, value)])),
      }];
      return {
        name: `${alert} ${fires === undefined ? 'is quiet' : 'fires'}`, interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({series: name, values})),
        alert_rule_test: [{eval_time: at, alertname: alert, exp_alerts: expected}],
      };
    }),
  };
}
