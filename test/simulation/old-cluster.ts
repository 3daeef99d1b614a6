import type {V1Pod} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../src/api/types.ts';
import type {Process} from './etcd.ts';
import {lastTerm, quorumOf, votersOf} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';
import type {World} from './world.ts';

/* What may be left of the old cluster when a new one takes its place: no quorum of processes, no quorum of data, and no better data than what is taken. */

export const dataOf = (disk: Disk): Data | undefined => (disk.member.is === 'data' ? disk.member.data : undefined);

/** What a disk held of the old cluster, be it set aside since. */
export function oldDataOf(disk: Disk): Data | undefined {
  const data = dataOf(disk);
  return data?.lineage === 'template' ? data : disk.aside.find(({lineage}) => lineage === 'template');
}

const voterIDs = (data: Data): string[] => votersOf(data).map(({id}) => id);

/** It is there, and nobody has declared it gone: a person's word gives up a disk that went with its node, not a volume that any node can attach. */
function isIntact({store, namespace}: World, disk: Disk, data: Data | undefined, voters: readonly string[]): boolean {
  if (data === undefined || !voters.includes(data.memberID)) return false;
  if (disk.node === undefined) return true;
  const resource: QuorumRecovery | undefined = store.get('QuorumRecovery', namespace, 'etcd');
  if ((resource?.spec.lostMembers ?? []).some(({memberID}) => memberID === data.memberID)) return false;
  const node = store.get('Node', undefined, disk.node);
  return node !== undefined && !(node.spec?.taints ?? []).some((taint) => taint.key === 'node.kubernetes.io/out-of-service');
}

/**
 * Invariant 4: disks of the old membership that are there, or that nobody has declared gone, are fewer than a quorum.
 * @param of what a disk held before
 */
export function intactQuorum(world: World, before: Data, of: (disk: Disk) => Data | undefined, what: string): string | undefined {
  const voters = voterIDs(before);
  const intact = [...world.disks.values()].filter((disk) => isIntact(world, disk, of(disk), voters));
  return intact.length < quorumOf(voters.length) ? undefined : `invariant 4: ${what} while ${intact.length} of ${voters.length} voters' data is intact`;
}

/** Voters of this old membership that run, wherever, where they are a quorum of it. */
function electing(running: readonly Process[], membership: Data): Process[] {
  const voters = voterIDs(membership);
  const left = running.filter(({data}) => voters.includes(data.memberID));
  return left.length >= quorumOf(voters.length) ? left : [];
}

/** Invariants 2 and 3 at a forced start, against every old membership: nobody runs, or can start, who could elect another leader. */
export function notFenced(world: World, process: Process, before: Data): string | undefined {
  const old = [...world.etcd.processes].filter((other) => other !== process);
  const others = [...world.disks.values()].map(dataOf).filter((data) => data !== undefined && data !== process.data) as Data[];
  for (const membership of [before, ...others]) {
    const left = electing(old, membership);
    if (left.length > 0) return `invariant 3: ${process.ordinal} is forced while ${left.map((other) => `${other.podName} on ${other.node}`).join(', ')} can still elect a leader`;
  }
  // Own pods that are bound to a node and not over could start again there, or run there unseen. In one that is being deleted nothing starts.
  const runs = (pod: V1Pod) => [...world.etcd.processes].some((other) => other.podUID === pod.metadata?.uid);
  const loose = world.store.list('Pod', world.namespace).filter((pod) => pod.metadata?.labels?.['app'] === 'etcd' && pod.spec?.nodeName !== undefined)
    .filter((pod) => pod.metadata?.deletionTimestamp === undefined || runs(pod))
    .filter((pod) => world.machines.get(pod.spec?.nodeName ?? '')?.alive === true).map((pod) => pod.metadata?.name ?? '');
  if (loose.includes(process.ordinal)) return `invariant 2: ${process.ordinal} is forced while its own pod can run`;
  return loose.length < quorumOf(votersOf(before).length) ? undefined : `invariant 3: ${process.ordinal} is forced while ${loose.join(', ')} can run`;
}

/** Invariant 3 where no disk's data goes on: no quorum of the old cluster runs. */
export function stillElects({etcd}: World, before: Data, what: string): string | undefined {
  const left = electing([...etcd.processes], before);
  return left.length === 0 ? undefined : `invariant 3: ${what} while ${left.map(({podName}) => podName).join(', ')} can still elect a leader`;
}

/** Invariant 13: no disk within reach has a newer log, because what only that one held would be lost. `candidates`: pods whose disks were compared. */
export function betterData(world: World, process: Process, before: Data, candidates: readonly string[]): string | undefined {
  const voters = voterIDs(before);
  for (const disk of world.disks.values()) {
    const data = dataOf(disk);
    const machine = disk.node === undefined ? undefined : world.machines.get(disk.node);
    if (data === undefined || disk === process.disk || machine?.connected !== true || !voters.includes(data.memberID)) continue;
    if (!candidates.some((pod) => world.store.get('PersistentVolumeClaim', world.namespace, `data-${pod}`)?.spec?.volumeName === disk.volume)) continue;
    const newer = lastTerm(data) > lastTerm(before) || (lastTerm(data) === lastTerm(before) && data.log.length > before.log.length);
    if (newer) return `invariant 13: ${process.ordinal} is forced, and ${disk.volume} holds newer data`;
  }
  return undefined;
}
