import type {BlockedReason, StalledReason} from '../api/reasons.ts';
import {isLaunch, isRefused} from '../observe/observation.ts';
import type {Observation} from '../observe/observation.ts';
import {causesOf} from './causes.ts';
import {takenByItsPod} from './beside.ts';
import {cutOff, cutOffWords} from './cutOff.ts';
import type {FencingVerdict} from './fencing.ts';
import {judgeFencing} from './fencing.ts';
import type {DataVerdict} from './intact.ts';
import {judgeData} from './intact.ts';
import type {Membership} from './membership.ts';
import {clusterIDs, knownMemberships, quorumOf} from './membership.ts';
import {authWords, rejectedWords} from './refusals.ts';
import type {Candidate} from './survivor.ts';
import {rankCandidates} from './survivor.ts';

/** What a cluster needs, from one Observation. */
export type Assessment =
  | {kind: 'stalled'; reason: StalledReason; message: string}
  | {kind: 'blocked'; reason: BlockedReason; message: string}
  | {kind: 'not-needed'; message: string}
  | {kind: 'unsure'; message: string}
  | {kind: 'inspect'; pods: string[]; message: string}
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
  const answered = observation.ordinals.filter((view) => view.probe.kind === 'Answered');
  const leaders = answered.filter((view) => view.probe.kind === 'Answered' && view.probe.status.leader !== '');
  if (leaders.length === 0) return undefined;
  if (!observation.linearizable) {
    return {kind: 'unsure', message: `${leaders.map((view) => view.pod).join(', ')} still names a leader, but no linearizable read succeeds: asking again`};
  }
  const missing = observation.ordinals.filter((view) => view.probe.kind !== 'Answered');
  if (missing.length === 0) return {kind: 'not-needed', message: `all ${answered.length} members answer and have a leader: nothing is done`};
  return {kind: 'not-needed', message: `the quorum holds (${answered.length} of ${observation.ordinals.length} members answer and have a leader), so nothing is forced. Not answering: ${causesOf(missing)}`};
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
      return {kind: 'blocked', reason: 'QuorumOfDataIntact', message: `${readable.length} of ${membership.voters.length} voters still have their data: ${listed(readable)}. Forcing would discard acknowledged writes, so nothing is forced. Let these pods start: ${causesOf(observation.ordinals) || 'their cause is not known'}`};
    }
  }
  if (!fencing.holds) {
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

/** Assesses a cluster. Pure: facts in, one verdict out; the order of the questions is the order of their weight. */
export function assess(observation: Observation): Assessment {
  const early = stalledBy(observation) ?? served(observation) ?? userRefused(observation);
  if (early) return early;
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
    return {kind: 'blocked', reason: 'NoSurvivor', message: `no member answers and no disk within reach holds etcd data: ${causesOf(observation.ordinals)}`};
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
  return {kind: 'lost', memberships, data, fencing, candidates: rankCandidates(observation, data)};
}
