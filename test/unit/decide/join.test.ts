import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Run, StepRecord} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {stepsFor} from '../../../src/decide/plans/plan.ts';
import {mayRetry} from '../../../src/decide/steps/defer.ts';
import {join} from '../../../src/decide/steps/join.ts';
import {prepareJoins} from '../../../src/decide/steps/joinPod.ts';
import type {ListedMember} from '../../../src/etcd/types.ts';
import {answers, clusterID, ended, members, node, now, observationOf, planOf, ownPodOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const list = (...indexes: number[]) => indexes.map((index) => `etcd-${index}=http://etcd-${index}.etcd:2380`).join(',');
const fenced = (index: number) => ({by: 'KubeletConfirmed' as const, podUID: `pod-uid-${index}`, at: new Date(now).toISOString()});
const records = [0, 1, 2].map((index) => recordOf(index, {fenced: fenced(index)}));

const runWith = (steps: StepRecord[], more: Partial<Run> = {}): Run => runOf({
  steps, identity: {clusterID, version: '3.6.16', members: members(3), source: 'member list of etcd-0'},
  plan: planOf(),
  force: {attempt: 1, pod: 'f', podUID: 'f', endedAt: new Date(now).toISOString()},
  ...more,
});

const steps = (one: StepRecord['state'], two: StepRecord['state']): StepRecord[] =>
  [{name: 'Force', state: 'Done'}, {name: 'StartSurvivor', state: 'Done'}, {name: 'Join etcd-1', state: one}, {name: 'Join etcd-2', state: two}, {name: 'Verify', state: 'Pending'}];

const [first, second] = members(3);
if (first === undefined || second === undefined) throw new Error('no members');
const learner: ListedMember = {...second, id: 'b1', name: '', isLearner: true};

/** The survivor serves with these members; what the others' pods are is given. */
const serving = (listed: ListedMember[], one: OrdinalOptions, two: OrdinalOptions, run = runWith(steps('Running', 'Pending'))): ObservationOptions => ({
  ordinals: [{probe: {...answers(0, 3, {leader: 'a0'}), members: listed} as never}, one, two], nodes: [node('node-0'), node('node-1'), node('node-2')],
  status: {members: records, run, heldPods: ['etcd-1', 'etcd-2']},
});
const gated = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, node: '', uid: `held-${index}`, annotations: mark}), place: {at: 'Unbound'}});
const joiner = (index: number, cluster: string, more: {status?: V1Pod['status']; node?: string; member?: string} = {}): OrdinalOptions => {
  const object = ownPodOf(index, {uid: `joiner-${index}`, node: more.node ?? `node-${index}`, statuses: [], annotations: {...mark, 'quorumrecovery.io/initial-cluster': cluster, ...(more.member !== undefined && {'quorumrecovery.io/turn': more.member})}});
  return {object: {...object, status: more.status ?? {}}, place: {at: 'Unbound'}};
};
const told = (decision: Decision | undefined): string =>
  decision === undefined ? 'nothing' : decision.kind === 'act' ? decision.actions.map((action) => action.type).join() : decision.kind;
const started = {podIP: '10.0.0.1', initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: true, restartCount: 0, state: {running: {}}}]};
const agentDone = {...started, initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: true, restartCount: 0, state: {terminated: {exitCode: 0}}}]};

