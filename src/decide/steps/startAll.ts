import {databaseOwner} from '../../api/strategies.ts';
import {marks} from '../../api/types.ts';
import {firstMemberPod} from '../../kubernetes/helperPods.ts';
import {isGated, isTerminating, ownPod, runOf} from '../../kubernetes/ownPods.ts';
import {restoreStep} from '../../kubernetes/restorePod.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Action, Decision} from '../decision.ts';
import {act, blocked, together, wait} from '../decision.ts';
import {initialCluster, newMemberID, tokenOf, viewsOf} from '../newCluster.ts';
import {withoutOwner} from '../evidence/ownerGone.ts';
import {isOverdue} from '../trouble.ts';
import {takeAway} from './agents.ts';
import {helperOf, runIn, sourceOf} from './common.ts';
import {replaceClaims} from './joinClaims.ts';
import {begunWith, holdLostOnes, isUp, namesIn, partLost, removeLostOnes} from './lostFirst.ts';
import type {Parted} from './lostFirst.ts';
import {unschedulable} from './defer.ts';
import {beginNewCluster, guardNewCluster, leaveOut, newClusterOf, settleMembers} from './newCluster.ts';
import {replaceEnded} from './stop.ts';

function causeOf(observation: Observation, {object}: OrdinalView): string {
  const node = object?.spec?.nodeName;
  const cause = podCause(object) ?? (node === undefined || isOnReadyNode(observation, object) ? undefined : `node ${node} is not Ready`);
  return cause === undefined ? '' : ` (${cause})`;
}

const causesIn = (observation: Observation, views: readonly OrdinalView[]): string => views.map((view) => `${view.pod}${causeOf(observation, view)}`).join(', ');

/** What is waited for too long is said, with what is there: nothing is let go any more. */
function unlessOverdue(observation: Observation, step: string, decision: Decision, down: readonly OrdinalView[] = []): Decision {
  if (decision.kind !== 'wait' || !isOverdue(observation, step)) return decision;
  const alone = databaseOwner(runIn(observation).plan) !== undefined;
  const forGood = down.length === 0 ? '' : alone ? '. If its volume is lost for good with its node: delete the Node object once the machine is off, or taint it node.kubernetes.io/out-of-service; then everything is let go, and a new plan is made from what is left' : `. One that is gone for good is replaced through a quorum of the others: delete its Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service, or name it in spec.lostMembers (${namesIn(observation, down)})`;
  return blocked('NewClusterNotServing', `after ${observation.spec.verification.timeout}: ${decision.why}. The old data is kept on its volumes (.quorumrecovery/${runIn(observation).id}); look at these pods. The run goes on by itself once they run${forGood}`);
}

/** Every member that is not lost has to be there, and a quorum to accept a write, before anybody else is told of the new cluster. */
function serves(observation: Observation, step: string, parted: Parted, canaries: boolean): Decision {
  const views = parted.others;
  const down = views.filter((view) => !isUp(observation, view));
  if (down.length > 0) return unlessOverdue(observation, step, wait(`${causesIn(observation, down)} of the new cluster is coming up`), down);
  const removed = removeLostOnes(observation, parted);
  if (removed) return removed;
  return {
    kind: 'act', completes: true, why: `the new cluster of ${views.map(({pod}) => pod).join(', ')} has to accept a write`,
    actions: [{type: 'ProveNewCluster', pods: views.map(({pod}) => pod), canaries, step}],
  };
}

/** Starts all members of the new cluster at once from the unchanged template, on data that is there: etcd ignores the initial flags then. */
export function startAll(observation: Observation): Decision {
  const over = withoutOwner(observation, true);
  if (over) return over;
  const parted = partLost(observation);
  const holding = holdLostOnes(observation, parted);
  if (holding !== undefined && holding.kind !== 'wait') return holding;
  const views = parted.others;
  const todo: {actions: Action[]; waits: string[]} = {actions: [], waits: []};
  for (const {pod} of views) {
    const helper = helperOf(observation, restoreStep, pod);
    if (helper) takeAway(observation, helper, todo);
  }
  if (todo.actions.length > 0) return act('the restored data is in place', ...todo.actions);
  if (todo.waits.length > 0) return unlessOverdue(observation, 'StartAll', wait(todo.waits.join('; '), 100));
  const run = runIn(observation);
  for (const view of views) {
    const old = view.object === undefined ? undefined : replaceEnded(observation, view);
    if (old) return unlessOverdue(observation, 'StartAll', old);
  }
  const gated = views.flatMap(({object}) => (object !== undefined && isGated(object) && runOf(object) === run.id ? [object] : []));
  const gone = views.filter(({object}) => object === undefined);
  if (gated.length + gone.length > 0) {
    return {
      // Their names stay held until the new cluster serves: on a claim that is lost meanwhile the template would start empty.
      kind: 'act', why: `starting ${[...gated.map(({metadata}) => metadata?.name ?? ''), ...gone.map(({pod}) => pod)].join(', ')} from the unchanged template`,
      actions: [...gated.map((pod): Action => ({type: 'UngatePod', pod})), ...gone.map((view): Action => ({type: 'CreatePod', pod: ownPod(sourceOf(observation, view), run.id, false)}))],
    };
  }
  return holding ?? serves(observation, 'StartAll', parted, true);
}

