import {endsBefore} from '../../etcd/wal/log-end.ts';
import type {WalSummary} from '../../etcd/wal/wal.ts';
import type {Arguments} from '../arguments.ts';
import {copyData} from '../copying.ts';
import {inspectData} from '../facts.ts';
import type {Inspection} from '../facts.ts';
import {errorCode, Refusal} from '../failure.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {refuseLate, spendMarker} from '../marker.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {PrepareForceReport, PresentData, SpendFacts} from '../report.ts';
import {planTail, settleTail} from '../tail.ts';
import {stampOf} from '../volume.ts';

/**
 * Init container of the forced start: inspection, copy, marker and tail in one process, in this order.
 * - A refusal comes before the marker is spent, and no force comes before the copy, which holds the WAL as it was.
 * - The tail is committed after the marker is spent: that changes the data, so only the one pod may do it that may also start etcd. A
 *   late pod of a deposed operator is refused with the data untouched. The other way round it could look, find the marker unspent, and
 *   write below the etcd that another pod has started meanwhile.
 * - Killed in between, the same pod goes on: the marker is its own. So does a later attempt.
 */
export function prepareForce(args: Arguments, onStep?: OnStep): PrepareForceReport {
  const begin = performance.now();
  const place = locateData(args, onStep);
  // Before the copy: nobody would remove what a late pod of a pruned run copied.
  refuseLate(place, args.attempt ?? 0);
  refuseRunningEtcd(place);
  const stamp = stampOf(place.wal.path);
  const {facts, wal} = requireForceable(inspectData(place), args);
  const plan = planTail(facts, wal, stamp, args);
  const inspected = performance.now();
  const copy = args.copy ? {copy: copyData(place)} : {};
  const copied = performance.now();
  const marker = spendMarker(place, args.attempt ?? 0, args.pod ?? '');
  const spent = performance.now();
  const tail = withMarker(marker, facts, () => settleTail(place, plan, marker.attempt));
  const end = performance.now();
  return {
    ok: true,
    command: 'prepare-force',
    run: args.run,
    inspect: facts,
    ...copy,
    marker,
    tail,
    milliseconds: {
      inspect: Math.round(inspected - begin),
      copy: Math.round(copied - inspected),
      tail: Math.round(end - spent),
      total: Math.round(end - begin),
    },
  };
}

/** A failure from here on is told together with the marker, which stays spent. */
function withMarker<T>(marker: SpendFacts, inspect: PresentData, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refusal) {
      throw new Refusal(error.reason, error.message, {...error.details, inspect, marker});
    }
    if (errorCode(error) !== undefined) {
      throw new Refusal('IOError', (error as Error).message, {inspect, marker});
    }
    throw error;
  }
}

function requireForceable({facts, wal}: Inspection, {expectMember, expectCluster, expectTerm = 0, expectIndex = 0}: Arguments): {facts: PresentData; wal: WalSummary} {
  const refuse = (reason: Refusal['reason'], message: string): never => {
    throw new Refusal(reason, `${message} Nothing was changed, and the marker is not spent.`, {inspect: facts});
  };
  switch (facts.data) {
    case 'Empty':
      return refuse('NoData', 'There is no etcd data on this volume to force a cluster from.');
    case 'Guarded':
      return refuse('Guarded', `The data of this volume was set aside by run ${facts.guard.run}.`);
    case 'Unreadable':
      return refuse('Unreadable', `The data on this volume cannot be read: ${facts.corrupt}.`);
    case 'Present':
      break;
  }
  if ('error' in facts.backend) {
    return refuse('Unreadable', `The backend on this volume cannot be read: ${facts.backend.error}.`);
  }
  if (expectMember !== undefined && facts.memberID !== expectMember) {
    return refuse('MemberMismatch', `The data on this volume is member ${facts.memberID}'s, not ${expectMember}'s.`);
  }
  if (expectCluster !== undefined && facts.clusterID !== expectCluster) {
    return refuse('ClusterMismatch', `The data on this volume belongs to cluster ${facts.clusterID}, not ${expectCluster}.`);
  }
  const lowest = {term: expectTerm, index: expectIndex};
  if (endsBefore({term: facts.lastEntryTerm, index: facts.index}, lowest)) {
    return refuse('BehindPlan', `The log on this volume ends at term ${facts.lastEntryTerm}, index ${facts.index}, before what was planned with (term ${expectTerm}, index ${expectIndex}).`);
  }
  return wal === undefined ? refuse('NoData', 'There is no WAL on this volume.') : {facts, wal};
}
