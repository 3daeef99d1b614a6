import type {Finding, QuorumRecoveryStatus} from '../../api/types.ts';
import {statusOf} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import {ordinalCause} from '../evidence/causes.ts';
import {leaderOf, mostEntriesBehind} from './leadership.ts';
import {servicesAstray} from './services.ts';
import type {Astray} from './services.ts';
import {isWhole, statusesOf} from './witness.ts';

/*
 * What is wrong with a cluster whose quorum serves. Nothing of it is for a recovery: each finding says what it is, that nothing is done,
 * and what would mend it (docs/concepts/nothing-to-do.md).
 */

/** What is seen once may be over with the next look: it counts when it was there for so long, ms. */
const patienceMs = 10_000;
/** How soon a cluster is looked at again in which something may be wrong, ms. */
const againMs = 5_000;
/**
 * So many entries that a member has not applied are too many at once: beyond as many etcd itself refuses requests on that member
 * (maxGapBetweenApplyAndCommitIndex, etcd server/etcdserver/v3_server.go), and its leader may have to send it the whole database.
 */
export const farBehind = 5_000;
/** An answer that takes so long, ms, is slow, if the others take a fifth of it at most. The operator gives it up after a second. */
const slowMs = 500;

type Case = Finding['case'];

/** Something that was seen and is no finding yet, or one that has to be followed. Kept by the process alone: lost with it, it costs patience. */
export interface Doubt {
  case: Case;
  /** Pod or Service. */
  of: string;
  /** ms since the epoch. */
  since: number;
  /** What the leader had then: a member that has it by now is not behind. */
  index?: number;
}

export interface Found {
  findings: Finding[];
  doubts: Doubt[];
  /** When the next look is needed at the latest, ms. */
  inMs?: number;
}

function missing({ordinals, nodes, status}: Observation): Finding[] {
  const held = status.heldPods ?? [];
  return ordinals.filter(({pod, probe}) => probe.kind !== 'Answered' && !held.includes(pod)).map((view): Finding => {
    const node = view.object?.spec?.nodeName;
    const away = nodes.some(({name, ready}) => name === node && !ready) ? ` (its node ${node ?? ''} is NotReady: the machine is down, or cut off by the network)` : '';
    return {case: 'MemberNotAnswering', pod: view.pod, message: `${ordinalCause(view) ?? view.pod}${away}`};
  });
}

function cutOff({ordinals}: Observation): Finding[] {
  return ordinals.filter(({probe}) => probe.kind === 'Answered' && probe.status.leader === '' && !probe.status.isLearner)
    .map(({pod}): Finding => ({case: 'MemberCutOff', pod, message: `${pod} answers and has no leader, while the others have one: it does not reach them. It follows again by itself; look at the network between the pods and at its peer certificate`}));
}

const before = (doubts: readonly Doubt[], what: Case, of: string) => doubts.find((doubt) => doubt.case === what && doubt.of === of);

const wasFound = ({findings = []}: QuorumRecoveryStatus, what: Case, of: string): boolean => findings.some((one) => one.case === what && (one.pod ?? one.service) === of);

/** Followers that have not applied now what the leader had a while ago, or that lack very much. */
function behind(observation: Observation, doubts: readonly Doubt[]): Found {
  const {ordinals, now, status} = observation;
  const leader = leaderOf(observation);
  const leading = statusOf(ordinals.find(({pod}) => pod === leader));
  const found: Found = {findings: [], doubts: []};
  if (leading === undefined) return found;
  for (const view of ordinals) {
    const own = statusOf(view);
    if (own === undefined || view.pod === leader) continue;
    const lacks = leading.raftIndex - own.raftAppliedIndex;
    const doubt = before(doubts, 'MemberBehind', view.pod);
    // Whoever was away, or cut off, is behind until it has caught up, however little that is.
    const known = status.findings?.some(({pod}) => pod === view.pod) === true;
    const caughtUp = lacks <= 0 || (doubt?.index !== undefined && own.raftAppliedIndex >= doubt.index);
    if (caughtUp && lacks < farBehind) continue;
    const is = known || lacks >= farBehind || (doubt !== undefined && now - doubt.since >= patienceMs);
    // Followed by what the leader had at the last look, so that one that lags for good is not taken for one that caught up.
    found.doubts.push(is || doubt === undefined ? {case: 'MemberBehind', of: view.pod, since: doubt?.since ?? now, index: leading.raftIndex} : doubt);
    if (lacks > mostEntriesBehind) found.inMs = againMs;
    if (is) found.findings.push({case: 'MemberBehind', pod: view.pod, behind: lacks, message: `${view.pod} is ${lacks} log entries behind the leader ${leader ?? ''} (it has applied ${own.raftAppliedIndex} of ${leading.raftIndex}). The leader sends it what it lacks; while that takes, serializable reads on it are old, and the loss of another member is worse than it seems. If the number does not go down, look at its disk and at its network`});
  }
  return found;
}

