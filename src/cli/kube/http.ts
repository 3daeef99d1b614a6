import * as plain from 'node:http';
import * as secure from 'node:https';
import {answerError, noAnswerError} from '../../kubernetes/client-status.ts';
import type {CallName} from '../../kubernetes/client-status.ts';
import {isNotFound} from '../../kubernetes/errors.ts';
import type {Verb} from '../../kubernetes/kinds.ts';
import type {Api, ListOptions, Version} from './api.ts';
import {groupOf, kinds, pathOf} from './kinds.ts';
import type {Kind, ObjectOf} from './kinds.ts';
import type {Connection} from './kubeconfig.ts';

export const fieldManager = 'kubectl-quorum_recovery';
const timeoutMs = 15_000;
/** A doctor asks for twenty things at once: a handshake for each costs a busy API server, or a tunnel to it, more than the wait. */
const maxSockets = 6;

interface Call {
  name: CallName;
  method: string;
  path: string;
  query?: Record<string, string | undefined>;
  body?: object;
  contentType?: string;
}

const nameOf = (namespace: string | undefined, name = '') => [namespace, name].filter((part) => part !== undefined && part !== '').join('/');

/**
 * The API server over node's own HTTP: client-node needs a newer Node than the plugin promises, and takes longer to load than most commands
 * take to answer (ADR 22).
 */
