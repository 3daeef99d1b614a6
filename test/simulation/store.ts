import type {V1ObjectMeta, V1Pod} from '@kubernetes/client-node';
import {ApiError} from '../../src/kubernetes/errors.ts';
import type {Kind, ObjectOf, Verb} from '../../src/kubernetes/kinds.ts';

/** What all objects have, as far as the store asks. */
export interface Stored {
  metadata?: V1ObjectMeta;
  spec?: object;
  status?: object;
}

export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  kind: Kind;
  object: Stored;
}

export interface Expected {
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  verb?: Verb;
}

export const refuse = (verb: Verb, kind: string, object: string, code: number, reason: string, message: string): ApiError =>
  new ApiError({verb, kind, object, code, reason, message});

function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  if (!(value instanceof Date)) for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

/** A deep copy of what JSON and dates hold: several times as fast as structuredClone. */
export function clone<T>(value: T): T {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: unknown) => clone(item)) as T;
  if (value instanceof Date) return new Date(value) as T;
  if (value instanceof Map) return new Map([...value].map(([key, inner]: [unknown, unknown]) => [key, clone(inner)])) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) copy[key] = clone(value[key]);
  return copy as T;
}

/** RFC 7386. */
export function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch) || patch instanceof Date) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? {...target} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = merge(result[key], value);
  }
  return result;
}

const terminal = (pod: V1Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/**
 * The storage of the API server: names, UIDs, resourceVersions, generations, finalizers and graceful deletion as Kubernetes has them
 * (apiserver pkg/registry/rest/delete.go, registry/generic/registry/store.go). What it hands out is frozen: nobody may change it.
 */
export class Store {
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #listeners: ((change: Change) => void)[] = [];
  readonly #now: () => number;
  #version = 1;
  #uid = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  onChange(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
  }

  get<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectOf<K> | undefined {
    return this.#of(kind).get(`${namespace ?? ''}/${name}`) as ObjectOf<K> | undefined;
  }

  list<K extends Kind>(kind: K, namespace?: string): ObjectOf<K>[] {
    const all = [...this.#of(kind).values()] as (ObjectOf<K> & Stored)[];
    return namespace === undefined ? all : all.filter((object) => object.metadata?.namespace === namespace);
  }

  create<K extends Kind>(kind: K, object: ObjectOf<K>, dryRun = false): ObjectOf<K> {
    const made = clone(object) as Stored;
    const metadata = (made.metadata ??= {});
    const name = metadata.name ?? '';
    const key = `${metadata.namespace ?? ''}/${name}`;
    if (this.#of(kind).has(key)) throw refuse('create', kind, name, 409, 'AlreadyExists', `"${name}" already exists`);
    metadata.uid = dryRun ? 'dry-run' : `uid-${this.#uid += 1}`;
    metadata.resourceVersion = String(this.#version);
    metadata.generation = 1;
    metadata.creationTimestamp = new Date(this.#now());
    if (kind === 'Pod') made.status = {phase: 'Pending'};
    if (kind === 'PersistentVolumeClaim') {
      metadata.finalizers = ['kubernetes.io/pvc-protection'];
      made.status = {phase: 'Pending'};
    }
    if (!dryRun) {
      this.#version += 1;
      this.#put(kind, key, made, 'ADDED');
    }
    return freeze(made) as ObjectOf<K>;
  }

  /** A change by whoever may: precondition on UID and resourceVersion where they are given. */
  change<K extends Kind>(
    kind: K, namespace: string | undefined, name: string, mutate: (draft: ObjectOf<K> & Stored) => unknown, expected: Expected = {},
  ): ObjectOf<K> {
    return this.replace(kind, namespace, name, (known) => {
      const draft = clone(known);
      return ((mutate(draft) as Stored | undefined) ?? draft) as ObjectOf<K> & Stored;
    }, expected);
  }

  /** The same for those who make what is to stand there, from the frozen parts that stay and what is new. */
  replace<K extends Kind>(
    kind: K, namespace: string | undefined, name: string, make: (known: ObjectOf<K> & Stored) => ObjectOf<K> & Stored, expected: Expected = {},
  ): ObjectOf<K> {
    const key = `${namespace ?? ''}/${name}`;
    const known = this.#expect(kind, key, name, expected);
    const changed = make(known as ObjectOf<K> & Stored) as Stored;
    const metadata: V1ObjectMeta = {...changed.metadata, resourceVersion: String(this.#version += 1)};
    changed.metadata = metadata;
    if (kind !== 'Pod' && changed.spec !== undefined && changed.spec !== known.spec && JSON.stringify(changed.spec) !== JSON.stringify(known.spec)) {
      metadata.generation = (metadata.generation ?? 1) + 1;
    }
    const over = metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0
      && (kind !== 'Pod' || metadata.deletionGracePeriodSeconds === 0);
    this.#put(kind, key, changed, over ? 'DELETED' : 'MODIFIED');
    return changed as ObjectOf<K>;
  }

  /** False: it was gone. */
  delete(kind: Kind, namespace: string | undefined, name: string, options: {uid?: string; resourceVersion?: string; gracePeriodSeconds?: number} = {}): boolean {
    const key = `${namespace ?? ''}/${name}`;
    if (!this.#of(kind).has(key)) return false;
    const known = this.#expect(kind, key, name, {uid: options.uid, resourceVersion: options.resourceVersion, verb: 'delete'});
    const grace = kind === 'Pod' ? this.#graceOf(known as V1Pod, options.gracePeriodSeconds) : 0;
    const before = known.metadata?.deletionTimestamp === undefined ? undefined : known.metadata.deletionGracePeriodSeconds ?? 0;
    if (before !== undefined && grace >= before && !(before === 0 && (known.metadata?.finalizers ?? []).length === 0)) return true;
    const metadata: V1ObjectMeta = {
      ...known.metadata, deletionTimestamp: known.metadata?.deletionTimestamp ?? new Date(this.#now() + grace * 1000), deletionGracePeriodSeconds: grace,
      resourceVersion: String(this.#version += 1),
    };
    const draft = {...known, metadata};
    const stays = (metadata.finalizers ?? []).length > 0 || grace > 0;
    this.#put(kind, key, draft, stays ? 'MODIFIED' : 'DELETED');
    return true;
  }

  #graceOf(pod: V1Pod, asked: number | undefined): number {
    if (pod.spec?.nodeName === undefined || terminal(pod)) return 0;
    return asked ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  }

  #expect(kind: Kind, key: string, name: string, {uid, resourceVersion, verb = 'update'}: Expected): Stored {
    const known = this.#of(kind).get(key);
    if (known === undefined) throw refuse(verb, kind, name, 404, 'NotFound', `"${name}" not found`);
    if (uid !== undefined && uid !== known.metadata?.uid) {
      throw refuse(verb, kind, name, 409, 'Conflict', `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${known.metadata?.uid ?? ''}`);
    }
    if (resourceVersion !== undefined && resourceVersion !== known.metadata?.resourceVersion) {
      throw refuse(verb, kind, name, 409, 'Conflict', 'the object has been modified; please apply your changes to the latest version and try again');
    }
    return known;
  }

  #of(kind: Kind): Map<string, Stored> {
    const found = this.#objects.get(kind);
    if (found) return found;
    const made = new Map<string, Stored>();
    this.#objects.set(kind, made);
    return made;
  }

  #put(kind: Kind, key: string, object: Stored, type: Change['type']): void {
    freeze(object);
    if (type === 'DELETED') this.#of(kind).delete(key);
    else this.#of(kind).set(key, object);
    for (const listener of this.#listeners) listener({type, kind, object});
  }
}
