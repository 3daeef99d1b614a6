import type {Run} from './types.ts';

/** The name of the step that waits for a person's word. */
export const approveStep = 'Approve';

/** What a helper pod is marked with that takes away what a run has kept: that run is over. */
export const pruneStep = 'Prune';

/** What a helper pod is marked with that takes a snapshot for spec.backups: in no run, and it touches no member's volume. */
export const backupStep = 'Backup';

/** Helper pods of no run. */
export const stepsOfNoRun = [pruneStep, backupStep] as const;

/** Nothing was touched yet: the plan is being made, or waits for its approval. */
export const isPlanning = ({plan, steps}: Run): boolean =>
  plan === undefined || steps.some((step) => step.name === approveStep && step.state !== 'Done');

/** The run that has begun and not ended; undefined: none is. */
export const inFlight = (run: Run | undefined): Run | undefined => (run?.finishedAt === undefined ? run : undefined);
