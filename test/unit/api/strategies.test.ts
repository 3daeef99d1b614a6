import assert from 'node:assert/strict';
import {databaseOwner, strategyWords} from '../../../src/api/strategies.ts';
import type {Plan} from '../../../src/api/types.ts';

describe('how a strategy is spoken of', () => {
  it('is the same in an Event, in the question for approval and in the report', () => {
    const said = (strategy: string | undefined) => { const {does, named, survivor, lossless} = strategyWords(strategy); return [does({survivor: 'etcd-1', snapshot: {name: 'daily.db'} as Plan['snapshot'], rebuild: [{name: 'servers'}, {name: 'scripts'}] as Plan['rebuild']}), named('etcd-1'), survivor, lossless === undefined]; };
    assert.deepEqual(said('Restart'), ['restart', 'Restart', undefined, false]);
    assert.deepEqual(said('ReplaceMembers'), ['replace members', 'ReplaceMembers through etcd-1', 'Through', false]);
    assert.deepEqual(said('RestoreSnapshot'), ['restore snapshot daily.db', 'RestoreSnapshot', undefined, true]);
    assert.deepEqual(said('RebuildFromConfig'), ['rebuild from servers, scripts', 'RebuildFromConfig', undefined, true]);
    assert.deepEqual(said('ForceNewCluster'), ['start from etcd-1', 'ForceNewCluster from etcd-1', 'Survivor', true]);
  });
  it('says whose database is restored in the place of a force', () => {
    const snapshot = {name: 'member/snap/db', pod: 'etcd-1', revision: 1, bytes: 1};
    const {does, named, survivor} = strategyWords('RestoreSnapshot', databaseOwner({snapshot}));
    assert.deepEqual([does({survivor: 'etcd-0', snapshot}), named('etcd-1'), survivor], ['restore the database of etcd-1', 'RestoreSnapshot of the database of etcd-1', 'Survivor']);
    assert.equal(databaseOwner({snapshot: {name: 'daily.db', revision: 1, bytes: 1}}), undefined);
  });
  it('is that of a force where nobody knows better: its losses are looked at', () => {
    assert.equal(strategyWords(undefined).lossless, undefined);
    assert.equal(strategyWords('OfALaterVersion').survivor, 'Survivor');
  });
});
