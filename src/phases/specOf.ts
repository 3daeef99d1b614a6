import {brokenRules} from '../api/rules.ts';
import {specSchema} from '../api/spec.ts';
import type {QuorumRecovery, QuorumRecoverySpec} from '../api/types.ts';

/** What a run is carried out with. `problem`: why that is not the spec as it stands. */
export interface UsedSpec {
  spec: QuorumRecoverySpec;
  problem: string | undefined;
}

function check(spec: unknown): {spec: QuorumRecoverySpec} | {problem: string} {
  const parsed = specSchema.safeParse(spec);
  if (!parsed.success) return {problem: parsed.error.issues.map((issue) => `spec.${issue.path.join('.')}: ${issue.message}`).join('; ')};
  const broken = brokenRules(parsed.data);
  return broken.length > 0 ? {problem: broken.join('; ')} : {spec: parsed.data};
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
  const checked = check(spec);
  if ('spec' in checked) return {spec: checked.spec, problem: undefined};
  const {run} = status ?? {};
  const inFlight = run?.plan !== undefined && run.finishedAt === undefined;
  const used = inFlight && run.spec !== undefined ? parsed(run.spec) : undefined;
  return {spec: used ?? (metadata.deletionTimestamp === undefined ? undefined : least(spec)), problem: checked.problem};
}
