import {isDeepStrictEqual} from 'node:util';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isConflict} from '../kubernetes/errors.ts';
import {keyOf, keyText} from './keys.ts';

/** The resource changed since it was read: nothing was written, and the reconcile has to begin again from what is there now. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';

  constructor(what: string, cause?: unknown) {
    super(`${what} was changed by someone else since it was read; nothing was written, the next reconcile reads it anew`, {cause});
  }
}

/** Changes the status in place, or returns the one that shall take its place. A pure function: it may be called on any copy. */
export type StatusMutation = (status: QuorumRecoveryStatus) => QuorumRecoveryStatus | undefined;

/** A copy as the API server will see it: without undefined, with dates as text. Several times as fast as through JSON text. */
function asJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString() as T;
  if (Array.isArray(value)) return value.map((item: unknown) => asJson(item ?? null)) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) if (value[key] !== undefined) copy[key] = asJson(value[key]);
  return copy as T;
}

/** All that a write of the status leaves as it was, and the status that it writes. */
const partsOf = ({spec, status, metadata: {uid, generation, labels, annotations, finalizers, deletionTimestamp}}: QuorumRecovery): unknown =>
  asJson({spec, status, uid, generation, labels, annotations, finalizers, deletionTimestamp});

const isSame = (a: QuorumRecovery, b: QuorumRecovery): boolean => isDeepStrictEqual(partsOf(a), partsOf(b));

/** The only place that writes the status of a QuorumRecovery. */
export class StatusWriter {
  readonly #client: Pick<KubernetesClient, 'replaceStatus'>;
  readonly #written = new Map<string, string>();
  /** What is being written: the watch may tell of it before the answer comes. */
  readonly #writing = new Map<string, QuorumRecovery>();

  constructor(client: Pick<KubernetesClient, 'replaceStatus'>) {
    this.#client = client;
  }

  /**
   * Applies the mutation to a copy of the status that was read and writes it, guarded by the resourceVersion that was read.
   * Writes nothing when nothing changed. Returns the resource as it stands then: go on with that, not with the one that was given.
   * Rejects with ConflictError on 409 and with ApiError on everything else; a write is never dropped silently.
   */
  async update(resource: QuorumRecovery, mutate: StatusMutation): Promise<QuorumRecovery> {
    const before = asJson(resource.status ?? {});
    const copy = asJson(before);
    const returned = mutate(copy);
    const after = asJson(returned ?? copy);
    if (isDeepStrictEqual(before, after)) return resource;
    const key = keyText(keyOf(resource));
    const writing = {...resource, status: after};
    this.#writing.set(key, writing);
    try {
      const written = await this.#client.replaceStatus(writing);
      this.#written.set(key, written.metadata.resourceVersion ?? '');
      return written;
    } catch (error) {
      if (isConflict(error)) throw new ConflictError(`QuorumRecovery ${key}`, error);
      throw error;
    } finally {
      if (this.#writing.get(key) === writing) this.#writing.delete(key);
    }
  }

  /** Whether this is the state that the last write here made: its watch event tells nothing new. */
  isOwnWrite(resource: QuorumRecovery): boolean {
    const version = resource.metadata.resourceVersion;
    if (version === undefined) return false;
    const key = keyText(keyOf(resource));
    const writing = this.#writing.get(key);
    return this.#written.get(key) === version || (writing !== undefined && isSame(writing, resource));
  }

  forget(resource: QuorumRecovery): void {
    this.#written.delete(keyText(keyOf(resource)));
  }
}
