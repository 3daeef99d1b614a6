import type {DependentRecord, Plan, Run} from '../api/types.ts';
import type {DependentView} from '../kubernetes/dependents.ts';
import {countOf, nameOfDependent, specInWords, stopperOf} from '../kubernetes/dependents.ts';
import type {Observation} from '../observe/observation.ts';
import type {Action, Decision} from './decision.ts';
import {blocked, stalled, wait} from './decision.ts';

/** Something is stopped around the surgery. */
export const asksToStop = ({spec}: Pick<Observation, 'spec'>): boolean => (spec.dependents ?? []).length > 0;

const viewsOf = ({spec, dependents}: Observation): DependentView[] =>
  (spec.dependents ?? []).map(({kind, name}) => dependents.find((view) => view.kind === kind && view.name === name) ?? {kind, name, object: undefined, pods: []});

/** Why no plan can be made with these dependents; undefined: each is there, and may be looked at. */
export function dependentRefusal(observation: Observation): Decision | undefined {
  // The run began with this very look, before which nobody asked for them.
  if (asksToStop(observation) && observation.dependents.length === 0) return wait('looking at what spec.dependents names', 10);
  const namespace = observation.resource.metadata.namespace ?? 'default';
  for (const view of viewsOf(observation)) {
    const {kind, name, object, problem} = view;
    if (problem !== undefined) return blocked('DependentRefused', `spec.dependents names ${nameOfDependent(view)}, and the operator may not look at it: ${problem}. Give its ClusterRole the rights of the chart, or take it out of spec.dependents. Nothing was touched`);
    if (object === undefined) return stalled('DependentNotFound', `spec.dependents names ${nameOfDependent(view)}, and there is no ${kind} ${name} in namespace ${namespace}: correct the name, or take it out of spec.dependents. Nothing was touched`);
  }
  return undefined;
}

/** Each of them is stopped as a dry run, so that a right that is missing, or a policy, speaks before anything is touched. */
export const triedDependents = (observation: Observation): Action[] => (asksToStop(observation) ? [{type: 'TryDependents', dependents: viewsOf(observation)}] : []);

/** What a person approves to be stopped; nothing where the spec names nothing. */
export function plannedDependents(observation: Observation): Pick<Plan, 'dependents'> {
  if (!asksToStop(observation)) return {};
  return {dependents: viewsOf(observation).map((view) => ({kind: view.kind, name: view.name, has: specInWords(view)}))};
}

export const viewOfRecord = ({dependents}: Observation, {kind, name}: DependentRecord): DependentView | undefined =>
  dependents.find((view) => view.kind === kind && view.name === name);

/** It was seen Ready again, or given up. */
export const isSettled = ({state, readyAt, message}: DependentRecord): boolean => state === 'Returned' && (readyAt !== undefined || message !== undefined);

/** Whether something is still to be written so that it has again what it had: only what this run has taken is given back. */
export function isOwed(run: Pick<Run, 'id'>, record: DependentRecord, view: DependentView | undefined): boolean {
  if (record.state === 'Returned' || view?.object === undefined || view.object.metadata?.uid !== record.uid) return false;
  if (view.kind === 'DaemonSet') return stopperOf(view) === run.id;
  return countOf(view) === 0 && (record.replicas ?? 0) > 0;
}

export const giveBack = (dependent: DependentView, {replicas}: DependentRecord): Action => ({type: 'ReturnDependent', dependent, replicas});

/** What is owed by a resource that is going with its set. In a namespace that is going nothing can run again. */
export function owedBack(observation: Observation): Action[] {
  const {status: {run}, namespaceGoing} = observation;
  if (run === undefined || namespaceGoing) return [];
  return (run.dependents ?? []).flatMap((record): Action[] => {
    const view = viewOfRecord(observation, record);
    return view !== undefined && isOwed(run, record, view) ? [giveBack(view, record)] : [];
  });
}

/** Why what is owed by a resource that is going cannot be given back yet; empty: nothing is in the way. Nobody would bring it back after it. */
export function unseenOwed({status: {run}, dependents, namespaceGoing}: Observation): string {
  if (run === undefined || namespaceGoing) return '';
  return dependents.filter(({kind, name, problem}) => problem !== undefined && run.dependents?.some((record) => record.kind === kind && record.name === name && record.state !== 'Returned'))
    .map((view) => `the operator may not look at ${nameOfDependent(view)}, which the run has stopped: ${view.problem ?? ''}`).join('; ');
}

/** What it has back, or had, in words. */
export function heldInWords({kind, name, replicas}: Pick<DependentRecord, 'kind' | 'name' | 'replicas'>): string {
  return `${kind} ${name}${replicas === undefined ? '' : ` (${replicas} replica${replicas === 1 ? '' : 's'})`}`;
}

/** Of a run that has ended: those whose return was not as it should be. */
export const dependentsInWords = ({dependents = []}: Run): string =>
  dependents.flatMap((record) => (record.message === undefined ? [] : [`; ${heldInWords(record)}: ${record.message}`])).join('');
