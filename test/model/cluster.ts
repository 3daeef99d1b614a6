import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../src/api/types.ts';
import type {V1Pod, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import {isEtcdError} from '../../src/etcd/errors.ts';
import type {EtcdErrorKind} from '../../src/etcd/errors.ts';
import type {EtcdMember} from '../../src/etcd/types.ts';
import {ApiError} from '../../src/kubernetes/errors.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';

/** home and other stay; lost ends and its Node is deleted; silent ends and its Node stays. */
export type NodeRole = 'home' | 'other' | 'lost' | 'silent';

/** Kinds that the operator only reads, and what an administrator makes of them. */
export interface Given {
  StatefulSet: V1StatefulSet;
  Service: V1Service;
  QuorumRecovery: QuorumRecovery;
}

/** A Kubernetes with etcd in its pods: the simulation's model, or the lab. What a behaviour does and sees goes through this alone. */
export interface Cluster {
  readonly namespace: string;
  readonly image: string;
  /** The operator's own client. */
  readonly client: KubernetesClient;
  /** What a story found out, for its later behaviours. */
  readonly notes: Map<string, string>;
  node(role: NodeRole): string;
  make<K extends keyof Given>(kind: K, object: Given[K]): Promise<void>;
  remove(kind: keyof Given, name: string): Promise<void>;
  /** The etcd that runs in this pod now. */
  etcd(pod: string): Promise<EtcdMember>;
  /** SIGKILL for the etcd in this pod. */
  kill(pod: string): Promise<void>;
  /** The machine ends for good, with its disks; its Node object stays. */
  endNode(role: NodeRole): Promise<void>;
  deleteNode(role: NodeRole): Promise<void>;
  /** Its Node gets the taint node.kubernetes.io/out-of-service. */
  takeOutOfService(role: NodeRole): Promise<void>;
  /** No packet passes between this node and the others or the API server. */
  cutOff(role: NodeRole): Promise<void>;
  reconnect(role: NodeRole): Promise<void>;
  /** Looks until there is an answer. A question that fails counts as "not yet". Seconds are the cluster's own. */
  until<T>(what: string, look: () => Promise<T | undefined>, seconds?: number): Promise<T>;
  /** Looks for so long, and fails as soon as the look does. For what must not happen. */
  holds(what: string, seconds: number, look: () => Promise<void>): Promise<void>;
}

export interface Behaviour {
  title: string;
  act: (cluster: Cluster) => Promise<void>;
}

/** Behaviours that build on one another. What they make begins with the story's name, so that stories can share a namespace and its nodes. */
export interface Story {
  name: string;
  about: string;
  /** Which of the lab's two cases it is in. */
  of: 'Kubernetes' | 'etcd';
  nodes: readonly NodeRole[];
  behaviours: readonly Behaviour[];
}

export function story(head: Omit<Story, 'behaviours'>, acts: Record<string, Behaviour['act']>): Story {
  return {...head, behaviours: Object.entries(acts).map(([title, act]) => ({title, act}))};
}

/** The API server refuses with this code, and says this. */
export async function refused(call: Promise<unknown>, code: number, text?: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.code, code, error.message);
    if (text !== undefined) assert.match(error.message, text);
    return true;
  });
}

/** etcd refuses for one of these reasons. */
export async function fails(call: Promise<unknown>, ...kinds: EtcdErrorKind[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(isEtcdError(error), String(error));
    assert.ok(kinds.includes(error.kind), `${error.kind}, not ${kinds.join(' or ')}: ${error.message}`);
    return true;
  });
}

export async function podOf({client, namespace}: Cluster, name: string): Promise<V1Pod> {
  const pod = await client.get('Pod', namespace, name);
  assert.ok(pod, `there is no pod ${name}`);
  return pod;
}

export async function isGone({client, namespace}: Cluster, name: string): Promise<true | undefined> {
  return await client.get('Pod', namespace, name) === undefined ? true : undefined;
}

export const conditionOf = (pod: V1Pod, type: string) => pod.status?.conditions?.find((condition) => condition.type === type);

/** The pod, once its etcd runs. */
export async function running(cluster: Cluster, name: string): Promise<V1Pod> {
  return await cluster.until(`${name} running`, async () => {
    const pod = await podOf(cluster, name);
    const runs = pod.status?.phase === 'Running' && pod.status.containerStatuses?.every((status) => status.state?.running !== undefined);
    if (!runs || conditionOf(pod, 'Ready')?.status !== 'True') throw new Error(JSON.stringify(pod.status));
    return pod;
  }, 120);
}

/** The pod, once none of its containers runs or is started again. */
export async function over(cluster: Cluster, name: string): Promise<V1Pod> {
  return await cluster.until(`the end of ${name}`, async () => {
    const pod = await podOf(cluster, name);
    if (pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') throw new Error(JSON.stringify(pod.status));
    return pod;
  }, 120);
}

/** The pod, once the scheduler has said that it has no place. */
export async function withoutPlace(cluster: Cluster, name: string, reason: string): Promise<V1Pod> {
  return await cluster.until(`${name} ${reason}`, async () => {
    const pod = await podOf(cluster, name);
    const condition = conditionOf(pod, 'PodScheduled');
    if (condition?.status !== 'False' || condition.reason !== reason) throw new Error(JSON.stringify(pod.status));
    assert.equal(pod.spec?.nodeName, undefined);
    return pod;
  });
}

/** Deletes a pod and returns when it is gone. */
export async function away(cluster: Cluster, name: string): Promise<void> {
  const pod = await podOf(cluster, name);
  await cluster.client.delete('Pod', cluster.namespace, name, {uid: pod.metadata?.uid ?? ''});
  await cluster.until(`the end of ${name}`, async () => await isGone(cluster, name));
}

export async function claimAway(cluster: Cluster, name: string): Promise<void> {
  const claim = await cluster.client.get('PersistentVolumeClaim', cluster.namespace, name);
  await cluster.client.delete('PersistentVolumeClaim', cluster.namespace, name, {uid: claim?.metadata?.uid ?? ''});
  await cluster.until(`the end of claim ${name}`, async () => (await cluster.client.get('PersistentVolumeClaim', cluster.namespace, name) === undefined ? true : undefined));
}
