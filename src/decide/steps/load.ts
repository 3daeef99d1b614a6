import type {RebuildCheck, RebuildSource} from '../../api/rebuild.ts';
import type {Run} from '../../api/types.ts';
import {rebuildJob, standingOf} from '../../kubernetes/rebuildJobs.ts';
import type {Part} from '../../kubernetes/rebuildJobs.ts';
import type {Observation} from '../../observe/observation.ts';
import {sourceInWords} from '../../rebuild/words.ts';
import type {BlockedReason} from '../../api/reasons.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked, done, wait} from '../decision.ts';
import {byDump} from './byDump.ts';
import {runIn} from './common.ts';

type Rebuild = NonNullable<Run['rebuild']>;
type SourceRecord = Rebuild['sources'][number];
type CheckRecord = Rebuild['checks'][number];

const iso = (now: number) => new Date(now).toISOString();

/** Changes the record of this name in a list, made if there is none. */
function change<T extends {name: string; startedAt: string}>(records: T[], made: T, changes: Partial<T>): void {
  const found = records.find(({name}) => name === made.name);
  if (found === undefined) records.push(made);
  else Object.assign(found, changes);
}

function inRebuild(of: (rebuild: Rebuild) => void): Transaction {
  return (draft) => {
    if (!draft.run) return;
    draft.run.rebuild ??= {sources: [], checks: []};
    of(draft.run.rebuild);
  };
}

export const recordSource = (name: string, changes: Partial<SourceRecord> & Pick<SourceRecord, 'state'>, now: number): Transaction =>
  inRebuild(({sources}) => { change(sources, {name, startedAt: iso(now), ...changes}, changes); });

export const recordCheck = (name: string, changes: Partial<CheckRecord> & Pick<CheckRecord, 'state'>, now: number): Transaction =>
  inRebuild(({checks}) => { change(checks, {name, startedAt: iso(now), ...changes}, changes); });

interface JobOptions {
  part: Part;
  cronJob: string;
  begun: Transaction;
  ended: (job: string) => Transaction;
  /** Of a Job that failed. */
  reason: BlockedReason;
}

/** Makes the Job, waits for it, and says what came of it. */
function byJob(observation: Observation, {part, cronJob, begun, ended, reason}: JobOptions): Decision {
  const {step, name} = part;
  const what = `${step === 'Load' ? 'source' : 'check'} ${name}`;
  const template = observation.jobs?.cronJobs[cronJob];
  if (observation.jobs === undefined) return wait(`looking for the Job of ${what}`, 10);
  if (template === undefined) return blocked(reason, `${what}: there is no CronJob ${cronJob} any more. Make it again, or correct spec.rebuild; the run goes on by itself. Nobody uses the new cluster yet`);
  const wanted = rebuildJob(observation, part, template);
  const job = observation.jobs.made.find(({metadata}) => metadata?.name === wanted.metadata?.name);
  const jobName = wanted.metadata?.name ?? '';
  if (job === undefined) return {kind: 'act', why: `${what}: starting Job ${jobName} from CronJob ${cronJob}`, record: begun, actions: [{type: 'CreateJob', job: wanted}]};
  const standing = standingOf(job);
  switch (standing.at) {
    case 'Works': return wait(`${what}: Job ${jobName} works`, 1_000);
    case 'Succeeded': return {kind: 'record', why: `${what}: Job ${jobName} has succeeded`, record: ended(jobName)};
    case 'Failed': return blocked(reason, `${what}: Job ${jobName} failed (${standing.why}). Read its log (kubectl logs job/${jobName}); mend CronJob ${cronJob}, or what it reads, then delete the Job to have it made again: a changed template makes another Job at once. The run goes on by itself. Nobody uses the new cluster yet`);
  }
}

function loadOne(observation: Observation, source: RebuildSource): Decision {
  const {now} = observation;
  const {name, cronJob} = source;
  const begun = recordSource(name, {state: 'Loading', from: sourceInWords(source)}, now);
  if (source.claim !== undefined) {
    return byDump(observation, {
      command: 'dump-load', source, what: `source ${name} (${sourceInWords(source)})`, of: runIn(observation).rebuild?.sources.find((one) => one.name === name)?.finishedAt, begun, reason: 'LoadFailed',
      ended: ({keys, hash}) => ({kind: 'record', why: `${name} is loaded: ${keys} keys`, record: recordSource(name, {state: 'Loaded', from: sourceInWords(source), keys, hash, finishedAt: iso(now)}, now)}),
    });
  }
  if (cronJob === undefined) return {kind: 'act', why: `loading ${name} (${sourceInWords(source)})`, record: begun, actions: [{type: 'LoadKeys', source}]};
  return byJob(observation, {
    part: {step: 'Load', name}, cronJob, begun, reason: 'LoadFailed',
    ended: (job) => recordSource(name, {state: 'Loaded', from: sourceInWords(source), job, finishedAt: iso(now)}, now),
  });
}

