import {setTimeout as delay} from 'node:timers/promises';
import type {QuorumRecovery, StepRecord} from '../../src/api/types.ts';
import {conditionOf, recovery, standing} from '../e2e/recovery.ts';
import type {Scenario} from '../e2e/scenario.ts';
import {bold, dim, green, red, say, seconds} from './terminal.ts';

/** How long a run may stand still for a person before the demo gives up, ms. */
const blockedMs = 30_000;

/** A line of the recovery: seconds since the resource was applied. */
export function tell(appliedAt: number, line: string, at = Date.now()): void {
  say(`${bold(`+${seconds(appliedAt, at)} s`.padStart(8))}  ${line}`);
}

function stepLine(step: StepRecord): string {
  const took = step.startedAt !== undefined && step.finishedAt !== undefined ? dim(` (${seconds(Date.parse(step.startedAt), Date.parse(step.finishedAt))} s)`) : '';
  const mark = step.state === 'Done' ? green('done') : step.state === 'Failed' ? red('failed') : step.state;
  return `  ${step.name} ${mark}: ${step.message ?? ''}${took}`;
}

/** Prints phases and steps as the resource's status shows them, until the run has ended. */
export async function watchRun(scenario: Scenario, appliedAt: number, minutes = 4): Promise<QuorumRecovery> {
  const printed = new Set<string>();
  let phase = '';
  let movedAt = Date.now();
  while (Date.now() < appliedAt + minutes * 60_000) {
    const found = await recovery(scenario);
    tellSteps(found, appliedAt, printed);
    const now = found.status?.phase ?? '';
    const stands = now === 'Blocked' || now === 'Stalled';
    const why = stands ? `: ${standing(found.status)}` : '';
    if (now !== phase) tell(appliedAt, `${bold(now)}${why}`);
    if (now !== phase || !stands) movedAt = Date.now();
    phase = now;
    if (conditionOf(found.status, 'Complete')?.status === 'True') return found;
    if (Date.now() - movedAt > blockedMs) throw new Error(`the run does not go on${why}`);
    await delay(100);
  }
  throw new Error(`the run did not end within ${minutes} minutes`);
}

function tellSteps({status}: QuorumRecovery, appliedAt: number, printed: Set<string>): void {
  for (const step of status?.run?.steps ?? []) {
    const key = `${step.name} ${step.state}`;
    if (step.state === 'Pending' || step.state === 'Running' || printed.has(key)) continue;
    printed.add(key);
    tell(appliedAt, stepLine(step), step.finishedAt === undefined ? Date.now() : Date.parse(step.finishedAt));
  }
}
