import type {ServerVersion} from '../kubernetes/client.ts';
import type {Check} from './server.ts';

/** Pod scheduling gates and ValidatingAdmissionPolicy are stable from here on; without them no pod can be held. */
const oldest = {major: 1, minor: 30};

/** Throws RangeError for a Kubernetes that is too old to be served. */
export function checkVersion({major, minor, gitVersion}: ServerVersion): void {
  // A version that cannot be read is not refused: the policy check of each run would find out.
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor) || Number.isNaN(major) || Number.isNaN(minor)) return;
  throw new RangeError(`Kubernetes ${gitVersion} is too old: the operator needs ${oldest.major}.${oldest.minor} or later, because it holds pods by `
    + 'scheduling gates and enforces that by a ValidatingAdmissionPolicy. Nothing was touched.');
}

export interface Watched {
  /** How long the longest reconcile has been running, milliseconds. */
  reconcileMs: () => number;
  /** How long the event feed has stood still. */
  feedMs: () => number;
  /** How long the election has stood still. */
  leaseMs: () => number;
}

/** Limits far above what each takes even while the API server is away: a restart helps only against a loop that is stuck. */
const limits = {reconcile: 15 * 60_000, feed: 3 * 60_000, lease: 2 * 60_000};

const watchdog = (what: string, idleMs: () => number, limitMs: number): Check => () => {
  const idle = idleMs();
  return idle > limitMs ? `${what} for ${Math.round(idle / 1000)} s` : undefined;
};

export const watchdogs = ({reconcileMs, feedMs, leaseMs}: Watched): Record<string, Check> => ({
  reconcile: watchdog('one reconcile has been running', reconcileMs, limits.reconcile),
  feed: watchdog('a watch has shown no life', feedMs, limits.feed),
  lease: watchdog('the leader election has stood still', leaseMs, limits.lease),
});
