import type {V1ManagedFieldsEntry} from '@kubernetes/client-node';
import {databaseOwner, strategyWords} from '../../api/strategies.ts';
import type {DataLoss, DependentRecord, Plan, QuorumRecovery, Run, StepRecord} from '../../api/types.ts';
import {fallBackLoss} from '../../decide/plans/fallBackLoss.ts';
import {fieldManager} from '../kube/http.ts';
import {marks} from '../marks.ts';
import {phaseTimes} from '../render/phases.ts';
import {conditionOf, nameOf, namespaceOf} from '../resources.ts';

export interface Moment {
  at: string;
  /** Where it has a length. */
  until?: string | undefined;
  kind: 'loss' | 'person' | 'run' | 'phase' | 'step' | 'milestone' | 'event';
  title: string;
  text?: string | undefined;
}

export interface Act {
  what: string;
  who: string;
  at: string | undefined;
  /** How this is known. */
  source: string;
}

export interface KeptThing {
  what: string;
  where: string;
  until: string | undefined;
}

/** An incident report of one run: the same facts for every form. */
export interface Report {
  resource: string;
  namespace: string;
  statefulSet: string;
  run: string;
  generatedAt: string;
  outcome: string;
  summary: string;
  startedAt: string | undefined;
  finishedAt: string | undefined;
  lostAt: string | undefined;
  writableAt: string | undefined;
  redundantAt: string | undefined;
  durationSeconds: number | undefined;
  unavailableSeconds: number | undefined;
  survivor: string | undefined;
  strategy: string | undefined;
  moments: Moment[];
  phases: {phase: string; startedAt: string | undefined; finishedAt: string | undefined; seconds: number | undefined}[];
  steps: StepRecord[];
  people: Act[];
  plan: Plan | undefined;
  kept: KeptThing[];
  dependents: DependentRecord[];
  loss: {verdict: 'None' | 'Possible' | 'Unknown' | 'NotTold'; text: string; facts: DataLoss | undefined};
  members: {pod: string; memberID: string; health: string; revision: number | undefined; node: string; fenced: string}[];
  /** What this report cannot tell. */
  gaps: string[];
}

export interface RecordedEvent {
  at: string;
  reason: string;
  note: string;
}

const seconds = (from: string | undefined, to: string | undefined): number | undefined =>
  (from === undefined || to === undefined ? undefined : Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 100) / 10));

/** Whether a managedFields entry has set a field of the spec. */
function owns(entry: V1ManagedFieldsEntry, ...path: string[]): boolean {
  let at: unknown = entry.fieldsV1;
  for (const part of ['spec', ...path]) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[`f:${part}`] : undefined;
  return at !== undefined;
}

/** Fields of the spec by which a person decides. */
const personFields: readonly string[][] = [['approvedPlan'], ['trigger', 'request'], ['lostMembers'], ['survivor'], ['paused']];

function approvalOf({metadata}: QuorumRecovery, run: Run | undefined): Act[] {
  if (run?.approved === undefined) return run?.plan === undefined ? [] : [{what: 'no approval was asked for (spec.approval)', who: '-', at: undefined, source: 'status.run'}];
  const {hash, at} = run.approved;
  const words = metadata.annotations?.[marks.approvedBy]?.split(' ');
  // The note is of the last approval, which may be of another plan.
  const known = words?.at(-2) === hash ? words.slice(0, -2).join(' ') : undefined;
  return [{what: `approved plan ${hash}`, who: known ?? 'not recorded', at, source: known === undefined ? 'status.run.approved' : `annotation ${marks.approvedBy}`}];
}

function notesOf({metadata}: QuorumRecovery): Act[] {
  return ([[marks.requestedBy, 'asked for the run'], [marks.releasedBy, 'let the run go by hand']] as const).flatMap(([mark, what]) => {
    const words = metadata.annotations?.[mark]?.split(' ') ?? [];
    return words.length > 1 ? [{what, who: words.slice(0, -1).join(' '), at: words.at(-1), source: `annotation ${mark}`}] : [];
  });
}

