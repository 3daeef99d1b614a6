import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {interrupted, leftOpen} from '../../../src/decide/interrupt.ts';
import {nextStep, reopens} from '../../../src/decide/next.ts';
import {setSpecHash} from '../../../src/decide/plans/plan.ts';
import {leaveNothing} from '../../../src/decide/evidence/strays.ts';
import {letGo, release} from '../../../src/decide/steps/release.ts';
import {mayDepart} from '../../../src/phases/departing.ts';
import {answers, clusterID, ended, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, recordOf, runOf, running} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const fence = ['quorumrecovery.io/fence'];
const gated = (index: number): V1Pod => ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark});
const held = (index: number): OrdinalOptions => ({object: gated(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const identity = {clusterID, version: '3.6.16', members: members(3), source: 'member list of etcd-0'};
const names = ['etcd-0', 'etcd-1', 'etcd-2'];
const plan = planOf({setSpecHash: setSpecHash(newSet(3))});
const before: Run = runOf({identity, plan, steps: [{name: 'Plan', state: 'Done'}, {name: 'Stop', state: 'Running'}, {name: 'Join etcd-1', state: 'Pending'}, {name: 'Join etcd-2', state: 'Pending'}]});
const forced = {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, endedAt: new Date(now).toISOString()};
const joins = (state: 'Pending' | 'Done' = 'Pending') => [{name: 'Join etcd-1', state}, {name: 'Join etcd-2', state}];
const after: Run = {...before, force: forced, steps: [{name: 'StartSurvivor', state: 'Done'}, {name: 'Decommission', state: 'Done'}, ...joins(), {name: 'RestartProof', state: 'Pending'}, {name: 'Verify', state: 'Pending'}, {name: 'Release', state: 'Pending'}]};

const of = (run: Run, more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, held(1), held(2)], nodes: [node('node-0')], set: newSet(3),
  status: {run: structuredClone(run), members: names.map((_, index) => recordOf(index)), heldPods: run.force ? ['etcd-1', 'etcd-2'] : names}, ...more,
});

function told(decision: Decision | undefined): string {
  if (decision === undefined) return 'nothing';
  if ('reason' in decision) return `${decision.kind} ${decision.reason}`;
  return decision.kind === 'act' ? decision.actions.map((action) => `${action.type}${'pod' in action && typeof action.pod !== 'string' ? ` ${action.pod.metadata?.name ?? ''}` : ''}`).join() : decision.kind;
}

const next = (options: ObservationOptions) => nextStep(observationOf(options));

describe('a StatefulSet that changes before the force', () => {
  const renewed = newSet(3);
  Object.assign(renewed.metadata ?? {}, {uid: 'another'});
  const going = newSet(3);
  Object.assign(going.metadata ?? {}, {deletionTimestamp: new Date(now)});
  const template = newSet(3, {template: {metadata: {labels: {app: 'etcd', version: '2'}}, spec: {containers: []}}});
  for (const [what, set] of [['made anew', renewed], ['being deleted', going], ['scaled up', newSet(5)], ['scaled down', newSet(1)], ['another template', template]] as const) {
    it(`ends the run, which plans anew: ${what}`, () => {
      const found = interrupted(observationOf(of(before, {set})));
      assert.equal(found && 'ends' in found && found.ends.reason, 'SetChanged');
    });
  }
  it('ends the run when it is gone, and the request stays open', () => {
    const found = interrupted(observationOf(of(before, {ordinals: [], more: {set: undefined}})));
    assert.equal(found && 'ends' in found && found.ends.reason, 'SetChanged');
    assert.equal(leftOpen({status: {run: {...before, outcome: 'Released', aborted: {reason: 'SetChanged', message: ''}}}}), true);
  });
  it('is none when nothing in its spec has changed', () => { assert.equal(interrupted(observationOf(of(before))), undefined); });
  it('asks no question while its plan is made', () => {
    assert.equal(interrupted(observationOf(of({...before, steps: [{name: 'Approve', state: 'Running'}]}, {set: newSet(5)}))), undefined);
  });

  const gone = (strays: V1Pod[], heldPods: string[] = []) => letGo(observationOf(of(before, {ordinals: [], more: {set: undefined, strays}, status: {run: before, heldPods}})));
  it('with no set left, gated pods that nobody makes again are taken away, and fences come off', () => {
    const stopped = ownPodOf(0, {deleting: true, finalizers: fence, statuses: [ended()], annotations: {}});
    assert.equal(told(gone([stopped, gated(1)])), 'DeletePod etcd-1,ReleasePod etcd-0');
    assert.equal(told(gone([])), 'done');
  });
  it('the end of a pod that is stopping is read first, where its node answers', () => {
    const stopping = ownPodOf(0, {deleting: true, finalizers: fence, statuses: [running]});
    assert.equal(told(gone([stopping])), 'wait');
    assert.equal(told(letGo(observationOf(of(before, {ordinals: [], nodes: [node('node-0', {ready: false})], more: {set: undefined, strays: [stopping]}, status: {run: before}})))), 'ReleasePod etcd-0');
  });
  it('gated pods of an older template are made anew before they start: a rollout would wait for ever for one that is not Ready', () => {
    const set = newSet(3);
    Object.assign(set.status ?? {}, {updateRevision: 'rev-2', currentRevision: 'rev-2'});
    const all = {ordinals: [{object: gated(0)}, held(1), held(2)]};
    assert.equal(told(letGo(observationOf(of(before, {...all, set})))), 'ReplacePod etcd-0,ReplacePod etcd-1,ReplacePod etcd-2');
    assert.equal(told(letGo(observationOf(of(before, all)))), 'record');
  });
  it('the controller\'s look at a changed set is waited for, so that the newest template is known', () => {
    const set = newSet(3);
    Object.assign(set.metadata ?? {}, {generation: 2});
    const all = {ordinals: [{object: gated(0)}, held(1), held(2)], set};
    assert.equal(told(letGo(observationOf(of({...before, aborted: {reason: 'SetChanged', message: ''}}, all)))), 'wait');
    assert.equal(told(letGo(observationOf(of({...before, aborted: {reason: 'Deleted', message: ''}}, all)))), 'record');
  });
  it('no pod is made for a set that goes', () => {
    assert.equal(told(letGo(observationOf(of(before, {set: going, ordinals: [{object: undefined}, held(1), held(2)]})))), 'record');
  });
});

describe('a StatefulSet that changes after the force', () => {
  it('ends nothing: the run goes on with it, and that is said', () => {
    const found = interrupted(observationOf(of(after, {set: newSet(4)})));
    assert.match((found && 'goesOn' in found && found.goesOn) || '', /was changed.*goes on with the set as it is/);
  });
  it('is waited for when it is gone, and pods behind a fence that belong to no ordinal are let go', () => {
    const options = (strays: V1Pod[]): ObservationOptions => of(after, {ordinals: [], more: {set: undefined, strays}});
    assert.equal(told(next(options([ownPodOf(1, {deleting: true, finalizers: fence, statuses: [ended()]})]))?.decision), 'ReleasePod etcd-1');
    const stands = next(options([gated(1)]))?.decision;
    assert.equal(told(stands), 'stalled StatefulSetNotFound');
    assert.match(stands?.kind === 'stalled' ? stands.message : '', /Create it again, and the run goes on/);
  });
  it('made anew, it is the run\'s from then on', () => {
    const set = newSet(3);
    Object.assign(set.metadata ?? {}, {uid: 'another'});
    assert.notEqual(told(next(of(after, {set}))?.decision).split(' ')[0], 'blocked');
  });
  it('without the survivor\'s ordinal is Blocked: that pod is the cluster', () => {
    assert.equal(told(next(of(after, {ordinals: [], set: newSet(0)}))?.decision), 'blocked PlanChanged');
  });

  const four = (object: V1Pod | undefined, run: Run = after): ObservationOptions =>
    of(run, {set: newSet(4), ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, held(1), held(2), {object}], nodes: [node('node-0'), node('node-3')]});
  it('scaled up: new names are held before anything else, their members join like the others, and the end is verified anew', () => {
    const verified: Run = {...after, steps: [...after.steps.filter(({name}) => !/Join|Proof|Verify|Release/.test(name)), ...joins('Done'), {name: 'RestartProof', state: 'Done'}, {name: 'Verify', state: 'Done'}, {name: 'Release', state: 'Running'}]};
    const observation = observationOf(four(undefined, verified));
    const decision = nextStep(observation)?.decision;
    const draft = structuredClone(observation.status);
    if (decision?.kind === 'record') decision.record(draft);
    assert.ok(draft.heldPods?.includes('etcd-3'));
    assert.deepEqual(draft.run?.steps.map(({name, state}) => `${name} ${state}`).slice(-4), ['Join etcd-3 Pending', 'RestartProof Done', 'Verify Pending', 'Release Pending']);
    assert.equal(draft.run.joins?.find(({pod}) => pod === 'etcd-3')?.added, true);
  });
  const added: Run = {...after, joins: [{pod: 'etcd-3', attempt: 1, added: true}], steps: [...after.steps.slice(0, 4), {name: 'Join etcd-3', state: 'Pending'}, ...after.steps.slice(4)]};
  it('a pod that the controller was faster with is stopped at once, and its name taken: no `new` member starts beside the run', () => {
    assert.equal(told(next(four(ownPodOf(3, {node: 'node-3'}), added))?.decision), 'StopPod etcd-3');
    assert.equal(told(next(four(undefined, added))?.decision), 'CreatePod etcd-3');
    const starting: Run = {...added, steps: [{name: 'StartSurvivor', state: 'Running'}, ...added.steps.slice(1)]};
    assert.equal(told(next({...four(ownPodOf(3, {node: 'node-3'}), starting)})?.decision), 'StopPod etcd-3');
  });
  it('one that a person has added to the new cluster is a member, and is not stopped', () => {
    const options = four(ownPodOf(3, {node: 'node-3'}), added);
    const voters = [members(4)[0], members(4)[3]].filter((one) => one !== undefined);
    const {ordinals: views = []} = options;
    views[0] = {probe: {...answers(0, 1, {leader: idOf(0)}), members: voters} as never};
    assert.doesNotMatch(told(next(options)?.decision), /StopPod/);
    const alone: Run = {...added, steps: [...after.steps.slice(0, 2), {name: 'Join etcd-3', state: 'Running'}]};
    assert.equal(told(next(four(ownPodOf(3, {node: 'node-3'}), alone))?.decision), 'StopPod etcd-3');
    assert.equal(told(next({...options, status: {...options.status, run: alone}})?.decision), 'done');
  });
  it('the old members\' names are no new ones', () => { assert.notEqual(next(of({...after, steps: [{name: 'Verify', state: 'Running'}]}))?.decision.kind, 'record'); });

  const two = (run: Run): ObservationOptions => of(run, {set: newSet(2), ordinals: [{probe: answers(0, 3, {leader: idOf(0)})}, held(1)]});
  it('scaled down: the learner of an ordinal that went is taken out, so that it is in nobody\'s way', () => {
    const options = two({...after, joins: [{pod: 'etcd-2', attempt: 1, memberID: idOf(2)}], steps: [{name: 'Join etcd-2', state: 'Running'}]});
    const learners = members(3).map((member) => ({...member, isLearner: member.id === idOf(2)}));
    const views = options.ordinals ?? [];
    views[0] = {probe: {...answers(0, 3, {leader: idOf(0)}), members: learners} as never};
    assert.equal(told(next(options)?.decision), 'RemoveMember');
    views[0] = {probe: answers(0, 1, {leader: idOf(0)})};
    const decision = next(options)?.decision;
    const draft = {run: structuredClone(options.status?.run), heldPods: ['etcd-1', 'etcd-2']};
    if (decision?.kind === 'done') decision.record?.(draft);
    assert.deepEqual([draft.heldPods, draft.run?.joins?.[0]?.gone], [['etcd-1'], true]);
  });
  it('scaled down: a member that waited and has no ordinal any more stops nothing', () => {
    const deferred: Run = {...after, joins: [{pod: 'etcd-2', attempt: 1, deferred: {reason: 'FencingUnproven', message: ''}}], steps: [{name: 'Join etcd-2', state: 'Deferred'}, {name: 'Release', state: 'Running'}]};
    assert.equal(next(two(deferred))?.name, 'Join etcd-2');
    assert.equal(told(release(observationOf(two(deferred)))), 'record');
    assert.deepEqual(reopens(observationOf(two({...deferred, outcome: 'Degraded', finishedAt: new Date(now).toISOString()}))), ['Join etcd-2']);
  });
  it('scaled down and up again: the name is held again', () => {
    const decision = next(of({...after, joins: [{pod: 'etcd-2', attempt: 1, gone: true}], steps: [...joins('Done'), {name: 'Verify', state: 'Running'}]}))?.decision;
    assert.equal(decision?.kind, 'record');
  });
});

