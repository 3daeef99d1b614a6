import {approveStep, inFlight} from '../api/progress.ts';
import type {ConditionType, Phase} from '../api/reasons.ts';
import {databaseOwner} from '../api/strategies.ts';
import type {Condition, DataLoss, Plan, QuorumRecoveryStatus, Run} from '../api/types.ts';
import {removeCondition, setCondition} from '../operator/conditions.ts';
import type {Decision} from './decision.ts';
import {dependentsInWords} from './dependents.ts';
import {fallBackLoss} from './plans/fallBackLoss.ts';
import {lastingFindings} from './watch/findings.ts';
import {leftHeldInWords} from './evidence/heldBefore.ts';
import {leftOpen} from './interrupt.ts';
import {givenUpLoss} from './evidence/regressed.ts';
import {joinStep} from './plans/plan.ts';
import {isReplacement, replacedPods} from './replace.ts';
import {isRestart} from './restart.ts';
import {revisionsMayRepeat} from './plans/revisions.ts';
import {startsAnew} from './strategies.ts';

/** Where a resource stands, for people and for `kubectl wait`; everything here is derived. */
export type Standing =
  /** `note`: what else is to be said of it. */
  | {at: 'step'; step: string; decision: Decision; note?: string}
  /** `watch`: what the watch over a cluster that is recovered by itself sees; else the end of the last run is shown. */
  | {at: 'watching'; watch?: {serves: boolean; message: string}}
  /** The quorum seems to be lost; no run is in flight. */
  | {at: 'suspected'; message: string; reason?: 'AwaitingTurn'}
  /** spec.paused is set, and no run is in flight. */
  | {at: 'paused'}
  | {at: 'stalled'; reason: string; message: string};

/** The phase that a step belongs to. */
export const phaseOfStep = (step: string): Phase => {
  if (step.startsWith('Join ')) return 'Rejoining';
  switch (step) {
    case 'Plan': return 'Planning';
    case approveStep: return 'AwaitingApproval';
    case 'StopDependents': case 'Hold': case 'Stop': return 'Holding';
    case 'Remove': return 'Decommissioning';
    case 'Restart': return 'Restarting';
    case 'Restore': case 'StartAll': case 'StartEmpty': return 'Restoring';
    case 'Load': case 'Check': return 'Loading';
    case 'Inspect': return 'Preserving';
    case 'Force': case 'EndForce': case 'StartSurvivor': return 'ForcingNewCluster';
    case 'Decommission': return 'Decommissioning';
    default: return 'Verifying';
  }
};

const words = (decision: Decision): string => ('why' in decision ? decision.why : decision.message);

interface Summary {
  phase: Phase;
  ready: Omit<Condition, 'lastTransitionTime' | 'type'>;
  reconciling?: {reason: string; message: string};
  stalled?: {reason: string; message: string};
}

const isDone = ({steps}: Run, name: string): boolean => steps.find((step) => step.name === name)?.state === 'Done';

function whatWasDone(run: Run): string {
  if (isReplacement(run)) {
    const joined = replacedPods(run).filter((pod) => isDone(run, joinStep(pod)) && run.joins?.some((join) => join.pod === pod && join.gone === true) !== true);
    return joined.length === 0 ? 'replaced no member yet' : `replaced ${joined.join(', ')}`;
  }
  if (run.plan?.rebuild !== undefined) return `started a new cluster on ${(run.newCluster?.members ?? []).join(', ')} and loaded it from ${run.plan.rebuild.map(({name}) => name).join(', ')}`;
  const owner = databaseOwner(run.plan);
  if (owner !== undefined) return `recovered from the database of ${owner}, as a new cluster,`;
  if (startsAnew(run)) return `${run.plan?.snapshot === undefined ? 'started a new cluster' : `restored snapshot ${run.plan.snapshot.name}`} on ${(run.newCluster?.members ?? []).join(', ')}`;
  if (!isRestart(run)) return `recovered from ${run.plan?.survivor ?? ''}`;
  const {restarted = []} = run;
  if (restarted.length === 0) return 'a quorum came back, before any pod was restarted,';
  // Who does not serve yet is named as not back, by the check at the end.
  const again = restarted.filter(({back}) => back === true).map(({pod}) => pod).join(', ');
  return again === '' ? 'a quorum came back, without any pod that was restarted,' : `brought ${again} up again`;
}

