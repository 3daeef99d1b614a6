import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus, Witness} from '../../../../src/api/types.ts';
import {assess} from '../../../../src/decide/assess.ts';
import {isApproved} from '../../../../src/decide/interrupt.ts';
import {propose} from '../../../../src/decide/plans/proposal.ts';
import {givenUp, settleRegression} from '../../../../src/decide/evidence/regressed.ts';
import {quorumCameBack} from '../../../../src/decide/steps/common.ts';
import {recordProposal} from '../../../../src/decide/steps/plan.ts';
import type {MemberStatus} from '../../../../src/etcd/types.ts';
import type {Observation, Probe} from '../../../../src/observe/observation.ts';
import {finishRun} from '../../../../src/phases/run.ts';
import {answers, clusterID, idOf, members, now, observationOf, recordOf, runOf, silent} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const seen: Witness = {
  clusterID, revision: 500, raftIndex: 900, raftTerm: 5, observedAt: iso(now - 30_000),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), claimUID: `old-claim-${index}`})),
};
const disk = {pod: 'etcd-2', stage: 'Planning' as const, data: 'Present' as const, memberID: 'a2', clusterID, term: 5, index: 905, commit: 900, revision: 498, members: members(3)};
const chosen = {survivor: {pod: 'etcd-2'}};

interface Options {
  spec?: object;
  status?: QuorumRecoveryStatus;
  /** What the pods that serve say. */
  says?: Partial<MemberStatus>;
  probes?: Probe[];
  linearizable?: boolean;
}

/** Empty members 0 and 1 serve under the old IDs, on claims that were made anew; the disk of member 2 has the old data. */
function wiped({spec = chosen, status = {}, says = {}, probes, linearizable = true}: Options = {}): Observation {
  const leading = {leader: 'a0', revision: 3, raftIndex: 9, ...says};
  const [first, second, third] = probes ?? [answers(0, 3, leading), answers(1, 3, leading), silent];
  return observationOf({
    spec, ordinals: [{probe: first ?? silent, claimUID: 'new-claim-0'}, {probe: second ?? silent, claimUID: 'new-claim-1'}, {probe: third ?? silent, claimUID: 'old-claim-2'}],
    status: {
      lastHealthy: seen, members: [recordOf(0, {claimUID: 'new-claim-0', revision: 700}), recordOf(1, {claimUID: 'new-claim-1'}), recordOf(2, {claimUID: 'old-claim-2'})],
      run: runOf({offline: [disk]}), ...status,
    },
    more: {linearizable},
  });
}

/** The plan, and the status once it was recorded. */
function planned(options: Options = {}) {
  const observation = wiped(options);
  const assessment = assess(observation);
  assert.ok(assessment.kind === 'lost', JSON.stringify(assessment));
  const proposed = propose(observation, assessment);
  assert.ok('proposal' in proposed, JSON.stringify(proposed));
  const status = structuredClone(observation.status);
  recordProposal(observation, assessment, proposed.proposal)(status);
  return {plan: proposed.proposal.plan, status, observation};
}

