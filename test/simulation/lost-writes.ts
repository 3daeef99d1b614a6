import {marks} from '../../src/api/types.ts';
import type {Data, LogEntry} from './etcd-data.ts';

/** What a log holds of writes that a leader saw on a quorum, whether or not anybody told this member that they are committed. */
export function writesOn({log}: Data, committed: Pick<WeakSet<LogEntry>, 'has'>): Map<string, string> {
  const last = log.findLastIndex((entry) => committed.has(entry));
  const keys = new Map<string, string>();
  for (const {put, remove} of log.slice(0, last + 1)) {
    if (put) keys.set(put.key, put.value);
    if (remove) keys.delete(remove.key);
  }
  return keys;
}

/** Invariant 13; undefined: nothing is missing. */
export function missingWrites(wanted: ReadonlyMap<string, string>, {keys}: Data, when: string): string | undefined {
  const lost = [...wanted].filter(([key, value]) => key !== marks.probeKey && keys.get(key) !== value).map(([key]) => key);
  return lost.length === 0 ? undefined : `invariant 13: ${lost.join(', ')} was acknowledged, stood on the survivor's disk, and is gone ${when}`;
}
