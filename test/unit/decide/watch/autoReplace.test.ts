import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {assess} from '../../../../src/decide/assess.ts';
import {settleAutoReplace} from '../../../../src/decide/watch/autoReplace.ts';
import type {Replacing} from '../../../../src/decide/watch/autoReplace.ts';
import {settleAttempts} from '../../../../src/decide/watch/suspicion.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {Turns} from '../../../../src/operator/turns.ts';
import {finishRun, startRun, wantsRun} from '../../../../src/phases/run.ts';
import {Watching} from '../../../../src/phases/watching.ts';
import {answers, clusterID, ended, idOf, node, now, observationOf, ownPodOf, recordOf, runOf} from '../observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const leader = idOf(0);
const well = (index: number, count = 3): OrdinalOptions => ({probe: answers(index, count, {leader})});
const gone = (index: number): OrdinalOptions => ({object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const notReady = (index: number): OrdinalOptions => ({place: {at: 'NotReadyNode', nodes: [`node-${index}`]}});
const nodes = (...indices: number[]) => indices.map((index) => node(`node-${index}`));
const trigger = {type: 'OnQuorumLoss', cooldown: '30m', maxAttempts: 2, autoReplace: {after: '10m'}};
const witness = (count = 3) => ({
  clusterID, revision: 50, raftIndex: 100, raftTerm: 5, observedAt: iso(now - 60_000),
  members: Array.from({length: count}, (_, index) => ({pod: `etcd-${index}`, memberID: idOf(index)})),
});

/** The node of etcd-2 is deleted, and the others serve. */
function look(minutes: number, status: QuorumRecoveryStatus = {}, {spec, ...more}: ObservationOptions = {}): Observation {
  const ordinals = more.ordinals ?? [well(0), well(1), gone(2)];
  return observationOf({
    nodes: nodes(0, 1), ...more, ordinals, spec: {trigger, ...spec}, more: {now: now + minutes * 60_000, linearizable: true, ...more.more},
    status: {lastHealthy: witness(ordinals.length), members: ordinals.map((_, index) => recordOf(index)), ...status},
  });
}

/** Looks at it in each of these minutes, with what stood in the status before. */
function looks(minutes: readonly number[], status: QuorumRecoveryStatus = {}, options: ObservationOptions = {}): {last: Replacing; status: QuorumRecoveryStatus} {
  let kept = status;
  let last: Replacing = {kind: 'none'};
  for (const minute of minutes) {
    const observation = look(minute, kept, options);
    last = settleAutoReplace(observation);
    kept = observation.status;
  }
  return {last, status: kept};
}

const words = (last: Replacing): string => ('message' in last ? last.message : last.kind);

describe('a member that is replaced by itself', () => {
  it('is told with its proof and the moment, and replaced then', () => {
    const first = looks([0]);
    assert.match(words(first.last), /^etcd-2 is gone for good since 2026-01-01T00:00:00\.000Z \(its volume was on node node-2, which is gone; Node node-2 is deleted\)\. A run replaces it at 2026-01-01T00:10:00\.000Z/);
    assert.equal(looks([0, 9.9]).last.kind, 'wait');
    assert.equal(looks([0, 10]).last.kind, 'run');
  });
  it('is not one that nobody asked for', () => {
    assert.equal(looks([0, 10], {}, {spec: {trigger: {type: 'OnQuorumLoss'}}}).last.kind, 'none');
  });
  it('begins its time anew when the proof is taken back, or another member has its name', () => {
    const back = looks([5], looks([0]).status, {ordinals: [well(0), well(1), notReady(2)], nodes: [...nodes(0, 1), node('node-2', {ready: false})]});
    assert.deepEqual(back.status.autoReplace?.members, []);
    assert.equal(looks([10], back.status).last.kind, 'wait');
  });
  const nobody: [string, ObservationOptions, RegExp][] = [
    ['a NotReady node proves nothing', {ordinals: [well(0), well(1), notReady(2)], nodes: [...nodes(0, 1), node('node-2', {ready: false})]}, /No member is replaced by itself: .*etcd-2 .*node-2, which is NotReady.*delete its Node object/],
    ['nor does a person\'s word, here', {ordinals: [well(0), well(1), notReady(2)], nodes: [...nodes(0, 1), node('node-2', {ready: false})], spec: {approval: 'Required', lostMembers: [{pod: 'etcd-2', memberID: idOf(2)}]}}, /nothing proves that these members are gone for good/],
    ['nor a machine that is registered under another name', {nodes: [...nodes(0, 1), node('node-9', {machineID: 'machine-node-2'})]}, /machine of node node-2 is registered as node node-9/],
    ['nor a crash loop on a Ready node', {ordinals: [well(0), well(1), {object: ownPodOf(2, {statuses: [{...ended('Error'), restartCount: 9, state: {waiting: {reason: 'CrashLoopBackOff'}}}]})}], nodes: nodes(0, 1, 2)}, /etcd-2 does not answer as a voter \(.*CrashLoopBackOff/],
    ['nor that somebody has taken it out of the list', {ordinals: [well(0, 2), well(1, 2), gone(2)]}, /etcd-2 is not in the member list/],
    ['another one is away that may return', {ordinals: [well(0, 5), well(1, 5), well(2, 5), gone(3), notReady(4)], nodes: [...nodes(0, 1, 2), node('node-4', {ready: false})]}, /^etcd-3 is gone for good .*No member is replaced by itself: .*etcd-4/],
    ['the set has no witness', {status: {}}, /never saw the cluster whole/],
    ['it is paused', {spec: {paused: true}}, /spec\.paused/],
  ];
  for (const [title, {status, ...options}, expected] of nobody) {
    it(`is none: ${title}`, () => {
      const none = status === undefined ? {} : {lastHealthy: undefined};
      const {last} = looks([0, 60], none, options);
      assert.equal(last.kind, 'wait');
      assert.match(words(last), expected);
    });
  }
  it('are two of five that are proven, in one run', () => {
    const {last, status} = looks([0, 10], {}, {ordinals: [well(0, 5), well(1, 5), well(2, 5), gone(3), gone(4)], nodes: nodes(0, 1, 2)});
    assert.equal(last.kind, 'run');
    assert.deepEqual(status.autoReplace?.members.map(({pod}) => pod), ['etcd-3', 'etcd-4']);
  });
  it('waits for the cooldown after the last run by itself, of either kind, and for a person after maxAttempts', () => {
    assert.equal(looks([0, 29], {autoReplace: {members: [], attempts: 1, endedAt: iso(now)}}).last.kind, 'wait');
    assert.equal(looks([0, 30], {autoReplace: {members: [], attempts: 1, endedAt: iso(now)}}).last.kind, 'run');
    assert.equal(looks([0, 29], {automatic: {attempts: 1, endedAt: iso(now)}}).last.kind, 'wait');
    assert.match(words(looks([0, 90], {autoReplace: {members: [], attempts: 2, endedAt: iso(now)}}).last), /2 runs have begun by themselves \(spec\.trigger\.maxAttempts\)/);
  });
});

describe('a run that replaces by itself', () => {
  const inRun = (options: ObservationOptions = {}): string => {
    const assessment = assess(look(10, {run: runOf({trigger: 'AutoReplace'})}, options));
    return 'message' in assessment ? `${assessment.kind}: ${assessment.message}` : assessment.kind;
  };
  it('replaces what is proven', () => { assert.equal(inRun(), 'replace'); });
  it('waits for nobody, and blocks nothing: it ends where it may not', () => {
    assert.match(inRun({ordinals: [well(0), well(1), notReady(2)], nodes: [...nodes(0, 1), node('node-2', {ready: false})]}), /^not-needed: nothing is replaced by itself: .*node-2/);
    assert.match(inRun({ordinals: [{probe: answers(0, 3)}, gone(1), gone(2)], nodes: nodes(0), more: {linearizable: false}}), /^not-needed: no quorum serves any more/);
    assert.match(inRun({spec: {trigger: {type: 'OnQuorumLoss'}}}), /^not-needed: spec\.trigger\.autoReplace is not set any more/);
  });
  it('is counted apart from those for a lost quorum, and an idle one has its cooldown without being counted', () => {
    const draft: QuorumRecoveryStatus = {};
    const {spec} = look(0);
    const finished = (outcome: 'Recovered' | 'NotNeeded'): QuorumRecoveryStatus => {
      startRun(draft, spec, now, {trigger: 'AutoReplace'});
      finishRun(draft, outcome, now + 60_000);
      return draft;
    };
    assert.deepEqual(finished('Recovered').autoReplace, {members: [], attempts: 1, endedAt: iso(now + 60_000)});
    assert.deepEqual(finished('NotNeeded').autoReplace, {members: [], attempts: 1, endedAt: iso(now + 60_000)});
    assert.equal(draft.automatic, undefined);
    assert.equal(wantsRun({spec, status: draft}), false);
    settleAttempts(draft, look(30), true);
    assert.ok(draft.autoReplace);
    settleAttempts(draft, look(31), true);
    assert.equal(draft.autoReplace, undefined);
  });
  it('lets clusters that lost their quorum go first, and says what it waits for', async () => {
    const at = now + 600_000;
    const turns = new Turns({limit: 1, resources: () => [], synced: () => true, now: () => at});
    turns.ask({key: 'db/other', since: iso(at)}, undefined);
    const observation = look(10, looks([0]).status);
    const {standing, begins} = await new Watching(undefined, turns).look('db/etcd', {observation, credentials: {tls: undefined, auth: undefined, problem: undefined}});
    assert.equal(begins, undefined);
    assert.match(standing.at === 'watching' ? standing.watch?.message ?? '' : '', /etcd-2 would be replaced now\. The run waits for its turn: 1 run is at work/);
    assert.equal(observation.status.autoReplace?.queuedAt, iso(at));
  });
});
