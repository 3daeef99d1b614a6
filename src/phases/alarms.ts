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

/**
 * Alarms stand in a restored snapshot too, under the IDs of members that are no more. NOSPACE is settled on every member before the first write; CORRUPT
 * stays: whose data it was about cannot be told from the snapshot.
 * @returns why the run cannot go on; undefined: no alarm is raised any more
 */
export async function settleRestoredAlarms(members: readonly {member: EtcdMember}[], leader: EtcdMember, revision: number): Promise<Outcome | undefined> {
  const alarms = await leader.alarms();
  const corrupt = alarms.find(({alarm}) => alarm === 'CORRUPT');
  if (corrupt !== undefined) {
    return refused('AlarmRaised', `alarm CORRUPT of the former member ${corrupt.memberID} stands in the restored data, and etcd serves nobody from it. Nothing was written. If that was another member's data, disarm it (etcdctl alarm disarm): the run goes on by itself. If not, delete the QuorumRecovery and restore another snapshot; the old data is kept; docs/runbooks/AlarmRaised.md`);
  }
  if (alarms.length === 0) return undefined;
  await compactBefore(leader, revision);
  for (const {member} of members) await member.defragment();
  for (const alarm of alarms) await leader.disarm(alarm);
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
