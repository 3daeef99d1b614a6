import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {canonical, setSpecHash, sha256} from '../../../../src/decide/plans/plan.ts';
import {ProcessLedger, refreshRecords} from '../../../../src/decide/watch/records.ts';
import {answers, ended, newSet, now, observationOf, ownPodOf, recordOf, runOf, running, silent} from '../observations.ts';

const leader = {leader: 'a0'};
const healthy = () => observationOf({ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, leader)})), more: {linearizable: true}});

describe('the ledger of ends', () => {
  const draft = (): QuorumRecoveryStatus => ({members: [recordOf(1)]});
  const apply = (ledger: ProcessLedger): string | undefined => {
    const status = draft();
    ledger.apply(status);
    return status.members?.[0]?.fenced?.by;
  };
  it('keeps the end that a watch event showed, also after the pod is gone', () => {
    const ledger = new ProcessLedger();
    ledger.see(ownPodOf(1, {deleting: true, statuses: [ended()]}), now);
    assert.equal(apply(ledger), 'KubeletConfirmed');
  });
  it('takes no running pod and no ContainerStatusUnknown for an end', () => {
    const ledger = new ProcessLedger();
    ledger.see(ownPodOf(1, {deleting: true, statuses: [running]}), now);
    ledger.see(ownPodOf(1, {deleting: true, statuses: [ended('ContainerStatusUnknown')]}), now);
    assert.equal(apply(ledger), undefined);
  });
  it('counts only for the pod that the record names', () => {
    const ledger = new ProcessLedger();
    ledger.see(ownPodOf(1, {uid: 'another', deleting: true, statuses: [ended()]}), now);
    assert.equal(apply(ledger), undefined);
  });
  it('forgets the oldest beyond its limit', () => {
    const ledger = new ProcessLedger(2);
    for (const uid of ['x', 'y', 'z']) ledger.see(ownPodOf(1, {uid, deleting: true, statuses: [ended()]}), now);
    assert.deepEqual(['x', 'y', 'z'].map((uid) => ledger.endOf(uid) !== undefined), [false, true, true]);
  });
});

describe('the records of members', () => {
  it('have who leads in the witness, and at once who leads next', () => {
    const observation = healthy();
    refreshRecords(observation.status, observation);
    assert.equal(observation.status.lastHealthy?.leader, 'etcd-0');
    const next = observationOf({status: observation.status, ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a2'})})), more: {linearizable: true}});
    refreshRecords(next.status, next);
    assert.equal(next.status.lastHealthy?.leader, 'etcd-2');
  });
  const refreshed = (observation = healthy(), status: QuorumRecoveryStatus = {}): QuorumRecoveryStatus => {
    const draft = structuredClone(status);
    refreshRecords(draft, observation);
    return draft;
  };
  it('name pod, node and claim of every process that answers', () => {
    const [first] = refreshed().members ?? [];
    assert.deepEqual([first?.podUID, first?.memberID, first?.node, first?.nodeUID, first?.machineID, first?.claimUID, first?.volume], ['pod-uid-0', 'a0', 'node-0', 'uid-of-node-0', 'machine-node-0', 'claim-uid-0', 'pv-0']);
  });
  it('keep the last process of a member that does not answer any more', () => {
    const status = refreshed();
    const after = refreshed(observationOf({ordinals: [{probe: answers(0, 3)}, {object: undefined}, {}]}), status);
    assert.deepEqual([after.members?.[1]?.podUID, after.members?.[1]?.node, after.members?.[1]?.health], ['pod-uid-1', 'node-1', 'NotRunning']);
  });
  it('forget the proof of an earlier process once another pod answers as that member', () => {
    const fenced = {by: 'KubeletConfirmed' as const, podUID: 'old', at: new Date(now).toISOString()};
    const after = refreshed(healthy(), {members: [recordOf(0, {podUID: 'old', fenced})]});
    assert.deepEqual([after.members?.[0]?.podUID, after.members?.[0]?.fenced], ['pod-uid-0', undefined]);
  });
  it('keep the proof of the old member\'s end as long as its name is held, and the joiner\'s pod from then on', () => {
    const fenced = {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-2', at: new Date(now).toISOString()};
    const joining = (probe = answers(2, 3, {...leader, memberID: 'b2'})) => observationOf({ordinals: [{}, {}, {object: ownPodOf(2, {uid: 'joiner'}), probe}]});
    const status: QuorumRecoveryStatus = {members: [recordOf(0), recordOf(1), recordOf(2, {fenced})], heldPods: ['etcd-2']};
    for (const observation of [joining(), joining(silent)]) {
      const {members} = refreshed(observation, status);
      assert.deepEqual([members?.[2]?.podUID, members?.[2]?.memberID, members?.[2]?.fenced], ['pod-uid-2', 'a2', fenced]);
    }
    assert.equal(refreshed(joining(silent), status).members?.[2]?.health, 'NotRunning');
    const after = refreshed(joining(), {...status, heldPods: []}).members?.[2];
    assert.deepEqual([after?.podUID, after?.memberID, after?.fenced], ['joiner', 'b2', undefined]);
  });
  it('count the voters that answer', () => {
    assert.deepEqual(refreshed().quorum, {voters: 3, needed: 2, healthy: 3, summary: '3/3'});
    assert.equal(refreshed(observationOf({ordinals: [{probe: answers(0, 5)}, {probe: silent}, {}, {}, {}]})).quorum?.summary, '1/5');
  });
  it('do not move with every number: a write each reconcile would be one too many', () => {
    const before = refreshed();
    const later = observationOf({ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {...leader, raftIndex: 200, revision: 99})})), more: {linearizable: true}});
    assert.deepEqual(refreshed(later, before), before);
    const muchLater = refreshed({...later, now: now + 120_000}, before);
    assert.deepEqual([muchLater.members?.[0]?.revision, muchLater.lastHealthy?.revision], [99, 99]);
  });
});

