import type {V1Pod} from '@kubernetes/client-node';
import type {AgentReport, InspectFacts} from '../../agent/report.ts';
import {databaseOwner} from '../../api/strategies.ts';
import type {NamedMember, OfflineFacts, Plan, PlanSnapshot, Run} from '../../api/types.ts';
import {endsBefore} from '../../etcd/wal/log-end.ts';
import {withEtcdutl} from '../../kubernetes/etcdutlPod.ts';
import {agentPod} from '../../kubernetes/helperPods.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {podCause} from '../evidence/causes.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, blocked, done, wait} from '../decision.ts';
import {isForOnePod} from '../evidence/beside.ts';
import {fallBack, rankDatabases, snapshotOf} from '../plans/fallBack.ts';
import {corruptMembers, databaseAuthRefusal} from '../plans/fallBackAlarms.ts';
import {leftInLog, leftInWords} from '../plans/fallBackLoss.ts';
import {settleFallBack} from '../plans/fallBackPlan.ts';
import {versionOf} from '../plans/preflight.ts';
import {replaceEnded} from './stop.ts';
import {isSilent, makesRoom, saidBy, takeAway} from './agents.ts';
import {behindPlan, helperOf, planChanged, quorumCameBack, runIn, sourceOf, viewOf} from './common.ts';
import {etcdutlIsOver, recordOffline} from './etcdutl.ts';
import {judgeData} from '../evidence/intact.ts';
import type {DataVerdict} from '../evidence/intact.ts';
import {clusterIDs, knownMemberships} from '../evidence/membership.ts';
import {rankCandidates, unfitMembers, whyFirst} from '../evidence/survivor.ts';
import type {Candidate} from '../evidence/survivor.ts';

/** How long an inspection beside the running pods may take before the disk counts as unread, in ms. */
const inspectTimeoutMs = 60_000;

/**
 * Members of a disk: what its backend lists, with the changes that are in its log after it. A removal beyond the commit index is
 * not believed: counting a voter too many only asks for one proof more.
 */
export function membersOf(facts: InspectFacts): NamedMember[] | undefined {
  if (facts.data !== 'Present' || 'error' in facts.backend) return undefined;
  const members = new Map<string, NamedMember>(facts.backend.members.map(({id, name, peerURLs, isLearner}) => [id, {id, name, peerURLs, isLearner}]));
  for (const change of facts.pendingConfChanges) {
    if (change.type === 'RemoveNode') {
      if (change.index <= facts.commit) members.delete(change.memberID);
      continue;
    }
    const known = members.get(change.memberID);
    members.set(change.memberID, {
      id: change.memberID, name: change.name ?? known?.name ?? '', peerURLs: change.peerURLs ?? known?.peerURLs ?? [],
      isLearner: change.type === 'AddLearnerNode',
    });
  }
  return [...members.values()];
}

/** Why no cluster can start from data that is there; undefined: nothing speaks against it. */
function unfitFor(facts: InspectFacts, members: NamedMember[] | undefined): string | undefined {
  if (facts.data === 'Unreadable') return `its data cannot be read: ${facts.corrupt}`;
  if (facts.data !== 'Present') return undefined;
  if ('error' in facts.backend) return `its database cannot be read: ${facts.backend.error}`;
  const self = members?.find((member) => member.id === facts.memberID);
  if (self === undefined) return `by its own data it is no member any more (${facts.memberID})`;
  return self.isLearner === true ? 'by its own data it is a learner, which never voted' : undefined;
}

/** More of a log is lost than the plan said; undefined: no more than that. */
function moreIsLost(planned: Plan['snapshot'], found: PlanSnapshot): string | undefined {
  const before = planned === undefined ? undefined : leftInLog(planned);
  const now = leftInLog(found);
  return before === undefined || (now !== undefined && now <= before) ? undefined : `${leftInWords(found)}, and the plan had been that ${leftInWords(planned ?? found)}`;
}

