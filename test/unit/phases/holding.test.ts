import assert from 'node:assert/strict';
import type {V1EndpointSlice, V1Pod} from '@kubernetes/client-node';
import type {KubernetesClient} from '../../../src/kubernetes/client.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {dropFence, proveHold, releasePod, stopPod, ungatePod} from '../../../src/phases/holding.ts';
import {now, observationOf, ownPodOf, runOf} from '../decide/observations.ts';

const ours = 'pods "etcd-0" is forbidden: ValidatingAdmissionPolicy \'quorumrecovery-hold\' with binding \'quorumrecovery-hold\' denied request: held by QuorumRecovery etcd during a recovery run';
const refusal = (code: number, reason: string, message: string) => new ApiError({verb: 'create', kind: 'Pod', object: 'etcd-0', code, reason, message});

interface Server {
  /** What a dry run is answered with; undefined: it is admitted. */
  answer: ApiError | undefined;
}

/** A client of several API servers, which writes down what it is asked to change. */
function clientOf(servers: Record<string, Server>, changes: string[] = []): KubernetesClient {
  const slices: V1EndpointSlice[] = [{addressType: 'IPv4', ports: [{name: 'https', port: 6443}], endpoints: Object.keys(servers).map((address) => ({addresses: [address]}))}];
  const at = (server: Server | undefined): Partial<KubernetesClient> => ({
    list: async () => await Promise.resolve(slices as never),
    create: async (_kind, object, options) => {
      assert.equal(options?.dryRun, true, 'a proof changes nothing');
      await Promise.resolve();
      if (server?.answer) throw server.answer;
      return object;
    },
    patch: async (_kind, _namespace, name, patch) => {
      changes.push(`patch ${name} ${JSON.stringify(patch)}`);
      return await Promise.resolve({metadata: {resourceVersion: '8'}} as never);
    },
    delete: async (_kind, _namespace, name, options) => {
      changes.push(`delete ${name} ${JSON.stringify(options)}`);
      return await Promise.resolve(true);
    },
    at: (address) => at(servers[address.replace(/^https:\/\/|:6443$/g, '')]) as KubernetesClient,
  });
  return at(Object.values(servers)[0]) as KubernetesClient;
}

function acting(client: KubernetesClient, heldForMs = 0): Acting {
  const steps = [{name: 'Hold', state: 'Running' as const, startedAt: new Date(now - heldForMs).toISOString()}];
  return {client, observation: observationOf({status: {run: runOf({steps})}}), signal: new AbortController().signal} as unknown as Acting;
}

const prove = async (servers: Record<string, Server>, heldForMs = 0): Promise<string> => {
  const outcome = await proveHold(acting(clientOf(servers), heldForMs), [ownPodOf(0), ownPodOf(1)]);
  return 'reason' in outcome ? `${outcome.kind} ${outcome.reason}: ${outcome.message}` : outcome.kind;
};
const denies: Server = {answer: refusal(403, 'Forbidden', ours)};
const admits: Server = {answer: undefined};

describe('the proof that the hold works', () => {
  it('is our own policy\'s denial of every name', async () => { assert.equal(await prove({a: denies}), 'done'); });
  it('must come from every API server', async () => {
    assert.equal(await prove({a: denies, b: denies}), 'done');
    assert.equal(await prove({a: denies, b: admits}), 'retry');
  });
  it('is not a dry run that is admitted', async () => { assert.equal(await prove({a: admits}), 'retry'); });
  it('is not any other denial', async () => { assert.equal(await prove({a: {answer: refusal(403, 'Forbidden', 'exceeded quota: pods')}}), 'retry'); });
  it('is not a denial for another resource', async () => {
    assert.equal(await prove({a: {answer: refusal(403, 'Forbidden', ours.replace('QuorumRecovery etcd', 'QuorumRecovery etcd-old'))}}), 'retry');
  });
  it('is not the answer that the name is taken', async () => { assert.equal(await prove({a: {answer: refusal(409, 'AlreadyExists', 'already exists')}}), 'retry'); });
  it('is given up after 20 s, with what was answered instead', async () => {
    assert.match(await prove({a: admits}, 21_000), /^blocked HoldNotEnforced: .*a dry run was admitted.*No pod was touched/);
    assert.match(await prove({a: {answer: refusal(403, 'Forbidden', 'exceeded quota')}}, 21_000), /^blocked HoldNotEnforced: .*exceeded quota/);
  });
  it('is no proof when an API server does not answer', async () => {
    await assert.rejects(prove({a: {answer: refusal(0, 'Unavailable', 'no answer')}}), /Unavailable/);
  });
});

