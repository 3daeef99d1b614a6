import {join} from 'node:path';
import {appendProblem, planAppend} from '../etcd/wal/append.ts';
import type {LoggedConfChange} from '../etcd/wal/log.ts';
import {decideTail} from '../etcd/wal/tail.ts';
import type {Tail, TailDecision} from '../etcd/wal/tail.ts';
import {readWal} from '../etcd/wal/wal.ts';
import type {WalSummary} from '../etcd/wal/wal.ts';
import type {Arguments} from './arguments.ts';
import {Refusal} from './failure.ts';
import {refuseRunningEtcd} from './locks.ts';
import type {DataPlace} from './place.ts';
import type {PresentData, TailConfChange, TailFacts} from './report.ts';
import {recallCommits, rememberCommit} from './tailMemory.ts';
import type {TailCommit} from './tailMemory.ts';
import {statIfThere, stampOf} from './volume.ts';

/** Configuration changes of a tail that a report names. */
const reportedChanges = 8;

/** What is to happen to the tail, decided on one reading of the WAL, and what the WAL's files were then. */
export interface TailPlan {
  wal: WalSummary;
  decision: Exclude<TailDecision, {act: 'refuse'}>;
  stamp: string;
}

/**
 * Decides before anything is changed.
 * @param stamp of the WAL directory, taken before `wal` was read
 * @throws {Refusal} Unreadable, TailRemovesMember
 */
export function planTail(facts: PresentData, wal: WalSummary, stamp: string, {commitTail, laterEntryTerm}: Arguments): TailPlan {
  const applied = 'error' in facts.backend ? 0 : facts.backend.consistentIndex;
  const decision = decideTail(wal, {applied, commit: commitTail, ...(laterEntryTerm === undefined ? {} : {laterEntryTerm})});
  if (decision.act !== 'refuse') {
    return {wal, decision, stamp};
  }
  const untouched = 'Nothing was changed, and the marker is not spent.';
  throw decision.reason === 'Corrupt'
    ? new Refusal('Unreadable', `The WAL's tail cannot be committed: ${decision.why}. ${untouched}`, {inspect: facts})
    : new Refusal('TailRemovesMember', `The WAL's tail must not be committed: ${decision.why}. Start from another member, or restore a snapshot. ${untouched}`, {inspect: facts});
}

/**
 * Commits the tail, if that was decided. Only the pod that has spent the marker of its attempt comes here: what it changes is the data.
 * @throws {Refusal} DataInUse, Unreadable
 */
export function settleTail(place: DataPlace, plan: TailPlan, attempt: number): TailFacts {
  const {wal, decision} = plan;
  const earlier = recallCommits(place);
  if (decision.act === 'leave') {
    const {tail, reason, why} = decision;
    const entries = earlier[0]?.entries ?? 0;
    return {committed: false, entries, fromIndex: tail.from, toIndex: tail.to, already: entries > 0, reason, why, ...changes(tail.confChanges)};
  }
  if (decision.act === 'nothing') {
    const last = earlier.at(-1);
    if (last !== undefined) {
      // The earlier start may have been killed between the write and its sync.
      place.durable.changeFile(join(place.wal.path, last.segment), [{do: 'sync'}]);
    }
    return committed(earlier, last !== undefined);
  }
  // The copy can take minutes, and what follows rests on what was read before it.
  refuseRunningEtcd(place);
  if (stampOf(place.wal.path) !== plan.stamp) {
    throw new Refusal('DataInUse', `A file in ${place.wal.path} changed since it was read: a process still writes to the volume.`);
  }
  const path = join(place.wal.path, wal.end.position.segment);
  const append = planAppend(wal, decision.state, statIfThere(path)?.size ?? 0);
  const all = [...earlier, commitOf(decision.tail, append, attempt)].filter(({entries}) => entries > 0);
  rememberCommit(place, all);
  place.durable.changeFile(path, append.steps);
  const problem = appendProblem(wal, append, readWal(place.wal.path));
  if (problem !== undefined) {
    throw new Refusal('Unreadable', `The WAL does not say what was written to it: ${problem}. Its state before is in the copy.`);
  }
  return committed(all, false);
}

function commitOf(tail: Tail, {position, frame}: ReturnType<typeof planAppend>, attempt: number): TailCommit {
  return {
    attempt, entries: tail.to - tail.from + 1, fromIndex: tail.from, toIndex: tail.to, ...changes(tail.confChanges),
    ...position, frame: frame.toString('hex'),
  };
}

/** The first commit is the survivor's own tail; what a later attempt commits was written by the etcd that an earlier one had started. */
function committed([first, ...again]: readonly TailCommit[], already: boolean): TailFacts {
  if (first === undefined) {
    return {committed: true, entries: 0, already};
  }
  const {entries, fromIndex, toIndex, confChanges, confChangesOmitted} = first;
  const more = again.reduce((sum, commit) => sum + commit.entries, 0);
  return {
    committed: true, entries, fromIndex, toIndex, already,
    ...(confChanges === undefined ? {} : {confChanges}),
    ...(confChangesOmitted === undefined ? {} : {confChangesOmitted}),
    ...(more === 0 ? {} : {again: more}),
  };
}

function changes(all: readonly LoggedConfChange[]): {confChanges?: TailConfChange[]; confChangesOmitted?: number} {
  const named = all.slice(0, reportedChanges).map(({index, type, memberID}) => ({index, type, memberID}));
  return {
    ...(named.length === 0 ? {} : {confChanges: named}),
    ...(all.length === named.length ? {} : {confChangesOmitted: all.length - named.length}),
  };
}
