import assert from 'node:assert/strict';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {checkForced} from '../../../src/phases/forcing.ts';
import {actingWith, forcedPod, ready} from '../../invariants/fixtures.ts';
import {clusterID, members, observationOf} from '../decide/observations.ts';

const status = {clusterID, memberID: 'a0', version: '3.6.16', leader: 'a0', raftTerm: 6, raftIndex: 100, raftAppliedIndex: 100, revision: 50, dbSizeBytes: 1, isLearner: false, errors: []};
const alone: Partial<EtcdMember> = {
  status: () => Promise.resolve(status), memberList: () => Promise.resolve({clusterID, members: members(1)}), alarms: () => Promise.resolve([]), put: () => Promise.resolve({revision: 51}),
};
const refusal = (code: number, message: string) => new ApiError({verb: 'get', kind: 'Pod/log', object: 'db/etcd-0-force-1', code, reason: 'BadRequest', message});
const check = async (podLog: () => Promise<string>) => await checkForced(actingWith(observationOf(ready()), alone, {podLog}), forcedPod());

describe('the check of the forced etcd', () => {
  it('counts what its log says was dropped', async () => {
    const outcome = await check(() => Promise.resolve('{"msg":"discarding uncommitted WAL entries","number-of-discarded-entries":3}'));
    assert.ok(outcome.kind === 'done');
    const draft = {run: {id: 'run-1', attempt: 1, startedAt: '', steps: [], force: {attempt: 1, pod: 'p'}}};
    outcome.record?.(draft);
    assert.deepEqual(draft.run.force, {attempt: 1, pod: 'p', revision: 51, discardedEntries: 3});
  });

  it('asks again for a log that its kubelet does not know of yet, and takes every other refusal for an error', async () => {
    const outcome = await check(() => Promise.reject(refusal(400, 'container "etcd" in pod "etcd-0-force-1" is waiting to start: PodInitializing')));
    assert.deepEqual(outcome, {kind: 'retry', why: 'its kubelet does not call it started yet', ms: 200});
    await assert.rejects(check(() => Promise.reject(refusal(400, 'the container name is wrong'))), /the container name is wrong/);
    await assert.rejects(check(() => Promise.reject(refusal(500, 'is waiting to start'))), /waiting to start/);
  });
});
