import {databaseOwner} from '../../api/strategies.ts';
import {marks} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {describePlace} from '../../observe/places.ts';
import type {Decision} from '../decision.ts';
import {recordOf} from './membership.ts';
import {endOf, hasLeft} from './processes.ts';

/*
 * The volume of a survivor whose own database is restored goes with its node before the new cluster of that one member has served. It is the only
 * volume that the run has changed by then: names are held, and the data of the others is set aside later. So nothing is left that could not be let go, and another
 * database, or a snapshot, is planned with. What the new cluster may have been told meanwhile was on that volume alone.
 */

/** Why the new cluster does not come any more: the node of its only volume is proven gone, with all that ran there; undefined: it may, or it has served. */
export function ownerGone(observation: Observation): string | undefined {
  const {run} = observation.status;
  const owner = databaseOwner(run?.plan);
  const view = observation.ordinals.find(({pod}) => pod === owner);
  // A claim that is missing, or a network volume, proves nothing: what is on it may come back.
  if (view?.data?.place.at !== 'GoneNode' || run?.newCluster === undefined || run.newCluster.servedAt !== undefined) return undefined;
  const record = recordOf(observation, view.pod);
  const pods = [view.object, ...observation.helpers.filter(({metadata}) => metadata?.annotations?.[marks.pod] === owner)].filter((pod) => pod !== undefined);
  if (!hasLeft(observation, record) || !pods.every((pod) => 'fenced' in endOf(observation, pod, record))) return undefined;
  return `the database of ${view.pod} was to be restored, and it is lost before the new cluster has served: ${describePlace(view.data.place)}`;
}

/** Everything is let go, and another plan made, which asks for approval anew; undefined: the new cluster may come. `started`: its etcd may have run. */
export function withoutOwner(observation: Observation, started: boolean): Decision | undefined {
  const gone = ownerGone(observation);
  if (gone === undefined) return undefined;
  const {run, members = []} = observation.status;
  const owner = databaseOwner(run?.plan);
  const reached = run?.newCluster?.move?.target ?? 0;
  const known = members.find(({pod}) => pod === owner);
  // A client that reached it goes on from there: the next plan moves the revision past that.
  if (started && known !== undefined && (known.lostRevision ?? 0) < reached) {
    return {kind: 'record', why: `${gone}; clients may have seen it at revision ${reached}`, record: (draft) => {
      draft.members = draft.members?.map((member) => (member.pod === owner ? {...member, lostRevision: reached} : member));
    }};
  }
  return {kind: 'abort', reason: 'PlanChanged', message: `${gone}. No other disk was changed: every held pod is let go, and a new plan is made from what is left, which asks for approval again`};
}
