import assert from 'node:assert/strict';
import {nextStep} from '../../src/decide/next.ts';
import {stepsFor} from '../../src/decide/plans/plan.ts';
import {force} from '../../src/decide/steps/force.ts';
import {join} from '../../src/decide/steps/join.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {EtcdError} from '../../src/etcd/errors.ts';
import type {EtcdMember, ListedMember} from '../../src/etcd/types.ts';
import {checkForced, proveWrite} from '../../src/phases/forcing.ts';
import {addLearner} from '../../src/phases/rejoining.ts';
import {answers, clusterID, members, node, observationOf, ownPodOf} from '../unit/decide/observations.ts';
import {actingWith, forcedPod, held, joiner, lost, peers, planned, ready, serving, simulated, told, withHelper} from './fixtures.ts';

const status = {clusterID, memberID: 'a0', version: '3.6.16', leader: 'a0', raftTerm: 6, raftIndex: 100, raftAppliedIndex: 100, revision: 50, dbSizeBytes: 1, isLearner: false, errors: []};

/** An etcd with this list, which writes down what is done to it. */
function etcd(list: ListedMember[], done: string[], more: Partial<EtcdMember> = {}): Partial<EtcdMember> {
  const say = async (what: string) => { done.push(what); await Promise.resolve(); };
  return {
    status: async () => await Promise.resolve(status), memberList: async () => await Promise.resolve({clusterID, members: [...list]}), alarms: async () => await Promise.resolve([]),
    removeMember: async (id) => { await say(`remove ${id}`); list.splice(list.findIndex((member) => member.id === id), 1); },
    put: async () => { await say('put'); return {revision: 51}; },
    addLearner: async (peerURLs) => { await say(`add learner ${peerURLs.join()}`); return {id: 'b1', name: '', peerURLs, clientURLs: [], isLearner: true}; },
    ...more,
  };
}

const log = {podLog: async () => await Promise.resolve('')};
const first = members(1)[0] ?? assert.fail();
const learner: ListedMember = {id: 'b1', name: '', peerURLs: ['http://etcd-1.etcd:2380'], clientURLs: [], isLearner: true};

