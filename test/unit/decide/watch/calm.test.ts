import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {disturbance, renewNumbers, unrest, wantsRenewal} from '../../../../src/decide/watch/calm.ts';
import type {MemberStatus} from '../../../../src/etcd/types.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, idOf, node, now, observationOf, ownPodOf} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const trigger = {type: 'OnQuorumLoss', cooldown: '5m'};
const lastHealthy = {
  clusterID: 'c1', revision: 50, raftIndex: 100, raftTerm: 5, observedAt: iso(now - 20_000),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)})),
};
const run = {id: 'r', attempt: 1, startedAt: iso(now - 900_000), steps: []};

function whole(status: QuorumRecoveryStatus = {}, more: Partial<Parameters<typeof observationOf>[0]> = {}): Observation {
  return observationOf({
    status: {lastHealthy, ...status}, spec: {trigger}, nodes: ['node-0', 'node-1', 'node-2'].map((name) => node(name)), more: {linearizable: true},
    ordinals: [0, 1, 2].map((index) => ({object: ownPodOf(index), probe: answers(index, 3, {leader: 'a0', revision: 60, raftIndex: 110})})), ...more,
  });
}

const answer = (more: Partial<MemberStatus> = {}): MemberStatus => {
  const probe = answers(1, 3, {leader: 'a0', revision: 60, raftIndex: 110, raftAppliedIndex: 110, raftTerm: 5, ...more});
  return probe.kind === 'Answered' ? probe.status : assert.fail();
};

describe('a cluster may be calm', () => {
  it('when a full look found it whole and nothing of it is open', () => {
    assert.equal(unrest(whole()), undefined);
    assert.equal(unrest(whole({findings: [{case: 'ServiceAstray', service: 'etcd-client', message: ''}]})), undefined, 'a Service is no member');
    assert.equal(unrest(whole({run: {...run, finishedAt: iso(now - 301_000), outcome: 'Recovered'}})), undefined);
  });
  const cases: [string, Observation][] = [
    ['nobody asked for a watch', whole({}, {spec: {trigger: {type: 'Manual'}}})],
    ['a run is in flight', whole({run})],
    ['a run has ended within the cooldown', whole({run: {...run, finishedAt: iso(now - 299_000), outcome: 'Recovered'}})],
    ['a name is held', whole({heldPods: ['etcd-2']})],
    ['a loss is suspected', whole({suspicion: {since: iso(now), kubernetes: '', etcd: ''}})],
    ['attempts count', whole({automatic: {attempts: 1}})],
    ['its data went back', whole({lastHealthy: {...lastHealthy, revision: 1_000}})],
    ['that is recorded', whole({regression: {since: iso(now), message: ''}})],
    ['something is found of it', whole({findings: [{case: 'MemberSlow', pod: 'etcd-1', message: ''}]})],
    ['leadership is to be moved', whole({conditions: [{type: 'PreferredLeader', status: 'False', reason: 'Waiting', message: '', lastTransitionTime: iso(now)}]})],
    ['there is no witness', {...whole(), status: {}}],
    ['the witness is of the cluster before the last run', whole({run: {...run, finishedAt: iso(now - 301_000), force: {podUID: 'u', endedAt: iso(now - 1_000)} as never}})],
    ['no linearizable read succeeds', {...whole(), linearizable: false}],
    ['its spec is no good', {...whole(), specProblem: 'x'}],
    ['its resource goes', {...whole(), resource: {...whole().resource, metadata: {...whole().resource.metadata, deletionTimestamp: new Date(now)}}}],
    ['a node is not heard of', {...whole(), nodes: [node('node-0'), node('node-1'), node('node-2', {ready: false})]}],
  ];
  for (const [title, observation] of cases) it(`not when ${title}`, () => { assert.notEqual(unrest(observation), undefined); });
  const views: [string, (view: Observation['ordinals'][number]) => Observation['ordinals'][number]][] = [
    ['is being stopped', (view) => ({...view, object: ownPodOf(1, {deleting: true})})],
    ['says nothing', (view) => ({...view, probe: {kind: 'NotAsked', why: ''}})],
    ['names another leader', (view) => ({...view, probe: answers(1, 3, {leader: 'a1', revision: 60, raftIndex: 110})})],
    ['has an alarm', (view) => ({...view, probe: answers(1, 3, {leader: 'a0', revision: 60, raftIndex: 110, errors: ['alarm:NOSPACE']})})],
  ];
  for (const [title, change] of views) {
    it(`not when a member ${title}`, () => {
      const observation = whole();
      assert.notEqual(unrest({...observation, ordinals: observation.ordinals.map((view, index) => (index === 1 ? change(view) : view))}), undefined);
    });
  }
});

describe('an answer of a calm member', () => {
  it('goes on from its last one as long as it only grows', () => {
    assert.equal(disturbance(answer(), answer()), undefined);
    assert.equal(disturbance(answer(), answer({revision: 70, raftIndex: 120, raftAppliedIndex: 120, dbSizeBytes: 1})), undefined);
  });
  const ends: Partial<MemberStatus>[] = [
    {memberID: 'other'}, {clusterID: 'other'}, {leader: ''}, {leader: 'a2'}, {raftTerm: 6}, {raftTerm: 4}, {revision: 59}, {raftIndex: 109}, {raftAppliedIndex: 109},
    {isLearner: true}, {errors: ['etcdserver: no leader']},
  ];
  for (const change of ends) {
    it(`ends the calm with ${JSON.stringify(change)}`, () => { assert.notEqual(disturbance(answer(), answer(change)), undefined); });
  }
});

describe('the witness of a calm cluster', () => {
  it('is renewed once a minute, in its numbers alone', () => {
    const draft: QuorumRecoveryStatus = {lastHealthy, members: [{pod: 'etcd-1', memberID: 'a1', role: 'Voter', health: 'Healthy', revision: 50}, {pod: 'etcd-2', memberID: 'a2', role: 'Voter', health: 'Healthy', revision: 50}]};
    assert.equal(wantsRenewal(draft, now + 39_999), false);
    assert.equal(wantsRenewal(draft, now + 40_000), true);
    renewNumbers(draft, [{pod: 'etcd-1', status: answer({revision: 80, raftIndex: 130, raftTerm: 5})}], now + 40_000);
    assert.deepEqual(draft.lastHealthy, {...lastHealthy, revision: 80, raftIndex: 130, observedAt: iso(now + 40_000)});
    assert.deepEqual(draft.members?.map(({revision}) => revision), [80, 50]);
    assert.deepEqual(draft.lastServed, {revision: 80, at: iso(now + 40_000)});
    assert.equal(wantsRenewal(draft, now + 99_000), false);
  });
  it('never goes back, and counts how fast revisions grow', () => {
    const draft: QuorumRecoveryStatus = {lastHealthy, lastServed: {revision: 50, at: iso(now - 20_000)}};
    renewNumbers(draft, [{pod: 'etcd-1', status: answer({revision: 40, raftIndex: 90})}], now + 10_000);
    assert.deepEqual([draft.lastHealthy?.revision, draft.lastHealthy?.raftIndex], [50, 100]);
    renewNumbers(draft, [{pod: 'etcd-1', status: answer({revision: 650})}], now + 70_000);
    assert.equal(draft.lastServed?.perSecond, 10);
  });
  it('is never made from it', () => {
    const draft: QuorumRecoveryStatus = {};
    assert.equal(wantsRenewal(draft, now), false);
    renewNumbers(draft, [{pod: 'etcd-1', status: answer()}], now);
    assert.deepEqual(draft, {});
  });
});
