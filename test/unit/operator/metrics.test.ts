import assert from 'node:assert/strict';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {startServer} from '../../../src/operator/server.ts';
import {measureRun} from '../../../src/phases/measuring.ts';
import {planOf, runOf} from '../decide/observations.ts';
import {requirePromtool, runPromtool} from '../generate/repository.ts';
import {resource} from './fake-feed.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const stalled = (reason: string) => [{type: 'Stalled', status: 'True' as const, reason, message: '', lastTransitionTime: at(0)}];

function setUp() {
  const metrics = createMetrics('1.2.3');
  const resources: QuorumRecovery[] = [];
  metrics.observeResources(() => resources);
  const lines = async (pattern: RegExp) => (await metrics.registry.metrics()).split('\n').filter((line) => pattern.test(line)).map((line) => line.replace('namespace="db",name="etcd"', '…'));
  const shows = async (status: QuorumRecoveryStatus) => {
    resources.splice(0, resources.length, resource('etcd', 'etcd', {status}));
    return await lines(/name="etcd"/);
  };
  return {metrics, resources, lines, shows};
}

/** Everything that can be shown, shown. */
function full() {
  const {metrics, resources, ...rest} = setUp();
  const run = runOf({plan: planOf(), startedAt: at(100), writableAt: at(112), finishedAt: at(130), outcome: 'Recovered', steps: [{name: 'Join etcd-1', state: 'Done', startedAt: at(115), finishedAt: at(120)}]});
  const status: QuorumRecoveryStatus = {
    phase: 'Complete', quorum: {voters: 3, needed: 2, healthy: 3, summary: '3/3'}, run, suspicion: {since: at(90), kubernetes: '', etcd: ''},
    lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, members: [], observedAt: at(80)},
  };
  const going = {...run};
  delete going.finishedAt;
  delete going.outcome;
  resources.push(
    resource('etcd', 'etcd', {status}), resource('blocked', 'b', {status: {phase: 'Blocked', conditions: stalled('NoSurvivor'), run: {...going, steps: [{name: 'Join b-1', state: 'Running', startedAt: at(120)}]}}}),
    resource('stalled', 's', {status: {phase: 'Stalled', conditions: stalled('NotEtcd')}}),
  );
  measureRun(metrics, undefined, status);
  metrics.reconcileDuration.observe(0.1);
  metrics.queueWait.observe(0.1);
  metrics.apiDuration.observe({verb: 'get'}, 0.1);
  metrics.apiErrors.inc({verb: 'get', kind: 'Pod', code: 500});
  metrics.watchRestarts.inc({kind: 'Pod', failed: 'true'});
  metrics.leaderWatchEnds.inc({why: 'Broken'});
  metrics.probeDuration.observe({result: 'Failed'}, 1);
  return {metrics, resources, ...rest};
}