/** The first source that is not loaded, in order; undefined: all are. A load that was cut off begins again: the same keys get the same values. */
export function loadNext(observation: Observation): Decision | undefined {
  const {rebuild} = runIn(observation);
  const open = (observation.spec.rebuild?.sources ?? []).find(({name}) => rebuild?.sources.find((one) => one.name === name)?.state !== 'Loaded');
  return open === undefined ? undefined : loadOne(observation, open);
}

/** A source that was changed since it was loaded: it is loaded anew, and every check asked again. */
export const loadAnew = (name: string, now: number): Transaction => (draft) => {
  recordSource(name, {state: 'Loading'}, now)(draft);
  for (const one of draft.run?.rebuild?.checks ?? []) one.state = 'Running';
};

/** The next dump on a claim that this check compares, as it was loaded; undefined: there is none, or all were. */
function compareDump(observation: Observation, {name, sources = []}: RebuildCheck, begun: Transaction): Decision | undefined {
  const {now} = observation;
  const {rebuild} = runIn(observation);
  const compared = rebuild?.checks.find((one) => one.name === name)?.compared ?? [];
  const stateOf = (source: string): string => `${source} ${rebuild?.sources.find((one) => one.name === source)?.finishedAt ?? ''}`;
  const source = observation.spec.rebuild?.sources.find((one) => one.claim !== undefined && sources.includes(one.name) && !compared.includes(stateOf(one.name)));
  if (source === undefined) return undefined;
  const state = stateOf(source.name);
  return byDump(observation, {
    command: 'dump-compare', source, what: `check ${name}, source ${source.name} (${sourceInWords(source)})`, of: {name, state}, begun, reason: 'CheckFailed',
    ended: (report) => {
      if (report.hash !== rebuild?.sources.find((one) => one.name === source.name)?.hash) return {kind: 'record', why: `source ${source.name} was changed since it was loaded: it is loaded anew`, record: loadAnew(source.name, now)};
      if ('wrong' in report) return {problem: `${report.wrong} in etcd, unlike in the dump: a Job or somebody else wrote it since`};
      return {kind: 'record', why: `${source.name} is in etcd as it is in the dump`, record: recordCheck(name, {state: 'Running', compared: [...compared, state]}, now)};
    },
  });
}

function checkOne(observation: Observation, check: RebuildCheck): Decision {
  const {now} = observation;
  const {name, cronJob} = check;
  const begun = recordCheck(name, {state: 'Running'}, now);
  const compare = compareDump(observation, check, begun);
  if (compare) return compare;
  if (cronJob === undefined) return {kind: 'act', why: `checking ${name}`, record: begun, actions: [{type: 'CheckKeys', check}]};
  return byJob(observation, {
    part: {step: 'Check', name}, cronJob, begun, reason: 'CheckFailed',
    ended: (job) => recordCheck(name, {state: 'Passed', job, finishedAt: iso(now)}, now),
  });
}

/** What the plan names has to be loaded, whatever spec.rebuild says by now: nobody approved a cluster without it. */
function plannedNotLoaded(observation: Observation): Decision | undefined {
  const {plan, rebuild} = runIn(observation);
  const open = (plan?.rebuild ?? []).filter(({name}) => rebuild?.sources.find((one) => one.name === name)?.state !== 'Loaded');
  if (open.length === 0) return undefined;
  return blocked('LoadFailed', `${open.map(({name, from}) => `source ${name} (${from})`).join(', ')} of the approved plan ${open.length === 1 ? 'is' : 'are'} not loaded, and spec.rebuild.sources does not name ${open.length === 1 ? 'it' : 'them'} any more. Put ${open.length === 1 ? 'it' : 'them'} back into spec.rebuild under the same name; the run goes on by itself. Nobody uses the new cluster yet`);
}

/** Loads the empty cluster from its sources. */
export function load(observation: Observation): Decision {
  const next = loadNext(observation) ?? plannedNotLoaded(observation);
  if (next) return next;
  const {rebuild} = runIn(observation);
  return done(`loaded ${(rebuild?.sources ?? []).map(({name, keys}) => `${name}${keys === undefined ? '' : ` (${keys} key${keys === 1 ? '' : 's'})`}`).join(', ')}`);
}

/** The declared checks. A source that changed since it was loaded is loaded anew, and what was checked before that is checked again. */
export function check(observation: Observation): Decision {
  const {rebuild} = runIn(observation);
  const checks = observation.spec.rebuild?.checks ?? [];
  const open = checks.find(({name}) => rebuild?.checks.find((one) => one.name === name)?.state !== 'Passed');
  const next = loadNext(observation) ?? plannedNotLoaded(observation) ?? (open === undefined ? undefined : checkOne(observation, open));
  return next ?? done(checks.length === 0 ? 'no check is declared' : `checked: ${checks.map(({name}) => name).join(', ')}`);
}