describe('Join', () => {
  const decide = (options: ObservationOptions) => told(join(observationOf(options), 'etcd-1'));
  it('puts a joiner in the place of the gated pod, for exactly the members of the moment', () => {
    const decision = join(observationOf(serving([first], gated(1), gated(2))), 'etcd-1');
    assert.equal(told(decision), 'ReplacePod');
    if (decision.kind === 'act' && decision.actions[0]?.type === 'ReplacePod') assert.equal(decision.actions[0].by.metadata?.annotations?.['quorumrecovery.io/initial-cluster'], list(0, 1));
  });
  it('says that nothing holds the name where the controller made a pod of it after the hold, and stops that pod', () => {
    const at = (ms: number) => new Date(now + ms).toISOString();
    const held = (finishedAt: string): StepRecord[] => [{name: 'Hold', state: 'Done', finishedAt}, ...steps('Running', 'Pending')];
    const controllers = (deleting: boolean): OrdinalOptions => {
      const object = ownPodOf(1, {uid: 'controllers', deleting});
      return {object: {...object, metadata: {...object.metadata, creationTimestamp: new Date(now)}}, place: {at: 'Unbound'}};
    };
    const decision = (deleting: boolean, finishedAt: string) => join(observationOf(serving([first], controllers(deleting), gated(2), runWith(held(finishedAt)))), 'etcd-1');
    assert.equal(told(decision(false, at(-1_000))), 'StopPod');
    const said = decision(true, at(-1_000));
    assert.ok(said.kind === 'blocked' && said.reason === 'HoldNotEnforced' && said.message.includes('made pod etcd-1 although its name is held'), JSON.stringify(said));
    assert.equal(told(decision(true, at(1_000))), 'wait', 'a pod from before the hold is an old one, and no word against the policy');
  });
  it('adds the learner only once the pod has its address', () => {
    assert.equal(decide(serving([first], joiner(1, list(0, 1)), gated(2))), 'wait');
    assert.equal(decide(serving([first], joiner(1, list(0, 1), {status: started}), gated(2))), 'AddLearner');
  });
  it('gives the pod its turn under the learner\'s ID, and promotes once its agent has ended', () => {
    assert.equal(decide(serving([first, learner], joiner(1, list(0, 1), {status: started}), gated(2))), 'GiveTurn');
    assert.equal(decide(serving([first, learner], joiner(1, list(0, 1), {status: started, member: 'b1'}), gated(2))), 'wait');
    assert.equal(decide(serving([first, learner], joiner(1, list(0, 1), {status: agentDone, member: 'b1'}), gated(2))), 'PromoteLearner');
  });
  it('gives a turn anew where the member was taken out and added again', () => {
    assert.equal(decide(serving([first, learner], joiner(1, list(0, 1), {status: started, member: 'b0'}), gated(2))), 'GiveTurn');
  });
  it('makes a pod anew that was made for another member list', () => {
    assert.equal(decide(serving([first], joiner(1, list(0, 1, 2), {status: started}), gated(2))), 'DeletePod');
  });
  it('stays held where its volume has no room, with its learner taken out, and is tried again after five minutes', () => {
    const message = JSON.stringify({ok: false, command: 'prepare-join', run: 'run-1', reason: 'NoSpace', message: 'the volume has 1 MB free'});
    const full = {...started, initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 1, state: {waiting: {reason: 'CrashLoopBackOff'}}, lastState: {terminated: {exitCode: 1, message}}}]};
    const decision = join(observationOf(serving([first, learner], joiner(1, list(0, 1), {status: full, member: 'b1'}), gated(2))), 'etcd-1');
    assert.ok(decision.kind === 'deferred' && decision.reason === 'NoSpace', told(decision));
    assert.deepEqual(decision.actions?.map(({type}) => type), ['RemoveMember', 'DeletePod']);
    const draft = {run: runWith(steps('Running', 'Pending'))};
    decision.record(draft);
    const after = (ms: number) => {
      const deferred: StepRecord = {name: 'Join etcd-1', state: 'Deferred', finishedAt: new Date(now - ms).toISOString()};
      return mayRetry(observationOf(serving([first], gated(1), gated(2), {...draft.run, steps: [deferred]})), 'etcd-1');
    };
    assert.deepEqual([after(10_000), after(301_000)], [false, true]);
  });
  it('is done when the member votes, also before it published its name', () => {
    assert.equal(decide(serving([first, {...learner, isLearner: false}], joiner(1, list(0, 1), {status: agentDone, member: 'b1'}), gated(2))), 'done');
  });
});

describe('a member that nobody ever heard from, whose old pod was stopped late', () => {
  const over = ownPodOf(1, {uid: 'late', deleting: true, statuses: [ended()], finalizers: ['quorumrecovery.io/fence']});
  const decide = (offline: NonNullable<Run['offline']>) => {
    const run = runWith(steps('Running', 'Pending'), {offline});
    const options = serving([first], {object: over, place: {at: 'Node', nodes: ['node-1']} as never}, gated(2), run);
    return told(join(observationOf({...options, status: {...options.status, members: [{pod: 'etcd-1', role: 'Unknown', health: 'Unknown'}]}}), 'etcd-1'));
  };
  it('has its disk read', () => { assert.equal(decide([]), 'CreatePod'); });
  it('is proven ended where the disk holds that voter', () => {
    assert.equal(decide([{pod: 'etcd-1', stage: 'Held', data: 'Present', memberID: 'a1', clusterID}]), 'ReleasePod');
  });
  it('stays held where the disk tells nothing', () => {
    assert.equal(decide([{pod: 'etcd-1', stage: 'Held', data: 'Unreadable', message: 'torn'}]), 'deferred');
  });
  it('is stopped first where it is back on a Ready node, and not where that node is silent', () => {
    const back = (ready: boolean) => {
      const options = serving([first], {object: ownPodOf(1, {uid: 'late'}), place: {at: 'Node', nodes: ['node-1']} as never}, gated(2));
      const run = runWith([...steps('Deferred', 'Done')], {outcome: 'Degraded', joins: [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'FencingUnproven', message: '', nodes: ''}}]});
      return observationOf({...options, nodes: [node('node-0'), node('node-1', {ready})], status: {run, members: [{pod: 'etcd-1', role: 'Unknown', health: 'Unknown'}]}});
    };
    assert.equal(told(join(back(true), 'etcd-1')), 'StopPod');
    assert.equal(told(join(back(false), 'etcd-1')), 'deferred');
    assert.deepEqual([mayRetry(back(true), 'etcd-1'), mayRetry(back(false), 'etcd-1')], [true, false]);
    const verifiedTo = (verify: StepRecord['state'], release: StepRecord['state']) => {
      const made = back(true);
      const {run} = made.status;
      if (run) run.steps = [...steps('Deferred', 'Done').slice(0, -1), {name: 'Verify', state: verify}, {name: 'Release', state: release}];
      return nextStep(made)?.name;
    };
    assert.deepEqual([verifiedTo('Running', 'Pending'), verifiedTo('Done', 'Pending'), verifiedTo('Done', 'Done')], ['Join etcd-1', 'Release', undefined], 'a member that joins late is verified like the others');
    const own = back(true);
    const ordinals = own.ordinals.map((view) => (view.pod === 'etcd-1' ? {...view, object: ownPodOf(1, {uid: 'of-the-run', annotations: mark})} : view));
    assert.equal(mayRetry({...own, ordinals}, 'etcd-1'), false, 'a pod of the run itself is no old one that came back');
  });
});

