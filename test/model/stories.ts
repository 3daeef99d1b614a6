import type {Story} from './cluster.ts';
import {partition, phantom, quorum} from './etcd-story.ts';
import {force} from './force-story.ts';
import {nodes} from './nodes-story.ts';
import {objects} from './objects-story.ts';
import {pods} from './pods-story.ts';
import {held, sets} from './sets-story.ts';

/** All behaviours that the simulation's model and the lab are compared in. */
export const stories: readonly Story[] = [objects, sets, held, pods, nodes, quorum, phantom, partition, force];
