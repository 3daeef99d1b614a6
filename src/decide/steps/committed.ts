import type {Observation} from '../../observe/observation.ts';
import {ownerGone} from '../evidence/ownerGone.ts';
import {forceMayHaveBegun} from './forceHelper.ts';

/**
 * From here on a run is finished and nothing it holds is let go: the old cluster may have been given up for the new one, a member may have
 * been taken out of the list, or its data set aside, so that what is on its disk is no member's any more. A new cluster whose only volume is lost before it served is none.
 */
export const isCommitted = (observation: Observation): boolean => observation.status.run?.replace !== undefined || (observation.status.run?.newCluster?.begunAt !== undefined && ownerGone(observation) === undefined) || forceMayHaveBegun(observation);
