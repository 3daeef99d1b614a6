import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {Watching} from '../../../src/phases/watching.ts';
import type {Look} from '../../../src/phases/watching.ts';
import {finishRun, startRun, wantsRun} from '../../../src/phases/run.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, idOf, node, now, observationOf, ownPodOf} from '../decide/observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const key = 'db/etcd';
const credentials = {tls: undefined, auth: undefined, problem: undefined};
const trigger = {type: 'OnQuorumLoss', gracePeriod: '10s', cooldown: '5m'};
const lastHealthy = {
  clusterID: 'c1', revision: 50, raftIndex: 100, raftTerm: 5, observedAt: iso(now - 60_000),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)})),
};

const lost = (at: number, status: QuorumRecoveryStatus): Observation => observationOf({
  status, spec: {trigger}, nodes: [node('node-0')], more: {now: at},
  ordinals: [{object: ownPodOf(0), probe: answers(0, 3)}, {object: undefined}, {object: undefined}],
});

const serving = (at: number, status: QuorumRecoveryStatus, revision = 50): Observation => observationOf({
  status, spec: {trigger}, more: {now: at, linearizable: true},
  ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a0', revision})})),
});

/** Looks at one observation after the other, the status going from one to the next. */
function looks(...steps: ((status: QuorumRecoveryStatus) => Observation)[]): {last: Look; status: QuorumRecoveryStatus} {
  const watching = new Watching(undefined);
  let status: QuorumRecoveryStatus = {lastHealthy};
  let last: Look = {standing: {at: 'watching'}, requeueMs: 0};
  for (const step of steps) {
    const observation = step(status);
    last = watching.look(key, {observation, credentials});
    status = observation.status;
  }
  return {last, status};
}

const at = (seconds: number) => (status: QuorumRecoveryStatus) => lost(now + seconds * 1000, status);
const well = (seconds: number) => (status: QuorumRecoveryStatus) => serving(now + seconds * 1000, status);

describe('the watch over a cluster', () => {
  it('looks a second time before it suspects anything: a change of the leader is none', () => {
    const {last, status} = looks(at(0));
    assert.deepEqual([last.standing.at, last.requeueMs, status.suspicion], ['watching', 1_000, undefined]);
    assert.equal(looks(at(0), well(1), at(20)).status.suspicion, undefined);
  });
  it('says what both views say from the second look on, and looks each second', () => {
    const {last, status} = looks(at(0), at(1));
    assert.deepEqual([last.standing.at, last.requeueMs], ['suspected', 1_000]);
    assert.equal(status.suspicion?.etcd, 'etcd-0 answers and has no leader');
  });
  it('suspects at once when etcd itself has pushed that there is no leader, asking those alone that told, and begins nothing on their word', () => {
    const watching = new Watching(undefined);
    watching.push(key, 'etcd-0');
    assert.deepEqual([watching.asks(key), watching.asks(key)], [['etcd-0'], undefined]);
    const due = lost(now + 60_000, {lastHealthy, suspicion: {since: iso(now), agreedSince: iso(now), kubernetes: '', etcd: ''}});
    assert.equal(watching.lookAtPushed(due), undefined, 'everybody is asked before a run begins');
    const first = lost(now, {lastHealthy});
    assert.deepEqual(watching.lookAtPushed(first)?.standing.at, 'suspected');
    assert.equal(first.status.suspicion?.since, iso(now));
    assert.equal(watching.lookAtPushed(serving(now, {lastHealthy})), undefined, 'it has a leader again');
  });
  it('begins a run when the grace period is over', () => {
    assert.equal(looks(at(0), at(1), at(10)).last.begins, undefined);
    assert.equal(looks(at(0), at(1), at(11)).last.begins, true);
  });
  it('drops the suspicion once a quorum serves, and the grace period begins anew with the next', () => {
    const {status} = looks(at(0), at(1), well(9));
    assert.equal(status.suspicion, undefined);
    assert.equal(looks(at(0), at(1), well(9), at(10), at(11)).last.begins, undefined);
  });
  it('goes on after a restart with the suspicion that stands in the status', () => {
    const suspicion = looks(at(0), at(1)).status.suspicion;
    assert.ok(suspicion);
    assert.equal(new Watching(undefined).look(key, {observation: lost(now + 11_000, {lastHealthy, suspicion}), credentials}).begins, true);
  });
  it('stands still with a reason after too many runs', () => {
    const {last} = looks((status) => ({...lost(now, {...status, automatic: {attempts: 3}})}), at(1));
    assert.ok(last.standing.at === 'stalled' && last.standing.reason === 'AttemptsExhausted', JSON.stringify(last));
  });
  it('says that data went back, and since when, until it did not', () => {
    const back = looks((status) => serving(now, status, 3));
    assert.match(back.status.regression?.message ?? '', /the data went back/);
    const later = looks((status) => serving(now, status, 3), (status) => serving(now + 5_000, status, 3));
    assert.equal(later.status.regression?.since, iso(now));
    assert.equal(looks((status) => serving(now, status, 3), well(30)).status.regression, undefined);
  });
  it('says what keeps it from watching at all', () => {
    const observation = {...lost(now, {lastHealthy}), secretProblem: 'spec.target.tls.secretName: there is no Secret db/x'};
    const {standing} = new Watching(undefined).look(key, {observation, credentials});
    assert.ok(standing.at === 'stalled' && standing.reason === 'SecretNotFound');
  });
});

