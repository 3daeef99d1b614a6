/**
 * Why a call to an etcd member failed, as far as it matters for what happens next.
 *
 * - `Unreachable`: nothing accepted the connection (refused, no route, name not resolved, reset).
 * - `Timeout`: the deadline passed, or etcd gave the request up. A restarted member without quorum accepts
 *   connections and serves nothing, so this is not the same as dead.
 * - `NoLeader`: the member answered, and has no leader.
 * - `Unhealthy`: etcd refuses a membership change for now ("unhealthy cluster", "not enough started members"). Retry.
 * - `NotReady`: the learner has not caught up with the leader. Retry.
 * - `MemberExists`: a member with that ID or peer URL is in the list already.
 * - `NotFound`: no such member.
 * - `Certificate`: TLS failed; the message says which of unknown CA, expired, name, missing client certificate.
 * - `LearnerRefused`: the call reached a learner, which does not serve it.
 * - `NoSpace`: the database fills its quota, or an alarm that says so is raised.
 * - `Compacted`: the revision is compacted, or not reached yet.
 */
export const etcdErrorKinds = [
  'Unreachable', 'Timeout', 'NoLeader', 'Unhealthy', 'NotReady', 'TooManyLearners', 'MemberExists', 'NotFound',
  'PermissionDenied', 'Unauthenticated', 'Certificate', 'LearnerRefused', 'NoSpace', 'Compacted', 'Other',
] as const;

export type EtcdErrorKind = (typeof etcdErrorKinds)[number];

/** A failed call to one etcd member. `message` names the endpoint, the call and the reason. */
export class EtcdError extends Error {
  readonly kind: EtcdErrorKind;

  constructor(kind: EtcdErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EtcdError';
    this.kind = kind;
  }
}

/** True for an `EtcdError` of one of these kinds (of any kind, if none is given). */
export function isEtcdError(error: unknown, ...kinds: EtcdErrorKind[]): error is EtcdError {
  return error instanceof EtcdError && (kinds.length === 0 || kinds.includes(error.kind));
}
