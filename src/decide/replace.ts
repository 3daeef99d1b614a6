import type {BlockedReason} from '../api/reasons.ts';
import type {OfflineFacts, Run} from '../api/types.ts';
import type {ListedMember, MemberStatus} from '../etcd/types.ts';
import {isLaunch, isServing, statusOf} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {describePlace} from '../observe/places.ts';
import {takenByItsPod} from './evidence/beside.ts';
import {podCause} from './evidence/causes.ts';
import type {Membership} from './evidence/membership.ts';
import {isNamedLost, knownMemberships, podOfMember, quorumOf, recordOf} from './evidence/membership.ts';
import {offlineOf} from './evidence/offline.ts';
import {endOf, judgeProcess} from './evidence/processes.ts';
import {regression} from './watch/witness.ts';
import {joinStep} from './plans/plan.ts';

/** A member that is to be replaced. */
export interface LostMember {
  pod: string;
  /** Its member in the list of the quorum that serves; undefined: it is not in it any more. */
  listed: ListedMember | undefined;
  /** Whose process has to end: as listed, else as it was known before; undefined: nobody knows. */
  memberID: string | undefined;
  /** Why it does not come back by itself. */
  evidence: string;
  /** The proof of its end, or how it comes. */
  fenced: string;
  proof: string;
}

/** A quorum serves, and these members are gone for good. */
export interface Replacement {
  kind: 'replace';
  lost: LostMember[];
  /** Pods of the members that serve and stay. */
  kept: string[];
  clusterID: string;
  list: ListedMember[];
  memberships: Membership[];
}

export type Replaceable = Replacement
  | {kind: 'blocked'; reason: BlockedReason; message: string}
  | {kind: 'inspect'; pods: string[]; message: string}
  | {kind: 'not-needed'; message: string};

const block = (reason: BlockedReason, message: string): Replaceable => ({kind: 'blocked', reason, message});

/** The run replaces members of a cluster that serves; it forces nothing. */
export const isReplacement = (run: Pick<Run, 'plan'> | undefined): boolean => run?.plan?.strategy === 'ReplaceMembers';

/** The pods that a run of ReplaceMembers replaces. */
export const replacedPods = ({plan}: Pick<Run, 'plan'>): string[] => (plan?.lost ?? []).map(({pod}) => pod);

/** Whose replacement is asked for: of all that are proven gone, of those that a person names, or, by nobody but `trigger.autoReplace`, of those whose node is proven gone with their disk. */
export type Asked = 'All' | 'Named' | 'Gone';

/** It began by itself, to replace what is gone for good. A person's word counts for nothing in it. */
export const isAutoReplacement = (run: Pick<Run, 'trigger' | 'finishedAt'> | undefined): boolean => run?.trigger === 'AutoReplace' && run.finishedAt === undefined;

/** Whether members are to be replaced while a quorum serves. */
export function askedReplacement({spec: {strategy, lostMembers}, status: {run}}: Pick<Observation, 'spec' | 'status'>): Asked | undefined {
  if (isAutoReplacement(run)) return 'Gone';
  if (strategy === 'ReplaceMembers') return 'All';
  return strategy === 'Auto' && (lostMembers ?? []).length > 0 ? 'Named' : undefined;
}

interface Serving {
  clusterID: string;
  leader: string;
  list: ListedMember[];
}

/** The list of the member that has applied most, the leader before all: what is newest of it was agreed on by a quorum. */
function servingOf({ordinals}: Observation): Serving | undefined {
  const rank = ({status}: {status: MemberStatus}) => (status.memberID === status.leader ? Infinity : status.raftAppliedIndex);
  const [first] = ordinals.flatMap(({probe}) => (probe.kind === 'Answered' && isServing(probe.status) ? [probe] : []))
    .sort((a, b) => rank(b) - rank(a));
  return first && {clusterID: first.clusterID, leader: first.status.leader, list: first.members};
}

/** A member that answers, follows the leader that serves and votes, as the list of the cluster has it. */
function isHealthy(view: OrdinalView, {clusterID, leader, list}: Serving): boolean {
  const status = statusOf(view);
  if (status === undefined || view.probe.kind !== 'Answered' || status.leader !== leader || status.isLearner || view.probe.clusterID !== clusterID) return false;
  return list.some((member) => member.id === status.memberID && !member.isLearner);
}

function listedFor(view: OrdinalView, list: readonly ListedMember[], pods: readonly string[]): ListedMember | undefined {
  const {launch} = view;
  const byURL = isLaunch(launch) ? list.find((member) => member.peerURLs.some((url) => launch.initialAdvertisePeerURLs.includes(url))) : undefined;
  return byURL ?? list.find((member) => podOfMember(member, pods) === view.pod);
}

