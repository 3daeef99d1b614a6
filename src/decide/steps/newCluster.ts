import {databaseOwner} from '../../api/strategies.ts';
import type {Run, StepRecord} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked} from '../decision.ts';
import {firstCount, inOrder} from '../evidence/firstMembers.ts';
import type {NewCluster} from '../newCluster.ts';
import {newClusterID, viewsOf} from '../newCluster.ts';
import {joinStep, podOfJoinStep, tiedFirst} from '../plans/plan.ts';
import {nodesSeen, waitsForProof} from './defer.ts';
import {recordJoin, runIn} from './common.ts';
import {guardStart} from './guard.ts';

/**
 * Asked before the first change that cannot be taken back, and right before it: the same as before a force. A claim that was made anew meanwhile
 * says nothing of the old data, so that who is back is asked only before.
 */
export const guardNewCluster = (observation: Observation): Decision | undefined =>
  guardStart(observation, runIn(observation).newCluster?.begunAt !== undefined);

/** Why a member cannot be among the first; undefined: nothing is known to speak against it. */
function notYet(observation: Observation, view: OrdinalView): {reason: string; message: string} | undefined {
  if (!isLaunch(view.launch)) return {reason: 'PodRefused', message: view.launch.message};
  const waitsFor = waitsForProof(observation, view);
  if (waitsFor !== undefined) return {reason: 'FencingUnproven', message: `${view.pod} stays held: ${waitsFor}`};
  const silent = [view.data, view.wal].find((claim) => claim?.place.at === 'NotReadyNode');
  return silent === undefined ? undefined : {reason: 'NodeNotReady', message: `${view.pod} stays held: claim ${silent.name} is on a node that is not Ready`};
}

interface LeftOut {
  pod: string;
  reason: string;
  message: string;
}

/** These members begin the new cluster; the others join it later as learners, by a step of their own: at once those that could have begun too. */
function recordMembers(observation: Observation, attempt: number, members: readonly OrdinalView[], without: readonly LeftOut[]): Transaction {
  const clusterID = newClusterID(runIn(observation), members);
  const begin = members.map(({pod}) => pod);
  const later = observation.ordinals.filter(({pod}) => !begin.includes(pod) && !without.some((one) => one.pod === pod)).sort(tiedFirst);
  return (draft) => {
    const {run} = draft;
    if (run === undefined) return;
    run.newCluster = {...run.newCluster, attempt, members: begin, clusterID, seeded: []};
    run.steps = run.steps.filter(({name}) => !begin.includes(podOfJoinStep(name) ?? ''));
    for (const {pod} of later) addJoinStep(run, {name: joinStep(pod), state: 'Pending'});
    for (const {pod, reason, message} of without) {
      recordJoin(pod, {deferred: {reason, message, nodes: nodesSeen(observation)}})(draft);
      run.steps = run.steps.filter(({name, state}) => name !== joinStep(pod) || state !== 'Pending');
      // A volume that was too small is looked at again some time after this.
      addJoinStep(run, {name: joinStep(pod), state: 'Deferred', finishedAt: new Date(observation.now).toISOString(), message});
    }
    if (run.plan) run.plan.steps = run.steps.map(({name}) => name);
  };
}

/** A member that does not begin with the others joins them, before the dependents come back. */
export function addJoinStep(run: Run, step: StepRecord): void {
  if (run.steps.some(({name}) => name === step.name)) return;
  const at = run.steps.findIndex(({name}) => name === 'ReturnDependents' || name === 'RestartProof' || name === 'Verify');
  run.steps.splice(at < 0 ? run.steps.length : at, 0, step);
  if (run.plan) run.plan.steps = run.steps.map(({name}) => name);
}

const notAble = (observation: Observation): LeftOut[] => observation.ordinals.flatMap((view) => {
  const why = notYet(observation, view);
  return why === undefined ? [] : [{pod: view.pod, ...why}];
});

/** Who begins: all that can, or as many as a plan that names some wants, those first. */
function beginners(observation: Observation, without: readonly LeftOut[]): OrdinalView[] {
  const {first} = runIn(observation).plan ?? {};
  const able = observation.ordinals.filter(({pod}) => !without.some((one) => one.pod === pod));
  if (first === undefined) return able;
  const chosen = inOrder(able, first).slice(0, firstCount).map(({pod}) => pod);
  return able.filter(({pod}) => chosen.includes(pod));
}

/** Settles who begins the new cluster, before anything is made for it; undefined: that is settled. */
export function settleMembers(observation: Observation): Decision | undefined {
  if (runIn(observation).newCluster !== undefined) return undefined;
  const owner = databaseOwner(runIn(observation).plan);
  const without = notAble(observation).filter(({pod}) => owner === undefined || pod === owner);
  const members = beginners(observation, without).filter(({pod}) => owner === undefined || pod === owner);
  if (members.length === 0) return blocked('RestoreFailed', `no member can begin the new cluster: ${without.map(({message}) => message).join('; ')}. Nothing was set aside and every name is held; the run goes on once one can`);
  return {kind: 'record', why: `the new cluster begins with ${members.map(({pod}) => pod).join(', ')}`, record: recordMembers(observation, 1, members, without)};
}

/**
 * A member that has no place, or no room, is left out: the others begin without it, as another cluster, because the list is part of what
 * they are made of. Only before any data is in place. Where not all begin, another one takes its turn.
 */
export function leaveOut(observation: Observation, out: LeftOut): Decision {
  const run = runIn(observation);
  const {newCluster} = run;
  const others = (run.joins ?? []).flatMap(({pod, deferred}) => (deferred === undefined ? [] : [{pod, ...deferred}]));
  const left = run.plan?.first === undefined ? viewsOf(observation, newCluster?.members ?? []).filter(({pod}) => pod !== out.pod)
    : beginners(observation, [...others, out, ...notAble(observation)]);
  if (newCluster === undefined || left.length === 0 || newCluster.seeded.length > 0) {
    return blocked('RestoreFailed', `${out.message}. Every name is held and all old data is kept; the run goes on once ${out.pod} has a place`);
  }
  return {kind: 'record', why: `the new cluster begins without ${out.pod}: ${out.message}`, record: recordMembers(observation, newCluster.attempt + 1, left, [...others, out])};
}

/** From here on the run is finished, whatever comes: written before any data is set aside or any claim replaced. */
export const beginNewCluster = (observation: Observation): Transaction => (draft) => {
  if (draft.run?.newCluster) draft.run.newCluster.begunAt ??= new Date(observation.now).toISOString();
};

export function newClusterOf(observation: Observation): NewCluster {
  const {newCluster} = runIn(observation);
  if (newCluster === undefined) throw new Error('the members of the new cluster are not settled');
  return newCluster;
}