function finishedSummary(run: Run, left: string | undefined): Summary {
  const seconds = ((Date.parse(run.finishedAt ?? run.startedAt) - Date.parse(run.startedAt)) / 1000).toFixed(0);
  const deferred = (run.joins ?? []).filter((join) => join.deferred !== undefined);
  const last = run.steps.find((step) => step.name === 'Plan')?.message ?? '';
  const held = left === undefined ? '' : `. ${left}`;
  switch (run.outcome) {
    case 'Recovered': return {phase: 'Complete', ready: {status: 'True', reason: 'Recovered', message: `${whatWasDone(run)} in ${seconds} s; ${run.steps.find((step) => step.name === 'Verify')?.message ?? ''}${dependentsInWords(run)}`}};
    case 'Degraded': return {phase: 'Complete', ready: {status: 'True', reason: 'Degraded', message: `${whatWasDone(run)} and verified, but not whole: ${[...deferred.map((join) => join.deferred?.message ?? join.pod), ...(left === undefined ? [] : [left])].join('; ')}${dependentsInWords(run)}`}};
    case 'NotNeeded': return {phase: 'Complete', ready: {status: 'True', reason: 'NotNeeded', message: `${last}${held}`}};
    case 'Released': return {phase: 'Complete', ready: {status: 'False', reason: 'Released', message: `${run.aborted?.message ?? last}${dependentsInWords(run)}${held}`}};
    case 'Failed': case undefined: return {phase: 'Failed', ready: {status: 'False', reason: 'Failed', message: run.steps.find((step) => step.state === 'Failed')?.message ?? last}};
  }
}

function summaryOf(status: QuorumRecoveryStatus, standing: Standing): Summary {
  if (standing.at === 'stalled') {
    return {phase: 'Stalled', ready: {status: 'False', reason: standing.reason, message: standing.message}, stalled: standing};
  }
  const {run} = status;
  if (standing.at === 'paused' && (run?.finishedAt === undefined || leftOpen({status}))) {
    return {phase: 'Watching', ready: {status: 'Unknown', reason: 'Paused', message: `${run?.aborted?.message ?? 'spec.paused is set'}; no run begins until spec.paused is false`}};
  }
  if (standing.at === 'suspected') {
    return {phase: 'Suspected', ready: {status: 'False', reason: standing.reason ?? 'QuorumSuspected', message: standing.message}};
  }
  if (standing.at === 'watching' && standing.watch !== undefined) {
    const {serves, message} = standing.watch;
    return {phase: 'Watching', ready: serves ? {status: 'True', reason: 'Watching', message} : {status: 'False', reason: 'DataRegressed', message}};
  }
  if (standing.at !== 'step') {
    return status.run?.finishedAt ? finishedSummary(status.run, leftHeldInWords(status)) : {phase: 'Watching', ready: {status: 'Unknown', reason: 'Progressing', message: 'watching'}};
  }
  const {decision, step, note} = standing;
  const message = note === undefined ? words(decision) : `${words(decision)} (${note})`;
  if (decision.kind === 'stalled') return {phase: 'Stalled', ready: {status: 'False', reason: decision.reason, message}, stalled: {reason: decision.reason, message}};
  if (decision.kind === 'blocked') {
    return {phase: 'Blocked', ready: {status: 'False', reason: decision.reason, message}, stalled: {reason: decision.reason, message}};
  }
  const phase = phaseOfStep(step);
  const progress = step === approveStep && decision.kind === 'wait' ? {reason: 'AwaitingApproval', message} : {reason: 'Progressing', message: `${step}: ${message}`};
  return {phase, ready: {status: 'Unknown', ...progress}, reconciling: progress};
}