describe('what served last', () => {
  const served = (observation: ReturnType<typeof healthy>, status: QuorumRecoveryStatus = {}) => {
    const draft = structuredClone(status);
    refreshRecords(draft, observation);
    return draft.lastServed;
  };
  const serves = (revision: number, seconds: number, ordinals = [0, 1, 2]) => ({
    ...observationOf({ordinals: [0, 1, 2].map((index) => ({probe: ordinals.includes(index) ? answers(index, 3, {...leader, revision}) : silent})), more: {linearizable: true}}), now: now + seconds * 1_000,
  });
  const at = (seconds: number) => new Date(now + seconds * 1_000).toISOString();
  it('is the highest revision of a quorum, whole or not, and none without one', () => {
    assert.deepEqual(served(serves(70, 0, [0, 1])), {revision: 70, at: at(0)});
    assert.equal(served({...serves(70, 0), linearizable: false}), undefined);
    assert.equal(served(serves(70, 0, [])), undefined);
  });
  it('has the rate between two looks, the highest one, which is half of that after ten minutes', () => {
    const first = {lastServed: {revision: 70, at: at(0)}};
    const busy = served(serves(670, 60), first);
    assert.deepEqual(busy, {revision: 670, perSecond: 10, at: at(60)});
    assert.equal(served(serves(670, 660), {lastServed: busy})?.perSecond, 5);
    assert.equal(served(serves(7_270, 660), {lastServed: busy})?.perSecond, 11);
  });
  it('is written once a minute while the cluster is whole, and with each look while it is not', () => {
    const status: QuorumRecoveryStatus = {};
    refreshRecords(status, serves(70, 0));
    assert.deepEqual(served(serves(90, 30), status), status.lastServed);
    assert.equal(served(serves(90, 65, [0, 1]), status)?.revision, 90);
    assert.equal(served(serves(95, 70, [0, 1]), {...status, lastServed: {revision: 90, at: at(65)}})?.revision, 95);
  });
  it('has no rate across a recovery, and stays as it was where less is seen than before', () => {
    const run = runOf({force: {attempt: 1, pod: 'p', endedAt: at(30)}});
    assert.deepEqual(served(serves(5_000, 60), {run, lastServed: {revision: 70, at: at(0)}}), {revision: 5_000, at: at(60)});
    assert.equal(served(serves(3, 90), {lastServed: {revision: 70, at: at(0)}})?.revision, 70);
  });
});

describe('the witness', () => {
  const witnessOf = (observation: ReturnType<typeof healthy>) => {
    const draft: QuorumRecoveryStatus = {};
    refreshRecords(draft, observation);
    return draft.lastHealthy;
  };
  it('is written when every member answers, has a leader, and a linearizable read succeeds', () => {
    assert.deepEqual(witnessOf(healthy())?.members[0], {pod: 'etcd-0', memberID: 'a0', claimUID: 'claim-uid-0', volume: 'pv-0'});
  });
  it('is not written when one member is silent', () => {
    assert.equal(witnessOf(observationOf({ordinals: [{probe: answers(0, 3, leader)}, {probe: answers(1, 3, leader)}, {}], more: {linearizable: true}})), undefined);
  });
  it('is not written without a linearizable read', () => { assert.equal(witnessOf({...healthy(), linearizable: false}), undefined); });
  it('is not written while one is a learner', () => {
    assert.equal(witnessOf(observationOf({ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {...leader, isLearner: index === 2})})), more: {linearizable: true}})), undefined);
  });
});

describe('hashes', () => {
  it('do not depend on the order of keys, and leave out what is undefined', () => {
    assert.equal(canonical({b: 1, a: [{d: 2, c: undefined}]}), '{"a":[{"d":2}],"b":1}');
    assert.equal(sha256({a: 1, b: 2}), sha256({b: 2, a: 1}));
    assert.match(sha256({}), /^sha256-[0-9a-f]{32}$/);
  });
  it('of a StatefulSet change with its spec only', () => {
    assert.equal(setSpecHash(newSet(3)), setSpecHash({...newSet(3), status: {replicas: 9}}));
    assert.notEqual(setSpecHash(newSet(3)), setSpecHash(newSet(5)));
  });
});
