import {isPlanning} from '../api/progress.ts';
import type {Plan} from '../api/types.ts';
import type {Observation} from '../observe/observation.ts';
import {isRestart} from './restart.ts';
import {plannedSpecHash, setSpecHash} from './plans/plan.ts';
import {isCommitted} from './steps/committed.ts';
import {behaviourIn, behaviourOf} from './strategies.ts';

/** What a person did in the middle of a run. */
export interface Interruption {
  reason: 'Deleted' | 'Paused' | 'SpecChanged' | 'SetChanged';
  message: string;
}

/** Whether a person has to approve this plan: one that gives up a cluster which serves, or that starts anew, is never carried out without. */
export const needsApproval = ({spec}: Observation, {givenUp, strategy}: Plan): boolean => spec.approval === 'Required' || givenUp !== undefined || behaviourOf(strategy).alwaysAsks;

/** Whether the plan as it stands may be carried out. */
export const isApproved = (observation: Observation, plan: Plan): boolean => !needsApproval(observation, plan) || observation.spec.approvedPlan === plan.hash;

/** The set is not there, or goes, or its namespace does. */
export const setIsGoing = ({set, namespaceGoing}: Pick<Observation, 'set' | 'namespaceGoing'>): boolean =>
  namespaceGoing || set === undefined || set.metadata?.deletionTimestamp !== undefined;

/** What became of the StatefulSet that the plan was made for; undefined: it is as it was. */
function setChange({set, spec, status: {run}}: Observation): string | undefined {
  const plan = run?.plan;
  const name = `StatefulSet ${spec.target.statefulSet}`;
  if (plan === undefined) return undefined;
  if (set === undefined || set.metadata?.deletionTimestamp !== undefined) return `${name} was deleted`;
  if (set.metadata?.uid !== plan.setUID) return `${name} was deleted and made anew`;
  if (plan.setSpecHash === '' || plan.setSpecHash === setSpecHash(set)) return undefined;
  return `the spec of ${name} was changed (it was scaled, or its template is another one)`;
}

function interruption(observation: Observation): Interruption | undefined {
  const {resource, spec, specProblem, status: {run}} = observation;
  if (resource.metadata.deletionTimestamp !== undefined) return {reason: 'Deleted', message: 'the QuorumRecovery was deleted'};
  if (observation.namespaceGoing) return {reason: 'Deleted', message: 'the namespace was deleted'};
  if (spec.paused) return {reason: 'Paused', message: 'spec.paused is set'};
  if (specProblem !== undefined) return {reason: 'SpecChanged', message: `the spec cannot be used any more (${specProblem})`};
  // While the plan is made or asked about, it is made anew from the spec as it is.
  if (run?.plan === undefined || isPlanning(run)) return undefined;
  if (run.plan.specHash !== plannedSpecHash(spec, run.plan.strategy)) return {reason: 'SpecChanged', message: 'the spec that the plan was made for was changed'};
  if (!isApproved(observation, run.plan)) return {reason: 'SpecChanged', message: `spec.approvedPlan does not carry the hash of the plan (${run.plan.hash})`};
  const changed = setChange(observation);
  return changed === undefined ? undefined : {reason: 'SetChanged', message: changed};
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
  const {reason, message} = asked;
  const {committed, uncommitted} = behaviourIn(run) ?? behaviourOf('ForceNewCluster');
  if (isCommitted(observation)) {
    const how = reason === 'SetChanged' ? 'it goes on with the set as it is' : 'this run is finished first';
    return {goesOn: `${message} after the ${committed}: ${observation.specProblem === undefined ? how : `${how}, with the spec as it was`}`};
  }
  const again = reason === 'SpecChanged' || reason === 'SetChanged' ? ', and a new run begins' : '';
  if (isRestart(run)) return {ends: {reason, message: `${message}: pods that were stopped are made again, and no other is touched${again}`}};
  return {ends: {reason, message: `${message} before ${uncommitted}: every held pod is let go${again}`}};
}

/** Runs that ended without a force, for a reason that another run does not have. */
const passing: readonly string[] = ['Paused', 'SpecChanged', 'SetChanged', 'PlanChanged'];

/** Such a run leaves its request open. */
export const leftOpen = ({status: {run}}: Pick<Observation, 'status'>): boolean =>
  run?.outcome === 'Released' && passing.includes(run.aborted?.reason ?? '');
