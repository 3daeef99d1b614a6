import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {stringify} from 'yaml';
import {dashboard} from '../../../src/generate/dashboard.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {alertCases, alertsIn, testFile} from './alert-cases.ts';
import type {AlertRule} from './alert-cases.ts';
import {only, rendered, requireHelm, requirePromtool, runPromtool} from './repository.ts';

interface PanelJSON {
  id: number;
  type: string;
  title: string;
  gridPos: {x: number; y: number; w: number; h: number};
  targets?: {expr: string; refId: string}[];
}

const enabled = ['metrics.prometheusRule.enabled=true'];
const panels = dashboard.panels as PanelJSON[];

/** Every name that Prometheus has of a metric: a histogram has three. */
function exported(): string[] {
  return createMetrics('test').registry.getMetricsAsArray().flatMap(({name, type}) =>
    // prom-client gives the type as text or, in its types, as a number.
    (String(type) === 'histogram' ? ['_bucket', '_sum', '_count'].map((ending) => `${name}${ending}`) : [name]));
}

const named = (expr: string): string[] => expr.match(/\b(quorumrecovery|process|nodejs)_\w+/g) ?? [];

/** The expression with a value in the place of each of Grafana's variables. */
const settled = (expr: string): string => expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll(/\$(job|namespace|name)\b/g, '.*');

