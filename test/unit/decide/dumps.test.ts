import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {parseDumpArguments} from '../../../src/agent/dump/arguments.ts';
import type {AgentReport} from '../../../src/agent/report.ts';
import {marks} from '../../../src/api/types.ts';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {askedOfDumps, sourceRefusal} from '../../../src/decide/plans/rebuildSources.ts';
import {approve} from '../../../src/decide/steps/approve.ts';
import {check, load} from '../../../src/decide/steps/load.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import type {SourceView} from '../../../src/observe/sources.ts';
import {ended, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const at = new Date(now).toISOString();
const rebuild = {sources: [{name: 'site', configMap: 'site', keyPrefix: '/site/'}, {name: 'queue', claim: 'dumps', path: 'all.json', dump: true}], checks: [{name: 'in-sync', sources: ['site', 'queue']}]};
const sources = (hash = 'h1'): SourceView[] => [{name: 'site', from: 'ConfigMap site', keys: ['/site/a'], hash}, {name: 'queue', from: 'file all.json of claim dumps', isDump: true}];
const gone = (index: number): OrdinalOptions => ({object: undefined, place: {at: 'GoneNode', nodes: [`node-${index}`]}});

const planning = (run: Partial<Run> = {}, helpers: V1Pod[] = [], hash?: string): Observation => observationOf({
  ordinals: [0, 1, 2].map(gone), nodes: [node('node-9')], spec: {rebuild}, status: {members: [0, 1, 2].map((index) => recordOf(index)), run: runOf(run)}, more: {sources: sources(hash), helpers},
});
const planned = (observation: Observation): Decision => nextStep(observation)?.decision ?? assert.fail();

function recorded(decision: Decision, observation: Observation): Run {
  const draft = structuredClone(observation.status);
  if (decision.kind === 'record' || decision.kind === 'act') decision.record?.(draft);
  return draft.run ?? assert.fail();
}
function podIn(decision: Decision): V1Pod {
  const [action] = decision.kind === 'act' ? decision.actions : [];
  assert.ok(action?.type === 'CreatePod', JSON.stringify(decision).slice(0, 300));
  return structuredClone(action.pod);
}
function told(pod: V1Pod, report: AgentReport, finishedAt = now): V1Pod {
  pod.spec = {...pod.spec, containers: pod.spec?.containers ?? [], nodeName: 'node-9'};
  pod.status = {phase: 'Succeeded', containerStatuses: [{...ended(), name: 'volume-agent', state: {terminated: {exitCode: report.ok ? 0 : 1, finishedAt: new Date(finishedAt), message: JSON.stringify(report)}}}]};
  return pod;
}
const good = (more: object = {}): AgentReport => ({ok: true, command: 'dump-check', run: 'run-1', sources: [{name: 'queue', keys: 4000, hash: 'h9'}], overlaps: [], ...more});
const dumps = (more: Partial<NonNullable<Run['dumps']>> = {}, hash?: string): NonNullable<Run['dumps']> =>
  ({asked: askedOfDumps(planning({}, [], hash)), readAt: at, sources: [{name: 'queue', keys: 4000, hash: 'h9'}], overlaps: [], ...more});

describe('a dump on a claim, before the plan', () => {
  it('is read by a pod with none of the members\' volumes, which gets all that it may share a key with', () => {
    const pod = podIn(planned(planning()));
    assert.deepEqual(pod.spec?.volumes?.map(({configMap, persistentVolumeClaim}) => configMap?.name ?? persistentVolumeClaim?.claimName), ['site', 'dumps']);
    const [agent] = pod.spec.containers;
    assert.ok(agent?.volumeMounts?.every(({readOnly}) => readOnly === true));
    const [command, ...args] = agent?.args ?? [];
    assert.equal(command, 'dump-check');
    assert.deepEqual(parseDumpArguments('dump-check', args).sources.map(({name}) => name), ['site', 'queue'], 'the agent takes every flag that the pod gives it');
  });

  it('is in the plan with the number of its keys, and its hash in that of the plan', () => {
    const helper = told(podIn(planned(planning())), good());
    const reading = planning({}, [helper]);
    const found = recorded(planned(reading), reading);
    assert.deepEqual(found.dumps?.sources, [{name: 'queue', keys: 4000, hash: 'h9'}]);
    const hashOf = (more: Partial<NonNullable<Run['dumps']>> = {}) => {
      const observation = planning({dumps: dumps(more)});
      return recorded(planned(observation), observation).plan;
    };
    assert.deepEqual(hashOf()?.rebuild, [{name: 'site', from: 'ConfigMap site', keys: 1}, {name: 'queue', from: 'file all.json of claim dumps', keys: 4000}]);
    assert.equal(hashOf()?.hash, hashOf()?.hash);
    assert.notEqual(hashOf()?.hash, hashOf({sources: [{name: 'queue', keys: 4000, hash: 'h8'}]})?.hash, 'as many keys with other values');
  });

  it('is refused, with nothing touched, where a line is none or two sources write one key, and is looked at again', () => {
    const refused = (more: Partial<NonNullable<Run['dumps']>>) => {
      const decision = sourceRefusal(planning({dumps: dumps(more)}), 'Nothing was touched');
      return decision !== undefined && 'message' in decision ? decision.message : 'none';
    };
    assert.match(refused({sources: [{name: 'queue', problem: 'line 7 is no JSON'}]}), /^queue \(file all\.json of claim dumps\): line 7 is no JSON\. Correct it.*Nothing was touched$/);
    assert.match(refused({overlaps: ['site and queue both write key /site/a']}), /^site and queue both write key \/site\/a\. Correct it/);
    assert.equal(refused({}), 'none');
    const later = {...planning({dumps: dumps({sources: [{name: 'queue', problem: 'line 7 is no JSON'}]})}), now: now + 60_000};
    assert.equal(podIn(planned(later)).metadata?.annotations?.[marks.step], 'ReadDumps');
  });

  it('is read anew, in planning, where another source was changed while the plan waits', () => {
    const observation = planning({dumps: dumps()});
    const run = recorded(planned(observation), observation);
    const waiting = planning({...run, steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]}, [], 'h2');
    const again = recorded(approve(waiting), waiting);
    assert.deepEqual([again.plan, again.dumps, again.steps], [undefined, undefined, [{name: 'Plan', state: 'Running'}]]);
    const same = planning({...run, steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]});
    assert.equal(approve(same).kind, 'wait');
  });

  it('whose pod does not start is a source that cannot be used, and why is said', () => {
    const pod = podIn(planned(planning()));
    pod.metadata = {...pod.metadata, creationTimestamp: new Date(now - 70_000)};
    pod.status = {phase: 'Pending', conditions: [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'persistentvolumeclaim "dumps" not found'}]};
    const observation = planning({}, [pod]);
    assert.match(recorded(planned(observation), observation).dumps?.problem ?? '', /did not start within 60 s \(Unschedulable: persistentvolumeclaim "dumps" not found\)/);
  });
});

