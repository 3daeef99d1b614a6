import {quorumOf} from '../decide/evidence/membership.ts';
import type {Action, Outcome} from '../decide/decision.ts';
import {recordRemoved} from '../decide/steps/lostFirst.ts';
import {isEtcdError} from '../etcd/errors.ts';
import {isServing} from '../observe/observation.ts';
import type {Acting} from './context.ts';
import {again, finished, memberOf, refused, untilReady} from './context.ts';

/**
 * Removes a voter that is gone for good. Between the look that decided it and this call others may have gone: the list is asked of the quorum
 * itself, and each voter that stays whether it serves. A repeat finds the member gone.
 */
export async function removeVoter(acting: Acting, {via: viaPod, memberID, pod, among}: Extract<Action, {type: 'RemoveVoter'}>): Promise<Outcome> {
  const via = memberOf(acting, viaPod);
  if (via === undefined) return again(`${viaPod} does not run`, 500);
  const record = among === undefined ? undefined : recordRemoved(pod);
  return await untilReady(500, async () => {
    const {members} = await via.memberList({linearizable: true});
    const gone = members.find(({id}) => id === memberID);
    if (gone === undefined) return finished(`member ${memberID} (${pod}) is not in the list any more`, record);
    const after = members.filter((member) => !member.isLearner && member.id !== memberID).map(({id}) => id);
    const answering = gone.isLearner ? after : await servingNow(acting, among);
    if (answering.includes(memberID)) return refused('QuorumAtRisk', `${pod} (${memberID}) serves: it is not removed`);
    const serving = answering.filter((id) => after.includes(id));
    if (serving.length < quorumOf(after.length)) {
      return refused('QuorumAtRisk', `${pod} (${memberID}) is not removed now: ${serving.length} of ${after.length} voters would serve, and ${quorumOf(after.length)} are needed. The run goes on by itself once it may`);
    }
    try {
      await via.removeMember(memberID);
    } catch (error) {
      if (!isEtcdError(error, 'NotFound')) throw error;
    }
    return finished(`member ${memberID} (${pod}) was taken out of the list`, record);
  });
}

/** Member IDs of those that answer now and have a leader, of these pods; default: of all that answered in the last look. */
async function servingNow(acting: Acting, among?: readonly string[]): Promise<string[]> {
  const asked = await Promise.all(acting.observation.ordinals.filter(({pod, probe}) => among?.includes(pod) ?? probe.kind === 'Answered').map(async ({pod}) => {
    try {
      const status = await memberOf(acting, pod)?.status();
      return status !== undefined && isServing(status) ? [status.memberID] : [];
    } catch (error) {
      if (isEtcdError(error)) return [];
      throw error;
    }
  }));
  return asked.flat();
}
