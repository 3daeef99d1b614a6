import assert from 'node:assert/strict';
import type {V1Pod, V1PodTemplateSpec} from '@kubernetes/client-node';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {fingerprint, nothingLeft, recovered, untouched} from '../checks.ts';
import {labOf} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, resourceName, standing, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';
const dependents = [{kind: 'Deployment', name: 'api'}, {kind: 'StatefulSet', name: 'worker'}, {kind: 'DaemonSet', name: 'agent'}] as const;
const names = ['api', 'worker', 'agent'];
/** Of which two are lost. */
const nodes = 5;

function template(scenario: Scenario, app: string): V1PodTemplateSpec {
  return {
    metadata: {labels: {app}},
    spec: {
      ...scenario.nodeSelector, terminationGracePeriodSeconds: 5,
      containers: [{name: app, image: 'localhost/busybox:1', command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done']}],
    },
  };
}

const podsOf = async ({kube, namespace}: Scenario, app: string): Promise<V1Pod[]> => await kube.list('pods', namespace, `app=${app}`);
const isReady = ({status}: V1Pod) => status?.conditions?.some(({type, status: is}) => type === 'Ready' && is === 'True') === true;

/** Two replicas of the one, one of the other, and one pod on each node of the case that is left. */
async function startDependents(scenario: Scenario): Promise<void> {
  const {kube, namespace} = scenario;
  const part = (name: string) => ({metadata: {name, namespace}, spec: {selector: {matchLabels: {app: name}}, template: template(scenario, name)}});
  await kube.create('deployments', {...part('api'), spec: {...part('api').spec, replicas: 2}});
  await kube.create('statefulsets', {...part('worker'), spec: {...part('worker').spec, replicas: 1, serviceName: 'worker'}});
  await kube.create('daemonsets', part('agent'));
  await until('dependents that run', async () => {
    const counts = await Promise.all(names.map(async (name) => (await podsOf(scenario, name)).filter(isReady).length));
    return counts.join() === `2,1,${nodes - 2}` ? true : new Missing(counts.join());
  }, {seconds: 150});
}

interface Counts {
  api: number | undefined;
  worker: number | undefined;
  /** Of the DaemonSet's own node selector nothing is changed. */
  agent: Record<string, string>;
}

async function counts({kube, namespace}: Scenario): Promise<Counts> {
  const [api, worker, agent] = [await kube.get('deployments', namespace, 'api'), await kube.get('statefulsets', namespace, 'worker'), await kube.get('daemonsets', namespace, 'agent')];
  return {api: api?.spec?.replicas, worker: worker?.spec?.replicas, agent: agent?.spec?.template.spec?.nodeSelector ?? {}};
}

const isStopped = ({api, worker, agent}: Counts) => api === 0 && worker === 0 && agent[marks.stopped] !== undefined;

/** Pods of dependents that somebody could end. */
async function stillRunning(scenario: Scenario): Promise<string[]> {
  const there = (await scenario.kube.list('nodes')).map(({metadata}) => metadata?.name ?? '');
  const pods = (await Promise.all(names.map(async (name) => await podsOf(scenario, name)))).flat();
  return pods.filter(({spec, status}) => status?.phase === 'Running' && there.includes(spec?.nodeName ?? '')).map(({metadata}) => metadata?.name ?? '');
}

describe('What uses the etcd is stopped around the surgery', () => {
  e2e('a Deployment, a StatefulSet and a DaemonSet come back in order with their own counts, though another tool starts one of them again and the operator is killed in between', async (scenario) => {
    const {kube, namespace} = scenario;
    const loss = await quorumLost(scenario, {survivor, nodes, etcd: {stopSeconds: 4}});
    await startDependents(scenario);
    const before = await counts(scenario);
    const first = await leader(scenario);
    await applyRecovery(scenario, {dependents: [...dependents]});
    const kept = await until('dependents that are stopped', async () => {
      const [now, {status}] = [await counts(scenario), await recovery(scenario)];
      const records = status?.run?.dependents ?? [];
      return isStopped(now) && records.every(({state}) => state === 'Stopped') ? records : new Missing(`${JSON.stringify(now)}; ${standing(status)}`);
    }, {seconds: 60, every: 50});
    killOperator(first);
    assert.deepEqual(kept.map(({kind, name, replicas}) => ({kind, name, replicas})), [
      {kind: 'Deployment', name: 'api', replicas: 2}, {kind: 'StatefulSet', name: 'worker', replicas: 1}, {kind: 'DaemonSet', name: 'agent', replicas: undefined},
    ], 'the counts are recorded before anything is scaled');

    // What another tool does, whose count is another one by now.
    await labOf(scenario).kubectl(['-n', namespace, 'scale', 'deployment/api', '--replicas=3']);
    const caught = await until('word of who started it again', async () => {
      const {status} = await recovery(scenario);
      const record = status?.run?.dependents?.find(({name}) => name === 'api');
      return (record?.startedAgain ?? 0) > 0 ? record : new Missing(standing(status));
    }, {seconds: 90, every: 50});
    assert.equal(caught.replicas, 3, 'the newest word on its count is kept');
    // An API server does not always keep who wrote a count through the scale subresource.
    assert.ok([undefined, 'kubectl'].includes(caught.startedBy), caught.startedBy);

    let looks = 0;
    await until('the end of the force', async () => {
      const {status} = await recovery(scenario);
      const state = (name: string) => status?.run?.steps.find((step) => step.name === name)?.state;
      if (status?.run?.force?.turnGiven === true && state('StartSurvivor') !== 'Done' && state('StartSurvivor') !== 'Running') {
        looks += 1;
        assert.deepEqual(await stillRunning(scenario), [], 'a dependent runs while etcd is forced');
      }
      return state('EndForce') === 'Done' ? true : new Missing(standing(status));
    }, {seconds: 120, every: 20});
    assert.ok(looks > 0, 'the force was not seen');

    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240});
    assert.deepEqual(await counts(scenario), {...before, api: 3});
    const records = status?.run?.dependents ?? [];
    assert.deepEqual(records.map(({state}) => state), ['Returned', 'Returned', 'Returned']);
    assert.ok(records.every(({readyAt, message}) => readyAt !== undefined && message === undefined), JSON.stringify(records));
    const [api, worker, agent] = records.map(({returnedAt = '', readyAt = ''}) => ({returnedAt, readyAt}));
    assert.ok(api && worker && agent && api.readyAt <= worker.returnedAt && worker.readyAt <= agent.returnedAt, `each waits for the one before it: ${JSON.stringify(records)}`);
    assert.ok((status?.run?.writableAt ?? '') <= api.returnedAt, 'none is back before the survivor is verified');
    const events = (await kube.list('events', namespace)).map(({reason}) => reason);
    for (const reason of ['StopDependentsDone', 'DependentStarted', 'DependentReturned', 'DependentReady', 'ReturnDependentsDone']) assert.ok(events.includes(reason), `no event ${reason}`);
    assert.deepEqual((await Promise.all(names.map(async (name) => (await podsOf(scenario, name)).filter(isReady).length))).slice(0, 2), [3, 1]);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 9, ownOperator: true});

  e2e('one that does not exist is named with nothing touched; whoever deletes the resource before the force gets all of them back', async (scenario) => {
    const {kube, namespace} = scenario;
    await quorumLost(scenario, {survivor, nodes, etcd: {stopSeconds: 6}});
    await scenario.stopWriter();
    await startDependents(scenario);
    const before = await counts(scenario);
    const untouchedBefore = await fingerprint(scenario);
    await applyRecovery(scenario, {dependents: [...dependents, {kind: 'Deployment', name: 'apl'}]});
    const {status} = await untilReady(scenario, 'DependentNotFound');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /spec\.dependents names Deployment apl, and there is no Deployment apl in namespace/);
    await untouched(scenario, untouchedBefore);
    assert.deepEqual(await counts(scenario), before);

    await changeRecovery(scenario, {dependents: [...dependents]});
    await untilPhase(scenario, ['Holding']);
    await until('dependents that are stopped', async () => {
      const now = await counts(scenario);
      return isStopped(now) ? true : new Missing(JSON.stringify(now));
    }, {seconds: 60, every: 50});
    await changeRecovery(scenario, {paused: true});
    const released = await untilReady(scenario, 'Paused');
    assert.equal(released.status?.run?.outcome, 'Released');
    assert.deepEqual(await counts(scenario), before);
    await until('the end of pods that were stopping', async () => {
      const stopping = (await kube.list('pods', namespace)).filter(({metadata}) => metadata?.deletionTimestamp !== undefined).map(({metadata}) => metadata?.name);
      return stopping.length === 0 ? true : new Missing(stopping.join());
    }, {seconds: 60});
    await nothingLeft(scenario);

    await changeRecovery(scenario, {paused: false});
    await until('dependents that are stopped again', async () => {
      const now = await counts(scenario);
      return isStopped(now) ? true : new Missing(JSON.stringify(now));
    }, {seconds: 60, every: 50});
    await kube.delete('quorumrecoveries', namespace, resourceName);
    await until('the end of the resource', async () => {
      const found = await kube.get('quorumrecoveries', namespace, resourceName);
      return found === undefined ? true : new Missing(standing(found.status));
    }, {seconds: 120});
    assert.deepEqual(await counts(scenario), before);
  }, {minutes: 8, extended: true});
});
