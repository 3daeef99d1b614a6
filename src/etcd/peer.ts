import {request as httpRequest} from 'node:http';
import type {IncomingMessage} from 'node:http';
import {request as httpsRequest} from 'node:https';
import {isIP} from 'node:net';
import {certificateReason} from './classify.ts';
import {hostAndPort} from './channel.ts';
import {EtcdError} from './errors.ts';
import {hexID} from './messages.ts';
import type {EndpointTLS, ListedMember} from './types.ts';

const defaultTimeoutMs = 3_000;
const bodyLimit = 1 << 20;

interface PeerMember {
  id: number | string;
  name?: string;
  peerURLs?: string[];
  clientURLs?: string[];
  isLearner?: boolean;
}

/**
 * GET /members on the peer port: identity and membership of a member that runs, also where it has no quorum and serves
 * no client since its restart. With peer TLS it needs a certificate of the peer CA.
 */
export async function probePeer(
  address: string, port: number, tls?: EndpointTLS, options: {timeoutMs?: number} = {},
): Promise<{clusterID: string; members: ListedMember[]}> {
  const what = `GET /members on peer port ${hostAndPort({address, port})} failed`;
  const {response, body} = await get(address, port, tls, options.timeoutMs ?? defaultTimeoutMs, what);
  const clusterID = response.headers['x-etcd-cluster-id'];
  if (response.statusCode !== 200 || typeof clusterID !== 'string') {
    throw new EtcdError('Other', `${what}: it answered ${response.statusCode ?? 0}, not as an etcd peer does`);
  }
  // 64-bit IDs stand as bare numbers in the JSON, beyond what a number holds.
  const text = body.replaceAll(/"id":\s*(\d+)/g, '"id":"$1"');
  const members = parseMembers(text);
  if (members === undefined) throw new EtcdError('Other', `${what}: its answer is no member list`);
  return {
    clusterID: clusterID.toLowerCase(),
    members: members.map(({id, name, peerURLs, clientURLs, isLearner}) => ({
      id: hexID(String(id)), name: name ?? '', peerURLs: peerURLs ?? [], clientURLs: clientURLs ?? [], isLearner: isLearner ?? false,
    })),
  };
}

function parseMembers(text: string): PeerMember[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed as PeerMember[] : undefined;
  } catch {
    return undefined;
  }
}

function get(
  address: string, port: number, tls: EndpointTLS | undefined, timeoutMs: number, what: string,
): Promise<{response: IncomingMessage; body: string}> {
  const common = {host: address, port, path: '/members', agent: false as const, signal: AbortSignal.timeout(timeoutMs)};
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => { reject(peerFailure(error, what, timeoutMs)); };
    const receive = (response: IncomingMessage): void => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > bodyLimit) response.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => { resolve({response, body}); });
      response.on('error', fail);
    };
    try {
      const request = tls === undefined ? httpRequest(common, receive) : httpsRequest({...common, ...tlsOptions(address, tls)}, receive);
      request.on('error', fail);
      request.end();
    } catch (error) {
      fail(error as Error);
    }
  });
}

function tlsOptions(address: string, tls: EndpointTLS): {servername?: string; ca?: string; cert?: string; key?: string} {
  const {serverName, ...pems} = tls;
  const name = serverName ?? address;
  return isIP(name) === 0 ? {...pems, servername: name} : pems;
}

function peerFailure(error: NodeJS.ErrnoException, what: string, timeoutMs: number): EtcdError {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return new EtcdError('Timeout', `${what}: no answer within ${timeoutMs} ms`, {cause: error});
  }
  const text = `${error.code ?? ''} ${error.message}`;
  const reason = certificateReason(text);
  if (reason !== undefined) return new EtcdError('Certificate', `${what}: ${reason}: ${error.message}`, {cause: error});
  return new EtcdError('Unreachable', `${what}: ${error.message}`, {cause: error});
}
