import {Refusal, errorCode} from '../failure.ts';
import {entriesOf, recordOf} from './records.ts';
import type {Entry} from './records.ts';
import type {SnapshotStore} from './store.ts';

export interface PruneOptions {
  /** The snapshot that was just saved and verified: it stays, and with it one that verifies. */
  name: string;
  /** Its revision. */
  revision: number;
  cluster: string;
  /** UID of the resource that it was taken for; undefined: nothing is taken away. */
  owner: string | undefined;
  keepLast: number | undefined;
  /** Seconds. */
  keepFor: number | undefined;
  now: number;
}

export interface Pruned {
  removed: string[];
  kept: number;
  pruneProblem?: string;
}

/** `db-etcd-1f3a90c2-20260131T000000Z.db`: what comes before the time says whose it is. */
const ownName = /^(.+)-\d{8}T\d{6}Z\.db$/;

const stemOf = (name: string): string | undefined => ownName.exec(name)?.[1];

/** Newer data is not what pushes older data out where that was further: which of both is the right one, a person knows. */
function wentBack(ours: readonly Entry[], {name, revision}: PruneOptions): string | undefined {
  const further = ours.filter(({record}) => (record?.revision ?? 0) > revision);
  const [first] = further;
  if (first === undefined) return undefined;
  const more = further.length === 1 ? '' : ` (and ${further.length - 1} more)`;
  return `snapshot ${first.object.name}${more} of this cluster is at revision ${first.record?.revision ?? 0}, and ${name} only at ${revision}: its data went back in between. Nothing is taken away. If the data of now is the right one, move what is at a higher revision out of the store`;
}

/**
 * Takes away what is not kept any more, the snapshot before its record: a start that is killed in between leaves a small file, which no list
 * has. Only what has a record of this resource and this cluster goes, and uploads that a writer of this very resource has not finished. What
 * is whole and has no record may be a person's copy: it is never taken away.
 */
export async function prune(store: SnapshotStore, options: PruneOptions): Promise<Pruned> {
  const {name, cluster, owner, keepLast, keepFor, now} = options;
  const removed: string[] = [];
  let kept = 0;
  try {
    const stem = stemOf(name);
    const isOurs = (other: string): boolean => owner !== undefined && stem !== undefined && stemOf(other.replace(/\.json$/, '')) === stem;
    await store.clean(isOurs);
    const entries = await entriesOf(store);
    const ours = entries.filter(({record}) => owner !== undefined && record?.owner === owner && record.clusterID === cluster);
    kept = ours.length;
    const problem = wentBack(ours, options);
    if (problem !== undefined) return {removed, kept, pruneProblem: problem};
    const isOver = ({object, takenAt}: Entry, at: number): boolean => object.name !== name
      && ((keepLast !== undefined && at >= keepLast) || (keepFor !== undefined && now - takenAt > keepFor * 1000));
    for (const {object} of ours.filter(isOver)) {
      await store.remove(object.name);
      await store.remove(recordOf(object.name));
      removed.push(object.name);
      kept -= 1;
    }
    const [unreadable] = entries.filter((entry) => entry.unreadable !== undefined && isOurs(entry.object.name));
    if (unreadable === undefined) return {removed, kept};
    return {removed, kept, pruneProblem: `the record of snapshot ${unreadable.object.name} cannot be read, so it stays: ${unreadable.unreadable ?? ''}`};
  } catch (error) {
    if (!(error instanceof Refusal) && errorCode(error) === undefined) throw error;
    return {removed, kept, pruneProblem: (error as Error).message};
  }
}
