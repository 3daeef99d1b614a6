import {noop} from 'cockatiel';
import {Etcd3} from 'etcd3';
import type {IOptions} from 'etcd3';
import type {RpcFailure} from './classify.ts';
import {clientClosed, isConnectionFailure} from './classify.ts';
import type {EtcdEndpoint} from './types.ts';

export type Service = 'KV' | 'Cluster' | 'Maintenance' | 'Auth';

/** A call that stays open, as grpc-js gives it. */
export interface OpenCall {
  write(message: object): void;
  cancel(): void;
  on(event: 'data', listener: (message: unknown) => void): unknown;
  on(event: 'error', listener: (failure: RpcFailure) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}
export type Outcome = {ok: true; response: unknown} | {ok: false; failure: RpcFailure};

type UnaryCall = (
  payload: object,
  metadata: unknown,
  options: {deadline: number},
  callback: (error: RpcFailure | null, response: unknown) => void,
) => void;

interface MetadataHolder {
  set(key: string, value: string): void;
}

/**
 * A member whose node ended suddenly sends nothing, not even an end: only a ping tells. etcd closes a connection that pings more often than
 * each 5 s (server/embed/config.go, DefaultGRPCKeepAliveMinTime).
 */
const keepAlive = {'grpc.keepalive_time_ms': 6_000, 'grpc.keepalive_timeout_ms': 2_000, 'grpc.keepalive_permit_without_calls': 0};

let connections = 0;

/**
 * grpc-js shares connections of equal options between clients, dead ones too, so each client gets an option of its own.
 * It would also use a proxy from the environment, which has no business between operator and member.
 */
function channelOptions(endpoint: EtcdEndpoint): NonNullable<IOptions['grpcOptions']> {
  connections += 1;
  const serverName = endpoint.tls?.serverName;
  return {
    'quorumrecovery.connection': connections,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(serverName === undefined ? {} : {'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName}),
  };
}

function credentials(endpoint: EtcdEndpoint): Pick<IOptions, 'credentials'> {
  const {tls} = endpoint;
  if (tls === undefined) return {};
  return {
    credentials: {
      // etcd3's type wants the CA; grpc-js takes none for the system's roots.
      rootCertificate: (tls.ca === undefined ? undefined : Buffer.from(tls.ca)) as Buffer,
      ...(tls.key === undefined ? {} : {privateKey: Buffer.from(tls.key)}),
      ...(tls.cert === undefined ? {} : {certChain: Buffer.from(tls.cert)}),
    },
  };
}

/** host:port as gRPC and URLs want it, IPv6 addresses in brackets. */
export function hostAndPort(endpoint: {address: string; port: number}): string {
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return `${host}:${endpoint.port}`;
}

/**
 * etcd3 for one host, without retries. Calls go around its methods to the generated stubs: those lose the gRPC code,
 * shift arguments (snapshot), name a method that is not there (hashKV), and send no token where they should.
 */
class OneHost extends Etcd3 {
  constructor(endpoint: EtcdEndpoint, options: object = {}) {
    super({
      hosts: `${endpoint.tls === undefined ? 'http' : 'https'}://${hostAndPort(endpoint)}`,
      faultHandling: {host: () => noop, global: noop},
      grpcOptions: {...channelOptions(endpoint), ...options},
      ...credentials(endpoint),
    });
  }

  openWatch(entries: Record<string, string>): Promise<OpenCall> {
    return this.pool.withConnection('Watch', ({client, metadata}) => {
      for (const [key, value] of Object.entries(entries)) (metadata as MetadataHolder).set(key, value);
      return (client as unknown as {watch: (metadata: unknown) => OpenCall}).watch(metadata);
    });
  }

  call(service: Service, method: string, payload: object, options: {deadline: number; token: string | undefined}): Promise<Outcome> {
    return this.pool.withConnection(service, ({client, metadata}) => {
      const stub = (client as unknown as Record<string, UnaryCall | undefined>)[method];
      if (stub === undefined) throw new TypeError(`etcd3 has no method ${service}.${method}`);
      if (options.token !== undefined) (metadata as MetadataHolder).set('token', options.token);
      return new Promise<Outcome>(resolve => {
        stub.call(client, payload, metadata, {deadline: options.deadline}, (error, response) => {
          resolve(error === null
            ? {ok: true, response}
            : {ok: false, failure: {code: error.code, details: error.details}});
        });
      });
    });
  }
}

/** Opens the Watch call of one member, on a connection of its own. */
export async function openWatch(endpoint: EtcdEndpoint, metadata: Record<string, string>): Promise<{call: OpenCall; close: () => void}> {
  const host = new OneHost(endpoint, keepAlive);
  try {
    const call = await host.openWatch(metadata);
    return {call, close: () => { call.cancel(); host.close(); }};
  } catch (error) {
    host.close();
    throw error;
  }
}

interface Held {
  host: OneHost;
  running: number;
  retired: boolean;
}

/**
 * Calls to one endpoint. A connection on which one failed is not used again: grpc-js would keep a dead one until TCP
 * gives it up, resolve the name at most every 30 s, and back off for up to two minutes.
 */
export class Connection {
  readonly #endpoint: EtcdEndpoint;
  #current: Held | undefined;
  #closed = false;

  constructor(endpoint: EtcdEndpoint) {
    this.#endpoint = endpoint;
  }

  async call(service: Service, method: string, payload: object, options: {deadline: number; token: string | undefined}): Promise<Outcome> {
    if (this.#closed) return {ok: false, failure: {code: 1, details: clientClosed}};
    try {
      this.#current ??= {host: new OneHost(this.#endpoint), running: 0, retired: false};
    } catch (error) {
      return {ok: false, failure: {code: 14, details: `the given certificates cannot be used: ${String(error)}`}};
    }
    const used = this.#current;
    used.running += 1;
    try {
      const outcome = await used.host.call(service, method, payload, options);
      if (!outcome.ok && isConnectionFailure(outcome.failure)) this.#retire(used);
      return outcome;
    } finally {
      used.running -= 1;
      if (used.retired && used.running === 0) used.host.close();
    }
  }

  #retire(used: Held): void {
    used.retired = true;
    if (this.#current === used) this.#current = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#current?.host.close();
    this.#current = undefined;
  }
}
