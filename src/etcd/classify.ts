import type {EtcdErrorKind} from './errors.ts';

/** A failed gRPC call as grpc-js reports it. Codes: https://grpc.io/docs/guides/status-codes/ */
export interface RpcFailure {
  code: number;
  details: string;
}

/** Details of a call on a client that was closed; no text of etcd or gRPC. */
export const clientClosed = 'the client is closed';

const cancelled = 1;
const deadlineExceeded = 4;
const permissionDenied = 7;
const outOfRange = 11;
const unavailable = 14;
const unauthenticated = 16;

/** Texts of etcd's api/v3rpc/rpctypes/error.go. The order matters where one text contains another. */
const serverTexts: readonly (readonly [string, EtcdErrorKind])[] = [
  ['no leader', 'NoLeader'],
  ['not leader', 'NoLeader'],
  ['leader changed', 'NoLeader'],
  ['request timed out', 'Timeout'],
  ['unhealthy cluster', 'Unhealthy'],
  ['not enough started members', 'Unhealthy'],
  ['not capable', 'Unhealthy'],
  ['server stopped', 'Unreachable'],
  ['in sync with leader', 'NotReady'],
  ['required revision is a future revision', 'NotReady'],
  ['too many learner members', 'TooManyLearners'],
  ['member ID already exist', 'MemberExists'],
  ['Peer URLs already exists', 'MemberExists'],
  ['member not found', 'NotFound'],
  ['rpc not supported for learner', 'LearnerRefused'],
  ['database space exceeded', 'NoSpace'],
  ['required revision has been compacted', 'Compacted'],
  ['user name is empty', 'Unauthenticated'],
  ['authentication failed', 'Unauthenticated'],
  ['invalid auth token', 'Unauthenticated'],
  ['revision of auth store is old', 'Unauthenticated'],
  ['permission denied', 'PermissionDenied'],
];

/**
 * OpenSSL's and Node's words for a failed handshake, with what each means. grpc-js hides them in the details of an
 * UNAVAILABLE: "No connection established. Last error: ...".
 */
const certificateTexts: readonly (readonly [RegExp, string])[] = [
  [/alert number 116|certificate[ _]required/i, 'the member wants a client certificate and none was sent'],
  [/alert number 42|bad[ _]certificate/i, 'the member refused the client certificate (unknown CA, expired, or not made for clients)'],
  [/alert number 45|alert certificate expired|ALERT_CERTIFICATE_EXPIRED/i, 'the client certificate has expired'],
  [/alert number 46|certificate unknown|ALERT_CERTIFICATE_UNKNOWN/i, 'the member refused the client certificate'],
  [/alert number 48|alert unknown ca|ALERT_UNKNOWN_CA/i, 'the member does not know the CA of the client certificate'],
  [/alert number 40|handshake failure/i, 'the handshake failed: no client certificate was sent, or no cipher is shared'],
  [/altnames|ERR_TLS_CERT_ALTNAME_INVALID/i, 'the name is not in the member\'s certificate'],
  [/certificate has expired|CERT_HAS_EXPIRED/i, 'the member\'s certificate has expired'],
  [/not yet valid|CERT_NOT_YET_VALID/i, 'the member\'s certificate is not valid yet'],
  [/self[- ]signed certificate|unable to (get|verify)|UNABLE_TO_|SELF_SIGNED|unknown ca/i, 'the member\'s certificate is of an unknown CA'],
  [/wrong version number|packet length too long|unknown protocol/i, 'the member does not speak TLS here, or another version of it'],
  [/key values mismatch|PEM|bad decrypt|no start line|ERR_OSSL|asn1|certificates cannot be used/i, 'a certificate or key that was given cannot be used'],
];

/** What a text of OpenSSL or Node says of certificates in plain words; undefined if it says nothing of them. */
export function certificateReason(text: string): string | undefined {
  return certificateTexts.find(([pattern]) => pattern.test(text))?.[1];
}

/** True if the failure is of the connection, and not an answer of etcd. */
export function isConnectionFailure(failure: RpcFailure): boolean {
  return (failure.code === unavailable || failure.code === deadlineExceeded) && !isAnswer(failure.details);
}

function isAnswer(details: string): boolean {
  return /^(etcdserver|mvcc|auth|lease|raft): /.test(details);
}

/** The kind of a failed call. Certificate problems are told from the text; where that is silent, see `diagnose`. */
export function classify(failure: RpcFailure): EtcdErrorKind {
  const {code, details} = failure;
  const known = serverTexts.find(([text]) => details.includes(text));
  if (known !== undefined && (isAnswer(details) || code !== unavailable)) return known[1];
  if (code === deadlineExceeded || /context deadline exceeded/.test(details)) return 'Timeout';
  // The member's own clock can end a call just before ours does: it resets the stream.
  if (code === cancelled) return details === clientClosed ? 'Other' : 'Timeout';
  if (code === permissionDenied) return 'PermissionDenied';
  if (code === unauthenticated) return 'Unauthenticated';
  if (code === outOfRange) return 'Compacted';
  if (code !== unavailable) return 'Other';
  if (isAnswer(details)) return 'Unhealthy';
  return certificateReason(details) === undefined ? 'Unreachable' : 'Certificate';
}
