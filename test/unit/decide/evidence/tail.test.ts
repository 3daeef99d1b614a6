import assert from 'node:assert/strict';
import {laterEntryTerm} from '../../../../src/decide/evidence/tail.ts';
import {endsBefore} from '../../../../src/etcd/wal/log-end.ts';
import {runOf} from '../observations.ts';

const disk = (pod: string, term: number) => ({pod, stage: 'Held' as const, data: 'Present' as const, term});
const witness = (raftTerm: number) => ({clusterID: 'c', revision: 1, raftIndex: 1, raftTerm, members: [], observedAt: '2026-01-01T00:00:00.000Z'});

describe('the highest term of an entry that others than the survivor showed', () => {
  it('is that of the other disks and of the witness, not its own', () => {
    assert.equal(laterEntryTerm({run: runOf({offline: [disk('etcd-0', 9), disk('etcd-1', 5), disk('etcd-2', 6)]})}, 'etcd-0'), 6);
    assert.equal(laterEntryTerm({run: runOf({offline: [disk('etcd-1', 5)]}), lastHealthy: witness(7)}, 'etcd-0'), 7);
  });
  it('is not what members said of elections', () => {
    const members = [{pod: 'etcd-1', role: 'Voter' as const, health: 'NoLeader' as const, raftTerm: 12}];
    assert.equal(laterEntryTerm({run: runOf(), members}, 'etcd-0'), undefined);
  });
});

describe('the end of a log', () => {
  for (const [found, lowest, before] of [
    [{term: 5, index: 9}, {term: 5, index: 10}, true], [{term: 5, index: 10}, {term: 5, index: 10}, false], [{term: 6, index: 9}, {term: 5, index: 10}, false],
    [{term: 4, index: 11}, {term: 5, index: 10}, true], [{term: 4, index: 10}, {term: 0, index: 10}, false], [{term: 9, index: 9}, {term: 0, index: 10}, true],
  ] as const) {
    it(`at term ${found.term}, index ${found.index} is ${before ? '' : 'not '}before term ${lowest.term}, index ${lowest.index}`, () => { assert.equal(endsBefore(found, lowest), before); });
  }
});
