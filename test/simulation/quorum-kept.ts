import type {Write} from './intent.ts';
import type {Process} from './etcd.ts';
import {quorumOf, votersOf} from './etcd-data.ts';
import type {World} from './world.ts';

/** A process that ended so lately that nobody can know of it yet counts as there, ms. */
const unknownMs = 15_000;

/** The cluster as it was before a force is not the one that counts, unless its members are replaced one by one. */
const counts = ({data}: Process, old: boolean) => old || data.lineage !== 'template';

const serving = ({etcd}: World, old: boolean): Process | undefined =>
  [...etcd.processes].find((process) => !process.helper && counts(process, old) && etcd.leads(process) && etcd.confirmed(process) !== undefined);

/** Would the new cluster have a quorum without this process? */
function needed(world: World, process: Process): boolean {
  const voters = votersOf(process.data).map((member) => member.id);
  if (!voters.includes(process.data.memberID)) return false;
  const there = voters.filter((id) => id !== process.data.memberID).filter((id) => [...world.etcd.processes].some((other) => other.data.memberID === id && !other.helper)
    || world.now - (world.etcd.endedAt.get(id) ?? -Infinity) < unknownMs);
  return there.length < quorumOf(voters.length);
}

/**
 * Invariant 9: no act of the operator takes the quorum of the new cluster away, or of the one whose members it replaces (`old`).
 * @returns what to ask once the act is done
 */
export function takesQuorum(world: World, {verb, kind, name}: Write, old = false): () => string | undefined {
  if (kind === 'etcd') {
    const before = serving(world, old);
    return () => (before !== undefined && world.etcd.processes.has(before) && serving(world, old) === undefined ? `a call to etcd (${name}) takes the quorum away` : undefined);
  }
  if (kind !== 'Pod' || verb !== 'delete') return () => undefined;
  const pod = () => world.store.get('Pod', world.namespace, name);
  const before = pod();
  const process = [...world.etcd.processes].find((candidate) => candidate.podUID === before?.metadata?.uid && !candidate.helper && counts(candidate, old));
  if (process === undefined || before?.metadata?.deletionTimestamp !== undefined || !needed(world, process)) return () => undefined;
  return () => (pod()?.metadata?.uid !== process.podUID || pod()?.metadata?.deletionTimestamp !== undefined ? `pod ${name} is deleted, and the new cluster has no quorum without it` : undefined);
}
