import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {isToBeMoved, leaderOf, recordRefusal, settleLeadership} from '../../../../src/decide/watch/leadership.ts';
import type {MemberStatus} from '../../../../src/etcd/types.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, idOf, node, now, observationOf, ownPodOf, runOf} from '../observations.ts';
import type {PodOptions} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const minute = 60_000;

const readyPod = (index: number, options: PodOptions = {}) => {
  const pod = ownPodOf(index, options);
  return {...pod, status: {...pod.status, conditions: [{type: 'Ready', status: 'True'}]}};
};

interface Options {
  preferredLeader?: string;
  /** Ordinal of the leader. */
  leader?: number;
  at?: number;
  status?: QuorumRecoveryStatus;
  spec?: object;
  /** What the member of etcd-1 says otherwise. */
  says?: Partial<MemberStatus>;
  pod?: PodOptions;
  more?: Partial<Observation>;
}

const cluster = ({preferredLeader = 'etcd-1', leader = 0, at = 0, status = {}, spec, says, pod, more}: Options = {}): Observation => observationOf({
  status: structuredClone(status), spec: {preferredLeader, ...spec},
  ordinals: [0, 1, 2].map((index) => ({
    object: readyPod(index, index === 1 ? pod : {}), probe: answers(index, 3, {leader: idOf(leader), raftIndex: 5_000, raftAppliedIndex: 5_000, ...(index === 1 && says)}),
  })),
  more: {now: now + at, linearizable: true, ...more},
});

const conditionOf = ({status}: Observation) => status.conditions?.find(({type}) => type === 'PreferredLeader');

/** What is done, and what is said of it. */
function settle(options: Options = {}): {to: string | undefined; inMs: number | undefined; said: string; status: QuorumRecoveryStatus} {
  const observation = cluster(options);
  const {move, inMs} = settleLeadership(observation);
  const condition = conditionOf(observation);
  return {to: move?.to, inMs, said: condition === undefined ? '' : `${condition.status}/${condition.reason}: ${condition.message}`, status: observation.status};
}

describe('the leader that is preferred', () => {
  it('is asked for by the leader that there is, and the intent stands in the status', () => {
    const observation = cluster();
    assert.deepEqual(settleLeadership(observation).move, {type: 'MoveLeader', from: 'etcd-0', to: 'etcd-1', memberID: 'a1'});
    assert.deepEqual(observation.status.leadership, {move: {from: 'etcd-0', to: 'etcd-1', askedAt: iso(now)}, tries: 1});
    assert.equal(isToBeMoved(observation.status), true, 'such a cluster is not calm');
  });
  it('is said to lead once it does, and since when', () => {
    const {status} = settle();
    const after = settle({status, leader: 1, at: 100});
    assert.equal(after.said, 'True/Leads: etcd-1 leads');
    assert.equal(after.status.leadership?.move?.movedAt, iso(now + 100));
    assert.equal(isToBeMoved(after.status), false);
  });
  it('is nobody where the spec names none, and then nothing is said', () => {
    const {conditions} = settle().status;
    const observation = observationOf({status: {conditions: conditions ?? []}, more: {linearizable: true}});
    assert.deepEqual(settleLeadership(observation), {});
    assert.deepEqual(observation.status.conditions, []);
  });
  it('is a pod that the set has', () => {
    const {to, said, status} = settle({preferredLeader: 'etcd-7'});
    assert.deepEqual([to, isToBeMoved(status)], [undefined, false]);
    assert.match(said, /^False\/NoSuchPod: the StatefulSet has no pod etcd-7 \(it has etcd-0, etcd-1, etcd-2\): name another one in spec.preferredLeader/);
  });
});

