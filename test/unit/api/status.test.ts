import assert from 'node:assert/strict';
import {statusSchema} from '../../../src/api/status.ts';

const run = {id: 'run-1', attempt: 1, startedAt: '2026-01-31T10:00:00Z', steps: [{name: 'Plan', state: 'Running'}]};

describe('status of a QuorumRecovery', () => {
  it('may be empty', () => {
    assert.deepEqual(statusSchema.parse({}), {});
  });

  it('passes over fields that a later version wrote, at every depth', () => {
    const status = {phase: 'Holding', later: {a: 1}, run: {...run, later: true, steps: [{name: 'Plan', state: 'Running', later: []}]}};
    assert.deepEqual(statusSchema.parse(status), {phase: 'Holding', run});
  });

  it('takes a phase, a step and a condition type that it does not know: no code branches on them', () => {
    const condition = {type: 'Later', status: 'True', reason: 'Later', message: '', lastTransitionTime: '2026-01-31T10:00:00Z'};
    const status = {phase: 'Later', conditions: [condition], run: {...run, steps: [{name: 'Later', state: 'Done'}]}};
    assert.deepEqual(statusSchema.parse(status), status);
  });

  it('takes times with an offset and with fractions of a second', () => {
    for (const startedAt of ['2026-01-31T10:00:00+00:00', '2026-01-31T10:00:00.123Z', '2026-01-31T10:00:00.123456+02:00']) {
      assert.equal(statusSchema.safeParse({run: {...run, startedAt}}).success, true, startedAt);
    }
  });

  it('is told unreadable, and never thrown over, where a value means something else now', () => {
    for (const status of [{run: {...run, attempt: 'two'}}, {run: {...run, steps: [{name: 'Plan', state: 'Later'}]}}, {heldPods: 'etcd-0'}, 'text', null]) {
      assert.equal(statusSchema.safeParse(status).success, false, JSON.stringify(status));
    }
  });

  it('keeps ten runs of history and sixteen held names at most', () => {
    const past = {id: 'run-0', outcome: 'Recovered', finishedAt: '2026-01-31T10:00:00Z', durationSeconds: 20};
    assert.equal(statusSchema.safeParse({history: Array.from({length: 10}, () => past)}).success, true);
    assert.equal(statusSchema.safeParse({history: Array.from({length: 11}, () => past)}).success, false);
    assert.equal(statusSchema.safeParse({heldPods: Array.from({length: 17}, (_, n) => `etcd-${n}`)}).success, false);
  });
});
