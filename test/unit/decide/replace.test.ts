import assert from 'node:assert/strict';
import type {V1ContainerStatus} from '@kubernetes/client-node';
import type {MemberRecord, OfflineFacts, Run} from '../../../src/api/types.ts';
import {assess} from '../../../src/decide/assess.ts';
import {nextStep, reopens} from '../../../src/decide/next.ts';
import type {Replacement} from '../../../src/decide/replace.ts';
import {proposeReplacement} from '../../../src/decide/plans/replacePlan.ts';
import {letGo, release} from '../../../src/decide/steps/release.ts';
import type {Probe} from '../../../src/observe/observation.ts';
import {wantsRun} from '../../../src/phases/run.ts';
import {answers, clusterID, idOf, members, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const leader = idOf(0);
const well = (index: number, count = 3): OrdinalOptions => ({probe: answers(index, count, {leader})});
const goneNode = (index: number): OrdinalOptions => ({object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const looping: V1ContainerStatus = {name: 'etcd', image: '', imageID: '', ready: false, restartCount: 2, containerID: 'containerd://2', state: {waiting: {reason: 'CrashLoopBackOff'}}};
const loops = (index: number): OrdinalOptions => ({object: ownPodOf(index, {statuses: [looping]})});
const facts = (index: number, more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: `etcd-${index}`, stage: 'Planning', data: 'Present', memberID: idOf(index), clusterID, term: 3, index: 90, commit: 90, revision: 40, ...more,
});
const records = (count = 3) => Array.from({length: count}, (_, index) => recordOf(index));
const nodes = (...indices: number[]) => indices.map((index) => node(`node-${index}`));

/** A quorum serves, and strategy ReplaceMembers asks. */
function serving(options: ObservationOptions & {offline?: OfflineFacts[]} = {}) {
  const count = options.ordinals?.length ?? 3;
  return observationOf({
    ...options, spec: {strategy: 'ReplaceMembers', ...options.spec}, more: {linearizable: true, ...options.more},
    status: {members: records(count), run: runOf({offline: options.offline ?? []}), ...options.status},
  });
}

function verdict(options: Parameters<typeof serving>[0]): string {
  const assessment = assess(serving(options));
  switch (assessment.kind) {
    case 'replace': return `replace ${assessment.lost.map(({pod, fenced}) => `${pod} ${fenced}`).join(', ')}; ${assessment.kept.join()} stay`;
    case 'stalled': case 'blocked': return `blocked ${assessment.reason}: ${assessment.message}`;
    case 'inspect': return `inspect ${assessment.pods.join()}`;
    case 'lost': case 'restart': return assessment.kind;
    case 'not-needed': case 'unsure': return `${assessment.kind}: ${assessment.message}`;
  }
}

/** A member in whose list these are. */
const knowing = (index: number, ids: readonly number[], count = 3): OrdinalOptions => ({probe: {...answers(index, count, {leader}), members: members(count).filter((_, at) => ids.includes(at))} as Probe});
const named = (...indices: number[]) => indices.map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}));
const corrupt = {data: 'Unreadable', broken: true, unfit: 'its data cannot be read: crc'} as const;
const dead = {ready: false};

