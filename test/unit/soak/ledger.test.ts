import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {declaredBy, Ledger} from '../../soak/ledger.ts';

const ack = (key: string, revision: number, at: number) => ({key, value: key, revision, at});
const declared = {run: 'run-1', survivorRevision: 10, forcedAt: 5_000};

describe('the ledger of a soak', () => {
  const acks = [ack('known', 10, 4_000), ack('beyond', 11, 4_001), ack('lost', 12, 4_002), ack('afterwards', 40, 5_001)];

  it('excuses what the old cluster acknowledged beyond the revision that the run names, and nothing else', () => {
    assert.deepEqual(new Ledger().mayBeGone(acks, declared).map(({key}) => key), ['beyond', 'lost']);
  });

  it('requires for ever what a run could have lost and did not', () => {
    const ledger = new Ledger();
    ledger.lose([acks[2] ?? assert.fail()], declared);
    assert.deepEqual(ledger.required(acks).map(({key}) => key), ['known', 'beyond', 'afterwards']);
    assert.equal(ledger.lost, 1);
    // A later run that starts from further back excuses that one no second time.
    assert.deepEqual(ledger.mayBeGone(acks, {run: 'run-2', survivorRevision: 5, forcedAt: 9_000}).map(({key}) => key), ['known', 'beyond', 'afterwards']);
  });

  it('takes what a run declares from its status once its forced start has ended', () => {
    const run = {id: 'run-1', attempt: 1, startedAt: '2026-01-01T00:00:00Z', steps: [], force: {attempt: 1, pod: 'p', endedAt: '2026-01-01T00:00:05Z'}};
    const status: QuorumRecoveryStatus = {run, dataLoss: {survivorRevision: 10}};
    assert.deepEqual(declaredBy(status), {run: 'run-1', survivorRevision: 10, forcedAt: Date.parse('2026-01-01T00:00:05Z')});
    assert.equal(declaredBy({...status, run: {...run, force: {attempt: 1, pod: 'p'}}}), undefined);
    assert.equal(declaredBy({run: {id: 'run-1', attempt: 1, startedAt: run.startedAt, steps: []}, dataLoss: {survivorRevision: 10}}), undefined);
  });
});