/** Writes phase, progress and all conditions of a status. Conditions that are abnormal when True are there only while they are. */
export function summarize(draft: QuorumRecoveryStatus, standing: Standing, generation: number | undefined, now: number): void {
  const summary = summaryOf(draft, standing);
  const {run} = draft;
  const set = (type: ConditionType, status: Condition['status'], reason: string, message: string) => {
    draft.conditions = setCondition(draft.conditions, {type, status, reason, message}, generation, now);
  };
  const drop = (type: ConditionType) => { draft.conditions = removeCondition(draft.conditions, type); };
  if (generation !== undefined) draft.observedGeneration = generation;
  draft.phase = summary.phase;
  set('Ready', summary.ready.status, summary.ready.reason, summary.ready.message);
  if (summary.reconciling) set('Reconciling', 'True', summary.reconciling.reason, summary.reconciling.message);
  else drop('Reconciling');
  if (summary.stalled) set('Stalled', 'True', summary.stalled.reason, summary.stalled.message);
  else drop('Stalled');
  outcomeConditions(run, summary.ready, set, drop);
  heldConditions(draft, now, set, drop);
  if (inFlight(run) !== undefined && draft.conditions?.some(({type}) => type === 'PreferredLeader') === true) {
    set('PreferredLeader', 'Unknown', 'RunInFlight', 'leadership is not moved while a run is in flight');
  }
  quorumCondition(draft, set);
  lossCondition(draft, set, drop);
  if (draft.regression) set('DataRegressed', 'True', 'DataWentBack', draft.regression.message);
  else drop('DataRegressed');
  if (run) {
    const counted = run.steps.filter((step) => step.state === 'Done').length;
    run.progress = run.plan ? `${counted}/${run.steps.length}` : '';
  }
}

type Set = (type: ConditionType, status: Condition['status'], reason: string, message: string) => void;
type Drop = (type: ConditionType) => void;

/** `kubectl wait --for=condition=Complete` ends with any end; Succeeded says whether it was a good one. */
function outcomeConditions(run: Run | undefined, ready: Summary['ready'], set: Set, drop: Drop): void {
  const over = run?.finishedAt !== undefined;
  const outcome = run?.outcome ?? 'Failed';
  const good = outcome === 'Recovered' || outcome === 'NotNeeded' || outcome === 'Degraded';
  set('Complete', over ? 'True' : 'False', over ? outcome : ready.reason, ready.message);
  if (over) set('Succeeded', good ? 'True' : 'False', outcome, ready.message);
  else drop('Succeeded');
}

function heldConditions(draft: QuorumRecoveryStatus, now: number, set: Set, drop: Drop): void {
  const {run} = draft;
  const held = draft.heldPods ?? [];
  if (held.length > 0) set('Held', 'True', 'Held', leftHeldInWords(draft) ?? `${held.join(', ')}: held by run ${run?.id ?? ''}, they start when their turn comes`);
  else drop('Held');
  const deferred = (run?.joins ?? []).filter((join) => join.deferred !== undefined);
  const lasting = lastingFindings(draft, now);
  const [first] = lasting;
  if (deferred.length > 0) set('Degraded', 'True', deferred[0]?.deferred?.reason ?? 'Deferred', deferred.map((join) => join.deferred?.message ?? '').join('; '));
  else if (first !== undefined) set('Degraded', 'True', first.case, lasting.map(({message}) => message).join('; '));
  else drop('Degraded');
}