describe('what is replaced while a quorum serves', () => {
  const cases: [string, Parameters<typeof serving>[0], RegExp][] = [
    ['nothing is wrong', {ordinals: [well(0), well(1), well(2)]}, /^not-needed: all 3 members answer/],
    ['the node of one is deleted', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1)}, /^replace etcd-2 NodeDeleted; etcd-0,etcd-1 stay$/],
    ['the node of one is NotReady', {ordinals: [well(0), well(1), {place: {at: 'NotReadyNode', nodes: ['node-2']}}], nodes: [...nodes(0, 1), node('node-2', dead)]}, /^blocked MemberMayReturn: .*etcd-2 .*node-2, which is NotReady.*lostMembers/],
    ['the same, and a person says that it is gone', {ordinals: [well(0), well(1), {place: {at: 'NotReadyNode', nodes: ['node-2']}}], nodes: [...nodes(0, 1), node('node-2', dead)], spec: {lostMembers: named(2)}}, /^replace etcd-2 LostMembers/],
    ['a disk that nobody has read yet', {ordinals: [well(0), well(1), loops(2)]}, /^inspect etcd-2$/],
    ['an etcd in a loop on damaged data', {ordinals: [well(0), well(1), loops(2)], offline: [facts(2, corrupt)]}, /^replace etcd-2 ToBeStopped/],
    ['damaged data that no etcd has failed on yet', {ordinals: [well(0), well(1), {}], offline: [facts(2, corrupt)]}, /^blocked MemberMayReturn/],
    ['an etcd in a loop on sound data', {ordinals: [well(0), well(1), loops(2)], offline: [facts(2)]}, /^blocked MemberMayReturn: .*CrashLoopBackOff/],
    ['a disk that could not be looked at', {ordinals: [well(0), well(1), loops(2)], offline: [facts(2, {data: 'Unreadable', unfit: 'its data could not be looked at: late'})]}, /^blocked MemberMayReturn/],
    ['a disk that is empty', {ordinals: [well(0), well(1), loops(2)], offline: [{pod: 'etcd-2', stage: 'Planning', data: 'Empty'}]}, /^replace etcd-2 ToBeStopped/],
    ['one that was taken out of the list', {ordinals: [knowing(0, [0, 1]), knowing(1, [0, 1]), loops(2)], offline: [facts(2)]}, /^replace etcd-2 ToBeStopped/],
    ['the same, on a node that does not answer', {ordinals: [knowing(0, [0, 1]), knowing(1, [0, 1]), {place: {at: 'NotReadyNode', nodes: ['node-2']}}], nodes: [...nodes(0, 1), node('node-2', dead)]}, /^blocked FencingUnproven: .*node-2 is NotReady/],
    ['two of five are gone', {ordinals: [well(0, 5), well(1, 5), well(2, 5), goneNode(3), goneNode(4)], nodes: nodes(0, 1, 2)}, /^replace etcd-3 NodeDeleted, etcd-4 NodeDeleted; etcd-0,etcd-1,etcd-2 stay$/],
    ['so many are gone that those who answer are no quorum, whoever else may vote', {ordinals: [well(0, 5), well(1, 5), goneNode(2), goneNode(3), goneNode(4)], nodes: nodes(0, 1)}, /^blocked QuorumAtRisk: 2 of 5 voters serve, and 3 are needed: nothing is removed$/],
    ['of two that are away one may return', {ordinals: [well(0, 5), well(1, 5), well(2, 5), goneNode(3), {place: {at: 'NotReadyNode', nodes: ['node-4']}}], nodes: [...nodes(0, 1, 2), node('node-4', dead)]}, /^blocked MemberMayReturn: .*etcd-4/],
    ['no quorum serves', {ordinals: [{probe: answers(0, 3)}, goneNode(1), goneNode(2)], nodes: nodes(0), more: {linearizable: false}}, /^blocked QuorumAtRisk: no quorum serves.*strategy: Auto/],
    ['a member that no pod runs', {ordinals: [{probe: {...answers(0, 3, {leader}), members: [...members(3), {id: 'ff', name: 'other', peerURLs: ['http://other:2380'], clientURLs: [], isLearner: false}]} as Probe}, well(1), goneNode(2)], nodes: nodes(0, 1)}, /^blocked ForeignMember: member ff/],
    ['another cluster answers', {ordinals: [well(0), well(1), {probe: {...answers(2, 3, {leader: 'x', memberID: 'x'}), clusterID: 'c2'} as Probe}]}, /^blocked TwoLineages/],
    ['an alarm is raised', {ordinals: [{probe: answers(0, 3, {leader, errors: ['memberID:1 alarm:NOSPACE ']})}, well(1), goneNode(2)], nodes: nodes(0, 1)}, /^blocked AlarmRaised/],
    ['data went back before', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), status: {regression: {since: '2026-01-01T00:00:00Z', message: 'the data went back'}, run: runOf(), members: records()}}, /^blocked QuorumAtRisk: .*older data.*the data went back/],
    ['a learner that nobody has promoted', {ordinals: [well(0), well(1), {probe: answers(2, 3, {leader, isLearner: true})}], offline: [facts(2)]}, /^blocked MemberMayReturn/],
    ['one that names another leader', {ordinals: [well(0), well(1), {probe: answers(2, 3, {leader: 'a2'})}], offline: [facts(2)]}, /^blocked MemberMayReturn/],
    ['the set has one member in the list and two pods beside it', {ordinals: [knowing(0, [0]), loops(1), loops(2)], offline: [facts(1), facts(2)]}, /^replace etcd-1 ToBeStopped, etcd-2 ToBeStopped; etcd-0 stay$/],
  ];
  for (const [title, options, expected] of cases) it(title, () => { assert.match(verdict(options), expected); });

  const auto = {strategy: 'Auto'};
  const word: [string, Parameters<typeof serving>[0], RegExp][] = [
    ['Auto replaces nothing that nobody names', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), spec: auto}, /^not-needed: the quorum holds/],
    ['Auto replaces what lostMembers names', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), spec: {...auto, lostMembers: named(2)}}, /^replace etcd-2 LostMembers/],
    ['a word about another member ID counts for nothing, and says so', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), spec: {...auto, lostMembers: [{pod: 'etcd-2', memberID: 'ff'}]}}, /^blocked MemberMayReturn: .*names etcd-2 with member ID ff, and its ID is a2/],
    ['a member that is named and serves is not replaced', {ordinals: [well(0), well(1), well(2)], spec: {...auto, lostMembers: named(2)}}, /^not-needed/],
    ['a member that is named and serves is not replaced where another is away', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), spec: {...auto, lostMembers: named(1)}}, /^not-needed: .*are back, so none is replaced/],
    ['a named one is not replaced while another that nobody names is away', {ordinals: [well(0, 5), well(1, 5), well(2, 5), goneNode(3), goneNode(4)], nodes: nodes(0, 1, 2), spec: {...auto, lostMembers: named(3)}}, /^blocked MemberMayReturn: .*etcd-4/],
    ['a word forces nothing: ForceNewCluster replaces no member', {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1), spec: {strategy: 'ForceNewCluster', lostMembers: named(2)}}, /^not-needed/],
    ['a named member on a Ready node is stopped first', {ordinals: [well(0), well(1), loops(2)], spec: {...auto, lostMembers: named(2)}}, /^replace etcd-2 ToBeStopped/],
  ];
  for (const [title, options, expected] of word) it(title, () => { assert.match(verdict(options), expected); });
});

