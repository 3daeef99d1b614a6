import type {V1Pod} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../src/api/types.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';
import {requireVerb} from '../../src/kubernetes/kinds.ts';
import type {Kind, ObjectOf, Verb} from '../../src/kubernetes/kinds.ts';
import {merge, refuse} from './store.ts';
import type {Stored} from './store.ts';
import type {World} from './world.ts';

export interface ApiCall {
  verb: Verb;
  kind: Kind;
  name: string;
  /** It changes something: no read, no dry run. */
  changes: boolean;
  object?: V1Pod | undefined;
}

/** Runs around each call of the operator: time may pass, the operator may be killed, invariants are asked. */
export type Gate = <T>(call: ApiCall, perform: () => T) => Promise<T>;

function matches(object: Stored, selector: string | undefined): boolean {
  if (selector === undefined || selector === '') return true;
  return selector.split(',').every((part) => {
    const [key = '', value] = part.split('=');
    return object.metadata?.labels?.[key] === value;
  });
}

/** The API server of the world, as the operator's own client interface gives it. */
export class SimClient implements KubernetesClient {
  readonly #world: World;
  readonly #gate: Gate;

  constructor(world: World, gate: Gate) {
    this.#world = world;
    this.#gate = gate;
  }

  async get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined> {
    return await this.#call('get', kind, name, false, () => this.#world.store.get(kind, namespace, name));
  }

  async list<K extends Kind>(kind: K, namespace?: string, options: {labelSelector?: string} = {}): Promise<ObjectOf<K>[]> {
    return await this.#call('list', kind, '', false, () => this.#world.store.list(kind, namespace).filter((object) => matches(object, options.labelSelector)));
  }

  async create<K extends Kind>(kind: K, object: ObjectOf<K>, options: {dryRun?: boolean} = {}): Promise<ObjectOf<K>> {
    const {name = ''} = (object as Stored).metadata ?? {};
    return await this.#call('create', kind, name, options.dryRun !== true, () => {
      if (kind === 'Pod') return this.#world.admit(object as V1Pod, options.dryRun) as ObjectOf<K>;
      return this.#world.store.create(kind, object, options.dryRun);
    }, kind === 'Pod' ? object as V1Pod : undefined);
  }

  async patch<K extends Kind>(kind: K, namespace: string | undefined, name: string, patch: object, {dryRun}: {dryRun?: boolean} = {}): Promise<ObjectOf<K>> {
    // A count is written through its subresource, and stands in the object.
    const stored = kind.replace('/scale', '') as K;
    return await this.#call('patch', kind, name, dryRun !== true, () => {
      const {metadata} = patch as Stored;
      if (dryRun === true) return patch as ObjectOf<K>;
      return this.#world.store.replace(stored, namespace, name, (known) => {
        const merged = merge(known, patch) as ObjectOf<K> & Stored;
        this.#validate(kind, known, merged);
        merged.metadata = {...merged.metadata, uid: known.metadata?.uid ?? ''};
        return merged;
      }, {uid: metadata?.uid, resourceVersion: metadata?.resourceVersion, verb: 'patch'});
    });
  }

  #validate(kind: Kind, before: Stored, after: Stored): void {
    const name = before.metadata?.name ?? '';
    const added = (after.metadata?.finalizers ?? []).filter((finalizer) => !before.metadata?.finalizers?.includes(finalizer));
    if (before.metadata?.deletionTimestamp !== undefined && added.length > 0) {
      throw refuse('patch', kind, name, 422, 'Invalid', 'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted');
    }
    if (kind !== 'Pod') return;
    const [{schedulingGates: old = [], ...specBefore}, {schedulingGates: now = [], ...specAfter}] = [(before as V1Pod).spec ?? {containers: []}, (after as V1Pod).spec ?? {containers: []}];
    if (JSON.stringify(specBefore) !== JSON.stringify(specAfter)) throw refuse('patch', kind, name, 422, 'Invalid', 'spec: Forbidden: pod updates may not change fields');
    if (now.some((gate) => !old.some((known) => known.name === gate.name))) throw refuse('patch', kind, name, 422, 'Invalid', 'spec.schedulingGates: only deletion is allowed');
  }

  async delete(kind: Kind, namespace: string | undefined, name: string, options: {uid: string; resourceVersion?: string; gracePeriodSeconds?: number}): Promise<boolean> {
    return await this.#call('delete', kind, name, true, () => this.#world.store.delete(kind, namespace, name, options));
  }

  async replace<K extends Kind>(): Promise<ObjectOf<K>> {
    return await Promise.reject(new TypeError('the recovery replaces no object'));
  }

  async replaceStatus(resource: QuorumRecovery): Promise<QuorumRecovery> {
    const {namespace, name = '', resourceVersion} = resource.metadata;
    return await this.#call('update', 'QuorumRecovery', name, true, () => this.#world.store.replace('QuorumRecovery', namespace, name,
      (known) => ({...known, status: resource.status ?? {}}), {resourceVersion}), undefined, 'QuorumRecovery/status');
  }

  async podLog(): Promise<string> {
    return await this.#call('get', 'Pod/log', '', false, () => '{"hash":1,"revision":9,"totalKey":3,"totalSize":20480}');
  }

  async version(): Promise<{major: number; minor: number; gitVersion: string}> {
    return await Promise.resolve({major: 1, minor: 35, gitVersion: 'v1.35.4'});
  }

  at(): KubernetesClient {
    return this;
  }

  async #call<T>(verb: Verb, kind: Kind, name: string, changes: boolean, perform: () => T, object?: V1Pod, right: Kind = kind): Promise<T> {
    requireVerb(right, verb);
    const known = kind === 'Pod' ? object ?? this.#world.store.get('Pod', this.#world.namespace, name) : undefined;
    return await this.#gate({verb, kind, name, changes, object: known}, perform);
  }
}
