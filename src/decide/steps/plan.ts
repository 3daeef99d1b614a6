import type {OfflineFacts, Plan} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Assessment} from '../assess.ts';
import {assess} from '../assess.ts';
import {takenByItsPod} from '../evidence/beside.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked, stalled, wait} from '../decision.ts';
import {triedDependents} from '../dependents.ts';
import {fallBack} from '../plans/fallBack.ts';
import {highestRevision, knownLoss} from '../evidence/loss.ts';
import {quorumOf} from '../evidence/membership.ts';
import {asksApproval, canonical} from '../plans/plan.ts';
import {settleRegression} from '../evidence/regressed.ts';
import {joinerTrials, newClusterTrials, ownTrials, trialPods} from '../plans/preflight.ts';
import {propose} from '../plans/proposal.ts';
import type {Proposal} from '../plans/proposal.ts';
import type {Replacement} from '../replace.ts';
import {keptRevision} from '../plans/replacePlan.ts';
import type {Restart} from '../restart.ts';
import {rebuilds} from '../plans/rebuildPlan.ts';
import {restores} from '../plans/restorePlan.ts';
import {behaviourOf} from '../strategies.ts';
import {without} from './agents.ts';
import {runIn, viewOf} from './common.ts';
import {inspectDisks} from './inspect.ts';
import {readDumps} from './readDumps.ts';
import {readStore} from './readStore.ts';
import {plannedSnapshots} from './snapshot.ts';

type Lost = Extract<Assessment, {kind: 'lost'}>;

/** Revision that a new cluster starts from; undefined: that of no data. */
const startRevision = ({strategy, snapshot, ranks, survivor}: Plan): number | undefined =>
  (behaviourOf(strategy).startsAnew ? snapshot?.revision : ranks.find(({pod}) => pod === survivor)?.revision);

/** Writes a proposal into the run: what was done before stays done. */
export const recordProposal = (observation: Observation, needed: Lost | Replacement | Restart, {plan, identity}: Proposal): Transaction => (draft) => {
  if (!draft.run) return;
  const {run} = draft;
  run.plan = plan;
  if (identity === undefined) delete run.identity;
  else run.identity = identity;
  run.snapshots = needed.kind !== 'lost' ? [] : plannedSnapshots(observation, plan);
  run.steps = plan.steps.map((name) => run.steps.find((step) => step.name === name) ?? {name, state: 'Pending'});
  const members = draft.members ?? [];
  const ofSet = observation.ordinals.map(({pod}) => {
    const known = members.find((member) => member.pod === pod) ?? {pod, role: 'Unknown' as const, health: 'Unknown' as const};
    const memberID = needed.memberships[0]?.voters.find((voter) => voter.pod === pod)?.memberID;
    const unseen = known.memberID === undefined && memberID !== undefined;
    return unseen ? {...known, memberID, role: 'Voter' as const} : known;
  });
  draft.members = [...ofSet, ...members.filter((member) => !ofSet.some(({pod}) => pod === member.pod))];
  // Once it has been stopped nothing tells any more whose data went back.
  if (plan.givenUp !== undefined) settleRegression(draft, observation);
  draft.dataLoss = knownLoss(draft, needed.kind === 'replace' ? keptRevision(observation, needed) : needed.kind === 'restart' ? highestRevision(draft) : startRevision(plan));
};

function planReplacement(observation: Observation, needed: Replacement): Decision {
  const proposed = propose(observation, needed);
  if ('refusal' in proposed) return proposed.refusal;
  const {plan} = proposed.proposal;
  const pods = needed.lost.flatMap(({pod}) => joinerTrials(observation, viewOf(observation, pod), runIn(observation).id));
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods}], completes: true,
    why: `plan: replace ${needed.lost.map(({pod}) => pod).join(', ')}; ${plan.why}`, record: recordProposal(observation, needed, proposed.proposal),
  };
}

/** How long pods have to stand as they are before they are restarted, ms: their controller, or a person, may be about to bring them up. */
const settledMs = 10_000;

function planRestart(observation: Observation, found: Restart): Decision {
  const {stuck = []} = runIn(observation);
  const at = new Date(observation.now).toISOString();
  const known = (pod: string, podUID: string | undefined) => stuck.find((one) => one.pod === pod && one.podUID === podUID);
  const seen = found.restarts.map(({pod, podUID}) => known(pod, podUID) ?? {pod, ...(podUID !== undefined && {podUID}), since: at});
  // One in a crash loop runs for a moment between two back-offs: it stands as it did. Several of them would hardly ever be in one at the same time.
  const between = stuck.filter(({pod, podUID}) => !found.restarts.some((one) => one.pod === pod) && podUID !== undefined
    && observation.ordinals.some((view) => view.pod === pod && view.object?.metadata?.uid === podUID));
  const now = [...seen, ...between].sort((a, b) => a.pod.localeCompare(b.pod));
  const why = `${found.restarts.map(({pod}) => pod).join(', ')} can be started again: waiting whether Kubernetes does so`;
  if (canonical(now) !== canonical(stuck)) return {kind: 'record', why, record: (draft) => { if (draft.run) draft.run.stuck = now; }};
  const restarts = found.restarts.filter(({pod, podUID}) => observation.now - Date.parse(known(pod, podUID)?.since ?? at) >= settledMs);
  if (restarts.length === 0 || restarts.length + found.running < quorumOf(found.voters)) return wait(why, 1_000);
  const needed = {...found, restarts};
  const pods = restarts.map(({pod}) => pod);
  const proposed = propose(observation, needed);
  if ('refusal' in proposed) return proposed.refusal;
  const {plan} = proposed.proposal;
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods: ownTrials(observation, pods.map((pod) => viewOf(observation, pod)))}], completes: true,
    why: `plan: start ${pods.join(', ')} again; ${plan.why}`, record: recordProposal(observation, needed, proposed.proposal),
  };
}

