import {isPlanning} from '../api/progress.ts';
import type {Plan} from '../api/types.ts';
import type {Observation} from '../observe/observation.ts';
import {plannedSpecHash} from './plan.ts';
import {forceMayHaveBegun} from './steps/forceHelper.ts';

/** What a person did in the middle of a run. */
export interface Interruption {
  reason: 'Deleted' | 'Paused' | 'SpecChanged';
  message: string;
}

/** Whether the plan as it stands may be carried out. */
export const isApproved = ({spec}: Observation, plan: Plan): boolean => spec.approval !== 'Required' || spec.approvedPlan === plan.hash;

function interruption(observation: Observation): Interruption | undefined {
  const {resource, spec, status: {run}} = observation;
  if (resource.metadata.deletionTimestamp !== undefined) return {reason: 'Deleted', message: 'the QuorumRecovery was deleted'};
  if (spec.paused) return {reason: 'Paused', message: 'spec.paused is set'};
  // While the plan is made or asked about, it is made anew from the spec as it is.
  if (run?.plan === undefined || isPlanning(run)) return undefined;
  if (run.plan.specHash !== plannedSpecHash(spec)) return {reason: 'SpecChanged', message: 'the spec that the plan was made for was changed'};
  if (!isApproved(observation, run.plan)) return {reason: 'SpecChanged', message: `spec.approvedPlan does not carry the hash of the plan (${run.plan.hash})`};
  return undefined;
}

/**
 * What becomes of a run that a person interrupts. Before the force everything is put back as it was; once the old cluster is gone for good,
 * only the end of the run makes a whole one: it is finished first, and that is said.
 */
export function interrupted(observation: Observation): {ends: Interruption} | {goesOn: string} | undefined {
  const {run} = observation.status;
  if (run === undefined || run.finishedAt !== undefined) return undefined;
  const asked = interruption(observation);
  if (asked === undefined) return undefined;
  if (forceMayHaveBegun(observation)) return {goesOn: `${asked.message} after the force had begun: this run is finished first`};
  return {ends: {reason: asked.reason, message: `${asked.message} before anything was forced: every held pod is let go${asked.reason === 'SpecChanged' ? ', and a new run begins' : ''}`}};
}

/** Runs that ended without a force, for a reason that another run does not have. */
const passing: readonly string[] = ['Paused', 'SpecChanged', 'PlanChanged'];

/** Such a run leaves its request open. */
export const leftOpen = ({status: {run}}: Pick<Observation, 'status'>): boolean =>
  run?.outcome === 'Released' && passing.includes(run.aborted?.reason ?? '');
