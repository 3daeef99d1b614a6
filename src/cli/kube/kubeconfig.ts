import {existsSync, readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {delimiter, dirname, isAbsolute, join} from 'node:path';
import {parse} from 'yaml';
import {CommandError} from '../failure.ts';
import {execCredential} from './exec-credential.ts';
import type {ExecConfig} from './exec-credential.ts';

/** Where the API server is, and what proves who we are. */
export interface Connection {
  server: string;
  namespace: string;
  ca?: Buffer | undefined;
  cert?: Buffer | undefined;
  key?: Buffer | undefined;
  serverName?: string | undefined;
  insecure: boolean;
  headers: Record<string, string>;
}

export interface ConnectOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  namespace?: string | undefined;
  server?: string | undefined;
}

interface Named<T> {name: string; value: T | undefined; directory: string}
interface Cluster {
  server?: string; 'certificate-authority'?: string; 'certificate-authority-data'?: string; 'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string; 'proxy-url'?: string;
}
interface User {
  'client-certificate'?: string; 'client-certificate-data'?: string; 'client-key'?: string; 'client-key-data'?: string;
  token?: string; tokenFile?: string; username?: string; password?: string; exec?: ExecConfig; 'auth-provider'?: {name?: string};
  as?: string; 'as-groups'?: string[];
}
interface Context {cluster?: string; user?: string; namespace?: string}

interface Config {
  current: string | undefined;
  clusters: Named<Cluster>[];
  users: Named<User>[];
  contexts: Named<Context>[];
}

interface File {
  'current-context'?: string;
  clusters?: {name: string; cluster?: Cluster}[] | null;
  users?: {name: string; user?: User}[] | null;
  contexts?: {name: string; context?: Context}[] | null;
}

/** Of several files the first one that names something counts, as in kubectl. */
function read(paths: readonly string[]): Config {
  const config: Config = {current: undefined, clusters: [], users: [], contexts: []};
  for (const path of paths) {
    let file: File;
    try {
      file = (parse(readFileSync(path, 'utf8')) ?? {}) as File;
    } catch (error) {
      throw new CommandError(`The kubeconfig ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    const directory = dirname(path);
    if (config.current === undefined && file['current-context'] !== '') config.current = file['current-context'];
    config.clusters.push(...(file.clusters ?? []).map(({name, cluster}) => ({name, value: cluster, directory})));
    config.users.push(...(file.users ?? []).map(({name, user}) => ({name, value: user, directory})));
    config.contexts.push(...(file.contexts ?? []).map(({name, context}) => ({name, value: context, directory})));
  }
  return config;
}

function filesOf(given: string | undefined, environment: NodeJS.ProcessEnv): string[] {
  if (given !== undefined) return [given];
  const listed = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  return (listed.length > 0 ? listed : [join(homedir(), '.kube', 'config')]).filter((path) => existsSync(path));
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

function inCluster(environment: NodeJS.ProcessEnv): Connection | undefined {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  if (host === undefined || host === '' || !existsSync(join(serviceAccount, 'token'))) return undefined;
  const text = (name: string) => readFileSync(join(serviceAccount, name), 'utf8').trim();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${environment['KUBERNETES_SERVICE_PORT'] ?? '443'}`, namespace: text('namespace'),
    ca: readFileSync(join(serviceAccount, 'ca.crt')), insecure: false, headers: {authorization: `Bearer ${text('token')}`},
  };
}

function bytes(directory: string, data: string | undefined, path: string | undefined): Buffer | undefined {
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64');
  return path === undefined || path === '' ? undefined : readFileSync(isAbsolute(path) ? path : join(directory, path));
}

function find<T>(what: string, list: readonly Named<T>[], name: string | undefined): {value: T; directory: string} {
  const found = list.find((one) => one.name === name);
  if (found?.value === undefined) throw new CommandError(`The kubeconfig has no ${what} named ${JSON.stringify(name ?? '')}${list.length > 0 ? `; it has ${list.map((one) => one.name).join(', ')}` : ''}`);
  return {value: found.value, directory: found.directory};
}

interface Proof {
  cert?: Buffer | undefined;
  key?: Buffer | undefined;
  headers: Record<string, string>;
}

async function proofOf(user: User, directory: string): Promise<Proof> {
  if (user['auth-provider'] !== undefined) {
    throw new CommandError(`The kubeconfig's user asks for the auth-provider ${user['auth-provider'].name ?? ''}, which kubectl itself has given up: use its exec plugin, or run "kubectl proxy" and add --server http://127.0.0.1:8001`);
  }
  const given = user.exec === undefined ? {} : await execCredential(user.exec, directory);
  const token = given.token ?? (user.tokenFile === undefined ? user.token : readFileSync(user.tokenFile, 'utf8').trim());
  const headers: Record<string, string> = {};
  if (token !== undefined && token !== '') headers['authorization'] = `Bearer ${token}`;
  else if (user.username !== undefined) headers['authorization'] = `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`;
  if (user.as !== undefined) headers['impersonate-user'] = user.as;
  return {
    headers,
    cert: given.cert ?? bytes(directory, user['client-certificate-data'], user['client-certificate']),
    key: given.key ?? bytes(directory, user['client-key-data'], user['client-key']),
  };
}

/** How to reach the cluster: --kubeconfig, else KUBECONFIG, else ~/.kube/config, else the pod's service account; with kubectl's meaning of each. */
export async function connectionOf(options: ConnectOptions, environment: NodeJS.ProcessEnv = process.env): Promise<Connection> {
  const files = filesOf(options.kubeconfig, environment);
  if (files.length === 0 && options.server !== undefined) return {server: options.server, namespace: options.namespace ?? 'default', insecure: false, headers: {}};
  if (files.length === 0) {
    const own = inCluster(environment);
    if (own === undefined) throw new CommandError('No cluster is configured: there is no ~/.kube/config. Set KUBECONFIG, or use --kubeconfig FILE');
    return {...own, namespace: options.namespace ?? own.namespace};
  }
  const config = read(files);
  const context = find('context', config.contexts, options.context ?? config.current).value;
  const namespace = options.namespace ?? context.namespace ?? 'default';
  // Another server (kubectl proxy, say) must not be sent this one's credentials.
  if (options.server !== undefined) return {server: options.server, namespace, insecure: false, headers: {}};
  const cluster = find('cluster', config.clusters, context.cluster);
  if (cluster.value['proxy-url'] !== undefined) {
    throw new CommandError('The kubeconfig reaches this cluster through a proxy (proxy-url), which the plugin cannot. Run "kubectl proxy" beside it, and add --server http://127.0.0.1:8001');
  }
  const user = context.user === undefined || context.user === '' ? {value: {} as User, directory: ''} : find('user', config.users, context.user);
  return {
    ...await proofOf(user.value, user.directory), namespace, server: (cluster.value.server ?? '').replace(/\/+$/, ''),
    ca: bytes(cluster.directory, cluster.value['certificate-authority-data'], cluster.value['certificate-authority']),
    serverName: cluster.value['tls-server-name'], insecure: cluster.value['insecure-skip-tls-verify'] === true,
  };
}

/** Names of the contexts, for completion; empty where nothing can be read. */
export function contextNames(kubeconfig: string | undefined, environment: NodeJS.ProcessEnv = process.env): string[] {
  try {
    return read(filesOf(kubeconfig, environment)).contexts.map((context) => context.name);
  } catch {
    return [];
  }
}
