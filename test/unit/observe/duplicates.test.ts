import assert from 'node:assert/strict';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import {observe} from '../../../src/observe/observe.ts';
import {resourceOf} from '../cli/fake.ts';
import {FakeClient} from '../operator/fake-client.ts';

describe('of two resources for one StatefulSet', () => {
  let client: FakeClient;
  let etcd: EtcdAccess;
  beforeEach(() => {
    client = new FakeClient();
    etcd = new EtcdAccess();
  });
  afterEach(() => { etcd.close(); });

  const seed = (name: string, day: number, status: QuorumRecoveryStatus = {}, more: object = {}): QuorumRecovery => client.seed('QuorumRecovery', resourceOf(status, {
    metadata: {name, uid: `uid-${name}`, creationTimestamp: new Date(Date.UTC(2026, 0, day)), ...more},
  }));
  const duplicateOf = async (resource: QuorumRecovery) =>
    (await observe({client, etcd, agentImage: undefined, now: () => 0}, resource, undefined, 'Kubernetes')).observation.duplicateOf;

  it('the older one works, whatever labels either has: they may belong to two operators', async () => {
    const [older, younger] = [seed('b', 1, {}, {labels: {shard: 'b'}}), seed('a', 2, {}, {labels: {shard: 'a'}})];
    assert.deepEqual([await duplicateOf(older), await duplicateOf(younger)], [undefined, 'b']);
  });
  it('the one works that holds pods of it already, even if it is younger, or on its way out', async () => {
    const older = seed('b', 1);
    const younger = seed('a', 2, {heldPods: ['etcd-0']}, {deletionTimestamp: new Date(0)});
    assert.deepEqual([await duplicateOf(older), await duplicateOf(younger)], ['a', undefined]);
  });
  it('one on its way out that holds nothing is in nobody\'s way', async () => {
    seed('b', 1, {}, {deletionTimestamp: new Date(0)});
    assert.equal(await duplicateOf(seed('a', 2)), undefined);
  });
});
