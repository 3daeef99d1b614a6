import {connect, constants} from 'node:http2';
import type {ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders} from 'node:http2';
import {FieldReader, WireError} from '../etcd/wal/protobuf.ts';
import {Refusal} from './failure.ts';

/** Where an etcd serves clients. */
export interface EtcdURL {
  /** http://host:port or https://host:port. */
  url: string;
  /** The name that the server's certificate must carry, where that is not the host of the URL. */
  serverName?: string;
  /** PEM text. */
  tls?: {ca: string; cert: string; key: string};
  /** From Auth.Authenticate, where etcd asks for one. */
  token?: string;
}

export interface Limits {
  /** Without an answer, or without more of it, for so long the stream is given up, ms. */
  idleMs: number;
  /** As a whole, ms. */
  totalMs: number;
}

/** One message of Maintenance.Snapshot. */
export interface SnapshotChunk {
  /** Bytes of the database that come after these. */
  remaining: number;
  blob: Buffer;
}

const method = '/etcdserverpb.Maintenance/Snapshot';
/** Flow control of HTTP/2 in large steps: the default of 64 kB waits for an answer to each. */
const windowBytes = 4 << 20;
/** etcd sends 32 kB at a time; what says to be much longer is no message of it. */
const messageLimit = 4 << 20;
/** A gRPC message begins with one byte for compression and four for its length. */
const prefixBytes = 5;

/**
 * The stream of etcd's Maintenance.Snapshot: the database as a consistent whole, then the SHA-256 of it in a message of its own. A member
 * serves it alone, without a quorum. gRPC by hand on node's own http2, because the agent has no npm packages.
 * @throws {Refusal} EtcdUnreachable, EtcdRefused, SnapshotDamaged where it is not such a stream
 */
export async function* snapshotChunks({url, serverName, tls, token}: EtcdURL, {idleMs, totalMs}: Limits): AsyncGenerator<SnapshotChunk> {
  const session = connect(url, {...tls, ...(serverName !== undefined && {servername: serverName}), settings: {initialWindowSize: windowBytes, enablePush: false}});
  session.once('connect', () => { session.setLocalWindowSize(windowBytes); });
  try {
    yield* answers(session, {url, token, idleMs, totalMs});
  } finally {
    session.destroy();
  }
}

async function* answers(session: ClientHttp2Session, {url, token, idleMs, totalMs}: Limits & {url: string; token: string | undefined}): AsyncGenerator<SnapshotChunk> {
  let broken: Error | undefined;
  session.on('error', (error: Error) => { broken ??= error; });
  const headers = {':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers', ...(token !== undefined && {token})};
  const stream = session.request(headers, {signal: AbortSignal.timeout(totalMs)});
  const silent = new Error(`nothing came for ${idleMs / 1000} s`);
  stream.setTimeout(idleMs, () => { stream.destroy(silent); });
  let answered: IncomingHttpHeaders = {};
  stream.on('response', (headers) => { answered = headers; });
  stream.on('trailers', (trailers: IncomingHttpHeaders) => { answered = {...answered, ...trailers}; });
  // An empty SnapshotRequest.
  stream.end(Buffer.alloc(prefixBytes));
  let left = 0;
  try {
    left = yield* messages(stream);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const what = (error as Error).name === 'AbortError' ? `it is not whole after ${totalMs / 1000} s` : (broken ?? error as Error).message;
    throw new Refusal('EtcdUnreachable', `The etcd at ${url} cannot be read from: ${what}.`);
  }
  // First: a process that is killed closes its connection, which HTTP/2 may tell as the end of the stream.
  refuseUnlessWell(url, answered);
  if (left > 0) throw new Refusal('SnapshotDamaged', 'The stream ends in the middle of a message.');
}

/** @returns how many bytes came of a message that did not come whole */
async function* messages(stream: ClientHttp2Stream): AsyncGenerator<SnapshotChunk, number> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const data of stream as AsyncIterable<Buffer<ArrayBuffer>>) {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    for (;;) {
      const length = rest.length < prefixBytes ? undefined : messageLength(rest);
      if (length === undefined || rest.length < prefixBytes + length) break;
      yield chunkIn(rest.subarray(prefixBytes, prefixBytes + length));
      rest = rest.subarray(prefixBytes + length);
    }
  }
  return rest.length;
}

function messageLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(1);
  if (bytes[0] !== 0 || length > messageLimit) throw new Refusal('SnapshotDamaged', 'What came is no message of a snapshot.');
  return length;
}

function chunkIn(message: Buffer): SnapshotChunk {
  const reader = new FieldReader(message);
  const chunk: SnapshotChunk = {remaining: 0, blob: Buffer.alloc(0)};
  try {
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 2) chunk.remaining = reader.uint();
      else if (field === 3) chunk.blob = reader.bytesField();
      else reader.skip();
    }
  } catch (error) {
    if (error instanceof WireError) throw new Refusal('SnapshotDamaged', `What came is no message of a snapshot: ${error.message}.`);
    throw error;
  }
  return chunk;
}

/** A stream without etcd's word that it was all is none, however it looks. */
function refuseUnlessWell(url: string, headers: IncomingHttpHeaders): void {
  const code = headers['grpc-status'];
  if (code === '0') return;
  const status = headers[constants.HTTP2_HEADER_STATUS];
  if (code === undefined) {
    const what = status === undefined || Number(status) === 200 ? 'the stream ended without a status' : `it answers with HTTP status ${String(status)}`;
    throw new Refusal('EtcdUnreachable', `The etcd at ${url} cannot be read from: ${what}.`);
  }
  throw new Refusal('EtcdRefused', `etcd gives no snapshot (gRPC code ${String(code)}): ${decoded(String(headers['grpc-message'] ?? ''))}.`);
}

/** gRPC writes what is no plain ASCII as in URLs; a server may do it wrong. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
