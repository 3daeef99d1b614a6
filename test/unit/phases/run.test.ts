import assert from 'node:assert/strict';
import {specSchema} from '../../../src/api/spec.ts';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {finishRun, markEnded, markRunning, reopen, startRun, wantsRun} from '../../../src/phases/run.ts';
import {discardedEntries} from '../../../src/phases/forcing.ts';
import {now, runOf} from '../decide/observations.ts';

const spec = (request?: string) => specSchema.parse({target: {statefulSet: 'etcd'}, trigger: {request}});
const finishedAt = new Date(now).toISOString();

describe('a run', () => {
  it('is wanted once for a resource, and again for another request only', () => {
    assert.equal(wantsRun({spec: spec(), status: {}}), true);
    assert.equal(wantsRun({spec: spec('x'), status: {run: runOf()}}), false);
    assert.equal(wantsRun({spec: spec(), status: {run: runOf({finishedAt, outcome: 'Recovered'})}}), false);
    assert.equal(wantsRun({spec: spec('x'), status: {run: runOf({finishedAt, outcome: 'Recovered'})}}), true);
    assert.equal(wantsRun({spec: spec('x'), status: {run: runOf({finishedAt, outcome: 'Recovered', request: 'x'})}}), false);
  });
  it('is not wanted while the resource is paused', () => {
    assert.equal(wantsRun({spec: {...spec(), paused: true}, status: {}}), false);
  });
  for (const [reason, again] of [['Paused', true], ['SpecChanged', true], ['PlanChanged', true], ['Deleted', false], ['QuorumOfDataIntact', false]] as const) {
    it(`that ended with ${reason} before it had forced anything is ${again ? 'wanted again' : 'over'}`, () => {
      assert.equal(wantsRun({spec: spec(), status: {run: runOf({finishedAt, outcome: 'Released', aborted: {reason, message: ''}})}}), again);
    });
  }
  it('begins with Plan, another ID and the next attempt', () => {
    const draft: QuorumRecoveryStatus = {run: runOf({finishedAt})};
    startRun(draft, spec('x'), now);
    assert.deepEqual([draft.run?.attempt, draft.run?.request, draft.run?.steps.map((step) => step.name)], [2, 'x', ['Plan']]);
    assert.notEqual(draft.run?.id, 'run-1');
    assert.match(draft.run?.id ?? '', /^run-[0-9a-f]{8}$/);
  });
  it('knows what an earlier run left held', () => {
    const draft: QuorumRecoveryStatus = {run: runOf({finishedAt, outcome: 'Failed', replace: {removed: []}}), heldPods: ['etcd-2']};
    startRun(draft, spec('x'), now);
    assert.deepEqual([draft.run?.heldBefore, draft.heldPods], [['etcd-2'], ['etcd-2']]);
    const free: QuorumRecoveryStatus = {run: runOf({finishedAt}), heldPods: []};
    startRun(free, spec('x'), now);
    assert.equal(free.run?.heldBefore, undefined);
  });
  it('knows who led when the cluster was last whole', () => {
    const lastHealthy = {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, members: [], observedAt: finishedAt};
    const leaderBefore = (leader?: string) => {
      const draft: QuorumRecoveryStatus = {lastHealthy: {...lastHealthy, ...(leader !== undefined && {leader})}};
      startRun(draft, spec(), now);
      return draft.run?.previousLeader;
    };
    assert.deepEqual([leaderBefore('etcd-1'), leaderBefore()], ['etcd-1', undefined]);
  });
  it('keeps the time at which a step began over all its repeats', () => {
    const run = runOf();
    markRunning(run, 'Hold', 'a', now);
    markRunning(run, 'Hold', 'b', now + 5_000);
    markEnded(run, 'Hold', 'Done', 'c', now + 9_000);
    const step = run.steps.find(({name}) => name === 'Hold');
    assert.deepEqual([step?.startedAt, step?.finishedAt, step?.state, step?.message], ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:09.000Z', 'Done', 'c']);
  });
  it('leaves one line in the history, with the time without writes, and ten at most', () => {
    const past = Array.from({length: 10}, (_, index) => ({id: `run-${index + 10}`, outcome: 'Recovered', finishedAt, durationSeconds: 1}));
    const draft: QuorumRecoveryStatus = {run: runOf({writableAt: new Date(now + 8_000).toISOString()}), history: past};
    finishRun(draft, 'Recovered', now + 20_000);
    assert.equal(draft.history?.length, 10);
    assert.deepEqual([draft.history[0]?.id, draft.history[0]?.durationSeconds, draft.history[0]?.unavailableSeconds], ['run-1', 20, 8]);
  });
  it('takes what was suspected, and since when no quorum was there, with it at its end: it was of the cluster before', () => {
    const at = new Date(now).toISOString();
    const draft: QuorumRecoveryStatus = {run: runOf(), suspicion: {since: at, kubernetes: 'k', etcd: 'e'}, quorumEnded: {at, of: 'x'}};
    finishRun(draft, 'Recovered', now + 20_000);
    assert.deepEqual([draft.suspicion, draft.quorumEnded], [undefined, undefined]);
  });
  it('goes on with the members that waited, and verifies again', () => {
    const draft: QuorumRecoveryStatus = {run: runOf({
      finishedAt, outcome: 'Degraded', joins: [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: ''}}],
      steps: [{name: 'Force', state: 'Done'}, {name: 'Join etcd-1', state: 'Deferred'}, {name: 'Verify', state: 'Done'}, {name: 'Release', state: 'Done'}],
    })};
    reopen(draft, ['Join etcd-1'], spec());
    assert.deepEqual(draft.run?.steps.map(({state}) => state), ['Done', 'Pending', 'Pending', 'Pending']);
    assert.deepEqual([draft.run.finishedAt, draft.run.outcome, draft.run.joins?.[0]?.deferred], [undefined, undefined, undefined]);
  });
});

describe('what etcd says that it dropped', () => {
  it('is the last count in its log', () => {
    assert.equal(discardedEntries('{"msg":"discarding uncommitted WAL entries","number-of-discarded-entries":7}\n{"number-of-discarded-entries": 3}'), 3);
  });
  it('is nothing when it says nothing', () => { assert.equal(discardedEntries('{"msg":"starting"}'), 0); });
});