describe('a pod that is stopped', () => {
  const changesOf = async (act: (acting: Acting) => Promise<unknown>): Promise<string[]> => {
    const changes: string[] = [];
    await act(acting(clientOf({a: denies}, changes)));
    return changes;
  };
  const pod: V1Pod = {...ownPodOf(0), metadata: {...ownPodOf(0).metadata, resourceVersion: '7', finalizers: ['example.com/other']}};
  const fenced: V1Pod = {...pod, metadata: {...pod.metadata, finalizers: ['example.com/other', 'quorumrecovery.io/fence'], deletionTimestamp: new Date(now)}};

  it('gets the fence first, then a graceful delete of this very pod', async () => {
    assert.deepEqual(await changesOf(async (given) => await stopPod(given, pod)), [
      'patch etcd-0 {"metadata":{"uid":"pod-uid-0","resourceVersion":"7","finalizers":["example.com/other","quorumrecovery.io/fence"]}}', 'delete etcd-0 {"uid":"pod-uid-0","resourceVersion":"8"}',
    ]);
  });
  it('is not stopped where it has the fence already and is not as it was looked at: its UID alone does not tell that it serves by now', async () => {
    const held = {...pod, metadata: {...pod.metadata, finalizers: ['quorumrecovery.io/fence']}};
    assert.deepEqual(await changesOf(async (given) => await stopPod(given, held)), ['delete etcd-0 {"uid":"pod-uid-0","resourceVersion":"7"}']);
    const changed = {...clientOf({a: denies}), delete: async () => { await Promise.resolve(); throw refusal(409, 'Conflict', 'the object has been modified'); }} as unknown as KubernetesClient;
    const outcome = await stopPod(acting(changed), held);
    assert.equal(outcome.kind === 'retry' ? outcome.why : outcome.kind, 'etcd-0 has changed since it was looked at');
  });
  it('is let go by taking the fence off, and nobody else\'s finalizer', async () => {
    assert.deepEqual(await changesOf(async (given) => await releasePod(given, fenced, false)), ['patch etcd-0 {"metadata":{"uid":"pod-uid-0","finalizers":["example.com/other"]}}']);
  });
  it('is deleted with grace 0 only where the kubelet takes no part any more', async () => {
    assert.deepEqual((await changesOf(async (given) => await releasePod(given, fenced, true)))[0], 'delete etcd-0 {"uid":"pod-uid-0","gracePeriodSeconds":0}');
  });
  it('stays, and loses its fence, where the stop was never asked for', async () => {
    const begun: V1Pod = {...fenced, metadata: {...pod.metadata, finalizers: ['quorumrecovery.io/fence']}};
    assert.deepEqual(await changesOf(async (given) => await dropFence(given, begun)), ['patch etcd-0 {"metadata":{"uid":"pod-uid-0","resourceVersion":"7","finalizers":null}}']);
  });
  it('without a node is deleted only as it was looked at: it may have got one since, and its etcd with it', async () => {
    const unplaced: V1Pod = {...pod, metadata: {...pod.metadata, finalizers: []}, spec: {containers: []}};
    assert.deepEqual(await changesOf(async (given) => await releasePod(given, unplaced, false)), ['delete etcd-0 {"uid":"pod-uid-0","resourceVersion":"7"}']);
    assert.deepEqual(await changesOf(async (given) => await releasePod(given, unplaced, true)), ['delete etcd-0 {"uid":"pod-uid-0","resourceVersion":"7","gracePeriodSeconds":0}']);
  });
  it('starts by losing its gate, guarded by UID and version, and keeps the gates of others', async () => {
    const gated: V1Pod = {...pod, spec: {containers: [], schedulingGates: [{name: 'example.com/gate'}, {name: 'quorumrecovery.io/held'}]}};
    assert.deepEqual(await changesOf(async (given) => await ungatePod(given, gated)), [
      'patch etcd-0 {"metadata":{"uid":"pod-uid-0","resourceVersion":"7"},"spec":{"schedulingGates":[{"name":"example.com/gate"}]}}',
    ]);
  });
});
