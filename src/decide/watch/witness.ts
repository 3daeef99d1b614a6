import type {QuorumRecoveryStatus, Witness} from '../../api/types.ts';
import {isServing, statusOf} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {MemberStatus} from '../../etcd/types.ts';

const isReplacedSince = ({run}: QuorumRecoveryStatus, seen: string | undefined): boolean =>
  seen !== undefined && [run?.force?.endedAt, run?.newCluster?.servedAt].some((at) => at !== undefined && at > seen);

/** A run of this resource has put another cluster in the place of the one that the witness saw. */
export const isSuperseded = (status: QuorumRecoveryStatus): boolean => isReplacedSince(status, status.lastHealthy?.observedAt);

/** The same of what served last. */
export const isServedSuperseded = (status: QuorumRecoveryStatus): boolean => isReplacedSince(status, status.lastServed?.at);

/** What the members that answer say. */
export const statusesOf = ({ordinals}: Pick<Observation, 'ordinals'>): MemberStatus[] =>
  ordinals.map(statusOf).filter((status) => status !== undefined);

/** Every member answers as a voter with a leader, and a quorum serves. */
export function isWhole(observation: Observation): boolean {
  const statuses = statusesOf(observation);
  return observation.linearizable && statuses.length > 0 && statuses.length === observation.ordinals.length
    && statuses.every(isServing);
}

export interface Regression {
  message: string;
  /** Those that serve it, with the claims that they run on. */
  members: {pod: string; claimUID: string}[];
}

const highest = (statuses: readonly MemberStatus[], of: (status: MemberStatus) => number): number => Math.max(...statuses.map(of));

/**
 * A quorum serves, and its data ends before what the witness saw: not the old cluster going on, but e.g. an empty one that wiped members
 * elected under the same cluster ID (docs/concepts/data.md). Only members that a linearizable read confirms are heard.
 */
export function regression(observation: Observation): Regression | undefined {
  const {status, linearizable} = observation;
  const {lastHealthy: witness} = status;
  const statuses = statusesOf(observation).filter(({leader}) => leader !== '');
  if (!linearizable || witness === undefined || isSuperseded(status)) return undefined;
  // The leader itself: a follower may only be behind.
  if (!statuses.some(({memberID, leader}) => memberID === leader)) return undefined;
  const revision = highest(statuses, (one) => one.revision);
  const raftIndex = highest(statuses, (one) => one.raftIndex);
  const another = statuses.every(({clusterID}) => clusterID !== witness.clusterID);
  if (revision >= witness.revision && (another || raftIndex >= witness.raftIndex)) return undefined;
  const members = observation.ordinals.flatMap(({pod, probe, data}) => {
    const claimUID = data?.object?.metadata?.uid;
    return probe.kind === 'Answered' && probe.status.leader !== '' && claimUID !== undefined ? [{pod, claimUID}] : [];
  });
  return {members, message: `${inWords(witness, {revision, raftIndex, another})}. ${whereOldDataMayBe(observation)} Nothing is done by itself. Stop the writers, and keep every volume until you know which data is right. If the present data is: delete this QuorumRecovery and make it again. If the old data is: name its member in spec.survivor and ask for a run (spec.trigger.request); its plan is told first, and carried out only once you approve it`};
}

/** Its data went back, now or before, and that is not settled: nothing of it is a witness. */
export const wentBack = ({regression: before}: QuorumRecoveryStatus, observation: Observation): boolean => before !== undefined || regression(observation) !== undefined;

function inWords(witness: Witness, {revision, raftIndex, another}: {revision: number; raftIndex: number; another: boolean}): string {
  const now = another ? `a cluster of another ID serves at revision ${revision}` : `a quorum serves at revision ${revision}, raft index ${raftIndex}`;
  return `${now}; at ${witness.observedAt} the cluster was whole at revision ${witness.revision}, raft index ${witness.raftIndex}: the data went back`;
}

/** Members that are not part of what serves, and whose volumes are the ones that the witness saw, or have no pod now. */
function whereOldDataMayBe({ordinals, status}: Observation): string {
  const witnessed = status.lastHealthy?.members ?? [];
  const apart = ordinals.filter(({pod, probe, data}) => {
    const known = witnessed.find((member) => member.pod === pod);
    const serves = probe.kind === 'Answered' && probe.status.leader !== '';
    return !serves && known?.claimUID !== undefined && known.claimUID === data?.object?.metadata?.uid;
  });
  const away = witnessed.filter(({pod}) => !ordinals.some((view) => view.pod === pod));
  const places = [
    ...apart.map(({pod, data}) => `claim ${data?.name ?? ''} of ${pod}`),
    ...away.map(({pod, volume}) => `volume ${volume ?? '(unknown)'} of ${pod}, which the StatefulSet has no pod for now (scale it up again)`),
  ];
  if (places.length === 0) return 'No member outside of it has a volume that the witness knows: look at copies and snapshots.';
  return `The old data may still be on ${places.join(', ')}.`;
}
