import {randomUUID} from 'node:crypto';
import type {V1ObjectMeta} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {KubernetesClient} from '../../../src/kubernetes/client.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {requireVerb} from '../../../src/kubernetes/kinds.ts';
import type {Kind, ObjectOf, Verb} from '../../../src/kubernetes/kinds.ts';

interface Stored {
  metadata: V1ObjectMeta;
}

const reasons: Record<number, string> = {0: 'Unavailable', 404: 'NotFound', 409: 'Conflict', 422: 'Invalid'};

/** An API server in memory, as far as the runtime's own tests ask: names, UIDs, resourceVersions and their preconditions. */
export class FakeClient implements KubernetesClient {
  readonly calls: {verb: Verb; kind: Kind; name: string}[] = [];
  /** Called before each call; what it throws is the answer, and until it resolves there is none. */
  intercept: (verb: Verb, kind: Kind, name: string) => Promise<void> | void = () => undefined;
  readonly #objects = new Map<string, Stored>();
  #version = 1;

  async get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined> {
    await this.#call('get', kind, name);
    return structuredClone(this.#objects.get(id(kind, namespace, name))) as ObjectOf<K> | undefined;
  }

  async list<K extends Kind>(kind: K, namespace?: string): Promise<ObjectOf<K>[]> {
    await this.#call('list', kind, '');
    const prefix = namespace === undefined ? `${kind}/` : `${kind}/${namespace}/`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => structuredClone(object) as ObjectOf<K>);
  }

  async create<K extends Kind>(kind: K, object: ObjectOf<K>, options: {dryRun?: boolean} = {}): Promise<ObjectOf<K>> {
    const {name = '', namespace} = (object as Stored).metadata;
    await this.#call('create', kind, name);
    const key = id(kind, namespace, name);
    if (this.#objects.has(key)) throw this.#error('create', kind, name, 409, 'AlreadyExists');
    const stored = structuredClone(object) as Stored;
    Object.assign(stored.metadata, {uid: randomUUID(), resourceVersion: String(this.#version++)});
    if (options.dryRun !== true) this.#objects.set(key, stored);
    return structuredClone(stored) as ObjectOf<K>;
  }

  /** What someone else made: no call of the operator, and no right needed. */
  seed<K extends Kind>(kind: K, object: ObjectOf<K>): ObjectOf<K> {
    const stored = structuredClone(object) as Stored;
    stored.metadata.uid ??= randomUUID();
    return this.#put(kind, stored) as ObjectOf<K>;
  }

  async patch<K extends Kind>(kind: K, namespace: string | undefined, name: string, patch: object): Promise<ObjectOf<K>> {
    await this.#call('patch', kind, name);
    const stored = this.#existing('patch', kind, namespace, name, (patch as Partial<Stored>).metadata);
    const merged = merge(stored, patch) as Stored;
    merged.metadata.resourceVersion = String(this.#version++);
    this.#objects.set(id(kind, namespace, name), merged);
    return structuredClone(merged) as ObjectOf<K>;
  }

  async delete(kind: Kind, namespace: string | undefined, name: string, options: {uid: string}): Promise<boolean> {
    await this.#call('delete', kind, name);
    const key = id(kind, namespace, name);
    if (!this.#objects.has(key)) return false;
    this.#existing('delete', kind, namespace, name, {uid: options.uid});
    return this.#objects.delete(key);
  }

  async replace<K extends Kind>(kind: K, object: ObjectOf<K>): Promise<ObjectOf<K>> {
    const {metadata} = object as Stored;
    await this.#call('update', kind, metadata.name ?? '');
    this.#existing('update', kind, metadata.namespace, metadata.name ?? '', metadata);
    return this.#put(kind, structuredClone(object) as Stored) as ObjectOf<K>;
  }

  async replaceStatus(resource: QuorumRecovery): Promise<QuorumRecovery> {
    const {name = '', namespace} = resource.metadata;
    await this.#call('update', 'QuorumRecovery/status', name);
    const stored = this.#existing('update', 'QuorumRecovery', namespace, name, resource.metadata) as QuorumRecovery;
    return this.#put('QuorumRecovery', structuredClone({...stored, status: resource.status ?? {}})) as QuorumRecovery;
  }

  podLog(): Promise<string> {
    return Promise.resolve('');
  }

  version(): Promise<{major: number; minor: number; gitVersion: string}> {
    return Promise.resolve({major: 1, minor: 35, gitVersion: 'v1.35.4'});
  }

  at(): KubernetesClient {
    return this;
  }

  #put(kind: Kind, object: Stored): Stored {
    object.metadata.resourceVersion = String(this.#version++);
    this.#objects.set(id(kind, object.metadata.namespace, object.metadata.name ?? ''), object);
    return structuredClone(object);
  }

  async #call(verb: Verb, kind: Kind, name: string): Promise<void> {
    requireVerb(kind, verb);
    this.calls.push({verb, kind, name});
    await this.intercept(verb, kind, name);
  }

  #existing(verb: Verb, kind: Kind, namespace: string | undefined, name: string, expected: V1ObjectMeta | undefined): Stored {
    const stored = this.#objects.get(id(kind, namespace, name));
    if (stored === undefined) throw this.#error(verb, kind, name, 404);
    const {uid, resourceVersion} = expected ?? {};
    if (uid !== undefined && uid !== stored.metadata.uid) throw this.#error(verb, kind, name, 409);
    if (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion) throw this.#error(verb, kind, name, 409);
    return stored;
  }

  #error(verb: Verb, kind: string, name: string, code: number, reason = reasons[code] ?? 'Unknown'): ApiError {
    return new ApiError({verb, kind, object: name, code, reason, message: 'refused by the fake'});
  }
}

const id = (kind: Kind, namespace: string | undefined, name: string) => `${kind}/${namespace ?? ''}/${name}`;

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? {...target} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = merge(result[key], value);
  }
  return result;
}

export const unavailable = (verb: Verb, kind: string) =>
  new ApiError({verb, kind, object: '', code: 0, reason: 'Unavailable', message: 'no answer from the API server in time'});
