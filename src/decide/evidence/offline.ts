import type {OfflineFacts} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';

/** What the run's agent has read of a pod's disk last; undefined: it has not looked at it. */
export const offlineOf = ({status: {run}}: Pick<Observation, 'status'>, pod: string | undefined): OfflineFacts | undefined => run?.offline?.find((facts) => facts.pod === pod);