describe('the plan of a replacement', () => {
  const planned = (options: Parameters<typeof serving>[0]) => {
    const observation = serving(options);
    const assessment = assess(observation) as Replacement;
    const proposed = proposeReplacement(observation, assessment);
    if ('refusal' in proposed) throw new Error(JSON.stringify(proposed.refusal));
    return proposed.proposal;
  };
  const one = {ordinals: [well(0), well(1), goneNode(2)], nodes: nodes(0, 1)};

  it('removes, sets aside, joins and verifies through the leader, and says that nothing is lost', () => {
    const {plan, identity} = planned(one);
    assert.deepEqual(plan.steps, ['Plan', 'Hold', 'Stop', 'Remove', 'Decommission', 'Join etcd-2', 'RestartProof', 'Verify', 'Release']);
    assert.equal(plan.survivor, 'etcd-0');
    assert.match(plan.expectedLoss, /^none: .*revision 50/);
    assert.deepEqual(plan.claims.map(({pod, fate}) => [pod, fate]), [['etcd-2', 'its volume is kept (Retain) and the claim is made anew when the member joins']]);
    assert.equal(identity.members.length, 3);
  });
  it('does not change with the leader', () => {
    const other = {...one, ordinals: [{probe: answers(0, 3, {leader: idOf(1)})}, {probe: answers(1, 3, {leader: idOf(1)})}, goneNode(2)]};
    assert.equal(planned(other).plan.survivor, 'etcd-1');
    assert.equal(planned(other).plan.hash, planned(one).plan.hash);
  });
  it('changes with who is replaced, and with what proves their end', () => {
    const word = planned({...one, spec: {lostMembers: named(2)}});
    assert.notEqual(word.plan.hash, planned(one).plan.hash);
  });
  it('asks where approval is required', () => {
    assert.ok(planned({...one, spec: {approval: 'Required'}}).plan.steps.includes('Approve'));
  });
  it('says that several are removed before the first joins', () => {
    const {plan} = planned({ordinals: [well(0, 5), well(1, 5), well(2, 5), goneNode(3), goneNode(4)], nodes: nodes(0, 1, 2)});
    assert.ok(plan.notes.some((note) => note.includes('before the first joins')), plan.notes.join());
  });
  it('is refused before anything is touched on an etcd whose joins are not known', () => {
    for (const version of ['3.4.34', '3.8.0']) {
      const observation = serving({...one, ordinals: [{probe: answers(0, 3, {leader, version})}, well(1), goneNode(2)]});
      const proposed = proposeReplacement(observation, assess(observation) as Replacement);
      assert.ok('refusal' in proposed && proposed.refusal.kind === 'blocked' && proposed.refusal.reason === 'VersionNotForceable', version);
    }
  });
  it('is refused before anything is touched where a joiner could not be found by its name', () => {
    const observation = serving({...one, more: {service: {metadata: {name: 'etcd'}, spec: {}}}});
    const proposed = proposeReplacement(observation, assess(observation) as Replacement);
    assert.ok('refusal' in proposed && proposed.refusal.kind === 'blocked' && proposed.refusal.reason === 'NamesNotPublished');
  });
});