describe('metrics of resources', () => {
  it('show the quorum, the phase, the witness and what is suspected, as unix times', async () => {
    const {shows} = setUp();
    const {suspicion, lastHealthy} = {suspicion: {since: at(90), kubernetes: '', etcd: ''}, lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, members: [], observedAt: at(80.5)}};
    const lost = [{type: 'QuorumLost', status: 'True' as const, reason: 'Suspected', message: '', lastTransitionTime: at(0)}];
    assert.deepEqual(await shows({phase: 'Suspected', quorum: {voters: 5, needed: 3, healthy: 2, summary: '2/5'}, suspicion, lastHealthy, conditions: lost, regression: {since: at(1), message: ''}, heldPods: ['etcd-1']}), [
      'quorumrecovery_quorum_lost{…} 1', 'quorumrecovery_voters{…} 5', 'quorumrecovery_voters_needed{…} 3', 'quorumrecovery_voters_healthy{…} 2',
      'quorumrecovery_last_healthy_timestamp_seconds{…} 80.5', 'quorumrecovery_suspected_since_timestamp_seconds{…} 90', 'quorumrecovery_data_regressed{…} 1',
      'quorumrecovery_held_pods{…} 1', 'quorumrecovery_phase{…,phase="Suspected"} 1',
    ]);
  });

  it('show nothing of what was before: no other phase, no suspicion that is over, no run that has ended, no resource that is gone', async () => {
    const {shows, resources, lines} = setUp();
    const steps = [{name: 'Plan', state: 'Done' as const, startedAt: at(1)}, {name: 'Join etcd-1', state: 'Running' as const, startedAt: at(20)}];
    const going = await shows({phase: 'Blocked', conditions: stalled('AgentFailed'), suspicion: {since: at(1), kubernetes: '', etcd: ''}, run: runOf({startedAt: at(10), writableAt: at(15), steps})});
    assert.deepEqual(going.filter((line) => /run|phase|blocked|stalled|suspected|step/.test(line)), [
      'quorumrecovery_suspected_since_timestamp_seconds{…} 1', 'quorumrecovery_run_started_timestamp_seconds{…} 10', 'quorumrecovery_last_run_first_write_seconds{…} 5',
      'quorumrecovery_phase{…,phase="Blocked"} 1', 'quorumrecovery_blocked{…,reason="AgentFailed"} 1', 'quorumrecovery_step_started_timestamp_seconds{…,step="Join"} 20',
    ]);
    const over = await shows({phase: 'Complete', run: runOf({startedAt: at(10), writableAt: at(15), finishedAt: at(40), outcome: 'Degraded', steps})});
    assert.deepEqual(over.filter((line) => /run|phase|blocked|stalled|suspected|step/.test(line)), [
      'quorumrecovery_last_run_finished_timestamp_seconds{…} 40', 'quorumrecovery_last_run_duration_seconds{…} 30', 'quorumrecovery_last_run_first_write_seconds{…} 5',
      'quorumrecovery_phase{…,phase="Complete"} 1', 'quorumrecovery_last_run_outcome{…,outcome="Degraded"} 1',
    ]);
    resources.length = 0;
    assert.deepEqual(await lines(/name="/), []);
  });

  it('are served for all others where one has a status of another form', async () => {
    const {resources, lines} = setUp();
    resources.push(resource('odd', 'odd', {status: {phase: 'Watching', conditions: {}, quorum: 'all', suspicion: {}} as never}), resource('etcd', 'etcd', {status: {phase: 'Watching'}}), resource('new'));
    assert.deepEqual(await lines(/_phase\{/), ['quorumrecovery_phase{namespace="db",name="odd",phase="Watching"} 1', 'quorumrecovery_phase{…,phase="Watching"} 1']);
    assert.deepEqual(await lines(/NaN|name="new"/), []);
  });

  it('have no more labels than namespace, name and one of few values: none for a pod, whatever the step is called', async () => {
    const {metrics, lines} = full();
    assert.deepEqual(await lines(/"(etcd|b)-\d|pod=/), []);
    const labels = (await metrics.registry.getMetricsAsJSON()).flatMap(({values}) => (values as {labels: object}[]).flatMap((value) => Object.keys(value.labels)));
    const allowed = ['namespace', 'name', 'phase', 'reason', 'outcome', 'step', 'strategy', 'result', 'cause', 'why', 'verb', 'kind', 'code', 'failed', 'le', 'version', 'node', 'major', 'minor', 'patch', 'type', 'space', 'quantile'];
    assert.deepEqual([...new Set(labels)].filter((label) => !allowed.includes(label)), []);
  });
});

describe('metrics of runs', () => {
  const finished = runOf({plan: planOf(), startedAt: at(100), writableAt: at(112), finishedAt: at(130), outcome: 'Degraded', steps: [
    {name: 'Plan', state: 'Done', startedAt: at(100), finishedAt: at(104)}, {name: 'Hold', state: 'Done', startedAt: at(104), finishedAt: at(105)}, {name: 'Stop', state: 'Done', startedAt: at(105), finishedAt: at(107)},
    {name: 'Join etcd-1', state: 'Done', startedAt: at(113), finishedAt: at(120)}, {name: 'Join etcd-2', state: 'Deferred', startedAt: at(120), finishedAt: at(125)},
  ]});
  const going = {...finished};
  delete going.finishedAt;
  delete going.outcome;
  delete going.writableAt;

  it('count an outcome, and time the run, its phases, its steps and its first write, once each however often the status is written', async () => {
    const {metrics, lines} = setUp();
    const writes: QuorumRecoveryStatus[] = [{run: {...going, steps: []}}, {run: {...going, writableAt: at(112)}}, {run: {...going, writableAt: at(112)}, phase: 'Rejoining'}, {run: finished}, {run: finished, phase: 'Complete'}];
    writes.forEach((after, index) => { measureRun(metrics, writes[index - 1], after); });
    assert.deepEqual(await lines(/^quorumrecovery_runs_total.* [1-9]/), ['quorumrecovery_runs_total{outcome="Degraded",strategy="ForceNewCluster"} 1']);
    assert.deepEqual(await lines(/^quorumrecovery_(run|phase|step)_\w+_(sum|count)/), [
      'quorumrecovery_run_duration_seconds_sum{outcome="Degraded"} 30', 'quorumrecovery_run_duration_seconds_count{outcome="Degraded"} 1',
      'quorumrecovery_run_first_write_seconds_sum 12', 'quorumrecovery_run_first_write_seconds_count 1',
      'quorumrecovery_phase_duration_seconds_sum{phase="Planning"} 4', 'quorumrecovery_phase_duration_seconds_count{phase="Planning"} 1',
      'quorumrecovery_phase_duration_seconds_sum{phase="Holding"} 3', 'quorumrecovery_phase_duration_seconds_count{phase="Holding"} 1',
      'quorumrecovery_phase_duration_seconds_sum{phase="Rejoining"} 12', 'quorumrecovery_phase_duration_seconds_count{phase="Rejoining"} 1',
      'quorumrecovery_step_duration_seconds_sum{step="Hold"} 1', 'quorumrecovery_step_duration_seconds_count{step="Hold"} 1',
      'quorumrecovery_step_duration_seconds_sum{step="Stop"} 2', 'quorumrecovery_step_duration_seconds_count{step="Stop"} 1',
      'quorumrecovery_step_duration_seconds_sum{step="Join"} 12', 'quorumrecovery_step_duration_seconds_count{step="Join"} 2',
    ]);
  });

  it('do not take the days that a member waited for the duration of a run that went on later', async () => {
    const {metrics, lines} = setUp();
    const history = [{id: finished.id, outcome: 'Degraded', finishedAt: at(130), durationSeconds: 30}];
    measureRun(metrics, {run: {...going, writableAt: at(112)}, history}, {run: {...finished, outcome: 'Recovered', finishedAt: at(99_999)}, history});
    assert.deepEqual(await lines(/^quorumrecovery_run_duration_seconds_count|^quorumrecovery_phase_duration_seconds_count/), []);
    assert.deepEqual(await lines(/^quorumrecovery_runs_total.* 1$/), ['quorumrecovery_runs_total{outcome="Recovered",strategy="ForceNewCluster"} 1']);
  });

  it('are there with 0 before the first of a kind, so that the first one is an increase', async () => {
    const {lines} = setUp();
    assert.deepEqual(await lines(/^quorumrecovery_(runs_total\{outcome="Degraded",strategy="None"\}|reconcile_total\{result="error"\}|etcd_probe_failures_total\{cause="Timeout"\}) 0$/).then((found) => found.length), 3);
  });
});

describe('what /metrics serves', () => {
  it('carries the prefix of the product, and a unit where it has one', () => {
    const own = createMetrics('1.2.3').registry.getMetricsAsArray().filter(({name}) => !/^(process|nodejs)_/.test(name));
    for (const {name} of own) assert.match(name, /^quorumrecovery_[a-z_]+$/);
  });

  it('is as Prometheus wants it, by promtool check metrics', async function () {
    const promtool = requirePromtool(this);
    const {metrics} = full();
    const server = await startServer(0, {registry: metrics.registry, healthy: {}, ready: {}});
    try {
      const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
      assert.match(text, /quorumrecovery_blocked\{/);
      assert.equal(runPromtool(promtool, ['check', 'metrics'], text), '');
    } finally {
      await server.close();
    }
  });
});
