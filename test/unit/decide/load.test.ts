import assert from 'node:assert/strict';
import type {V1CronJob, V1Job} from '@kubernetes/client-node';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {plannedSources, sourceRefusal} from '../../../src/decide/plans/rebuildSources.ts';
import {check, load} from '../../../src/decide/steps/load.ts';
import {rebuildJob} from '../../../src/kubernetes/rebuildJobs.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import type {SourceView} from '../../../src/observe/sources.ts';
import {now, observationOf, planOf, runOf} from './observations.ts';

const at = new Date(now).toISOString();
const rebuild = {
  sources: [{name: 'shared', configMap: 'site', keyPrefix: '/site/'}, {name: 'chronos', cronJob: 'load'}, {name: 'queue', configMap: 'dump', dump: true}],
  checks: [{name: 'in-sync', sources: ['shared']}, {name: 'state', cronJob: 'check'}],
};
const cronJob = (name: string, command = 'true'): V1CronJob => ({
  metadata: {name}, spec: {schedule: '', jobTemplate: {spec: {backoffLimit: 0, template: {spec: {containers: [{name: 'c', image: 'i', command: [command], env: [{name: 'ETCDCTL_ENDPOINTS', value: 'old'}, {name: 'OWN', value: '1'}]}]}}}}},
});
const cronJobs = {load: cronJob('load'), check: cronJob('check')};
const source = (name: string, state: 'Loading' | 'Loaded') => ({name, state, startedAt: at});

function loading(found: Run['rebuild'], made: V1Job[] = [], more: object = {}): Observation {
  const run = runOf({plan: planOf({strategy: 'RebuildFromConfig'}), newCluster: {attempt: 1, members: ['etcd-0', 'etcd-1', 'etcd-2'], clusterID: 'c', seeded: [], servedAt: at}, ...(found && {rebuild: found})});
  return observationOf({spec: {strategy: 'RebuildFromConfig', rebuild, ...more}, status: {run}, more: {jobs: {made, cronJobs}}});
}
function does(observation: Observation, decision: Decision): {does: string; sources: string; words: string} {
  const draft = structuredClone(observation.status);
  if ('record' in decision) decision.record(draft);
  const what = decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind;
  return {does: what, sources: (draft.run?.rebuild?.sources ?? []).map(({name, state}) => `${name} ${state}`).join(), words: 'why' in decision ? decision.why : decision.message};
}
function jobOf(observation: Observation, step: 'Load' | 'Check', name: string, of: V1CronJob, condition?: 'Complete' | 'Failed'): V1Job {
  const job = rebuildJob(observation, {step, name}, of);
  return {...job, ...(condition && {status: {conditions: [{type: condition, status: 'True', reason: 'BackoffLimitExceeded', message: 'it ended with 3'}]}})};
}

