import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {join} from '../../../src/decide/steps/join.ts';
import {replaceClaims} from '../../../src/decide/steps/joinClaims.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {removeMember} from '../../../src/phases/rejoining.ts';
import {answers, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const mark = {[marks.run]: 'run-1', [marks.cluster]: 'etcd-0=http://etcd-0.etcd:2380,etcd-1=http://etcd-1.etcd:2380'};
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

const ended = (index: number) => recordOf(index, {fenced: {by: 'NodeDeleted', podUID: 'before', at: new Date(now).toISOString()}});
const waiting = (index: number, on: string): OrdinalOptions => ({object: ownPodOf(index, {uid: `joiner-${index}`, node: on, annotations: mark}), probe: silent, place: {at: 'Node', nodes: [on]}});
const held = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, annotations: {[marks.run]: 'run-1'}}), probe: silent});

/** In a run that has held the names ten minutes ago, and made these members' claims since. */
function given(ordinals: OrdinalOptions[], made: readonly string[], run: Partial<Run>): Observation {
  const observation = observationOf({
    ordinals,
    status: {
      members: [recordOf(0), ended(1), ended(2)], heldPods: ['etcd-1', 'etcd-2'],
      run: runOf({
        plan: planOf(), force: {attempt: 1, pod: 'etcd-0-force', copy: 'copy', turnGiven: true, endedAt: new Date(now).toISOString()},
        steps: [
          {name: 'Hold', state: 'Done', finishedAt: new Date(now - 600_000).toISOString()}, {name: 'Force', state: 'Done'}, {name: 'StartSurvivor', state: 'Done'},
          {name: 'Join etcd-1', state: 'Running', startedAt: new Date(now).toISOString()}, {name: 'Join etcd-2', state: 'Pending'}, {name: 'Verify', state: 'Pending'},
        ],
        ...run,
      }),
    },
  });
  for (const {pod, claims} of observation.ordinals) {
    const creationTimestamp = new Date(now - (made.includes(pod) ? 30_000 : 3_600_000));
    for (const {object} of claims) if (object?.metadata) Object.assign(object.metadata, {creationTimestamp});
  }
  return observation;
}

function recorded(decision: Decision | undefined, observation: Observation): Observation {
  if (decision !== undefined && 'record' in decision) decision.record(observation.status);
  return observation;
}

const replacedOf = ({status: {run}}: Observation, pod: string) => run?.joins?.find((one) => one.pod === pod)?.replacedClaims ?? [];

/** Of the members that join, whose pods are deleted; and why. */
function givenBack(observation: Observation): {pods: string[]; why: string} {
  const decision = nextStep(observation)?.decision;
  if (decision?.kind !== 'act' || !/gives? (its|their) places? back/.test(decision.why)) return {pods: [], why: decision?.kind ?? ''};
  return {pods: decision.actions.map((action) => (action.type === 'DeletePod' ? action.pod.metadata?.uid ?? '' : action.type)), why: decision.why};
}

describe('A member that waits for its turn on the node that the survivor needs', () => {
  it('gives it back, and joins later', () => {
    const {pods, why} = givenBack(given([survivor(60_000), waiting(1, 'node-0'), held(2)], [], {}));
    assert.deepEqual(pods, ['joiner-1']);
    assert.match(why, /^etcd-1 gives its place back: no node takes etcd-0, which has the data \(Unschedulable: no node fits\)/);
  });

  it('gives it back whosever turn it is, also where the quorum is gone with the survivor, and no other pod goes with it', () => {
    for (const memberID of [undefined, 'b1']) {
      const joins = [{pod: 'etcd-1', attempt: 1, ...(memberID !== undefined && {memberID})}];
      assert.deepEqual(givenBack(given([survivor(60_000), waiting(1, 'node-1'), waiting(2, 'node-0')], [], {joins})).pods, ['joiner-2']);
    }
  });

  it('gives it back also before any member joins', () => {
    const observation = given([survivor(60_000), waiting(1, 'node-0'), held(2)], [], {});
    for (const step of observation.status.run?.steps ?? []) if (step.name === 'StartSurvivor') Object.assign(step, {state: 'Running', startedAt: new Date(now).toISOString()}); else if (step.name === 'Join etcd-1') step.state = 'Pending';
    assert.deepEqual(givenBack(observation).pods, ['joiner-1']);
  });

  it('keeps it while the scheduler may still find another', () => {
    assert.deepEqual(givenBack(given([survivor(1_000), waiting(1, 'node-0'), held(2)], [], {})).pods, []);
  });

  it('keeps it once it is in the list of members, or where it is one of those that a new cluster begins with', () => {
    const kept = (run: Partial<Run>) => givenBack(given([survivor(60_000), waiting(1, 'node-0'), held(2)], [], run)).pods;
    assert.deepEqual(kept({joins: [{pod: 'etcd-1', attempt: 1, memberID: 'b1'}]}), []);
    assert.deepEqual(kept({newCluster: {attempt: 1, members: ['etcd-0', 'etcd-1', 'etcd-2'], clusterID: 'c2', seeded: []}}), []);
  });

  it('gives it back also where it was a learner before, which was taken out again: that one is forgotten with its removal', async () => {
    const observation = given([survivor(60_000), waiting(1, 'node-0'), held(2)], [], {joins: [{pod: 'etcd-1', attempt: 2, memberID: 'b1'}]});
    const via = {...observation, ordinals: [{...observation.ordinals[0] ?? assert.fail(), object: ownPodOf(0)}, ...observation.ordinals.slice(1)]};
    const etcd = {member: () => ({removeMember: () => Promise.resolve()})};
    for (const [removed, pods] of [['b0', []], ['b1', ['joiner-1']]] as const) {
      const outcome = await removeMember({observation: via, etcd, credentials: {}} as unknown as Acting, 'etcd-0', removed, 'etcd-1');
      assert.ok(outcome.kind === 'done');
      outcome.record?.(observation.status);
      assert.deepEqual(givenBack(observation).pods, pods);
    }
  });

  it('gives it back also where the operator was killed before it could write that the learner was taken out', () => {
    const observation = given([{probe: answers(0, 1)}, waiting(1, 'node-1'), held(2)], [], {joins: [{pod: 'etcd-1', attempt: 1, memberID: 'b1'}]});
    const decision = join(observation, 'etcd-1');
    assert.equal(decision.kind, 'record');
    recorded(decision, observation);
    assert.equal(observation.status.run?.joins?.[0]?.memberID, undefined);
    assert.notEqual(join(observation, 'etcd-1').kind, 'record');
  });

  it('comes back on a new claim, where its own was made on that node in this run: the old one stands in the status before its pod goes', () => {
    const observation = given([survivor(60_000), held(1), waiting(2, 'node-0')], ['etcd-2'], {});
    recorded(nextStep(observation)?.decision, observation);
    assert.deepEqual(replacedOf(observation, 'etcd-2'), ['claim-uid-2']);
    const replacing = replaceClaims(observation, observation.ordinals[2] ?? assert.fail());
    assert.deepEqual(replacing?.kind === 'act' && replacing.actions.map(({type}) => type), ['RetainVolume']);
  });

  it('keeps a claim that was there before the run, with what is on it', () => {
    const observation = given([survivor(60_000), held(1), waiting(2, 'node-0')], [], {});
    recorded(nextStep(observation)?.decision, observation);
    assert.deepEqual(replacedOf(observation, 'etcd-2'), []);
    assert.equal(replaceClaims(observation, observation.ordinals[2] ?? assert.fail()), undefined);
  });
});
