import type {AgentReport, InspectFacts, PresentData, SpendFacts, TailFacts} from '../../src/agent/report.ts';
import type {Arguments} from '../../src/agent/arguments.ts';
import {endsBefore} from '../../src/etcd/wal/log-end.ts';
import {copyOf, lastTerm} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';

type Failure = Extract<AgentReport, {ok: false}>;

/** A command that did not do what it was asked. */
export class Refused extends Error {
  readonly report: AgentReport;

  constructor(report: AgentReport) {
    super('refused');
    this.report = report;
  }
}

/** The agent's process is ended in the middle of its work: it reports nothing. */
export class Ended extends Error {}

export function refuse(args: Arguments, reason: Failure['reason'], message: string, more: Partial<Failure> = {}): never {
  throw new Refused({ok: false, command: args.command, run: args.run, reason, message, ...more});
}

const markersOf = (disk: Disk, run: string): Map<number, string> => {
  const known = disk.markers.get(run) ?? new Map<number, string>();
  disk.markers.set(run, known);
  return known;
};

function refuseLate(args: Arguments, disk: Disk): void {
  if (disk.sealed?.has(args.run)) refuse(args, 'RunSealed', `run ${args.run} was sealed`);
  const latest = Math.max(0, ...markersOf(disk, args.run).keys());
  if (latest > (args.attempt ?? 0)) refuse(args, 'AttemptSuperseded', `attempt ${latest} was spent already`);
}

function spend(args: Arguments, disk: Disk): SpendFacts {
  const [attempt, pod] = [args.attempt ?? 0, args.pod ?? ''];
  const spent = markersOf(disk, args.run);
  const by = spent.get(attempt);
  if (by !== undefined && by !== pod) refuse(args, 'MarkerSpent', `attempt ${attempt} was spent by pod ${by}`);
  spent.set(attempt, pod);
  return {attempt, pod, already: by === pod};
}

type Plan = {act: 'commit' | 'nothing'} | {act: 'leave'; why: string};

/** decideTail of src/etcd/wal/tail.ts, on the model's log. */
function planTail(args: Arguments, data: Data, inspect: PresentData): Plan {
  const kept = Math.max(data.commit, data.applied);
  const tail = data.log.slice(kept);
  if (tail.length === 0) return {act: 'nothing'};
  const later = args.laterEntryTerm ?? 0;
  if (later > lastTerm(data)) return {act: 'leave', why: `the tail may have been superseded: it ends in term ${lastTerm(data)}, and an entry of term ${later} was seen elsewhere`};
  if (tail.some((entry) => entry.removeMember === data.memberID)) refuse(args, 'TailRemovesMember', 'the tail removes this very member', {inspect});
  return {act: 'commit'};
}

function settleTail(args: Arguments, disk: Disk, data: Data, plan: Plan): TailFacts {
  const commits = disk.commits ?? new Map<string, {entries: number; from: number; to: number}>();
  disk.commits = commits;
  const earlier = commits.get(args.run);
  const [from, to] = [Math.max(data.commit, data.applied) + 1, data.log.length];
  if (plan.act === 'leave') return {committed: false, entries: earlier?.entries ?? 0, fromIndex: from, toIndex: to, already: earlier !== undefined, reason: 'MaybeSuperseded', why: plan.why};
  if (plan.act === 'commit') {
    data.term = Math.max(data.term, lastTerm(data));
    data.commit = to;
    if (earlier === undefined) commits.set(args.run, {entries: to - from + 1, from, to});
  }
  const first = commits.get(args.run);
  return first === undefined ? {committed: true, entries: 0, already: false} : {committed: true, entries: first.entries, fromIndex: first.from, toIndex: first.to, already: earlier !== undefined};
}

/**
 * src/agent/commands/prepare-force.ts: inspection, copy, marker and tail, in this order.
 * @param ends the agent's process is ended between marker and tail
 */
export function prepareForce(args: Arguments, disk: Disk, facts: InspectFacts, ends: () => boolean): AgentReport {
  refuseLate(args, disk);
  const {member} = disk;
  if (member.is === 'guard') refuse(args, 'Guarded', 'the data was set aside', {inspect: facts});
  if (member.is === 'absent' || facts.data !== 'Present') return refuse(args, 'NoData', 'there is no etcd data on this volume', {inspect: facts});
  const {data} = member;
  if (args.expectMember !== undefined && args.expectMember !== data.memberID) refuse(args, 'MemberMismatch', `the data is member ${data.memberID}'s`, {inspect: facts});
  if (args.expectCluster !== undefined && args.expectCluster !== data.clusterID) refuse(args, 'ClusterMismatch', `the data is of cluster ${data.clusterID}`, {inspect: facts});
  if (endsBefore({term: lastTerm(data), index: data.log.length}, {term: args.expectTerm ?? 0, index: args.expectIndex ?? 0})) {
    refuse(args, 'BehindPlan', `the log ends at ${data.log.length}`, {inspect: facts});
  }
  const plan = planTail(args, data, facts);
  const already = disk.copies.has(args.run);
  if (args.copy && !already) {
    if (disk.full === true) refuse(args, 'NoSpace', 'the copy needs 20480 bytes and 0 are free. Nothing was changed', {neededBytes: 20_480, freeBytes: 0, inspect: facts});
    disk.copies.set(args.run, copyOf(data));
  }
  const marker = spend(args, disk);
  if (ends()) throw new Ended();
  const tail = settleTail(args, disk, data, plan);
  return {
    ok: true, command: 'prepare-force', run: args.run, inspect: facts,
    ...(args.copy && {copy: {path: `.quorumrecovery/${args.run}/copy`, files: 3, bytes: 20_480, copiedBytes: 20_480, manifestSHA256: '00', already, reflinked: 0}}),
    marker, tail, milliseconds: {inspect: 1, copy: 1, tail: 1, total: 3},
  };
}
