import assert from 'node:assert/strict';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import {compareData} from '../../../src/observe/sameData.ts';
import type {OrdinalView} from '../../../src/observe/observation.ts';
import {answers, observationOf, silent} from '../decide/observations.ts';

const views = observationOf({ordinals: [50, 60, 70].map((revision, index) => ({probe: answers(index, 3, {revision})}))}).ordinals;
const hashes = (all: {hash: number; compactRevision: number}[], asked: number[] = []) => ({ordinal}: OrdinalView): EtcdMember => ({
  hashKV: async (revision: number) => {
    asked.push(revision);
    return await Promise.resolve(all[ordinal] ?? {hash: 0, compactRevision: 0});
  },
} as EtcdMember);

describe('the data of all members', () => {
  it('is compared at the revision that all of them have', async () => {
    const asked: number[] = [];
    const compared = await compareData(views, hashes(Array.from({length: 3}, () => ({hash: 7, compactRevision: 1})), asked));
    assert.deepEqual([compared?.same, asked], [true, [50, 50, 50]]);
  });
  it('differs where a hash does, and it is said whose', async () => {
    const compared = await compareData(views, hashes([{hash: 7, compactRevision: 1}, {hash: 7, compactRevision: 1}, {hash: 8, compactRevision: 1}]));
    assert.deepEqual(compared, {same: false, words: 'at revision 50 etcd-0 and etcd-2 have different hashes'});
  });
  it('is not known where one is silent, compacts meanwhile, or refuses', async () => {
    const [first, second] = views;
    assert.ok(first && second);
    assert.equal(await compareData([first, {...second, probe: silent}], hashes([])), undefined);
    assert.equal(await compareData(views, hashes([{hash: 7, compactRevision: 1}, {hash: 7, compactRevision: 1}, {hash: 8, compactRevision: 2}])), undefined);
    const refuses = () => ({hashKV: async () => await Promise.reject(new EtcdError('PermissionDenied', 'no'))} as unknown as EtcdMember);
    assert.equal(await compareData(views, refuses), undefined);
  });
});
