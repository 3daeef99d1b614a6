import {ApiError} from './errors.ts';
import type {Verb} from './kinds.ts';

/** Which call an error belongs to. */
export interface CallName {
  verb: Verb;
  kind: string;
  object: string;
}

interface StatusBody {
  kind?: string;
  message?: string;
  reason?: string;
  details?: {retryAfterSeconds?: number; causes?: {field?: string; reason?: string}[]};
}

function statusOf(body: string): StatusBody {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

const reasonsByCode: Record<number, string> = {
  400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 405: 'MethodNotAllowed', 409: 'Conflict', 410: 'Expired',
  422: 'Invalid', 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable', 504: 'Timeout',
};

/** A patch that names another UID than the object's is refused as an immutable field; it is a failed precondition all the same. */
function isUidMismatch(code: number, status: StatusBody): boolean {
  return code === 422 && (status.details?.causes ?? []).some((cause) => cause.field === 'metadata.uid');
}

/** The error for an answer of 400 and above. */
export function answerError(call: CallName, code: number, body: string, retryAfter?: string): ApiError {
  const status = statusOf(body);
  const conflict = isUidMismatch(code, status);
  // An API server answers a path that nothing serves with plain text.
  const notServed = code === 404 && status.kind !== 'Status';
  const seconds = status.details?.retryAfterSeconds ?? (retryAfter === undefined ? undefined : Number(retryAfter));
  return new ApiError({
    ...call,
    code: conflict ? 409 : code,
    reason: conflict ? 'Conflict' : notServed ? 'NotServed' : status.reason ?? reasonsByCode[code] ?? 'Unknown',
    message: (status.message ?? body.slice(0, 300).trim()) || 'no message',
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
  });
}

/** undici says "fetch failed" and keeps the reason in `cause`, sometimes one deeper. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const deepest = error.cause instanceof Error ? reasonOf(error.cause) : undefined;
  const text = error.message || ('code' in error && typeof error.code === 'string' ? error.code : error.name);
  return deepest === undefined || deepest === text ? text : `${text}: ${deepest}`;
}

/** The error for a call that got no answer: refused, reset, timed out, or the credentials could not be read. */
export function noAnswerError(call: CallName, error: unknown): ApiError {
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  const message = timedOut ? 'no answer from the API server in time' : `no answer from the API server: ${reasonOf(error)}`;
  return new ApiError({...call, code: 0, reason: 'Unavailable', message, cause: error});
}
