import type {PlanSnapshot, Run, StoredSnapshot} from '../../api/types.ts';
import {fileInPod, storeInPod} from '../../kubernetes/storePod.ts';
import type {InStore} from '../../kubernetes/restorePod.ts';
import type {Observation} from '../../observe/observation.ts';
import {durationMs} from '../durations.ts';
import type {Membership} from '../evidence/membership.ts';
import {knownMemberships} from '../evidence/membership.ts';
import {sha256} from './plan.ts';

/** What the store was found to hold. */
export type Stored = NonNullable<Run['stored']>;

/** What says whose snapshot may be taken: the old cluster as it is known, by its ID and its members. */
function expected(memberships: readonly Membership[]): string[] {
  const clusterID = memberships.find((one) => one.givenUp === undefined && one.clusterID !== undefined)?.clusterID;
  const members = [...new Set(memberships.flatMap(({voters}) => voters).map(({memberID}) => memberID).filter((id) => id !== ''))].sort();
  return [...(clusterID === undefined ? [] : ['--expect-cluster', clusterID]), ...(members.length === 0 ? [] : ['--expect-members', members.join(',')])];
}

/** Which snapshot the store is asked for: the named one, else the newest that verifies and is of this cluster. */
export function choosing(observation: Observation): string[] {
  const {spec: {snapshot}} = observation;
  const {name, maxAge} = snapshot ?? {};
  return [
    ...(name === undefined ? [] : ['--name', name]), ...expected(knownMemberships(observation)),
    ...(maxAge === undefined ? [] : ['--max-age', String(Math.max(1, Math.floor(durationMs(maxAge) / 1000)))]),
  ];
}

/** What was asked for: an answer to something else is none. */
export const askedFor = (observation: Observation): string => sha256({snapshot: observation.spec.snapshot, choosing: choosing(observation)});

/** Where a member's helper gets the very snapshot from that the plan names. */
export function inStore(observation: Observation, {name, sha256: digest}: PlanSnapshot): InStore {
  const {snapshot} = observation.spec;
  if (snapshot === undefined) throw new Error('spec.snapshot is gone');
  const {env, volumes, volumeMounts} = storeInPod(snapshot, 'Read');
  // Whose it is was settled with the plan, and its hash says that it is the same one; a person's name for it says so again.
  return {name, sha256: digest, env, volumes, mounts: volumeMounts, file: fileInPod(snapshot, name)};
}

/** A snapshot from somebody else's cluster, or a broken one: what was not taken, and why. */
export const refusedInWords = ({refused}: Pick<Stored, 'refused'>): string[] => refused.map(({name, reason, message}) => `snapshot ${name} is not taken (${reason}): ${message}`);

export const snapshotInWords = ({name, takenAt, revision, bytes, sha256: digest, clusterID}: StoredSnapshot): string =>
  `snapshot ${name} (taken at ${takenAt ?? 'an unknown time'}, revision ${revision}, ${bytes} bytes, SHA-256 ${digest}${clusterID === undefined ? '' : `, of cluster ${clusterID}`})`;
