import {isIP} from 'node:net';
import {connect} from 'node:tls';
import type {TLSSocket} from 'node:tls';
import {certificateReason} from './classify.ts';
import type {EtcdEndpoint} from './types.ts';

/**
 * Why a connection fails, in plain words, where that is a matter of TLS; otherwise undefined.
 *
 * grpc-js reports a refused client certificate as a closed connection: with TLS 1.3 the server's alert comes after the
 * handshake that the client thinks done. So one bare connection is made, and the alert is waited for. Without TLS in
 * the endpoint it finds out whether the member speaks TLS.
 */
export function diagnose(endpoint: EtcdEndpoint, waitMs = 500): Promise<string | undefined> {
  return new Promise(resolve => {
    let socket: TLSSocket | undefined;
    const end = (reason: string | undefined): void => {
      clearTimeout(timer);
      socket?.destroy();
      resolve(reason);
    };
    const timer = setTimeout(end, waitMs, undefined);
    try {
      socket = open(endpoint);
    } catch (error) {
      // A key that does not belong to the certificate, or no PEM at all, is found before anything is sent.
      end(certificateReason(String(error)) ?? `a certificate or key that was given cannot be used: ${String(error)}`);
      return;
    }
    const wantsTLS = (): void => {
      if (endpoint.tls === undefined) end('the member speaks TLS, and no certificates are set (spec.target.tls)');
    };
    socket.once('secureConnect', wantsTLS);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const text = `${error.code ?? ''} ${error.message}`;
      if (/ALERT/i.test(text)) wantsTLS();
      end(endpoint.tls === undefined ? undefined : certificateReason(text));
    });
    socket.once('close', () => { end(undefined); });
  });
}

function open({address, port, tls}: EtcdEndpoint): TLSSocket {
  const serverName = tls?.serverName ?? address;
  return connect({
    host: address, port, ALPNProtocols: ['h2'],
    rejectUnauthorized: tls !== undefined,
    ...(isIP(serverName) === 0 ? {servername: serverName} : {}),
    ...(tls?.ca === undefined ? {} : {ca: tls.ca}),
    ...(tls?.cert === undefined ? {} : {cert: tls.cert}),
    ...(tls?.key === undefined ? {} : {key: tls.key}),
  });
}
