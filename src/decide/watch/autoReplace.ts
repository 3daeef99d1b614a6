import type {AutoReplace, QuorumRecoveryStatus} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {durationMs} from '../durations.ts';
import {assessReplacement, goneForGood} from '../replace.ts';
import type {Turn} from './turns.ts';
import {turnInWords} from './turns.ts';
import {isSuperseded} from './witness.ts';

/*
 * trigger.autoReplace: members that are proven gone for good are replaced by themselves while a quorum serves (docs/adr/0039).
 */

export type Replacing =
  /** Nobody is away, or nothing is to be replaced by itself. */
  | {kind: 'none'}
  | {kind: 'wait'; message: string}
  /** A run begins now. `since`: when the first of them was proven gone, ISO 8601. */
  | {kind: 'run'; since: string};

/** What stands in the way whatever is proven, and does not end with time. */
function obstacle({spec, status}: Observation, members: AutoReplace['members']): string | undefined {
  const {lastHealthy, heldPods = [], autoReplace} = status;
  const {attempts = 0} = autoReplace ?? {};
  if (spec.paused) return 'spec.paused is set';
  if (heldPods.length > 0) return `an earlier run holds ${heldPods.join(', ')}`;
  if (lastHealthy === undefined || isSuperseded(status)) return 'this resource never saw the cluster whole as it is now, so a person has to ask for it (spec.lostMembers, approval: Required and spec.trigger.request)';
  const unseen = members.find(({pod, memberID}) => !lastHealthy.members.some((seen) => seen.pod === pod && seen.memberID === memberID));
  if (unseen !== undefined) return `member ${unseen.memberID} of ${unseen.pod} was never seen in a whole cluster, so a person has to ask for it (spec.lostMembers, approval: Required and spec.trigger.request)`;
  if (attempts < spec.trigger.maxAttempts) return undefined;
  return `${attempts} runs have begun by themselves (spec.trigger.maxAttempts) and none left a cluster that stayed whole for ${spec.trigger.cooldown}: read status.history, and ask for the next one yourself (spec.lostMembers, approval: Required and spec.trigger.request)`;
}

/** From when on a run may begin, ms: all of them were proven for long enough, and the last run by itself, of either kind, is long enough ago. */
function dueAt({spec: {trigger}, status}: Observation, members: AutoReplace['members'], after: string): number {
  const ends = [status.autoReplace?.endedAt, status.automatic?.endedAt].filter((end) => end !== undefined);
  return Math.max(...members.map(({since}) => Date.parse(since) + durationMs(after)), ...ends.map((end) => Date.parse(end) + durationMs(trigger.cooldown)));
}

/** Members that are proven gone now, since the first look that proved it of that very member. */
const provenSince = (observation: Observation): AutoReplace['members'] => goneForGood(observation).map(({pod, memberID, proof}) => {
  const before = observation.status.autoReplace?.members.find((one) => one.pod === pod && one.memberID === memberID);
  return {pod, memberID, proof, since: before?.since ?? new Date(observation.now).toISOString()};
});

function keep(status: QuorumRecoveryStatus, now: AutoReplace): void {
  if (now.members.length > 0 || now.waitsFor !== undefined || now.attempts !== undefined || now.endedAt !== undefined) status.autoReplace = now;
  else delete status.autoReplace;
}

/** Brings `status.autoReplace` up to what is seen, of a cluster whose quorum serves and that no run is in flight for, and says what comes of it. */
export function settleAutoReplace(observation: Observation): Replacing {
  const {status, spec: {trigger: {autoReplace: asked}}, now} = observation;
  if (asked === undefined) {
    delete status.autoReplace;
    return {kind: 'none'};
  }
  const {attempts, endedAt, queuedAt} = status.autoReplace ?? {};
  const counted = {...(attempts !== undefined && {attempts}), ...(endedAt !== undefined && {endedAt})};
  const members = provenSince(observation);
  const found = assessReplacement(observation, '', 'Gone');
  if (found.kind === 'not-needed' || found.kind === 'inspect') {
    keep(status, {members, ...counted});
    return {kind: 'none'};
  }
  const waitsFor = found.kind === 'blocked' ? found.message : obstacle(observation, members);
  const names = members.map(({pod, proof, since}) => `${pod} is gone for good since ${since} (${proof})`).join('; ');
  if (waitsFor !== undefined) {
    keep(status, {members, waitsFor, ...counted});
    return {kind: 'wait', message: `${names === '' ? '' : `${names}. `}No member is replaced by itself: ${waitsFor}`};
  }
  const due = dueAt(observation, members, asked.after);
  const replacesAt = new Date(due).toISOString();
  keep(status, {members, replacesAt, ...(queuedAt !== undefined && due <= now && {queuedAt}), ...counted});
  if (due <= now) return {kind: 'run', since: members.map(({since}) => since).sort()[0] ?? replacesAt};
  return {kind: 'wait', message: `${names}. A run replaces ${members.length === 1 ? 'it' : 'them'} at ${replacesAt}, unless it serves before (spec.trigger.autoReplace)`};
}

/** The run would begin now, and waits until fewer others are at work. */
export function queueReplacement(observation: Observation, turn: Extract<Turn, {kind: 'Waits'}> | undefined, limit: number): string {
  const {status, now} = observation;
  const queued = status.autoReplace ?? {members: []};
  const words = turnInWords(turn, limit);
  status.autoReplace = {...queued, queuedAt: queued.queuedAt ?? new Date(now).toISOString(), waitsFor: words};
  return `${queued.members.map(({pod}) => pod).join(', ')} would be replaced now. The run waits for ${words}`;
}
