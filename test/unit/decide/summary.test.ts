import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {summarize} from '../../../src/decide/summary.ts';
import type {Standing} from '../../../src/decide/summary.ts';
import {now, planOf, runOf} from './observations.ts';

const plan = planOf();
const step = (name: string, decision: Decision): Standing => ({at: 'step', step: name, decision});
const waits: Decision = {kind: 'wait', why: 'waiting', ms: 1};

/** Conditions as `Type=Status/Reason`, and the phase. */
function summaryOf(standing: Standing, status: QuorumRecoveryStatus = {run: runOf()}): {phase: string | undefined; conditions: Record<string, string>} {
  const draft = structuredClone(status);
  summarize(draft, standing, 3, now);
  assert.ok(draft.conditions?.every((condition) => condition.observedGeneration === 3));
  return {phase: draft.phase, conditions: Object.fromEntries((draft.conditions ?? []).map(({type, status: is, reason}) => [type, `${is}/${reason}`]))};
}

describe('the conditions of a resource', () => {
  it('say Reconciling while a step goes on, and nothing of Stalled', () => {
    const {phase, conditions} = summaryOf(step('Stop', waits));
    assert.equal(phase, 'Holding');
    assert.deepEqual(conditions, {'Ready': 'Unknown/Progressing', 'Reconciling': 'True/Progressing', 'Complete': 'False/Progressing'});
  });
  it('say Stalled, and nothing of Reconciling, while a run is blocked', () => {
    const {phase, conditions} = summaryOf(step('Plan', {kind: 'blocked', reason: 'FencingUnproven', message: 'm'}));
    assert.equal(phase, 'Blocked');
    assert.deepEqual(conditions, {'Ready': 'False/FencingUnproven', 'Stalled': 'True/FencingUnproven', 'Complete': 'False/FencingUnproven'});
  });
  it('say Degraded with what is wrong while a quorum serves, unless members wait to join', () => {
    const findings = [{case: 'MemberBehind' as const, pod: 'etcd-1', behind: 9_000, message: 'it is behind'}];
    const over = runOf({outcome: 'Degraded', finishedAt: new Date(now).toISOString(), joins: [{pod: 'etcd-2', attempt: 1, deferred: {reason: 'Unschedulable', message: 'no node'}}]});
    assert.equal(summaryOf({at: 'watching'}, {findings}).conditions['Degraded'], 'True/MemberBehind');
    assert.equal(summaryOf({at: 'watching'}, {findings, run: over}).conditions['Degraded'], 'True/Unschedulable');
    assert.equal(summaryOf({at: 'watching'}, {}).conditions['Degraded'], undefined);
  });
  it('say of a restart only of those pods that they are up again which serve', () => {
    const at = new Date(now).toISOString();
    const message = (...back: (boolean | undefined)[]): string | undefined => {
      const restarted = back.map((is, index) => ({pod: `etcd-${index}`, at, ...(is !== undefined && {back: is})}));
      const draft: QuorumRecoveryStatus = {run: runOf({outcome: 'Recovered', finishedAt: at, plan: planOf({strategy: 'Restart'}), restarted})};
      summarize(draft, {at: 'watching'}, 3, now);
      return draft.conditions?.find(({type}) => type === 'Ready')?.message;
    };
    assert.match(message(false, true) ?? '', /^brought etcd-1 up again in 0 s/);
    assert.match(message(false) ?? '', /^a quorum came back, without any pod that was restarted, in/);
    assert.match(message() ?? '', /^a quorum came back, before any pod was restarted, in/);
  });
  it('say that leadership is not moved while a run is in flight', () => {
    const before = {type: 'PreferredLeader', status: 'True' as const, reason: 'Leads', message: '', lastTransitionTime: new Date(now).toISOString()};
    assert.equal(summaryOf(step('Stop', waits), {run: runOf(), conditions: [before]}).conditions['PreferredLeader'], 'Unknown/RunInFlight');
    assert.equal(summaryOf({at: 'watching'}, {conditions: [{...before, observedGeneration: 3}]}).conditions['PreferredLeader'], 'True/Leads');
  });
  it('say Stalled where the resource itself cannot be worked with', () => {
    const {phase, conditions} = summaryOf({at: 'stalled', reason: 'InvalidSpec', message: 'm'}, {});
    assert.equal(phase, 'Stalled');
    assert.deepEqual(conditions, {'Ready': 'False/InvalidSpec', 'Stalled': 'True/InvalidSpec', 'Complete': 'False/InvalidSpec'});
  });
  for (const [outcome, ready, succeeded] of [['Recovered', 'True', 'True'], ['NotNeeded', 'True', 'True'], ['Degraded', 'True', 'True'], ['Released', 'False', 'False'], ['Failed', 'False', 'False']] as const) {
    it(`end with Complete, and Succeeded=${succeeded}, after ${outcome}`, () => {
      const {conditions} = summaryOf({at: 'watching'}, {run: runOf({outcome, finishedAt: new Date(now).toISOString()})});
      assert.deepEqual([conditions['Ready'], conditions['Complete'], conditions['Succeeded'], conditions['Reconciling'], conditions['Stalled']], [`${ready}/${outcome}`, `True/${outcome}`, `${succeeded}/${outcome}`, undefined, undefined]);
    });
  }
  it('take Succeeded back when another run begins', () => {
    const before = summaryOf({at: 'watching'}, {run: runOf({outcome: 'Recovered', finishedAt: new Date(now).toISOString()})});
    assert.equal(before.conditions['Succeeded'], 'True/Recovered');
    const draft: QuorumRecoveryStatus = {run: runOf(), conditions: [{type: 'Succeeded', status: 'True', reason: 'Recovered', message: '', lastTransitionTime: new Date(now).toISOString()}]};
    assert.equal(summaryOf(step('Plan', waits), draft).conditions['Succeeded'], undefined);
  });
  it('say that a plan waits for its approval', () => {
    const {phase, conditions} = summaryOf(step('Approve', waits), {run: runOf({plan})});
    assert.equal(phase, 'AwaitingApproval');
    assert.deepEqual([conditions['Ready'], conditions['Reconciling']], ['Unknown/AwaitingApproval', 'True/AwaitingApproval']);
  });
  it('say Paused while no run may begin, and keep the result of a run that had one', () => {
    assert.equal(summaryOf({at: 'paused'}, {}).conditions['Ready'], 'Unknown/Paused');
    const finishedAt = new Date(now).toISOString();
    assert.equal(summaryOf({at: 'paused'}, {run: runOf({finishedAt, outcome: 'Released', aborted: {reason: 'Paused', message: 'm'}})}).conditions['Ready'], 'Unknown/Paused');
    assert.equal(summaryOf({at: 'paused'}, {run: runOf({finishedAt, outcome: 'Recovered'})}).conditions['Ready'], 'True/Recovered');
  });
  it('say beside what goes on why an interruption has to wait', () => {
    const draft: QuorumRecoveryStatus = {run: runOf({plan})};
    summarize(draft, {at: 'step', step: 'Verify', decision: waits, note: 'spec.paused is set after the force had begun'}, 3, now);
    assert.match(draft.conditions?.find(({type}) => type === 'Ready')?.message ?? '', /waiting \(spec\.paused is set/);
  });
  it('name what is held, while it is', () => {
    assert.equal(summaryOf(step('Stop', waits), {run: runOf(), heldPods: ['etcd-0']}).conditions['Held'], 'True/Held');
    assert.equal(summaryOf(step('Stop', waits), {run: runOf(), heldPods: []}).conditions['Held'], undefined);
  });
  it('say at the end of a run who stays held since an earlier one, and what brings them back', () => {
    const messageOf = (outcome: 'NotNeeded' | 'Released' | 'Degraded', more: Partial<Run> = {}, heldPods = ['etcd-2']) => {
      const draft: QuorumRecoveryStatus = {heldPods, run: runOf({outcome, finishedAt: new Date(now).toISOString(), heldBefore: ['etcd-2'], plan, ...more})};
      summarize(draft, {at: 'watching'}, 1, now);
      return draft.conditions?.find(({type}) => type === 'Ready')?.message ?? '';
    };
    for (const outcome of ['NotNeeded', 'Released', 'Degraded'] as const) assert.match(messageOf(outcome), /etcd-2 stays held since an earlier run.*ReplaceMembers.*spec\.trigger\.request$/);
    assert.doesNotMatch(messageOf('NotNeeded', {}, []), /held/);
    assert.doesNotMatch(messageOf('Degraded', {joins: [{pod: 'etcd-2', attempt: 1, deferred: {reason: 'Unschedulable', message: 'no node'}}]}), /held/);
  });
  it('name what is deferred, while it is', () => {
    const joins = [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: 'no node'}}];
    assert.equal(summaryOf(step('Verify', waits), {run: runOf({joins})}).conditions['Degraded'], 'True/Unschedulable');
  });
  it('say QuorumLost from the plan until the first write, and before when fewer than needed answer', () => {
    const quorum = {voters: 3, needed: 2, healthy: 1, summary: '1/3'};
    assert.equal(summaryOf(step('Plan', waits), {run: runOf(), quorum}).conditions['QuorumLost'], 'True/BelowQuorum');
    assert.equal(summaryOf(step('Stop', waits), {run: runOf({plan}), quorum}).conditions['QuorumLost'], 'True/LostForGood');
    assert.equal(summaryOf(step('Verify', waits), {run: runOf({plan, writableAt: new Date(now).toISOString()}), quorum}).conditions['QuorumLost'], 'False/QuorumHolds');
  });
  it('are honest about what was lost', () => {
    const force = {attempt: 1, pod: 'p', endedAt: new Date(now).toISOString()};
    const lossOf = (dataLoss: NonNullable<QuorumRecoveryStatus['dataLoss']>) => summaryOf(step('Verify', waits), {run: runOf({plan, force}), dataLoss}).conditions['DataLossPossible'];
    assert.equal(lossOf({survivorRevision: 5, lastKnownRevision: 5, witnessed: true, discardedEntries: 0}), 'False/NothingDropped');
    assert.equal(lossOf({survivorRevision: 5, lastKnownRevision: 5, witnessed: false, discardedEntries: 0}), 'Unknown/NoWitness');
    assert.equal(lossOf({survivorRevision: 5, lastKnownRevision: 5, witnessed: true, longerLogs: ['the log of etcd-3 ends later']}), 'True/LongerLogElsewhere');
    assert.equal(lossOf({survivorRevision: 5, lastKnownRevision: 6, discardedEntries: 0}), 'True/BehindWitness');
    assert.equal(lossOf({survivorRevision: 5, discardedEntries: 0}), 'Unknown/NoWitness');
    assert.equal(lossOf({survivorRevision: 5, lastKnownRevision: 5, discardedEntries: 2}), 'True/EntriesDiscarded');
    const given = summaryOf(step('Verify', waits), {run: runOf({plan: {...plan, givenUp: ['etcd-1']}, force}), dataLoss: {survivorRevision: 5, lastKnownRevision: 5, witnessed: true}}).conditions['DataLossPossible'];
    assert.equal(given, 'True/PresentDataSetAside');
    const read = (pod: string) => ({pod, stage: 'Held' as const, data: 'Present' as const, readAt: new Date(now).toISOString(), etcdutl: {broken: 'page 7: invalid'}});
    const readOf = (pod: string) => summaryOf(step('Verify', waits), {run: runOf({plan, force, offline: [read(pod)]}), dataLoss: {survivorRevision: 5, lastKnownRevision: 5, witnessed: true}}).conditions['DataLossPossible'];
    assert.equal(readOf(plan.survivor), 'True/DatabaseBroken');
    assert.equal(readOf('etcd-9'), 'False/NothingDropped', 'it is another member\'s database that is broken');
  });
  it('say of a replacement that nothing was lost once the members are removed and while a quorum serves, and not before', () => {
    const replaced = (state: 'Running' | 'Done', more: Partial<Run> = {}) => summaryOf(step('Verify', waits), {run: runOf({
      plan: planOf({strategy: 'ReplaceMembers'}), replace: {removed: []}, steps: [{name: 'Remove', state}], ...more,
    })}).conditions['DataLossPossible'];
    const unservedSince = new Date(now).toISOString();
    assert.equal(replaced('Done'), 'False/QuorumKept');
    assert.deepEqual([replaced('Running'), replaced('Done', {unservedSince}), replaced('Done', {outcome: 'Failed', finishedAt: unservedSince})], [undefined, undefined, undefined]);
  });
  it('name as replaced only members that have joined', () => {
    const lost = ['etcd-1', 'etcd-2'].map((pod) => ({pod, fenced: 'NodeDeleted'}));
    const messageOf = (...states: ('Done' | 'Deferred')[]) => {
      const draft: QuorumRecoveryStatus = {run: runOf({
        plan: planOf({strategy: 'ReplaceMembers', lost}), outcome: 'Degraded', finishedAt: new Date(now).toISOString(),
        joins: states.map((state, index) => ({pod: `etcd-${index + 1}`, attempt: 1, ...(state === 'Deferred' && {deferred: {reason: 'Unschedulable', message: 'no node'}})})),
        steps: states.map((state, index) => ({name: `Join etcd-${index + 1}`, state})),
      })};
      summarize(draft, {at: 'watching'}, 1, now);
      return draft.conditions?.find(({type}) => type === 'Ready')?.message;
    };
    assert.equal(messageOf('Done', 'Deferred'), 'replaced etcd-1 and verified, but not whole: no node');
    assert.equal(messageOf('Deferred', 'Deferred'), 'replaced no member yet and verified, but not whole: no node; no node');
  });
  it('keep the time of their last change while the status stays', () => {
    const draft: QuorumRecoveryStatus = {run: runOf()};
    summarize(draft, step('Stop', waits), 1, now);
    summarize(draft, step('Force', waits), 1, now + 60_000);
    assert.equal(draft.conditions?.find(({type}) => type === 'Ready')?.lastTransitionTime, '2026-01-01T00:00:00Z');
  });
  it('count the steps that are done', () => {
    const draft: QuorumRecoveryStatus = {run: runOf({plan, steps: [{name: 'Plan', state: 'Done'}, {name: 'Hold', state: 'Running'}, {name: 'Stop', state: 'Pending'}]})};
    summarize(draft, step('Hold', waits), 1, now);
    assert.equal(draft.run?.progress, '1/3');
  });
});
