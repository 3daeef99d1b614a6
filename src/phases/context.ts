import type {V1Pod} from '@kubernetes/client-node';
import type {BlockedReason} from '../api/reasons.ts';
import type {Outcome, Transaction} from '../decide/decision.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember} from '../etcd/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import type {EtcdAccess} from '../observe/access.ts';
import type {Credentials} from '../observe/credentials.ts';
import type {Observation} from '../observe/observation.ts';
import {isLaunch} from '../observe/observation.ts';
import type {HeavyActs} from './heavy.ts';

/** What an act may use. */
export interface Acting {
  client: KubernetesClient;
  etcd: EtcdAccess;
  credentials: Credentials;
  observation: Observation;
  /** Wall clock, ms since the epoch. */
  now: () => number;
  /** Aborted when the lease is lost: no further act is begun. */
  signal: AbortSignal;
  /** Of this process. */
  heavy: HeavyActs;
}

export const finished = (message?: string, record?: Transaction): Outcome => ({kind: 'done', ...(message !== undefined && {message}), ...(record && {record})});
export const again = (why: string, ms: number): Outcome => ({kind: 'retry', why, ms});
export const refused = (reason: BlockedReason, message: string): Outcome => ({kind: 'blocked', reason, message});

/** The etcd in a pod of the run: the set's, or the forced start. */
export function memberIn(acting: Acting, pod: V1Pod, ordinalPod: string): EtcdMember {
  const view = acting.observation.ordinals.find((candidate) => candidate.pod === ordinalPod);
  if (view === undefined || !isLaunch(view.launch)) throw new Error(`how ${ordinalPod} starts etcd is not known`);
  return acting.etcd.member(pod, view.launch, acting.credentials);
}

/** The etcd of one of the set's own pods; undefined while the pod is not there. */
export function memberOf(acting: Acting, ordinalPod: string): EtcdMember | undefined {
  const view = acting.observation.ordinals.find((candidate) => candidate.pod === ordinalPod);
  return view?.object?.status?.podIP ? memberIn(acting, view.object, ordinalPod) : undefined;
}

const passing = ['Unreachable', 'Timeout', 'NoLeader', 'Unhealthy', 'NotReady', 'TooManyLearners', 'LearnerRefused'] as const;

/** An etcd that is still coming up, or not ready for a change, is asked again; everything else is an error. */
export async function untilReady(ms: number, act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    if (isEtcdError(error, ...passing)) return again(error.message, ms);
    throw error;
  }
}
