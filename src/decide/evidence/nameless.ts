import type {OfflineFacts} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podOfMember} from './membership.ts';
import type {Voter} from './membership.ts';
import {offlineOf} from './offline.ts';

/*
 * A disk whose log is damaged from its beginning, or gone, does not say whose it is: etcd writes that into the first record of its log, and
 * nowhere else. Its database lists the members all the same, and the set gives each of its pods one of them.
 */

/** What was read of a disk that has a database, and a log that does not say whose it is; undefined: it says so, or has none. */
function namelessDisk(observation: Pick<Observation, 'status'>, pod: string): OfflineFacts | undefined {
  const facts = offlineOf(observation, pod);
  return facts?.data === 'Unreadable' && facts.memberID === undefined && facts.database !== undefined ? facts : undefined;
}

/** Why a disk that does not say so itself cannot be taken for this member's; undefined: nothing speaks against it. */
function notProvablyOf(observation: Observation, view: OrdinalView, {memberID}: Voter, {members = []}: OfflineFacts): string | undefined {
  const pods = observation.ordinals.map(({pod}) => pod);
  const listed = members.filter((member) => podOfMember(member, pods) === view.pod).map(({id}) => id);
  if (listed.length !== 1 || listed[0] !== memberID) return `its database lists ${listed.length === 0 ? 'no member' : listed.join(', ')} for ${view.pod}`;
  const {lastHealthy, members: records = [], run} = observation.status;
  const elsewhere = run?.offline?.find((facts) => facts.pod !== view.pod && facts.memberID === memberID)?.pod
    ?? observation.ordinals.find(({pod, probe}) => pod !== view.pod && probe.kind === 'Answered' && probe.status.memberID === memberID)?.pod;
  if (elsewhere !== undefined) return `the data of ${elsewhere} says that it is this member's`;
  // Of a claim that was made anew nobody knows what ran on the one before.
  const claims = [...(lastHealthy?.members ?? []), ...records].filter((seen) => seen.memberID === memberID).map(({claimUID}) => claimUID).filter((uid) => uid !== undefined);
  const claim = view.data?.object?.metadata?.uid;
  return claims.length === 0 || claims.some((uid) => uid === claim) ? undefined : `this member was seen on another claim than ${view.data?.name ?? ''}`;
}

/** Its log does not say whose the disk is; its database does: this member is the one that it lists for the pod, and nobody tells otherwise. */
export function isOwnByDatabase(observation: Observation, view: OrdinalView, voter: Voter): boolean {
  const facts = namelessDisk(observation, view.pod);
  return facts !== undefined && notProvablyOf(observation, view, voter, facts) === undefined;
}

/** What to say, and what to do, where such a disk keeps the end of its member's last process unproven: the end of a sentence. '': it is another matter. */
export function namelessInWords(observation: Observation, view: OrdinalView, voter: Voter): string {
  const facts = namelessDisk(observation, view.pod);
  if (facts === undefined) return '';
  const why = notProvablyOf(observation, view, voter, facts);
  const start = ': the log on its disk is damaged where it says whose it is';
  if (why === undefined) return `${start}, and no etcd of pod ${view.pod} has started on it: let the StatefulSet make that pod, and let it start (its etcd ends at once); it is the one that is stopped then`;
  return `${start}, and ${why}. Make sure which disk it is, and put the right one there; or give this one up: name the member in spec.lostMembers ({pod: ${view.pod}, memberID: ${voter.memberID || '0'}}), and its data is not used`;
}