describe('a resource that is deleted when its set is gone', () => {
  const deleted = (more: ObservationOptions) => {
    const observation = observationOf(of(after, more));
    observation.resource.metadata.deletionTimestamp = new Date(now);
    return observation;
  };
  it('leaves nothing of the run behind: helper pods, gated pods and fences go before its own finalizer', () => {
    const helper: V1Pod = {metadata: {name: 'force', finalizers: fence}};
    const stopping: V1Pod = {metadata: {name: 'stopping', finalizers: fence, deletionTimestamp: new Date(now)}, spec: {containers: [], nodeName: 'node-0'}};
    const strays = [gated(1), ownPodOf(0, {deleting: true, finalizers: fence, node: 'dead'})];
    const observation = deleted({ordinals: [], more: {set: undefined, helpers: [helper, stopping], strays}});
    assert.equal(mayDepart(observation), true);
    assert.deepEqual(leaveNothing(observation).map((action) => `${action.type} ${'pod' in action && typeof action.pod !== 'string' ? action.pod.metadata?.name ?? '' : ''}`), ['DeletePod force', 'ReleasePod stopping', 'DeletePod etcd-1', 'ReleasePod etcd-0']);
  });
  it('does not wait for a set that is going itself, whose pods are behind a fence', () => {
    const set = newSet(3);
    Object.assign(set.metadata ?? {}, {deletionTimestamp: new Date(now)});
    const observation = deleted({set, ordinals: [{object: ownPodOf(0, {deleting: true, finalizers: fence})}, held(1), held(2)]});
    assert.equal(mayDepart(observation), true);
    assert.equal(leaveNothing(observation).length, 1);
  });
  it('lets its pods go when the namespace goes: they have to be gone before the resource is deleted itself', () => {
    const stopping = ownPodOf(0, {deleting: true, finalizers: fence, statuses: [ended()]});
    const all = {ordinals: [{object: stopping}, held(1), held(2)], more: {namespaceGoing: true}};
    const found = interrupted(observationOf(of(before, all)));
    assert.equal(found && 'ends' in found && found.ends.reason, 'Deleted');
    assert.equal(told(letGo(observationOf({...of(before, all), status: {run: before, heldPods: []}}))), 'UngatePod etcd-1,UngatePod etcd-2,ReleasePod etcd-0');
    assert.match(told(next(of(after, all))?.decision), /ReleasePod etcd-0/);
  });
  it('has nothing to take away while the set is there', () => {
    assert.deepEqual(leaveNothing(deleted({more: {helpers: [{metadata: {name: 'force', finalizers: fence}}], strays: [gated(1)]}})), []);
  });
});
