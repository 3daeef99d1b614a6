import {inFlight, isPlanning} from '../api/progress.ts';
import type {Run} from '../api/types.ts';

/** What is known of a resource and of who carries its run out. */
export interface CustodyFacts {
  run: Run | undefined;
  /** Namespace and name of this installation's Lease; undefined: it holds none, and no other one can know of it. */
  own: string | undefined;
  /** This installation serves the resource, by its namespace and its labels. */
  serves: boolean;
  /** The Lease that the run names is held by somebody. Asked only where it is another one's. */
  othersLease: 'Held' | 'Free';
}

export type Custody =
  /** It is ours to look at and to act on. */
  | 'Ours'
  /** It is ours from now on, which has to stand in the status before anything is done. */
  | 'Take'
  /** The run goes on here, though the resource is not served any more: pods are stopped already, and they must not stay so. */
  | 'Finish'
  /** Not served any more, and nothing was touched yet: whoever serves it goes on at once. */
  | 'LetGo'
  /** Another installation carries its run out. */
  | 'Theirs'
  | 'NotServed';

/**
 * Who acts on a resource. A run belongs to the installation that began it until it has ended, or until nobody holds that one's Lease: labels
 * of resources and namespaces can change at any moment, and two operators in one run are what a Lease is there to prevent.
 */
export function custody({run, own, serves, othersLease}: CustodyFacts): Custody {
  const current = inFlight(run);
  if (current === undefined) return serves ? 'Ours' : 'NotServed';
  if (own !== undefined && current.operator === own) {
    if (serves) return 'Ours';
    return isPlanning(current) ? 'LetGo' : 'Finish';
  }
  if (!serves) return 'NotServed';
  if (current.operator !== undefined && othersLease === 'Held') return 'Theirs';
  return own === undefined ? 'Ours' : 'Take';
}
