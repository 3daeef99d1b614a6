import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {settleFindings} from '../../../src/decide/watch/findings.ts';
import {Watching} from '../../../src/phases/watching.ts';
import type {Look} from '../../../src/phases/watching.ts';
import {finishRun, startRun, wantsRun} from '../../../src/phases/run.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import type {Sentinels} from '../../../src/observe/sentinels.ts';
import {Turns} from '../../../src/operator/turns.ts';
import {resource} from '../operator/fake-feed.ts';
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
async function looks(...steps: ((status: QuorumRecoveryStatus) => Observation)[]): Promise<{last: Look; status: QuorumRecoveryStatus}> {
  const watching = new Watching(undefined);
  let status: QuorumRecoveryStatus = {lastHealthy};
  let last: Look = {standing: {at: 'watching'}, requeueMs: 0};
  for (const step of steps) {
    const observation = step(status);
    last = await watching.look(key, {observation, credentials});
    status = observation.status;
  }
  return {last, status};
}

const at = (seconds: number) => (status: QuorumRecoveryStatus) => lost(now + seconds * 1000, status);
const well = (seconds: number) => (status: QuorumRecoveryStatus) => serving(now + seconds * 1000, status);

describe('the watch over a cluster', () => {
  it('looks a second time before it suspects anything: a change of the leader is none', async () => {
    const {last, status} = await looks(at(0));
    assert.deepEqual([last.standing.at, last.requeueMs, status.suspicion], ['watching', 1_000, undefined]);
    assert.equal((await looks(at(0), well(1), at(20))).status.suspicion, undefined);
  });
  it('says what both views say from the second look on, and looks each second', async () => {
    const {last, status} = await looks(at(0), at(1));
    assert.deepEqual([last.standing.at, last.requeueMs], ['suspected', 1_000]);
    assert.equal(status.suspicion?.etcd, 'etcd-0 answers and has no leader');
  });
  it('suspects at once when etcd itself has pushed that there is no leader, asking those alone that told, and begins nothing on their word', () => {
    const watching = new Watching(undefined);
    watching.push(key, 'etcd-0');
    assert.deepEqual([watching.asks(key, now), watching.asks(key, now)], [['etcd-0'], ['etcd-0']], 'until what comes of it is written');
    watching.settle(key, ['etcd-0']);
    assert.equal(watching.asks(key, now), undefined);
    const due = lost(now + 60_000, {lastHealthy, suspicion: {since: iso(now), agreedSince: iso(now), kubernetes: '', etcd: ''}});
    assert.equal(watching.lookAtPushed(due), undefined, 'everybody is asked before a run begins');
    const first = lost(now, {lastHealthy});
    assert.deepEqual(watching.lookAtPushed(first)?.standing.at, 'suspected');
    assert.equal(first.status.suspicion?.since, iso(now));
    assert.equal(watching.lookAtPushed(serving(now, {lastHealthy})), undefined, 'it has a leader again');
  });
  it('asks those alone a second time that had no leader in the first look, and everybody after that', async () => {
    const watching = new Watching(undefined);
    await watching.look(key, {observation: lost(now, {lastHealthy}), credentials});
    assert.equal(watching.asks(key, now + 800), undefined, 'it may be the change of a leader');
    assert.deepEqual(watching.asks(key, now + 1_000), ['etcd-0']);
    watching.settle(key, ['etcd-0']);
    assert.equal(watching.asks(key, now + 1_000), undefined);
  });
  it('looks again soon where the member that it was to watch has no leader just then', async () => {
    const follow = (followed: string) => ({leaders: {follow: () => Promise.resolve(followed)}, calm: {leave: () => undefined}} as unknown as Sentinels);
    const requeue = async (followed: string): Promise<number> => (await new Watching(follow(followed)).look(key, {observation: serving(now, {lastHealthy}), credentials})).requeueMs;
    assert.deepEqual([await requeue('Leaderless'), await requeue('Closed'), await requeue('Open')], [1_000, 5_000, 30_000]);
  });
  it('begins a run when the grace period is over', async () => {
    assert.equal((await looks(at(0), at(1), at(10))).last.begins, undefined);
    assert.equal((await looks(at(0), at(1), at(11))).last.begins, true);
  });
  it('drops the suspicion once a quorum serves, and the grace period begins anew with the next', async () => {
    const {status} = await looks(at(0), at(1), well(9));
    assert.equal(status.suspicion, undefined);
    assert.equal((await looks(at(0), at(1), well(9), at(10), at(11))).last.begins, undefined);
  });
  it('goes on after a restart with the suspicion that stands in the status', async () => {
    const suspicion = (await looks(at(0), at(1))).status.suspicion;
    assert.ok(suspicion);
    assert.equal((await new Watching(undefined).look(key, {observation: lost(now + 11_000, {lastHealthy, suspicion}), credentials})).begins, true);
  });
  it('waits for its turn where others are at work, says so and since when, and begins once it has come', async () => {
    const busy = {name: 'other', namespace: 'db'};
    const others = [resource('other', 'other', {metadata: busy, status: {run: {id: 'r', attempt: 1, startedAt: iso(now), steps: []}}})];
    const watching = new Watching(undefined, new Turns({limit: 1, resources: () => others, synced: () => true, now: () => now}));
    const look = async (seconds: number, status: QuorumRecoveryStatus) => {
      const observation = at(seconds)(status);
      return {look: await watching.look(key, {observation, credentials}), status: observation.status};
    };
    const suspicion = {since: iso(now), agreedSince: iso(now), kubernetes: '', etcd: ''};
    const first = await look(11, {lastHealthy, suspicion});
    assert.deepEqual([first.look.begins, first.look.requeueMs, first.look.standing.at], [undefined, 1_000, 'suspected']);
    assert.ok(first.look.standing.at === 'suspected' && first.look.standing.reason === 'AwaitingTurn');
    assert.match(first.look.standing.message, /The run waits for its turn: 1 run is at work, and none begins by itself while there are 1 \(--concurrent-runs\)\. A new value of spec\.trigger\.request begins it at once$/);
    assert.equal(first.status.suspicion?.queuedAt, iso(now + 11_000));
    const second = await look(14, first.status);
    assert.equal(second.status.suspicion?.queuedAt, iso(now + 11_000), 'it waits since the first time');
    others.length = 0;
    assert.equal((await look(15, second.status)).look.begins, true);
  });
  it('waits in no line any more while something else keeps its run from beginning', async () => {
    const waited = {since: iso(now), agreedSince: iso(now), kubernetes: '', etcd: '', queuedAt: iso(now)};
    const observation = {...lost(now + 11_000, {lastHealthy, suspicion: waited})};
    observation.spec = {...observation.spec, paused: true};
    await new Watching(undefined).look(key, {observation, credentials});
    assert.equal(observation.status.suspicion?.queuedAt, undefined);
  });
  it('stands still with a reason after too many runs', async () => {
    const {last} = await looks((status) => ({...lost(now, {...status, automatic: {attempts: 3}})}), at(1));
    assert.ok(last.standing.at === 'stalled' && last.standing.reason === 'AttemptsExhausted', JSON.stringify(last));
  });
  it('says that data went back, and since when, until it did not', async () => {
    const back = await looks((status) => serving(now, status, 3));
    assert.match(back.status.regression?.message ?? '', /the data went back/);
    const later = await looks((status) => serving(now, status, 3), (status) => serving(now + 5_000, status, 3));
    assert.equal(later.status.regression?.since, iso(now));
    const same = (status: QuorumRecoveryStatus) => ({...well(30)(status), dataCompared: {same: true, words: ''}});
    assert.equal((await looks((status) => serving(now, status, 3), same)).status.regression, undefined);
    assert.ok((await looks((status) => serving(now, status, 3), well(30))).status.regression, 'a quorum that serves is no proof either, while nobody compared');
    assert.ok((await looks((status) => serving(now, status, 3), at(5))).status.regression, 'that nothing serves any more is no proof that the old data is back');
  });
  it('says what keeps it from watching at all', async () => {
    const observation = {...lost(now, {lastHealthy}), secretProblem: 'spec.target.tls.secretName: there is no Secret db/x'};
    const {standing} = await new Watching(undefined).look(key, {observation, credentials});
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
  const said = async (observation: Observation): Promise<string> => {
    settleFindings(observation, []);
    const {standing} = await new Watching(undefined).look(key, {observation, credentials});
    return standing.at === 'watching' ? standing.watch?.message ?? 'the end of the last run' : standing.at;
  };
  it('is that it is watched, and who is missing', async () => {
    assert.match(await said(serving(now, {lastHealthy})), /^all 3 members answer and have a leader; a run begins by itself if the quorum is lost for 10s$/);
    const two = serving(now, {lastHealthy});
    const [a, b, c] = two.ordinals;
    assert.ok(a && b && c);
    assert.match(await said({...two, ordinals: [a, b, {...c, object: undefined, probe: {kind: 'NotAsked', why: 'the pod does not exist'}}]}), /2 of 3 members answer and have a leader\), so nothing is done\. Not answering: etcd-2: the pod does not exist/);
  });
  it('is the end of the last run for as long as the cooldown, and longer while a name is held', async () => {
    const run = {id: 'r', attempt: 1, startedAt: iso(now - 400_000), finishedAt: iso(now - 299_000), outcome: 'Recovered' as const, steps: []};
    assert.equal(await said(serving(now, {lastHealthy, run})), 'the end of the last run');
    assert.match(await said(serving(now + 2_000, {lastHealthy, run})), /^all 3 members/);
    assert.equal(await said(serving(now + 2_000, {lastHealthy, run, heldPods: ['etcd-2']})), 'the end of the last run');
  });
});
