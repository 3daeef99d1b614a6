import type {Run} from './types.ts';

/** The name of the step that waits for a person's word. */
export const approveStep = 'Approve';

/** What a helper pod is marked with that takes away what a run has kept: that run is over. */
export const pruneStep = 'Prune';

/** Nothing was touched yet: the plan is being made, or waits for its approval. */
export const isPlanning = ({plan, steps}: Run): boolean =>
  plan === undefined || steps.some((step) => step.name === approveStep && step.state !== 'Done');
