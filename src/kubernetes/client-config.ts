import {createHash} from 'node:crypto';
import type {AgentOptions} from 'node:https';
import {KubeConfig} from './client-node.ts';
import type {Cluster, DispatcherOptions, RequestContext} from '@kubernetes/client-node';

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/** How long one connection pool is used before a new one looks the address up again. */
const poolLifetimeMs = 5 * 60_000;

/** Name that every API server's certificate carries, whatever address it is reached at. */
const apiServerName = 'kubernetes.default.svc';

function fingerprintOf(cluster: Cluster | null, options: AgentOptions): string {
  const hash = createHash('sha256');
  for (const part of [options.ca, options.cert, options.key, options.pfx]) {
    hash.update(Buffer.isBuffer(part) ? part : JSON.stringify(part ?? null)).update('\0');
  }
  const address = [cluster?.server, cluster?.proxyUrl, options.servername, options.passphrase, String(options.rejectUnauthorized)];
  return hash.update(JSON.stringify(address)).digest('hex');
}

/**
 * A KubeConfig that keeps one connection pool. client-node makes a new one, so a new TLS connection, for every call:
 * measured 54 ms a list instead of 3 to 4 ms. HTTP/2 is off: with one shared connection a watch on a dead connection was retried on it.
 * A new pool is made when the credentials change and every few minutes; sockets of the old one close when they are idle.
 */
export class PooledKubeConfig extends KubeConfig {
  #pool: {dispatcher: Dispatcher | undefined; fingerprint: string; since: number} | undefined;

  override createDispatcherOptions(cluster: Cluster | null, agentOptions: AgentOptions): DispatcherOptions {
    const fingerprint = fingerprintOf(cluster, agentOptions);
    const age = performance.now() - (this.#pool?.since ?? 0);
    if (this.#pool?.dispatcher !== undefined && this.#pool.fingerprint === fingerprint && age < poolLifetimeMs) return {type: 'none'};
    this.#pool = {dispatcher: undefined, fingerprint, since: performance.now()};
    const options = super.createDispatcherOptions(cluster, agentOptions);
    if (options.type !== 'agent') return options;
    const connect = {...options.connect, allowH2: false};
    return {type: 'agent', connect};
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    const made = context.getDispatcher();
    if (made !== undefined && this.#pool !== undefined) this.#pool.dispatcher = made;
    else if (this.#pool?.dispatcher !== undefined) context.setDispatcher(this.#pool.dispatcher);
  }

  /** The same credentials, for one API server at its own address. */
  at(address: string): PooledKubeConfig {
    const cluster = this.getCurrentCluster();
    const config = new PooledKubeConfig();
    config.loadFromOptions({
      clusters: this.clusters.map((each) => each.name === cluster?.name ? {...each, server: address, tlsServerName: apiServerName} : each),
      users: this.users,
      contexts: this.contexts,
      currentContext: this.currentContext,
    });
    return config;
  }
}

/**
 * The configuration of a path, or client-node's default order: KUBECONFIG, ~/.kube/config, the pod's service account.
 * Throws when there is none of them.
 */
export function loadKubeConfig(path?: string): PooledKubeConfig {
  const config = new PooledKubeConfig();
  if (path !== undefined) config.loadFromFile(path);
  else config.loadFromDefault();
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new Error(`The kubeconfig${path === undefined ? '' : ` ${path}`} names no cluster in its current context ${JSON.stringify(config.currentContext)}`);
  }
  // What client-node falls back to when it found nothing.
  if (path === undefined && server === 'http://localhost:8080') {
    throw new Error('No Kubernetes API server is configured: run in a pod with a service account, or set KUBECONFIG or --kubeconfig');
  }
  return config;
}
