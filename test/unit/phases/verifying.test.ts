import assert from 'node:assert/strict';
import type {EtcdMember, ListedMember} from '../../../src/etcd/types.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {verifyMembers} from '../../../src/phases/verifying.ts';
import {answers, clusterID, idOf, members, now, observationOf, ownPodOf, runOf} from '../decide/observations.ts';

/** What the end of a run says of a cluster whose etcds name this list. */
async function verified(list: ListedMember[], asked: {pods: string[]; away?: string[]; apart?: string[]}): Promise<string> {
  const member = (index: number) => ({
    memberList: () => Promise.resolve({clusterID, members: list}), put: () => Promise.resolve({revision: 51}), get: () => Promise.resolve({revision: 51, value: 'x'}),
    status: () => { const probe = answers(index, 3, {leader: idOf(0)}); return Promise.resolve(probe.kind === 'Answered' ? probe.status : undefined); },
    hashKV: () => Promise.resolve({hash: 1, compactRevision: 1}), alarms: () => Promise.resolve([]),
  }) as unknown as EtcdMember;
  const observation = observationOf({
    ordinals: [0, 1, 2].map((index) => ({object: index === 2 ? undefined : ownPodOf(index)})),
    status: {run: runOf({steps: [{name: 'Verify', state: 'Running', startedAt: new Date(now).toISOString()}], restarted: ['etcd-1', 'etcd-2'].map((pod) => ({pod, at: new Date(now).toISOString()}))})},
  });
  const etcd = {member: (pod: {metadata?: {name?: string}}) => member(Number(pod.metadata?.name?.at(-1)))};
  const outcome = await verifyMembers({observation, etcd, now: () => now, credentials: {}} as unknown as Acting, {via: 'etcd-0', ...asked});
  if (outcome.kind === 'done') outcome.record?.(observation.status);
  return outcome.kind === 'done' ? `${outcome.message ?? ''}; back: ${(observation.status.run?.restarted ?? []).flatMap(({pod, back}) => (back === true ? [pod] : [])).join()}` : 'why' in outcome ? outcome.why : outcome.message;
}
const pods = ['etcd-0', 'etcd-1'];

describe('the end of a restart', () => {
  it('holds every voter of before against the list, and says who is not back', async () => {
    assert.match(await verified(members(3), {pods, away: ['etcd-2']}), /^2 members: one list.*Not back, and not needed for the quorum: etcd-2.*; back: etcd-1$/);
    assert.match(await verified(members(2), {pods, away: ['etcd-2']}), /^etcd-2 not in the member list/);
  });
  it('does not wait for a member that had been taken out before, and says so', async () => {
    assert.match(await verified(members(2), {pods, apart: ['etcd-2']}), /^2 members: one list.*No voter before the run either, and left as it is: etcd-2/);
  });
  it('does not stumble over one that was a learner before', async () => {
    const list = members(3).map((member, index) => ({...member, isLearner: index === 2}));
    assert.match(await verified(list, {pods, apart: ['etcd-2']}), /^2 members: one list/);
  });
  it('finds members of nobody in the list', async () => {
    assert.match(await verified(members(4), {pods, away: ['etcd-2']}), /^etcd-3 in the member list beside the set's pods/);
  });
});
