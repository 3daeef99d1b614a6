import type {QuorumRecoveryStatus, Run} from '../api/types.ts';
import {phaseOfStep} from '../decide/summary.ts';
import type {Metrics} from '../operator/metrics.ts';
import {kindOfStep} from '../operator/resource-metrics.ts';

type Measures = Pick<Metrics, 'runsTotal' | 'runDuration' | 'firstWrite' | 'phaseDuration' | 'stepDuration'>;

const seconds = (from: string, to: string): number => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);

/** What the steps of each phase took together, in seconds: Blocked is no phase of its own here, a step that waits for its reason to go still runs. */
function phasesOf({steps}: Run): Map<string, number> {
  const taken = new Map<string, number>();
  for (const {name, startedAt, finishedAt} of steps) {
    if (startedAt === undefined || finishedAt === undefined) continue;
    const phase = phaseOfStep(name);
    taken.set(phase, (taken.get(phase) ?? 0) + seconds(startedAt, finishedAt));
  }
  return taken;
}

/** Steps that ended with this write, `Plan` aside: its end is told by its plan. */
export function endedSteps(before: QuorumRecoveryStatus | undefined, after: QuorumRecoveryStatus): Run['steps'] {
  const {run} = after;
  const known = before?.run?.id === run?.id ? before?.run?.steps ?? [] : [];
  return (run?.steps ?? []).filter(({name, state}) => (state === 'Done' || state === 'Deferred') && name !== 'Plan'
    && !known.some((old) => old.name === name && old.state === state));
}

/** Counts and times what a write of the status says of a run. */
export function measureRun(metrics: Measures, before: QuorumRecoveryStatus | undefined, after: QuorumRecoveryStatus): void {
  const {run} = after;
  if (run === undefined) return;
  for (const {name, startedAt, finishedAt} of endedSteps(before, after)) {
    if (startedAt !== undefined && finishedAt !== undefined) metrics.stepDuration.observe({step: kindOfStep(name)}, seconds(startedAt, finishedAt));
  }
  const was = before?.run?.id === run.id ? before.run : undefined;
  if (run.writableAt !== undefined && was?.writableAt === undefined) metrics.firstWrite.observe(seconds(run.startedAt, run.writableAt));
  if (run.finishedAt === undefined || was?.finishedAt === run.finishedAt) return;
  const outcome = run.outcome ?? 'Failed';
  metrics.runsTotal.inc({outcome, strategy: run.plan?.strategy ?? 'None'});
  // A degraded run that went on with the members that waited has been timed already: what it waited, for days perhaps, is not its duration.
  if (before?.history?.some(({id}) => id === run.id) === true) return;
  metrics.runDuration.observe({outcome}, seconds(run.startedAt, run.finishedAt));
  for (const [phase, taken] of phasesOf(run)) metrics.phaseDuration.observe({phase}, taken);
}