describe('a replacement that failed', () => {
  const over = (more: Partial<Run>) => runOf({
    outcome: 'Failed', finishedAt: new Date(now).toISOString(), plan: planOf({strategy: 'ReplaceMembers', lost: [{pod: 'etcd-2', memberID: idOf(2), fenced: 'NodeDeleted'}]}),
    replace: {removed: []}, steps: [{name: 'Remove', state: 'Done'}, {name: 'Join etcd-2', state: 'Deferred'}, {name: 'Verify', state: 'Failed'}], ...more,
  });
  const opened = (more: Partial<Run>, linearizable = true) => reopens(serving({ordinals: [well(0), well(1), goneNode(2)], status: {members: records(), run: over(more), heldPods: ['etcd-2']}, more: {linearizable}}));

  it('for want of a quorum goes on once one serves', () => {
    assert.deepEqual(opened({unservedSince: new Date(now).toISOString()}), ['Join etcd-2', 'Verify']);
    assert.deepEqual(opened({unservedSince: new Date(now).toISOString()}, false), []);
  });
  it('because it could not be verified is over, so that a new request begins a run', () => {
    assert.deepEqual(opened({}), []);
    const {spec, status} = serving({spec: {trigger: {request: 'again'}}, status: {run: over({}), heldPods: ['etcd-2']}});
    assert.equal(wantsRun({spec, status}), true);
  });
});

