import {HttpMethod, IsomorphicFetchHttpLibrary, RequestContext} from './client-node.ts';
import type {QuorumRecovery} from '../api/types.ts';
import type {KubernetesClient, LogOptions, ServerVersion} from './client.ts';
import type {PooledKubeConfig} from './client-config.ts';
import {revive, serialize} from './client-dates.ts';
import {answerError, noAnswerError} from './client-status.ts';
import type {CallName} from './client-status.ts';
import {ApiError, isExpired, isNotFound} from './errors.ts';
import {kinds, pathOf, requireVerb} from './kinds.ts';
import type {Kind, ObjectOf, Verb} from './kinds.ts';

const fieldManager = 'quorum-recovery-operator';

/** A hung API server must not hold a reconcile for longer. */
const callTimeoutMs = 15_000;

/** Objects a page of a list: client-go's default. */
const pageSize = 500;

export interface CallObservation {
  verb: Verb;
  kind: string;
  /** HTTP status of a failure, 0 when no answer came; 200 for every success. */
  code: number;
  seconds: number;
}

export interface HttpClientOptions {
  userAgent?: string;
  timeoutMs?: number;
  /** Told of every call after it ended, for the metrics. */
  onCall?: (call: CallObservation) => void;
}

export interface Collection<K extends Kind> {
  items: ObjectOf<K>[];
  /** Where a watch goes on from. */
  resourceVersion: string;
}

interface Request extends CallName {
  method: HttpMethod;
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: object;
  contentType?: string;
  accept?: string;
}

interface ListBody {
  metadata?: {resourceVersion?: string; continue?: string};
  items?: object[];
}

type Selectors = Record<'labelSelector' | 'fieldSelector', string | undefined>;

interface Named {
  metadata?: {namespace?: string; name?: string};
}

const nameOf = (namespace: string | undefined, name = '') => [namespace, name].filter((part) => part !== undefined && part !== '').join('/');

/**
 * KubernetesClient over client-node's KubeConfig and HTTP library. Bodies are plain JSON: client-node's own serializer drops every field
 * that it does not know, and a StatefulSet's template must survive being made into a pod.
 */
export class HttpKubernetesClient implements KubernetesClient {
  readonly #config: PooledKubeConfig;
  readonly #options: HttpClientOptions;
  readonly #http = new IsomorphicFetchHttpLibrary();
  readonly #others = new Map<string, HttpKubernetesClient>();

  constructor(config: PooledKubeConfig, options: HttpClientOptions = {}) {
    this.#config = config;
    this.#options = options;
  }

