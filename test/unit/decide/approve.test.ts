import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {interrupted} from '../../../src/decide/interrupt.ts';
import {nextStep} from '../../../src/decide/next.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, idOf, node, observationOf, planOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const gone = (index: number): OrdinalOptions => ({object: undefined, place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const read = (index: number, more: object = {}) =>
  ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Present' as const, memberID: idOf(index), clusterID: 'c1', term: 5, index: 110, commit: 100, revision: 50, ...more});

/** Two of three nodes are deleted, the third member answers and has no leader. */
const lost = (spec: object, status: QuorumRecoveryStatus, more: ObservationOptions = {}): Observation => observationOf({
  ordinals: [{probe: answers(0, 3)}, gone(1), gone(2)], nodes: [node('node-0')], spec,
  status: {members: [recordOf(0), recordOf(1), recordOf(2)], ...status}, ...more,
});
const required = {approval: 'Required'};

/** What the run's status is once its next step was decided, and recorded. */
function after(observation: Observation): {status: QuorumRecoveryStatus; step: string | undefined; decision: Decision} {
  const next = nextStep(observation);
  assert.ok(next);
  const status = structuredClone(observation.status);
  if ('record' in next.decision) next.decision.record(status);
  for (const step of status.run?.steps ?? []) if (step.name === next.name && (next.decision.kind === 'done' || next.name === 'Plan')) step.state = 'Done';
  return {status, step: next.name, decision: next.decision};
}
const planned = (spec: object = required, offline = [read(0)]) => after(lost(spec, {run: runOf({offline})})).status;
const words = (decision: Decision): string => ('why' in decision ? decision.why : decision.message);

describe('a plan that needs approval', () => {
  it('is made from what the disks hold, read beside the pods', () => {
    const {decision} = after(lost(required, {run: runOf()}));
    assert.deepEqual(decision.kind === 'act' && decision.actions.map((action) => action.type), ['CreatePod']);
    assert.deepEqual(planned().run?.plan?.lowest, {term: 5, index: 110});
  });
  it('without it a disk is read where its etcd is silent and nobody has read it: a network volume can be attached again', () => {
    const witness = {clusterID: 'c1', revision: 40, raftIndex: 90, raftTerm: 5, observedAt: '2026-01-01T00:00:00.000Z', members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}))};
    const {decision} = after(lost({}, {run: runOf(), lastHealthy: witness}, {ordinals: [{place: {at: 'Anywhere'}}, gone(1), gone(2)]}));
    assert.deepEqual(decision.kind === 'act' && decision.actions.map((action) => action.type), ['CreatePod'], JSON.stringify(decision).slice(0, 300));
  });
  it('without it the member\'s own word is enough: its commit index', () => {
    assert.deepEqual(planned({}, []).run?.plan?.lowest, {term: 0, index: 100});
  });
  it('shows every rank, every proof, every claim and the expected loss', () => {
    const plan = planned().run?.plan;
    assert.deepEqual(plan?.ranks, [{pod: 'etcd-0', memberID: 'a0', term: 5, index: 110, commit: 100, revision: 50, from: 'disk'}]);
    assert.deepEqual(plan.lost.map(({pod, fenced}) => [pod, fenced]), [['etcd-1', 'NodeDeleted'], ['etcd-2', 'NodeDeleted']]);
    assert.match(plan.lost[0]?.proof ?? '', /node-1/);
    assert.deepEqual(plan.claims.map(({name, pod}) => [name, pod]), [['data-etcd-0', 'etcd-0'], ['data-etcd-1', 'etcd-1'], ['data-etcd-2', 'etcd-2']]);
    assert.match(plan.expectedLoss, /never saw the cluster healthy.*10 entries beyond its commit index/);
  });
  it('waits, and says how to approve it', () => {
    const status = planned();
    const {step, decision} = after(lost(required, status));
    assert.deepEqual([step, decision.kind], ['Approve', 'wait']);
    assert.match(words(decision), new RegExp(`kubectl -n db patch qr etcd .*${status.run?.plan?.hash ?? '?'}`));
  });
  it('goes on with its own hash only', () => {
    const status = planned();
    const approvedPlan = status.run?.plan?.hash ?? '';
    assert.equal(after(lost({...required, approvedPlan: `sha256-${'0'.repeat(32)}`}, status)).decision.kind, 'wait');
    const approved = after(lost({...required, approvedPlan}, status));
    assert.equal(approved.decision.kind, 'done');
    assert.equal(approved.status.run?.approved?.hash, approvedPlan);
    assert.equal(nextStep(lost({...required, approvedPlan}, approved.status))?.name, 'Hold');
  });
  it('asks again, under another hash, when a proof is of another kind', () => {
    const status = planned();
    const before = status.run?.plan?.hash;
    const lostMembers = [{pod: 'etcd-1', memberID: 'a1'}];
    const changed = after(lost({...required, approvedPlan: before, lostMembers}, status));
    assert.equal(changed.decision.kind, 'record');
    assert.notEqual(changed.status.run?.plan?.hash, before);
    assert.equal(after(lost({...required, approvedPlan: before, lostMembers}, changed.status)).decision.kind, 'wait');
  });
  it('asks again when a disk ends before what was approved, and not when it ends after it', () => {
    const status = planned();
    const run = (index: number) => ({...status, run: {...status.run ?? runOf(), offline: [read(0, {index})]}});
    assert.equal(after(lost(required, run(109))).decision.kind, 'record');
    assert.equal(after(lost(required, run(111))).decision.kind, 'wait');
  });
  it('asks again when another survivor is picked, or no copy is to be made', () => {
    const hash = planned().run?.plan?.hash;
    assert.notEqual(planned({...required, survivor: {pod: 'etcd-0'}, preserve: {mode: 'Skip'}}).run?.plan?.hash, hash);
    assert.equal(after(lost({...required, survivor: {pod: 'etcd-1'}}, planned())).decision.kind, 'blocked');
  });
  it('is the same however many sources name the membership', () => {
    const witness = {clusterID: 'c1', revision: 40, raftIndex: 90, raftTerm: 5, observedAt: '2026-01-01T00:00:00.000Z', members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}))};
    assert.equal(after(lost(required, {run: runOf({offline: [read(0)]}), lastHealthy: witness})).status.run?.plan?.hash, planned().run?.plan?.hash);
  });
  it('is not needed any more when the quorum comes back, and needs the disks again when a member falls silent', () => {
    const back = [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a0'})}));
    assert.equal(after(lost(required, planned(), {ordinals: back, nodes: [0, 1, 2].map((index) => node(`node-${index}`)), more: {linearizable: true}})).decision.kind, 'not-needed');
    const unread = planned({}, []);
    const silent = after(lost(required, {...unread, run: {...unread.run ?? runOf(), steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]}}, {ordinals: [{}, gone(1), gone(2)]}));
    assert.equal(silent.status.run?.plan, undefined);
    assert.deepEqual(silent.status.run?.steps.map((step) => step.name), ['Plan']);
  });
});