function quorumCondition(draft: QuorumRecoveryStatus, set: Set): void {
  const {quorum, run} = draft;
  if (quorum === undefined) return;
  const going = inFlight(run);
  const replaces = going !== undefined && isReplacement(going);
  // What is counted while members are replaced is told by whether a quorum serves.
  if (replaces && going.unservedSince !== undefined) {
    set('QuorumLost', 'Unknown', 'NotServing', `no quorum answers since ${going.unservedSince}; ${quorum.summary} voters were healthy, ${quorum.needed} needed`);
    return;
  }
  const lost = going?.plan !== undefined && going.writableAt === undefined && !replaces && !isRestart(going);
  if (lost) set('QuorumLost', 'True', 'LostForGood', `${quorum.summary} voters healthy, ${quorum.needed} needed`);
  else if (quorum.healthy < quorum.needed && going?.writableAt === undefined) set('QuorumLost', 'True', 'BelowQuorum', `${quorum.summary} voters healthy, ${quorum.needed} needed`);
  else if (draft.suspicion !== undefined) set('QuorumLost', draft.suspicion.agreedSince === undefined ? 'Unknown' : 'True', 'Suspected', `${draft.suspicion.kubernetes}; ${draft.suspicion.etcd}`);
  else set('QuorumLost', 'False', 'QuorumHolds', `${quorum.summary} voters healthy, ${quorum.needed} needed`);
}

function revisionsInWords(revisions: DataLoss['revisions']): string {
  if (revisions === undefined) return `Revisions go on from the survivor's. ${revisionsMayRepeat}`;
  const {from, to, proven, why} = revisions;
  return `The revision was moved from ${from} to ${to}, past what clients may have seen (${why}), and every watch from before was ended${proven ? '' : `. ${revisionsMayRepeat}`}`;
}

/** What etcdutl found in the copy of the database that the cluster was started from; undefined: it is sound, or was not read. */
const brokenSource = ({offline, plan}: Run): string | undefined => offline?.find(({pod}) => pod === plan?.survivor)?.etcdutl?.broken;

const nothingLost = (loss: DataLoss | undefined): string =>
  `nothing was lost: members were replaced while a quorum served, at revision ${loss?.survivorRevision ?? 0} and later, and every acknowledged write is on it. Old data of the replaced members that could be reached is kept`;

/** Honest about what cannot be known: without a witness nobody can tell that the survivor had everything. */
function lossCondition(draft: QuorumRecoveryStatus, set: Set, drop: Drop): void {
  const {dataLoss, run} = draft;
  if (run?.replace !== undefined) {
    // The intent alone has removed nobody, and what was without a quorum may be forced next.
    if (run.outcome === 'Failed' || run.unservedSince !== undefined || !isDone(run, 'Remove')) drop('DataLossPossible');
    else set('DataLossPossible', 'False', 'QuorumKept', nothingLost(dataLoss));
    return;
  }
  if (isRestart(run) && run?.writableAt !== undefined) {
    set('DataLossPossible', 'False', 'NothingForced', 'nothing was lost: nothing was forced, no disk was changed, and a quorum of members went on from its own data');
    return;
  }
  if (run?.newCluster?.servedAt !== undefined && run.plan?.snapshot !== undefined) restoredLoss(dataLoss, run, set);
  else if (run?.newCluster?.servedAt !== undefined && run.plan?.rebuild !== undefined) set('DataLossPossible', 'True', 'RebuiltFromSources', rebuiltLoss(dataLoss, run.plan));
  else if (run?.force?.endedAt !== undefined) forcedLoss(dataLoss, run, set);
  else if (run === undefined || run.plan === undefined) drop('DataLossPossible');
}

/** What is not in the sources is lost; how much that is nobody can tell. */
const rebuiltLoss = (loss: DataLoss | undefined, {rebuild = []}: Plan): string =>
  `the cluster was started empty and loaded from ${rebuild.map(({name, from}) => `${name} (${from})`).join(', ')}: everything else is lost${loss?.lastKnownRevision === undefined ? '' : ` (revision ${loss.lastKnownRevision} was seen before)`}, and revisions begin anew. All old data within reach is set aside on its volumes and kept`;

