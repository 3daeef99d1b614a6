import type {Outcome} from '../decide/decision.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember, MemberStatus} from '../etcd/types.ts';
import {refused} from './context.ts';

/** NOSPACE by etcd's own procedure. Each member has a quota and a database of its own, and all have the same alarms. */
async function makeSpace(members: readonly EtcdMember[], revision: number): Promise<void> {
  const [first] = members;
  if (first) await compactBefore(first, revision);
  for (const member of members) await member.defragment();
}

/**
 * The same in a new cluster, whose database brought the alarms along, under the member IDs of the old one.
 * @param owner member ID that the database was of; undefined: that is not known, so that CORRUPT of anybody may be its
 * @returns why the run cannot go on, or what was disarmed, in words
 */
export async function settleBroughtAlarms(members: readonly EtcdMember[], revision: number, owner: string | undefined): Promise<Outcome | string> {
  const [first] = members;
  const alarms = await first?.alarms() ?? [];
  const corrupt = alarms.find(({alarm, memberID}) => alarm === 'CORRUPT' && (owner === undefined || memberID === owner));
  if (corrupt) {
    return refused('AlarmRaised', `the alarm CORRUPT of member ${corrupt.memberID} stands in the data that was restored, and the new cluster accepts no write as long as it does. It came with the data, so a member of the old cluster was found corrupt${owner === undefined ? ', which may be the one that the data is of' : ', which is the one that the data is of'}. Compare the data with what you expect; if it is what you want all the same, disarm it (etcdctl alarm disarm), and the run goes on by itself`);
  }
  if (alarms.some(({alarm}) => alarm === 'NOSPACE')) await makeSpace(members, revision);
  for (const alarm of alarms) await first?.disarm(alarm);
  return alarms.map(({alarm, memberID}) => `alarm ${alarm} of member ${memberID} came with the data and is disarmed`).join('; ');
}

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
    await makeSpace([member], revision);
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
