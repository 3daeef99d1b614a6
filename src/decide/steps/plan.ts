import type {OfflineFacts, Run} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Assessment} from '../assess.ts';
import {assess} from '../assess.ts';
import type {Action, Decision} from '../decision.ts';
import {act, blocked, stalled, wait} from '../decision.ts';
import {makePlan} from '../plan.ts';
import {alarmNotes, hookNotes, preflight, storageNotes, trialPods, versionOf} from '../preflight.ts';
import {runIn, viewOf} from './common.ts';
import {inspectDisks} from './inspect.ts';

/** What the survivor's data says the cluster is: its own answer first, then its disk. */
function identityOf(observation: Observation, pod: string): Run['identity'] {
  const view = viewOf(observation, pod);
  const version = versionOf(view);
  if (view.probe.kind === 'Answered' || view.probe.kind === 'PeerOnly') {
    const members = view.probe.members.map(({id, name, peerURLs, isLearner}) => ({id, name, peerURLs, isLearner}));
    return {clusterID: view.probe.clusterID, version, members, source: `member list of ${pod}`};
  }
  const facts = observation.status.run?.offline?.find((candidate) => candidate.pod === pod);
  if (!facts?.members || facts.clusterID === undefined) return undefined;
  return {clusterID: facts.clusterID, version, members: facts.members, source: `disk of ${pod}`};
}

function planFor(observation: Observation, lost: Extract<Assessment, {kind: 'lost'}>): Decision {
  const {spec} = observation;
  const named = spec.survivor?.pod;
  const survivor = named === undefined ? lost.candidates[0] : lost.candidates.find((candidate) => candidate.pod === named);
  if (survivor === undefined) {
    const left = lost.candidates.map((candidate) => candidate.pod).join(', ') || 'none';
    if (named !== undefined) return blocked('SurvivorNotEligible', `spec.survivor: ${named} has no data within reach. Candidates: ${left}`);
    return blocked('NoSurvivor', 'no voter has data within reach: there is nothing to force. Restore a snapshot');
  }
  const unsafe = unstoppable(lost);
  if (unsafe) return unsafe;
  const view = viewOf(observation, survivor.pod);
  const refusal = preflight(observation, view);
  if (refusal) return blocked(refusal.reason, refusal.message);
  const identity = identityOf(observation, survivor.pod);
  if (identity === undefined) return blocked('ClusterUnknown', `the membership cannot be read from the data of ${survivor.pod}`);
  const plan = makePlan(observation, lost, survivor, [...hookNotes(observation), ...alarmNotes(view), ...storageNotes(observation, survivor.pod)]);
  return {
    kind: 'act', actions: [{type: 'DryRunPods', pods: trialPods(observation, view, runIn(observation).id)}], completes: true,
    why: `plan: force ${survivor.pod}; ${plan.why}`,
    record: (draft) => {
      if (!draft.run) return;
      draft.run.plan = plan;
      draft.run.identity = identity;
      draft.run.steps = plan.steps.map((name) => draft.run?.steps.find((step) => step.name === name) ?? {name, state: 'Pending'});
      const members = draft.members ?? [];
      draft.members = observation.ordinals.map(({pod}) => {
        const known = members.find((member) => member.pod === pod) ?? {pod, role: 'Unknown' as const, health: 'Unknown' as const};
        const memberID = lost.memberships[0]?.voters.find((voter) => voter.pod === pod)?.memberID;
        const unseen = known.memberID === undefined && memberID !== undefined;
        return unseen ? {...known, memberID, role: 'Voter' as const} : known;
      });
      const lastKnown = draft.lastHealthy?.revision;
      draft.dataLoss = {survivorRevision: survivor.revision, ...(lastKnown !== undefined && {lastKnownRevision: lastKnown})};
    },
  };
}

/** Data that a process may still run on, which nobody can stop or prove ended, is nothing to start from; a person's word does not do for it. */
function unstoppable({candidates, fencing}: Extract<Assessment, {kind: 'lost'}>): Decision | undefined {
  for (const {pod, memberID} of candidates) {
    const verdict = fencing.processes.find((process) => process.pod === pod && process.memberID === memberID);
    if (verdict === undefined || verdict.stoppable || (verdict.proven !== undefined && verdict.proven.by !== 'LostMembers')) continue;
    return blocked('FencingUnproven', `${pod} has data to start from, and it is not proven that nothing runs on it any more: ${verdict.waitsFor ?? 'only spec.lostMembers says so'}`);
  }
  return undefined;
}

/** Planning: looks, assesses, and either says why nothing is done or writes the plan. Touches nothing but its own read-only agents. */
export function plan(observation: Observation): Decision {
  const assessment = assess(observation);
  switch (assessment.kind) {
    case 'stalled': return stalled(assessment.reason, assessment.message);
    case 'unsure': return wait(assessment.message, 500);
    case 'not-needed': return withoutAgents(observation) ?? {kind: 'not-needed', message: assessment.message};
    case 'inspect': return inspectDisks(observation, assessment.pods, 'Planning') ?? wait(assessment.message);
    case 'blocked': return settleAgents(observation) ?? readAgain(observation) ?? blocked(assessment.reason, assessment.message);
    case 'lost': return settleAgents(observation) ?? planFor(observation, assessment);
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

/** Agents that were still reading when the cluster came back are not left behind; one on a silent node goes when its node does. */
function withoutAgents(observation: Observation): Decision | undefined {
  const left = observation.helpers.filter((helper) => helper.metadata?.deletionTimestamp === undefined);
  if (left.length > 0) return act('the disks need not be read any more', ...left.map((pod): Action => ({type: 'DeletePod', pod})));
  const going = observation.helpers.some((helper) => observation.nodes.some((node) => node.name === helper.spec?.nodeName && node.ready));
  return going ? wait('volume agents are going', 200) : undefined;
}

/** Agents of the inspection are gone before the plan stands. */
function settleAgents(observation: Observation): Decision | undefined {
  const inspected = (observation.status.run?.offline ?? []).filter((facts) => facts.stage === 'Planning').map((facts) => facts.pod);
  return inspected.length > 0 ? inspectDisks(observation, inspected, 'Planning') : undefined;
}
