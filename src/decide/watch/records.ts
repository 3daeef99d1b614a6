import type {V1Pod} from '@kubernetes/client-node';
import type {Fenced, MemberRecord, QuorumRecoveryStatus} from '../../api/types.ts';
import {isGated} from '../../kubernetes/ownPods.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {leaderOf} from './leadership.ts';
import {knownMemberships, quorumOf} from '../evidence/membership.ts';
import {endedByKubelet, hasStarted} from '../evidence/processes.ts';
import {renewServed} from './served.ts';
import {isServedSuperseded, isSuperseded, isWhole, statusesOf, wentBack} from './witness.ts';

/**
 * Ends of processes as the operator's own watch saw them, by pod UID. A pod that somebody deletes is gone before a reconcile looks;
 * its last status, DELETED event included, is the proof that it has ended.
 */
export class ProcessLedger {
  readonly #ends = new Map<string, Fenced>();
  readonly #limit: number;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  see(pod: V1Pod, now: number): void {
    const uid = pod.metadata?.uid;
    if (uid === undefined || this.#ends.has(uid) || !endedByKubelet(pod)) return;
    const message = `the kubelet of ${pod.spec?.nodeName ?? ''} reported the end of its containers`;
    this.#ends.set(uid, {by: 'KubeletConfirmed', podUID: uid, at: new Date(now).toISOString(), message});
    const oldest = this.#ends.size > this.#limit ? this.#ends.keys().next().value : undefined;
    if (oldest !== undefined) this.#ends.delete(oldest);
  }

  endOf(uid: string): Fenced | undefined {
    return this.#ends.get(uid);
  }

  /** Writes the ends into the records of the members whose last process they were. */
  apply(draft: QuorumRecoveryStatus): void {
    for (const member of draft.members ?? []) {
      const end = member.podUID === undefined ? undefined : this.#ends.get(member.podUID);
      if (end !== undefined && member.fenced?.podUID !== member.podUID) member.fenced = end;
    }
  }
}

function healthOf(view: OrdinalView): MemberRecord['health'] {
  if (view.object && isGated(view.object)) return 'Held';
  if (view.probe.kind === 'Answered') return view.probe.status.leader === '' ? 'NoLeader' : 'Healthy';
  if (view.data?.place.at === 'GoneNode') return 'Lost';
  return view.probe.kind === 'NotAsked' ? 'NotRunning' : 'NotAnswering';
}

/** Where a process runs, as far as its end is told by its node. */
function nodeOf({nodes}: Observation, {object}: OrdinalView): Partial<MemberRecord> {
  const node = nodes.find((candidate) => candidate.name === object?.spec?.nodeName);
  return node === undefined ? {} : {
    node: node.name, nodeUID: node.uid, ...(node.machineID && {machineID: node.machineID}), ...(node.systemUUID && {systemUUID: node.systemUUID}),
    ...(node.providerID && {providerID: node.providerID}),
  };
}

/**
 * An etcd that finds no quorum after its start answers no client. It is the last process of its member all the same, once the one before is
 * proven to have ended: on the same claim nobody else can run.
 */
function started(observation: Observation, view: OrdinalView, known: MemberRecord): MemberRecord {
  const {object, launch, data} = view;
  const podUID = object?.metadata?.uid;
  if (object === undefined || podUID === undefined || isGated(object) || !isLaunch(launch) || !hasStarted(object, launch.container)) return known;
  const before = known.memberID !== undefined && known.podUID !== undefined && known.podUID !== podUID && known.fenced?.podUID === known.podUID;
  if (!before || known.claimUID === undefined || known.claimUID !== data?.object?.metadata?.uid) return known;
  const {pod, memberID, role, health, claim, claimUID, volume, raftTerm, raftIndex, revision, lostRevision} = known;
  return {
    pod, memberID, role, health, claimUID, podUID, ...nodeOf(observation, view), ...(claim !== undefined && {claim}), ...(volume !== undefined && {volume}),
    ...(raftTerm !== undefined && {raftTerm}), ...(raftIndex !== undefined && {raftIndex}), ...(revision !== undefined && {revision}), ...(lostRevision !== undefined && {lostRevision}),
  };
}

/** The record of a pod whose etcd answered: from now on it is the last process known to run that member. */
function answered(observation: Observation, view: OrdinalView, known: MemberRecord): MemberRecord {
  if (view.probe.kind !== 'Answered') return started(observation, view, known);
  const {status} = view.probe;
  const podUID = view.object?.metadata?.uid ?? '';
  const next: MemberRecord = {
    pod: view.pod, podUID, memberID: status.memberID, role: status.isLearner ? 'Learner' : 'Voter', health: healthOf(view),
    raftTerm: status.raftTerm, raftIndex: status.raftIndex, revision: status.revision,
    ...nodeOf(observation, view),
    ...(view.data?.object?.metadata?.uid && {claim: view.data.name, claimUID: view.data.object.metadata.uid}),
    ...(view.data?.volume?.metadata?.name && {volume: view.data.volume.metadata.name}),
  };
  return known.podUID === podUID && known.fenced ? {...next, fenced: known.fenced} : next;
}

