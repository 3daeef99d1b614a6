import type {OfflineFacts} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Assessment} from '../assess.ts';
import {assess} from '../assess.ts';
import {takenByItsPod} from '../beside.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked, stalled, wait} from '../decision.ts';
import {knownLoss} from '../loss.ts';
import {trialPods} from '../preflight.ts';
import {propose} from '../proposal.ts';
import type {Proposal} from '../proposal.ts';
import {without} from './agents.ts';
import {runIn, viewOf} from './common.ts';
import {inspectDisks} from './inspect.ts';
import {plannedSnapshots} from './snapshot.ts';

type Lost = Extract<Assessment, {kind: 'lost'}>;

/** Writes a proposal into the run: what was done before stays done. */
export const recordProposal = (observation: Observation, lost: Lost, {plan, identity}: Proposal): Transaction => (draft) => {
  if (!draft.run) return;
  const {run} = draft;
  run.plan = plan;
  run.identity = identity;
  run.snapshots = plannedSnapshots(observation, plan);
  run.steps = plan.steps.map((name) => run.steps.find((step) => step.name === name) ?? {name, state: 'Pending'});
  const members = draft.members ?? [];
  draft.members = observation.ordinals.map(({pod}) => {
    const known = members.find((member) => member.pod === pod) ?? {pod, role: 'Unknown' as const, health: 'Unknown' as const};
    const memberID = lost.memberships[0]?.voters.find((voter) => voter.pod === pod)?.memberID;
    const unseen = known.memberID === undefined && memberID !== undefined;
    return unseen ? {...known, memberID, role: 'Voter' as const} : known;
  });
  draft.dataLoss = knownLoss(draft, plan.ranks.find((candidate) => candidate.pod === plan.survivor)?.revision);
};

function planFor(observation: Observation, lost: Lost): Decision {
  const proposed = propose(observation, lost);
  if ('refusal' in proposed) return readAgain(observation) ?? proposed.refusal;
  const {plan} = proposed.proposal;
  const view = viewOf(observation, plan.survivor);
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods: trialPods(observation, view, runIn(observation).id)}], completes: true,
    why: `plan: force ${plan.survivor}; ${plan.why}`, record: recordProposal(observation, lost, proposed.proposal),
  };
}

/** Disks that nobody has read yet, and where a person is asked all of them: what an etcd says of itself is not what its disk holds. */
function readCandidates(observation: Observation, lost: Lost): Decision | undefined {
  const asks = observation.spec.approval === 'Required';
  const read = observation.status.run?.offline ?? [];
  const unread = lost.candidates.filter(({from}) => asks || from === 'unread').map(({pod}) => pod)
    .filter((pod) => !read.some((facts) => facts.pod === pod) && !takenByItsPod(viewOf(observation, pod)));
  return unread.length > 0 ? inspectDisks(observation, unread, 'Planning') : undefined;
}

/** Planning: looks, assesses, and either says why nothing is done or writes the plan. Touches nothing but its own read-only agents. */
export function plan(observation: Observation): Decision {
  // A run has the volumes for itself.
  const pruning = without(observation, observation.pruners, 'what earlier runs kept stays for now');
  if (pruning) return pruning;
  const assessment = assess(observation);
  switch (assessment.kind) {
    case 'stalled': return stalled(assessment.reason, assessment.message);
    case 'unsure': return wait(assessment.message, 500);
    // Agents that were still reading when the cluster came back are not left behind.
    case 'not-needed': return without(observation, observation.helpers, 'the disks need not be read any more') ?? {kind: 'not-needed', message: assessment.message};
    case 'inspect': return inspectDisks(observation, assessment.pods, 'Planning') ?? wait(assessment.message);
    case 'blocked': return settleAgents(observation) ?? readAgain(observation) ?? blocked(assessment.reason, assessment.message);
    case 'lost': return readCandidates(observation, assessment) ?? settleAgents(observation) ?? planFor(observation, assessment);
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
