import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {QuorumRecoveryStatus, Suspicion, Witness} from '../../../../src/api/types.ts';
import {automatic, etcdView, isInDoubt, kubernetesView, settleAttempts, suspect} from '../../../../src/decide/watch/suspicion.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, idOf, node, now, observationOf, ownPodOf, silent} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const minute = 60_000;

const witness: Witness = {
  clusterID: 'c1', revision: 50, raftIndex: 100, raftTerm: 5, observedAt: iso(now - minute),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), claimUID: `claim-uid-${index}`})),
};

function ready(ordinal: number): V1Pod {
  const pod = ownPodOf(ordinal);
  return {...pod, status: {...pod.status, conditions: [{type: 'Ready', status: 'True'}]}};
}

interface Given {
  status?: QuorumRecoveryStatus;
  trigger?: object;
  spec?: object;
  at?: number;
}

const options = ({status = {lastHealthy: witness}, trigger = {}, spec = {}, at = now}: Given) =>
  ({status, spec: {trigger: {type: 'OnQuorumLoss', ...trigger}, ...spec}, more: {now: at}});

/** Two nodes are gone; the member that is left says that it has no leader. */
const lost = (given: Given = {}): Observation =>
  observationOf({...options(given), ordinals: [{object: ready(0), probe: answers(0, 3)}, {object: undefined}, {object: undefined}], nodes: [node('node-0')]});

/** Nobody answers, and Kubernetes says that all is well: the operator is cut off, or the members are too slow. */
const unheard = (given: Given = {}): Observation => {
  const failed = {kind: 'Failed' as const, error: 'Timeout' as const, message: 'Status on 10.0.0.0:2379 failed: deadline exceeded', reached: false};
  return observationOf({...options(given), ordinals: [0, 1, 2].map((index) => ({object: ready(index), probe: failed}))});
};

const serving = (given: Given = {}): Observation => {
  const made = observationOf({...options(given), ordinals: [0, 1, 2].map((index) => ({object: ready(index), probe: answers(index, 3, {leader: 'a0'})}))});
  return {...made, linearizable: true};
};

const after = (observation: Observation, ms: number, suspicion: Suspicion): Observation =>
  ({...observation, now: observation.now + ms, status: {...observation.status, suspicion}});

describe('what Kubernetes and etcd say of a quorum', () => {
  it('is lost to Kubernetes when fewer pods than a quorum are Ready on Ready nodes', () => {
    assert.deepEqual(kubernetesView(lost()), {says: 'Lost', words: '1 of 3 pods are Ready on a Ready node, 2 needed'});
    assert.equal(kubernetesView(serving()).says, 'Serves');
    const notReady = {...serving(), nodes: [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})]};
    assert.equal(kubernetesView(notReady).says, 'Lost');
  });
  it('counts no pod whose name a run has left held: it may be a learner that nobody can promote', () => {
    const held = serving({status: {lastHealthy: witness, heldPods: ['etcd-1', 'etcd-2']}});
    assert.deepEqual(kubernetesView(held), {says: 'Lost', words: '1 of 3 pods are Ready on a Ready node, 2 needed'});
  });
  it('is counted among the voters that etcd names, not the replicas', () => {
    const five = observationOf({...options({}), ordinals: [0, 1, 2].map((index) => ({object: ready(index), probe: answers(index, 5)}))});
    assert.deepEqual(kubernetesView(five), {says: 'Serves', words: '3 of 5 pods are Ready on a Ready node, 3 needed'});
  });
  it('is lost to etcd when a member that answers has no leader, and serves when a linearizable read succeeds', () => {
    assert.deepEqual(etcdView(lost()), {says: 'Lost', words: 'etcd-0 answers and has no leader'});
    assert.equal(etcdView(serving()).says, 'Serves');
  });
  it('is lost to etcd when a member that was started anew finds no leader, or its leader confirms no read', () => {
    const peerOnly = {kind: 'PeerOnly' as const, clusterID: 'c1', members: [], error: 'Timeout' as const, message: ''};
    assert.match(etcdView(observationOf({ordinals: [{probe: peerOnly}, {}, {}]})).words, /^etcd-0 runs and cannot serve/);
    assert.match(etcdView({...serving(), linearizable: false}).words, /still names a leader, and no linearizable read succeeds/);
  });
  it('is not told by silence', () => {
    const view = etcdView(unheard());
    assert.equal(view.says, 'Silent');
    assert.match(view.words, /no member answers the operator: etcd-0: .*deadline exceeded/);
  });
  it('is in doubt whenever no linearizable read succeeds, as long as there is a set', () => {
    assert.deepEqual([lost(), unheard(), serving(), {...lost(), set: undefined}].map(isInDoubt), [true, true, false, false]);
  });
});