/** A database that can be read, whatever its log is like, and the room beside it. One that nothing was applied to is none to start from. */
function databaseIn(facts: InspectFacts): Pick<OfflineFacts, 'database' | 'freeBytes' | 'walFreeBytes'> {
  const backend = 'backend' in facts ? facts.backend : undefined;
  if (backend === undefined || 'error' in backend || backend.consistentIndex === 0) return {};
  const {consistentIndex: index, term, revision, sizeBytes: bytes, received: file = 'db', alarms, authEnabled} = backend;
  const {freeBytes, walFreeBytes} = facts;
  return {database: {index, term, revision, bytes, file, ...(alarms && {alarms}), ...(authEnabled && {authEnabled})}, freeBytes, ...(walFreeBytes !== undefined && {walFreeBytes})};
}

/** Where the log cannot be read the database alone tells of members and revision. */
function fromDatabase(facts: InspectFacts): Pick<OfflineFacts, 'database' | 'freeBytes' | 'walFreeBytes' | 'members' | 'revision'> {
  if (!('backend' in facts) || 'error' in facts.backend) return {};
  const {members, revision} = facts.backend;
  return {...databaseIn(facts), revision, ...(members.length > 0 && {members: members.map(({id, name, peerURLs, isLearner}) => ({id, name, peerURLs, isLearner}))})};
}

/** The part of an inspection that the status keeps. */
export function offlineFacts(pod: string, stage: OfflineFacts['stage'], facts: InspectFacts): OfflineFacts {
  if (facts.data === 'Unreadable') {
    // What stands before the broken place was verified: whose disk it is, and how far it goes at least.
    const {memberID, clusterID, lastEntryTerm, index} = facts;
    return {
      pod, stage, data: facts.data, unfit: unfitFor(facts, undefined), broken: true, message: facts.corrupt,
      ...(memberID !== undefined && {memberID}), ...(clusterID !== undefined && {clusterID}), ...(lastEntryTerm !== undefined && {term: lastEntryTerm}), ...(index !== undefined && {index}),
      ...fromDatabase(facts),
    };
  }
  if (facts.data !== 'Present') return {pod, stage, data: facts.data};
  const {memberID, clusterID, lastEntryTerm: term, index, commit} = facts;
  const members = membersOf(facts);
  const revision = 'error' in facts.backend ? undefined : facts.backend.revision;
  const unfit = unfitFor(facts, members);
  return {pod, stage, data: facts.data, memberID, clusterID, term, index, commit, ...(revision !== undefined && {revision}), ...(members && {members}), ...(unfit !== undefined && {unfit}), ...('error' in facts.backend && {broken: true}), ...databaseIn(facts)};
}

function unread(observation: Observation, pod: string, stage: OfflineFacts['stage'], message: string): Transaction {
  return recordOffline({pod, stage, data: 'Unreadable', unfit: `its data could not be looked at: ${message}`, message}, observation.now);
}

function fromReport(observation: Observation, view: OrdinalView, stage: OfflineFacts['stage'], report: AgentReport): Transaction {
  if (report.ok && report.command === 'inspect') return recordOffline(offlineFacts(view.pod, stage, report), observation.now);
  return unread(observation, view.pod, stage, 'message' in report ? report.message : 'the agent sent another report');
}

interface Inspection {
  actions: Action[];
  records: Transaction[];
  waits: string[];
}

function inspectOne(observation: Observation, view: OrdinalView, stage: OfflineFacts['stage'], todo: Inspection): void {
  const run = runIn(observation);
  const step = `Inspect${stage}`;
  const helper = helperOf(observation, step, view.pod);
  const known = run.offline?.find((facts) => facts.pod === view.pod && facts.stage === stage);
  if (known) {
    if (helper) takeAway(observation, helper, todo);
    return;
  }
  if (helper === undefined) {
    const pod = agentPod({observation, view, source: sourceOf(observation, view), run: run.id, step, command: ['inspect'], readOnly: true});
    // Beside a pod that may run an etcd would hold the lock.
    todo.actions.push({type: 'CreatePod', pod: stage === 'Held' ? withEtcdutl(pod, view) : pod});
    return;
  }
  if (makesRoom(helper)) {
    todo.actions.push({type: 'DeletePod', pod: helper});
    return;
  }
  const report = saidBy(helper);
  if (report?.ok === true && report.command === 'inspect' && stage === 'Held' && (report.data === 'Present' || databaseIn(report).database !== undefined)) {
    if (etcdutlIsOver(observation, helper)) todo.actions.push({type: 'ReadEtcdutl', pod: helper, of: view.pod, facts: offlineFacts(view.pod, stage, report)});
    else todo.waits.push(`etcdutl reads the database of ${view.pod}`);
    return;
  }
  if (report !== undefined) {
    todo.records.push(fromReport(observation, view, stage, report));
    return;
  }
  const cause = podCause(helper) ?? (isSilent(observation, helper) ? `node ${helper.spec?.nodeName ?? ''} is not Ready` : undefined);
  if (tooLate(observation, helper)) todo.records.push(unread(observation, view.pod, stage, `the volume agent has not ended in time${cause === undefined ? '' : `: ${cause}`}`));
  else todo.waits.push(`reading the disk of ${view.pod}${cause === undefined ? '' : ` (${cause})`}`);
}

