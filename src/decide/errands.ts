import {inFlight} from '../api/progress.ts';
import type {QuorumRecoveryStatus} from '../api/types.ts';
import type {Observation} from '../observe/observation.ts';
import {recordBackupProblem, settleBackups} from './backup/backups.ts';
import type {AskBackupTurn} from './backup/backups.ts';
import type {Action, Outcome} from './decision.ts';
import {leaveNothing} from './evidence/strays.ts';
import {unseenOwed} from './dependents.ts';
import {prune} from './kept.ts';
import {leftHelpers} from './steps/release.ts';
import {recordRefusal, settleLeadership} from './watch/leadership.ts';

/*
 * What is done beside runs: no step waits for it, and it waits for none. Like a step it is decided from one Observation, and its intent stands
 * in the status before it is done. There are two sorts. Of some the intent has stood there since before this look: they are done first, and the
 * cluster is looked at after that. Of the others this look brings the intent into the status: they are done once it is written.
 */
export interface Errand {
  /** As the log names it. */
  name: 'Release' | 'Prune' | 'MoveLeader' | 'Backup';
  /** May be none: then there is only something to say, or to record. */
  actions: Action[];
  why: string;
  /** Records what came of the actions. @returns whether that is written at once; else the next look writes it */
  record?: (status: QuorumRecoveryStatus, outcomes: readonly Outcome[]) => boolean;
  /** When the next look is needed at the latest, ms; undefined: when it comes anyway. */
  nextLook?: number | 'AtOnce' | undefined;
}

/** How soon it is looked at again what became of pods and volumes, ms. */
const soonMs = 1_000;

const takeAway = (actions: Action[], why: string): Errand => ({name: 'Release', actions, why, nextLook: soonMs});

type Ask = (observation: Observation, stored: QuorumRecoveryStatus | undefined) => Errand | undefined;

/** Helper pods of a run that has ended: a call of an operator that ended in between can come after the end of the run. */
const takeHelpersAway: Ask = (observation) => {
  const left = observation.status.run?.finishedAt === undefined ? [] : leftHelpers(observation);
  return left.length === 0 ? undefined : takeAway(left, 'taking helper pods away that came after the end of their run');
};

/** What runs kept on volumes goes when its time is over. */
const pruneKept: Ask = (observation, stored) => {
  // The end of the run has to stand in the status first, and with it what was kept.
  const ended = [observation.status.run, stored?.run].every((run) => inFlight(run) === undefined);
  if (observation.resource.metadata.deletionTimestamp !== undefined || !ended) return undefined;
  const {actions, records, problems} = prune(observation);
  if (actions.length === 0 && records.length === 0) return undefined;
  return {
    name: 'Prune', actions, nextLook: soonMs,
    why: problems.length > 0 ? problems.join('; ') : 'taking away what earlier runs kept on volumes, because its time is over',
    record: (status) => {
      for (const record of records) record(status);
      return records.length > 0;
    },
  };
};

/** In the order in which they are asked. */
const before: readonly Ask[] = [takeHelpersAway, pruneKept];

/**
 * What is done before the cluster is looked at.
 * @param stored the status as it was written last
 */
export function errandBefore(observation: Observation, stored: QuorumRecoveryStatus | undefined): Errand | undefined {
  for (const ask of before) {
    const errand = ask(observation, stored);
    if (errand !== undefined) return errand;
  }
  return undefined;
}

/** What comes of a matter that this look has brought up to what is seen, and may have written an intent for. */
export interface Settled {
  errand?: Errand | undefined;
  /** When the next look is needed at the latest, ms, where nothing is done now. */
  inMs?: number | undefined;
}

/** Leadership goes to whom spec.preferredLeader names. What came of it, the next look at the members tells. */
export function leadership(observation: Observation): Settled {
  const {move, inMs} = settleLeadership(observation);
  if (move === undefined) return {inMs};
  return {inMs, errand: {
    name: 'MoveLeader', actions: [move], why: `asking ${move.from} to hand leadership over to ${move.to} (spec.preferredLeader)`, nextLook: 'AtOnce',
    record: (status, outcomes) => {
      for (const outcome of outcomes) {
        if (outcome.kind === 'done') outcome.record?.(status);
        else recordRefusal('message' in outcome ? outcome.message : outcome.why)(status);
      }
      return false;
    },
  }};
}

/** Snapshots for spec.backups. The end of a pod that saves brings the next look. */
export function backups(observation: Observation, ask: AskBackupTurn | undefined): Settled {
  const {actions, why, inMs} = settleBackups(observation, ask);
  if (actions.length === 0) return {inMs};
  return {inMs, errand: {name: 'Backup', actions, why, nextLook: inMs, record: (status, outcomes) => recordBackupProblem(status.backups, outcomes)}};
}

/** What is left to do for a resource that is being deleted; undefined: nothing, and it may go. */
export function beforeDeparture(observation: Observation): Errand | undefined {
  const left = leaveNothing(observation);
  const unseen = unseenOwed(observation);
  if (left.length === 0 && unseen === '') return undefined;
  return takeAway(left, unseen === '' ? 'taking away what the run has left, as its StatefulSet is gone' : `staying until everything has back what it had: ${unseen}`);
}