describe('the load of a new cluster', () => {
  it('takes source after source, and says of each that it is being loaded before anything is written', () => {
    const first = loading(undefined);
    assert.deepEqual(does(first, load(first)), {does: 'LoadKeys', sources: 'shared Loading', words: 'loading shared (ConfigMap site)'});
    const second = loading({sources: [source('shared', 'Loaded')], checks: []});
    const started = does(second, load(second));
    assert.deepEqual([started.does, started.sources], ['CreateJob', 'shared Loaded,chronos Loading']);
  });
  it('that was cut off begins again with the source that it was at', () => {
    const cut = loading({sources: [source('shared', 'Loading')], checks: []});
    assert.deepEqual(does(cut, load(cut)).does, 'LoadKeys');
  });
  it('waits for a Job, goes on when it has succeeded, and blocks by its name when it failed', () => {
    const records = {sources: [source('shared', 'Loaded'), source('chronos', 'Loading')], checks: []};
    const before = loading(records);
    const standing = (condition?: 'Complete' | 'Failed') => loading(records, [jobOf(before, 'Load', 'chronos', cronJobs.load, condition)]);
    assert.equal(does(standing(), load(standing())).does, 'wait');
    assert.equal(does(standing('Complete'), load(standing('Complete'))).sources, 'shared Loaded,chronos Loaded');
    const failed = does(standing('Failed'), load(standing('Failed')));
    assert.equal(failed.does, 'blocked LoadFailed');
    assert.match(failed.words, /^source chronos: Job etcd-load-\w{8} failed \(BackoffLimitExceeded: it ended with 3\).*delete the Job to have it made again.*Nobody uses the new cluster yet$/);
  });
  it('makes another Job from a template that was mended', () => {
    const records = {sources: [source('shared', 'Loaded'), source('chronos', 'Loading')], checks: []};
    const old = jobOf(loading(records), 'Load', 'chronos', cronJobs.load, 'Failed');
    const mended = loading(records, [old]);
    mended.jobs = {made: [old], cronJobs: {...cronJobs, load: cronJob('load', 'mended')}};
    assert.equal(does(mended, load(mended)).does, 'CreateJob');
  });
  it('blocks where the CronJob has gone meanwhile', () => {
    const gone = loading({sources: [source('shared', 'Loaded')], checks: []});
    gone.jobs = {made: [], cronJobs: {}};
    assert.equal(does(gone, load(gone)).does, 'blocked LoadFailed');
  });
  it('is not done while a source of the approved plan is not loaded, although spec.rebuild does not name it any more; nor are the checks', () => {
    const without = (found: Run['rebuild'], more: object) => {
      const observation = loading(found, [], more);
      if (observation.status.run?.plan) observation.status.run.plan.rebuild = [{name: 'shared', from: 'ConfigMap site', keys: 1}];
      return observation;
    };
    for (const more of [{rebuild: undefined, strategy: 'Auto'}, {rebuild: {sources: [{name: 'other', cronJob: 'load'}]}}]) {
      const gone = without({sources: [source('other', 'Loaded')], checks: []}, more);
      for (const decision of [load(gone), check(gone)]) {
        assert.equal(does(gone, decision).does, 'blocked LoadFailed');
        assert.match(does(gone, decision).words, /^source shared \(ConfigMap site\) of the approved plan is not loaded.*Put it back into spec\.rebuild/);
      }
    }
    const loaded = without({sources: [source('shared', 'Loaded')], checks: []}, {rebuild: undefined, strategy: 'Auto'});
    assert.equal(load(loaded).kind, 'done');
  });
  it('is done with the number of keys of each', () => {
    const all = loading({sources: [{...source('shared', 'Loaded'), keys: 1}, source('chronos', 'Loaded'), {...source('queue', 'Loaded'), keys: 2}], checks: []});
    assert.deepEqual(does(all, load(all)).words, 'loaded shared (1 key), chronos, queue (2 keys)');
  });
});

describe('the checks of a new cluster', () => {
  const loaded = [source('shared', 'Loaded'), source('chronos', 'Loaded'), source('queue', 'Loaded')];

  it('are asked one after the other, and a Job that fails blocks by its name', () => {
    const first = loading({sources: loaded, checks: []});
    assert.equal(does(first, check(first)).does, 'CheckKeys');
    const records = {sources: loaded, checks: [{name: 'in-sync', state: 'Passed' as const, startedAt: at}]};
    const failed = loading(records, [jobOf(loading(records), 'Check', 'state', cronJobs.check, 'Failed')]);
    assert.match(does(failed, check(failed)).words, /^check state: Job etcd-check-\w{8} failed/);
    assert.equal(does(failed, check(failed)).does, 'blocked CheckFailed');
  });
  it('load a source anew that changed since it was loaded, before anything else', () => {
    const stale = loading({sources: [source('shared', 'Loading'), ...loaded.slice(1)], checks: [{name: 'in-sync', state: 'Running', startedAt: at}]});
    assert.equal(does(stale, check(stale)).does, 'LoadKeys');
  });
  it('are done when all have passed, and where none is declared', () => {
    const all = loading({sources: loaded, checks: ['in-sync', 'state'].map((name) => ({name, state: 'Passed' as const, startedAt: at}))});
    assert.equal(does(all, check(all)).words, 'checked: in-sync, state');
    const none = loading({sources: loaded, checks: []}, [], {rebuild: {sources: rebuild.sources}});
    assert.equal(does(none, check(none)).words, 'no check is declared');
  });
});

