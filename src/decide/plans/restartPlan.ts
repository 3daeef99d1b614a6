import {approveStep} from '../../api/progress.ts';
import type {Plan, Run} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {highestRevision} from '../evidence/loss.ts';
import {canonicalMemberships, fatesOf, plannedSpecHash, setSpecHash, sha256} from './plan.ts';
import {forcesRefusal, versionOf} from './preflight.ts';
import type {Restart} from '../restart.ts';
import {etcdRuns} from '../restart.ts';
import {viewOf} from '../steps/common.ts';

/** The plan, with a hash over what a person approves: which pods, from which revision, and the membership. */
function makePlan(observation: Observation, restart: Restart, through: string): Plan {
  const {set, spec, templates, ordinals, status} = observation;
  const {restarts, intact, voters, memberships} = restart;
  const setUID = set?.metadata?.uid ?? '';
  const revisions = restarts.map(({pod}) => templates?.of(viewOf(observation, pod).ordinal).revision ?? '');
  return {
    hash: sha256({strategy: 'Restart', restarts: restarts.map(({pod, podUID, rollout}) => ({pod, podUID, rollout})), revisions, memberships: canonicalMemberships(memberships), setUID}),
    strategy: 'Restart', survivor: through, candidates: intact,
    why: `${intact.length} of ${voters} voters still have their data (${intact.join(', ')}), and Kubernetes does not start these pods by itself: ${restarts.map(({pod, why}) => `${pod}: ${why}`).join('; ')}`,
    ranks: [], lowest: {term: 0, index: 0}, lost: [],
    claims: fatesOf(ordinals, () => 'it is kept as it is'),
    expectedLoss: `none: nothing is forced, no disk is changed, and a quorum of members goes on from its own data (revision ${highestRevision(status)} or later)`,
    restarts, steps: ['Plan', ...(spec.approval === 'Required' ? [approveStep] : []), 'Restart', 'Verify', 'Release'],
    notes: restarts.some(({rollout}) => rollout === true) ? ['pods that get another revision are restarted one after the other, each once the etcd in the one before runs'] : [],
    specHash: plannedSpecHash(spec, 'Restart'), setUID, setSpecHash: set ? setSpecHash(set) : '', revision: revisions[0] ?? '',
  };
}

/** A plan to bring pods up again, or why there is none. `identityOf`: what a member's data says the cluster is. */
export function proposeRestart(observation: Observation, restart: Restart, identityOf: (pod: string) => Run['identity']): {proposal: {plan: Plan; identity: NonNullable<Run['identity']>}} | {refusal: Decision} {
  const refusal = forcesRefusal(observation.ordinals);
  if (refusal) return {refusal: blocked(refusal.reason, refusal.message)};
  const through = restart.intact.find((pod) => etcdRuns(viewOf(observation, pod))) ?? restart.intact[0] ?? '';
  const told = restart.intact.map(identityOf).find((identity) => identity !== undefined);
  const [first] = restart.memberships;
  if (told === undefined && first?.clusterID === undefined) return {refusal: blocked('ClusterUnknown', 'the membership cannot be read from the data that is intact')};
  const identity = told ?? {
    clusterID: first?.clusterID ?? '', version: versionOf(viewOf(observation, through)), source: first?.source ?? '',
    members: (first?.voters ?? []).map(({memberID, pod}) => ({id: memberID, ...(pod !== undefined && {name: pod}), peerURLs: []})),
  };
  return {proposal: {plan: makePlan(observation, restart, through), identity}};
}