describe('a cluster that went back', () => {
  it('is left alone while nobody names a member with the old data', () => {
    assert.equal(assess(wiped({spec: {}})).kind, 'not-needed');
    assert.equal(assess(wiped({spec: {survivor: {pod: 'etcd-0'}}})).kind, 'not-needed', 'its own member is no old data');
    assert.deepEqual(givenUp(wiped({spec: {}})), []);
  });
  it('is given up for the member that a person names, in a plan that tells so and is for approval whatever the spec says', () => {
    const {plan, observation} = planned();
    assert.deepEqual([plan.survivor, plan.candidates, plan.givenUp], ['etcd-2', ['etcd-2'], ['etcd-0', 'etcd-1']]);
    assert.deepEqual(plan.lost.map(({pod, fenced}) => [pod, fenced]), [['etcd-0', 'ToBeStopped'], ['etcd-1', 'ToBeStopped']]);
    assert.match(plan.expectedLoss, /went back \(etcd-0, etcd-1\) is not in the new one: that data is set aside/);
    assert.ok(plan.steps.includes('Approve'));
    assert.equal(isApproved(observation, plan), false);
    assert.equal(isApproved({...observation, spec: {...observation.spec, approvedPlan: plan.hash}}, plan), true);
  });
  it('has a plan of another hash than a loss with the same members', () => {
    const dead = {probes: [silent, silent, silent], linearizable: false};
    const offline = [disk, ...[0, 1].map((index) => ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Empty' as const}))];
    const {plan} = planned({...dead, spec: chosen, status: {lastHealthy: seen, run: runOf({offline})}});
    assert.equal(plan.givenUp, undefined);
    assert.notEqual(plan.hash, planned().plan.hash);
  });
  it('stays given up once it was stopped, when nothing tells any more whose data went back', () => {
    const {status} = planned();
    assert.deepEqual(status.regression?.members?.map(({pod}) => pod), ['etcd-0', 'etcd-1']);
    assert.equal(status.dataLoss?.lastKnownRevision, 500, 'revisions of the cluster that is given up are of other data');
    // Wiped in place: the claims are the old ones.
    const lastHealthy = {...seen, members: seen.members.map(({pod, memberID}) => ({pod, memberID}))};
    const stopped = wiped({status: {...status, lastHealthy}, probes: [silent, silent, silent], linearizable: false});
    assert.deepEqual(givenUp(stopped), ['etcd-0', 'etcd-1']);
    assert.equal(quorumCameBack(stopped), undefined);
    assert.equal(quorumCameBack({...stopped, spec: {...stopped.spec, survivor: undefined}})?.kind, 'abort', 'their data counts as anybody\'s without a person\'s word');
  });
  it('is over once the old revision serves again and all members have the same data; a quorum alone is no proof, as raft compares no content', () => {
    const {status} = planned();
    const back = (dataCompared?: Observation['dataCompared']): Observation =>
      ({...wiped({status, probes: [0, 1, 2].map((index) => answers(index, 3, {leader: 'a2', revision: 600, raftIndex: 1_000}))}), dataCompared});
    const settled = (observation: Observation) => {
      const draft = structuredClone(observation.status);
      settleRegression(draft, observation);
      return draft.regression;
    };
    const same = {same: true, words: 'at revision 600 all members have the same hash'};
    const other = {same: false, words: 'at revision 600 etcd-0 and etcd-2 have different hashes'};
    assert.equal(settled(back(same)), undefined);
    assert.equal(assess(back(same)).kind, 'not-needed');
    assert.ok(settled(back()), 'nobody compared');
    assert.match(settled(back(other))?.message ?? '', /not all of its members have the same data: at revision 600 etcd-0 and etcd-2 have different hashes\. etcd-0, etcd-1 served/);
    assert.equal(assess(back(other)).kind, 'lost', 'a person gives the mixed members up');
    assert.equal(assess({...back(other), spec: {...back().spec, survivor: undefined}}).kind, 'not-needed', 'and nobody else does');
  });
  it('does not count the member with the old data in when that follows it', () => {
    const {status} = planned();
    const mixed = wiped({status, probes: [0, 1, 2].map((index) => answers(index, 3, {leader: 'a0', revision: 3, raftIndex: 9}))});
    const draft = structuredClone(mixed.status);
    settleRegression(draft, mixed);
    assert.deepEqual(draft.regression?.members?.map(({pod}) => pod), ['etcd-0', 'etcd-1']);
    assert.deepEqual(givenUp({...mixed, status: draft}), ['etcd-0', 'etcd-1']);
  });
  it('of another cluster ID is no second lineage: it is the one that goes', () => {
    const other = (index: number): Probe => {
      const probe = answers(index, 3, {clusterID: 'c2', memberID: `b${index}`, leader: 'b0', revision: 3, raftIndex: 9});
      return {...probe, clusterID: 'c2', members: members(3).map((member) => ({...member, id: member.id.replace('a', 'b')}))} as Probe;
    };
    const lostMembers = [0, 1].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}));
    const {plan} = planned({spec: {...chosen, approval: 'Required', lostMembers}, probes: [other(0), other(1), silent]});
    assert.deepEqual([plan.survivor, plan.givenUp], ['etcd-2', ['etcd-0', 'etcd-1']]);
  });
  it('does not count any more where its claim was made anew once more', () => {
    const {status} = planned();
    const remade = {...status, regression: {since: iso(now), message: '', members: [{pod: 'etcd-0', claimUID: 'before'}, {pod: 'etcd-1', claimUID: 'new-claim-1'}]}};
    assert.deepEqual(givenUp(wiped({status: remade, probes: [silent, silent, silent], linearizable: false})), ['etcd-1']);
  });
  it('is forgotten with the end of the run that took its place', () => {
    const {status} = planned();
    if (status.run) status.run.force = {attempt: 1, pod: 'p', endedAt: iso(now)};
    assert.deepEqual(givenUp(wiped({status})), []);
    finishRun(status, 'Recovered', now);
    assert.equal(status.regression, undefined);
  });
});
