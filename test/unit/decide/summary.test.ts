import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
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
    const read = (pod: string) => ({pod, stage: 'Held' as const, data: 'Present' as const, readAt: new Date(now).toISOString(), etcdutl: {broken: 'page 7: invalid'}});
    const readOf = (pod: string) => summaryOf(step('Verify', waits), {run: runOf({plan, force, offline: [read(pod)]}), dataLoss: {survivorRevision: 5, lastKnownRevision: 5, witnessed: true}}).conditions['DataLossPossible'];
    assert.equal(readOf(plan.survivor), 'True/DatabaseBroken');
    assert.equal(readOf('etcd-9'), 'False/NothingDropped', 'it is another member\'s database that is broken');
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
