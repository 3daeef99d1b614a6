import assert from 'node:assert/strict';
import type {V1Container, V1Pod} from '@kubernetes/client-node';
import type {OfflineFacts, QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {copyIsRead, readCopy, recordOffline} from '../../../src/decide/steps/etcdutl.ts';
import {inspect, inspectDisks} from '../../../src/decide/steps/inspect.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {copyPod} from '../../../src/kubernetes/etcdutlPod.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {offerReader, readEtcdutl} from '../../../src/phases/reading.ts';
import {clusterID, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const held = (index: number, gone = false): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), ...(gone && {place: {at: 'GoneNode', nodes: [`node-${index}`]}})});
const records = [0, 1, 2, 3, 4].map((index) => recordOf(index, {fenced: {by: 'KubeletConfirmed', podUID: `pod-uid-${index}`, at: new Date(now).toISOString()}}));
const facts = (index: number, more: Partial<OfflineFacts> = {}): OfflineFacts => ({pod: `etcd-${index}`, stage: 'Held', data: 'Present', memberID: idOf(index), clusterID, members: members(5), term: 5, index: 100 + index, commit: 100, revision: 50, ...more});
const report = (index: number) => ({
  ok: true, command: 'inspect', run: 'run-1', data: 'Present', memberID: idOf(index), clusterID, term: 5, lastEntryTerm: 5, index: 100 + index, commit: 100, pendingConfChanges: [],
  backend: {consistentIndex: 100, term: 5, revision: 50, removed: [], sizeBytes: 1, members: members(5).map(({id, name, peerURLs, isLearner}) => ({id, name, peerURLs, isLearner}))},
});

/** Two of five are left, their names held. */
const two = (offline: OfflineFacts[], helpers: V1Pod[] = []): ObservationOptions => ({
  ordinals: [held(0), held(1, true), held(2, true), held(3), held(4, true)], nodes: [node('node-0'), node('node-3')], more: {helpers},
  status: {
    members: records, heldPods: [0, 1, 2, 3, 4].map((index) => `etcd-${index}`),
    run: runOf({plan: planOf({candidates: ['etcd-0', 'etcd-3'], survivor: 'etcd-3'}), offline, identity: {clusterID, version: '3.6.16', members: members(5), source: ''}}),
  },
});

const agentOf = (index: number, etcdutl: object, age = 1_000): V1Pod => ({
  metadata: {name: 'h', namespace: 'db', creationTimestamp: new Date(now - age), annotations: {...mark, 'quorumrecovery.io/step': 'InspectHeld', 'quorumrecovery.io/pod': `etcd-${index}`}},
  spec: {containers: [{name: 'volume-agent'}, {name: 'etcdutl'}]},
  status: {containerStatuses: [
    {name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 0, message: JSON.stringify(report(index))}}},
    {name: 'etcdutl', image: '', imageID: '', ready: false, restartCount: 0, state: etcdutl},
  ]},
});
const over = {terminated: {exitCode: 0, reason: 'Completed'}};
const types = (decision: Decision | undefined) => (decision?.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision?.kind);
const acting = (log: () => Promise<string>, options: ObservationOptions = two([])): Acting => ({client: {podLog: log, create: log}, observation: observationOf(options)} as unknown as Acting);
const refusal = new ApiError({code: 403, reason: 'Forbidden', message: 'exceeded quota', verb: 'create', kind: 'Pod', object: 'db/x'});

async function after(pod: V1Pod, log: () => Promise<string>, index: number, status: QuorumRecoveryStatus): Promise<OfflineFacts | undefined> {
  (await readEtcdutl(acting(log), pod, `etcd-${index}`, facts(index))).record?.(status);
  return status.run?.offline?.find((one) => one.pod === `etcd-${index}`);
}