export class HttpApi implements Api {
  readonly #connection: Connection;
  readonly #agent: plain.Agent;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#agent = connection.server.startsWith('http:') ? new plain.Agent({keepAlive: true, maxSockets}) : new secure.Agent({keepAlive: true, maxSockets});
  }

  close(): void {
    this.#agent.destroy();
  }

  async get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined> {
    try {
      return await this.#json({name: call('get', kind, nameOf(namespace, name)), method: 'GET', path: pathOf(kind, namespace, name)}) as ObjectOf<K>;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<K extends Kind>(kind: K, namespace?: string, options: ListOptions = {}): Promise<ObjectOf<K>[]> {
    const found: ObjectOf<K>[] = [];
    let next: string | undefined;
    do {
      const page = await this.#json({
        name: call('list', kind, namespace ?? ''), method: 'GET', path: pathOf(kind, namespace), query: {...options, limit: '500', continue: next},
      }) as {items?: ObjectOf<K>[]; metadata?: {continue?: string}; apiVersion?: string};
      found.push(...(page.items ?? []).map((item) => Object.assign({apiVersion: page.apiVersion, kind}, item)));
      next = page.metadata?.continue;
    } while (next !== undefined && next !== '');
    return found;
  }

  async create<K extends Kind>(kind: K, object: ObjectOf<K>, options: {dryRun?: boolean} = {}): Promise<ObjectOf<K>> {
    const {namespace, name} = (object).metadata ?? {};
    return await this.#json({
      name: call('create', kind, nameOf(namespace, name)), method: 'POST', path: pathOf(kind, namespace), body: object,
      query: {fieldManager, dryRun: options.dryRun === true ? 'All' : undefined},
    }) as ObjectOf<K>;
  }

  async patch<K extends Kind>(
    kind: K, namespace: string, name: string, patch: object, options: {subresource?: 'status'; dryRun?: boolean} = {},
  ): Promise<ObjectOf<K>> {
    const {subresource, dryRun} = options;
    return await this.#json({
      name: call('patch', kind, nameOf(namespace, name), subresource), method: 'PATCH', path: pathOf(kind, namespace, name, subresource), body: patch,
      contentType: 'application/merge-patch+json', query: {fieldManager, dryRun: dryRun === true ? 'All' : undefined},
    }) as ObjectOf<K>;
  }

  async delete(kind: Kind, namespace: string, name: string, uid: string): Promise<boolean> {
    try {
      const body = {apiVersion: 'v1', kind: 'DeleteOptions', preconditions: {uid}, propagationPolicy: 'Background'};
      await this.#json({name: call('delete', kind, nameOf(namespace, name)), method: 'DELETE', path: pathOf(kind, namespace, name), body});
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async may(verb: string, kind: Kind, namespace: string | undefined, subresource?: string): Promise<boolean> {
    const resourceAttributes = {
      verb, group: groupOf(kind), resource: kinds[kind].plural, ...(namespace !== undefined && {namespace}), ...(subresource !== undefined && {subresource}),
    };
    const apiVersion = 'authorization.k8s.io/v1';
    const answer = await this.#json({
      name: call('create', 'SelfSubjectAccessReview', ''), method: 'POST', path: `/apis/${apiVersion}/selfsubjectaccessreviews`,
      body: {apiVersion, kind: 'SelfSubjectAccessReview', spec: {resourceAttributes}},
    }) as {status?: {allowed?: boolean}};
    return answer.status?.allowed === true;
  }

  async whoAmI(): Promise<string | undefined> {
    const apiVersion = 'authentication.k8s.io/v1';
    try {
      const answer = await this.#json({
        name: call('create', 'SelfSubjectReview', ''), method: 'POST', path: `/apis/${apiVersion}/selfsubjectreviews`, body: {apiVersion, kind: 'SelfSubjectReview'},
      }) as {status?: {userInfo?: {username?: string}}};
      return answer.status?.userInfo?.username;
    } catch {
      return undefined;
    }
  }

  async version(): Promise<Version> {
    const answer = await this.raw('/version') as Record<string, string>;
    return {major: Number.parseInt(answer['major'] ?? '', 10), minor: Number.parseInt(answer['minor'] ?? '', 10), gitVersion: answer['gitVersion'] ?? ''};
  }

  async raw(path: string): Promise<unknown> {
    return await this.#json({name: call('get', path, ''), method: 'GET', path});
  }

  async #json(request: Call): Promise<unknown> {
    let answer: {status: number; text: string};
    try {
      answer = await this.#exchange(request).catch(async (error: unknown) => {
        if (!maySendAgain(request, error)) throw error;
        return await this.#exchange(request);
      });
    } catch (error) {
      throw noAnswerError(request.name, error);
    }
    if (answer.status >= 400) throw answerError(request.name, answer.status, answer.text);
    try {
      return JSON.parse(answer.text) as unknown;
    } catch (error) {
      throw noAnswerError(request.name, error);
    }
  }

  async #exchange({method, path, query = {}, body, contentType = 'application/json'}: Call): Promise<{status: number; text: string}> {
    const {server, ca, cert, key, serverName, insecure, headers} = this.#connection;
    const url = new URL(server + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options: secure.RequestOptions = {
      method, agent: this.#agent, timeout: timeoutMs, rejectUnauthorized: !insecure, ca, cert, key, ...(serverName !== undefined && {servername: serverName}),
      headers: {...headers, accept: 'application/json', 'user-agent': fieldManager, ...(text !== undefined && {'content-type': contentType, 'content-length': Buffer.byteLength(text)})},
    };
    return await new Promise((resolve, reject) => {
      const sent = (url.protocol === 'http:' ? plain : secure).request(url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => { resolve({status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString()}); });
      });
      sent.on('timeout', () => { sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)); });
      sent.on('error', reject);
      sent.end(text);
    });
  }
}

/** It never arrived, or asks only: a connection that broke is opened once more. */
function maySendAgain({method, path}: Call, error: unknown): boolean {
  const {code, message} = error as NodeJS.ErrnoException;
  if (code !== 'ECONNRESET' && code !== 'EPIPE') return false;
  return message.includes('before secure TLS connection was established') || method === 'GET' || path.endsWith('reviews');
}

const call = (verb: Verb, kind: string, object: string, subresource?: string): CallName => ({verb, kind: subresource === undefined ? kind : `${kind}/${subresource}`, object});