const isFirstMember = (observation: Observation, {object}: OrdinalView, cluster: string): boolean =>
  object !== undefined && !isTerminating(object) && runOf(object) === runIn(observation).id && object.metadata?.annotations?.[marks.cluster] === cluster;

/**
 * The same on empty directories: own pods with the launch overlay, whose agent sets aside what is there in its turn, and lets etcd start. The
 * turn is given to all at once, when all have a node and an address.
 */
export function startEmpty(observation: Observation): Decision {
  const settled = settleMembers(observation);
  if (settled) return settled;
  const {members, begunAt, seeded} = newClusterOf(observation);
  const loose = seeded.length > 0 ? undefined : guardNewCluster(observation);
  if (loose) return loose;
  if (begunAt === undefined) return {kind: 'record', why: 'from here on the run is finished, whatever comes: old data is set aside, and a new cluster begins', record: beginNewCluster(observation)};
  const parted = seeded.length > 0 ? partLost(observation) : {lost: [], others: viewsOf(observation, members)};
  const holding = seeded.length > 0 ? holdLostOnes(observation, parted) : undefined;
  if (holding !== undefined && holding.kind !== 'wait') return holding;
  const views = parted.others;
  const placed = (seeded.length > 0 ? undefined : holdLeftOut(observation)) ?? place(observation, views);
  if (placed) return unlessOverdue(observation, 'StartEmpty', placed);
  const run = runIn(observation);
  const waiting = views.filter((view) => view.object?.metadata?.annotations?.[marks.turn] === undefined);
  if (waiting.length > 0) {
    return {
      kind: 'act', why: `the new cluster begins with ${members.join(', ')} on empty directories`,
      record: (draft) => { if (draft.run?.newCluster) draft.run.newCluster.seeded = [...members]; },
      actions: waiting.map((view): Action => ({type: 'GiveTurn', pod: view.object ?? {}, turn: newMemberID(run, view)})),
    };
  }
  return holding ?? serves(observation, 'StartEmpty', parted, false);
}

/** The pods of members that were left out: each would take a node, and choose one for its claim, that a member which begins may need. */
function holdLeftOut(observation: Observation): Decision | undefined {
  const run = runIn(observation);
  const begun = begunWith(observation).map(({pod}) => pod);
  const strays = observation.ordinals.filter(({pod, object}) => !begun.includes(pod) && object !== undefined && !isTerminating(object)
    && runOf(object) === run.id && object.metadata?.annotations?.[marks.cluster] !== undefined);
  if (strays.length === 0) return undefined;
  return act(`holding ${strays.map(({pod}) => pod).join(', ')}, which ${strays.length === 1 ? 'joins' : 'join'} later`, ...strays.map((view): Action => {
    const pod = view.object ?? {};
    return pod.spec?.nodeName === undefined ? {type: 'ReplacePod', pod, by: ownPod(sourceOf(observation, view), run.id, true)} : {type: 'DeletePod', pod};
  }));
}

/** Puts the own pods of the first members in the place of the gated ones; undefined: all are there, each with a node and an address. */
function place(observation: Observation, views: readonly OrdinalView[]): Decision | undefined {
  const run = runIn(observation);
  const cluster = initialCluster(begunWith(observation));
  const {seeded} = newClusterOf(observation);
  const actions: Action[] = [];
  const waits: string[] = [];
  const anew: Decision[] = [];
  for (const view of views) {
    const {object, pod} = view;
    if (isFirstMember(observation, view, cluster)) {
      if (object !== undefined && unschedulable(observation, object)) return leaveOut(observation, {pod, reason: 'Unschedulable', message: `no node takes ${pod}: ${podCause(object) ?? ''}`});
      if (object?.status?.podIP === undefined) waits.push(`the pod of ${causesIn(observation, [view])} is coming up`);
      continue;
    }
    const old = object === undefined ? undefined : replaceEnded(observation, view);
    if (old) return old;
    if (object !== undefined && isTerminating(object)) {
      waits.push(`the earlier pod ${pod} is going`);
      continue;
    }
    // Once it may have started it has that disk alone.
    const claims = seeded.includes(pod) ? undefined : replaceClaims(observation, view);
    if (claims) {
      anew.push(claims);
      continue;
    }
    const made = firstMemberPod({observation, view, source: sourceOf(observation, view), run: run.id, cluster, token: tokenOf(run)});
    if ('problem' in made) return blocked('PodRefused', made.problem);
    if (object === undefined) actions.push({type: 'CreatePod', pod: made.pod});
    else actions.push(isGated(object) ? {type: 'ReplacePod', pod: object, by: made.pod} : {type: 'DeletePod', pod: object});
  }
  const claims = together(anew);
  if (claims) return claims;
  if (actions.length > 0) return act(`making the pods of ${views.map(({pod}) => pod).join(', ')}, which wait for their turn`, ...actions);
  return waits.length > 0 ? wait(waits.join('; '), 150) : undefined;
}