const tooLate = (observation: Observation, helper: V1Pod) =>
  observation.now - new Date(helper.metadata?.creationTimestamp ?? observation.now).getTime() > inspectTimeoutMs;

/**
 * A disk that could not be read in time may hold the newest data: nothing is started from another one because an agent is slow, or a node
 * away for a while. One on a node that is gone for good is not waited for.
 */
function notReadYet(observation: Observation, pods: readonly string[]): Decision | undefined {
  const late = pods.map((pod) => viewOf(observation, pod)).filter((view) => {
    const helper = helperOf(observation, 'InspectHeld', view.pod);
    return helper !== undefined && saidBy(helper) === undefined && !makesRoom(helper) && tooLate(observation, helper) && view.data?.place.at !== 'GoneNode';
  });
  const [first] = late;
  if (first === undefined) return undefined;
  const cause = podCause(helperOf(observation, 'InspectHeld', first.pod));
  return blocked('AgentFailed', `the disk of ${late.map(({pod}) => pod).join(', ')} could not be read for ${inspectTimeoutMs / 1000} s: the volume agent has not ended${cause === undefined ? '' : ` (${cause})`}. It may hold newer data than the others, so nothing is started from those. Every name is held, and the run goes on once it was read. If it is lost for good, delete its Node, or name another member in spec.survivor, which lets everything go and plans anew`);
}

/** Reads disks with volume agents, side by side; undefined once every fact is in the status and every agent is gone. */
export function inspectDisks(observation: Observation, pods: readonly string[], stage: OfflineFacts['stage']): Decision | undefined {
  const todo: Inspection = {actions: [], records: [], waits: []};
  for (const pod of pods) inspectOne(observation, viewOf(observation, pod), stage, todo);
  if (todo.records.length > 0) return {kind: 'record', why: 'recording what the disks hold', record: (draft) => { for (const record of todo.records) record(draft); }};
  if (todo.actions.length > 0) return act(`reading the disks of ${pods.join(', ')}`, ...todo.actions);
  return todo.waits.length > 0 ? wait(todo.waits.join('; ')) : undefined;
}

/** A volume for one pod alone: as long as the ended old pod's object is there, the scheduler places no agent on it. */
function makeWay(observation: Observation, pods: readonly string[]): Decision | undefined {
  const unread = pods.filter((pod) => runIn(observation).offline?.some((facts) => facts.pod === pod && facts.stage === 'Held') !== true);
  const [first] = unread.map((pod) => viewOf(observation, pod)).filter(isForOnePod).map((view) => replaceEnded(observation, view)).filter((decision) => decision !== undefined);
  return first;
}