/** Numbers move all the time; a record is only worth a write when something that a decision asks for has changed. */
const settled = (a: MemberRecord, b: MemberRecord, keepNumbers: boolean): MemberRecord =>
  (keepNumbers && a.podUID === b.podUID ? {...b, ...pick(a, 'raftTerm', 'raftIndex', 'revision')} : b);

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Partial<Pick<T, K>>;
}

/** The QUORUM column: healthy voters of those that the cluster has, or is about to have. */
export function countVoters(draft: QuorumRecoveryStatus, healthy: number, voters: number): void {
  draft.quorum = {voters, needed: quorumOf(voters), healthy, summary: `${healthy}/${voters}`};
}

/** How long the witness may be old before its numbers are written again, ms. */
const witnessAgeMs = 60_000;

/** Members of the witness whose ordinals the set has no more: what is known of their ends counts when it is scaled up again. */
function scaledAway({members = [], lastHealthy}: QuorumRecoveryStatus, {ordinals}: Observation): MemberRecord[] {
  return members.filter(({pod, memberID}) => !ordinals.some((view) => view.pod === pod) && lastHealthy?.members.some((seen) => seen.pod === pod && seen.memberID === memberID) === true)
    .map((member) => (member.health === 'NotRunning' ? member : {...member, health: 'NotRunning' as const}));
}

const isFresh = ({lastHealthy}: QuorumRecoveryStatus, {now}: Observation): boolean => now - Date.parse(lastHealthy?.observedAt ?? new Date(0).toISOString()) < witnessAgeMs;

/** Brings `status.members`, `quorum` and the witness up to what was observed with every member asked. */
export function refreshRecords(draft: QuorumRecoveryStatus, observation: Observation): void {
  const fresh = isFresh(draft, observation);
  refreshMembers(draft, observation, fresh);
  const voters = Math.max(0, ...knownMemberships(observation).map((membership) => membership.voters.length)) || observation.ordinals.length;
  const healthy = observation.ordinals.filter((view) => view.probe.kind === 'Answered' && !view.probe.status.isLearner).length;
  countVoters(draft, healthy, voters);
  refreshServed(draft, observation, fresh);
  refreshWitness(draft, observation, fresh);
}

/** Which process runs each member, and nothing of how the cluster is. */
export function refreshMembers(draft: QuorumRecoveryStatus, observation: Observation, fresh = isFresh(draft, observation)): void {
  const members = observation.ordinals.map((view) => {
    const known = draft.members?.find((member) => member.pod === view.pod) ?? {pod: view.pod, role: 'Unknown' as const, health: 'Unknown' as const};
    // Of a name that is held the record proves the end of its old member: a joiner takes its place once it has joined.
    if (draft.heldPods?.includes(view.pod) === true) return {...known, health: healthOf(view)};
    return settled(known, {...answered(observation, view, known), health: healthOf(view)}, fresh);
  });
  draft.members = [...members, ...scaledAway(draft, observation)];
}

function refreshServed(draft: QuorumRecoveryStatus, observation: Observation, fresh: boolean): void {
  const statuses = statusesOf(observation).filter(({leader}) => leader !== '');
  if (!observation.linearizable || statuses.length === 0 || wentBack(draft, observation)) return;
  const before = isServedSuperseded(draft) ? undefined : draft.lastServed;
  const age = observation.now - Date.parse(before?.at ?? new Date(0).toISOString());
  // While the cluster is whole numbers are written once a minute; while it is not, each look is written anyway.
  if (before !== undefined && age < (fresh ? witnessAgeMs : 1_000)) return;
  renewServed(draft, Math.max(...statuses.map((s) => s.revision)), observation.now);
}

function refreshWitness(draft: QuorumRecoveryStatus, observation: Observation, fresh: boolean): void {
  const statuses = statusesOf(observation);
  // Data that went back is no health: what was seen before stays known.
  if (!isWhole(observation) || wentBack(draft, observation) || statuses[0] === undefined) return;
  const members = observation.ordinals.map((view) => ({
    pod: view.pod, memberID: view.probe.kind === 'Answered' ? view.probe.status.memberID : '',
    ...(view.data?.object?.metadata?.uid && {claimUID: view.data.object.metadata.uid}),
    ...(view.data?.volume?.metadata?.name && {volume: view.data.volume.metadata.name}),
  }));
  const leader = leaderOf(observation);
  if (fresh && !isSuperseded(draft) && leader === draft.lastHealthy?.leader && JSON.stringify(members) === JSON.stringify(draft.lastHealthy?.members)) return;
  draft.lastHealthy = {
    clusterID: statuses[0].clusterID, revision: Math.max(...statuses.map((s) => s.revision)), raftIndex: Math.max(...statuses.map((s) => s.raftIndex)),
    raftTerm: Math.max(...statuses.map((s) => s.raftTerm)), members, ...(leader !== undefined && {leader}), observedAt: new Date(observation.now).toISOString(),
  };
}
