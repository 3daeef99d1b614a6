import assert from 'node:assert/strict';
import type {DependentView} from '../../../src/kubernetes/dependents.ts';
import {marks} from '../../../src/api/types.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {returnDependent, stopDependent, tryDependents} from '../../../src/phases/dependents.ts';
import {loadDependents} from '../../../src/observe/dependents.ts';
import type {KubernetesClient} from '../../../src/kubernetes/client.ts';
import {now, observationOf, runOf} from '../decide/observations.ts';

const stoppedAt = new Date(now).toISOString();
const view = (kind: DependentView['kind'], name: string): DependentView => ({kind, name, object: {metadata: {uid: `${name}-uid`, resourceVersion: '7'}}, pods: []});
const api = view('Deployment', 'api');
const agent = view('DaemonSet', 'agent');

const refusal = (code: number, reason: string) => new ApiError({verb: 'patch', kind: 'Deployment/scale', object: 'db/api', code, reason, message: 'User "operator" cannot patch deployments/scale'});

function acting(changes: string[], answer?: ApiError): Acting {
  const run = runOf({dependents: [{kind: 'Deployment', name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopping', stoppedAt}]});
  const client: Partial<KubernetesClient> = {
    patch: async (kind, namespace, name, patch, options) => {
      await Promise.resolve();
      if (answer) throw answer;
      changes.push(`${kind} ${namespace ?? ''}/${name} ${JSON.stringify(patch)}${options?.dryRun === true ? ' as a dry run' : ''}`);
      return {} as never;
    },
  };
  return {client, observation: observationOf({status: {run}}), now: () => now, signal: new AbortController().signal} as unknown as Acting;
}

const pre = (name: string) => `"metadata":{"uid":"${name}-uid","resourceVersion":"7"}`;

describe('acts on what uses the etcd', () => {
  it('write the count alone, through its subresource, and of a DaemonSet one key of its node selector; each of the very object that was looked at', async () => {
    const changes: string[] = [];
    await stopDependent(acting(changes), api);
    await stopDependent(acting(changes), view('StatefulSet', 'worker'));
    await stopDependent(acting(changes), agent);
    await returnDependent(acting(changes), api, 3);
    await returnDependent(acting(changes), agent, undefined);
    await tryDependents(acting(changes), [api]);
    const selector = (value: string) => `"spec":{"template":{"spec":{"nodeSelector":{"${marks.stopped}":${value}}}}}`;
    assert.deepEqual(changes, [
      `Deployment/scale db/api {${pre('api')},"spec":{"replicas":0}}`, `StatefulSet/scale db/worker {${pre('worker')},"spec":{"replicas":0}}`,
      `DaemonSet db/agent {${pre('agent')},${selector('"run-1"')}}`, `Deployment/scale db/api {${pre('api')},"spec":{"replicas":3}}`,
      `DaemonSet db/agent {${pre('agent')},${selector('null')}}`, `Deployment/scale db/api {"metadata":{"uid":"api-uid"},"spec":{"replicas":0}} as a dry run`,
    ]);
  });

  it('never touch the StatefulSet that runs etcd', async () => {
    const changes: string[] = [];
    await assert.rejects(stopDependent(acting(changes), view('StatefulSet', 'etcd')), /etcd runs etcd: it is never changed/);
    assert.deepEqual(changes, []);
  });

  it('that are refused as a dry run block the plan by the name of the right; later they are tried again, and that is recorded', async () => {
    const refused = await tryDependents(acting([], refusal(403, 'Forbidden')), [api]);
    assert.equal(refused.kind === 'blocked' && refused.reason, 'DependentRefused');
    assert.match('message' in refused ? refused.message ?? '' : '', /spec\.dependents names Deployment api.*cannot patch deployments\/scale.*Nothing was touched/);
    const later = acting([], refusal(403, 'Forbidden'));
    const outcome = await returnDependent(later, api, 3);
    assert.equal(outcome.kind, 'retry');
    outcome.record?.(later.observation.status);
    assert.match(later.observation.status.run?.dependents?.[0]?.refused ?? '', /cannot patch/);
    const written = await returnDependent({...later, client: acting([]).client}, api, 3);
    written.record?.(later.observation.status);
    assert.deepEqual(later.observation.status.run?.dependents?.[0], {kind: 'Deployment', name: 'api', uid: 'api-uid', replicas: 3, state: 'Returned', stoppedAt, returnedAt: stoppedAt});
  });

  it('look again where somebody has written the object meanwhile', async () => {
    assert.deepEqual(await stopDependent(acting([], refusal(409, 'Conflict')), api), {kind: 'retry', why: 'Deployment api was changed meanwhile', ms: 100});
    assert.equal((await tryDependents(acting([], refusal(409, 'Conflict')), [api])).kind, 'retry');
    await assert.rejects(stopDependent(acting([], refusal(0, 'Unavailable')), api), 'nothing was answered');
  });

  it('count any other answer as a refusal: of a webhook that is down the API server says 500', async () => {
    const down = acting([], refusal(500, 'InternalError'));
    const outcome = await returnDependent(down, api, 3);
    outcome.record?.(down.observation.status);
    assert.equal(outcome.kind, 'retry');
    assert.match(down.observation.status.run?.dependents?.[0]?.refused ?? '', /500 InternalError/);
    const tried = await tryDependents(down, [api]);
    assert.equal(tried.kind === 'blocked' && tried.reason, 'DependentRefused');
  });
});

describe('looking at what uses the etcd', () => {
  const spec = {dependents: [{kind: 'Deployment', name: 'api'}, {kind: 'DaemonSet', name: 'agent'}]};
  const resourceWith = (run?: ReturnType<typeof runOf>) => ({...observationOf({spec}).resource, status: {...(run && {run})}});
  const asked = async (resource: ReturnType<typeof resourceWith>, answers: Partial<KubernetesClient> = {}) => {
    const gets: string[] = [];
    const client: Partial<KubernetesClient> = {
      get: async (kind, _, name) => {
        gets.push(`${kind} ${name}`);
        return await Promise.resolve({metadata: {name}, spec: {selector: {matchLabels: {app: name}}}} as never);
      },
      list: async (kind, namespace, options) => {
        gets.push(`${kind} in ${namespace ?? ''} with ${options?.labelSelector ?? ''}`);
        return await Promise.resolve([]);
      },
      ...answers,
    };
    return {gets, views: await loadDependents(client as KubernetesClient, resource)};
  };

  it('asks for nothing while no run is in flight, then for what the spec names, and once stopped for what is not back yet', async () => {
    assert.deepEqual((await asked(resourceWith())).gets, []);
    assert.deepEqual((await asked(resourceWith(runOf({finishedAt: stoppedAt})))).gets, []);
    assert.deepEqual((await asked(resourceWith(runOf()))).gets.sort(), ['DaemonSet agent', 'Deployment api', 'Pod in db with app=agent', 'Pod in db with app=api']);
    const back = {kind: 'Deployment' as const, name: 'api', uid: 'u', replicas: 3, state: 'Returned' as const, stoppedAt, returnedAt: stoppedAt};
    assert.deepEqual((await asked(resourceWith(runOf({dependents: [back, {...back, name: 'other', readyAt: stoppedAt}]})))).gets, ['Deployment api', 'Pod in db with app=api']);
  });

  it('says a right that is missing by the view, and what is not there by its absence', async () => {
    const {views} = await asked(resourceWith(runOf()), {get: async (kind) => {
      await Promise.resolve();
      if (kind === 'Deployment') throw refusal(403, 'Forbidden');
      return undefined;
    }});
    assert.match(views[0]?.problem ?? '', /cannot patch/);
    assert.deepEqual([views[1]?.object, views[1]?.problem], [undefined, undefined]);
  });
});
