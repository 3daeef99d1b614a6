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

/** Runs that have ended, as their resource told it: a pod that was made while it was there may do its work after it is gone. */
export function noteEnded(ended: Map<string, {finishedAt: string; retention: string}>, {spec, status}: QuorumRecovery): void {
  const {preserve} = spec as {preserve?: {retention?: string}};
  for (const {id, finishedAt} of status?.history ?? []) ended.set(id, {finishedAt, retention: preserve?.retention ?? '168h'});
}

/** Invariant 5 for what a run kept: its time is over, and no run is in flight. */
export function pruneTooEarly({now}: World, ended: ReadonlyMap<string, {finishedAt: string; retention: string}>, {run}: Arguments): string | undefined {
  const past = ended.get(run);
  if (past === undefined) return `invariant 5: what ${run} kept is removed, and nothing says that it has ended`;
  const over = Date.parse(past.finishedAt) + durationMs(past.retention);
  return now < over ? `invariant 5: what ${run} kept is removed ${Math.round((over - now) / 1000)} s before its time` : undefined;
}
