import type {Observation} from '../../observe/observation.ts';
import type {DataVerdict} from './intact.ts';
import {offlineOf} from './offline.ts';

export interface Candidate {
  pod: string;
  memberID: string;
  /** Offline (term, index) if its disk was read, else what its etcd said. */
  term: number;
  index: number;
  commit: number;
  revision: number;
  from: 'disk' | 'etcd' | 'unread';
}

function candidateOf(observation: Observation, {voter}: DataVerdict): Candidate | undefined {
  const view = observation.ordinals.find((candidate) => candidate.pod === voter.pod);
  if (view === undefined || voter.pod === undefined) return undefined;
  const common = {pod: voter.pod, memberID: voter.memberID};
  const facts = offlineOf(observation, voter.pod);
  if (facts?.data === 'Present' && facts.unfit === undefined) {
    return {...common, term: facts.term ?? 0, index: facts.index ?? 0, commit: facts.commit ?? 0, revision: facts.revision ?? 0, from: 'disk'};
  }
  if (view.probe.kind === 'Answered') {
    const {status} = view.probe;
    return {...common, term: status.raftTerm, index: status.raftIndex, commit: status.raftIndex, revision: status.revision, from: 'etcd'};
  }
  return facts === undefined ? {...common, term: 0, index: 0, commit: 0, revision: 0, from: 'unread'} : undefined;
}

export const better = (a: Candidate, b: Candidate) =>
  b.term - a.term || b.index - a.index || b.commit - a.commit || b.revision - a.revision || (a.pod < b.pod ? -1 : 1);

/**
 * Members that the new cluster can start from, the best first: last term and last index as raft itself ranks logs,
 * then commit index and revision; ties by pod name. Only data that is within reach now counts.
 */
export function rankCandidates(observation: Observation, data: readonly DataVerdict[]): Candidate[] {
  return data
    .filter((verdict) => verdict.state === 'Running' || verdict.state === 'Readable')
    .map((verdict) => candidateOf(observation, verdict))
    .filter((candidate) => candidate !== undefined)
    .sort(better);
}

/** Members whose data is there and is nothing to start from, each with the reason. */
export const unfitMembers = ({status: {run}}: Observation, data: readonly DataVerdict[]): string[] => data
  .filter((verdict) => verdict.state === 'Running' || verdict.state === 'Readable')
  .flatMap(({voter}) => (run?.offline ?? []).filter((facts) => facts.pod === voter.pod && facts.unfit !== undefined))
  .map((facts) => `${facts.pod} is no survivor: ${facts.unfit ?? ''}`);

/** Why the first candidate beats the others, in words. */
export function whyFirst(candidates: readonly Candidate[]): string {
  const [first, second] = candidates;
  if (first === undefined) return 'no member is left to start from';
  if (second === undefined) return `${first.pod} is the only member whose data is within reach`;
  const numbers = (c: Candidate) => `term ${c.term}, index ${c.index}`;
  return `${first.pod} has the newest data (${numbers(first)}; ${candidates.slice(1).map((c) => `${c.pod}: ${numbers(c)}`).join('; ')})`;
}
