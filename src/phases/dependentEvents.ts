import type {DependentRecord, QuorumRecoveryStatus} from '../api/types.ts';
import {heldInWords} from '../decide/dependents.ts';

export interface DependentEvent {
  type: 'Normal' | 'Warning';
  reason: 'DependentStarted' | 'DependentReturned' | 'DependentNotReady' | 'DependentReady';
  note: string;
}

function changed(before: DependentRecord | undefined, record: DependentRecord): DependentEvent[] {
  const {startedAgain = 0, startedBy, state, message, readyAt} = record;
  const name = heldInWords(record);
  const events: DependentEvent[] = [];
  if (startedAgain > (before?.startedAgain ?? 0)) {
    const by = startedBy === undefined ? '' : ` by ${startedBy}`;
    events.push({type: 'Warning', reason: 'DependentStarted', note: `${name} was started${by} before the survivor was verified: it is stopped again, and brought back when its turn comes`});
  }
  if (state === 'Returned' && before?.state !== 'Returned' && message === undefined) events.push({type: 'Normal', reason: 'DependentReturned', note: `${name} has back what it had`});
  if (message !== undefined && before?.message === undefined) events.push({type: 'Warning', reason: 'DependentNotReady', note: `${name}: ${message}`});
  else if (readyAt !== undefined && before?.readyAt === undefined) events.push({type: 'Normal', reason: 'DependentReady', note: `${name} is Ready`});
  return events;
}

/** What a write of the status tells of what was stopped around the surgery: who started it again, and how it came back. */
export function dependentEvents(was: QuorumRecoveryStatus | undefined, {run}: QuorumRecoveryStatus): DependentEvent[] {
  const known = was?.run?.id === run?.id ? was?.run?.dependents ?? [] : [];
  return (run?.dependents ?? []).flatMap((record) => changed(known.find(({kind, name}) => kind === record.kind && name === record.name), record));
}
