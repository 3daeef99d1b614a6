import type {Observation} from '../../observe/observation.ts';
import {highestForClients} from '../evidence/loss.ts';
import type {Move} from './revisions.ts';
import {moveFor} from './revisions.ts';

/** Where nobody saw the cluster: what etcd's own documentation says, good for a week with 1,500 writes a second (op-guide/recovery). */
export const unseenMargin = 1_000_000_000;

/**
 * How far the revision of a restored snapshot is moved. It costs nothing here, so there is no upper bound; a snapshot that is older than
 * what was seen is moved past what was seen. It is at least one: etcdutl marks nothing as compacted otherwise.
 * @param left entries of a member's log that are not in its database, each of which may have made a revision that clients have seen
 */
export function restoreMove(observation: Observation, from: number, left = 0): Move {
  const {status, spec} = observation;
  const move = moveFor(observation, '', from, Number.MAX_SAFE_INTEGER);
  if (move.proven) return {...move, target: Math.max(move.target, from + left + 1)};
  const known = Math.max(from + left, highestForClients(status), spec.minRevision ?? 0);
  const target = known + unseenMargin;
  return {from, target, proven: false, why: `no quorum was seen to serve before, so how far clients had seen is not known: ${known} is the highest revision that was seen anywhere, and ${unseenMargin.toLocaleString('en-US')} are added`};
}