describe('a run that begins by itself', () => {
  const spec = observationOf({spec: {trigger}}).spec;
  const ended = (outcome: 'Recovered' | 'NotNeeded'): QuorumRecoveryStatus => {
    const draft: QuorumRecoveryStatus = {lastHealthy};
    startRun(draft, spec, now, {trigger: 'OnQuorumLoss'});
    finishRun(draft, outcome, now + 5_000);
    return draft;
  };
  it('is an attempt, whose end the cooldown counts from; one with nothing to do is none', () => {
    assert.deepEqual(ended('Recovered').automatic, {attempts: 1, endedAt: iso(now + 5_000)});
    assert.equal(ended('NotNeeded').automatic, undefined);
  });
  it('is not asked for by the creation of the resource, but by a request', () => {
    assert.equal(wantsRun({spec, status: {}}), false);
    assert.equal(wantsRun({spec: observationOf({spec: {trigger: {...trigger, request: 'now'}}}).spec, status: {}}), true);
    assert.equal(wantsRun({spec, status: ended('Recovered')}), false);
  });
  it('is forgotten by a run that a person asks for', () => {
    const draft = ended('Recovered');
    startRun(draft, spec, now + 10_000);
    assert.equal(draft.automatic, undefined);
  });
  it('does not begin again on its own account after a pause put it back', () => {
    const draft: QuorumRecoveryStatus = {lastHealthy};
    startRun(draft, spec, now, {trigger: 'OnQuorumLoss'});
    if (draft.run) draft.run.aborted = {reason: 'Paused', message: ''};
    finishRun(draft, 'Released', now);
    assert.equal(wantsRun({spec, status: draft}), false);
  });
});

describe('what is said of a cluster that serves', () => {
  const said = (observation: Observation): string => {
    const {standing} = new Watching(undefined).look(key, {observation, credentials});
    return standing.at === 'watching' ? standing.watch?.message ?? 'the end of the last run' : standing.at;
  };
  it('is that it is watched, and who is missing', () => {
    assert.match(said(serving(now, {lastHealthy})), /^all 3 members answer and have a leader; a run begins by itself if the quorum is lost for 10s$/);
    const two = serving(now, {lastHealthy});
    const [a, b, c] = two.ordinals;
    assert.ok(a && b && c);
    assert.match(said({...two, ordinals: [a, b, {...c, object: undefined, probe: {kind: 'NotAsked', why: 'the pod does not exist'}}]}), /2 of 3 members answer\), so nothing is done\. Not answering: etcd-2: the pod does not exist/);
  });
  it('is the end of the last run for as long as the cooldown, and longer while a name is held', () => {
    const run = {id: 'r', attempt: 1, startedAt: iso(now - 400_000), finishedAt: iso(now - 299_000), outcome: 'Recovered' as const, steps: []};
    assert.equal(said(serving(now, {lastHealthy, run})), 'the end of the last run');
    assert.match(said(serving(now + 2_000, {lastHealthy, run})), /^all 3 members/);
    assert.equal(said(serving(now + 2_000, {lastHealthy, run, heldPods: ['etcd-2']})), 'the end of the last run');
  });
});
