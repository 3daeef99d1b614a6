import assert from 'node:assert/strict';
import type {Run} from '../../../src/api/types.ts';
import type {Outcome} from '../../../src/decide/decision.ts';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember, MemberAlarm} from '../../../src/etcd/types.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {proveNewCluster} from '../../../src/phases/newCluster.ts';
import {answers, clusterID, idOf, members, now, observationOf, ownPodOf, planOf, runOf} from '../decide/observations.ts';

const old = {pod: 'etcd-0', memberID: 'dead', term: 5, index: 95, commit: 95, revision: 48, from: 'disk' as const};
const own = {plan: planOf({strategy: 'RestoreSnapshot', snapshot: {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 1, index: 95}, ranks: [old]})};

/** What is done before the first write of a new cluster of one member, with these alarms in its data, and what comes of it. */
async function proven(alarms: MemberAlarm[], {put, sinceMs = 0, run = own}: {put?: () => Promise<never>; sinceMs?: number; run?: Partial<Run>} = {}): Promise<{done: string[]; outcome: Outcome}> {
  const done: string[] = [];
  const say = (what: string) => { done.push(what); return Promise.resolve({revision: 1_000}); };
  const probe = answers(0, 1, {leader: idOf(0)});
  const member = {
    status: () => Promise.resolve(probe.kind === 'Answered' ? probe.status : undefined), memberList: () => Promise.resolve({clusterID, members: members(1)}),
    alarms: () => Promise.resolve(alarms), compact: () => say('compact'), defragment: () => say('defragment'), disarm: ({alarm, memberID}: MemberAlarm) => say(`disarm ${alarm} of ${memberID}`),
    put: put ?? (() => say('put')),
  } as unknown as EtcdMember;
  const observation = observationOf({ordinals: [{object: ownPodOf(0)}], status: {run: runOf({
    newCluster: {attempt: 1, members: ['etcd-0'], clusterID, seeded: ['etcd-0']}, steps: [{name: 'StartAll', state: 'Running', startedAt: new Date(now - sinceMs).toISOString()}], ...run,
  })}});
  const outcome = await proveNewCluster({observation, etcd: {member: () => member}, now: () => now, credentials: {}} as unknown as Acting, ['etcd-0'], {canaries: false, step: 'StartAll'});
  return {done, outcome};
}
const reasonOf = (outcome: Outcome) => ('reason' in outcome ? outcome.reason : outcome.kind);
const words = (outcome: Outcome) => ('message' in outcome ? outcome.message ?? '' : '');

describe('the first write of a new cluster', () => {
  it('is all that is done where no alarm came with the data', async () => {
    const {done, outcome} = await proven([]);
    assert.deepEqual([done, reasonOf(outcome)], [['put'], 'done']);
  });

  it('comes after a full database was compacted, defragmented and its alarm disarmed', async () => {
    const {done, outcome} = await proven([{memberID: 'dead', alarm: 'NOSPACE'}]);
    assert.deepEqual(done, ['compact', 'defragment', 'disarm NOSPACE of dead', 'put']);
    assert.match(words(outcome), /alarm NOSPACE of member dead came with the data and is disarmed/);
  });

  it('does not come where the member that the data is of was found corrupt, under the ID that it had: nothing is disarmed', async () => {
    const {done, outcome} = await proven([{memberID: 'dead', alarm: 'CORRUPT'}, {memberID: 'dead', alarm: 'NOSPACE'}]);
    assert.deepEqual([done, reasonOf(outcome)], [[], 'AlarmRaised']);
    assert.match(words(outcome), /which is the one that the data is of/);
  });

  it('disarms what another member was found to be, and says so; of a snapshot in a store nobody knows whose data it is', async () => {
    const other: MemberAlarm[] = [{memberID: 'beef', alarm: 'CORRUPT'}];
    const {done, outcome} = await proven(other);
    assert.deepEqual(done, ['disarm CORRUPT of beef', 'put']);
    assert.match(words(outcome), /alarm CORRUPT of member beef came with the data and is disarmed/);
    const stored = await proven(other, {run: {plan: planOf({strategy: 'RestoreSnapshot', snapshot: {name: 'x', revision: 48, bytes: 1}})}});
    assert.deepEqual([stored.done, reasonOf(stored.outcome)], [[], 'AlarmRaised']);
  });

  it('is asked for again where etcd refuses it, and told in its words once that takes too long; whom it does not let in is told elsewhere', async () => {
    const put = () => Promise.reject(new EtcdError('NoSpace', 'etcdserver: mvcc: database space exceeded'));
    assert.equal((await proven([], {put})).outcome.kind, 'retry');
    const late = await proven([], {put, sinceMs: 24 * 3_600_000});
    assert.equal(reasonOf(late.outcome), 'NewClusterNotServing');
    assert.match(words(late.outcome), /database space exceeded\. The old data is kept/);
    await assert.rejects(proven([], {put: () => Promise.reject(new EtcdError('PermissionDenied', 'no'))}), /no/);
  });
});
