import type {MemberRecord, NamedMember} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {givenUp} from './regressed.ts';
import {givesUpDisks} from '../strategies.ts';

export interface Voter {
  memberID: string;
  /** The set's pod that runs it; undefined: no pod of the set does. */
  pod: string | undefined;
}

/** The voters that one source names. */
export interface Membership {
  source: string;
  clusterID: string | undefined;
  voters: Voter[];
  /** Of a cluster that a person gives up: its voters have to end like all others, and its ID is no second lineage. */
  givenUp?: true;
}

/** A person's word on this pod's member, good for that member ID only; where nobody knows the ID, and no member's data is to be taken, for the pod's. */
export const isNamedLost = ({spec}: Observation, pod: string | undefined, memberID: string | undefined): boolean =>
  spec.lostMembers?.some((lost) => lost.pod === pod && (lost.memberID === memberID || (memberID === '' && givesUpDisks(spec)))) === true;

/** What is kept of the member in a pod. */
export const recordOf = ({status}: Pick<Observation, 'status'>, pod: string | undefined): MemberRecord | undefined => status.members?.find((member) => member.pod === pod);

export const quorumOf = (voters: number) => Math.floor(voters / 2) + 1;

/** A member's pod: by its name, else by the first label of a peer URL's host (etcd names are free text). */
export function podOfMember(member: NamedMember, pods: readonly string[]): string | undefined {
  if (member.name !== undefined && pods.includes(member.name)) return member.name;
  const labels = member.peerURLs.map((url) => URL.parse(url)?.hostname.split('.')[0] ?? '');
  return pods.find((pod) => labels.includes(pod));
}

const votersIn = (members: readonly NamedMember[], pods: readonly string[]): Voter[] =>
  members.filter((member) => member.isLearner !== true).map((member) => ({memberID: member.id, pod: podOfMember(member, pods)}));

/**
 * Every membership that is known, so that the fencing rule can be held against each (DESIGN section 6):
 * what members say, what was read from disks, the witness, and the set's own ordinals.
 */
export function knownMemberships(observation: Observation): Membership[] {
  const pods = observation.ordinals.map((view) => view.pod);
  const {status} = observation;
  const apart = givenUp(observation);
  const found: Membership[] = [];
  if (status.run?.identity) {
    const {clusterID, members, source} = status.run.identity;
    found.push({source, clusterID, voters: votersIn(members, pods)});
  }
  for (const view of observation.ordinals) {
    if (view.probe.kind !== 'Answered' && view.probe.kind !== 'PeerOnly') continue;
    found.push({source: `member list of ${view.pod}`, clusterID: view.probe.clusterID, voters: votersIn(view.probe.members, pods), ...(apart.includes(view.pod) && {givenUp: true})});
  }
  for (const facts of status.run?.offline ?? []) {
    if (!facts.members) continue;
    found.push({source: `disk of ${facts.pod}`, clusterID: facts.clusterID, voters: votersIn(facts.members, pods)});
  }
  if (status.lastHealthy) {
    const {clusterID, members} = status.lastHealthy;
    found.push({source: 'last healthy state', clusterID, voters: members.map(({memberID, pod}) => ({memberID, pod}))});
  }
  // What the data is that counts is told by the others first.
  return found.sort((a, b) => Number(a.givenUp ?? false) - Number(b.givenUp ?? false));
}

const endedAs = (observation: Observation, pod: string): string | undefined => {
  const record = recordOf(observation, pod);
  return record?.fenced === undefined ? undefined : record.memberID;
};

/** The set's ordinals as a membership: one voter a pod, whose ID is only known where another source tells it, or an earlier run has proven the end of the last one that ran there. */
export function membershipOfSet(observation: Observation, known: readonly Membership[]): Membership {
  const ids = new Map(known.flatMap((membership) => membership.voters).map((voter) => [voter.pod, voter.memberID]));
  return {
    source: 'pods of the StatefulSet',
    clusterID: undefined,
    voters: observation.ordinals.map(({pod}) => ({pod, memberID: ids.get(pod) ?? endedAs(observation, pod) ?? ''})),
  };
}

/** Cluster IDs that the sources name; more than one is two lineages. */
export const clusterIDs = (memberships: readonly Membership[]) =>
  [...new Set(memberships.filter((membership) => membership.givenUp === undefined).map((membership) => membership.clusterID).filter((id) => id !== undefined))];
