import type {AgentFailure, AgentFailureReason} from './report.ts';

type Details = Pick<AgentFailure, 'neededBytes' | 'freeBytes' | 'inspect' | 'marker' | 'refused'>;

/** A refusal: what a command cannot or must not do, with the reason for the operator and the sentence for a person. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: AgentFailureReason;
  readonly details: Details;

  constructor(reason: AgentFailureReason, message: string, details: Details = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}

/** Code of a failed system call, e.g. ENOENT; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const spaceCodes = new Set(['ENOSPC', 'EDQUOT']);

/** The volume, or this user's part of it, is full. */
export function isSpaceError(error: unknown): boolean {
  return spaceCodes.has(errorCode(error) ?? '');
}