describe('etcdutl in the inspection of held disks', () => {
  const containers = (stage: 'Held' | 'Planning'): V1Container[][] => {
    const decision = inspectDisks(observationOf(two([])), ['etcd-0'], stage);
    return decision?.kind === 'act' ? decision.actions.map((action) => (action.type === 'CreatePod' ? action.pod.spec?.containers ?? [] : [])) : [];
  };
  it('is a container of the cluster\'s own image beside the agent, on the same mounts for reading', () => {
    const [[agent, etcdutl] = []] = containers('Held');
    assert.deepEqual([etcdutl?.image, etcdutl?.command], ['registry.example/etcd:3.6.16', ['etcdutl', 'snapshot', 'status', '/data/member/snap/db', '--write-out=json']]);
    assert.deepEqual(etcdutl?.volumeMounts, agent?.volumeMounts?.map((mount) => ({...mount, readOnly: true})));
    assert.deepEqual(etcdutl?.securityContext, agent?.securityContext);
  });
  it('is never beside a pod whose etcd may run: its lock would keep it waiting', () => { assert.deepEqual(containers('Planning').map((of) => of.map(({name}) => name)), [['volume-agent']]); });
  it('is waited for, and read once it has ended, will not start, or had its time', () => {
    const reading = (etcdutl: object, age?: number) => types(inspectDisks(observationOf(two([], [agentOf(0, etcdutl, age)])), ['etcd-0'], 'Held'));
    assert.equal(reading({running: {}}), 'wait');
    assert.equal(reading({waiting: {reason: 'ContainerCreating'}}), 'wait');
    assert.equal(reading(over), 'ReadEtcdutl');
    assert.equal(reading({waiting: {reason: 'CreateContainerError'}}), 'ReadEtcdutl');
    assert.equal(reading({running: {}}, 61_000), 'ReadEtcdutl');
  });
  it('adds its numbers to the facts of the disk', async () => {
    const read = await after(agentOf(0, over), () => Promise.resolve('{"hash":255,"revision":50,"totalKey":7,"totalSize":20480}'), 0, observationOf(two([])).status);
    assert.deepEqual([read?.etcdutl, read?.unfit, read?.revision], [{keys: 7, hash: 'ff', revision: 50, totalSize: 20_480}, undefined, 50]);
  });
  it('makes a disk unfit that it finds broken, so that the other one is the survivor', async () => {
    const observation = observationOf(two([facts(0)]));
    const broken = {terminated: {exitCode: 1, reason: 'Error'}};
    const read = await after(agentOf(3, broken), () => Promise.resolve('Error: snapshot file integrity check failed. 1 errors found.'), 3, observation.status);
    assert.match(read?.unfit ?? '', /^its database is broken, says etcdutl: Error: snapshot file integrity check failed/);
    const decision = inspect(observation);
    assert.ok(decision.kind === 'done');
    decision.record?.(observation.status);
    assert.equal(observation.status.run?.plan?.survivor, 'etcd-0');
  });
  for (const [title, state, log, why] of [
    ['the image has none', {terminated: {exitCode: 128, reason: 'StartError'}}, () => Promise.reject(refusal), /did not run \(StartError\): has the image an etcdutl/],
    ['it does not start', {waiting: {reason: 'CreateContainerError', message: 'no such file'}}, () => Promise.reject(refusal), /does not start \(CreateContainerError: no such file\)/],
    ['it takes too long', {running: {}}, () => Promise.reject(refusal), /did not end in time/],
    ['its output cannot be had', over, () => Promise.reject(refusal), /output cannot be read/],
  ] as [string, object, () => Promise<string>, RegExp][]) {
    it(`changes nothing else where ${title}: that is said`, async () => {
      const read = await after(agentOf(0, state), log, 0, observationOf(two([])).status);
      assert.match(read?.etcdutl?.missing ?? '', why);
      assert.equal(read?.unfit, undefined);
    });
  }
  it('is not forgotten when the forced start reads the same disk again', () => {
    const {status} = observationOf(two([facts(3, {etcdutl: {keys: 7}})]));
    recordOffline(facts(3), now)(status);
    assert.deepEqual(status.run?.offline?.[0]?.etcdutl, {keys: 7});
    recordOffline(facts(3, {stage: 'Planning'}), now)(status);
    assert.equal(status.run.offline[0].etcdutl, undefined);
  });
});

