import {brokenRules} from '../api/rules.ts';
import {specSchema} from '../api/spec.ts';
import type {QuorumRecovery, QuorumRecoverySpec} from '../api/types.ts';

/** What a run is carried out with. `problem`: why that is not the spec as it stands. */
export interface UsedSpec {
  spec: QuorumRecoverySpec;
  problem: string | undefined;
}

function problemOf(spec: unknown): string | undefined {
  const parsed = specSchema.safeParse(spec);
  if (!parsed.success) return parsed.error.issues.map((issue) => `spec.${issue.path.join('.')}: ${issue.message}`).join('; ');
  const broken = brokenRules(parsed.data);
  return broken.length > 0 ? broken.join('; ') : undefined;
}

function parsed(text: string): QuorumRecoverySpec | undefined {
  try {
    return specSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The least that is needed to let things go: the set's name, if that can be told. */
const least = (spec: {target?: {statefulSet?: unknown}} | undefined): QuorumRecoverySpec | undefined =>
  specSchema.safeParse({target: {statefulSet: spec?.target?.statefulSet}}).data ?? specSchema.safeParse({target: {statefulSet: 'unknown'}}).data;

/**
 * The spec, where it is a good one. A run in flight, and a deletion, do not wait for its correction: they go on with the spec that the run
 * used last. Otherwise `spec` is undefined, and nothing is done.
 */
export function specOf({spec, status, metadata}: QuorumRecovery): UsedSpec | {spec: undefined; problem: string} {
  const problem = problemOf(spec);
  if (problem === undefined) return {spec: specSchema.parse(spec), problem};
  const {run} = status ?? {};
  const inFlight = run?.plan !== undefined && run.finishedAt === undefined;
  const used = inFlight && run.spec !== undefined ? parsed(run.spec) : undefined;
  return {spec: used ?? (metadata.deletionTimestamp === undefined ? undefined : least(spec)), problem};
}
