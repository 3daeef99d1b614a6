import assert from 'node:assert/strict';
import type {Decision} from '../../../src/decide/decision.ts';
import {startEmpty} from '../../../src/decide/steps/startAll.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const at = new Date(now).toISOString();
const names = ['etcd-0', 'etcd-1', 'etcd-2'];
const lost = (index: number): OrdinalOptions => ({
  object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: {'quorumrecovery.io/run': 'run-1'}}), place: {at: 'GoneNode', nodes: [`node-${index}`]},
});

/** A rebuild has begun, and the nodes of all members are gone. */
const rebuilding = (replaced: readonly string[] = []): Observation => observationOf({
  ordinals: [0, 1, 2].map(lost), nodes: [node('spare-0')],
  status: {
    heldPods: names, members: [0, 1, 2].map((index) => recordOf(index, {fenced: {by: 'NodeDeleted', podUID: `pod-uid-${index}`, at}})),
    run: runOf({
      plan: planOf({strategy: 'RebuildFromConfig', candidates: []}), steps: [{name: 'Hold', state: 'Done', finishedAt: at}, {name: 'StartEmpty', state: 'Running', startedAt: at}],
      newCluster: {attempt: 1, members: names, clusterID: 'c2', seeded: [], begunAt: at},
      joins: replaced.map((pod) => ({pod, attempt: 1, replacedClaims: [`claim-uid-${pod.slice(-1)}`]})),
    }),
  },
});

const types = (decision: Decision): string => (decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind);

describe('a rebuild of which the claims of several members are lost', () => {
  it('has them all in its status before the first one is touched', () => {
    const observation = rebuilding(['etcd-0']);
    const decision = startEmpty(observation);
    assert.equal(decision.kind, 'record');
    decision.record(observation.status);
    assert.deepEqual(observation.status.run?.joins?.map(({pod, replacedClaims}) => `${pod} ${replacedClaims?.join() ?? ''}`), names.map((pod, index) => `${pod} claim-uid-${index}`));
  });

  it('makes them anew side by side, and makes no pod before', () => {
    assert.equal(types(startEmpty(rebuilding(names))), 'RetainVolume,RetainVolume,RetainVolume');
    const retained = rebuilding(names);
    for (const {claims} of retained.ordinals) for (const {volume} of claims) if (volume) volume.spec = {persistentVolumeReclaimPolicy: 'Retain'};
    assert.equal(types(startEmpty(retained)), 'DeleteClaim,DeleteClaim,DeleteClaim');
    const [first, ...others] = retained.ordinals;
    const there = {...first ?? assert.fail(), claims: (first?.claims ?? []).map((claim) => ({...claim, place: {at: 'Unbound' as const}}))};
    assert.equal(types(startEmpty({...retained, ordinals: [there, ...others]})), 'DeleteClaim,DeleteClaim');
  });
});