describe('the copy of a single candidate', () => {
  const copy = '.quorumrecovery/run-1/copy';
  const serves = (more: Partial<Run> = {}, helpers: V1Pod[] = []): ObservationOptions => ({
    ordinals: [{object: ownPodOf(0, {annotations: mark})}, held(1, true), held(2, true)], nodes: [node('node-0')], more: {helpers},
    status: {run: runOf({plan: planOf(), offline: [facts(0)], writableAt: new Date(now).toISOString(), force: {attempt: 1, pod: 'f', podUID: 'u', copy}, ...more})},
  });
  const reader = (state: object, age = 1_000): V1Pod => ({
    metadata: {name: 'r', creationTimestamp: new Date(now - age), annotations: {...mark, 'quorumrecovery.io/step': 'ReadCopy', 'quorumrecovery.io/pod': 'etcd-0'}},
    spec: {containers: [{name: 'etcdutl'}]}, status: {containerStatuses: [{name: 'etcdutl', image: '', imageID: '', ready: false, restartCount: 0, state}]},
  });
  const of = (options: ObservationOptions) => types(readCopy(observationOf(options)));
  it('is read once the survivor serves, never before', () => {
    assert.equal(of(serves()), 'OfferReader');
    assert.equal(of({...serves(), status: {run: runOf({plan: planOf(), offline: [facts(0)], force: {attempt: 1, pod: 'f', copy}})}}), undefined);
  });
  it('is nothing to think of while there is no plan', () => { assert.equal(of({status: {run: runOf()}}), undefined); });
  it('is read once, where there is a copy and nobody has read the disk', () => {
    assert.equal(of(serves({offline: [facts(0, {etcdutl: {keys: 1}})]})), undefined);
    assert.equal(of(serves({force: {attempt: 1, pod: 'f', podUID: 'u'}})), undefined);
  });
  it('holds nothing up: only the end of the run waits for it, and not for ever', () => {
    assert.equal(of(serves({}, [reader({running: {}})])), undefined);
    assert.equal(copyIsRead(observationOf(serves({}, [reader({running: {}})])))?.kind, 'wait');
    assert.equal(of(serves({}, [reader(over)])), 'ReadEtcdutl');
    assert.equal(of(serves({}, [reader({running: {}}, 61_000)])), 'ReadEtcdutl');
  });
  it('is read by a pod with nothing but etcdutl, beside the survivor', () => {
    const observation = observationOf(serves());
    const [view] = observation.ordinals;
    assert.ok(view);
    const set = newSet(3);
    const {spec} = copyPod({observation, view, source: {set, ordinal: 0, template: set.spec?.template ?? {}, revision: 'rev-1'}, run: 'run-1', copy});
    assert.deepEqual(spec?.containers.map(({command}) => command?.[3]), ['/data/.quorumrecovery/run-1/copy/member/snap/db']);
    assert.deepEqual([spec.nodeSelector, spec.containers[0]?.volumeMounts?.every(({readOnly}) => readOnly)], [{'kubernetes.io/hostname': 'node-0'}, true]);
  });
  it('is not read where the API server refuses the pod, which stops nobody', async () => {
    const options = serves();
    const {status} = observationOf(options);
    const outcome = await offerReader(acting(() => Promise.reject(refusal), options), {}, 'etcd-0');
    outcome.record?.(status);
    assert.match(`${outcome.kind} ${status.run?.offline?.[0]?.etcdutl?.missing ?? ''}`, /^done the API server refuses its pod: .*exceeded quota/);
  });
});
