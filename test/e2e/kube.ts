import {Agent, request} from 'node:https';
import type {RequestOptions} from 'node:https';
import {KubeConfig} from '@kubernetes/client-node';
import type {
  CoreV1Event, V1ConfigMap, V1CronJob, V1DaemonSet, V1Deployment, V1Job, V1Lease, V1Namespace, V1Node, V1PersistentVolume, V1PersistentVolumeClaim, V1Pod, V1Secret, V1Service, V1StatefulSet,
} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../src/api/types.ts';

interface Objects {
  namespaces: V1Namespace;
  nodes: V1Node;
  pods: V1Pod;
  services: V1Service;
  secrets: V1Secret;
  configmaps: V1ConfigMap;
  events: CoreV1Event;
  persistentvolumes: V1PersistentVolume;
  persistentvolumeclaims: V1PersistentVolumeClaim;
  statefulsets: V1StatefulSet;
  deployments: V1Deployment;
  daemonsets: V1DaemonSet;
  quorumrecoveries: QuorumRecovery;
  leases: V1Lease;
  jobs: V1Job;
  cronjobs: V1CronJob;
}
export type Plural = keyof Objects;

const roots: Record<Plural, string> = {
  namespaces: '/api/v1', nodes: '/api/v1', pods: '/api/v1', services: '/api/v1', secrets: '/api/v1', configmaps: '/api/v1', events: '/api/v1',
  persistentvolumes: '/api/v1', persistentvolumeclaims: '/api/v1', statefulsets: '/apis/apps/v1', deployments: '/apis/apps/v1', daemonsets: '/apis/apps/v1', quorumrecoveries: '/apis/quorumrecovery.io/v1alpha1',
  leases: '/apis/coordination.k8s.io/v1', jobs: '/apis/batch/v1', cronjobs: '/apis/batch/v1',
};
const clusterWide: readonly Plural[] = ['namespaces', 'nodes', 'persistentvolumes'];

/** The API server's refusal, with its own words. */
export class KubeError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a request needs of the kubeconfig: certificates, a token. */
interface Credentials {
  options: RequestOptions;
  headers: Record<string, string>;
}

/** The API server as it is: plain JSON, unlike the operator's own client, so that a test sees what the operator cannot. */
export class Kube {
  readonly #config = new KubeConfig();
  readonly #agent = new Agent({keepAlive: true});
  #options: Promise<Credentials> | undefined;

  constructor(kubeconfig: string) {
    this.#config.loadFromFile(kubeconfig);
  }

  /** Undefined where there is no such object. */
  async get<P extends Plural>(plural: P, namespace: string, name: string): Promise<Objects[P] | undefined> {
    try {
      return await this.#call('GET', path(plural, namespace, name)) as Objects[P];
    } catch (error) {
      if (error instanceof KubeError && error.code === 404) return undefined;
      throw error;
    }
  }

  async list<P extends Plural>(plural: P, namespace?: string, labelSelector?: string): Promise<Objects[P][]> {
    const query = labelSelector === undefined ? '' : `?labelSelector=${encodeURIComponent(labelSelector)}`;
    const found = await this.#call('GET', `${path(plural, namespace)}${query}`) as {items: Objects[P][]};
    return found.items;
  }

  async create<P extends Plural>(plural: P, object: Objects[P]): Promise<Objects[P]> {
    const full = Object.assign({apiVersion: roots[plural].replace(/^\/apis?\//, '')}, object);
    return await this.#call('POST', path(plural, object.metadata?.namespace), full) as Objects[P];
  }

  /** A JSON merge patch. */
  async patch<P extends Plural>(plural: P, namespace: string, name: string, patch: object): Promise<Objects[P]> {
    return await this.#call('PATCH', path(plural, namespace, name), patch, 'application/merge-patch+json') as Objects[P];
  }

  /** Nothing happens where there is no such object. */
  async delete(plural: Plural, namespace: string, name: string, graceSeconds?: number): Promise<void> {
    const query = graceSeconds === undefined ? '' : `?gracePeriodSeconds=${graceSeconds}`;
    try {
      await this.#call('DELETE', `${path(plural, namespace, name)}${query}`);
    } catch (error) {
      if (!(error instanceof KubeError) || error.code !== 404) throw error;
    }
  }

  async log(namespace: string, pod: string, container: string, options: {tailLines?: number; previous?: boolean} = {}): Promise<string> {
    const {tailLines = 1000, previous = false} = options;
    return await this.#text('GET', `${path('pods', namespace, pod)}/log?container=${container}&tailLines=${tailLines}&previous=${previous}`);
  }

  /** What a pod's own server answers through the API server. `target`: its name and port, as name:port. */
  async proxied(namespace: string, target: string, of: string): Promise<string> {
    return await this.#text('GET', `${path('pods', namespace, target)}/proxy/${of}`);
  }

  async #call(method: string, url: string, body?: object, contentType = 'application/json'): Promise<unknown> {
    return JSON.parse(await this.#text(method, url, body, contentType)) as unknown;
  }

  async #text(method: string, url: string, body?: object, contentType = 'application/json'): Promise<string> {
    this.#options ??= this.#credentials();
    const base = new URL(this.#config.getCurrentCluster()?.server ?? '');
    const {options, headers: given} = await this.#options;
    const headers = {...given, 'content-type': contentType};
    return await new Promise((resolve, reject) => {
      const sent = request({...(options as object), agent: this.#agent, host: base.hostname, port: base.port || 443, path: url, method, headers, timeout: 30_000}, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 300) resolve(text);
          else reject(new KubeError(response.statusCode ?? 0, `${method} ${url}: ${messageOf(text)}`));
        });
      });
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${url}: no answer within 30 s`)));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async #credentials(): Promise<Credentials> {
    const headers: Record<string, string> = {};
    const options: RequestOptions = {headers};
    await this.#config.applyToHTTPSOptions(options);
    delete options.agent;
    return {options, headers};
  }
}

function path(plural: Plural, namespace: string | undefined, name?: string): string {
  const scope = namespace === undefined || clusterWide.includes(plural) ? '' : `/namespaces/${namespace}`;
  return `${roots[plural]}${scope}/${plural}${name === undefined ? '' : `/${name}`}`;
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as {message?: string}).message ?? text;
  } catch {
    return text;
  }
}