/** How its etcd is known by, where the list does not have it (any more). */
function formerID({status}: Observation, pod: string): string | undefined {
  const disk = offlineOf({status}, pod)?.memberID;
  const record = recordOf({status}, pod)?.memberID;
  return disk ?? record ?? status.lastHealthy?.members.find((member) => member.pod === pod)?.memberID;
}

/** So often restarted without coming to serve, an etcd that runs at the moment is in a loop all the same. */
const loopRestarts = 3;

/** Its container was started again and does not come to serve: the data it starts on is the cause, where the disk says so. */
function crashLoops({object, launch}: OrdinalView): boolean {
  if (!isLaunch(launch)) return false;
  return object?.status?.containerStatuses?.some(({name, restartCount, state}) => name === launch.container
    && (restartCount >= loopRestarts || (restartCount > 0 && state?.running === undefined))) === true;
}

/** What a disk proves against the member that is listed. */
function byFacts(view: OrdinalView, facts: OfflineFacts, listedID: string): string | undefined {
  switch (facts.data) {
    case 'Empty': return 'its disk is empty';
    case 'Guarded': return 'its data was set aside';
    case 'Present': case 'Unreadable':
      if (facts.broken === true && crashLoops(view)) return `${facts.unfit ?? 'its data is damaged'}, and its etcd does not start on it`;
      return facts.data === 'Present' && facts.memberID !== listedID ? `its disk holds member ${facts.memberID ?? '?'}, and not the one in the list (${listedID})` : undefined;
  }
}

/** Why this member does not come back by itself; undefined: nothing proves it. A node that does not answer, or a claim that is bound, proves nothing. */
function evidenceFor(observation: Observation, view: OrdinalView, listed: ListedMember | undefined, asked: Asked): string | undefined {
  if (asked === 'Gone') return listed !== undefined && view.data?.place.at === 'GoneNode' ? describePlace(view.data.place) : undefined;
  const word = observation.spec.lostMembers?.find((lost) => lost.pod === view.pod);
  if (listed === undefined) {
    if (asked === 'All') return 'the cluster has no member for it any more';
    const known = formerID(observation, view.pod);
    return word === undefined || (known !== undefined && known !== word.memberID) ? undefined : 'the cluster has no member for it any more, and spec.lostMembers names it';
  }
  if (isNamedLost(observation, view.pod, listed.id)) return 'spec.lostMembers names it';
  if (asked === 'Named') return undefined;
  const place = view.data?.place ?? {at: 'Missing' as const};
  if (place.at === 'GoneNode' || place.at === 'Missing' || place.at === 'Unbound') return describePlace(place);
  const facts = offlineOf(observation, view.pod);
  return facts && byFacts(view, facts, listed.id);
}

/** Its disk may tell why it does not come back. A person's word needs none. */
function isUnread({status: {run}, spec}: Observation, view: OrdinalView): boolean {
  const at = view.data?.place.at;
  if ((at !== 'Node' && at !== 'Anywhere') || takenByItsPod(view)) return false;
  if (spec.lostMembers?.some(({pod}) => pod === view.pod) === true) return false;
  return run?.offline?.some((facts) => facts.pod === view.pod) !== true;
}

/** How the end of its last process is proven, or what that waits for. */
function endingOf(observation: Observation, view: OrdinalView, memberID: string | undefined): {fenced: string; proof: string} | {waitsFor: string} {
  const stops = {fenced: 'ToBeStopped', proof: 'it is stopped, and its kubelet reports its end'};
  if (memberID !== undefined) {
    const {proven, stoppable, waitsFor} = judgeProcess(observation, {memberID, pod: view.pod});
    if (proven) return {fenced: proven.by, proof: proven.message ?? proven.by};
    return stoppable ? stops : {waitsFor: waitsFor ?? `${view.pod} may still run`};
  }
  if (view.object !== undefined) {
    const end = endOf(observation, view.object, recordOf(observation, view.pod));
    if ('fenced' in end) return {fenced: end.fenced.by, proof: end.fenced.message ?? end.fenced.by};
    return 'stoppable' in end ? stops : end;
  }
  // Nothing of it was ever seen: neither a process, nor a disk that one could have written.
  const at = view.data?.place.at;
  if (at === 'Missing' || at === 'Unbound') return {fenced: 'NeverStarted', proof: 'it has no pod and no volume'};
  return {waitsFor: `nobody knows which process ran ${view.pod} last`};
}

