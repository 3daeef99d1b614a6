import type {V1Pod} from '@kubernetes/client-node';
import {heldMessageStart, marks} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {hasFence, isTerminating} from '../kubernetes/ownPods.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isAlreadyExists, isConflict, isForbidden, isNotFound} from '../kubernetes/errors.ts';
import type {Acting} from './context.ts';
import {again, finished, refused} from './context.ts';
import {createPod} from './objects.ts';

/** How long the policy may take to see the new status, ms; after that it is not there, or does not work. */
const proofTimeoutMs = 20_000;

const key = (pod: V1Pod): [string, string] => [pod.metadata?.namespace ?? 'default', pod.metadata?.name ?? ''];

/** Every API server of the cluster, by the endpoints of the Service `kubernetes`; one that cannot be told apart is asked through the Service. */
async function apiServers(client: KubernetesClient): Promise<KubernetesClient[]> {
  const slices = await client.list('EndpointSlice', 'default', {labelSelector: 'kubernetes.io/service-name=kubernetes'});
  const addresses = slices.flatMap((slice) => {
    const port = slice.ports?.find((candidate) => candidate.name === 'https')?.port ?? slice.ports?.[0]?.port ?? 443;
    return (slice.endpoints ?? []).filter((endpoint) => endpoint.conditions?.ready !== false).flatMap((endpoint) => endpoint.addresses.map((address) =>
      `https://${address.includes(':') ? `[${address}]` : address}:${port}`));
  });
  return addresses.length > 1 ? addresses.map((address) => client.at(address)) : [client];
}

/** The denial must be our policy's own for this very resource: any other 403 proves nothing. */
async function denied(client: KubernetesClient, pod: V1Pod, resource: string): Promise<{held: boolean; otherDenial?: string}> {
  try {
    await client.create('Pod', pod, {dryRun: true});
    return {held: false};
  } catch (error) {
    // Admission speaks before the name is looked up: an answer that the name is taken is no denial.
    if (isAlreadyExists(error)) return {held: false};
    if (!isForbidden(error)) throw error;
    return error.message.includes(heldMessageStart(resource)) ? {held: true} : {held: false, otherDenial: error.message};
  }
}

/** Tries, as a dry run, what the StatefulSet controller would do, on every API server, until each denies it. */
export async function proveHold(acting: Acting, pods: readonly V1Pod[]): Promise<Outcome> {
  const {observation} = acting;
  const name = observation.resource.metadata.name ?? '';
  const servers = await apiServers(acting.client);
  const answers = await Promise.all(servers.flatMap((server) => pods.map((pod) => denied(server, pod, name))));
  if (answers.every((answer) => answer.held)) return finished(`the controller is denied ${pods.length} names on ${servers.length} API server${servers.length > 1 ? 's' : ''}`);
  const step = observation.status.run?.steps.find((candidate) => candidate.name === 'Hold');
  const late = observation.now - Date.parse(step?.startedAt ?? new Date(observation.now).toISOString()) > proofTimeoutMs;
  const other = answers.find((answer) => answer.otherDenial !== undefined)?.otherDenial;
  if (!late) return again('the admission policy does not deny the held names yet', 50);
  return refused('HoldNotEnforced', `the admission policy quorumrecovery-hold does not deny the held names (${other ?? 'a dry run was admitted'}): check the ValidatingAdmissionPolicy and its binding. No pod was touched`);
}

/**
 * Fence finalizer first, so that the object stays until its end was read; then a graceful delete of this very pod, as it was looked at or as
 * the fence left it: one that was let go, or has begun to serve, since an operator that hung looked at it is another version of it.
 */
export async function stopPod({client}: Acting, pod: V1Pod, graceSeconds?: number): Promise<Outcome> {
  const [namespace, name] = key(pod);
  const uid = pod.metadata?.uid ?? '';
  let seen = pod;
  try {
    if (!hasFence(pod)) {
      seen = await client.patch('Pod', namespace, name, {
        metadata: {uid, resourceVersion: pod.metadata?.resourceVersion, finalizers: [...(pod.metadata?.finalizers ?? []), marks.fence]},
      });
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return finished();
  }
  const resourceVersion = seen.metadata?.resourceVersion;
  try {
    await client.delete('Pod', namespace, name, {uid, ...(resourceVersion !== undefined && {resourceVersion}), ...(graceSeconds !== undefined && {gracePeriodSeconds: graceSeconds})});
  } catch (error) {
    // Its kubelet may have written its status in between, too.
    if (!isConflict(error)) throw error;
    return again(`${name} has changed since it was looked at`, 100);
  }
  return finished();
}

/** The end is recorded: the object may go. `force`: the kubelet will not take part any more. */
export async function releasePod({client}: Acting, pod: V1Pod, force: boolean): Promise<Outcome> {
  const [namespace, name] = key(pod);
  const {uid = '', resourceVersion} = pod.metadata ?? {};
  // Nothing runs in a pod without a node. It may have got one since: that is another version of it, whose etcd may run.
  const asSeen = pod.spec?.nodeName === undefined && resourceVersion !== undefined ? {resourceVersion} : {};
  if (!isTerminating(pod) || force) await client.delete('Pod', namespace, name, {uid, ...asSeen, ...(force && {gracePeriodSeconds: 0})});
  if (!hasFence(pod)) return finished();
  try {
    const finalizers = (pod.metadata?.finalizers ?? []).filter((finalizer) => finalizer !== marks.fence);
    await client.patch('Pod', namespace, name, {metadata: {uid, finalizers: finalizers.length > 0 ? finalizers : null}});
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return finished();
}

/** The name is free between the two only for the policy, which denies it to the StatefulSet controller. */
export async function replacePod(acting: Acting, pod: V1Pod, by: V1Pod): Promise<Outcome> {
  await releasePod(acting, pod, true);
  // Who was deposed meanwhile holds nothing any more.
  if (acting.signal.aborted) return again('this operator is not the leader any more', 1_000);
  return await createPod(acting, by);
}

/** Takes the scheduling gate away: the one way in which a held pod starts. */
export async function ungatePod({client}: Acting, pod: V1Pod): Promise<Outcome> {
  const [namespace, name] = key(pod);
  const others = (pod.spec?.schedulingGates ?? []).filter((gate) => gate.name !== marks.gate);
  await client.patch('Pod', namespace, name, {
    metadata: {uid: pod.metadata?.uid, resourceVersion: pod.metadata?.resourceVersion}, spec: {schedulingGates: others.length > 0 ? others : null},
  });
  return finished();
}

/** The fence goes from a pod that nobody stops any more. */
export async function dropFence({client}: Acting, pod: V1Pod): Promise<Outcome> {
  const [namespace, name] = key(pod);
  const finalizers = (pod.metadata?.finalizers ?? []).filter((finalizer) => finalizer !== marks.fence);
  try {
    await client.patch('Pod', namespace, name, {metadata: {uid: pod.metadata?.uid, resourceVersion: pod.metadata?.resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null}});
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return finished();
}

/** Tells the agent in a pod, by an annotation, that its turn has come. */
export async function giveTurn({client}: Acting, pod: V1Pod, turn: string): Promise<Outcome> {
  const [namespace, name] = key(pod);
  try {
    await client.patch('Pod', namespace, name, {metadata: {uid: pod.metadata?.uid, annotations: {[marks.turn]: turn}}});
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return finished();
}