describe('leadership stays where it is', () => {
  const cases: [string, Options, RegExp][] = [
    ['while the member is far behind', {says: {raftAppliedIndex: 3_999}}, /etcd-1 is more than 1000 log entries behind etcd-0/],
    ['while the member is a learner', {says: {isLearner: true}}, /not every member answers as a voter/],
    ['while the member complains', {says: {errors: ['memberID:1 alarm:CORRUPT']}}, /etcd-1 complains: memberID:1 alarm:CORRUPT/],
    ['while something is found of the member', {status: {findings: [{case: 'MemberSlow', pod: 'etcd-1', message: 'it is slow'}]}}, /something is wrong with etcd-1 \(MemberSlow: see Degraded\)/],
    ['while the pod is being deleted', {pod: {deleting: true}}, /etcd-1 is about to end/],
    ['while its node is not heard of', {more: {nodes: [node('node-0'), node('node-1', {ready: false}), node('node-2')]}}, /etcd-1 is not Ready on a Ready node/],
    ['while its node is cordoned', {more: {nodes: [node('node-0'), node('node-1', {unschedulable: true}), node('node-2')]}}, /etcd-1 is on node node-1, which is cordoned/],
    ['while no quorum confirms the leader', {more: {linearizable: false}}, /not every member answers/],
    ['while members name different leaders', {says: {leader: 'a2'}}, /the members do not agree on a leader/],
    ['while another resource is for the same set', {more: {duplicateOf: 'db/first'}}, /QuorumRecovery db\/first is for the same StatefulSet, and was there first/],
    ['while the resource is paused', {spec: {paused: true}}, /spec\.paused is set/],
    ['while a run is in flight', {status: {run: runOf()}}, /members of a run wait to join/],
    ['while a name is held', {status: {run: runOf({finishedAt: iso(now), outcome: 'Degraded'}), heldPods: ['etcd-2']}}, /members of a run wait to join/],
    ['while data that went back is not settled', {status: {regression: {since: iso(now), message: ''}}}, /the data went back/],
    ['in the middle of a rollout', {more: {templates: {of: () => ({revision: 'r', template: {}}), rollout: 'etcd-2 still of an older revision'}}}, /in the middle of a rollout \(etcd-2/],
  ];
  for (const [title, options, words] of cases) {
    it(title, () => {
      const {to, said} = settle(options);
      assert.equal(to, undefined);
      assert.match(said, /^False\/Waiting: .*leadership moves to etcd-1 later/);
      assert.match(said, words);
    });
  }
  it('but not for a lag that is normal under load', () => {
    assert.equal(settle({says: {raftAppliedIndex: 4_000}}).to, 'etcd-1');
  });
});

describe('leadership that does not come, or does not stay', () => {
  const asked = (tries: number, more: object = {}): QuorumRecoveryStatus => ({leadership: {move: {from: 'etcd-0', to: 'etcd-1', askedAt: iso(now), ...more}, tries}});
  it('is asked for once a minute at most, also for another pod', () => {
    assert.equal(settle({status: asked(1, {movedAt: iso(now)}), at: minute - 1}).to, undefined);
    assert.equal(settle({status: asked(1, {movedAt: iso(now)}), at: minute}).to, 'etcd-1');
    const other = settle({status: asked(4, {movedAt: iso(now)}), leader: 1, preferredLeader: 'etcd-2', at: 1_000});
    assert.deepEqual([other.to, other.inMs], [undefined, 59_000]);
    assert.match(other.said, /^False\/Waiting: etcd-1 leads; leadership moves to etcd-2 later: it was moved at /);
  });
  it('is asked for after twice the time each time, up to an hour, and says what to look at', () => {
    const third = settle({status: asked(3, {movedAt: iso(now)}), at: 4 * minute - 1});
    assert.equal(third.to, undefined);
    assert.match(third.said, /^False\/DoesNotStay: etcd-0 leads: leadership went to etcd-1 3 times and did not stay; the next try is at 2026-01-01T00:04:00.000Z\. Look at why/);
    assert.equal(settle({status: asked(3, {movedAt: iso(now)}), at: 4 * minute}).status.leadership?.tries, 4);
    assert.equal(settle({status: asked(30, {movedAt: iso(now)}), at: 60 * minute}).to, 'etcd-1');
  });
  it('is begun anew once it has stayed for ten minutes', () => {
    const stays = (at: number) => settle({status: asked(5, {movedAt: iso(now)}), leader: 1, at}).status.leadership?.tries;
    assert.deepEqual([stays(10 * minute - 1), stays(10 * minute)], [5, undefined]);
  });
  it('is told with the words of etcd, and tried again in its time', () => {
    const {status} = settle();
    recordRefusal('MoveLeader on 10.0.0.0:2379 failed: etcdserver: request timed out, leader transfer took too long')(status);
    const {to, said, inMs} = settle({status, at: 5_000});
    assert.deepEqual([to, inMs], [undefined, 55_000]);
    assert.match(said, /^False\/MoveFailed: etcd-0 leads: it did not hand over to etcd-1 \(.*took too long\); the next try is at 2026-01-01T00:01:00.000Z\. If that does not help, look at the log of both/);
  });
  it('counts as not moved where the operator ended in the middle, and another leads', () => {
    assert.match(settle({status: settle().status, at: 5_000}).status.leadership?.move?.failed ?? '', /etcd-0 leads, and what became of the request is not known/);
  });
  it('is waited for while members do not agree yet who leads', () => {
    const {status, inMs} = settle({status: settle().status, says: {leader: 'a1'}, at: 50});
    assert.deepEqual([status.leadership?.move?.failed, status.leadership?.move?.movedAt, inMs], [undefined, undefined, 500]);
  });
});

describe('the previous leader', () => {
  const run = runOf({finishedAt: iso(now), outcome: 'Recovered', previousLeader: 'etcd-2'});
  it('leads again after a recovery, once', () => {
    const before = settle({preferredLeader: 'Previous', status: {run}});
    assert.equal(before.to, 'etcd-2');
    const after = settle({preferredLeader: 'Previous', status: before.status, leader: 2, at: 500});
    assert.equal(after.said, 'True/Leads: etcd-2 leads');
    assert.equal(after.status.leadership?.returnedIn, run.id);
    const later = settle({preferredLeader: 'Previous', status: after.status, leader: 0, at: 10 * minute});
    assert.deepEqual([later.to, later.said], [undefined, 'True/Returned: leadership was with etcd-2 again after run run-1. etcd-0 leads.']);
  });
  it('is nobody without a recovery, and unknown to a resource that came after the fire', () => {
    assert.match(settle({preferredLeader: 'Previous'}).said, /^True\/NothingToReturn: .* etcd-0 leads\.$/);
    assert.match(settle({preferredLeader: 'Previous', status: {run: {...run, outcome: 'NotNeeded'}}}).said, /^True\/NothingToReturn/);
    const unknown = runOf({finishedAt: iso(now), outcome: 'Recovered'});
    assert.match(settle({preferredLeader: 'Previous', status: {run: unknown}}).said, /^Unknown\/PreviousUnknown: who led before run run-1 is not known.*Name a pod in spec\.preferredLeader/);
  });
});

describe('who leads', () => {
  it('is the pod whose member all that answer name', () => {
    assert.equal(leaderOf(cluster({leader: 2})), 'etcd-2');
    assert.equal(leaderOf(cluster({says: {leader: ''}})), undefined);
    assert.equal(leaderOf(cluster({leader: 9})), undefined);
  });
});
