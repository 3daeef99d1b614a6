import type {Verb} from './kinds.ts';

export interface ApiErrorFields {
  /** HTTP status; 0 when no answer came. */
  code: number;
  /** Reason of the Status object (`NotFound`, `Conflict`, ...); `Unavailable` when no answer came. */
  reason: string;
  /** What the API server said. */
  message: string;
  verb: Verb;
  kind: string;
  /** `namespace/name`, or the name alone, or the namespace of a collection; empty for a cluster-wide collection. */
  object: string;
  /** How long the API server asks to wait before the next try, in seconds. */
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/** A call to the API server that failed. The message names verb, kind and object, so that a log line needs no more. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string;
  readonly verb: Verb;
  readonly kind: string;
  readonly object: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(fields: ApiErrorFields) {
    const answer = fields.code === 0 ? fields.reason : `${fields.code} ${fields.reason}`;
    super(`${fields.verb} ${fields.kind}${fields.object && ` ${fields.object}`}: ${fields.message} (${answer})`, {cause: fields.cause});
    this.code = fields.code;
    this.reason = fields.reason;
    this.verb = fields.verb;
    this.kind = fields.kind;
    this.object = fields.object;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

const hasCode = (error: unknown, ...codes: number[]): error is ApiError => error instanceof ApiError && codes.includes(error.code);

export const isNotFound = (error: unknown): error is ApiError => hasCode(error, 404);

/** 404 with no word of the API itself: no such kind is installed in this cluster. What an API that is served does not find, it says in a Status. */
export const isNotServed = (error: unknown): error is ApiError => hasCode(error, 404) && error.reason === 'NotServed';

/** 409 on an existing object: its resourceVersion or UID is not the expected one. */
export const isConflict = (error: unknown): error is ApiError => hasCode(error, 409) && error.reason !== 'AlreadyExists';

export const isAlreadyExists = (error: unknown): error is ApiError => hasCode(error, 409) && error.reason === 'AlreadyExists';

export const isForbidden = (error: unknown): error is ApiError => hasCode(error, 401, 403);

export const isInvalid = (error: unknown): error is ApiError => hasCode(error, 400, 422);

/** The API server has answered, and did not do it: by itself, or because something that it has to ask (an admission webhook) did not let it. */
export const isAnswered = (error: unknown): error is ApiError => error instanceof ApiError && error.code !== 0;

/** 400 on the log of a container that its kubelet does not call started yet (Kubernetes pkg/kubelet/kubelet_pods.go, GetKubeletContainerLogs). */
export const isWaitingToStart = (error: unknown): error is ApiError => hasCode(error, 400) && /is waiting to start/.test(error.message);

/** 410: the resourceVersion of a watch or of a list's continuation is too old; list again. */
export const isExpired = (error: unknown): error is ApiError => hasCode(error, 410);

/**
 * No answer, or one that says that the server cannot answer now.
 * The act may have happened all the same: look again before it is repeated.
 */
export const isUnavailable = (error: unknown): error is ApiError => hasCode(error, 0, 429, 500, 502, 503, 504);
