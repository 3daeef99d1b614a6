import type {BlockedReason, StalledReason} from '../api/reasons.ts';
import {isLaunch, isRefused} from '../observe/observation.ts';
import type {Observation} from '../observe/observation.ts';
import {causesOf} from './evidence/causes.ts';
import {takenByItsPod} from './evidence/beside.ts';
import {cutOff, cutOffWords} from './evidence/cutOff.ts';
import {findingsOf, servesInWords} from './watch/findings.ts';
import type {FencingVerdict} from './evidence/fencing.ts';
import {judgeFencing} from './evidence/fencing.ts';
import type {DataVerdict} from './evidence/intact.ts';
import {judgeData} from './evidence/intact.ts';
import type {Membership} from './evidence/membership.ts';
import {clusterIDs, knownMemberships, quorumOf} from './evidence/membership.ts';
import {givenUp} from './evidence/regressed.ts';
import {authWords, rejectedWords} from './refusals.ts';
import type {Replacement} from './replace.ts';
import {askedReplacement, assessReplacement, isAutoReplacement, noQuorum} from './replace.ts';
import {assessRestart} from './restart.ts';
import type {Restart} from './restart.ts';
import {asksAnew, givesUpDisks} from './strategies.ts';
import type {Candidate} from './evidence/survivor.ts';
import {rankCandidates} from './evidence/survivor.ts';

/** What a cluster needs, from one Observation. */
export type Assessment =
  | {kind: 'stalled'; reason: StalledReason; message: string}
  | {kind: 'blocked'; reason: BlockedReason; message: string}
  | {kind: 'not-needed'; message: string}
  | {kind: 'unsure'; message: string}
  | {kind: 'inspect'; pods: string[]; message: string}
  | Replacement
  | Restart
  | {kind: 'lost'; memberships: Membership[]; data: DataVerdict[]; fencing: FencingVerdict; candidates: Candidate[]};

/** What must be right in the resource and around it before anything else is asked. */
export function stalledBy(observation: Observation): Assessment | undefined {
  const {spec, set} = observation;
  const named = `StatefulSet ${observation.resource.metadata.namespace ?? ''}/${spec.target.statefulSet}`;
  if (set === undefined) {
    return {kind: 'stalled', reason: 'StatefulSetNotFound', message: `spec.target.statefulSet: there is no ${named}. Create it, or make a QuorumRecovery for the right one`};
  }
  if (observation.duplicateOf !== undefined) {
    return {kind: 'stalled', reason: 'DuplicateResource', message: `QuorumRecovery ${observation.duplicateOf} is for ${named} already: use that one and delete this`};
  }
  for (const view of observation.ordinals) {
    if (isLaunch(view.launch)) {
      if (view.data === undefined) {
        return {kind: 'stalled', reason: 'DataNotOnClaim', message: `${view.pod}: data directory ${view.launch.dataDir} is on no volume claim template of ${named}: its data ends with its pod, and there is nothing to recover from`};
      }
      continue;
    }
    const reason = view.launch.reason === 'NoContainer' ? 'NotEtcd' : view.launch.reason;
    return {kind: 'stalled', reason, message: `${named}: ${view.launch.message}`};
  }
  if (observation.secretProblem !== undefined) return {kind: 'stalled', reason: 'SecretNotFound', message: observation.secretProblem};
  const refused = observation.ordinals.find((view) => view.probe.kind === 'Failed' && view.probe.error === 'Certificate');
  if (refused?.probe.kind === 'Failed') {
    return {kind: 'stalled', reason: 'CertificateRejected', message: `spec.target.tls: ${refused.pod} refuses the client certificate: ${refused.probe.message}`};
  }
  return undefined;
}

/** A quorum that serves: no act of this operator could help it. */
function served(observation: Observation): Assessment | undefined {
  const leaders = observation.ordinals.filter((view) => view.probe.kind === 'Answered' && view.probe.status.leader !== '');
  if (leaders.length === 0 || givenUp(observation).length > 0) return undefined;
  if (!observation.linearizable) {
    return {kind: 'unsure', message: `${leaders.map((view) => view.pod).join(', ')} still names a leader, but no linearizable read succeeds: asking again`};
  }
  return {kind: 'not-needed', message: servesInWords(observation, findingsOf(observation, []).findings)};
}

/**
 * Etcd asks for a user, and does not take what it is shown: without one nothing tells whether a quorum serves. A user that is refused was
 * looked at by a quorum (etcdserver/v3_server.go, Authenticate, reads linearizably first).
 */
