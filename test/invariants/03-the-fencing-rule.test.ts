import assert from 'node:assert/strict';
import type {V1ContainerStatus} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {judgeFencing} from '../../src/decide/evidence/fencing.ts';
import {stepsFor} from '../../src/decide/plans/plan.ts';
import {judgeProcess} from '../../src/decide/evidence/processes.ts';
import {endForce, force} from '../../src/decide/steps/force.ts';
import {join} from '../../src/decide/steps/join.ts';
import {prepareJoins} from '../../src/decide/steps/joinPod.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {stopPod} from '../../src/phases/holding.ts';
import {answers, clusterID, ended, idOf, members, node, observationOf, ownPodOf, recordOf, running, voter, waiting} from '../unit/decide/observations.ts';
import type {ObservationOptions} from '../unit/decide/observations.ts';
import {actingWith, at, facts, forcedPod, hasEnded, held, heldHere, identity, lost, ofKubelet, planned, ready, recordingClient, records, serving, simulated, told, withHelper} from './fixtures.ts';

const provider = {providerID: 'cloud:///1'};

/** Nodes on which the old members may still run. */
const unsafe: [string, ObservationOptions][] = [
  ['is NotReady', {nodes: [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})]}],
  ['has registered again', {nodes: [node('node-0'), node('node-1', {uid: 'again'}), node('node-2', {uid: 'again'})]}],
  ['has registered again as another machine', {nodes: [node('node-0'), ...[1, 2].map((index) => node(`node-${index}`, {uid: 'again', machineID: `new-${index}`, systemUUID: `new-${index}`}))]}],
  ['has registered under another name (machine ID)', {nodes: [node('node-0'), node('x', {machineID: 'machine-node-1'}), node('y', {machineID: 'machine-node-2'})]}],
  ['has registered under another name (system UUID)', {nodes: [node('node-0'), node('x', {systemUUID: 'system-node-1'}), node('y', {systemUUID: 'system-node-2'})]}],
  ['has registered under another name (provider ID)', {nodes: [node('node-0'), node('x', provider)], status: {members: [recordOf(0, {fenced: ofKubelet(0)}), recordOf(1, provider), recordOf(2, provider)]}}],
];

const withStatus = (of: (more: ObservationOptions) => ObservationOptions, {status, ...more}: ObservationOptions): ObservationOptions => {
  const made = of(more);
  return {...made, status: {...made.status, ...status}};
};