describe('what a replacement left held', () => {
  const mark = (run: string) => ({'quorumrecovery.io/run': run});
  const gated = (index: number, run = 'run-1'): OrdinalOptions => ({object: ownPodOf(index, {gated: true, phase: 'Pending', statuses: [], annotations: mark(run)})});
  const all = ['etcd-0', 'etcd-1', 'etcd-2'];
  const later = (run: Partial<Run>, heldPods: string[], ordinals: OrdinalOptions[]) => observationOf({
    ordinals, status: {members: records(), heldPods, run: runOf({plan: planOf(), heldBefore: ['etcd-2'], ...run})},
  });
  const aborted = {aborted: {reason: 'QuorumOfDataIntact', message: ''}};

  it('stays held when a later run lets its own go, also in a pod of that run', () => {
    const holding = later(aborted, all, [gated(0), gated(1), gated(2)]);
    const first = letGo(holding);
    assert.ok(first.kind === 'record');
    first.record(holding.status);
    assert.deepEqual(holding.status.heldPods, ['etcd-2']);
    const second = letGo(holding);
    assert.deepEqual(second.kind === 'act' && second.actions.map((action) => [action.type, 'pod' in action && typeof action.pod !== 'string' && action.pod.metadata?.name]), [['UngatePod', 'etcd-0'], ['UngatePod', 'etcd-1']]);
    assert.equal(letGo(later(aborted, ['etcd-2'], [{}, {}, gated(2)])).kind, 'done');
  });
  it('is let go where the set has no such ordinal any more', () => {
    const scaled = later(aborted, all, [gated(0), gated(1)]);
    const decision = letGo(scaled);
    assert.ok(decision.kind === 'record');
    decision.record(scaled.status);
    assert.deepEqual(scaled.status.heldPods, []);
  });
  it('stays held when a later run ends that had nothing to do with it', () => {
    assert.equal(release(later({plan: planOf()}, ['etcd-2'], [well(0), well(1), gated(2, 'run-0')])).kind, 'act', 'the probe key goes, and no name is let go');
    const joined = later({plan: planOf()}, ['etcd-1', 'etcd-2'], [well(0), well(1), gated(2, 'run-0')]);
    const decision = release(joined);
    assert.ok(decision.kind === 'record');
    decision.record(joined.status);
    assert.deepEqual(joined.status.heldPods, ['etcd-2']);
  });
});

describe('a member that stays and has lost its pod while one of a lower ordinal is held', () => {
  const lost = [{pod: 'etcd-0', memberID: idOf(0), fenced: 'NodeDeleted'}];
  const fenced = (index: number) => ({by: 'KubeletConfirmed' as const, podUID: `pod-uid-${index}`, at: new Date(now).toISOString()});
  const held: OrdinalOptions = {object: ownPodOf(0, {gated: true, phase: 'Pending', statuses: [], annotations: {'quorumrecovery.io/run': 'run-1'}})};
  const led = (index: number): OrdinalOptions => ({probe: answers(index, 3, {leader: idOf(1)})});
  const away = (last: Partial<MemberRecord>, more: Partial<Run> = {}, options: ObservationOptions = {}) => observationOf({
    ordinals: [held, led(1), {object: undefined}], nodes: [...nodes(0, 1), node('node-2', dead)], more: {linearizable: true}, ...options, status: {
      members: [recordOf(0, {fenced: fenced(0)}), recordOf(1), recordOf(2, last)], heldPods: ['etcd-0'],
      run: runOf({identity: {clusterID, version: '3.6.16', members: members(3), source: ''}, plan: planOf({strategy: 'ReplaceMembers', survivor: 'etcd-1', lost}), replace: {removed: []}, steps: [{name: 'Remove', state: 'Done'}, {name: 'Join etcd-0', state: 'Running'}], ...more}),
    },
  });
  const decided = (observation: ReturnType<typeof away>) => nextStep(observation)?.decision;

  it('is made again once its last process is proven to have ended', () => {
    const decision = decided(away({fenced: fenced(2)}));
    assert.ok(decision?.kind === 'act' && decision.actions[0]?.type === 'CreatePod', JSON.stringify(decision));
  });
  it('is not made on the word of a pod that is gone, deleted by force on a node that is cut off, say', () => {
    const decision = decided(away({}));
    assert.ok(decision?.kind === 'blocked' && decision.reason === 'FencingUnproven', JSON.stringify(decision));
    assert.match(decision.message, /etcd-2 has no pod.*ran on node-2.*Way out/);
    const said = away({}, {}, {spec: {lostMembers: named(2)}});
    assert.equal(decided(said)?.kind, 'act', 'a person says that it is off');
  });
  it('does not open a degraded run again before', () => {
    const over: Partial<Run> = {outcome: 'Degraded', finishedAt: new Date(now).toISOString(), joins: [], steps: [{name: 'Verify', state: 'Done'}]};
    assert.deepEqual(reopens(away({}, over)), []);
    assert.deepEqual(reopens(away({fenced: fenced(2)}, over)), ['Verify']);
  });
});
