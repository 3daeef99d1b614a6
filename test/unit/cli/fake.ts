import type {V1ObjectMeta, V1Pod} from '@kubernetes/client-node';
import {apiVersion, kind, marks} from '../../../src/api/types.ts';
import type {Plan, QuorumRecovery, QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Api, ListOptions} from '../../../src/cli/kube/api.ts';
import type {Kind, ObjectOf} from '../../../src/cli/kube/kinds.ts';
import {plainPaint} from '../../../src/cli/render/paint.ts';
import type {Invocation, OptionValue, World} from '../../../src/cli/world.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';

export const begin = Date.UTC(2026, 0, 1, 12, 0, 0);
/** Seconds after the beginning, as Kubernetes writes it. */
export const at = (seconds: number) => new Date(begin + seconds * 1000).toISOString();

interface Stored {
  metadata?: V1ObjectMeta;
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? {...target} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = merge(result[key], value);
  }
  return result;
}

/** An API server in memory. Calls that change something are kept; what a user may not do is refused. */
export class FakeApi implements Api {
  readonly changes: {verb: string; kind: string; name: string; body?: unknown}[] = [];
  /** `verb kind`, e.g. `list Node`. */
  readonly forbidden = new Set<string>();
  user: string | undefined = 'ada';
  /** Called after each change: what a controller or kubelet does. */
  react: (change: {verb: string; kind: string; name: string}) => void = () => undefined;
  readonly objects = new Map<string, Stored>();
  rawAnswers = new Map<string, unknown>();
  #version = 1;

