import {databaseOwner} from '../../src/api/strategies.ts';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {isReplacement} from '../../src/decide/replace.ts';
import {isRestart} from '../../src/decide/restart.ts';
import {votersOf} from './etcd-data.ts';
import type {Data} from './etcd-data.ts';
import {missingWrites} from './lost-writes.ts';
import type {World} from './world.ts';

/** A run that has ended, and what its leader holds. */
export interface Ended {
  world: World;
  status: QuorumRecoveryStatus;
  data: Data;
  forces: number;
  /** What clients were told is written, from the beginning on. */
  acknowledged: ReadonlyMap<string, string>;
}

/** Started empty under a token of the run, and loaded. */
export const isRebuilt = ({lineage}: Data): boolean => lineage.startsWith('rebuilt-');

export const isRestored = ({lineage}: Data): boolean => lineage.startsWith('restored-');

const saysOfLoss = ({conditions}: QuorumRecoveryStatus): string | undefined => conditions?.find(({type}) => type === 'DataLossPossible')?.status;

/** Members were replaced while a quorum served: nothing that was ever acknowledged may be gone, and that is said. */
function replaced({status, data, forces, acknowledged}: Ended): string | undefined {
  const missing = forces === 0 ? missingWrites(acknowledged, data, 'after members were replaced') : undefined;
  if (missing !== undefined) return missing;
  return saysOfLoss(status) === 'False' ? undefined : 'at the end: members were replaced, and it is not said that nothing is lost';
}

/** Pods were brought up again: nobody changed a disk, and nothing that was ever acknowledged may be gone. */
function restarted({world, status, data, forces, acknowledged}: Ended): string | undefined {
  if (forces > 0) return 'at the end: a restart that forced';
  const changed = [...world.disks.values()].find((disk) => disk.aside.length > 0 || disk.copies.size > 0 || disk.member.is === 'guard');
  if (changed !== undefined) return `at the end: disk ${changed.volume} was changed by a restart`;
  const missing = missingWrites(acknowledged, data, 'after a restart');
  if (missing !== undefined) return missing;
  return saysOfLoss(status) === 'False' ? undefined : 'at the end: pods were restarted, and it is not said that nothing is lost';
}

/** All that the snapshot held is there, and that the rest is lost is said. */
function restored({world: {snapshot}, status, data, forces}: Ended): string | undefined {
  if (forces > 0) return undefined;
  const owner = databaseOwner(status.run?.plan);
  const {index = 0, logIndex} = status.dataLoss?.database ?? {};
  if (owner !== undefined && logIndex === index) return undefined;
  const missing = owner === undefined ? missingWrites(snapshot?.keys ?? new Map(), data, 'after a restore') : undefined;
  if (missing !== undefined) return missing;
  const {newCluster} = status.run ?? {};
  if (newCluster?.servedAt === undefined) return undefined;
  if (data.clusterID !== newCluster.clusterID) return `at the end: cluster ${data.clusterID} serves, and ${newCluster.clusterID} was told`;
  return saysOfLoss(status) === 'True' ? undefined : 'at the end: a snapshot was restored, and it is not said that what was written since is lost';
}

/** Every key of the source is there with its value, nothing of the old cluster is, and that all else is lost is said. */
function rebuilt({world, status, data, acknowledged}: Ended): string | undefined {
  const source = world.store.get('ConfigMap', world.namespace, 'site')?.data ?? {};
  const found = Object.entries(source).filter(([field, value]) => data.keys.get(`/site/${field}`) !== value);
  if (found.length > 0) return `at the end: ${found.map(([field]) => field).join(', ')} is not as its source says`;
  const undumped = [...world.dump ?? []].filter(([key, value]) => data.keys.get(key) !== value);
  if (undumped.length > 0) return `at the end: ${undumped.map(([key]) => key).join(', ')} is not as the dump says`;
  const old = [...data.keys.keys()].filter((key) => acknowledged.has(key));
  if (old.length > 0) return `at the end: ${old.join(', ')} of the old cluster is in the new one`;
  const {newCluster} = status.run ?? {};
  if (data.clusterID !== newCluster?.clusterID) return `at the end: cluster ${data.clusterID} serves, and ${newCluster?.clusterID ?? 'none'} was told`;
  return saysOfLoss(status) === 'True' ? undefined : 'at the end: a cluster was rebuilt, and it is not said that all else is lost';
}

/** What the end of a run promises of its data, by what the run did. A forced one is asked for the survivor's writes. */
export function brokenEnding(ended: Ended): string | undefined {
  const {status: {run}, data} = ended;
  return (isReplacement(run) ? replaced(ended) : undefined) ?? (isRestart(run) ? restarted(ended) : undefined)
    ?? (isRestored(data) ? restored(ended) : undefined) ?? (isRebuilt(data) ? rebuilt(ended) : undefined);
}

/** Every ordinal runs in its own pod, and is a voter. */
export function notWhole({store, namespace}: World, data: Data): string | undefined {
  const ordinals = store.get('StatefulSet', namespace, 'etcd')?.spec?.replicas ?? 0;
  const voters = votersOf(data).length;
  if (voters !== ordinals || data.members.length !== ordinals) return `at the end: ${voters} voters of ${ordinals}`;
  const own = store.list('Pod', namespace).filter((pod) => pod.metadata?.labels?.['app'] === 'etcd');
  const all = own.length === ordinals && own.every((pod) => (pod.spec?.schedulingGates ?? []).length === 0 && pod.status?.phase === 'Running');
  return all ? undefined : 'at the end: not every own pod runs';
}
