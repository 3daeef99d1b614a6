import assert from 'node:assert/strict';
import {highestRevision, knownLoss, longerLogs} from '../../../../src/decide/evidence/loss.ts';
import {recordOf, runOf} from '../observations.ts';

const disk = (pod: string, term: number, index: number, more: object = {}) => ({pod, stage: 'Held' as const, data: 'Present' as const, term, index, revision: index - 10, ...more});
const witness = (revision: number) => ({clusterID: 'c', revision, raftIndex: 1, raftTerm: 1, members: [], observedAt: '2026-01-01T00:00:00.000Z'});

describe('what is known to be missing', () => {
  it('is measured by the highest revision that was seen anywhere', () => {
    assert.equal(highestRevision({lastHealthy: witness(40)}), 40);
    assert.equal(highestRevision({lastHealthy: witness(40), lastServed: {revision: 44, at: '2026-01-01T00:00:00.000Z'}}), 44);
    assert.equal(highestRevision({lastHealthy: witness(40), members: [recordOf(0, {revision: 45})]}), 45);
    assert.equal(highestRevision({members: [recordOf(0, {revision: 45})], run: runOf({offline: [disk('etcd-1', 3, 60)]})}), 50);
  });
  it('is not known where nobody watched', () => {
    assert.deepEqual(knownLoss({}, 7), {survivorRevision: 7, witnessed: false});
    assert.deepEqual(knownLoss({lastHealthy: witness(9)}, 7), {survivorRevision: 7, lastKnownRevision: 9, witnessed: true});
  });
  it('names the disks whose logs go further than the survivor\'s, and why they were not it', () => {
    const run = runOf({offline: [disk('etcd-0', 5, 100), disk('etcd-1', 5, 99), disk('etcd-2', 5, 101, {unfit: 'its database cannot be read'}), disk('etcd-3', 6, 1)]});
    assert.deepEqual(longerLogs({run}, 'etcd-0', {term: 5, index: 100}), [
      'the log of etcd-2 ends at term 5, index 101, and no cluster can start from it: its database cannot be read', 'the log of etcd-3 ends at term 6, index 1',
    ]);
  });
});
