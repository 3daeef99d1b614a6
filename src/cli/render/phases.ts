import type {Phase} from '../../api/reasons.ts';
import type {Run, StepRecord} from '../../api/types.ts';
import {phaseOfStep} from '../../decide/summary.ts';

export interface PhaseTime {
  phase: Phase;
  state: 'Done' | 'Running' | 'Pending';
  startedAt: string | undefined;
  finishedAt: string | undefined;
  steps: StepRecord[];
}

const over = ({state}: StepRecord) => state === 'Done' || state === 'Deferred' || state === 'Failed';

function phaseTime(phase: Phase, steps: StepRecord[]): PhaseTime {
  const started = steps.map((step) => step.startedAt).filter((at) => at !== undefined).sort()[0];
  const ended = steps.map((step) => step.finishedAt).filter((at) => at !== undefined).sort().at(-1);
  const state = steps.every(over) ? 'Done' : started === undefined ? 'Pending' : 'Running';
  return {phase, state, startedAt: started, finishedAt: state === 'Done' ? ended : undefined, steps};
}

/** The phases of a run in the order of its steps, with what the steps say of their times. */
export function phaseTimes({steps, finishedAt}: Run): PhaseTime[] {
  const grouped: {phase: Phase; steps: StepRecord[]}[] = [];
  for (const step of steps) {
    const phase = phaseOfStep(step.name);
    const last = grouped.at(-1);
    if (last?.phase === phase) last.steps.push(step);
    else grouped.push({phase, steps: [step]});
  }
  const times = grouped.map(({phase, steps: own}) => phaseTime(phase, own));
  // A run that ended early leaves its last steps where they were.
  return finishedAt === undefined ? times : times.map((time) => (time.state === 'Running' ? {...time, state: 'Done', finishedAt} : time));
}
