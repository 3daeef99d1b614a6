import assert from 'node:assert/strict';
import {specSchema} from '../../../src/api/spec.ts';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import {ConflictError, StatusWriter} from '../../../src/operator/status.ts';
import {Recoverer} from '../../../src/phases/reconciler.ts';
import type {Reporter} from '../../../src/phases/reporter.ts';
import {answers, idOf, newSet, now, ownPodOf} from '../decide/observations.ts';
import {resourceOf} from '../cli/fake.ts';
import {FakeClient} from '../operator/fake-client.ts';
import {settle} from '../operator/fake-clock.ts';

const key = {namespace: 'db', name: 'etcd'};
const lastHealthy = {
  clusterID: 'c1', revision: 50, raftIndex: 100, raftTerm: 5, observedAt: new Date(now - 60_000).toISOString(),
  members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)})),
};

/** etcd-2 answers; nothing comes back from the others, of which one look waits as long as the test likes. */
class Cluster {
  readonly client = new FakeClient();
  readonly clock = {now};
  readonly asked: string[] = [];
  /** Who leads, as etcd-2 says. */
  leader = '';
  readonly #etcd = new EtcdAccess({connect: ({address}) => this.#member(address), peer: () => new Promise(() => undefined), now: () => this.clock.now});
  readonly recoverer = new Recoverer({
    client: this.client, status: new StatusWriter(this.client), etcd: this.#etcd, reporter: {decided: () => undefined, written: () => undefined} as unknown as Reporter,
    agentImage: 'image:1', now: () => this.clock.now, signal: new AbortController().signal,
  });

  constructor() {
    const {client} = this;
    const set = newSet(3);
    client.seed('StatefulSet', set);
    client.seed('Service', {metadata: {name: 'etcd', namespace: 'db'}, spec: {publishNotReadyAddresses: true}});
    for (let index = 0; index < 3; index += 1) {
      client.seed('Node', {metadata: {name: `node-${index}`, uid: `uid-of-node-${index}`}, status: {conditions: [{type: 'Ready', status: 'True'}]}});
      const pod = ownPodOf(index);
      client.seed('Pod', {...pod, metadata: {...pod.metadata, ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: 'set-uid', controller: true}]}});
    }
    const spec = specSchema.parse({target: {statefulSet: 'etcd'}, trigger: {type: 'OnQuorumLoss', gracePeriod: '10m'}});
    client.seed('QuorumRecovery', resourceOf({lastHealthy}, {spec}));
  }

  #member(address: string): EtcdMember {
    const answered = answers(2, 3, {leader: this.leader});
    const say = <T>(answer: T) => (address === '10.0.0.2' ? Promise.resolve(answer) : new Promise<T>(() => undefined));
    if (answered.kind !== 'Answered') throw new Error('it answers');
    const {clusterID, members} = answered;
    return {
      status: () => { this.asked.push(address); return say({...answered.status, leader: this.leader}); }, memberList: ({linearizable = false} = {}) => (linearizable && this.leader === '' ? new Promise(() => undefined) : say({clusterID, members})),
      authEnabled: () => say(false), close: () => undefined,
    } as unknown as EtcdMember;
  }

  async suspected(): Promise<boolean> {
    return (await this.client.get('QuorumRecovery', 'db', 'etcd'))?.status?.suspicion !== undefined;
  }

  close(): void {
    this.#etcd.close();
  }
}

describe('what etcd pushes: that a member has no leader', () => {
  let cluster: Cluster;
  beforeEach(() => { cluster = new Cluster(); });
  afterEach(() => { cluster.close(); });

  it('is suspected while a look at everybody still waits for members that are silent', async () => {
    const looking = cluster.recoverer.reconcile(key);
    await settle();
    assert.deepEqual([cluster.asked.length, await cluster.suspected()], [3, false]);
    cluster.recoverer.onLeaderless('db/etcd', 'etcd-2');
    await settle();
    assert.equal(await cluster.suspected(), true);
    // It goes on with everybody, and there it waits.
    assert.equal(await Promise.race([looking, settle().then(() => 'waits')]), 'waits');
    assert.deepEqual(cluster.asked.slice(3), ['10.0.0.2', '10.0.0.0', '10.0.0.1', '10.0.0.2']);
  });

  it('is asked of that member alone again where the suspicion could not be written', async () => {
    let refusals = 1;
    cluster.client.intercept = (verb, kind) => {
      if (verb === 'update' && kind === 'QuorumRecovery/status' && (refusals -= 1) >= 0) throw new ConflictError('QuorumRecovery db/etcd');
    };
    cluster.recoverer.onLeaderless('db/etcd', 'etcd-2');
    await assert.rejects(cluster.recoverer.reconcile(key), ConflictError);
    assert.equal(await cluster.suspected(), false);
    void cluster.recoverer.reconcile(key);
    await settle();
    assert.equal(await cluster.suspected(), true);
    assert.deepEqual(cluster.asked.slice(0, 2), ['10.0.0.2', '10.0.0.2']);
  });

  it('is forgotten where it has a leader again: everybody is asked then', async () => {
    cluster.leader = idOf(0);
    cluster.recoverer.onLeaderless('db/etcd', 'etcd-2');
    void cluster.recoverer.reconcile(key);
    await settle();
    assert.deepEqual([cluster.asked, await cluster.suspected()], [['10.0.0.2', '10.0.0.0', '10.0.0.1', '10.0.0.2'], false]);
  });
});
