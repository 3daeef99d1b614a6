import assert from 'node:assert/strict';
import type {Run} from '../../../src/api/types.ts';
import {assess} from '../../../src/decide/assess.ts';
import {besideNotes} from '../../../src/decide/evidence/beside.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {force} from '../../../src/decide/steps/force.ts';
import {plan as planning} from '../../../src/decide/steps/plan.ts';
import {inspect} from '../../../src/decide/steps/inspect.ts';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {perform} from '../../../src/phases/perform.ts';
import type {Probe} from '../../../src/observe/observation.ts';
import {answers, clusterID, ended, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const held = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const identity = {clusterID, version: '3.6.16', members: members(3), source: 'member list of etcd-0'};
const long = new Date(now - 11 * 60_000).toISOString();
const forced = {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, endedAt: new Date(now).toISOString()};
const at = (step: string, more: Partial<Run> = {}): Run => runOf({identity, plan: planOf(), force: forced, steps: [{name: step, state: 'Running', startedAt: new Date(now).toISOString()}], ...more});
const of = (run: Run, more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [{object: ownPodOf(0, {statuses: []}), probe: {kind: 'NotAsked', why: 'its etcd does not run'}}, held(1), held(2)], nodes: [node('node-0')],
  status: {run, members: [recordOf(0), recordOf(1), recordOf(2)], heldPods: run.steps[0]?.name === 'Release' ? [] : ['etcd-1', 'etcd-2']}, ...more,
});
function told(options: ObservationOptions): string {
  const decision = nextStep(observationOf(options))?.decision;
  return decision === undefined ? '' : 'reason' in decision ? `${decision.kind} ${decision.reason}: ${'message' in decision ? decision.message : ''}` : decision.kind;
}

describe('the survivor that serves alone', () => {
  for (const step of ['StartSurvivor', 'Join etcd-1', 'RestartProof', 'Verify', 'Release']) {
    it(`is waited for, and that is said, when its node is NotReady or deleted: ${step}`, () => {
      assert.match(told(of(at(step), {nodes: [node('node-0', {ready: false})]})), /^blocked SurvivorNotServing: node node-0 of etcd-0 is NotReady. No member serves/);
      assert.match(told(of(at(step), {nodes: []})), /^blocked SurvivorNotServing: node node-0 of etcd-0 is deleted/);
      assert.doesNotMatch(told(of(at(step))), /SurvivorNotServing/);
    });
  }
  it('is not the only one that is waited for: without a node for a member that has joined there is no quorum', () => {
    const run = at('Verify', {steps: [{name: 'Join etcd-1', state: 'Done'}, {name: 'Verify', state: 'Running', startedAt: new Date(now).toISOString()}]});
    const joined = (node: string): OrdinalOptions[] => [{object: ownPodOf(0), probe: answers(0, 2)}, {object: ownPodOf(1, {node, statuses: []})}, held(2)];
    const nodes = [node('node-0'), node('node-1')];
    assert.match(told(of(run, {ordinals: joined(''), nodes})), /^blocked SurvivorNotServing: etcd-1 of the 2 members of the new cluster \(etcd-0, etcd-1\) have no Ready node/);
    assert.doesNotMatch(told(of(run, {ordinals: joined('node-1'), nodes})), /SurvivorNotServing/);
  });
  it('is waited for, and that is said, when the node of its disk goes before or while it is forced', () => {
    // With a revision the forced etcd was checked, and its revision is to be moved.
    for (const [step, revision] of [['Force', undefined], ['Force', 50], ['EndForce', 50]] as const) {
      const run = at(step, {force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, ...(revision !== undefined && {revision})}});
      const helper = ownPodOf(0, {uid: 'f', deleting: step === 'EndForce', annotations: {...mark, 'quorumrecovery.io/pod': 'etcd-0', 'quorumrecovery.io/step': 'Force', 'quorumrecovery.io/turn': '1'}});
      helper.metadata = {...helper.metadata, name: 'f', labels: {'quorumrecovery.io/helper': 'Force'}};
      const options = (at: 'NotReadyNode' | 'Node'): ObservationOptions => of(run, {
        ordinals: [{...held(0), place: {at, nodes: ['node-0']}}, held(1), held(2)], nodes: [node('node-0', {ready: at === 'Node'})], more: {helpers: [helper]},
        status: {run, members: [recordOf(0, {fenced: {by: 'KubeletConfirmed', podUID: 'pod-uid-0', at: long}}), recordOf(1), recordOf(2)], heldPods: ['etcd-0', 'etcd-1', 'etcd-2']},
      });
      assert.match(told(options('NotReadyNode')), /^blocked SurvivorNotServing: the volume of etcd-0 is on node node-0, which is NotReady. No member serves/, step);
      assert.doesNotMatch(told(options('Node')), /SurvivorNotServing/, step);
    }
  });
  it('is waited for when its pod has no node and its volume\'s is gone', () => {
    const ordinals = [{object: ownPodOf(0, {node: '', statuses: []}), place: {at: 'NotReadyNode' as const, nodes: ['node-0']}}, held(1), held(2)];
    assert.match(told(of(at('StartSurvivor'), {ordinals, nodes: []})), /the volume of etcd-0 is on node node-0, which is NotReady/);
  });
  it('is not alone any more once others have joined', () => {
    const steps = [{name: 'Join etcd-1', state: 'Done' as const}, {name: 'Join etcd-2', state: 'Done' as const}, {name: 'Verify', state: 'Running' as const}];
    assert.match(told(of(at('Verify', {steps}), {nodes: []})), /The members that have joined serve/);
  });
  it('that does not come up is said after verification.timeout, not before', () => {
    assert.equal(told(of(at('StartSurvivor'))), 'wait');
    assert.match(told(of(at('StartSurvivor', {steps: [{name: 'StartSurvivor', state: 'Running', startedAt: long}]}))), /^blocked SurvivorNotServing: after 10m: etcd-0 is coming up/);
  });
});

