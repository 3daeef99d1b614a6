import {noop} from 'cockatiel';
import {Etcd3} from 'etcd3';
import type {RpcFailure} from './classify.ts';
import {clientClosed, isConnectionFailure} from './classify.ts';
import {hostAndPort, openChannel} from './channel.ts';
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
 * etcd3 for one host, without retries. Calls go around its methods to the generated stubs: those lose the gRPC code,
 * shift arguments (snapshot), name a method that is not there (hashKV), and send no token where they should.
 */
class OneHost extends Etcd3 {
  constructor(endpoint: EtcdEndpoint) {
    // All services over the one channel, which has the certificates: etcd3 would make a secure context for each client.
    const channelOverride = openChannel(endpoint);
    super({hosts: `http://${hostAndPort(endpoint)}`, faultHandling: {host: () => noop, global: noop}, grpcOptions: {channelOverride}});
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

  /** Opens a Watch call on the connection that the others use. `close` ends it, and has to be called in the end. */
  async openWatch(metadata: Record<string, string>): Promise<{call: OpenCall; close: () => void}> {
    if (this.#closed) throw new Error(clientClosed);
    this.#current ??= {host: new OneHost(this.#endpoint), running: 0, retired: false};
    const used = this.#current;
    used.running += 1;
    let open = true;
    const close = (call?: OpenCall): void => {
      if (!open) return;
      open = false;
      call?.cancel();
      used.running -= 1;
      if (used.retired && used.running === 0) used.host.close();
    };
    try {
      const call = await used.host.openWatch(metadata);
      call.on('error', (failure) => { if (isConnectionFailure(failure)) this.#retire(used); });
      return {call, close: () => { close(call); }};
    } catch (error) {
      close();
      throw error;
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
