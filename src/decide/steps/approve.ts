import {databaseOwner, strategyWords} from '../../api/strategies.ts';
import type {Plan} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {assess} from '../assess.ts';
import type {Decision} from '../decision.ts';
import {isApproved, needsApproval} from '../interrupt.ts';
import {blocked, done, stalled, wait} from '../decision.ts';
import {plannedSpecHash, setSpecHash} from '../plans/plan.ts';
import {propose} from '../plans/proposal.ts';
import {standsAsPlanned} from '../restart.ts';
import {runIn} from './common.ts';
import {recordProposal} from './plan.ts';

/** How often the cluster is looked at while nobody has approved yet, ms. Pod and node events come at once. */
const askedMs = 5_000;

/** The command that approves a plan. */
export const howToApprove = ({resource: {metadata}}: Observation, {hash}: Plan): string =>
  `kubectl -n ${metadata.namespace ?? 'default'} patch qr ${metadata.name ?? ''} --type merge -p '{"spec":{"approval":"Required","approvedPlan":"${hash}"}}'`;

const inWords = (plan: Plan) => {
  const owner = databaseOwner(plan);
  return `${strategyWords(plan.strategy, owner).named(owner ?? plan.survivor)} (${plan.why}). Expected loss: ${plan.expectedLoss}`;
};

/** Waits for a person's word on this very plan. Nothing was touched, so the cluster is assessed anew all the time. */
export function approve(observation: Observation): Decision {
  const {plan} = runIn(observation);
  if (plan === undefined) return blocked('PlanChanged', 'the run has no plan');
  const assessment = assess(observation);
  const stands = standsAsPlanned(observation, plan) && (assessment.kind === 'restart' || (assessment.kind === 'blocked' && assessment.reason === 'QuorumOfDataIntact'));
  if (stands && isOfNow(observation, plan)) return answered(observation, plan);
  switch (assessment.kind) {
    case 'stalled': return stalled(assessment.reason, assessment.message);
    case 'unsure': return wait(assessment.message, 500);
    case 'not-needed': return {kind: 'not-needed', message: assessment.message};
    case 'blocked': return blocked(assessment.reason, assessment.message);
    case 'inspect': return replan(assessment.message);
    case 'lost': case 'replace': case 'restart': break;
  }
  const proposed = propose(observation, assessment, plan);
  if ('refusal' in proposed) return proposed.refusal;
  const fresh = proposed.proposal.plan;
  if (fresh.hash !== plan.hash || fresh.specHash !== plan.specHash || fresh.setSpecHash !== plan.setSpecHash) {
    const record = recordProposal(observation, assessment, proposed.proposal);
    return {kind: 'record', why: `the plan changed, and with it its hash: ${inWords(fresh)}`, record};
  }
  return answered(observation, plan);
}

/** The spec and the set are those that the plan was made for. */
const isOfNow = ({spec, set}: Observation, plan: Plan): boolean =>
  plannedSpecHash(spec, plan.strategy) === plan.specHash && set !== undefined && setSpecHash(set) === plan.setSpecHash && set.metadata?.uid === plan.setUID;

function answered(observation: Observation, plan: Plan): Decision {
  if (!isApproved(observation, plan)) return wait(`plan ${plan.hash}: ${inWords(plan)} To approve it: ${howToApprove(observation, plan)}`, askedMs);
  return done(needsApproval(observation, plan) ? `plan ${plan.hash} is approved` : 'no approval is asked for any more', (draft) => {
    if (draft.run) draft.run.approved = {hash: plan.hash, at: new Date(observation.now).toISOString()};
  });
}

/** A disk has to be read that was not read before: planning begins again. */
const replan = (why: string): Decision => ({kind: 'record', why, record: (draft) => {
  if (!draft.run) return;
  delete draft.run.plan;
  delete draft.run.identity;
  draft.run.steps = [{name: 'Plan', state: 'Running'}];
}});