const loaded = (name: string, more: object = {}) => ({name, state: 'Loaded' as const, startedAt: at, finishedAt: at, ...more});
const loading = (found: NonNullable<Run['rebuild']>, helpers: V1Pod[] = [], later = 0): Observation => ({...observationOf({
  ordinals: [0, 1, 2].map((index): OrdinalOptions => ({object: ownPodOf(index)})), nodes: [0, 1, 2, 9].map((index) => node(`node-${index}`)), spec: {strategy: 'RebuildFromConfig', rebuild},
  status: {run: runOf({plan: planOf({strategy: 'RebuildFromConfig'}), newCluster: {attempt: 1, members: ['etcd-0', 'etcd-1', 'etcd-2'], clusterID: 'c2', seeded: [], servedAt: at}, rebuild: found})}, more: {helpers, jobs: {made: [], cronJobs: {}}},
}), now: now + later});
const typesIn = (decision: Decision) => (decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind);

describe('a dump on a claim, in the new cluster', () => {
  const site = loaded('site', {hash: 'h1'});
  const before = loading({sources: [site], checks: []});
  const isLoaded = {sources: [site, loaded('queue', {hash: 'h9'})], checks: []};

  it('is loaded by a pod through a member of it, which is written down before', () => {
    const decision = load(before);
    assert.deepEqual(recorded(decision, before).rebuild?.sources.map(({name, state}) => `${name} ${state}`), ['site Loaded', 'queue Loading']);
    const [command, ...args] = podIn(decision).spec?.containers[0]?.args ?? [];
    assert.equal(command, 'dump-load');
    const {endpoint, cluster, path} = parseDumpArguments('dump-load', args);
    assert.deepEqual([endpoint, cluster, path], ['http://10.0.0.0:2379', 'c2', 'all.json']);
  });

  it('is loaded once its agent says so, with what it has found; one that failed says why, and is tried again', () => {
    const of = (report: AgentReport, later = 0) => loading({sources: [site, {name: 'queue', state: 'Loading', startedAt: at}], checks: []}, [told(podIn(load(before)), report)], later);
    const done = of({ok: true, command: 'dump-load', run: 'run-1', keys: 4000, hash: 'h9'});
    assert.deepEqual(recorded(load(done), done).rebuild?.sources.map(({state, keys, hash}) => [state, keys, hash])[1], ['Loaded', 4000, 'h9']);
    const failed: AgentReport = {ok: false, command: 'dump-load', run: 'run-1', reason: 'BadDump', message: 'line 3 is no JSON'};
    const decision = load(of(failed));
    assert.ok(decision.kind === 'blocked' && decision.reason === 'LoadFailed' && decision.message.startsWith('source queue (file all.json of claim dumps): line 3 is no JSON'), JSON.stringify(decision));
    assert.equal(typesIn(load(of(failed, 60_000))), 'DeletePod');
  });

  it('is compared by a pod before the others are, and what differs is told', () => {
    const observation = loading(isLoaded);
    const pod = podIn(check(observation));
    assert.equal(pod.spec?.containers[0]?.args?.[0], 'dump-compare');
    const of = (report: object) => loading({...isLoaded, checks: [{name: 'in-sync', state: 'Running', startedAt: at}]}, [told(podIn(check(observation)), {ok: true, command: 'dump-compare', run: 'run-1', keys: 4000, hash: 'h9', ...report})]);
    const equal = of({});
    const {rebuild: after} = recorded(check(equal), equal);
    assert.equal(after?.checks[0]?.compared?.length, 1);
    assert.equal(typesIn(check(loading(after))), 'CheckKeys');
    const wrong = check(of({wrong: 'key /queue/7 has another value'}));
    assert.ok(wrong.kind === 'blocked' && wrong.reason === 'CheckFailed' && wrong.message.includes('key /queue/7 has another value in etcd'), JSON.stringify(wrong));
    const changed = of({hash: 'h10'});
    assert.deepEqual(recorded(check(changed), changed).rebuild?.sources.map(({state}) => state), ['Loaded', 'Loading'], 'it was changed since, and is loaded anew');
  });
});