describe('alerts of the chart', function () {
  this.timeout(60_000);
  let helm = '';
  before(function () { helm = requireHelm(this); });

  const groupsOf = (values: readonly string[] = []) => only(rendered(helm, [...enabled, ...values]), 'PrometheusRule').spec as {groups: {name: string; rules: AlertRule[]}[]};
  const alerts = (values?: readonly string[]): AlertRule[] => groupsOf(values).groups.flatMap(({rules}) => rules);

  /** Runs promtool beside the rules, as Prometheus loads them. */
  function withRules(use: (directory: string) => void): void {
    const directory = mkdtempSync(join(tmpdir(), 'alerts-'));
    try {
      writeFileSync(join(directory, 'rules.yaml'), stringify(groupsOf()));
      use(directory);
    } finally {
      rmSync(directory, {recursive: true});
    }
  }

  it('are made only where they are asked for, with the labels that Prometheus selects them by', () => {
    assert.ok(!rendered(helm).some(({kind}) => kind === 'PrometheusRule'));
    assert.equal(only(rendered(helm, [...enabled, 'metrics.prometheusRule.labels.release=prom']), 'PrometheusRule').metadata.labels?.['release'], 'prom');
  });

  it('say each what happened to what, what to do, how bad it is and where the runbook is', () => {
    for (const {alert, labels, annotations} of alerts()) {
      assert.match(alert, /^QuorumRecovery[A-Za-z]+$/);
      assert.match(labels['severity'] ?? '', /^(critical|warning)$/, alert);
      assert.deepEqual(Object.keys(annotations).sort(), ['description', 'runbook_url', 'summary'], alert);
      assert.match(annotations['summary'] ?? '', /\$labels\.namespace.*\$labels\.name|in somewhere/, alert);
      assert.match(annotations['description'] ?? '', /\. /, alert);
    }
  });

  it('take thresholds, the address of the runbooks and the operator\'s own series from the values', () => {
    const changed = alerts(['metrics.prometheusRule.thresholds.runSlowSeconds=77', 'metrics.prometheusRule.thresholds.blockedFor=9m', 'metrics.prometheusRule.runbooks=https://x.example/r/', 'metrics.prometheusRule.operatorSelector=app="qro"']);
    const found = (name: string) => changed.find(({alert}) => alert === `QuorumRecovery${name}`);
    assert.match(found('RunSlow')?.expr ?? '', / > 77\b/);
    assert.equal(found('Blocked')?.for, '9m');
    assert.equal(found('Degraded')?.annotations['runbook_url'], 'https://x.example/r/Degraded.md');
    assert.equal(found('OperatorDown')?.expr, 'absent(quorumrecovery_leader{app="qro"})');
    assert.throws(() => alerts(['metrics.prometheusRule.thresholds.blockedFor=soon']), /blockedFor/);
    assert.throws(() => alerts(['metrics.prometheusRule.thresholds.unknown=1']), /unknown/);
  });

  it('ask for the operator\'s own series as the ServiceMonitor names them', () => {
    const all = rendered(helm, [...enabled, 'metrics.serviceMonitor.enabled=true']);
    const service = only(all, 'Service').metadata;
    assert.ok(alerts().some(({expr}) => expr.includes(`{job="${service.name}",namespace="${service.namespace ?? ''}"}`)));
    const monitor = only(all, 'ServiceMonitor').spec as {endpoints: {honorLabels?: boolean}[]};
    assert.equal(monitor.endpoints[0]?.honorLabels, true, 'the namespace of a resource would become exported_namespace');
  });

  it('name only metrics that the operator has', () => {
    const names = alerts().flatMap(({expr}) => named(expr));
    assert.ok(names.length >= alertsIn(alertCases).length);
    assert.deepEqual(names.filter((name) => !exported().includes(name)), []);
  });

  it('have each a case in which they fire and one in which they do not', () => {
    assert.deepEqual(alertsIn(alertCases), alerts().map(({alert}) => alert).sort());
  });

  it('are content to promtool check rules', function () {
    const promtool = requirePromtool(this);
    withRules((directory) => {
      assert.match(runPromtool(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', join(directory, 'rules.yaml')]), new RegExp(`SUCCESS: ${alerts().length} rules found`));
    });
  });

  it('fire when they should and are quiet when they should, by promtool test rules', function () {
    const promtool = requirePromtool(this);
    withRules((directory) => {
      writeFileSync(join(directory, 'test.yaml'), stringify(testFile('rules.yaml', alerts(), alertCases), {aliasDuplicateObjects: false}));
      assert.match(runPromtool(promtool, ['test', 'rules', join(directory, 'test.yaml')]), /SUCCESS/);
    });
  });
});

describe('dashboard of the chart', () => {
  it('has panels with a title, a size inside of the grid and a query, each under an ID of its own, and no two on one place', () => {
    assert.equal(new Set(panels.map(({id}) => id)).size, panels.length);
    const taken = new Set<string>();
    for (const {type, title, gridPos: {x, y, w, h}, targets = []} of panels) {
      assert.ok(title !== '' && w > 0 && h > 0 && x >= 0 && x + w <= 24, title);
      assert.equal(targets.length > 0, type !== 'row', title);
      assert.equal(new Set(targets.map(({refId}) => refId)).size, targets.length, title);
      for (let row = y; row < y + h; row += 1) for (let column = x; column < x + w; column += 1) {
        assert.ok(!taken.has(`${row}/${column}`), `${title} lies on another panel`);
        taken.add(`${row}/${column}`);
      }
    }
  });

  it('names only metrics that the operator has, and shows every one of its own but the information on its build', () => {
    const text = [...panels.flatMap(({targets = []}) => targets.map(({expr}) => expr)), JSON.stringify(dashboard.templating)].join('\n');
    assert.deepEqual(named(text).filter((name) => !exported().includes(name)), []);
    const own = createMetrics('test').registry.getMetricsAsArray().map(({name}) => name).filter((name) => name.startsWith('quorumrecovery_'));
    assert.deepEqual(own.filter((name) => !text.includes(name)), ['quorumrecovery_build_info']);
  });

  it('has only expressions that Prometheus can parse, by promtool check rules', function () {
    const promtool = requirePromtool(this);
    const rules = panels.flatMap(({id, targets = []}) => targets.map(({expr, refId}) => ({record: `panel:${id}:${refId}`, expr: settled(expr)})));
    assert.ok(rules.length > 40);
    assert.ok(!rules.some(({expr}) => expr.includes('$')), 'a variable is not known here');
    assert.match(runPromtool(promtool, ['check', 'rules'], stringify({groups: [{name: 'dashboard', rules}]})), new RegExp(`SUCCESS: ${rules.length} rules found`));
  });

  it('comes as a ConfigMap that Grafana\'s sidecar takes, only where it is asked for', function () {
    this.timeout(60_000);
    const helm = requireHelm(this);
    assert.ok(!rendered(helm).some(({kind}) => kind === 'ConfigMap'));
    const map = only(rendered(helm, ['metrics.grafanaDashboard.enabled=true', 'metrics.grafanaDashboard.annotations.grafana_folder=Databases']), 'ConfigMap');
    assert.equal(map.metadata.labels?.['grafana_dashboard'], '1');
    assert.equal(map.metadata.annotations?.['grafana_folder'], 'Databases');
    const {data} = map as unknown as {data: Record<string, string>};
    assert.deepEqual(JSON.parse(data['quorum-recovery.json'] ?? ''), JSON.parse(JSON.stringify(dashboard)));
  });
});