describe('a quorum that seems to be lost', () => {
  it('is recovered by itself once both views have agreed for the grace period', () => {
    const first = suspect(lost());
    assert.equal(first.recoversAt, iso(now + 10 * minute));
    assert.match(JSON.stringify(automatic(lost(), first)), /A run begins at .* unless a quorum serves again/);
    const early = after(lost(), 10 * minute - 1, first);
    assert.equal(automatic(early, suspect(early)).kind, 'wait');
    const due = after(lost(), 10 * minute, first);
    assert.deepEqual(automatic(due, suspect(due)), {kind: 'run'});
  });
  it('keeps its first moment and its grace period over restarts: both are in the status', () => {
    const later = after(lost(), 3 * minute, suspect(lost()));
    const {since, agreedSince} = suspect(later);
    assert.deepEqual([since, agreedSince], [iso(now), iso(now)]);
  });
  it('is not recovered while the operator hears nobody, however long', () => {
    const first = suspect(unheard());
    assert.deepEqual([first.agreedSince, first.recoversAt, first.waitsFor], [undefined, undefined, 'Kubernetes and etcd do not agree']);
    const late = after(unheard(), 24 * 60 * minute, first);
    assert.equal(automatic(late, suspect(late)).kind, 'wait');
  });
  it('is not recovered in a moment in which the survivor is silent, and keeps the time that has passed', () => {
    const first = suspect(lost());
    const silentNow = {...after(lost(), 20 * minute, first), ordinals: lost().ordinals.map((view) => ({...view, probe: silent}))};
    const second = suspect(silentNow);
    assert.equal(automatic(silentNow, second).kind, 'wait');
    const again = after(lost(), 20 * minute + 5_000, second);
    assert.equal(automatic(again, suspect(again)).kind, 'run');
  });
  it('has its grace period begun anew after Kubernetes said that a quorum is Ready', () => {
    const third = suspect(after(unheard(), 5 * minute, suspect(lost())));
    assert.equal(third.agreedSince, undefined);
    assert.equal(suspect(after(lost(), 9 * minute, third)).recoversAt, iso(now + 19 * minute));
  });
  it('is never recovered by itself where the cluster was never seen whole, nor after a run has put another in its place', () => {
    const never = lost({status: {}});
    assert.match(suspect(never).waitsFor ?? '', /never saw the cluster whole/);
    const run = {id: 'r', attempt: 1, startedAt: iso(now - 50_000), steps: [], force: {attempt: 1, pod: 'p', endedAt: iso(now - 30_000)}};
    assert.match(suspect(lost({status: {lastHealthy: witness, run}})).waitsFor ?? '', /never saw the cluster whole/);
  });
  it('is not recovered while paused', () => {
    assert.equal(suspect(lost({spec: {paused: true}})).waitsFor, 'spec.paused is set');
  });
});

describe('runs that begin by themselves', () => {
  const agreed = (observation: Observation): Suspicion => suspect({...observation, status: {...observation.status, suspicion: {since: iso(now - minute), kubernetes: '', etcd: '', agreedSince: iso(now - minute)}}});
  it('keep the cooldown after the end of the one before', () => {
    const cool = lost({status: {lastHealthy: witness, automatic: {attempts: 1, endedAt: iso(now - minute)}}, trigger: {gracePeriod: '1s', cooldown: '5m'}});
    assert.equal(agreed(cool).recoversAt, iso(now + 4 * minute));
  });
  it('are no more than maxAttempts, after which a person is asked', () => {
    const spent = lost({status: {lastHealthy: witness, automatic: {attempts: 2}}, trigger: {gracePeriod: '1s', maxAttempts: 2}});
    const next = automatic(spent, agreed(spent));
    assert.equal(next.kind, 'exhausted');
    assert.match(JSON.stringify(next), /2 runs began by themselves .*spec\.trigger\.request/);
  });
  it('are forgotten once the cluster was whole for as long as the cooldown', () => {
    const left = (endedAgo: number, whole: boolean): number | undefined => {
      const draft: QuorumRecoveryStatus = {automatic: {attempts: 2, endedAt: iso(now - endedAgo)}};
      settleAttempts(draft, serving({trigger: {cooldown: '5m'}}), whole);
      return draft.automatic?.attempts;
    };
    assert.deepEqual([left(5 * minute, true), left(5 * minute, false), left(minute, true)], [undefined, 2, 2]);
  });
});