function userRefused(observation: Observation): Assessment | undefined {
  const view = observation.ordinals.find(({probe}) => isRefused(probe));
  if (view === undefined || !('message' in view.probe)) return undefined;
  if (observation.spec.target.auth === undefined) return {kind: 'blocked', reason: 'AuthRequired', message: authWords(view.pod)};
  return {kind: 'blocked', reason: 'CredentialsRejected', message: rejectedWords(observation, `${view.pod}: ${view.probe.message}`, false)};
}

function dataOf(observation: Observation, memberships: readonly Membership[]): DataVerdict[] {
  const voters = new Map(memberships.flatMap((membership) => membership.voters).map((voter) => [voter.memberID, voter]));
  return [...voters.values()].map((voter) => judgeData(observation, voter));
}

const of = (membership: Membership, data: readonly DataVerdict[], ...states: DataVerdict['state'][]) =>
  data.filter((verdict) => states.includes(verdict.state) && membership.voters.some((voter) => voter.memberID === verdict.voter.memberID));

const listed = (verdicts: readonly DataVerdict[]) => verdicts.map((v) => `${v.voter.pod ?? v.voter.memberID} (${v.why})`).join('; ');

/** While a quorum of data is intact, forcing would throw acknowledged writes away. */
function intactQuorum(observation: Observation, memberships: readonly Membership[], data: readonly DataVerdict[], fencing: FencingVerdict): Assessment | undefined {
  for (const membership of memberships) {
    const quorum = quorumOf(membership.voters.length);
    const readable = of(membership, data, 'Running', 'Readable');
    if (readable.length >= quorum) {
      const restart = assessRestart(observation, membership, readable);
      if (restart.kind === 'restart') return restart;
      return {kind: 'blocked', reason: 'QuorumOfDataIntact', message: `${readable.length} of ${membership.voters.length} voters still have their data: ${listed(readable)}. Forcing would discard acknowledged writes, so nothing is forced. Let these pods start: ${causesOf(observation.ordinals) || 'their cause is not known'}${restart.why === '' ? '' : `. ${restart.why}`}`};
    }
  }
  if (!fencing.holds && observation.spec.strategy !== 'Restart') {
    return {kind: 'blocked', reason: 'FencingUnproven', message: `${fencing.message}. Way out: bring the node back, or delete its Node object once the machine is off for good, or taint it node.kubernetes.io/out-of-service, or name the member in spec.lostMembers (${lostHint(fencing)})`};
  }
  for (const membership of memberships) {
    const may = of(membership, data, 'Running', 'Readable', 'MayReturn');
    if (may.length >= quorumOf(membership.voters.length)) {
      return {kind: 'blocked', reason: 'QuorumOfDataIntact', message: `${may.length} of ${membership.voters.length} voters may still have their data: ${listed(may)}. Nothing is forced until it is proven gone (node deleted or out of service, or spec.lostMembers)`};
    }
  }
  return undefined;
}

const lostHint = (fencing: FencingVerdict) => fencing.processes.filter((verdict) => verdict.waitsFor !== undefined)
  .map((verdict) => `{pod: ${verdict.pod}, memberID: ${verdict.memberID || '?'}}`).join(', ');

/** Nobody asked for such a run: it replaces what it began for, and waits for nobody where that may not be. The watch goes on with what there is then. */
function byItself(observation: Observation, early: Assessment | undefined): Assessment {
  if (observation.spec.trigger.autoReplace === undefined) return {kind: 'not-needed', message: 'spec.trigger.autoReplace is not set any more: nothing is replaced'};
  if (early === undefined) return {kind: 'not-needed', message: 'no quorum serves any more, so nothing is replaced: what trigger.type OnQuorumLoss says comes next'};
  const found = early.kind === 'not-needed' ? assessReplacement(observation, early.message, 'Gone') : early;
  return found.kind === 'blocked' || found.kind === 'inspect' ? {kind: 'not-needed', message: `nothing is replaced by itself: ${found.message}`} : found;
}

/**
 * Nobody tells who the members were: no etcd answers, every disk within reach was read, and this resource never saw the cluster. The set's
 * ordinals are what has to be fenced then, and disks that cannot be read count as data.
 */
