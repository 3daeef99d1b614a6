import type {Observation} from '../../observe/observation.ts';
import type {Membership} from './membership.ts';
import {knownMemberships, membershipOfSet, quorumOf} from './membership.ts';
import type {ProcessVerdict} from './processes.ts';
import {judgeProcess} from './processes.ts';

/** The fencing rule held against every known membership. */
export interface FencingVerdict {
  /** The rule holds now, or will once the stoppable pods are stopped (`assumeStops`). */
  holds: boolean;
  /** One verdict a member, the ones that the rule still misses first. */
  processes: ProcessVerdict[];
  /** What the rule waits for, for people; empty when it holds. */
  message: string;
}

/**
 * In every known membership the voters that are not proven stopped must be fewer than its quorum (DESIGN section 6):
 * otherwise the old members could elect a leader beside the new cluster, under the same cluster ID.
 */
export function judgeFencing(observation: Observation, assumeStops: boolean, memberships?: readonly Membership[]): FencingVerdict {
  const known = memberships ?? knownMemberships(observation);
  const all = [...known, membershipOfSet(observation, known)];
  const byKey = new Map<string, ProcessVerdict>();
  const missing: string[] = [];
  for (const membership of all) {
    const unproven = membership.voters.filter((voter) => {
      const verdict = judgeProcess(observation, voter);
      byKey.set(`${verdict.pod}/${verdict.memberID}`, verdict);
      return verdict.proven === undefined && !(assumeStops && verdict.stoppable);
    });
    const quorum = quorumOf(membership.voters.length);
    if (unproven.length < quorum) continue;
    missing.push(`${unproven.length} of ${membership.voters.length} voters (${membership.source}) are not proven stopped, and ${quorum} could elect a leader`);
  }
  const processes = [...byKey.values()].sort((a, b) => Number(a.proven !== undefined) - Number(b.proven !== undefined));
  const waits = [...new Set(processes.filter((verdict) => verdict.proven === undefined && verdict.waitsFor !== undefined)
    .map((verdict) => verdict.waitsFor ?? ''))];
  const message = missing.length === 0 ? '' : `${missing[0] ?? ''}: ${waits.join('; ')}`;
  return {holds: missing.length === 0, processes, message};
}