/** One entry has one time, that of the last change of any of its fields. */
function fieldsOf(entry: V1ManagedFieldsEntry): Act[] {
  const fields = personFields.filter((path) => owns(entry, ...path)).map((path) => `spec.${path.join('.')}`);
  if (entry.subresource === 'status' || fields.length === 0) return [];
  const at = entry.time === undefined ? undefined : new Date(entry.time).toISOString();
  return [{what: `set ${fields.join(', ')}; the last of it then`, who: `with ${entry.manager ?? 'an unknown program'}`, at, source: 'metadata.managedFields'}];
}

/** Who did what, as far as the resource tells: Kubernetes keeps the program and the time of a field's last change, and not the person. */
const peopleOf = (resource: QuorumRecovery, run: Run): Act[] => [...approvalOf(resource, run), ...notesOf(resource), ...(resource.metadata.managedFields ?? []).flatMap(fieldsOf)];

function keptBy({status}: QuorumRecovery, run: Run | undefined, id: string): KeptThing[] {
  const kept: KeptThing[] = [];
  const copy = run?.force?.copy;
  const survivor = run?.plan?.survivor;
  const until = (pod: string | undefined) => status?.kept?.find((one) => one.run === id && one.pod === pod)?.until;
  if (copy !== undefined && survivor !== undefined) kept.push({what: `${survivor}'s data as it was before the force`, where: `${copy} on its own volume`, until: until(survivor)});
  for (const join of run?.joins ?? []) {
    if (join.guarded === true) kept.push({what: `${join.pod}'s old data, set aside`, where: `.quorumrecovery/${id} on its own volume`, until: until(join.pod)});
    for (const uid of join.replacedClaims ?? []) kept.push({what: `the volume of a replaced claim of ${join.pod} (claim UID ${uid})`, where: 'its PersistentVolume, set to Retain', until: undefined});
  }
  for (const one of status?.kept ?? []) {
    if (one.run === id && !kept.some(({until: end, what}) => end === one.until && what.startsWith(one.pod))) kept.push({what: `what the run left on the volume of ${one.pod}`, where: `.quorumrecovery/${id}`, until: one.until});
  }
  return kept;
}

const isServed = ({status}: QuorumRecovery): boolean => status?.run?.newCluster?.servedAt !== undefined;

const byCondition = ({status, message}: {status: string; message: string}, facts: DataLoss | undefined): Report['loss'] =>
  ({verdict: status === 'False' ? 'None' : status === 'True' ? 'Possible' : 'Unknown', text: message, facts});

/** No data of a member went on: what is not in the snapshot or the sources is lost, however little is known of it. */
function lossAnew(strategy: string, {survivorRevision, lastKnownRevision}: DataLoss): string {
  const seen = lastKnownRevision === undefined ? '' : `; revision ${lastKnownRevision} was seen anywhere`;
  if (strategy === 'RebuildFromConfig') return `where the new cluster was begun with, everything that is not in the sources is lost${seen}`;
  return `where the new cluster was begun with, everything that was written after the snapshot${survivorRevision === undefined ? '' : ` (revision ${survivorRevision})`} is lost${seen}`;
}

function lossOf(resource: QuorumRecovery, facts: DataLoss | undefined, {isLast, strategy}: {isLast: boolean; strategy: string | undefined}): Report['loss'] {
  const anew = strategy === 'RestoreSnapshot' || strategy === 'RebuildFromConfig';
  // Until a new cluster serves the condition is still that of an earlier run.
  const condition = isLast && (!anew || isServed(resource)) ? conditionOf(resource, 'DataLossPossible') : undefined;
  if (condition !== undefined) return byCondition(condition, facts);
  const told = facts === undefined ? undefined : fallBackLoss(facts);
  if (told !== undefined) return byCondition(told, facts);
  const {lossless} = strategyWords(strategy);
  if (facts !== undefined && lossless !== undefined) return {verdict: 'None', text: lossless, facts};
  if (anew && facts !== undefined) return {verdict: 'Possible', text: lossAnew(strategy, facts), facts};
  if (facts === undefined) return {verdict: 'NotTold', text: 'nothing was forced in this run', facts};
  const {survivorRevision = 0, lastKnownRevision, discardedEntries = 0} = facts;
  const behind = lastKnownRevision !== undefined && lastKnownRevision > survivorRevision;
  const text = `the survivor was at revision ${survivorRevision}${lastKnownRevision === undefined ? '' : `, revision ${lastKnownRevision} was seen anywhere`}; etcd dropped ${discardedEntries} log entries`;
  return {verdict: behind || discardedEntries > 0 || (facts.longerLogs ?? []).length > 0 ? 'Possible' : facts.witnessed === true ? 'None' : 'Unknown', text, facts};
}

