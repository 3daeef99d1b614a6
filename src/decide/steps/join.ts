import {marks} from '../../api/types.ts';
import type {ListedMember} from '../../etcd/types.ts';
import {agentReport} from '../../observe/agentReport.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Decision} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {durationMs} from '../durations.ts';
import {countVoters} from '../watch/records.ts';
import {isReplacement} from '../replace.ts';
import {forgetLearner, helperOf, joinOf, madeSinceHold, memberIDOf, recordJoin, runIn, survivorOf, viewOf} from './common.ts';
import {defer, isBack, unreadEnd, unschedulable, waitsForProof} from './defer.ts';
import {inspectDisks} from './inspect.ts';
import {replaceClaims} from './joinClaims.ts';
import {clusterText, peerOf, placePod} from './joinPod.ts';
import {replaceEnded} from './stop.ts';

function overdue(observation: Observation, pod: string): boolean {
  const step = runIn(observation).steps.find((candidate) => candidate.name === `Join ${pod}`);
  if (step?.startedAt === undefined) return false;
  return observation.now - Date.parse(step.startedAt) > durationMs(observation.spec.verification.timeout);
}

/** The member list that etcd will check this joiner against: that of the moment, with itself. A member that never published has no name in it. */
function clusterOf(observation: Observation, view: OrdinalView, members: readonly ListedMember[]): string {
  const own = peerOf(view);
  const isOwn = (member: ListedMember) => member.peerURLs.some((url) => own.peerURLs.includes(url));
  const nameOf = (member: ListedMember) =>
    observation.ordinals.map(peerOf).find((peer) => member.peerURLs.some((url) => peer.peerURLs.includes(url)))?.name ?? member.name;
  return clusterText([...members.filter((member) => !isOwn(member)).map((member) => ({name: nameOf(member), peerURLs: member.peerURLs})), own]);
}

/**
 * Joins one member, one after the other: claim, own pod with the launch overlay whose agent waits, MemberAdd as learner once the pod has its
 * address (a name that does not resolve yet would be remembered as missing by DNS for seconds), its turn, promotion.
 */
export function join(observation: Observation, pod: string): Decision {
  const view = viewOf(observation, pod);
  const survivor = survivorOf(observation);
  const unproven = proveEnd(observation, view);
  if (unproven) return unproven;
  const {probe} = survivor;
  if (listedAs(observation, view)?.isLearner === false) return joined(observation, view);
  // An old pod that was out of reach while the others were stopped, or that ended behind its fence, goes before its member joins anew.
  const retiring = view.object && replaceEnded(observation, view);
  if (retiring) return intruded(observation, view) && retiring.kind === 'wait' ? notHeld(view) : retiring;
  if (probe.kind !== 'Answered') return wait(`${survivor.pod} does not answer: ${probe.kind === 'NotAsked' ? probe.why : probe.message}`);
  if (!isLaunch(view.launch)) return blocked('PodRefused', view.launch.message);
  const {initialAdvertisePeerURLs: peerURLs} = view.launch;
  const member = listedAs(observation, view);
  const before = joinOf(runIn(observation), pod)?.memberID;
  // Who took it out was ended before that could be written.
  if (member === undefined && before !== undefined) return {kind: 'record', why: `learner ${before} (${pod}) is not in the list any more`, record: forgetLearner(pod, before)};
  if (overdue(observation, pod)) return defer(observation, view, 'JoinTimedOut', `${pod} did not join within ${observation.spec.verification.timeout}: ${podCause(view.object) ?? 'its etcd did not catch up'}. It stays held and is tried again when nodes change`, member);
  const claims = member === undefined ? replaceClaims(observation, view) : undefined;
  if (claims) return claims;
  const placed = placePod(observation, view, clusterOf(observation, view, probe.members));
  if (placed) return placed;
  const hopeless = cannotComeUp(observation, view, member);
  if (hopeless) return hopeless;
  return member === undefined ? enter(view, survivor.pod, peerURLs) : promote(view, survivor.pod, member);
}

