import type {Arguments} from '../../src/agent/arguments.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import {durationMs} from '../../src/decide/durations.ts';
import type {World} from './world.ts';

/** Invariant 5 for a volume that goes: nothing of the old cluster, and nothing that a run kept, is on it. */
export function deletedTooEarly({disks}: World, volume: string): string | undefined {
  const disk = disks.get(volume);
  if (disk === undefined) return undefined;
  const old = disk.member.is === 'data' && disk.member.data.lineage === 'template';
  return old || disk.copies.size > 0 || disk.aside.length > 0 ? `invariant 5: volume ${volume} is deleted with the data on it` : undefined;
}

/** Invariant 5 for what a run kept: its time is over, and no run is in flight. */
export function pruneTooEarly({now}: World, resource: QuorumRecovery | undefined, {run}: Arguments): string | undefined {
  const past = resource?.status?.history?.find((entry) => entry.id === run);
  if (past === undefined) return `invariant 5: what ${run} kept is removed, and nothing says that it has ended`;
  const over = Date.parse(past.finishedAt) + durationMs((resource?.spec as {preserve?: {retention: string}} | undefined)?.preserve?.retention ?? '168h');
  return now < over ? `invariant 5: what ${run} kept is removed ${Math.round((over - now) / 1000)} s before its time` : undefined;
}
