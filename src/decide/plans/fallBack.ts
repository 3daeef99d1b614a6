import type {OfflineFacts, PlanSnapshot} from '../../api/types.ts';
import {canFallBack, forceSupport} from '../../etcd/versions.ts';
import {endsBefore} from '../../etcd/wal/log-end.ts';
import type {Observation} from '../../observe/observation.ts';
import {corruptWords} from './fallBackAlarms.ts';
import type {DataVerdict} from '../evidence/intact.ts';
import type {Lost} from './newClusterPlan.ts';
import {offlineOf} from '../evidence/offline.ts';
import {versionOf} from './preflight.ts';
import {viewOf} from '../steps/common.ts';
import {better} from '../evidence/survivor.ts';
import type {Candidate} from '../evidence/survivor.ts';

/*
 * What a force falls back to (docs/adr/0040): where the survivor's etcd version or its log cannot be forced, a snapshot is made offline of its
 * own database, and restored on its own claim as a new cluster of one member, which the others join.
 */

export interface FallBack {
  /** Why nothing is forced. */
  why: string;
  survivor: Candidate;
  candidates: Candidate[];
}

type Known = Pick<Lost, 'candidates' | 'data'>;

/** Whether it may be restored from: it can be read, neither etcdutl nor its own etcd found it broken, and by itself it is a voter's. */
function isSound(facts: OfflineFacts, memberID: string): boolean {
  const {data, unfit, database, etcdutl, members} = facts;
  if (database === undefined || etcdutl?.broken !== undefined || corruptWords(facts, memberID) !== undefined) return false;
  // What is wrong with data that cannot be read is its log.
  if (data === 'Present') return unfit === undefined;
  return members?.some(({id, isLearner}) => id === memberID && isLearner !== true) === true;
}

/** A member's database as something to start from: its end is the last entry that was applied to it. */
function databaseOf(observation: Observation, {voter}: DataVerdict): Candidate | undefined {
  const {pod, memberID} = voter;
  if (pod === undefined) return undefined;
  const facts = offlineOf(observation, pod);
  if (facts !== undefined) {
    if (facts.database === undefined || !isSound(facts, memberID)) return undefined;
    const {term, index, revision} = facts.database;
    return {pod, memberID, term, index, commit: index, revision, from: 'disk'};
  }
  const {probe} = viewOf(observation, pod);
  if (probe.kind !== 'Answered') return {pod, memberID, term: 0, index: 0, commit: 0, revision: 0, from: 'unread'};
  // Both are of the last entry that was applied, as the numbers in a database are: campaigns do not count.
  const {raftTerm, raftAppliedIndex, revision} = probe.status;
  return {pod, memberID, term: raftTerm, index: raftAppliedIndex, commit: raftAppliedIndex, revision, from: 'etcd'};
}

/** Databases that a new cluster can start from, the one with most in it first. */
export const rankDatabases = (observation: Observation, data: readonly DataVerdict[]): Candidate[] => data
  .filter(({state}) => state === 'Running' || state === 'Readable')
  .map((verdict) => databaseOf(observation, verdict))
  .filter((candidate) => candidate !== undefined)
  .sort(better);

/** Why this version is not forced, although its database can be started from; undefined: it is forced, or not even that can be done. */
function unforceable(version: string): string | undefined {
  if (version === '' || !canFallBack(version)) return undefined;
  const {supported, why} = forceSupport(version);
  return supported ? undefined : why;
}

type Versions = (pod: string) => string;

/** Why the best data there is cannot be forced. */
function whyNot(observation: Observation, {candidates, data}: Known, versionAt: Versions): string | undefined {
  const named = observation.spec.survivor?.pod;
  const survivor = candidates.find(({pod}) => named === undefined || pod === named);
  const refused = survivor && unforceable(versionAt(survivor.pod));
  if (refused !== undefined) return refused;
  // A log that cannot be forced, and none that can; or none that goes as far as its database does.
  const [first] = rankDatabases(observation, data).filter(({pod}) => named === undefined || pod === named);
  if (first === undefined || candidates.some(({pod}) => pod === first.pod) || !canFallBack(versionAt(first.pod))) return undefined;
  const unfit = offlineOf(observation, first.pod)?.unfit;
  if (survivor === undefined || unfit === undefined) return unfit;
  if (survivor.from === 'unread' || !endsBefore(survivor, first)) return undefined;
  return `the log of ${survivor.pod} ends at entry ${survivor.index}, and the database of ${first.pod} has the log up to entry ${first.index}, which cannot be forced: ${unfit}`;
}

/** Databases that could be started from, were it not for the version of their etcd, each with what to do. */
export const tooOldFor = (observation: Observation, data: readonly DataVerdict[]): string[] => rankDatabases(observation, data)
  .map(({pod}) => ({pod, facts: offlineOf(observation, pod), version: versionOf(viewOf(observation, pod))}))
  .filter(({facts, version}) => facts?.unfit !== undefined && !canFallBack(version))
  .map(({pod, version}) => `the database of ${pod} can be read, and is not restored in etcd ${version || 'of an unknown version'}: that is done from 3.5.20 on, in versions that the operator knows. Name an image of a later patch in the StatefulSet, with its version as the tag`);

/**
 * What is done in the place of a force; undefined: it can be forced, or nothing can be done.
 * @param versionAt etcd's version in a pod. Default: as it says itself, or its image does
 */
export function fallBack(observation: Observation, lost: Known, versionAt: Versions = (pod) => versionOf(viewOf(observation, pod))): FallBack | undefined {
  const {strategy, survivor: named} = observation.spec;
  if (strategy !== 'Auto' && strategy !== 'ForceNewCluster') return undefined;
  const why = whyNot(observation, lost, versionAt);
  if (why === undefined) return undefined;
  const candidates = rankDatabases(observation, lost.data).filter(({pod}) => named === undefined || pod === named.pod);
  const [survivor] = candidates;
  return survivor && {why, survivor, candidates};
}

/** The snapshot that is made of this database, as far as it was read. */
export function snapshotOf(observation: Observation, {pod, revision}: Pick<Candidate, 'pod' | 'revision'>): PlanSnapshot {
  const facts = offlineOf(observation, pod);
  const {database, clusterID} = facts ?? {};
  return {
    name: `member/snap/${database?.file ?? 'db'}`, pod, revision: database?.revision ?? revision, bytes: database?.bytes ?? 0, ...(clusterID !== undefined && {clusterID}),
    ...(database !== undefined && {index: database.index}), ...(facts?.data === 'Present' && facts.index !== undefined && {logIndex: Math.max(facts.index, database?.index ?? 0)}),
  };
}
