import type {Arguments} from '../arguments.ts';
import {copyData} from '../copying.ts';
import {inspectFacts} from '../facts.ts';
import {Refusal} from '../failure.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {spendMarker} from '../marker.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {InspectFacts, PrepareForceReport, PresentData} from '../report.ts';

/**
 * Init container of the forced start: inspection, copy and marker in one process, in this order, so that a refusal comes before the
 * marker is spent and no force comes before the copy.
 */
export function prepareForce(args: Arguments, onStep?: OnStep): PrepareForceReport {
  const begin = performance.now();
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  const facts = inspectFacts(place);
  const inspected = performance.now();
  requireForceable(facts, args);
  const copy = args.copy ? {copy: copyData(place)} : {};
  const copied = performance.now();
  const marker = spendMarker(place, args.attempt ?? 0, args.pod ?? '');
  return {
    ok: true,
    command: 'prepare-force',
    run: args.run,
    inspect: facts,
    ...copy,
    marker,
    milliseconds: {
      inspect: Math.round(inspected - begin),
      copy: Math.round(copied - inspected),
      total: Math.round(performance.now() - begin),
    },
  };
}

function requireForceable(facts: InspectFacts, {expectMember, expectCluster}: Arguments): asserts facts is PresentData {
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
}