  async get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined> {
    try {
      return await this.#object(kind, this.#request(kind, 'get', namespace, name));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<K extends Kind>(
    kind: K, namespace?: string, options: {labelSelector?: string; fieldSelector?: string} = {},
  ): Promise<ObjectOf<K>[]> {
    return (await this.collection(kind, namespace, options)).items;
  }

  /** A list with the resourceVersion that a watch goes on from. */
  async collection<K extends Kind>(
    kind: K, namespace?: string, options: {labelSelector?: string; fieldSelector?: string} = {},
  ): Promise<Collection<K>> {
    const selectors = {labelSelector: options.labelSelector, fieldSelector: options.fieldSelector};
    try {
      return await this.#pages(kind, namespace, selectors, pageSize);
    } catch (error) {
      // The continuation grew too old between two pages: all of it at once cannot.
      if (!isExpired(error)) throw error;
      return this.#pages(kind, namespace, selectors, undefined);
    }
  }

  async create<K extends Kind>(kind: K, object: ObjectOf<K>, options: {dryRun?: boolean} = {}): Promise<ObjectOf<K>> {
    const {apiVersion, kind: kindName} = kinds[kind];
    const {metadata} = object as Named;
    const request = this.#request(kind, 'create', metadata?.namespace, undefined, HttpMethod.POST);
    return this.#object(kind, {
      ...request,
      object: nameOf(metadata?.namespace, metadata?.name),
      query: {fieldManager, dryRun: options.dryRun === true ? 'All' : undefined},
      body: {...(object as object), apiVersion, kind: kindName},
    });
  }

  async patch<K extends Kind>(
    kind: K, namespace: string | undefined, name: string, patch: object, options: {dryRun?: boolean} = {},
  ): Promise<ObjectOf<K>> {
    return this.#object(kind, {
      ...this.#request(kind, 'patch', namespace, name, HttpMethod.PATCH),
      query: {fieldManager, dryRun: options.dryRun === true ? 'All' : undefined},
      body: patch,
      contentType: 'application/merge-patch+json',
    });
  }

  async delete(
    kind: Kind, namespace: string | undefined, name: string, options: {uid: string; resourceVersion?: string; gracePeriodSeconds?: number},
  ): Promise<boolean> {
    const {uid, resourceVersion, gracePeriodSeconds} = options;
    // Without a UID the API server takes the precondition as met.
    if (uid === '') throw new TypeError(`Deleting ${kind} ${nameOf(namespace, name)} needs the UID of the object that is meant`);
    try {
      await this.#send({
        ...this.#request(kind, 'delete', namespace, name, HttpMethod.DELETE),
        body: {
          apiVersion: 'v1', kind: 'DeleteOptions', preconditions: {uid, ...(resourceVersion !== undefined && {resourceVersion})}, propagationPolicy: 'Background',
          ...(gracePeriodSeconds !== undefined && {gracePeriodSeconds}),
        },
      });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async replace<K extends Kind>(kind: K, object: ObjectOf<K>): Promise<ObjectOf<K>> {
    return this.#put(kind, kind, object);
  }

  async replaceStatus(resource: QuorumRecovery): Promise<QuorumRecovery> {
    return this.#put('QuorumRecovery', 'QuorumRecovery/status', resource);
  }

  async podLog(namespace: string, name: string, options: LogOptions): Promise<string> {
    const {container, limitBytes, tailLines, previous} = options;
    return this.#send({...this.#request('Pod/log', 'get', namespace, name), accept: '*/*', query: {container, limitBytes, tailLines, previous}});
  }

  async version(): Promise<ServerVersion> {
    const call: CallName = {verb: 'get', kind: 'version', object: ''};
    const answer = this.#parse(call, await this.#send({...call, method: HttpMethod.GET, path: '/version'})) as Record<string, string>;
    // Some vendors write the minor version as "30+".
    return {
      major: Number.parseInt(answer['major'] ?? '', 10),
      minor: Number.parseInt(answer['minor'] ?? '', 10),
      gitVersion: answer['gitVersion'] ?? '',
    };
  }

  at(address: string): HttpKubernetesClient {
    const known = this.#others.get(address);
    if (known !== undefined) return known;
    const client = new HttpKubernetesClient(this.#config.at(address), this.#options);
    this.#others.set(address, client);
    return client;
  }

  #put<K extends Kind>(kind: K, target: Kind, object: ObjectOf<K>): Promise<ObjectOf<K>> {
    const {apiVersion, kind: kindName} = kinds[kind];
    const {metadata} = object as Named & {metadata?: {resourceVersion?: string}};
    const request = this.#request(target, 'update', metadata?.namespace, metadata?.name ?? '', HttpMethod.PUT);
    return this.#object(kind, {...request, query: {fieldManager}, body: {...(object as object), apiVersion, kind: kindName}});
  }

  #request(kind: Kind, verb: Verb, namespace: string | undefined, name: string | undefined, method: HttpMethod = HttpMethod.GET): Request {
    requireVerb(kind, verb);
    if (name === '') throw new TypeError(`${verb} ${kind} needs the name of an object`);
    return {verb, kind, object: nameOf(namespace, name), method, path: pathOf(kind, namespace, name)};
  }

  async #pages<K extends Kind>(kind: K, namespace: string | undefined, selectors: Selectors, limit: number | undefined): Promise<Collection<K>> {
    const request = this.#request(kind, 'list', namespace, undefined);
    const {apiVersion, kind: kindName} = kinds[kind];
    const items: ObjectOf<K>[] = [];
    let next: string | undefined;
    for (;;) {
      const body = this.#parse(request, await this.#send({...request, query: {...selectors, limit, continue: next}})) as ListBody;
      for (const item of body.items ?? []) {
        revive(kind, item);
        // Items of a list come without apiVersion and kind.
        items.push(Object.assign(item, {apiVersion, kind: kindName}) as unknown as ObjectOf<K>);
      }
      next = body.metadata?.continue;
      if (next === undefined || next === '') return {items, resourceVersion: body.metadata?.resourceVersion ?? ''};
    }
  }

  async #object<K extends Kind>(kind: K, request: Request): Promise<ObjectOf<K>> {
    const object = this.#parse(request, await this.#send(request));
    revive(kind, object);
    return object as ObjectOf<K>;
  }

  #parse(call: CallName, text: string): object {
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === 'object' && parsed !== null) return parsed;
    } catch {
      // Said below: what came is not an object.
    }
    const message = `the answer is no JSON object: ${text.slice(0, 100)}`;
    throw new ApiError({verb: call.verb, kind: call.kind, object: call.object, code: 0, reason: 'Unavailable', message});
  }

  async #send(request: Request): Promise<string> {
    const begun = performance.now();
    const call: CallName = {verb: request.verb, kind: request.kind, object: request.object};
    let code = 200;
    try {
      return await this.#exchange(call, request);
    } catch (error) {
      code = error instanceof ApiError ? error.code : 0;
      throw error;
    } finally {
      this.#options.onCall?.({verb: call.verb, kind: call.kind, code, seconds: (performance.now() - begun) / 1000});
    }
  }

  async #exchange(call: CallName, request: Request): Promise<string> {
    let status: number;
    let text: string;
    let retryAfter: string | undefined;
    try {
      const context = this.#context(request);
      await this.#config.applySecurityAuthentication(context);
      const response = await this.#http.send(context).toPromise();
      status = response.httpStatusCode;
      retryAfter = response.headers['retry-after'];
      text = await response.body.text();
    } catch (error) {
      throw noAnswerError(call, error);
    }
    if (status >= 400) throw answerError(call, status, text, retryAfter);
    return text;
  }

  #context(request: Request): RequestContext {
    const context = new RequestContext((this.#config.getCurrentCluster()?.server ?? '') + request.path, request.method);
    context.setHeaderParam('Accept', request.accept ?? 'application/json');
    context.setHeaderParam('User-Agent', this.#options.userAgent ?? fieldManager);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, String(value));
    }
    if (request.body !== undefined) {
      context.setHeaderParam('Content-Type', request.contentType ?? 'application/json');
      context.setBody(serialize(request.body));
    }
    context.setSignal(AbortSignal.timeout(this.#options.timeoutMs ?? callTimeoutMs));
    return context;
  }
}
