import type {V1Pod} from '@kubernetes/client-node';
import type {Outcome} from '../decide/decision.ts';
import {skipSnapshot} from '../decide/steps/snapshot.ts';
import {isAlreadyExists, isForbidden, isInvalid} from '../kubernetes/errors.ts';
import type {Acting} from './context.ts';
import {finished} from './context.ts';

/** Makes the agent that snapshots a running member. Where none is let in (a quota, a policy), that is recorded and stops nobody. */
export async function takeSnapshot({client}: Acting, of: string, pod: V1Pod): Promise<Outcome> {
  try {
    await client.create('Pod', pod);
  } catch (error) {
    if (isForbidden(error) || isInvalid(error)) return finished(undefined, skipSnapshot(of, `the API server refuses the pod of the volume agent: ${error.message}`));
    if (!isAlreadyExists(error)) throw error;
  }
  return finished();
}
