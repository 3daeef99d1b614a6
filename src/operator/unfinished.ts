import {inFlight} from '../api/progress.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {sleep} from './clock.ts';
import type {Clock} from './clock.ts';
import type {EventFeed} from './feed.ts';
import {keyOf} from './keys.ts';
import type {Key} from './keys.ts';
import type {Logger} from './log.ts';
import type {Selection} from './selection.ts';

export interface UnfinishedOptions {
  client: Pick<KubernetesClient, 'list'>;
  feed: Pick<EventFeed, 'synced'>;
  clock: Clock;
  log: Logger;
  selection: Selection;
  /** Namespace and name of the Lease that the runs name. */
  own: string;
  enqueue: (key: Key) => void;
  /** Aborts when this process leads no longer. */
  signal: AbortSignal;
}

const syncMs = 200;
const retryMs = 5_000;

/**
 * The feed does not tell of resources that are not served any more. Runs on them that this installation has begun, and that a leader before
 * this one left unfinished, are looked for once.
 */
export async function enqueueUnfinished({client, feed, clock, log, selection, own, enqueue, signal}: UnfinishedOptions): Promise<void> {
  if (!selection.narrow) return;
  while (!feed.synced && !signal.aborted) await sleep(clock, syncMs, signal);
  while (!signal.aborted) {
    try {
      const resources = await client.list('QuorumRecovery');
      for (const resource of resources.filter((one) => inFlight(one.status?.run)?.operator === own && !selection.serves(one))) enqueue(keyOf(resource));
      return;
    } catch (error) {
      log.warn({error}, 'Runs on resources that are not served any more could not be looked for: trying again');
      await sleep(clock, retryMs, signal);
    }
  }
}