describe('a restart proof', () => {
  it('that fails is said after verification.timeout, and goes on', () => {
    const restart = {pod: 'etcd-2', podUID: 'before'};
    const options = (startedAt: string) => of(at('RestartProof', {restart, steps: [{name: 'RestartProof', state: 'Running', startedAt}]}), {
      ordinals: [{probe: answers(0, 3, {leader: idOf(0)})}, {probe: answers(1, 3, {leader: idOf(0)})}, {object: ownPodOf(2, {statuses: [ended('Error')]})}], nodes: [0, 1, 2].map((index) => node(`node-${index}`)),
    });
    assert.equal(told(options(new Date(now).toISOString())), 'wait');
    assert.match(told(options(long)), /^blocked VerificationFailed: the restart proof failed, after 10m: etcd-2 starts from the template.*ended with Error/);
  });
});

describe('credentials that go bad in the middle of a run', () => {
  const auth = {spec: {target: {statefulSet: 'etcd', auth: {secretName: 'root'}}}};
  it('a Secret that cannot be read stops what has to ask etcd, and is named', () => {
    const missing = {more: {secretProblem: 'spec.target.auth.secretName: there is no Secret db/root'}};
    assert.match(told(of(at('Join etcd-1'), missing)), /^stalled SecretNotFound: spec.target.auth.*db\/root.*goes on by itself/);
    assert.doesNotMatch(told(of(at('LetGo', {aborted: {reason: 'Paused', message: ''}}), missing)), /SecretNotFound/);
  });
  it('nothing is forced without them: the forced etcd could not be checked', () => {
    const ready: ObservationOptions = {
      ordinals: [{object: ownPodOf(0, {gated: true, uid: 'held-0', annotations: mark})}, held(1), held(2)], nodes: [node('node-0')],
      status: {members: [recordOf(0, {fenced: {by: 'KubeletConfirmed', podUID: 'pod-uid-0', at: long}}), recordOf(1), recordOf(2)], run: runOf({identity, plan: planOf()}), heldPods: ['etcd-0', 'etcd-1', 'etcd-2']},
    };
    assert.equal(force(observationOf(ready)).kind, 'act');
    assert.equal(force(observationOf({...ready, more: {secretProblem: 'gone'}})).kind, 'stalled');
  });
  for (const [what, probe, field] of [
    ['a wrong password', {kind: 'Failed', error: 'Unauthenticated', message: 'authentication failed, invalid user ID or password', reached: true}, 'the user and password of Secret db/root \\(spec.target.auth\\)'],
    ['a wrong password of which only the peer port is silent', {kind: 'PeerOnly', clusterID, members: members(1), error: 'Unauthenticated', message: 'authentication failed, invalid user ID or password'}, 'spec.target.auth'],
    ['a refused certificate', {kind: 'Failed', error: 'Certificate', message: 'unknown CA', reached: true}, 'the certificates, as there are none \\(spec.target.tls\\)'],
  ] as [string, Probe, string][]) {
    it(`${what} is said with its field and its Secret when a member answers so`, () => {
      assert.match(told(of(at('Join etcd-1'), {...auth, ordinals: [{probe}, held(1), held(2)]})), new RegExp(`^blocked CredentialsRejected: etcd does not take .*${field}`));
    });
  }
  it('so they are when an act is refused, and nothing is thrown', async () => {
    const observation = observationOf({...of(at('Force')), ...auth});
    for (const [kind, field] of [['Unauthenticated', 'spec.target.auth'], ['PermissionDenied', 'spec.target.auth'], ['Certificate', 'spec.target.tls']] as const) {
      const refuses = {status: () => Promise.reject(new EtcdError(kind, 'no'))} as unknown as EtcdMember;
      const acting = {observation, etcd: {member: () => refuses}, credentials: {}, now: () => now, signal: new AbortController().signal} as unknown as Acting;
      const outcome = await perform(acting, {type: 'CheckForced', pod: ownPodOf(0)});
      assert.equal(outcome.kind === 'blocked' && outcome.reason, 'CredentialsRejected');
      assert.match(outcome.kind === 'blocked' ? outcome.message : '', new RegExp(field));
    }
  });
});