/** What is done, or waited for, while nothing proves the end of the old member's last process; undefined: it is proven. */
function proveEnd(observation: Observation, view: OrdinalView): Decision | undefined {
  const {pod} = view;
  const waitsFor = waitsForProof(observation, view);
  if (waitsFor === undefined) return undefined;
  const reads = unreadEnd(observation, view) || helperOf(observation, 'InspectHeld', pod) !== undefined;
  const reading = reads ? inspectDisks(observation, [pod], 'Held') : undefined;
  if (reading) return reading;
  const stopping = isBack(observation, view) ? replaceEnded(observation, view) : undefined;
  return stopping ?? defer(observation, view, 'FencingUnproven', `${pod} stays held: ${waitsFor}`);
}

/** The controller made this pod while its name was held, in the moment in which a joiner was to take the place of the gated one: only the policy keeps it out then. Asked of pods that are none of the run's. */
const intruded = (observation: Observation, {object}: OrdinalView): boolean => madeSinceHold(observation, object?.metadata);

const notHeld = ({pod}: OrdinalView): Decision =>
  blocked('HoldNotEnforced', `the StatefulSet controller made pod ${pod} although its name is held: the admission policy does not deny it any more. The pod is stopped before its member joins. Bring policy and binding back (kubectl get validatingadmissionpolicybinding; install the chart again), and the run goes on by itself`);

/** The member of the new cluster with this pod's peer URL. One that was replaced had the same, and a list that is behind has it still. */
function listedAs(observation: Observation, {pod, launch}: OrdinalView): ListedMember | undefined {
  const {probe} = survivorOf(observation);
  if (probe.kind !== 'Answered' || !isLaunch(launch)) return undefined;
  const former = isReplacement(observation.status.run) ? memberIDOf(observation, pod) : undefined;
  return probe.members.find((candidate) => candidate.id !== former && candidate.peerURLs.some((url) => launch.initialAdvertisePeerURLs.includes(url)));
}

/** The joiner's pod has no place, or its volume has no room: the others go on without it for now. */
function cannotComeUp(observation: Observation, view: OrdinalView, member: ListedMember | undefined): Decision | undefined {
  const {object, pod} = view;
  if (object === undefined) return undefined;
  if (unschedulable(observation, object)) {
    return defer(observation, view, 'Unschedulable', `no node takes ${pod}: ${podCause(object) ?? ''}. It stays held and joins when a node is there`, member);
  }
  const report = agentReport(object);
  if (report?.ok !== false || report.reason !== 'NoSpace') return undefined;
  return defer(observation, view, 'NoSpace', `${pod} has no room for the data: ${report.message}. It stays held and is tried again every five minutes`, member);
}

const cause = ({object}: OrdinalView) => (podCause(object) ? ` (${podCause(object) ?? ''})` : '');

function enter(view: OrdinalView, via: string, peerURLs: string[]): Decision {
  if (view.object?.status?.podIP === undefined) return wait(`the pod of ${view.pod} is coming up${cause(view)}`, 150);
  return act(`adding ${view.pod} as learner`, {type: 'AddLearner', via, pod: view.pod, peerURLs});
}

function promote(view: OrdinalView, via: string, member: ListedMember): Decision {
  const {object, pod} = view;
  if (object && object.metadata?.annotations?.[marks.turn] !== member.id) {
    return act(`it is the turn of ${pod}, as learner ${member.id}`, {type: 'GiveTurn', pod: object, turn: member.id});
  }
  const agentDone = object?.status?.initContainerStatuses?.every((status) => status.state?.terminated?.exitCode === 0) ?? false;
  if (!agentDone) return wait(`${pod} is coming up as learner${cause(view)}`, 150);
  return act(`promoting ${pod}`, {type: 'PromoteLearner', via, memberID: member.id, pod});
}

function joined(observation: Observation, view: OrdinalView): Decision {
  const held = observation.status.heldPods ?? [];
  const survivor = survivorOf(observation);
  return done(`${view.pod} is a voter`, (draft) => {
    draft.heldPods = held.filter((name) => name !== view.pod);
    if (survivor.probe.kind === 'Answered') countVoters(draft, survivor.probe.members.filter((member) => !member.isLearner).length, observation.ordinals.length);
    recordJoin(view.pod, {})(draft);
    for (const record of draft.run?.joins ?? []) if (record.pod === view.pod) delete record.deferred;
  });
}