describe('a Job of a rebuild', () => {
  it('finds the members in its environment, keeps its own, belongs to the resource and is no helper pod', () => {
    const job = jobOf(loading(undefined), 'Load', 'chronos', cronJobs.load);
    const env = Object.fromEntries((job.spec?.template.spec?.containers[0]?.env ?? []).map(({name, value}) => [name, value]));
    assert.deepEqual(env, {OWN: '1', ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: 'http://etcd-0.etcd:2379,http://etcd-1.etcd:2379,http://etcd-2.etcd:2379'});
    assert.equal(job.spec?.template.metadata?.labels, undefined);
    assert.deepEqual(job.metadata?.ownerReferences?.map(({kind, name, uid}) => [kind, name, uid]), [['QuorumRecovery', 'etcd', 'qr-uid']]);
  });
  it('stays when it has ended, whatever the CronJob says: one that is gone would be made again', () => {
    const short = cronJob('load');
    Object.assign(short.spec.jobTemplate.spec ?? {}, {ttlSecondsAfterFinished: 1, activeDeadlineSeconds: 60});
    const {spec} = jobOf(loading(undefined), 'Load', 'chronos', short);
    assert.deepEqual([spec?.ttlSecondsAfterFinished, spec?.activeDeadlineSeconds], [undefined, 60]);
  });
  it('of a check is another one after a source was loaded anew, and the same one otherwise', () => {
    const named = (more: object, step: 'Load' | 'Check') => jobOf(loading({sources: [{...source('shared', 'Loaded'), hash: 'h1', finishedAt: at, ...more}], checks: []}), step, 'state', cronJobs.check).metadata?.name;
    assert.equal(named({}, 'Check'), named({}, 'Check'));
    assert.notEqual(named({}, 'Check'), named({hash: 'h2'}, 'Check'));
    assert.notEqual(named({}, 'Check'), named({finishedAt: new Date(now + 1_000).toISOString()}, 'Check'), 'what a load between wrote may still be there');
    assert.equal(named({}, 'Load'), named({hash: 'h2'}, 'Load'), 'the load of one source has nothing to do with another');
  });
  it('gets the client certificates where etcd asks for them', () => {
    const job = jobOf(loading(undefined, [], {target: {statefulSet: 'etcd', tls: {secretName: 'client'}}}), 'Load', 'chronos', cronJobs.load);
    const {containers, volumes} = job.spec?.template.spec ?? {containers: []};
    assert.deepEqual(volumes?.map(({secret}) => secret?.secretName), ['client']);
    assert.ok(containers[0]?.env?.some(({name, value}) => name === 'ETCDCTL_CERT' && value === '/quorumrecovery-tls/tls.crt'));
    assert.ok(containers[0]?.volumeMounts?.some(({mountPath}) => mountPath === '/quorumrecovery-tls'));
  });
});

describe('sources of a rebuild', () => {
  const views: SourceView[] = [{name: 'a', from: 'ConfigMap a', keys: ['/x', '/y']}, {name: 'b', from: 'Secret b', keys: ['/z']}, {name: 'c', from: 'CronJob c'}, {name: 'check d', from: 'CronJob d', isCheck: true}];
  const refusal = (sources: SourceView[] | undefined) => {
    const decision = sourceRefusal({...observationOf({spec: {rebuild}}), sources}, 'Nothing was touched');
    return decision === undefined ? 'none' : 'message' in decision ? decision.message : decision.why;
  };
  it('are usable where each is there and no two write one key', () => {
    assert.equal(refusal(views), 'none');
    assert.deepEqual(plannedSources({...observationOf({spec: {rebuild}}), sources: views}), [{name: 'a', from: 'ConfigMap a', keys: 2}, {name: 'b', from: 'Secret b', keys: 1}, {name: 'c', from: 'CronJob c'}]);
  });
  it('are refused by name and key, with nothing touched, where one is not there or two write one key', () => {
    assert.equal(refusal([...views, {name: 'e', from: 'ConfigMap e', keys: ['/z']}]), 'b and e both write key /z. Correct it (spec.rebuild), and the run goes on by itself. Nothing was touched');
    assert.match(refusal([{name: 'a', from: 'ConfigMap a', problem: 'there is no ConfigMap a'}]), /^a \(ConfigMap a\): there is no ConfigMap a\. Correct it/);
    assert.equal(refusal(undefined), 'looking at what spec.rebuild names');
  });
});
