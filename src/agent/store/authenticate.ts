import {connect} from 'node:http2';
import type {IncomingHttpHeaders} from 'node:http2';
import {FieldReader} from '../../etcd/wal/protobuf.ts';
import {Refusal} from '../failure.ts';
import type {EtcdURL, Limits} from '../maintenance.ts';
import {passwordVariable, userVariable} from './variables.ts';

const method = '/etcdserverpb.Auth/Authenticate';
/** gRPC begins a message with one byte for compression and four for its length. */
const prefixBytes = 5;

function textField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest % 128 + (rest >= 128 ? 128 : 0));
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** `token` of an AuthenticateResponse. */
function tokenIn(body: Buffer): string | undefined {
  const reader = new FieldReader(body.subarray(prefixBytes));
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) return reader.bytesField().toString('utf8');
    reader.skip();
  }
  return undefined;
}

/**
 * A token for the user that the environment names; undefined: it names none.
 * @throws {Refusal} EtcdUnreachable, EtcdRefused
 */
export async function tokenFor({url, serverName, tls}: EtcdURL, {idleMs}: Limits, env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const {[userVariable]: user, [passwordVariable]: password = ''} = env;
  if (user === undefined) return undefined;
  const session = connect(url, {...tls, ...(serverName !== undefined && {servername: serverName})});
  let answered: IncomingHttpHeaders = {};
  const pieces: Buffer[] = [];
  try {
    let broken: Error | undefined;
    session.on('error', (error: Error) => { broken ??= error; });
    const stream = session.request({':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers'}, {signal: AbortSignal.timeout(idleMs)});
    for (const event of ['response', 'trailers'] as const) stream.on(event, (headers: IncomingHttpHeaders) => { answered = {...answered, ...headers}; });
    stream.end(framed(Buffer.concat([textField(1, user), textField(2, password)])));
    try {
      for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
    } catch (error) {
      throw new Refusal('EtcdUnreachable', `The etcd at ${url} does not answer a login: ${(broken ?? error as Error).message}.`);
    }
  } finally {
    session.destroy();
  }
  const code = String(answered['grpc-status'] ?? '');
  if (code === '9') return undefined; // FailedPrecondition: authentication is not enabled.
  const token = code === '0' ? tokenIn(Buffer.concat(pieces)) : undefined;
  if (token === undefined) throw new Refusal('EtcdRefused', `etcd does not let user ${user} in (gRPC code ${code === '' ? 'none' : code}): ${String(answered['grpc-message'] ?? '')}.`);
  return token;
}
