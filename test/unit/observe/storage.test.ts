import assert from 'node:assert/strict';
import {specSchema} from '../../../src/api/spec.ts';
import type {Run} from '../../../src/api/types.ts';
import type {KubernetesClient} from '../../../src/kubernetes/client.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {loadStorage} from '../../../src/observe/storage.ts';
import type {StorageView} from '../../../src/observe/storage.ts';
import {planOf, runOf} from '../decide/observations.ts';

const refusal = (code: number, reason: string) => new ApiError({code, reason, message: 'refused', verb: 'list', kind: 'VolumeSnapshotClass', object: ''});
const snapshotClass = {metadata: {name: 'csi', annotations: {'snapshot.storage.kubernetes.io/is-default-class': 'true'}}, driver: 'd'};

describe('what the storage says of snapshots', () => {
  let asked: string[];
  const load = (mode: string, run: Partial<Run> | undefined, answer: object[] | ApiError = [snapshotClass]): Promise<StorageView> => {
    asked = [];
    const list = (kind: string): Promise<object[]> => {
      asked.push(kind);
      if (kind === 'StorageClass') return Promise.resolve([]);
      if (answer instanceof ApiError) return Promise.reject(answer);
      return Promise.resolve(kind === 'VolumeSnapshotClass' ? answer : [{metadata: {name: 's'}}]);
    };
    const spec = specSchema.parse({target: {statefulSet: 'etcd'}, preserve: {mode}});
    return loadStorage({list} as unknown as KubernetesClient, {metadata: {name: 'etcd', namespace: 'db'}, spec, status: run === undefined ? {} : {run: runOf(run)}});
  };

  it('is asked only where a snapshot is to be taken, up to the end of the forced start', async () => {
    await load('Copy', {});
    assert.deepEqual(asked, ['StorageClass']);
    const {snapshots} = await load('VolumeSnapshot', {});
    assert.deepEqual(asked, ['StorageClass', 'VolumeSnapshotClass', 'VolumeSnapshot']);
    assert.deepEqual(snapshots, {classes: [{name: 'csi', driver: 'd', isDefault: true}], taken: [{metadata: {name: 's'}}]});
    await load('VolumeSnapshot', {plan: planOf(), force: {attempt: 1, pod: 'f', turnGiven: true}});
    assert.deepEqual(asked, ['VolumeSnapshotClass', 'VolumeSnapshot']);
    await load('VolumeSnapshot', {plan: planOf(), force: {attempt: 1, pod: 'f', turnGiven: true, endedAt: 'x'}});
    assert.deepEqual(asked, []);
  });
  it('is asked where a run will begin with what is seen now, and not while none does', async () => {
    const all = ['StorageClass', 'VolumeSnapshotClass', 'VolumeSnapshot'];
    await load('VolumeSnapshot', undefined);
    assert.deepEqual(asked, all);
    await load('VolumeSnapshot', {finishedAt: 'x', outcome: 'Released'});
    assert.deepEqual(asked, all);
    await load('VolumeSnapshot', {finishedAt: 'x', outcome: 'Recovered', request: 'an earlier one'});
    assert.deepEqual(asked, all);
    await load('VolumeSnapshot', {finishedAt: 'x', outcome: 'Recovered'});
    assert.deepEqual(asked, []);
  });
  it('an API that is not there, or that the operator may not ask, is a problem to tell and no failure', async () => {
    assert.match((await load('VolumeSnapshot', {}, refusal(404, 'NotServed'))).snapshots.problem ?? '', /does not serve snapshot\.storage\.k8s\.io\/v1/);
    assert.match((await load('VolumeSnapshot', {}, refusal(403, 'Forbidden'))).snapshots.problem ?? '', /lacks a right/);
  });
  it('any other answer is a failure: nothing is concluded from it', async () => {
    await assert.rejects(load('VolumeSnapshot', {}, refusal(503, 'ServiceUnavailable')));
    await assert.rejects(load('VolumeSnapshot', {}, refusal(404, 'NotFound')));
  });
});
