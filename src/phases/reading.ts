import type {V1Pod} from '@kubernetes/client-node';
import type {OfflineFacts} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {recordEtcdutl, recordOffline, withVerdict} from '../decide/steps/etcdutl.ts';
import {readStatus} from '../etcd/etcdutl.ts';
import type {EtcdutlFacts} from '../etcd/etcdutl.ts';
import {etcdutlContainer, etcdutlState} from '../kubernetes/etcdutlPod.ts';
import {ApiError, isAlreadyExists, isForbidden, isInvalid} from '../kubernetes/errors.ts';
import type {Acting} from './context.ts';
import {finished} from './context.ts';

/** What is there of the output of a container that has ended; a kubelet that cannot give it is no reason to wait. */
async function factsIn({client}: Acting, pod: V1Pod): Promise<EtcdutlFacts> {
  const state = etcdutlState(pod);
  if (state === undefined || 'stuck' in state) return {missing: state?.stuck ?? 'it did not end in time'};
  try {
    const log = await client.podLog(pod.metadata?.namespace ?? 'default', pod.metadata?.name ?? '', {container: etcdutlContainer, limitBytes: 16_384});
    return readStatus(state.ended, log);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // One that was never started has no log.
    return {missing: state.ended.exitCode === 0 ? `its output cannot be read: ${error.message}` : `it did not run (${state.ended.reason}): has the image an etcdutl?`};
  }
}

/** Records what etcdutl says of a disk: together with what the agent said of it, or of the survivor's copy alone. */
export async function readEtcdutl(acting: Acting, pod: V1Pod, of: string, facts: OfflineFacts | undefined): Promise<Outcome> {
  const said = await factsIn(acting, pod);
  return finished(undefined, facts === undefined ? recordEtcdutl(of, said) : recordOffline(withVerdict(facts, said), acting.observation.now));
}

/** Makes a pod that a run can do without: where it is not let in, that is recorded. */
export async function offerReader({client}: Acting, pod: V1Pod, of: string): Promise<Outcome> {
  try {
    await client.create('Pod', pod);
  } catch (error) {
    if (isForbidden(error) || isInvalid(error)) return finished(undefined, recordEtcdutl(of, {missing: `the API server refuses its pod: ${error.message}`}));
    if (!isAlreadyExists(error)) throw error;
  }
  return finished();
}