function momentsOf(run: Run, lostAt: string | undefined, people: readonly Act[], events: readonly RecordedEvent[]): Moment[] {
  const end = run.finishedAt;
  const within = (at: string) => at >= (lostAt ?? run.startedAt).slice(0, 19) && (end === undefined || at <= new Date(Date.parse(end) + 60_000).toISOString());
  const moments: Moment[] = [
    ...(lostAt === undefined ? [] : [{at: lostAt, kind: 'loss' as const, title: 'Quorum lost', text: 'fewer voters answer than a quorum (condition QuorumLost)'}]),
    {at: run.startedAt, kind: 'run', title: `Run ${run.id} begins`, text: `attempt ${run.attempt}`},
    ...phaseTimes(run).flatMap(({phase, startedAt, finishedAt}): Moment[] => (startedAt === undefined ? [] : [{at: startedAt, until: finishedAt, kind: 'phase', title: phase}])),
    ...run.steps.flatMap((step): Moment[] => (step.startedAt === undefined ? [] : [{at: step.startedAt, until: step.finishedAt, kind: 'step', title: step.name, text: step.message}])),
    // What the plugin did stands in its own notes, with the person and the time of each act.
    ...people.flatMap(({what, who, at}): Moment[] => (at === undefined || !within(at) || who === `with ${fieldManager}` ? [] : [{at, kind: 'person', title: who === 'not recorded' ? what : `${who}: ${what}`}])),
    ...(run.writableAt === undefined ? [] : [{at: run.writableAt, kind: 'milestone' as const, title: 'Clients can write', text: run.plan?.strategy === 'Restart' ? 'a quorum serves again' : 'the survivor\'s own pod accepted a write'}]),
    ...(run.redundantAt === undefined ? [] : [{at: run.redundantAt, kind: 'milestone' as const, title: 'Whole again', text: 'all members that can run are voters with equal data'}]),
    ...(end === undefined ? [] : [{at: end, kind: 'run' as const, title: `Run ends: ${run.outcome ?? 'unknown'}`}]),
    // The end of a step is told with its beginning.
    ...events.filter(({at, reason}) => within(at) && !reason.endsWith('Done')).map(({at, reason, note}): Moment => ({at, kind: 'event', title: reason, text: note})),
  ];
  return moments.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

const dependentsOf = ({dependents}: Run): Report['dependents'] => dependents ?? [];

const survivorOf = ({plan}: Run): string | undefined => databaseOwner(plan) ?? plan?.survivor;

function lastReport(resource: QuorumRecovery, run: Run, events: readonly RecordedEvent[] | undefined, base: Report): Report {
  const people = peopleOf(resource, run);
  const past = resource.status?.history?.find((one) => one.id === run.id);
  // Counted back from the history's own figure: the condition has changed since.
  const counted = past?.unavailableSeconds === undefined || run.writableAt === undefined ? undefined : new Date(Date.parse(run.writableAt) - past.unavailableSeconds * 1000).toISOString();
  const lost = conditionOf(resource, 'QuorumLost');
  const lostAt = counted ?? (lost?.status === 'True' ? lost.lastTransitionTime : undefined);
  const ready = conditionOf(resource, 'Ready');
  return {
    ...base, outcome: run.outcome ?? 'in flight', summary: ready?.message ?? '', startedAt: run.startedAt, finishedAt: run.finishedAt, lostAt,
    writableAt: run.writableAt, redundantAt: run.redundantAt, durationSeconds: seconds(run.startedAt, run.finishedAt),
    unavailableSeconds: past?.unavailableSeconds ?? seconds(lostAt !== undefined && lostAt < run.startedAt ? lostAt : run.startedAt, run.writableAt),
    survivor: survivorOf(run), strategy: run.plan?.strategy, plan: run.plan, steps: run.steps, people,
    moments: momentsOf(run, lostAt !== undefined && lostAt < run.startedAt ? lostAt : undefined, people, events ?? []),
    phases: phaseTimes(run).map(({phase, startedAt, finishedAt}) => ({phase, startedAt, finishedAt, seconds: seconds(startedAt, finishedAt)})),
    kept: keptBy(resource, run, run.id), dependents: dependentsOf(run), loss: lossOf(resource, resource.status?.dataLoss, {isLast: true, strategy: run.plan?.strategy}),
    gaps: [
      ...(events === undefined ? ['Events could not be read (no right to list them): they are missing in the timeline.'] : []),
      'Kubernetes records which program changed a field, not which person. Names come from annotations that the plugin writes, and whoever may edit the resource can write them too: the audit log of the API server is the proof.',
    ],
  };
}

type Past = NonNullable<NonNullable<QuorumRecovery['status']>['history']>[number];

const membersOf = ({status}: QuorumRecovery): Report['members'] => (status?.members ?? []).map(({pod, memberID = '-', health, revision, node = '-', fenced}) =>
  ({pod, memberID, health, revision, node, fenced: fenced === undefined ? '-' : `${fenced.by}${fenced.message === undefined ? '' : ` (${fenced.message})`}`}));

/** What is told of every run. */
const baseReport = (resource: QuorumRecovery, id: string, past: Past | undefined, now: number): Report => ({
  resource: nameOf(resource), namespace: namespaceOf(resource), statefulSet: resource.spec.target.statefulSet, run: id, generatedAt: new Date(now).toISOString(),
  outcome: past?.outcome ?? 'unknown', summary: past?.reason ?? '', startedAt: undefined, finishedAt: past?.finishedAt, lostAt: undefined, writableAt: undefined, redundantAt: undefined,
  durationSeconds: past?.durationSeconds, unavailableSeconds: past?.unavailableSeconds, survivor: past?.survivor, strategy: past?.strategy,
  moments: [], phases: [], steps: [], people: [], plan: undefined, kept: keptBy(resource, undefined, id), dependents: [], loss: lossOf(resource, past?.dataLoss, {isLast: false, strategy: past?.strategy}), members: [],
  gaps: ['Of earlier runs the resource keeps one line: steps, proofs and times in between are gone.'],
});

/** The report of a run; undefined: the resource knows no run of that id. */
export function reportOf(resource: QuorumRecovery, events: readonly RecordedEvent[] | undefined, now: number, id?: string): Report | undefined {
  const run = resource.status?.run;
  const wanted = id ?? run?.id;
  if (wanted === undefined) return undefined;
  const past = resource.status?.history?.find((one) => one.id === wanted);
  const base = baseReport(resource, wanted, past, now);
  if (run?.id === wanted) return {...lastReport(resource, run, events, base), members: membersOf(resource)};
  if (past === undefined) return undefined;
  const startedAt = new Date(Date.parse(past.finishedAt) - past.durationSeconds * 1000).toISOString();
  return {...base, startedAt, moments: [
    {at: startedAt, kind: 'run', title: `Run ${past.id} begins`}, {at: past.finishedAt, kind: 'run', title: `Run ends: ${past.outcome}`},
  ]};
}

/** The runs that a resource knows, the newest first. */
export const runIDs = ({status}: QuorumRecovery): string[] => [...new Set([...(status?.run === undefined ? [] : [status.run.id]), ...(status?.history ?? []).map((one) => one.id)])];