/** The same for a run that nobody asked for: a person's word is no proof in it, and what can only be stopped is not gone. */
function goneOf(observation: Observation, view: OrdinalView, memberID: string | undefined): {fenced: string; proof: string} | {waitsFor: string} {
  const spec = {...observation.spec};
  delete spec.lostMembers;
  const ending = endingOf({...observation, spec}, view, memberID);
  return 'fenced' in ending && ending.fenced === 'ToBeStopped' ? {waitsFor: `${view.pod} is on a Ready node`} : ending;
}

const wayOut = 'Way out: bring the node back, or delete its Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service, or name the member in spec.lostMembers';

/** Whose word is not about the member that there is. */
function misnamed(observation: Observation, listed: (view: OrdinalView) => ListedMember | undefined): string[] {
  return (observation.spec.lostMembers ?? []).flatMap(({pod, memberID}) => {
    const view = observation.ordinals.find((candidate) => candidate.pod === pod);
    const id = view === undefined ? undefined : listed(view)?.id ?? formerID(observation, pod);
    return id !== undefined && id !== memberID ? [`spec.lostMembers names ${pod} with member ID ${memberID}, and its ID is ${id}`] : [];
  });
}

/** ReplaceMembers works through a quorum. */
export const noQuorum = 'no quorum serves, so no member can be replaced: spec.strategy ReplaceMembers does nothing else. If the quorum is lost for good, set spec.strategy: Auto, which starts a new cluster from the best data that is left; if not, bring the members back';

/** What is in the way whoever is lost; undefined: nothing. */
function foreign(observation: Observation, {clusterID, list}: Serving, pods: readonly string[]): Replaceable | undefined {
  const back = observation.status.regression?.message ?? regression(observation)?.message;
  if (back !== undefined) return block('QuorumAtRisk', `the quorum that serves has older data than was seen before, so it is no ground to replace anybody on: ${back}`);
  const stranger = list.find((member) => podOfMember(member, pods) === undefined);
  if (stranger) {
    return block('ForeignMember', `member ${stranger.id} (${stranger.name || 'no name'}) is in the list, and no pod of the StatefulSet runs it: nothing is replaced while it is there. Remove it (etcdctl member remove ${stranger.id}), or scale the StatefulSet so that it has a pod`);
  }
  const other = observation.ordinals.find(({probe}) => (probe.kind === 'Answered' || probe.kind === 'PeerOnly') && probe.clusterID !== clusterID);
  if (other && 'clusterID' in other.probe) {
    return block('TwoLineages', `${other.pod} names another cluster (cluster ID ${other.probe.clusterID}) than the one that serves (${clusterID}): nothing is replaced. Decide which data is right, keep its volume (Retain), and delete the other claim and pod`);
  }
  const alarm = observation.ordinals.flatMap((view) => (statusOf(view)?.errors ?? []).filter((error) => error.includes('NOSPACE') || error.includes('CORRUPT')).map((error) => `${view.pod}: ${error}`))[0];
  return alarm === undefined ? undefined : block('AlarmRaised', `an alarm is raised (${alarm}): nothing is replaced before it is settled. NOSPACE: compact, defragment, etcdctl alarm disarm; CORRUPT: compare the members first, and do not trust the one that it names`);
}

/** Why these members stay as they are for now: an etcd that does not answer keeps all others from joining (etcdserver, mayAddMember). */
function inTheWay(away: readonly {view: OrdinalView; listed: ListedMember | undefined}[]): string {
  return away.map(({view, listed}) => {
    const at = takenByItsPod(view) ? '; its volume is ReadWriteOncePod, so its disk cannot be read beside its pod' : '';
    const cause = podCause(view.object);
    const what = listed === undefined ? 'is not in the member list' : listed.isLearner ? 'is a learner' : 'does not answer as a voter';
    return `${view.pod} ${what}${cause === undefined ? '' : ` (${cause})`}, ${describePlace(view.data?.place ?? {at: 'Missing'})}${at}${listed === undefined ? '' : `; its member ID is ${listed.id}`}`;
  }).join('. ');
}

interface Judged {
  view: OrdinalView;
  listed: ListedMember | undefined;
  evidence: string | undefined;
}

/** Members that do not serve as voters of the cluster that does, and why they do not come back. */
function judgeAbsent(observation: Observation, serving: Serving, asked: Asked): Judged[] {
  const pods = observation.ordinals.map(({pod}) => pod);
  return observation.ordinals.filter((view) => !isHealthy(view, serving)).map((view) => {
    const listed = listedFor(view, serving.list, pods);
    return {view, listed, evidence: evidenceFor(observation, view, listed, asked)};
  });
}

