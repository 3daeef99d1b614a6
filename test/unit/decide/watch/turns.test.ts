import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {isAtWork, turnOf} from '../../../../src/decide/watch/turns.ts';
import type {Waiting} from '../../../../src/decide/watch/turns.ts';
import {condition, planOf, runOf} from '../../cli/fake.ts';

const now = Date.parse('2026-01-01T12:00:00Z');
const iso = (ms: number) => new Date(ms).toISOString();

describe('whether a run is at work', () => {
  const step = (name: string, startedAt: number) => runOf({plan: planOf(), steps: [{name, state: 'Running', startedAt: iso(startedAt)}]});
  const cases: [string, QuorumRecoveryStatus, boolean][] = [
    ['there is none', {}, false],
    ['it has ended', {run: runOf({finishedAt: iso(now)})}, false],
    ['it goes on', {run: step('Stop', now - 60_000)}, true],
    ['it is Blocked: whoever waits would else wait for the person that it waits for', {run: step('Plan', now), conditions: [condition('Stalled', 'True', 'FencingUnproven', '')]}, false],
    ['it waits for an approval', {run: step('Approve', now)}, false],
    ['its step has not ended for half an hour', {run: step('Join etcd-1', now - 30 * 60_000)}, false],
  ];
  for (const [title, status, expected] of cases) {
    it(`is ${expected ? 'said' : 'denied'} where ${title}`, () => { assert.equal(isAtWork(status, now), expected); });
  }
});

describe('whose turn it is', () => {
  const waiting: Waiting[] = [{key: 'db/b', since: iso(2_000)}, {key: 'db/c', since: iso(2_000)}, {key: 'db/a', since: iso(3_000)}, {key: 'db/d', since: iso(1_000)}];
  const begins = (key: string, atWork: number, limit: number) => turnOf(key, waiting, {atWork, limit});

  it('is that of those who lost their quorum first, and by name where that was at once', () => {
    assert.deepEqual(['db/d', 'db/b', 'db/c', 'db/a'].map((key) => begins(key, 1, 3).kind), ['Begins', 'Begins', 'Waits', 'Waits']);
    assert.deepEqual(begins('db/a', 3, 3), {kind: 'Waits', atWork: 3, ahead: 3});
  });
  it('is nobody\'s while as many are at work as may be, or more', () => {
    for (const atWork of [2, 5]) assert.equal(begins('db/d', atWork, 2).kind, 'Waits');
  });
});