describe('a run that a person interrupts', () => {
  const steps = [{name: 'Plan', state: 'Done' as const}, {name: 'Hold', state: 'Running' as const}];
  const under = (spec: object, run = runOf({plan: planOf(), steps}), more: ObservationOptions = {}) => interrupted(lost(spec, {run, heldPods: ['etcd-0']}, more));
  const deleted = (observation: Observation) => interrupted({...observation, resource: {...observation.resource, metadata: {...observation.resource.metadata, deletionTimestamp: new Date(0)}}});
  const forced = runOf({plan: planOf(), steps, force: {attempt: 1, pod: 'f', turnGiven: true}});
  it('goes on undisturbed where nobody does', () => { assert.equal(under({}), undefined); });
  it('ends before the force when it is paused, and puts everything back', () => {
    assert.deepEqual(under({paused: true}), {ends: {reason: 'Paused', message: 'spec.paused is set before anything was forced: every held pod is let go'}});
  });
  it('ends before the force when its resource is deleted', () => {
    const found = deleted(lost({}, {run: runOf({plan: planOf(), steps})}));
    assert.equal(found !== undefined && 'ends' in found && found.ends.reason, 'Deleted');
  });
  for (const [what, spec] of Object.entries({'the survivor': {survivor: {pod: 'etcd-0'}}, 'preserve.mode': {preserve: {mode: 'Skip'}}, 'target.launch': {target: {statefulSet: 'etcd', launch: {args: ['x']}}}, 'approval, to Required,': required})) {
    it(`ends before the force when ${what} is changed, and another begins`, () => {
      const found = under(spec);
      assert.ok(found !== undefined && 'ends' in found);
      assert.equal(found.ends.reason, 'SpecChanged');
      assert.match(found.ends.message, /a new run begins/);
    });
  }
  for (const [what, spec] of Object.entries({'a member named lost': {lostMembers: [{pod: 'etcd-1', memberID: 'a1'}]}, 'a canary key': {verification: {canaryKeys: ['x']}}, 'a Secret': {target: {statefulSet: 'etcd', tls: {secretName: 'x'}}}})) {
    it(`takes ${what} as it comes`, () => { assert.equal(under(spec), undefined); });
  }
  it('is finished first once the force may have begun, and says so', () => {
    for (const spec of [{paused: true}, {survivor: {pod: 'etcd-0'}}]) {
      const found = under(spec, forced);
      assert.match(found !== undefined && 'goesOn' in found ? found.goesOn : '', /after the force had begun: this run is finished first/);
    }
    const found = deleted(lost({}, {run: forced}));
    assert.ok(found !== undefined && 'goesOn' in found);
  });
  it('is over: nothing is interrupted any more', () => {
    assert.equal(under({paused: true}, runOf({finishedAt: new Date(0).toISOString(), outcome: 'Recovered'})), undefined);
  });
});
