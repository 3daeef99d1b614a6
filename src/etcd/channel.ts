import {createHash} from 'node:crypto';
import type {Socket} from 'node:net';
import {createSecureContext} from 'node:tls';
import {Channel, ChannelCredentials} from '@grpc/grpc-js';
import type {EndpointTLS, EtcdEndpoint} from './types.ts';

type Connector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/**
 * A member whose node ended suddenly sends nothing, not even an end, and etcd closes a connection on which gRPC pings more often than each
 * 5 s (server/embed/config.go, DefaultGRPCKeepAliveMinTime). So the kernel asks: after a second of silence two probes, a second each. It does
 * so too while this process gets no processor, which gRPC's own pings would take for the end of every connection that it has. A Node before
 * 24.19 takes no interval and count, and sends ten probes.
 */
const probes = [true, 1_000, 1_000, 2] as const;

/** Credentials whose connections are probed by the kernel; everything else is grpc-js's own. */
class ProbedCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;

  constructor(inner: ChannelCredentials) {
    super();
    this.#inner = inner;
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure();
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(...given: Parameters<ChannelCredentials['_createSecureConnector']>): Connector {
    const inner = this.#inner._createSecureConnector(...given);
    return {
      connect: (socket: Socket) => {
        socket.setKeepAlive(...probes);
        return inner.connect(socket);
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => { inner.destroy(); },
    };
  }
}

const plain = new ProbedCredentials(ChannelCredentials.createInsecure());

/** One for each set of certificates, for as long as a connection uses it: a secure context takes some 50 KiB, and a millisecond to make. */
const shared = new Map<string, WeakRef<ChannelCredentials>>();
const gone = new FinalizationRegistry((key: string) => {
  if (shared.get(key)?.deref() === undefined) shared.delete(key);
});

/** @throws {Error} of OpenSSL, where a certificate or key cannot be used */
export function credentialsOf(tls: EndpointTLS | undefined): ChannelCredentials {
  if (tls === undefined) return plain;
  const {ca, cert, key: privateKey} = tls;
  const key = createHash('sha256').update(JSON.stringify([ca, cert, privateKey])).digest('base64');
  const known = shared.get(key)?.deref();
  if (known !== undefined) return known;
  const context = createSecureContext({...(ca !== undefined && {ca}), ...(cert !== undefined && {cert}), ...(privateKey !== undefined && {key: privateKey})});
  const made = new ProbedCredentials(ChannelCredentials.createFromSecureContext(context));
  shared.set(key, new WeakRef(made));
  gone.register(made, key);
  return made;
}

/** host:port as gRPC and URLs want it, IPv6 addresses in brackets. */
export function hostAndPort(endpoint: {address: string; port: number}): string {
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return `${host}:${endpoint.port}`;
}

/**
 * A channel of its own: grpc-js would share connections of equal options, dead ones too. It would also use a proxy from the environment,
 * which has no business between operator and member, and keep books (channelz) that nobody reads.
 */
export function openChannel(endpoint: EtcdEndpoint): Channel {
  const serverName = endpoint.tls?.serverName;
  return new Channel(hostAndPort(endpoint), credentialsOf(endpoint.tls), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(serverName === undefined ? {} : {'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName}),
  });
}