function nothingLeft(observation: Observation): Assessment {
  const {ordinals, status, spec} = observation;
  // Of whom nobody knows the ID it is the pod that a person names.
  const isGivenUp = (pod: string, memberID: string | undefined) => givesUpDisks(spec) && spec.lostMembers?.some((lost) => lost.pod === pod && (memberID === undefined || lost.memberID === memberID)) === true;
  const unreadable = ordinals.filter(({pod}) => status.run?.offline?.some((facts) => facts.pod === pod && facts.data === 'Unreadable' && !isGivenUp(pod, facts.memberID)));
  if (unreadable.length >= quorumOf(ordinals.length)) {
    return {kind: 'blocked', reason: 'QuorumOfDataIntact', message: `the disks of ${unreadable.map(({pod}) => pod).join(', ')} hold data that cannot be read, and nothing tells whose: nothing is started anew beside what may be a quorum of data. If it is worthless, set spec.strategy to RestoreSnapshot or RebuildFromConfig and name these members in spec.lostMembers (${unreadable.map(({pod}) => `{pod: ${pod}, memberID: ${status.run?.offline?.find((facts) => facts.pod === pod)?.memberID ?? '0'}}`).join(', ')}; 0 where nobody knows the ID): it is set aside with the plan, and kept. Do not delete the claims: pods that start on empty volumes could form an empty cluster`};
  }
  const fencing = judgeFencing(observation, true, []);
  if (!fencing.holds) return {kind: 'blocked', reason: 'FencingUnproven', message: `${fencing.message}. Way out: bring the nodes back, or delete their Node objects once the machines are off for good, or taint them node.kubernetes.io/out-of-service`};
  return {kind: 'lost', memberships: [], data: [], fencing, candidates: []};
}

/** Assesses a cluster. Pure: facts in, one verdict out; the order of the questions is the order of their weight. */
export function assess(observation: Observation): Assessment {
  const early = stalledBy(observation) ?? served(observation) ?? userRefused(observation);
  const asked = askedReplacement(observation);
  if (isAutoReplacement(observation.status.run)) return byItself(observation, early);
  if (early?.kind === 'not-needed' && asked !== undefined) return assessReplacement(observation, early.message, asked);
  if (early) return early;
  if (observation.spec.strategy === 'ReplaceMembers') return {kind: 'blocked', reason: 'QuorumAtRisk', message: noQuorum};
  const unreached = cutOff(observation);
  if (unreached.length > 0) return {kind: 'blocked', reason: 'OperatorCutOff', message: cutOffWords(observation, unreached)};
  const memberships = knownMemberships(observation);
  const reach = observation.ordinals.filter((view) => view.data?.place.at === 'Node' || view.data?.place.at === 'Anywhere');
  const within = reach.filter((view) => !takenByItsPod(view));
  const unread = within.filter((view) => !observation.status.run?.offline?.some((facts) => facts.pod === view.pod));
  if (memberships.length === 0) {
    if (unread.length > 0) return {kind: 'inspect', pods: unread.map((view) => view.pod), message: 'no member answers: reading the membership from their disks'};
    const taken = reach.filter(takenByItsPod).map(({pod}) => pod);
    if (taken.length > 0) {
      return {kind: 'blocked', reason: 'ClusterUnknown', message: `no member answers, and the volumes of ${taken.join(', ')} are ReadWriteOncePod: they cannot be read while their pods are there, so the membership is not known. ${causesOf(observation.ordinals)}`};
    }
    return asksAnew(observation.spec) ? nothingLeft(observation) : {kind: 'blocked', reason: 'NoSurvivor', message: `no member answers and no disk within reach holds etcd data: ${causesOf(observation.ordinals)}`};
  }
  const ids = clusterIDs(memberships);
  if (ids.length > 1) {
    return {kind: 'blocked', reason: 'TwoLineages', message: `members name different clusters (cluster IDs ${ids.join(', ')}): ${memberships.map((m) => `${m.source}: ${m.clusterID ?? '?'}`).join('; ')}. Nothing is forced. Decide which data is right, keep the volumes of the others (Retain), and delete their claims and pods`};
  }
  const foreign = memberships.flatMap((m) => m.voters).find((voter) => voter.pod === undefined);
  if (foreign) {
    return {kind: 'blocked', reason: 'ForeignMember', message: `member ${foreign.memberID} is a voter and no pod of the StatefulSet runs it, so its end cannot be proven`};
  }
  const data = dataOf(observation, memberships);
  const unknown = data.filter((verdict) => verdict.state === 'Unknown').map((verdict) => verdict.voter.pod ?? '');
  if (unknown.length > 0) return {kind: 'inspect', pods: unknown, message: `reading the disks of ${unknown.join(', ')}: their etcd does not answer`};
  const fencing = judgeFencing(observation, true, memberships);
  const intact = intactQuorum(observation, memberships, data, fencing);
  if (intact) return intact;
  if (observation.spec.strategy === 'Restart') return {kind: 'blocked', reason: 'NoQuorumOfData', message: `less than a quorum of the voters have their data: ${listed(data)}. Starting the others again brings no quorum back, and spec.strategy Restart does nothing else. If the quorum is lost for good, set spec.strategy: Auto, which starts a new cluster from the best data that is left`};
  return {kind: 'lost', memberships, data, fencing, candidates: rankCandidates(observation, data)};
}