/** Members of a cluster that serves whose end and whose volume's are proven, without anybody's word and without anything that would have to be stopped. */
export function goneForGood(observation: Observation): {pod: string; memberID: string; proof: string}[] {
  const serving = servingOf(observation);
  if (serving === undefined || !observation.linearizable) return [];
  return judgeAbsent(observation, serving, 'Gone').flatMap(({view, listed, evidence}) => {
    if (listed === undefined || evidence === undefined) return [];
    const ending = goneOf(observation, view, listed.id);
    return 'waitsFor' in ending ? [] : [{pod: view.pod, memberID: listed.id, proof: `${evidence}; ${ending.proof}`}];
  });
}

const mayReturn = {
  asked: 'Nothing is removed: it is looked at again all the time. If it does not come back, name it in spec.lostMembers, or delete its Node object once the machine is off for good',
  byItself: 'Nothing is replaced by itself. If it does not come back, delete its Node object once the machine is off for good; or have it replaced on your word, with its member in spec.lostMembers, approval: Required and a new value of spec.trigger.request',
};

/**
 * What is to be replaced while a quorum serves, because the spec asks for it. Pure. Nothing is replaced while another member is away of which
 * nothing proves that it is gone for good: etcd lets nobody join before every voter is connected, so that the run would stand half-way.
 */
export function assessReplacement(observation: Observation, calm: string, asked: Asked): Replaceable {
  const serving = servingOf(observation);
  if (serving === undefined || !observation.linearizable) return block('QuorumAtRisk', noQuorum);
  const pods = observation.ordinals.map(({pod}) => pod);
  const wrong = asked === 'Gone' ? '' : misnamed(observation, (view) => listedFor(view, serving.list, pods)).map((words) => `. ${words}`).join('');
  const judged = judgeAbsent(observation, serving, asked);
  if (judged.length === 0) return {kind: 'not-needed', message: `${calm}${wrong}`};
  const early = foreign(observation, serving, pods);
  if (early) return early;
  const wanted = judged.filter(({view}) => asked !== 'Named' || observation.spec.lostMembers?.some(({pod}) => pod === view.pod) === true);
  // A word about other members asks for nothing.
  if (wanted.length === 0) return {kind: 'not-needed', message: `${calm}. The members that spec.lostMembers names are back, so none is replaced${wrong}`};
  const open = judged.filter(({evidence}) => evidence === undefined);
  const unread = open.filter(({view}) => isUnread(observation, view)).map(({view}) => view.pod);
  const formerUnread = judged.filter((one) => one.listed === undefined && isUnread(observation, one.view)).map(({view}) => view.pod);
  const reading = asked === 'Gone' ? [] : [...new Set([...(asked === 'All' ? unread : []), ...formerUnread])];
  if (reading.length > 0) return {kind: 'inspect', pods: reading, message: `reading the disks of ${reading.join(', ')}: their etcd does not answer, and a quorum serves`};
  if (open.length > 0) {
    return block('MemberMayReturn', `a quorum serves, and nothing proves that these members are gone for good: ${inTheWay(open)}${wrong}. ${asked === 'Gone' ? mayReturn.byItself : mayReturn.asked}`);
  }
  return decided(observation, serving, judged, asked);
}

function decided(observation: Observation, serving: Serving, judged: readonly Judged[], asked: Asked): Replaceable {
  const lost: LostMember[] = [];
  const unproven: string[] = [];
  for (const {view, listed, evidence = ''} of judged) {
    const memberID = listed?.id ?? formerID(observation, view.pod);
    const ending = (asked === 'Gone' ? goneOf : endingOf)(observation, view, memberID);
    if ('waitsFor' in ending) unproven.push(`${ending.waitsFor} ({pod: ${view.pod}, memberID: ${memberID ?? '?'}})`);
    else lost.push({pod: view.pod, listed, memberID, evidence, ...ending});
  }
  if (unproven.length > 0) return block('FencingUnproven', `no member is replaced before its last process is proven to have ended: ${unproven.join('; ')}. ${wayOut}`);
  const gone = lost.map(({pod}) => pod);
  const kept = observation.ordinals.map(({pod}) => pod).filter((pod) => !gone.includes(pod));
  const voters = serving.list.filter((member) => !member.isLearner).length;
  if (kept.length < quorumOf(voters)) {
    return block('QuorumAtRisk', `${kept.length} of ${voters} voters serve, and ${quorumOf(voters)} are needed: nothing is removed`);
  }
  return {kind: 'replace', lost, kept, ...serving, memberships: knownMemberships(observation)};
}

/** Members of a run of ReplaceMembers that vote by now: those that stayed, and those that have joined. */
export function servingPods({status: {run}, ordinals}: Pick<Observation, 'status' | 'ordinals'>): string[] {
  if (run === undefined) return [];
  const lost = replacedPods(run).filter((pod) => run.steps.find(({name}) => name === joinStep(pod))?.state !== 'Done');
  return ordinals.map(({pod}) => pod).filter((pod) => !lost.includes(pod));
}
