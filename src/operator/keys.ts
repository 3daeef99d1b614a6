import type {V1Node, V1ObjectMeta, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';
import type {QuorumRecovery} from '../api/types.ts';

/** Which QuorumRecovery: what the queue holds and what is reconciled. */
export interface Key {
  namespace: string;
  name: string;
}

export const keyOf = (object: {metadata?: V1ObjectMeta}): Key =>
  ({namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? ''});

/** `namespace/name`; neither part can contain a slash. */
export const keyText = (key: Key): string => `${key.namespace}/${key.name}`;

export function parseKey(text: string): Key {
  const slash = text.indexOf('/');
  return {namespace: text.slice(0, slash), name: text.slice(slash + 1)};
}

const targets = (resource: QuorumRecovery, set: string | undefined) => set !== undefined && resource.spec.target.statefulSet === set;

/** The set that a pod belongs to by owner, or could belong to by name: a pod without an owner may still take an ordinal's name. */
function setOf(pod: V1Pod): string | undefined {
  const owner = pod.metadata?.ownerReferences?.find((reference) => reference.controller === true);
  if (owner !== undefined) return owner.kind === 'StatefulSet' ? owner.name : undefined;
  return /^(.+)-\d+$/.exec(pod.metadata?.name ?? '')?.[1];
}

/** Resources of the pod's namespace that the pod matters to: their set's pods, and helper pods that carry their name. */
export function concernsPod(resource: QuorumRecovery, pod: V1Pod): boolean {
  if (resource.metadata.namespace !== pod.metadata?.namespace) return false;
  const name = resource.metadata.name;
  const {labels, annotations} = pod.metadata ?? {};
  if (name !== undefined && (labels?.[marks.resource] === name || annotations?.[marks.resource] === name)) return true;
  return targets(resource, setOf(pod));
}

export const concernsSet = (resource: QuorumRecovery, set: V1StatefulSet): boolean =>
  resource.metadata.namespace === set.metadata?.namespace && targets(resource, set.metadata?.name);

/** A node matters to every resource whose members it runs, and to those in the middle of a run, which may wait for any node. */
export function concernsNode(resource: QuorumRecovery, node: V1Node): boolean {
  const {run, members, heldPods} = resource.status ?? {};
  if (run !== undefined && run.finishedAt === undefined) return true;
  if ((heldPods ?? []).length > 0 || (members ?? []).length === 0) return true;
  return (members ?? []).some((member) => member.node === node.metadata?.name);
}

const readiness = (node: V1Node) => node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status;

/** Whether a change of a node is more than its heartbeat. */
export function nodeChanged(before: V1Node | undefined, after: V1Node): boolean {
  if (before === undefined) return true;
  const view = (node: V1Node) => JSON.stringify([
    node.metadata?.uid, node.metadata?.deletionTimestamp, readiness(node), node.spec?.unschedulable, node.spec?.taints, node.spec?.providerID,
    node.status?.nodeInfo?.machineID, node.status?.nodeInfo?.systemUUID, node.metadata?.labels,
  ]);
  return view(before) !== view(after);
}