describe('8. Exactly one member after the force, before any other joins; at most as many learners as etcd allows (1 by default)', () => {
  it('what the force left in the list is removed, and the check goes on only when it is alone and leads itself', async () => {
    const done: string[] = [];
    const list = members(3);
    const acting = actingWith(observationOf(ready()), etcd(list, done), log);
    assert.equal((await checkForced(acting, forcedPod())).kind, 'retry');
    assert.deepEqual(done, ['remove a1', 'remove a2']);
    assert.equal((await checkForced(acting, forcedPod())).kind, 'done');
    const leads = (leader: string) => etcd([first], [], {status: async () => await Promise.resolve({...status, leader})});
    assert.equal((await checkForced(actingWith(observationOf(ready()), leads(''), log), forcedPod())).kind, 'retry');
    const pod = ownPodOf(0);
    const serves = (leader: string) => proveWrite(actingWith(observationOf({ordinals: [{object: pod}], status: {run: planned()}}), leads(leader)), pod);
    assert.deepEqual([(await serves('a1')).kind, (await serves('a0')).kind], ['retry', 'done']);
  });

  it('the forced etcd is checked before the step is done, and every member joins after it and after its own pod serves', () => {
    const run = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'forced-uid', turnGiven: true}});
    const up = forcedPod(ready(), (pod) => {
      pod.metadata = {...pod.metadata, annotations: {...pod.metadata?.annotations, 'quorumrecovery.io/turn': '1'}};
      pod.status = {podIP: '10.0.0.9', phase: 'Running', initContainerStatuses: [], containerStatuses: []};
    });
    const decision = force(withHelper(ready(run), up));
    assert.equal(told(decision), 'CheckForced');
    assert.ok(decision.kind === 'act' && !decision.completes, 'its revision is moved before the step is done');
    const steps = stepsFor(observationOf(), 'etcd-0', []);
    assert.deepEqual(steps.slice(3), ['Force', 'EndForce', 'StartSurvivor', 'Decommission', 'Join etcd-1', 'Join etcd-2', 'RestartProof', 'Verify', 'Release']);
  });

  it('versions whose force leaves old members in charge are not forced', () => {
    const of = (version: string) => plan(observationOf({...lost(), ordinals: [{probe: answers(0, 3, {version})}, ...(lost().ordinals ?? []).slice(1)]}));
    for (const version of ['3.5.9', '3.4.30']) assert.equal(told(of(version)), 'blocked VersionNotForceable', version);
    // Its database is read, and restored: test/unit/decide/plans/fallBack.test.ts.
    assert.equal(told(of('3.5.21')), 'CreatePod');
  });

  it('where nothing is forced one member begins too, and whoever it is told of joins later', async function alone() {
    this.timeout(30_000);
    const {outcome, simulation} = await simulated({version: '3.5.21', approvalMs: 0});
    assert.deepEqual([outcome, simulation.invariants.forces, simulation.invariants.status.run?.newCluster?.members], ['Recovered', 0, ['etcd-2']]);
  });

  it('a member is added as a learner, once: a repeat finds it by its peer URL', async () => {
    const done: string[] = [];
    const of = (list: ListedMember[], more: Partial<EtcdMember> = {}) => addLearner(actingWith(observationOf(serving()), etcd(list, done, more)), 'etcd-0', 'etcd-1', learner.peerURLs);
    assert.equal((await of([first])).kind, 'done');
    assert.equal((await of([first, learner])).kind, 'done');
    assert.deepEqual(done, ['add learner http://etcd-1.etcd:2380']);
    const many = await of([first], {addLearner: async () => await Promise.reject(new EtcdError('TooManyLearners', 'too many learner members in cluster'))});
    assert.equal(many.kind, 'retry', 'etcd takes no more learners: the run waits');
  });

  it('a join that has begun is ended before another begins, and one that cannot come up has its learner taken out', () => {
    const steps = (one: 'Running' | 'Pending') => [{name: 'Force', state: 'Done' as const}, {name: 'Join etcd-1', state: 'Pending' as const}, {name: 'Join etcd-2', state: one}];
    assert.equal(nextStep(observationOf(serving({}, {steps: steps('Running')})))?.name, 'Join etcd-2');
    assert.equal(nextStep(observationOf(serving({}, {steps: steps('Pending')})))?.name, 'Join etcd-1');
    const homeless = joiner(1, peers(0, 1), {conditions: [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable'}]});
    const pod = {...homeless, object: {...homeless.object, metadata: {...homeless.object?.metadata, creationTimestamp: new Date(0)}}};
    const decision = join(observationOf(serving({ordinals: [{probe: {...answers(0, 1, {leader: 'a0'}), members: [first, learner]} as never}, pod, held(2)], nodes: [node('node-0')]})), 'etcd-1');
    assert.ok(decision.kind === 'deferred', told(decision));
    assert.deepEqual(decision.actions?.map(({type}) => type), ['RemoveMember', 'DeletePod']);
  });

  it('whole recoveries have one learner at a time, with five members and with one that finds no node', async function whole() {
    this.timeout(60_000);
    const most = async (scenario: Parameters<typeof simulated>[0]) => {
      let learners = 0;
      const {outcome} = await simulated(scenario, [], ({world}) => {
        world.store.onChange(() => {
          for (const {data} of world.etcd.processes) learners = Math.max(learners, data.members.filter((member) => member.isLearner).length);
        });
      });
      return {outcome, learners};
    };
    assert.deepEqual(await most({fates: ['Deleted', 'Deleted', 'Alive', 'Alive', 'Deleted'], spareNodes: 3}), {outcome: 'Recovered', learners: 1});
    assert.deepEqual(await most({fates: ['Deleted', 'Deleted', 'Alive', 'Alive', 'Deleted'], spareNodes: 1}), {outcome: 'Degraded', learners: 1});
  });
});
