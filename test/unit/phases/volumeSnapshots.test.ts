import assert from 'node:assert/strict';
import {newVolumeSnapshot} from '../../../src/kubernetes/volumeSnapshots.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {createVolumeSnapshot, deleteVolumeSnapshot} from '../../../src/phases/volumeSnapshots.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {observationOf} from '../decide/observations.ts';

const snapshot = newVolumeSnapshot({namespace: 'db', resource: 'etcd', run: 'run-1', pod: 'etcd-0', claim: 'data-etcd-0', className: 'csi'});
const answering = (code: number, reason: string): Acting => {
  const error = new ApiError({code, reason, message: 'no', verb: 'create', kind: 'VolumeSnapshot', object: 'db/data-etcd-0-1'});
  const call = (): Promise<never> => Promise.reject(error);
  return {client: {create: call, delete: call}, observation: observationOf()} as unknown as Acting;
};

describe('a VolumeSnapshot', () => {
  it('that a killed run made already is found again', async () => {
    assert.equal((await createVolumeSnapshot(answering(409, 'AlreadyExists'), snapshot)).kind, 'done');
  });
  it('that the API server refuses blocks the run in its words', async () => {
    for (const [code, reason] of [[403, 'Forbidden'], [422, 'Invalid'], [404, 'NotServed']] as const) {
      const outcome = await createVolumeSnapshot(answering(code, reason), snapshot);
      assert.ok(outcome.kind === 'blocked' && outcome.reason === 'SnapshotFailed', reason);
    }
    await assert.rejects(createVolumeSnapshot(answering(503, 'ServiceUnavailable'), snapshot));
  });
  it('of the same name that is another one is left alone when the time of the first is over', async () => {
    assert.equal((await deleteVolumeSnapshot(answering(409, 'Conflict'), {name: 'n', uid: 'u'})).kind, 'done');
    await assert.rejects(deleteVolumeSnapshot(answering(403, 'Forbidden'), {name: 'n', uid: 'u'}));
  });
});