  seed<K extends Kind>(kindName: K, object: ObjectOf<K>): this {
    const stored = structuredClone(object) as Stored;
    const {namespace = '', name = ''} = stored.metadata ?? {};
    stored.metadata = Object.assign(stored.metadata ?? {}, {uid: stored.metadata?.uid ?? `uid-of-${name}`, resourceVersion: String(this.#version++)});
    this.objects.set(`${kindName}/${namespace}/${name}`, stored);
    return this;
  }

  peek<K extends Kind>(kindName: K, namespace: string, name: string): ObjectOf<K> | undefined {
    return this.objects.get(`${kindName}/${namespace}/${name}`) as ObjectOf<K> | undefined;
  }

  remove(kindName: Kind, namespace: string, name: string): void {
    this.objects.delete(`${kindName}/${namespace}/${name}`);
  }

  #ask(verb: 'get' | 'list' | 'create' | 'patch' | 'delete', kindName: string, object: string): Promise<void> {
    if (this.forbidden.has(`${verb} ${kindName}`)) return Promise.reject(new ApiError({verb, kind: kindName, object, code: 403, reason: 'Forbidden', message: `User "${this.user ?? ''}" cannot ${verb}`}));
    return Promise.resolve();
  }

  #stored(verb: 'patch' | 'delete', kindName: Kind, namespace: string, name: string, expected: V1ObjectMeta | undefined): Stored {
    const stored = this.objects.get(`${kindName}/${namespace}/${name}`);
    const fail = (code: number, reason: string): never => { throw new ApiError({verb, kind: kindName, object: `${namespace}/${name}`, code, reason, message: 'refused by the fake'}); };
    if (stored === undefined) return fail(404, 'NotFound');
    if (expected?.uid !== undefined && expected.uid !== stored.metadata?.uid) fail(409, 'Conflict');
    if (expected?.resourceVersion !== undefined && expected.resourceVersion !== stored.metadata?.resourceVersion) fail(409, 'Conflict');
    return stored;
  }

  async get<K extends Kind>(kindName: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined> {
    await this.#ask('get', kindName, `${namespace ?? ''}/${name}`);
    return structuredClone(this.objects.get(`${kindName}/${namespace ?? ''}/${name}`)) as ObjectOf<K> | undefined;
  }

  async list<K extends Kind>(kindName: K, namespace?: string, options: ListOptions = {}): Promise<ObjectOf<K>[]> {
    await this.#ask('list', kindName, namespace ?? '');
    const wanted = (options.labelSelector ?? '').split(',').filter((part) => part !== '').map((part) => part.split('=', 2));
    const prefix = namespace === undefined ? `${kindName}/` : `${kindName}/${namespace}/`;
    return [...this.objects].filter(([key, {metadata}]) => key.startsWith(prefix) && wanted.every(([label = '', value]) => metadata?.labels?.[label] === value))
      .map(([, object]) => structuredClone(object) as ObjectOf<K>);
  }

  async create<K extends Kind>(kindName: K, object: ObjectOf<K>): Promise<ObjectOf<K>> {
    const {namespace = '', name = ''} = (object as Stored).metadata ?? {};
    await this.#ask('create', kindName, `${namespace}/${name}`);
    this.changes.push({verb: 'create', kind: kindName, name, body: structuredClone(object)});
    this.seed(kindName, object);
    this.react({verb: 'create', kind: kindName, name});
    return structuredClone(this.objects.get(`${kindName}/${namespace}/${name}`)) as ObjectOf<K>;
  }

  async patch<K extends Kind>(kindName: K, namespace: string, name: string, patch: object, options: {subresource?: 'status'} = {}): Promise<ObjectOf<K>> {
    const full = options.subresource === undefined ? kindName : `${kindName}/status`;
    await this.#ask('patch', full, `${namespace}/${name}`);
    const stored = this.#stored('patch', kindName, namespace, name, (patch as Stored).metadata);
    const merged = merge(stored, patch) as Stored;
    merged.metadata = Object.assign(merged.metadata ?? {}, {resourceVersion: String(this.#version++)});
    // The last finalizer of an object that is being deleted takes it along.
    if (merged.metadata.deletionTimestamp !== undefined && (merged.metadata.finalizers ?? []).length === 0) this.objects.delete(`${kindName}/${namespace}/${name}`);
    else this.objects.set(`${kindName}/${namespace}/${name}`, merged);
    this.changes.push({verb: 'patch', kind: full, name, body: patch});
    this.react({verb: 'patch', kind: full, name});
    return structuredClone(merged) as ObjectOf<K>;
  }

  async delete(kindName: Kind, namespace: string, name: string, uid: string): Promise<boolean> {
    await this.#ask('delete', kindName, `${namespace}/${name}`);
    const stored = this.#stored('delete', kindName, namespace, name, {uid});
    if ((stored.metadata?.finalizers ?? []).length === 0) this.objects.delete(`${kindName}/${namespace}/${name}`);
    else Object.assign(stored.metadata ?? {}, {deletionTimestamp: at(0)});
    this.changes.push({verb: 'delete', kind: kindName, name});
    this.react({verb: 'delete', kind: kindName, name});
    return true;
  }

  may(verb: string, kindName: Kind, _namespace: string | undefined, subresource?: string): Promise<boolean> {
    return Promise.resolve(!this.forbidden.has(`${verb} ${kindName}${subresource === undefined ? '' : `/${subresource}`}`));
  }

  whoAmI(): Promise<string | undefined> {
    return Promise.resolve(this.user);
  }

  version(): Promise<{major: number; minor: number; gitVersion: string}> {
    return Promise.resolve({major: 1, minor: 35, gitVersion: 'v1.35.4'});
  }

  async raw(path: string): Promise<unknown> {
    await this.#ask('get', path.replace(/^.*\/proxy\/.*$/, 'nodes/proxy'), '');
    return this.rawAnswers.get(path) ?? {};
  }
}

export class FakeWorld implements World {
  readonly api: FakeApi;
  readonly said: string[] = [];
  readonly errors: string[] = [];
  readonly asked: string[] = [];
  answers: string[] = [];
  time = begin + 60_000;
  /** Called with each sleep: what happens meanwhile. */
  meanwhile: () => void = () => undefined;
  readonly terminal;

  constructor(api: FakeApi, interactive = false) {
    this.api = api;
    this.terminal = {
      paint: plainPaint, width: Number.POSITIVE_INFINITY, interactive,
      out: (text: string) => { this.said.push(text); }, err: (text: string) => { this.errors.push(text); }, redraw: (text: string) => { this.said.push(text); },
      ask: (question: string) => {
        this.asked.push(question);
        return Promise.resolve(this.answers.shift() ?? '');
      },
    };
  }

  now = () => this.time;

  sleep = (ms: number) => {
    this.time += ms;
    this.meanwhile();
    return Promise.resolve();
  };

  session = () => Promise.resolve({api: this.api, namespace: 'db'});

  get text(): string {
    return this.said.join('\n');
  }
}

export const invoke = (positionals: string[] = [], options: Record<string, OptionValue> = {}): Invocation => ({positionals, options});

export const planOf = (more: Partial<Plan> = {}): Plan => ({
  hash: `sha256-${'a'.repeat(32)}`, strategy: 'ForceNewCluster', survivor: 'etcd-2', candidates: ['etcd-2'], why: 'its log goes furthest',
  ranks: [{pod: 'etcd-2', memberID: 'a2', term: 5, index: 120, commit: 118, revision: 90, from: 'disk'}], lowest: {term: 5, index: 120},
  lost: [{pod: 'etcd-0', memberID: 'a0', fenced: 'NodeDeleted', proof: 'Node n0 is deleted'}, {pod: 'etcd-1', memberID: 'a1', fenced: 'NodeDeleted', proof: 'Node n1 is deleted'}],
  claims: [{name: 'data-etcd-0', pod: 'etcd-0', place: 'on node n0, which is gone', fate: 'replaced; its volume is kept'}], expectedLoss: 'none that is known',
  steps: ['Hold', 'Stop', 'Inspect', 'Force'], notes: ['one note'], specHash: 's', setUID: 'set-uid', setSpecHash: 't', revision: 'rev-1', ...more,
});

export const runOf = (more: Partial<Run> = {}): Run => ({
  id: 'run-1', attempt: 1, startedAt: at(0), progress: '2/4', plan: planOf(),
  steps: [
    {name: 'Plan', state: 'Done', startedAt: at(0), finishedAt: at(2), message: 'planned'}, {name: 'Hold', state: 'Done', startedAt: at(2), finishedAt: at(4), message: 'held'},
    {name: 'Stop', state: 'Running', startedAt: at(4), message: 'etcd-2 is stopping'}, {name: 'Inspect', state: 'Pending'},
  ],
  ...more,
});

type Condition = NonNullable<QuorumRecoveryStatus['conditions']>[number];

export const condition = (type: string, status: Condition['status'], reason: string, message: string): Condition => ({type, status, reason, message, lastTransitionTime: at(5)});

export function resourceOf(status: QuorumRecoveryStatus | undefined, more: {spec?: object; metadata?: V1ObjectMeta} = {}): QuorumRecovery {
  return {
    apiVersion, kind, metadata: {name: 'etcd', namespace: 'db', uid: 'uid-of-etcd', generation: 1, ...more.metadata},
    spec: {target: {statefulSet: 'etcd'}, trigger: {type: 'Manual'}, approval: 'Automatic', paused: false, preserve: {mode: 'Copy', retention: '168h'}, ...more.spec} as QuorumRecovery['spec'],
    ...(status && {status: {observedGeneration: 1, ...status}}),
  };
}

/** In the middle of a run: two of three are lost, the survivor is being stopped. */
export const holding = (more: Partial<QuorumRecoveryStatus> = {}): QuorumRecoveryStatus => ({
  phase: 'Holding', heldPods: ['etcd-0', 'etcd-1', 'etcd-2'], quorum: {voters: 3, needed: 2, healthy: 1, summary: '1/3'}, run: runOf(),
  members: [
    {pod: 'etcd-0', memberID: 'a0', role: 'Voter', health: 'Lost', node: 'n0', claim: 'data-etcd-0', claimUID: 'claim-0', fenced: {by: 'NodeDeleted', at: at(1)}},
    {pod: 'etcd-2', memberID: 'a2', role: 'Voter', health: 'NoLeader', raftTerm: 5, raftIndex: 120, revision: 90, node: 'n2', claim: 'data-etcd-2', claimUID: 'claim-2'},
  ],
  conditions: [condition('Ready', 'Unknown', 'Progressing', 'Stop: etcd-2 is stopping'), condition('QuorumLost', 'True', 'LostForGood', '1/3')],
  ...more,
});

export const gatedPod = (ordinal: number, more: V1ObjectMeta = {}): V1Pod => ({
  metadata: {name: `etcd-${ordinal}`, namespace: 'db', uid: `pod-${ordinal}`, annotations: {[marks.run]: 'run-1'}, labels: {app: 'etcd'}, ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: 'set-uid'}], ...more},
  spec: {containers: [{name: 'etcd'}], schedulingGates: [{name: marks.gate}]},
});