/** What was written after the snapshot was taken is not in it: how much that was is only known where somebody saw how far the cluster was. */
function restoredLoss(dataLoss: DataLoss | undefined, run: Run, set: Set): void {
  const {lastKnownRevision, witnessed = false, revisions} = dataLoss ?? {};
  const told = dataLoss === undefined ? undefined : fallBackLoss(dataLoss);
  if (told !== undefined) {
    set('DataLossPossible', told.status, told.reason, `${told.message}. ${revisionsInWords(revisions)}`);
    return;
  }
  const {name = '', revision = 0, takenAt = 'an unknown time'} = run.plan?.snapshot ?? {};
  const from = `the cluster was started from snapshot ${name} of ${takenAt}, at revision ${revision}`;
  if (lastKnownRevision !== undefined && lastKnownRevision > revision) set('DataLossPossible', 'True', 'RestoredFromSnapshot', `${from}; revision ${lastKnownRevision} was seen before: ${lastKnownRevision - revision} revisions at least are lost. ${revisionsInWords(revisions)}`);
  else if (witnessed) set('DataLossPossible', 'True', 'RestoredFromSnapshot', `${from}, not behind the last seen revision ${lastKnownRevision ?? 0}; what was written since that was seen is lost, and how much it was nobody saw. ${revisionsInWords(revisions)}`);
  else set('DataLossPossible', 'True', 'RestoredFromSnapshot', `${from}; what was written since is lost, and how much it was nobody saw. ${revisionsInWords(revisions)}`);
}

function forcedLoss(dataLoss: DataLoss | undefined, run: Run, set: Set): void {
  const {survivorRevision = 0, lastKnownRevision, discardedEntries = 0, recoveredTailEntries = 0, witnessed = false, longerLogs = [], revisions} = dataLoss ?? {};
  const kept = recoveredTailEntries > 0 ? `; ${recoveredTailEntries} log entries beyond its commit index were kept` : '';
  const say = (status: Condition['status'], reason: string, message: string) => { set('DataLossPossible', status, reason, `${message}.${givenUpLoss(run.plan)} ${revisionsInWords(revisions)}`); };
  const broken = brokenSource(run);
  if (broken !== undefined) {
    say('True', 'DatabaseBroken', `the cluster was started from a database that etcdutl finds broken (${broken}), at revision ${survivorRevision}${kept}. Look at the copy of it and at the snapshot from before the stop, if there is one (status.run.snapshots), and be ready to restore one`);
  } else if (longerLogs.length > 0) {
    say('True', 'LongerLogElsewhere', `the survivor is at revision ${survivorRevision}${kept}; ${longerLogs.join('; ')}${discardedEntries > 0 ? `; etcd dropped ${discardedEntries} entries of the survivor's own log (${run.force?.tail ?? ''})` : ''}`);
  } else if (discardedEntries > 0) {
    say('True', 'EntriesDiscarded', `etcd dropped ${discardedEntries} log entries beyond the survivor's commit index; writes that were acknowledged in the last moment may be among them${run.force?.tail === undefined ? '' : ` (${run.force.tail})`}`);
  } else if (lastKnownRevision !== undefined && lastKnownRevision > survivorRevision) {
    say('True', 'BehindWitness', `the survivor is at revision ${survivorRevision}${kept}; revision ${lastKnownRevision} was seen before`);
  } else if (givenUpLoss(run.plan) !== '') {
    say('True', 'PresentDataSetAside', `the survivor is at revision ${survivorRevision}, not behind the last seen revision of the old cluster, and nothing on its disk was dropped${kept}`);
  } else if (!witnessed) {
    say('Unknown', 'NoWitness', `nothing on the survivor's disk was dropped (revision ${survivorRevision}${kept}); whether the lost members had more is not known, because this resource did not watch the cluster before`);
  } else {
    say('False', 'NothingDropped', `the survivor is at revision ${survivorRevision}, not behind the last seen revision ${lastKnownRevision ?? 0}, and nothing on its disk was dropped${kept}`);
  }
}