describe('while a run waits, its joins', () => {
  const starting = (one: OrdinalOptions, two: OrdinalOptions, more: Partial<Run> = {}) =>
    observationOf(serving([first], one, two, runWith([{name: 'Force', state: 'Done'}, {name: 'StartSurvivor', state: 'Running'}, ...steps('Pending', 'Pending').slice(2)], more)));
  const prepare = (one: OrdinalOptions, two: OrdinalOptions, more: Partial<Run> = {}) => told(prepareJoins(starting(one, two, more), 'StartSurvivor'));
  it('are not prepared before the forced etcd was checked', () => {
    const run = runWith([{name: 'Force', state: 'Running'}, ...steps('Pending', 'Pending').slice(2)]);
    assert.equal(told(prepareJoins(observationOf(serving([first], gated(1), gated(2), run)), 'Force')), 'nothing');
  });
  it('get their pods one after the other, each when the one before it has a node', () => {
    assert.equal(prepare(gated(1), gated(2)), 'ReplacePod');
    assert.equal(prepare(joiner(1, list(0, 1), {node: ''}), gated(2)), 'nothing');
    const decision = prepareJoins(starting(joiner(1, list(0, 1)), gated(2)), 'StartSurvivor');
    assert.equal(told(decision), 'ReplacePod');
    if (decision?.kind === 'act' && decision.actions[0]?.type === 'ReplacePod') assert.equal(decision.actions[0].by.metadata?.annotations?.['quorumrecovery.io/initial-cluster'], list(0, 1, 2));
    assert.equal(prepare(joiner(1, list(0, 1)), joiner(2, list(0, 1, 2))), 'nothing');
  });
  it('leave out a member that waits for a node', () => {
    const run = runWith([{name: 'Force', state: 'Done'}, {name: 'Verify', state: 'Running'}, {name: 'Join etcd-1', state: 'Deferred'}, {name: 'Join etcd-2', state: 'Pending'}]);
    const decision = prepareJoins(observationOf(serving([first], gated(1), gated(2), run)), 'Verify');
    if (decision?.kind === 'act' && decision.actions[0]?.type === 'ReplacePod') assert.equal(decision.actions[0].by.metadata?.annotations?.['quorumrecovery.io/initial-cluster'], list(0, 2));
    else assert.fail(told(decision));
  });
  it('are not placed before the survivor has its node, which one of them could take', () => {
    const waits = (object: V1Pod) => told(prepareJoins(observationOf({...serving([first], gated(1), gated(2), runWith(steps('Pending', 'Pending'))), ordinals: [{object}, gated(1), gated(2)]}), 'StartSurvivor'));
    assert.equal(waits(ownPodOf(0, {gated: true, node: '', uid: 'held-0', annotations: mark})), 'nothing');
    assert.equal(waits(ownPodOf(0, {uid: 'own', statuses: []})), 'ReplacePod');
  });
  it('record a lost claim before it is made anew', () => {
    const lost: OrdinalOptions = {...gated(1), place: {at: 'GoneNode', nodes: ['old']}};
    assert.equal(prepare(lost, gated(2)), 'record');
  });
  it('leave old data within reach to Decommission', () => {
    const here: OrdinalOptions = {...gated(1), place: {at: 'Node', nodes: ['node-1']} as never};
    assert.equal(prepare(here, gated(2)), 'nothing');
    assert.equal(prepare(here, gated(2), {joins: [{pod: 'etcd-1', attempt: 1, guarded: true}]}), 'ReplacePod');
  });
  it('take the place of a wait, and of nothing else', () => {
    const waits = observationOf({...serving([first], gated(1), gated(2), runWith([{name: 'Force', state: 'Done'}, {name: 'StartSurvivor', state: 'Running'}, ...steps('Pending', 'Pending').slice(2)])),
      ordinals: [{object: ownPodOf(0, {uid: 'own', statuses: []})}, gated(1), gated(2)]});
    const next = nextStep(waits);
    assert.deepEqual([next?.name, told(next?.decision)], ['StartSurvivor', 'ReplacePod']);
  });
});

describe('the order of the joins', () => {
  it('begins with members whose volumes tie them to a node', () => {
    const observation = observationOf({ordinals: [{}, {place: {at: 'Missing'}}, {place: {at: 'Node', nodes: ['node-2']} as never}], nodes: [node('node-2')]});
    assert.deepEqual(stepsFor(observation, 'etcd-0', []).filter((name) => name.startsWith('Join')), ['Join etcd-2', 'Join etcd-1']);
  });
});
