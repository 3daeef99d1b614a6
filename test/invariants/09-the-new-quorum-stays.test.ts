import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {interrupted} from '../../src/decide/interrupt.ts';
import {prune} from '../../src/decide/kept.ts';
import {nextStep} from '../../src/decide/next.ts';
import {decommission} from '../../src/decide/steps/decommission.ts';
import {defer} from '../../src/decide/steps/defer.ts';
import {join} from '../../src/decide/steps/join.ts';
import {release} from '../../src/decide/steps/release.ts';
import {restartProof} from '../../src/decide/steps/verify.ts';
import {mayDepart} from '../../src/phases/departing.ts';
import {answers, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf} from '../unit/decide/observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../unit/decide/observations.ts';
import {actionOf, at, facts, held, heldHere, joiner, mark, peers, planned, ready, records, serving, simulated, told} from './fixtures.ts';

const force = {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true};
const voterOf = (index: number, more: OrdinalOptions = {}): OrdinalOptions => ({object: ownPodOf(index, {uid: `own-${index}`, annotations: mark}), probe: answers(index, 3, {leader: idOf(0)}), ...more});

describe('9. From the survivor\'s own pod on, no act of the operator takes the new cluster\'s quorum away', () => {
  it('in whole recoveries no voter\'s pod ends that its quorum needs', async function whole() {
    this.timeout(60_000);
    let ended = 0;
    for (const scenario of [{}, {ordered: true}, {spareNodes: 0}, {fates: ['Deleted', 'Deleted', 'Alive', 'Alive', 'Deleted'] as const, spareNodes: 1, ordered: true}]) {
      const {outcome, message} = await simulated({...scenario, fates: [...scenario.fates ?? (['Deleted', 'Deleted', 'Alive'] as const)]}, [[30, 'after'], [38, 'before']], ({world}) => {
        world.store.onChange(({kind, type, object}) => {
          const run = world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run;
          if (kind !== 'Pod' || run?.writableAt === undefined || object.metadata?.annotations?.[marks.step] !== undefined) return;
          if (type !== 'DELETED' && object.metadata?.deletionTimestamp === undefined) return;
          const processes = [...world.etcd.processes].filter(({helper}) => !helper);
          const ending = processes.find(({podUID}) => podUID === object.metadata?.uid);
          const list = ending?.data.members.filter((member) => !member.isLearner).map(({id}) => id) ?? [];
          if (ending === undefined || !list.includes(ending.data.memberID)) return;
          ended += 1;
          const left = processes.filter((process) => process !== ending && list.includes(process.data.memberID)).length;
          assert.ok(left >= Math.floor(list.length / 2) + 1, `${object.metadata?.name ?? ''} ends, and ${left} of ${list.length} voters are left`);
        });
      });
      assert.ok(outcome === 'Recovered' || outcome === 'Degraded', message);
    }
    assert.ok(ended > 0, 'a voter was restarted');
  });

  it('the restart proof needs three voters that answer, and takes a follower that its controller makes again', () => {
    const steps = [{name: 'Join etcd-1', state: 'Done' as const}, {name: 'Join etcd-2', state: 'Done' as const}, {name: 'RestartProof', state: 'Running' as const}];
    const joins = [1, 2].map((index) => ({pod: `etcd-${index}`, attempt: 1, memberID: idOf(index)}));
    const proof = (ordinals: OrdinalOptions[], more: object = {}, set = newSet(3)) => restartProof(observationOf({ordinals, set, status: {run: planned({steps, joins, ...more})}}));
    const three = [voterOf(0), voterOf(1), voterOf(2)];
    assert.equal(actionOf(proof(three), 'DeletePod').pod.metadata?.name, 'etcd-2');
    const two = proof([voterOf(0), voterOf(1), held(2)], {joins: [joins[0], {pod: 'etcd-2', attempt: 1, deferred: {reason: 'x', message: '', nodes: ''}}]});
    assert.equal(told(two), 'done', 'of two voters both are needed');
    const silent = {kind: 'NotAsked', why: ''} as const;
    assert.equal(told(proof([voterOf(0), voterOf(1, {probe: silent}), voterOf(2)])), 'wait', 'one is down already');
    assert.equal(told(proof([voterOf(0, {probe: silent}), voterOf(1), voterOf(2)])), 'wait');
    const leads = (index: number) => three.map((one, at_) => ({...one, probe: answers(at_, 3, {leader: idOf(index)})}));
    assert.equal(actionOf(proof(leads(2)), 'DeletePod').pod.metadata?.name, 'etcd-1', 'the leader is not taken');
    assert.equal(told(proof(three, {restart: {pod: 'etcd-2', podUID: 'old'}})), 'wait', 'none is taken while one comes back');
    const ordered = newSet(4, {podManagementPolicy: 'OrderedReady'});
    const behind = restartProof(observationOf({set: ordered, ordinals: [{...held(0)}, voterOf(1), voterOf(2), voterOf(3)], status: {run: planned({
      steps: [{name: 'Join etcd-2', state: 'Done'}, {name: 'Join etcd-3', state: 'Done'}], joins: [{pod: 'etcd-0', attempt: 1, deferred: {reason: 'x', message: '', nodes: ''}}],
      plan: {...planned().plan ?? assert.fail(), survivor: 'etcd-1'},
    })}}));
    assert.equal(told(behind), 'done', 'a held one of a lower ordinal keeps the controller from making it again');
  });

  it('a member becomes a voter only once its agent has ended well, and etcd itself finds it ready', () => {
    const list = members(2).map((member, index) => (index === 1 ? {...member, id: 'b1', isLearner: true} : member));
    const init = (state: object) => ({podIP: '10.0.0.1', initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state}]});
    const decided = (state: object) => told(join(observationOf(serving({ordinals: [{probe: {...answers(0, 2, {leader: 'a0'}), members: list} as never}, joiner(1, peers(0, 1), init(state), 'b1'), held(2)]})), 'etcd-1'));
    assert.equal(decided({running: {}}), 'wait');
    assert.equal(decided({terminated: {exitCode: 1}}), 'wait');
    assert.equal(decided({terminated: {exitCode: 0}}), 'PromoteLearner');
  });

  it('a voter is never taken out of the list again, however late it is', () => {
    const steps = [{name: 'Force', state: 'Done' as const}, {name: 'Join etcd-1', state: 'Running' as const, startedAt: new Date(now - 86_400_000).toISOString()}];
    const of = (isLearner: boolean) => {
      const list = members(2).map((member, index) => (index === 1 ? {...member, id: 'b1', isLearner} : member));
      return join(observationOf(serving({ordinals: [{probe: {...answers(0, 2, {leader: 'a0'}), members: list} as never}, joiner(1, peers(0, 1)), held(2)]}, {steps})), 'etcd-1');
    };
    assert.equal(told(of(true)), 'deferred JoinTimedOut');
    assert.equal(told(of(false)), 'done');
    const observation = observationOf(serving());
    const deferred = defer(observation, observation.ordinals[1] ?? assert.fail(), 'x', '', members(2)[1]);
    assert.deepEqual(deferred.kind === 'deferred' ? deferred.actions : undefined, []);
  });

  it('the data of the survivor, and of who joined, is never set aside', () => {
    const options = serving({ordinals: [{...heldHere(0), object: ownPodOf(0, {annotations: mark}), probe: answers(0, 2, {leader: 'a0'})}, {...joiner(1, peers(0, 1)), place: {at: 'Node', nodes: ['node-1']}}, {object: ownPodOf(2, {annotations: mark, gated: true})}]});
    const decision = decommission(observationOf(options));
    assert.deepEqual(decision.kind === 'act' ? decision.actions.map((action) => 'pod' in action && typeof action.pod !== 'string' && action.pod.metadata?.annotations?.[marks.pod]) : [], ['etcd-2']);
  });

  it('nothing is let go any more: not when old members come back, not when a step says so, not when a person asks', () => {
    const begun = planned({offline: [facts(0), facts(1)], force});
    const back = ready(begun, {ordinals: [heldHere(0), heldHere(1), held(2)], nodes: [node('node-0'), node('node-1')]});
    assert.equal(told(nextStep(observationOf(back))?.decision), 'CreatePod');
    const other = nextStep(observationOf({...back, status: {...back.status, run: {...begun, steps: [{name: 'Inspect', state: 'Running'}]}}}));
    assert.equal(told(other?.decision), 'blocked QuorumOfDataIntact');
    for (const asked of [{spec: {paused: true}}, {spec: {survivor: {pod: 'etcd-1'}}}, {more: {resource: {...observationOf().resource, metadata: {name: 'etcd', deletionTimestamp: at as never}}}}]) {
      const stands = interrupted(observationOf({...back, ...asked}));
      assert.ok(stands && 'goesOn' in stands, JSON.stringify(stands));
      const before = interrupted(observationOf({...ready(), ...asked}));
      assert.ok(before && 'ends' in before, 'before the force it is');
    }
  });

  it('a new cluster of one member is given up only before it served, with its only volume proven gone with its node', () => {
    const plan = planOf({strategy: 'RestoreSnapshot', candidates: ['etcd-0'], snapshot: {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 1, index: 95}});
    const cluster = {attempt: 1, members: ['etcd-0'], clusterID: 'abc', seeded: [], move: {from: 48, target: 1_148, proven: true, why: ''}, begunAt: at};
    const next = (more: ObservationOptions, served = {}) => {
      const run = planned({plan, offline: [facts(0)], newCluster: {...cluster, ...served}, steps: [{name: 'Restore', state: 'Running'}]});
      return told(nextStep(observationOf(ready(run, more)))?.decision);
    };
    const away = (nodes: ObservationOptions['nodes'] = [], place: OrdinalOptions['place'] = {at: 'GoneNode', nodes: ['node-0']}): ObservationOptions => ({ordinals: [held(0, {place}), held(1), held(2)], nodes});
    assert.equal(next(away()), 'abort PlanChanged');
    assert.equal(next(away([node('node-0', {uid: 'again'})])), 'blocked RestoreFailed', 'it has registered again');
    assert.equal(next(away([node('node-0', {ready: false})], {at: 'NotReadyNode', nodes: ['node-0']})), 'blocked RestoreFailed');
    assert.doesNotMatch(next(away(), {servedAt: at}), /^abort/);
  });

  it('the resource stays while pods are held', () => {
    const deleted = (more: object) => observationOf({...serving(), more: {resource: {...observationOf().resource, metadata: {name: 'etcd', deletionTimestamp: at as never}}, ...more}});
    assert.equal(mayDepart(deleted({})), false);
    const over = deleted({});
    if (over.status.run) over.status.run.finishedAt = at;
    assert.equal(mayDepart(over), false, 'a member that waits stands on a claim that may be empty');
    over.status.heldPods = [];
    assert.equal(mayDepart(over), true);
  });

  it('a member whose pod goes is made again where its controller waits for a held one', () => {
    const run = planned({force: {...force, podUID: 'f', endedAt: at}, plan: {...planned().plan ?? assert.fail(), survivor: 'etcd-2', candidates: ['etcd-2']}, steps: [{name: 'Join etcd-0', state: 'Running'}]});
    const of = (set: ReturnType<typeof newSet>) => nextStep(observationOf({set, ordinals: [held(0), held(1), {object: undefined}], nodes: [node('node-2')], status: {members: records, run, heldPods: ['etcd-0', 'etcd-1']}}))?.decision;
    const made = actionOf(of(newSet(3, {podManagementPolicy: 'OrderedReady'})), 'CreatePod').pod;
    assert.deepEqual([made.metadata?.name, made.spec?.schedulingGates], ['etcd-2', undefined]);
  });

  it('the end of a run takes helper pods away, and no pod of the set', () => {
    const helper = {metadata: {name: 'etcd-1-decommission-1', annotations: {[marks.run]: 'run-1', [marks.step]: 'Decommission'}}, spec: {containers: []}};
    const decision = release(observationOf({...serving({ordinals: [voterOf(0), voterOf(1), voterOf(2)]}), more: {helpers: [helper]}}));
    assert.deepEqual(decision.kind === 'act' && decision.actions.map((action) => 'pod' in action && typeof action.pod !== 'string' && action.pod.metadata?.name), ['etcd-1-decommission-1']);
  });

  it('what takes kept data away works beside a member that answers, and does not touch one that does not', () => {
    const kept = [{run: 'run-0', pod: 'etcd-1', claimUID: 'claim-uid-1', until: new Date(now - 1).toISOString()}];
    const acts = (one: OrdinalOptions) => prune(observationOf({ordinals: [voterOf(0), one, voterOf(2)], status: {kept}})).actions.map(({type}) => type);
    assert.deepEqual([acts(voterOf(1)), acts(voterOf(1, {probe: {kind: 'NotAsked', why: ''}}))], [['CreatePod'], []]);
  });
});
