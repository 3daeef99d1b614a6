import type {V1Pod} from '@kubernetes/client-node';
import type {Fenced, MemberRecord, QuorumRecoveryStatus} from '../api/types.ts';
import {isGated} from '../kubernetes/ownPods.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {knownMemberships, quorumOf} from './membership.ts';
import {endedByKubelet} from './processes.ts';
import {isServedSuperseded, isSuperseded, isWhole, regression, statusesOf} from './witness.ts';

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

/** The record of a pod whose etcd answered: from now on it is the last process known to run that member. */
function answered(observation: Observation, view: OrdinalView, known: MemberRecord): MemberRecord {
  if (view.probe.kind !== 'Answered') return known;
  const {status} = view.probe;
  const node = observation.nodes.find((candidate) => candidate.name === view.object?.spec?.nodeName);
  const podUID = view.object?.metadata?.uid ?? '';
  const next: MemberRecord = {
    pod: view.pod, podUID, memberID: status.memberID, role: status.isLearner ? 'Learner' : 'Voter', health: healthOf(view),
    raftTerm: status.raftTerm, raftIndex: status.raftIndex, revision: status.revision,
    ...(node && {
      node: node.name, nodeUID: node.uid, ...(node.machineID && {machineID: node.machineID}), ...(node.systemUUID && {systemUUID: node.systemUUID}),
      ...(node.providerID && {providerID: node.providerID}),
    }),
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

/** Brings `status.members`, `quorum` and the witness up to what was observed with every member asked. */
export function refreshRecords(draft: QuorumRecoveryStatus, observation: Observation): void {
  const witnessAge = observation.now - Date.parse(draft.lastHealthy?.observedAt ?? new Date(0).toISOString());
  const fresh = witnessAge < witnessAgeMs;
  draft.members = observation.ordinals.map((view) => {
    const known = draft.members?.find((member) => member.pod === view.pod) ?? {pod: view.pod, role: 'Unknown' as const, health: 'Unknown' as const};
    return settled(known, {...answered(observation, view, known), health: healthOf(view)}, fresh);
  });
  const voters = Math.max(0, ...knownMemberships(observation).map((membership) => membership.voters.length)) || observation.ordinals.length;
  const healthy = observation.ordinals.filter((view) => view.probe.kind === 'Answered' && !view.probe.status.isLearner).length;
  countVoters(draft, healthy, voters);
  refreshServed(draft, observation, fresh);
  refreshWitness(draft, observation, fresh);
}

/** What was the most revisions a second is half of that after this time, ms. */
const rateHalvedMs = 600_000;

function refreshServed(draft: QuorumRecoveryStatus, observation: Observation, fresh: boolean): void {
  const statuses = statusesOf(observation).filter(({leader}) => leader !== '');
  if (!observation.linearizable || statuses.length === 0 || regression(observation) !== undefined) return;
  const before = isServedSuperseded(draft) ? undefined : draft.lastServed;
  const age = observation.now - Date.parse(before?.at ?? new Date(0).toISOString());
  // While the cluster is whole numbers are written once a minute; while it is not, each look is written anyway.
  if (before !== undefined && age < (fresh ? witnessAgeMs : 1_000)) return;
  const revision = Math.max(...statuses.map((s) => s.revision));
  // A follower that is behind, or data that went back: what clients have seen they have seen.
  if (before !== undefined && revision < before.revision) return;
  const measured = before && Math.max((revision - before.revision) / (age / 1_000), (before.perSecond ?? 0) * 2 ** (-age / rateHalvedMs));
  draft.lastServed = {revision, ...(measured !== undefined && {perSecond: Math.ceil(measured * 10) / 10}), at: new Date(observation.now).toISOString()};
}

function refreshWitness(draft: QuorumRecoveryStatus, observation: Observation, fresh: boolean): void {
  const statuses = statusesOf(observation);
  // Data that went back is no health: what was seen before stays known.
  if (!isWhole(observation) || regression(observation) !== undefined || statuses[0] === undefined) return;
  const members = observation.ordinals.map((view) => ({
    pod: view.pod, memberID: view.probe.kind === 'Answered' ? view.probe.status.memberID : '',
    ...(view.data?.object?.metadata?.uid && {claimUID: view.data.object.metadata.uid}),
    ...(view.data?.volume?.metadata?.name && {volume: view.data.volume.metadata.name}),
  }));
  if (fresh && !isSuperseded(draft) && JSON.stringify(members) === JSON.stringify(draft.lastHealthy?.members)) return;
  draft.lastHealthy = {
    clusterID: statuses[0].clusterID, revision: Math.max(...statuses.map((s) => s.revision)), raftIndex: Math.max(...statuses.map((s) => s.raftIndex)),
    raftTerm: Math.max(...statuses.map((s) => s.raftTerm)), members, observedAt: new Date(observation.now).toISOString(),
  };
}
