import type {Outcome} from '../decide/decision.ts';
import {recordRefusal} from '../decide/watch/leadership.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {Acting} from './context.ts';
import {finished, memberOf} from './context.ts';

/**
 * Asks the leader to hand over. Tried once: what became of it the next look tells by who leads then. A refusal is no error of this operator,
 * and a repeat waits for its time.
 */
export async function moveLeader(acting: Acting, from: string, memberID: string): Promise<Outcome> {
  const leader = memberOf(acting, from);
  if (leader === undefined) return finished(undefined, recordRefusal(`${from} does not run any more`));
  try {
    await leader.moveLeader(memberID);
    return finished();
  } catch (error) {
    if (!isEtcdError(error)) throw error;
    // What it says of a user or a certificate is told as for every other act.
    if (['Unauthenticated', 'PermissionDenied', 'Certificate'].includes(error.kind)) throw error;
    return finished(undefined, recordRefusal(error.message));
  }
}
