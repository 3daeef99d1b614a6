import {inFlight} from '../../api/progress.ts';
import type {QuorumRecoveryStatus} from '../../api/types.ts';
import type {MemberStatus} from '../../etcd/types.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import {durationMs} from '../durations.ts';
import {isToBeMoved} from './leadership.ts';
import {renewServed} from './served.ts';
import {isSuperseded, isWhole, wentBack} from './witness.ts';

/*
 * A cluster that a full look found whole is calm until anything speaks against it (docs/adr/0027). Of a calm cluster one member in turn is
 * asked, and a watch on one of them tells of a lost leader. Nothing is decided of a calm cluster but whether it still is one.
 */

/** Why the cluster of this look is looked at in full again soon; undefined: it may be calm, if the watch on a member of it is open. */
export function unrest(observation: Observation): string | undefined {
  const {status, spec, resource, ordinals, specProblem, now} = observation;
  const {run, suspicion, automatic, heldPods = [], lastHealthy} = status;
  if (spec.trigger.type !== 'OnQuorumLoss') return 'it is not watched';
  if (resource.metadata.deletionTimestamp !== undefined) return 'its resource goes';
  if (specProblem !== undefined) return 'its spec is not a good one';
  if (inFlight(run) !== undefined) return 'a run is in flight';
  if (run?.finishedAt !== undefined && now - Date.parse(run.finishedAt) < durationMs(spec.trigger.cooldown)) return 'a run has just ended';
  if (heldPods.length > 0) return 'names are held';
  if (suspicion !== undefined || automatic !== undefined) return 'its quorum was lost';
  if (wentBack(status, observation)) return 'its data went back';
  if (status.findings?.some((finding) => finding.case !== 'ServiceAstray') === true) return 'something is wrong with it';
  if (isToBeMoved(status)) return 'its leadership is to be moved';
  if (!isWhole(observation)) return 'it is not whole';
  if (lastHealthy === undefined || isSuperseded(status)) return 'there is no witness of it as it is';
  const restless = ordinals.find((view) => !isLaunch(view.launch) || view.object?.metadata?.deletionTimestamp !== undefined || !isOnReadyNode(observation, view.object));
  if (restless !== undefined) return `${restless.pod} is about to end, or its node is not heard of`;
  const answers = ordinals.flatMap(({probe}) => (probe.kind === 'Answered' ? [probe.status] : []));
  const [first] = answers;
  if (answers.some(({leader, clusterID}) => leader !== first?.leader || clusterID !== first.clusterID)) return 'its members do not agree';
  if (answers.some(({errors}) => errors.length > 0)) return 'a member complains';
  return undefined;
}

/** What a calm member says that does not go on from its last answer; undefined: it is as it was. */
export function disturbance(before: MemberStatus, now: MemberStatus): string | undefined {
  if (now.memberID !== before.memberID || now.clusterID !== before.clusterID) return 'another member answers, or of another cluster';
  if (now.leader === '') return 'it has no leader';
  if (now.leader !== before.leader) return 'the leader changed';
  if (now.raftTerm !== before.raftTerm) return 'the term changed';
  if (now.revision < before.revision) return 'its revision went back';
  if (now.raftIndex < before.raftIndex || now.raftAppliedIndex < before.raftAppliedIndex) return 'its raft index went back';
  if (now.isLearner) return 'it is a learner';
  if (now.errors.length > 0) return 'it complains';
  return undefined;
}

/** Another member's answer of a while ago has more than this one now: it is behind, and by more than the time between two asks. */
export const isLeftBehind = (now: MemberStatus, others: readonly MemberStatus[]): boolean => others.some(({raftIndex}) => raftIndex > now.raftAppliedIndex);

/** How old the witness's numbers may be before they are renewed from a calm cluster's answers, ms. */
const renewAfterMs = 60_000;

/** An answer of a pod's member. */
export interface Answer {
  pod: string;
  status: MemberStatus;
}

/** Whether the numbers of the witness are old. */
export const wantsRenewal = ({lastHealthy}: QuorumRecoveryStatus, now: number): boolean =>
  lastHealthy !== undefined && now - Date.parse(lastHealthy.observedAt) >= renewAfterMs;

/** Renews numbers alone: who is witnessed, and of which cluster, stays as a full look saw it. `answers`: the last one of each member. */
export function renewNumbers(draft: QuorumRecoveryStatus, answers: readonly Answer[], now: number): void {
  const {lastHealthy} = draft;
  if (lastHealthy === undefined || answers.length === 0) return;
  const highest = (of: (status: MemberStatus) => number, least: number): number => Math.max(least, ...answers.map(({status}) => of(status)));
  draft.lastHealthy = {
    ...lastHealthy, observedAt: new Date(now).toISOString(),
    revision: highest(({revision}) => revision, lastHealthy.revision), raftIndex: highest(({raftIndex}) => raftIndex, lastHealthy.raftIndex),
    raftTerm: highest(({raftTerm}) => raftTerm, lastHealthy.raftTerm),
  };
  draft.members = draft.members?.map((member) => {
    const status = answers.find(({pod}) => pod === member.pod)?.status;
    return status === undefined || status.memberID !== member.memberID ? member
      : {...member, raftTerm: status.raftTerm, raftIndex: status.raftIndex, revision: status.revision};
  });
  renewServed(draft, draft.lastHealthy.revision, now);
}
