import assert from 'node:assert/strict';
import {restartProof} from '../../../src/decide/steps/verify.ts';
import {members, observationOf, ownPodOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};

const ready = (index: number, is = true): OrdinalOptions => {
  const pod = ownPodOf(index);
  return {object: {...pod, status: {...pod.status, conditions: [{type: 'Ready', status: is ? 'True' : 'False'}]}}};
};

describe('A pod that a deposed operator made in the place of the restarted one', () => {
  const late: OrdinalOptions = {object: ownPodOf(1, {uid: 'late', annotations: mark})};
  const proof = (zero: OrdinalOptions, one = late) => restartProof(observationOf({
    ordinals: [zero, one, ready(2)],
    status: {run: {...runOf(), restart: {pod: 'etcd-1', podUID: 'before'}}, members: members(3).map((_, index) => recordOf(index))},
  }));

  it('is taken away, so that the controller can make its own', () => {
    const decision = proof(ready(0));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'DeletePod', JSON.stringify(decision));
    assert.equal(decision.actions[0].pod.metadata?.uid, 'late');
  });

  it('is left while another member is not Ready', () => {
    const decision = proof(ready(0, false));
    assert.ok(decision.kind === 'wait', JSON.stringify(decision));
    assert.match(decision.why, /etcd-0 is not Ready/);
  });

  it('is waited for once it stops', () => {
    const stopping = ownPodOf(1, {uid: 'late', annotations: mark});
    const decision = proof(ready(0), {object: {...stopping, metadata: {...stopping.metadata, deletionTimestamp: new Date()}}});
    assert.ok(decision.kind === 'wait', JSON.stringify(decision));
  });
});
