import assert from 'node:assert/strict';
import {join} from '../../../src/decide/steps/join.ts';
import {members, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const silent = {kind: 'NotAsked' as const, why: 'the pod is not scheduled'};

/** A survivor whose pod was deleted and made again, for which no node has been found since so many ms. */
function survivor(sinceMs: number): OrdinalOptions {
  const pod = ownPodOf(0);
  const {nodeName: _node, ...spec} = pod.spec ?? {containers: []};
  assert.ok(_node !== undefined);
  return {
    probe: silent,
    object: {
      ...pod, spec, metadata: {...pod.metadata, creationTimestamp: new Date(now - sinceMs)},
      status: {phase: 'Pending', conditions: [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no node fits'}]},
    },
  };
}

describe('A member that waits for its turn on the node that the survivor needs', () => {
  const joining = (zero: OrdinalOptions, memberID?: string) => join(observationOf({
    ordinals: [zero, {object: ownPodOf(1, {uid: 'joiner', annotations: mark}), probe: silent}, {}],
    status: {
      run: runOf({plan: planOf(), joins: [{pod: 'etcd-1', attempt: 1, ...(memberID !== undefined && {memberID})}]}),
      members: members(3).map((_, index) => recordOf(index, index === 1 ? {fenced: {by: 'KubeletConfirmed', podUID: 'before', at: new Date(now).toISOString()}} : {})),
    },
  }), 'etcd-1');

  it('gives it back, and joins later', () => {
    const decision = joining(survivor(60_000));
    assert.equal(decision.kind, 'deferred', JSON.stringify(decision));
    assert.ok('actions' in decision && decision.actions.some((action) => action.type === 'DeletePod' && action.pod.metadata?.uid === 'joiner'));
    assert.match('message' in decision ? decision.message : '', /etcd-1 gives its place back: no node takes etcd-0/);
  });

  it('keeps it while the scheduler may still find another', () => { assert.equal(joining(survivor(1_000)).kind, 'wait'); });

  it('keeps it once it is in the list of members', () => { assert.equal(joining(survivor(60_000), 'b1').kind, 'wait'); });
});
