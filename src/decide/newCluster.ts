import type {Run} from '../api/types.ts';
import {clusterIDOfNew, memberIDOfNew} from '../etcd/ids.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {clusterText, peerOf} from './steps/joinPod.ts';

/*
 * A new cluster is started on all claims at once (RestoreSnapshot, and every strategy whose behaviour says startsAnew). Its token is the
 * run's own, so that its cluster ID and its member IDs are none that any process of the old cluster knows: nothing old can talk to it.
 */

export type NewCluster = NonNullable<Run['newCluster']>;

/** `--initial-cluster-token` of the run. */
export const tokenOf = (run: Pick<Run, 'id'>): string => `quorumrecovery-${run.id}`;

const urlsOf = ({launch}: OrdinalView): readonly string[] => (isLaunch(launch) ? launch.initialAdvertisePeerURLs : []);

export const newMemberID = (run: Pick<Run, 'id'>, view: OrdinalView): string => memberIDOfNew(urlsOf(view), tokenOf(run));

export const newClusterID = (run: Pick<Run, 'id'>, views: readonly OrdinalView[]): string => clusterIDOfNew(views.map((view) => newMemberID(run, view)));

/** `--initial-cluster` of the run. */
export const initialCluster = (views: readonly OrdinalView[]): string => clusterText(views.map(peerOf));

/** The ordinals of a run's new cluster, as far as the set has them. */
export function viewsOf({ordinals}: Pick<Observation, 'ordinals'>, pods: readonly string[]): OrdinalView[] {
  return ordinals.filter(({pod}) => pods.includes(pod));
}