/** Reads the candidates' disks once nothing runs on them, and settles the survivor by what they hold. */
export function inspect(observation: Observation): Decision {
  const back = quorumCameBack(observation);
  if (back) return back;
  const run = runIn(observation);
  const plan = run.plan;
  if (plan === undefined) return blocked('PlanChanged', 'the run has no plan');
  const reading = makeWay(observation, plan.candidates) ?? notReadYet(observation, plan.candidates) ?? inspectDisks(observation, plan.candidates, 'Held');
  if (reading) return reading;
  const memberships = knownMemberships(observation);
  const ids = clusterIDs(memberships);
  if (ids.length > 1) return blocked('TwoLineages', `the disks hold data of different clusters (cluster IDs ${ids.join(', ')}): ${memberships.map((m) => `${m.source}: ${m.clusterID ?? '?'}`).join('; ')}. Every name is held. Decide which data is right, and delete the QuorumRecovery: it lets everything go`);
  const voters = new Map(memberships.flatMap((m) => m.voters).map((voter) => [voter.memberID, voter]));
  const data = [...voters.values()].map((voter) => judgeData(observation, voter));
  const restores = databaseOwner(plan) !== undefined;
  const ranked = (restores ? rankDatabases : rankCandidates)(observation, data)
    .filter((candidate) => plan.candidates.includes(candidate.pod) && candidate.from === 'disk');
  const first = observation.spec.survivor === undefined ? ranked[0] : ranked.find((c) => c.pod === observation.spec.survivor?.pod);
  const named = observation.spec.survivor?.pod;
  const unfit = [...unfitMembers(observation, data), ...(restores ? corruptMembers(observation, data) : [])].join('; ');
  if (first === undefined && named !== undefined && ranked.length > 0) {
    return blocked('SurvivorNotEligible', `spec.survivor: no cluster can start from the data of ${named}: ${unfit}. Candidates: ${ranked.map(({pod}) => pod).join(', ')}. Every name is held; another survivor, or none, plans anew`);
  }
  if (first === undefined) return blocked('NoSurvivor', `none of ${plan.candidates.join(', ')} has data that a cluster can start from: ${unfit}. Every name is held. Restore a snapshot, or delete the QuorumRecovery: it lets everything go`);
  if (endsBefore(first, plan.lowest)) return behindPlan(observation, first.pod, first);
  if (restores) return inspectDatabases(observation, plan, first, data);
  const why = observation.spec.survivor ? plan.why : whyFirst(ranked);
  return done(`survivor: ${why}`, (draft) => {
    if (!draft.run?.plan) return;
    draft.run.plan.why = why;
    takeInstead(draft.run, first.pod);
  });
}

/** Another member than the plan's first one is taken: that one joins in its place. */
function takeInstead(run: Run, pod: string): void {
  const {plan} = run;
  if (plan === undefined || plan.survivor === pod) return;
  const before = plan.survivor;
  plan.survivor = pod;
  const swap = (name: string) => (name === `Join ${pod}` ? `Join ${before}` : name);
  plan.steps = plan.steps.map(swap);
  run.steps = run.steps.map((step) => ({...step, name: swap(step.name)}));
}

/** What is taken in the place of a force, by what the disks hold now. The plan asks again where that is worse than what was approved, or where a force would keep more. */
function inspectDatabases(observation: Observation, plan: Plan, first: Candidate, data: readonly DataVerdict[]): Decision {
  const auth = databaseAuthRefusal(observation, first.pod);
  if (auth) return blocked(auth.reason, `${auth.message}. Every name is held`);
  const known = {data: [...data], candidates: rankCandidates(observation, data)};
  const among = ({pod}: {pod?: string | undefined}) => plan.candidates.includes(pod ?? '');
  const planned = runIn(observation).identity?.version ?? '';
  const instead = fallBack(observation, {data: known.data.filter(({voter}) => among(voter)), candidates: known.candidates.filter(among)}, (pod) => planned || versionOf(viewOf(observation, pod)));
  if (instead?.survivor.pod !== first.pod) return planChanged(observation, `nothing speaks against a force any more (${whyFirst(known.candidates)}), which keeps what is in the log, and the plan had been to restore a database`);
  const snapshot = snapshotOf(observation, first);
  const worse = moreIsLost(plan.snapshot, snapshot);
  if (worse !== undefined) return planChanged(observation, `the database of ${first.pod}: ${worse}`);
  const settle = settleFallBack(observation, known, instead, snapshot);
  return done(`the database of ${first.pod}${plan.survivor === first.pod ? '' : `, which has more in it by now than that of ${plan.survivor}`}: ${leftInWords(snapshot)}`, (draft) => {
    settle(draft);
    if (draft.run) takeInstead(draft.run, first.pod);
  });
}