describe('the operator suspects itself', () => {
  const silent = (reached: boolean): Probe => ({kind: 'Failed', error: 'Timeout', message: 'no answer', reached});
  const readyPod = (index: number, ready: boolean) => {
    const pod = ownPodOf(index);
    Object.assign(pod.status ?? {}, {conditions: [{type: 'Ready', status: ready ? 'True' : 'False'}]});
    return pod;
  };
  const verdict = (ordinals: OrdinalOptions[], more: ObservationOptions = {}) => {
    const assessment = assess(observationOf({ordinals, ...more}));
    return 'reason' in assessment ? assessment.reason : assessment.kind;
  };
  const well = (index: number) => ({object: readyPod(index, true), probe: silent(false)});
  it('when no etcd answers and nothing lets it through to pods that their kubelets call Ready', () => {
    assert.equal(verdict([well(0), well(1), well(2)]), 'OperatorCutOff');
    assert.equal(verdict([well(0), held(1), held(2)], {nodes: [node('node-0')]}), 'OperatorCutOff');
  });
  it('not when one of them answers, on whatever port', () => {
    assert.notEqual(verdict([{...well(0), probe: answers(0, 3)}, well(1), well(2)]), 'OperatorCutOff');
    assert.notEqual(verdict([{...well(0), probe: {kind: 'PeerOnly', clusterID, members: members(3), error: 'Timeout', message: ''}}, well(1), well(2)]), 'OperatorCutOff');
  });
  it('not when it is let through, and etcd itself is silent', () => { assert.notEqual(verdict([0, 1, 2].map((index) => ({...well(index), probe: silent(true)}))), 'OperatorCutOff'); });
  it('not when the kubelet says too that they are not well, or does not say anything', () => {
    assert.notEqual(verdict([0, 1, 2].map((index) => ({object: readyPod(index, false), probe: silent(false)}))), 'OperatorCutOff');
    assert.notEqual(verdict([well(0), well(1), well(2)], {nodes: [0, 1, 2].map((index) => node(`node-${index}`, {ready: false}))}), 'OperatorCutOff');
  });
});

describe('a volume for one pod alone (ReadWriteOncePod)', () => {
  const set = newSet(3, {volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {accessModes: ['ReadWriteOncePod']}}]});
  const lost = (index: number): OrdinalOptions => ({object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
  const options = (more: ObservationOptions = {}): ObservationOptions => ({
    set, ordinals: [{probe: answers(0, 3)}, lost(1), lost(2)], nodes: [node('node-0')], spec: {approval: 'Required'},
    status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: runOf()}, ...more,
  });
  it('cannot be read beside its pod: approval is asked on what etcd says, and the plan says so', () => {
    const decision = planning(observationOf(options()));
    assert.equal(decision.kind === 'act' && decision.actions[0]?.type, 'DryRunPods');
    const draft = {run: runOf(), members: []};
    if ('record' in decision) decision.record(draft);
    const {run} = draft as {run: Run};
    assert.equal(run.plan?.ranks[0]?.from, 'etcd');
    assert.match(run.plan.notes.join(), /data-etcd-0 is ReadWriteOncePod.*the plan is made from what its etcd says/);
  });
  it('any other is read first', () => {
    const decision = planning(observationOf({...options(), set: newSet(3)}));
    assert.equal(decision.kind === 'act' && decision.actions[0]?.type, 'CreatePod');
    assert.deepEqual(besideNotes(observationOf({...options(), set: newSet(3)}).ordinals, ['etcd-0']), []);
  });
  it('whose etcd does not answer is not waited for: its data counts, and nobody knows the membership', () => {
    const silent = options({ordinals: [{}, {}, {}], nodes: [0, 1, 2].map((index) => node(`node-${index}`)), status: {run: runOf()}});
    const assessment = assess(observationOf(silent));
    assert.equal(assessment.kind === 'blocked' && assessment.reason, 'ClusterUnknown');
  });
  it('is read once its pod has ended, and that pod\'s object makes way first', () => {
    const old = ownPodOf(0, {deleting: true, statuses: [ended()], finalizers: ['quorumrecovery.io/fence']});
    const two = options({
      ordinals: [{object: old}, {object: ownPodOf(1, {gated: true, annotations: mark})}, held(2), held(3), held(4)], nodes: [node('node-0'), node('node-1')], set: {...set, spec: {...set.spec, replicas: 5}} as typeof set,
      status: {members: [0, 1, 2, 3, 4].map((index) => recordOf(index)), run: runOf({identity: {...identity, members: members(5)}, plan: planOf({candidates: ['etcd-0', 'etcd-1']})})},
    });
    const decision = inspect(observationOf(two));
    assert.match(decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind, /ReleasePod/);
  });
});