describe('3. The fencing rule holds before any new cluster starts (force, restore, rebuild); no ordinal ever runs twice, in any strategy', () => {
  for (const [where, more] of unsafe) {
    it(`a node that ${where} is asked about in Plan, at the end of Stop, before the forced start is made, and before its turn`, () => {
      const before = withStatus((options) => ready(planned(), options), more);
      const waits = {...before, status: {...before.status, run: planned({force: {attempt: 1, pod: 'etcd-0-force-1'}})}};
      const asked = {
        Plan: told(plan(observationOf(withStatus(lost, more)))), Stop: told(stop(observationOf(before))),
        Force: told(force(observationOf(before))), turn: told(force(withHelper(waits, forcedPod()))),
      };
      assert.deepEqual(asked, Object.fromEntries(['Plan', 'Stop', 'Force', 'turn'].map((step) => [step, 'blocked FencingUnproven'])));
    });
  }

  it('with every end proven the same four go on', () => {
    const waits = ready(planned({force: {attempt: 1, pod: 'etcd-0-force-1'}}));
    assert.deepEqual([told(plan(observationOf(lost()))), told(stop(observationOf(ready()))), told(force(observationOf(ready()))), told(force(withHelper(waits, forcedPod())))], ['DryRunPods', 'done', 'CreatePod', 'GiveTurn']);
  });

  it('the rule is held against every membership that is known: member lists, disks, the witness, the run\'s, the set\'s ordinals', () => {
    const strangers = [0, 3, 4].map((index) => ({...members(5)[index], id: idOf(index), name: `etcd-${index}`, peerURLs: []}));
    const witness = {clusterID, revision: 1, raftIndex: 1, members: [0, 3, 4].map(voter), observedAt: at} as QuorumRecoveryStatus['lastHealthy'];
    const status = (run: object, more: object = {}) => ({status: {members: records, heldPods: [], run: planned(run), ...more}});
    const holds = (more: ObservationOptions) => judgeFencing(observationOf(ready(planned(), more)), false).holds;
    assert.equal(holds({}), true);
    assert.equal(holds(status({identity: {...identity, members: strangers}})), false, 'the run\'s');
    assert.equal(holds(status({offline: [facts(0, {members: strangers})]})), false, 'a disk\'s');
    assert.equal(holds(status({}, {lastHealthy: witness})), false, 'the witness\'s');
    assert.equal(holds({ordinals: [{...heldHere(0), probe: {kind: 'PeerOnly', clusterID, members: strangers.map((one) => ({...one, clientURLs: [], isLearner: false})), error: 'Timeout', message: ''}}, held(1), held(2)]}), false, 'a member list');
    const alone = identity.members.slice(0, 1);
    assert.equal(holds({...status({identity: {...identity, members: alone}, offline: [facts(0, {members: alone})]}), nodes: [0, 1, 2].map((index) => node(`node-${index}`, {ready: index === 0}))}), false, 'the set\'s ordinals');
  });

  const notEnded: [string, object][] = [
    ['ended with ContainerStatusUnknown', {statuses: [ended('ContainerStatusUnknown')], deleting: true}],
    ['is only one of two that ended', {statuses: [ended(), {...running, name: 'sidecar'}], deleting: true}],
    ['ended, and an init container runs', {statuses: [ended()], inits: [running], deleting: true}],
    ['ended in a pod that is not being deleted', {statuses: [ended()]}],
    ['never reported anything', {statuses: [], deleting: true}],
  ];
  for (const [what, pod] of notEnded) {
    it(`the name of a pod whose container ${what} is not taken`, () => {
      const decision = told(stop(observationOf(ready(planned(), {ordinals: [heldHere(0), {object: ownPodOf(1, pod), place: {at: 'NotReadyNode', nodes: ['node-1']}}, held(2)], nodes: [node('node-0'), node('node-1')]}))));
      assert.ok(['wait', 'StopPod'].includes(decision), decision);
    });
  }

  it('a pod that never ran is no proof about the process before it', () => {
    const successor = ready(planned(), {ordinals: [heldHere(0), ...[1, 2].map((index) => held(index, {object: ownPodOf(index, {uid: `new-${index}`, node: '', statuses: [waiting]}), place: {at: 'NotReadyNode', nodes: [`node-${index}`]}}))], nodes: [0, 1, 2].map((index) => node(`node-${index}`, {ready: index === 0}))});
    assert.equal(judgeFencing(observationOf(successor), true).holds, false);
  });

  it('a pod on a disk whose log does not say whose it is ran the member that the database there lists for it, and no other', () => {
    const own = members(3).map(({id, name, peerURLs}) => ({id, name, peerURLs, isLearner: false}));
    const database = {index: 95, term: 5, revision: 48, bytes: 1, file: 'db'};
    const of = (list: typeof own) => observationOf({nodes: [node('node-0')], status: {run: planned({offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Unreadable', database, members: list}]})}});
    const stoppable = (list: typeof own) => judgeProcess(of(list), voter(0)).stoppable;
    assert.equal(stoppable(own), true);
    assert.equal(stoppable(own.map((member) => (member.id === idOf(0) ? {...member, id: 'b0'} : member))), false);
    assert.equal(stoppable([...own, {id: 'b0', name: 'etcd-0', peerURLs: [], isLearner: true}]), false);
    assert.equal(stoppable(own.slice(1)), false);
  });

  it('a person\'s word ends no process on a node that answers, and never the survivor\'s', () => {
    const lostMembers = [1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}));
    const runs = ready(planned(), {ordinals: [heldHere(0), {object: ownPodOf(1)}, {object: ownPodOf(2)}], nodes: [0, 1, 2].map((index) => node(`node-${index}`)), spec: {lostMembers}});
    assert.equal(judgeFencing(observationOf(runs), false).holds, false);
    const word = ready(planned(), {status: {members: [recordOf(0, {fenced: {...ofKubelet(0), by: 'LostMembers'}}), recordOf(1), recordOf(2)], run: planned()}});
    assert.equal(told(force(observationOf(word))), 'blocked SurvivorNotEligible');
    const survivor = {...lost({nodes: [node('node-0', {ready: false})], spec: {lostMembers: [{pod: 'etcd-0', memberID: 'a0'}]}}), status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned({offline: [facts(0)]})}};
    assert.equal(told(plan(observationOf(survivor))), 'blocked FencingUnproven');
  });

  it('a candidate that nobody can prove stopped is no survivor, although the rule could do without it', () => {
    const again = lost({
      nodes: [node('node-0', {uid: 'again'})], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned({offline: [facts(0)]})},
      ordinals: [{object: ownPodOf(0, {statuses: [waiting]})}, ...(lost().ordinals ?? []).slice(1)],
    });
    assert.equal(told(plan(observationOf(again))), 'blocked FencingUnproven');
  });

  it('a pod is stopped with its fence on it first, and only that very pod', async () => {
    const changes: string[] = [];
    await stopPod(actingWith(observationOf(), {}, recordingClient(changes)), ownPodOf(0));
    assert.deepEqual(changes, [`patch Pod etcd-0 {"metadata":{"uid":"pod-uid-0","finalizers":["${marks.fence}"]}}`, 'delete Pod etcd-0 {"uid":"pod-uid-0"}']);
  });

  it('the forced start is fenced from its beginning, starts once, and ends by itself', () => {
    const {metadata, spec} = forcedPod();
    assert.deepEqual([metadata?.finalizers, spec?.restartPolicy, (spec?.activeDeadlineSeconds ?? 0) > 0], [[marks.fence], 'Never', true]);
  });

  it('the survivor\'s own pod comes after the proven end of the forced start', () => {
    const steps = stepsFor(observationOf(), 'etcd-0', []);
    assert.ok(steps.indexOf('EndForce') > steps.indexOf('Force') && steps.indexOf('StartSurvivor') > steps.indexOf('EndForce'));
    const options = ready(planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'forced-uid', turnGiven: true}}));
    const asked = (change?: Parameters<typeof forcedPod>[1], nodes = [node('node-0')]) => told(endForce(withHelper({...options, nodes}, forcedPod(ready(), change))));
    assert.equal(asked(), 'StopPod');
    assert.notEqual(asked((pod) => { pod.metadata = {...pod.metadata, deletionTimestamp: new Date(0)}; }), 'done', 'it is stopping');
    const unknown: V1ContainerStatus = ended('ContainerStatusUnknown');
    assert.notEqual(asked((pod) => { hasEnded(pod); pod.status = {...pod.status, phase: 'Running', containerStatuses: [unknown]}; }), 'done', 'nobody knows');
    assert.equal(asked(hasEnded), 'done');
    assert.equal(told(endForce(observationOf(options))), 'blocked FencingUnproven', 'it is gone unseen');
  });

  it('a member joins only once its old process is proven ended, and is not made ahead before', () => {
    const away = [node('node-0'), node('node-1', {ready: false}), node('node-2')];
    const unproven = serving({nodes: away, status: {...serving().status, members: [recordOf(0), recordOf(1), recordOf(2, {fenced: ofKubelet(2)})]}});
    assert.equal(told(join(observationOf(unproven), 'etcd-1')), 'deferred FencingUnproven');
    assert.equal(told(prepareJoins(observationOf(unproven), 'StartSurvivor')), 'nothing');
    assert.equal(told(prepareJoins(observationOf(serving()), 'StartSurvivor')), 'ReplacePod', 'with the proof it is');
    const stays = {...unproven, ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, {object: ownPodOf(1)}, held(2)]};
    const decision = join(observationOf(stays), 'etcd-1');
    assert.deepEqual(decision.kind === 'deferred' ? decision.actions : undefined, [], 'its old pod is left alone');
  });

  it('members that run on cut off nodes, and that come back, never lead beside the new cluster', async function back() {
    this.timeout(60_000);
    for (const fates of [['CutOff', 'CutOff', 'Alive'], ['Registered again', 'Registered again', 'Alive'], ['CutOff', 'Deleted', 'Deleted', 'Registered again', 'Alive']] as const) {
      for (const backAfterMs of [undefined, 5_000, 20_000]) {
        const {simulation, outcome, blocked} = await simulated({fates: [...fates], backAfterMs});
        assert.ok(simulation.invariants.forces === 0 || fates.length === 5, `${fates.join()} ${String(backAfterMs)}: ${outcome ?? blocked ?? ''}`);
      }
    }
  });
});
