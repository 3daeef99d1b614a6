import type {V1PersistentVolume, V1PersistentVolumeClaim, V1Pod} from '@kubernetes/client-node';
import type {Outcome} from '../decide/decision.ts';
import {isAlreadyExists, isForbidden, isInvalid} from '../kubernetes/errors.ts';
import type {Acting} from './context.ts';
import {again, finished, refused} from './context.ts';

const place = (object: {metadata?: {namespace?: string; name?: string; uid?: string}}) =>
  ({namespace: object.metadata?.namespace ?? 'default', name: object.metadata?.name ?? '', uid: object.metadata?.uid ?? ''});

/** Every pod of the plan under another name, as a dry run: a quota or a policy says no now. */
export async function dryRunPods({client}: Acting, pods: readonly V1Pod[]): Promise<Outcome> {
  for (const pod of pods) {
    try {
      await client.create('Pod', pod, {dryRun: true});
    } catch (error) {
      if (isAlreadyExists(error)) continue;
      if (isForbidden(error) || isInvalid(error)) {
        return refused('PodRefused', `the API server refuses a pod that the run needs (tried as a dry run): ${error.message}. Change the quota or the policy, or spec.target.launch. No pod was touched`);
      }
      throw error;
    }
  }
  return finished();
}

export async function createPod({client}: Acting, pod: V1Pod): Promise<Outcome> {
  try {
    await client.create('Pod', pod);
    return finished();
  } catch (error) {
    // The name is taken: the next observation tells by whom.
    if (isAlreadyExists(error)) return again(`pod ${place(pod).name} is there already`, 50);
    if (isInvalid(error)) return refused('PodRefused', `the API server refuses pod ${place(pod).name}: ${error.message}`);
    if (isForbidden(error)) return again(`the API server refuses pod ${place(pod).name}: ${error.message}`, 1_000);
    throw error;
  }
}

export async function deletePod({client}: Acting, pod: V1Pod): Promise<Outcome> {
  const {namespace, name, uid} = place(pod);
  await client.delete('Pod', namespace, name, {uid});
  return finished();
}

/** The volume of a lost node is kept, whatever its class says: its data may be wanted. */
export async function retainVolume({client}: Acting, volume: V1PersistentVolume): Promise<Outcome> {
  const {name, uid} = place(volume);
  await client.patch('PersistentVolume', undefined, name, {metadata: {uid}, spec: {persistentVolumeReclaimPolicy: 'Retain'}});
  return finished();
}

export async function deleteClaim({client}: Acting, claim: V1PersistentVolumeClaim): Promise<Outcome> {
  const {namespace, name, uid} = place(claim);
  await client.delete('PersistentVolumeClaim', namespace, name, {uid});
  return finished();
}

/** Controller or operator may make the claim, whoever is first. */
export async function createClaim({client}: Acting, claim: V1PersistentVolumeClaim): Promise<Outcome> {
  try {
    await client.create('PersistentVolumeClaim', claim);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  return finished();
}