/** Of two the larger one: of three members that are slow together none is the only one. */
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function slow({ordinals}: Observation): Finding[] {
  const times = ordinals.flatMap(({pod, probe}) => (probe.kind === 'Answered' && probe.tookMs !== undefined ? [{pod, ms: probe.tookMs}] : []));
  return times.flatMap(({pod, ms}): Finding[] => {
    const others = median(times.filter((other) => other.pod !== pod).map((other) => other.ms));
    if (times.length < 2 || ms < slowMs || others > ms / 5) return [];
    return [{case: 'MemberSlow', pod, message: `${pod} takes ${Math.round(ms)} ms to answer, the others ${Math.round(others)} ms: look at its processor, its disk and its network. The quorum does not wait for it`}];
  });
}

const astrayOf = ({service, words}: Astray): Finding =>
  ({case: 'ServiceAstray', service, message: `${words}. All members serve, and a recovery would not help: correct the Service`});

/** What counts once it was there for a while. */
function lasting(observation: Observation, seen: readonly Finding[], doubts: readonly Doubt[]): Found {
  const {now, status} = observation;
  const found: Found = {findings: [], doubts: []};
  for (const finding of seen) {
    const of = finding.pod ?? finding.service ?? '';
    const since = before(doubts, finding.case, of)?.since ?? now;
    found.doubts.push({case: finding.case, of, since});
    if (wasFound(status, finding.case, of) || now - since >= patienceMs) found.findings.push(finding);
  }
  return found;
}

/** @param doubts those of the look before */
export function findingsOf(observation: Observation, doubts: readonly Doubt[]): Found {
  if (!observation.linearizable) return {findings: [], doubts: []};
  const late = behind(observation, doubts);
  const services = isWhole(observation) ? servicesAstray(observation) : [];
  const passing = lasting(observation, [...slow(observation), ...services.filter((one) => one.passing).map(astrayOf)], doubts);
  const ofMembers = [...missing(observation), ...cutOff(observation), ...late.findings];
  const findings = [...ofMembers, ...services.filter((one) => !one.passing).map(astrayOf), ...passing.findings].slice(0, 16);
  // A Service that somebody set up like this may stay so for ever, and the cluster behind it is well.
  const followed = ofMembers.length > 0 || passing.doubts.length > 0 || late.inMs !== undefined;
  return {findings, doubts: [...late.doubts, ...passing.doubts], ...(followed && {inMs: againMs})};
}

/** How a cluster stands whose quorum serves, and what is wrong with it, as a sentence or more. `then`: what comes of a loss; `instead`: what else is said of a member that is away. */
export function servesInWords({ordinals}: Observation, findings: readonly Finding[], then = '', instead = ''): string {
  const answer = statusesOf({ordinals});
  const lead = answer.filter(({leader}) => leader !== '').length;
  const missing = findings.filter((finding) => finding.case === 'MemberNotAnswering').map(({message}) => message).join('; ');
  const others = findings.filter((finding) => finding.case !== 'MemberNotAnswering').map(({message}) => ` ${message}.`).join('');
  const stands = lead === ordinals.length ? `all ${lead} members answer and have a leader${then === '' ? ': nothing is done' : `; ${then}`}`
    : `the quorum holds (${lead} of ${ordinals.length} members answer and have a leader)${instead === '' ? ', so nothing is done' : ''}`;
  const words = `${stands}${missing === '' ? '' : `. Not answering: ${missing}`}${others === '' ? '' : `.${others}`}`.replace(/\.$/, '');
  return instead === '' ? words : `${words}. ${instead}`;
}

/** Since when: a member that did not answer and is behind now has been a worry all the time. */
function dated(observation: Observation, {case: what, pod, service, ...rest}: Finding, doubts: readonly Doubt[]): Finding {
  const known = observation.status.findings?.find((one) => one.pod === pod && one.service === service);
  const doubt = before(doubts, what, pod ?? service ?? '');
  const since = known?.since ?? new Date(doubt?.since ?? observation.now).toISOString();
  return {case: what, ...(pod !== undefined && {pod}), ...(service !== undefined && {service}), since, ...rest};
}

/** What lasts. A pod that restarts, or a rollout, is no degraded cluster; a Service stays as it is, and nobody looks again soon for its sake. */
export const lastingFindings = ({findings = []}: QuorumRecoveryStatus, now: number): Finding[] =>
  findings.filter(({case: what, since}) => what === 'ServiceAstray' || since === undefined || now - Date.parse(since) >= patienceMs);

/** Brings `status.findings` up to what is seen, with every member asked and no run in flight. */
export function settleFindings(observation: Observation, doubts: readonly Doubt[]): Found {
  const {status, linearizable, ordinals} = observation;
  // One read that failed, as while a leader changes, is no news of any member: what was found has been there all the time. A loss says itself.
  if (!linearizable && status.suspicion === undefined && ordinals.some(({probe}) => probe.kind === 'Answered')) return {findings: status.findings ?? [], doubts: [...doubts], inMs: againMs};
  const found = findingsOf(observation, doubts);
  if (found.findings.length > 0) status.findings = found.findings.map((finding) => dated(observation, finding, found.doubts));
  else delete status.findings;
  return found;
}
