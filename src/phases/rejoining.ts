import {marks} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {forgetLearner, recordJoin} from '../decide/steps/common.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember} from '../etcd/types.ts';
import type {Acting} from './context.ts';
import {again, finished, memberOf, untilReady} from './context.ts';

async function through(acting: Acting, via: string, ms: number, act: (member: EtcdMember) => Promise<Outcome>): Promise<Outcome> {
  const member = memberOf(acting, via);
  return member === undefined ? again(`${via} does not run`, 500) : await untilReady(ms, async () => await act(member));
}

/** Adds a learner. A repeat finds it by its peer URL. */
export const addLearner = async (acting: Acting, via: string, pod: string, peerURLs: string[]): Promise<Outcome> =>
  await through(acting, via, 150, async (member) => {
    const {members} = await member.memberList({linearizable: true});
    const known = members.find((candidate) => candidate.peerURLs.some((url) => peerURLs.includes(url)));
    const id = known?.id ?? (await member.addLearner(peerURLs)).id;
    return finished(`${pod} is learner ${id}`, recordJoin(pod, {memberID: id}));
  });

/** Removes a learner that cannot start. It has no vote: the quorum does not notice. */
export const removeMember = async (acting: Acting, via: string, memberID: string, pod: string): Promise<Outcome> =>
  await through(acting, via, 150, async (member) => {
    try {
      await member.removeMember(memberID);
    } catch (error) {
      if (!isEtcdError(error, 'NotFound')) throw error;
    }
    return finished(`learner ${memberID} (${pod}) was taken out again`, forgetLearner(pod, memberID));
  });

/** A learner that joins by snapshot starves under an idle leader (facts: wal.md): a probe key keeps the log moving while it catches up. */
export const promoteLearner = async (acting: Acting, via: string, memberID: string, pod: string): Promise<Outcome> =>
  await through(acting, via, 120, async (member) => {
    try {
      await member.promote(memberID);
    } catch (error) {
      if (isEtcdError(error, 'NotReady')) await member.put(marks.probeKey, `run ${acting.observation.status.run?.id ?? ''} promotes ${pod}`);
      throw error;
    }
    return finished(`${pod} is a voter`);
  });

export const removeProbeKey = async (acting: Acting, via: string): Promise<Outcome> =>
  await through(acting, via, 500, async (member) => {
    await member.deleteKey(marks.probeKey);
    return finished();
  });
