import {randomBytes} from 'node:crypto';
import {V1MicroTime} from '../kubernetes/client-node.ts';
import type {V1ObjectMeta, V1ObjectReference} from '@kubernetes/client-node';
import type {KubernetesClient} from '../kubernetes/client.ts';
import type {Clock} from './clock.ts';
import type {Logger} from './log.ts';

/** An object that an event can be about; apiVersion and kind as the client gives them. */
export interface Regarding {
  apiVersion?: string;
  kind?: string;
  metadata?: V1ObjectMeta;
}

export interface EventToRecord {
  regarding: Regarding;
  type: 'Normal' | 'Warning';
  /** CamelCase, the reason of the condition that it tells of; ≤ 128 bytes. */
  reason: string;
  /** What the operator did or does, CamelCase; ≤ 128 bytes. */
  action: string;
  /** For people; cut at 1024 bytes, the API server's limit. */
  note: string;
  related?: Regarding;
}

export interface EventRecorderOptions {
  client: Pick<KubernetesClient, 'create'>;
  clock: Clock;
  log: Logger;
  /** Which operator process says it: its pod's name. */
  identity: string;
  /** Told of every event that could not be written. */
  onFailure?: () => void;
}

export const reportingController = 'quorumrecovery.io/operator';

const repeatMs = 10 * 60_000;
const remembered = 2_000;

/** Cuts at a character's border, so that at most `limit` bytes of UTF-8 are left. */
function cut(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit - 3;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString()}…`;
}

const reference = ({apiVersion, kind, metadata}: Regarding): V1ObjectReference => ({
  ...(apiVersion !== undefined && {apiVersion}),
  ...(kind !== undefined && {kind}),
  ...(metadata?.namespace !== undefined && {namespace: metadata.namespace}),
  ...(metadata?.name !== undefined && {name: metadata.name}),
  ...(metadata?.uid !== undefined && {uid: metadata.uid}),
  ...(metadata?.resourceVersion !== undefined && {resourceVersion: metadata.resourceVersion}),
});

/**
 * Writes Kubernetes Events. An event tells of what happened, nothing waits for it: a failure is logged and counted, never thrown.
 * The same object, reason and note is written once in ten minutes.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #last = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Call it after the status write that the event tells of. */
  record(event: EventToRecord): void {
    const {metadata} = event.regarding;
    const id = JSON.stringify([metadata?.uid ?? `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`, event.reason, event.note]);
    const now = this.#options.clock.monotonic();
    const last = this.#last.get(id);
    if (last !== undefined && now - last < repeatMs) return;
    // Taken out and put in again, so that the map stays ordered by age.
    this.#last.delete(id);
    this.#last.set(id, now);
    this.#prune();
    const pending = this.#write(event).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Resolves when every event that was recorded so far is written or has failed. */
  async drain(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #prune(): void {
    for (const id of this.#last.keys()) {
      if (this.#last.size <= remembered) return;
      this.#last.delete(id);
    }
  }

  async #write(event: EventToRecord): Promise<void> {
    const {client, clock, log, identity, onFailure} = this.#options;
    const {metadata} = event.regarding;
    try {
      await client.create('Event', {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: {name: `${(metadata?.name ?? '').slice(0, 230)}.${randomBytes(8).toString('hex')}`, namespace: metadata?.namespace ?? 'default'},
        eventTime: new V1MicroTime(clock.now()),
        reportingController,
        reportingInstance: cut(identity, 128),
        type: event.type,
        reason: cut(event.reason, 128),
        action: cut(event.action, 128),
        note: cut(event.note, 1024),
        regarding: reference(event.regarding),
        ...(event.related !== undefined && {related: reference(event.related)}),
      });
    } catch (error) {
      onFailure?.();
      log.warn({error, reason: event.reason, regarding: metadata?.name}, 'An event could not be written; its content stands in the status as well');
    }
  }
}
