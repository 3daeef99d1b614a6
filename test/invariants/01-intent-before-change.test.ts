import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {force} from '../../src/decide/steps/force.ts';
import {hold} from '../../src/decide/steps/hold.ts';
import {replaceClaims} from '../../src/decide/steps/joinClaims.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {startSurvivor} from '../../src/decide/steps/survivor.ts';
import {restartProof} from '../../src/decide/steps/verify.ts';
import {answers, ended, idOf, node, observationOf, ownPodOf, recordOf} from '../unit/decide/observations.ts';
import {actionOf, forcedPod, held, mark, names, planned, ready, recorded, records, serving, simulated, told, withHelper} from './fixtures.ts';

describe('1. Nothing changes before its intent is in status', () => {
  it('each change of a whole recovery finds its step, and what it is done to, in the stored status', async function whole() {
    this.timeout(30_000);
    const changed: string[] = [];
    const {outcome, message} = await simulated({}, [], ({world}) => {
      const runOf = () => world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run;
      world.store.onChange(({kind, type, object}) => {
        const pod = object.metadata?.name ?? '';
        if (kind !== 'Pod' || type !== 'ADDED' || object.metadata?.annotations?.[marks.run] === undefined) return;
        changed.push(pod);
        assert.equal(runOf()?.id, object.metadata.annotations[marks.run], `${pod} is made by a run that is not in the status`);
        if (object.metadata.annotations[marks.step] === 'Force') assert.equal(runOf()?.force?.pod, pod, 'the forced start is made before its intent');
      });
    });
    assert.equal(outcome, 'Recovered', message);
    assert.ok(changed.length > 5, changed.join());
  });

  it('the forced etcd is asked and changed only with its pod in the stored status', async function checked() {
    this.timeout(30_000);
    let asked = 0;
    await simulated({}, [], ({world}) => {
      const processAt = world.processAt.bind(world);
      world.processAt = (address) => {
        const pod = world.store.list('Pod', 'db').find(({metadata}) => `ip-${metadata?.uid ?? ''}` === address);
        if (pod?.metadata?.annotations?.[marks.step] === 'Force') {
          asked += 1;
          assert.equal(world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run?.force?.podUID, pod.metadata.uid);
        }
        return processAt(address);
      };
    });
    assert.ok(asked > 0);
  });

  it('a member that is taken out again is deferred in the stored status first', async function deferred() {
    this.timeout(30_000);
    let taken = 0;
    const {outcome, message} = await simulated({spareNodes: 0}, [], ({world}) => {
      world.store.onChange(({kind, type, object}) => {
        const pod = object.metadata?.name ?? '';
        if (kind !== 'Pod' || type !== 'DELETED' || object.metadata?.annotations?.[marks.cluster] === undefined || pod === 'etcd-2') return;
        const join = world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run?.joins?.find((candidate) => candidate.pod === pod);
        // One that was made for another list of members makes room for its own successor: its step is running, and it is not taken out.
        if (join?.deferred !== undefined) taken += 1;
      });
    });
    assert.equal(outcome, 'Degraded', message);
    assert.ok(taken > 0, 'no pod was deleted after its deferral was written');
  });

  it('held names stand in the status before the hold is tried', () => {
    const options = ready(planned(), {status: {members: records, run: planned()}});
    const decision = hold(observationOf(options));
    assert.equal(told(decision), 'record');
    assert.deepEqual(recorded(decision, options.status ?? {}).heldPods, names);
  });

  it('the proof of an end is recorded before the object that carries it goes', () => {
    const old = ownPodOf(1, {statuses: [ended()], deleting: true, finalizers: [marks.fence]});
    const options = ready(planned(), {ordinals: [held(0), {object: old}, held(2)], nodes: [node('node-0'), node('node-1')]});
    const decision = stop(observationOf(options));
    actionOf(decision, 'ReleasePod');
    assert.equal(recorded(decision, options.status ?? {}).members?.[1]?.fenced?.podUID, 'pod-uid-1');
  });

  it('the forced start, and its turn, are intended before they are made and given', () => {
    const made = force(observationOf(ready()));
    actionOf(made, 'CreatePod');
    assert.deepEqual(recorded(made, {run: planned()}).run?.force, {attempt: 1, pod: 'etcd-0-force-1'});
    const run = planned({force: {attempt: 1, pod: 'etcd-0-force-1'}});
    const given = force(withHelper(ready(run), forcedPod()));
    actionOf(given, 'GiveTurn');
    assert.equal(recorded(given, {run}).run?.force?.turnGiven, true);
  });

  it('the survivor\'s name is free in the status before its pod starts', () => {
    const run = planned({force: {attempt: 1, pod: 'f', podUID: 'f', endedAt: new Date(0).toISOString()}});
    const options = ready(run);
    const decision = startSurvivor(observationOf(options));
    actionOf(decision, 'UngatePod');
    assert.deepEqual(recorded(decision, options.status ?? {}).heldPods, ['etcd-1', 'etcd-2']);
  });

  it('a claim is deleted only with its UID in the status', () => {
    const options = serving({ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, held(1), held(2)], nodes: [node('node-0')]});
    const view = (status = options.status ?? {}) => {
      const observation = observationOf({...options, status});
      return {observation, one: observation.ordinals[1] ?? assert.fail()};
    };
    const before = view();
    const decision = replaceClaims(before.observation, before.one);
    assert.equal(told(decision), 'record');
    const status = recorded(decision ?? assert.fail(), options.status ?? {});
    assert.deepEqual(status.run?.joins?.[0]?.replacedClaims, ['claim-uid-1']);
    const after = view(status);
    actionOf(replaceClaims(after.observation, after.one), 'RetainVolume');
  });

  it('the follower that is restarted is named before its pod is deleted', () => {
    const voter = (index: number) => ({object: ownPodOf(index, {uid: `own-${index}`, annotations: mark}), probe: answers(index, 3, {leader: idOf(0)})});
    const run = planned({steps: [{name: 'Join etcd-1', state: 'Done'}, {name: 'Join etcd-2', state: 'Done'}, {name: 'RestartProof', state: 'Running'}], joins: [1, 2].map((index) => ({pod: `etcd-${index}`, attempt: 1, memberID: idOf(index)}))});
    const options = {ordinals: [voter(0), voter(1), voter(2)], status: {run, members: [recordOf(0)]}};
    const decision = restartProof(observationOf(options));
    actionOf(decision, 'DeletePod');
    assert.deepEqual(recorded(decision, options.status).run?.restart, {pod: 'etcd-2', podUID: 'own-2'});
  });
});
