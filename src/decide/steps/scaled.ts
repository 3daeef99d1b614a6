import type {Run} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {isLaunch} from '../../observe/observation.ts';
import {ownPod, runOf} from '../../kubernetes/ownPods.ts';
import type {Decision} from '../decision.ts';
import {act, done} from '../decision.ts';
import {joinStep, podOfJoinStep} from '../plans/plan.ts';
import {joinOf, memberIDOf, recordJoin, runIn, sourceOf, survivorOf} from './common.ts';
import {isCommitted} from './committed.ts';
import {stopDecision, stopOne} from './stop.ts';
import type {Todo} from './stop.ts';

/** An ordinal that the run knows of: the survivor's, a member's of the old cluster, or one that has a join; and that has not gone since. */
function isKnown(observation: Observation, pod: string): boolean {
  const run = runIn(observation);
  if (pod === run.plan?.survivor) return true;
  if (joinOf(run, pod)?.gone === true) return false;
  return memberIDOf(observation, pod) !== undefined || run.newCluster?.members.includes(pod) === true || run.steps.some((step) => podOfJoinStep(step.name) === pod);
}

/** The joins of ordinals that came; what was verified without them is verified again. */
function addJoins(run: Run, pods: readonly string[]): void {
  const names = pods.map(joinStep);
  const kept = run.steps.filter((step) => !names.includes(step.name));
  const at = kept.findIndex(({name}) => name === 'RestartProof' || name === 'Verify');
  const before = at < 0 ? kept.length : at;
  run.steps = [...kept.slice(0, before), ...names.map((name) => ({name, state: 'Pending' as const})), ...kept.slice(before).map((step) =>
    (step.name === 'Verify' || step.name === 'Release' ? {name: step.name, state: 'Pending' as const} : step))];
  if (run.plan) run.plan.steps = run.steps.map(({name}) => name);
}

/** The list of the new cluster, as its survivor says it now; undefined: it was not asked, and others can be in it. */
function isMember(observation: Observation, view: OrdinalView): boolean | undefined {
  // Before the survivor's own pod serves, nobody can have added anyone.
  if (runIn(observation).steps.some(({name, state}) => (name === 'StartSurvivor' || name === 'StartAll' || name === 'StartEmpty') && state !== 'Done')) return false;
  const {probe} = survivorOf(observation);
  if (probe.kind !== 'Answered' || !isLaunch(view.launch)) return undefined;
  const {initialAdvertisePeerURLs: urls} = view.launch;
  return probe.members.some((member) => !member.isLearner && member.peerURLs.some((url) => urls.includes(url)));
}

/**
 * The set was scaled up after the force: pods of new ordinals would start with the template's own `new` on an empty directory, and two of
 * them could elect a cluster of their own (invariant 7). Their names are held at once, what the controller has made already is stopped,
 * and they join as learners like the others.
 */
export function holdAdded(observation: Observation): Decision | undefined {
  if (!isCommitted(observation)) return undefined;
  const run = runIn(observation);
  const added = observation.ordinals.map(({pod}) => pod).filter((pod) => !isKnown(observation, pod));
  if (added.length > 0) {
    return {kind: 'record', why: `the StatefulSet was scaled up during the run: holding ${added.join(', ')}, which join like the others`, record: (draft) => {
      draft.heldPods = [...new Set([...(draft.heldPods ?? []), ...added])];
      if (draft.run) addJoins(draft.run, added);
      for (const pod of added) recordJoin(pod, {added: true, gone: false})(draft);
    }};
  }
  const todo: Todo = {actions: [], records: [], waits: []};
  for (const view of observation.ordinals) {
    const {state} = run.steps.find((step) => step.name === joinStep(view.pod)) ?? {};
    if (joinOf(run, view.pod)?.added !== true || state === 'Done' || state === 'Deferred') continue;
    if (isMember(observation, view) !== false) continue;
    if (view.object === undefined) todo.actions.push({type: 'CreatePod', pod: ownPod(sourceOf(observation, view), run.id, true)});
    else if (runOf(view.object) !== run.id) stopOne(observation, view, todo);
  }
  const decision = stopDecision(todo);
  return decision?.kind === 'wait' ? undefined : decision;
}

/** The set was scaled down after the force, and this ordinal has no pod any more: its learner goes, a voter is its administrator's to remove. */
export function joinOfGone(observation: Observation, pod: string): Decision {
  const survivor = survivorOf(observation);
  const memberID = joinOf(runIn(observation), pod)?.memberID;
  const listed = survivor.probe.kind === 'Answered' ? survivor.probe.members.find((member) => member.id === memberID) : undefined;
  if (listed?.isLearner === true) return act(`${pod} is no pod of the StatefulSet any more: its learner is taken out again`, {type: 'RemoveMember', via: survivor.pod, memberID: listed.id, pod});
  return done(`${pod} is no pod of the StatefulSet any more`, (draft) => {
    draft.heldPods = (draft.heldPods ?? []).filter((name) => name !== pod);
    recordJoin(pod, {gone: true})(draft);
    for (const join of draft.run?.joins ?? []) if (join.pod === pod) delete join.deferred;
  });
}
