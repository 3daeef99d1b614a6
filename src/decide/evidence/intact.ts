import type {OfflineFacts} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {describePlace} from '../../observe/places.ts';
import {takenByItsPod} from './beside.ts';
import {isNamedLost} from './membership.ts';
import type {Voter} from './membership.ts';
import {offlineOf} from './offline.ts';
import {givenUp} from './regressed.ts';
import {givesUpDisks} from '../strategies.ts';

/**
 * Whether a voter's data still exists, as far as it is known.
 * - Running: its own etcd answers with that member ID.
 * - Readable: that member ID was read from the disk, or its volume can be attached again and is known to be the one that the member ran on.
 * - MayReturn: it cannot be read now and nothing proves it gone, e.g. a NotReady node's own disk.
 * - Unknown: it is within reach and nobody has looked yet.
 * - Gone: its disk is lost, empty or another's, or a person said so.
 */
export interface DataVerdict {
  voter: Voter;
  state: 'Running' | 'Readable' | 'MayReturn' | 'Unknown' | 'Gone';
  why: string;
}

/** What was read from the disk. That its data is there counts while the disk is within reach: its node can have gone since. */
function byFacts(voter: Voter, facts: OfflineFacts, withinReach: boolean): DataVerdict | undefined {
  if (facts.data !== 'Unreadable' && facts.memberID !== voter.memberID) {
    const found = facts.data === 'Present' ? `holds member ${facts.memberID ?? '?'}` : facts.data === 'Guarded' ? 'was set aside' : 'is empty';
    return {voter, state: 'Gone', why: `its disk ${found}`};
  }
  if (!withinReach) return undefined;
  return {voter, state: 'Readable', why: facts.data === 'Unreadable' ? `its disk has data that cannot be read: ${facts.message ?? ''}` : 'its data was read from its disk'};
}

/** The member was seen on this very claim: by the witness, or when its etcd answered. */
export function isKnownClaim({status: {lastHealthy, members}}: Observation, {memberID}: Voter, claimUID: string | undefined): boolean {
  return claimUID !== undefined && [...(lastHealthy?.members ?? []), ...(members ?? [])].some((member) => member.memberID === memberID && member.claimUID === claimUID);
}

function byDisk(observation: Observation, view: OrdinalView, voter: Voter): DataVerdict {
  const facts = offlineOf(observation, view.pod);
  const place = view.data?.place ?? {at: 'Missing' as const};
  const witness = observation.status.lastHealthy?.members.find((member) => member.memberID === voter.memberID);
  const claimUID = view.data?.object?.metadata?.uid;
  if (witness?.claimUID !== undefined && claimUID !== undefined && witness.claimUID !== claimUID) {
    return {voter, state: 'Gone', why: `claim ${view.data?.name ?? ''} was made anew since the cluster was healthy: it is another disk`};
  }
  const read = facts && byFacts(voter, facts, place.at === 'Node' || place.at === 'Anywhere');
  if (read) return read;
  if (takenByItsPod(view)) return {voter, state: 'Readable', why: `${describePlace(place)}; it is ReadWriteOncePod and cannot be read beside its pod`};
  switch (place.at) {
    // A Bound claim alone is no evidence: it can have been made anew. The claim's UID is, where it was seen with the member running on it.
    case 'Anywhere': return {voter, state: isKnownClaim(observation, voter, claimUID) ? 'Readable' : 'Unknown', why: describePlace(place)};
    case 'Node': return {voter, state: 'Unknown', why: describePlace(place)};
    case 'NotReadyNode': return {voter, state: 'MayReturn', why: describePlace(place)};
    case 'GoneNode': case 'Unbound': case 'Missing': return {voter, state: 'Gone', why: describePlace(place)};
  }
}

/**
 * A person's word ends the process, and gives up a disk that nobody else can read. A volume that any node can attach outlives its node:
 * while its claim is there, the data on it counts, unless the person has named a strategy that takes no member's data.
 */
function byWord({spec}: Observation, view: OrdinalView | undefined, voter: Voter): DataVerdict {
  const {place, name} = view?.data ?? {};
  if (place?.at !== 'Anywhere' || givesUpDisks(spec)) return {voter, state: 'Gone', why: 'spec.lostMembers names it'};
  return {voter, state: 'Readable', why: `spec.lostMembers names it, but ${describePlace(place)}; if the data on claim ${name ?? ''} is worthless as well, set spec.strategy to RestoreSnapshot or RebuildFromConfig, which sets it aside. Do not delete claims of a quorum: pods that start on empty volumes could form an empty cluster`};
}

/** Judges the data of one voter of a membership. */
export function judgeData(observation: Observation, voter: Voter): DataVerdict {
  const view = observation.ordinals.find((candidate) => candidate.pod === voter.pod);
  if (voter.pod !== undefined && givenUp(observation).includes(voter.pod)) return {voter, state: 'Gone', why: 'it served the cluster that went back, and spec.survivor gives that one up'};
  // An etcd that answers is no matter of opinion.
  if (view?.probe.kind === 'Answered' && view.probe.status.memberID === voter.memberID) return {voter, state: 'Running', why: 'its etcd answers'};
  if (isNamedLost(observation, voter.pod, voter.memberID)) return byWord(observation, view, voter);
  if (view === undefined) return {voter, state: 'MayReturn', why: 'no pod of the StatefulSet runs it'};
  if (view.probe.kind === 'Answered') return {voter, state: 'Gone', why: `its pod runs member ${view.probe.status.memberID} now`};
  return byDisk(observation, view, voter);
}