/** A new cluster on all claims: the pods that do not exist yet are tried for every member. */
function planAnew(observation: Observation, lost: Lost): Decision {
  const proposed = propose(observation, lost);
  if ('refusal' in proposed) return readAgain(observation) ?? proposed.refusal;
  const {plan} = proposed.proposal;
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods: newClusterTrials(observation, runIn(observation).id, plan.survivor)}, ...triedDependents(observation)], completes: true,
    why: `plan: ${plan.why}`, record: recordProposal(observation, lost, proposed.proposal),
  };
}

/** From the best that is left: a member's data, a snapshot, what stands outside etcd. */
function planLost(observation: Observation, lost: Lost): Decision {
  if (fallBack(observation, lost)) return planAnew(observation, lost);
  if (restores(observation, lost)) return readStore(observation) ?? planAnew(observation, lost);
  return rebuilds(observation, lost) ? readDumps(observation) ?? planAnew(observation, lost) : planFor(observation, lost);
}

function planFor(observation: Observation, lost: Lost): Decision {
  const proposed = propose(observation, lost);
  if ('refusal' in proposed) return readAgain(observation) ?? proposed.refusal;
  const {plan} = proposed.proposal;
  const view = viewOf(observation, plan.survivor);
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods: trialPods(observation, view, runIn(observation).id)}, ...triedDependents(observation)], completes: true,
    why: `plan: force ${plan.survivor}; ${plan.why}`, record: recordProposal(observation, lost, proposed.proposal),
  };
}

/** Disks that nobody has read yet, and where a person is asked all of them: what an etcd says of itself is not what its disk holds. */
function readCandidates(observation: Observation, lost: Lost): Decision | undefined {
  const asks = asksApproval(observation) || fallBack(observation, lost) !== undefined;
  const read = observation.status.run?.offline ?? [];
  const unread = lost.candidates.filter(({from}) => asks || from === 'unread').map(({pod}) => pod)
    .filter((pod) => !read.some((facts) => facts.pod === pod) && !takenByItsPod(viewOf(observation, pod)));
  return unread.length > 0 ? inspectDisks(observation, unread, 'Planning') : undefined;
}

/** Planning: looks, assesses, and either says why nothing is done or writes the plan. Touches nothing but its own read-only agents. */
export function plan(observation: Observation): Decision {
  // A run has the volumes for itself, and the store: a pod that saves may hold its claim on another node than that of a pod that restores.
  const aside = without(observation, observation.pruners, 'what earlier runs kept stays for now') ?? without(observation, observation.savers, 'the snapshot that is being taken is given up for the run');
  if (aside) return aside;
  const assessment = assess(observation);
  switch (assessment.kind) {
    case 'stalled': return stalled(assessment.reason, assessment.message);
    case 'unsure': return wait(assessment.message, 500);
    // Agents that were still reading when the cluster came back are not left behind.
    case 'not-needed': return without(observation, observation.helpers, 'the disks need not be read any more') ?? {kind: 'not-needed', message: assessment.message};
    case 'inspect': return inspectDisks(observation, assessment.pods, 'Planning') ?? wait(assessment.message);
    case 'blocked': return settleAgents(observation) ?? readAgain(observation) ?? blocked(assessment.reason, assessment.message);
    case 'replace': return settleAgents(observation) ?? planReplacement(observation, assessment);
    case 'restart': return settleAgents(observation) ?? planRestart(observation, assessment);
    case 'lost': return readCandidates(observation, assessment) ?? settleAgents(observation) ?? planLost(observation, assessment);
  }
}

/** How long what was read from a disk is believed while a run stands blocked, ms: someone may be mending it. */
const believedMs = 120_000;

function readAgain(observation: Observation): Decision | undefined {
  const old = (facts: OfflineFacts) => observation.now - Date.parse(facts.readAt ?? observation.resource.metadata.creationTimestamp?.toString() ?? '') > believedMs;
  if (!(observation.status.run?.offline ?? []).some(old)) return undefined;
  return {kind: 'record', why: 'reading the disks again', record: (draft) => {
    if (draft.run) draft.run.offline = (draft.run.offline ?? []).filter((facts) => !old(facts));
  }};
}

/** Agents of the inspection are gone before the plan stands. */
function settleAgents(observation: Observation): Decision | undefined {
  const inspected = (observation.status.run?.offline ?? []).filter((facts) => facts.stage === 'Planning').map((facts) => facts.pod);
  return inspected.length > 0 ? inspectDisks(observation, inspected, 'Planning') : undefined;
}
