import type {Outcome} from '../decide/decision.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember, MemberStatus} from '../etcd/types.ts';
import {refused} from './context.ts';

/**
 * Alarms stand in the data, those of lost members too, and etcd refuses writes as long as one is raised. In the forced start no client is
 * there yet, so this is the time to settle them: NOSPACE by etcd's own procedure (compact, defragment, disarm), CORRUPT by nobody.
 * @returns why the run cannot go on; undefined: no alarm is raised any more
 */
export async function settleAlarms(survivor: string, member: EtcdMember, {memberID, revision}: MemberStatus): Promise<Outcome | undefined> {
  const alarms = await member.alarms();
  if (alarms.some((alarm) => alarm.alarm === 'CORRUPT' && alarm.memberID === memberID)) {
    return refused('AlarmRaised', `etcd found the data of ${survivor} corrupt (alarm CORRUPT) and serves nobody from it. No client has reached it and every name is held. Restore a snapshot; docs/runbooks/AlarmRaised.md says how to end this run`);
  }
  // Whoever was the first to say so: all members hold the same, and this one would raise it with its next write.
  if (alarms.some((alarm) => alarm.alarm === 'NOSPACE')) {
    await compactBefore(member, revision);
    await member.defragment();
  }
  for (const alarm of alarms) await member.disarm(alarm);
  return undefined;
}

/** A repeat finds the revision compacted. */
export async function compactBefore(member: EtcdMember, revision: number, options: {inBackground?: boolean} = {}): Promise<void> {
  try {
    await member.compact(revision, options);
  } catch (error) {
    if (!isEtcdError(error, 'Compacted')) throw error;
  }
}

/** The write was refused although all alarms were settled: what is in the database fills its quota. */
export const stillFull = (survivor: string, kept: string): Outcome =>
  refused('AlarmRaised', `the database of ${survivor} fills its quota also after it was compacted and defragmented. No client has reached it and every name is held. Restore a snapshot into a cluster with a larger --quota-backend-bytes; ${kept}`);
