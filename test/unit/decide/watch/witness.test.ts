import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus, Witness} from '../../../../src/api/types.ts';
import {refreshRecords} from '../../../../src/decide/watch/records.ts';
import {isWhole, regression} from '../../../../src/decide/watch/witness.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import type {MemberStatus} from '../../../../src/etcd/types.ts';
import {answers, idOf, now, observationOf, recordOf, silent} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const seen: Witness = {
  clusterID: 'c1', revision: 500, raftIndex: 900, raftTerm: 5, observedAt: iso(now - 30_000),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), claimUID: `claim-uid-${index}`})),
};

/** Members 0 and 1 serve under the leader 0; member 2 does not answer. */
function serving(status: Partial<MemberStatus>, own: QuorumRecoveryStatus = {lastHealthy: seen}): Observation {
  const leading = {leader: 'a0', ...status};
  return observationOf({status: own, ordinals: [{probe: answers(0, 3, leading)}, {probe: answers(1, 3, leading)}, {probe: silent}], more: {linearizable: true}});
}

describe('a quorum that serves', () => {
  it('with the data that was seen, or newer, went not back', () => {
    assert.equal(regression(serving({revision: 500, raftIndex: 900})), undefined);
    assert.equal(regression(serving({revision: 600, raftIndex: 1_000})), undefined);
  });
  it('at an older revision or an older raft index went back, and it is said where the old data may be', () => {
    const empty = regression(serving({revision: 1, raftIndex: 4}));
    assert.match(empty?.message ?? '', /serves at revision 1, raft index 4; at .* whole at revision 500, raft index 900: the data went back/);
    assert.match(empty?.message ?? '', /may still be on claim data-etcd-2 of etcd-2\. Nothing is done by itself/);
    assert.ok(regression(serving({revision: 700, raftIndex: 40})), 'the same revision can be reached anew, the index of the same cluster cannot go back');
  });
  it('tells of a member that the set has no pod for now, and keeps what is known of its end', () => {
    const away = serving({revision: 1, raftIndex: 4});
    const ended = {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-2', at: iso(now - 5_000), message: 'the kubelet of node-2 reported the end of its containers'};
    const members = [recordOf(2, {fenced: ended}), {pod: 'etcd-3', memberID: 'a3', role: 'Voter' as const, health: 'NotRunning' as const}];
    const scaled = {...away, ordinals: away.ordinals.slice(0, 2), status: {...away.status, members}};
    assert.match(regression(scaled)?.message ?? '', /may still be on volume \(unknown\) of etcd-2, which the StatefulSet has no pod for now \(scale it up again\)/);
    const draft = structuredClone(scaled.status);
    refreshRecords(draft, scaled);
    assert.deepEqual(draft.members.map(({pod, health, fenced}) => [pod, health, fenced?.by]), [['etcd-0', 'Healthy', undefined], ['etcd-1', 'Healthy', undefined], ['etcd-2', 'NotRunning', 'KubeletConfirmed']], 'a member that the witness does not name is not kept');
  });
  it('names no volume that was made anew since', () => {
    const remade = serving({revision: 1, raftIndex: 4});
    const [a, b, third] = remade.ordinals;
    assert.ok(a && b && third?.data?.object);
    const changed = {...remade, ordinals: [a, b, {...third, data: {...third.data, object: {metadata: {uid: 'another'}}}}]};
    assert.match(regression(changed)?.message ?? '', /No member outside of it has a volume that the witness knows/);
  });
  it('of another cluster ID counts by its revision: its raft index began anew', () => {
    assert.equal(regression(serving({clusterID: 'c2', revision: 500, raftIndex: 4})), undefined);
    assert.match(regression(serving({clusterID: 'c2', revision: 3, raftIndex: 4}))?.message ?? '', /a cluster of another ID serves at revision 3/);
  });
  it('is not judged by a follower that may be behind, nor without a linearizable read, nor after a run of ours', () => {
    assert.equal(regression(serving({leader: 'a2', revision: 1, raftIndex: 4})), undefined);
    assert.equal(regression({...serving({revision: 1, raftIndex: 4}), linearizable: false}), undefined);
    const run = {id: 'r', attempt: 1, startedAt: iso(now - 29_000), steps: [], force: {attempt: 1, pod: 'p', endedAt: iso(now - 10_000)}};
    assert.equal(regression(serving({revision: 1, raftIndex: 4}, {lastHealthy: seen, run})), undefined);
    const before = {...run, force: {attempt: 1, pod: 'p', endedAt: iso(now - 60_000)}};
    assert.ok(regression(serving({revision: 1, raftIndex: 4}, {lastHealthy: seen, run: before})), 'a force from before the witness says nothing of what came after it');
  });
});

describe('the witness', () => {
  const whole = (status: Partial<MemberStatus>, own: QuorumRecoveryStatus): Observation =>
    observationOf({status: own, ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a0', ...status})})), more: {linearizable: true}});
  const refreshed = (observation: Observation): Witness | undefined => {
    const draft = structuredClone(observation.status);
    refreshRecords(draft, observation);
    return draft.lastHealthy;
  };
  it('is not taken from data that went back, even when every member has it', () => {
    const empty = whole({revision: 1, raftIndex: 4}, {lastHealthy: seen});
    assert.equal(isWhole(empty), true);
    assert.deepEqual(refreshed(empty), seen);
  });
  it('is not taken while data that went back is not settled, though the revision is there again', () => {
    const status: QuorumRecoveryStatus = {lastHealthy: seen, regression: {since: iso(now), message: 'the data went back', members: [{pod: 'etcd-0', claimUID: 'other'}]}};
    const mixed = whole({revision: 700, raftIndex: 1_000}, status);
    assert.deepEqual(refreshed(mixed), seen);
    const draft = structuredClone(status);
    refreshRecords(draft, mixed);
    assert.equal(draft.lastServed, undefined);
  });
  it('is taken anew at once after a run, whose cluster is another one', () => {
    const run = {id: 'r', attempt: 1, startedAt: iso(now - 29_000), steps: [], force: {attempt: 1, pod: 'p', endedAt: iso(now - 10_000)}};
    assert.equal(refreshed(whole({revision: 490, raftIndex: 12}, {lastHealthy: seen, run}))?.revision, 490);
  });
});
