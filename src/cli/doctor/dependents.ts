import type {QuorumRecovery} from '../../api/types.ts';
import {isForbiddenError} from '../explain.ts';
import type {Session} from '../world.ts';
import {ok, problem, unknown} from './finding.ts';
import type {Finding} from './finding.ts';

/** Whether what a run would stop is there: a name that is wrong would hold a recovery up at night. */
export async function dependentFindings({api, namespace}: Session, resources: readonly QuorumRecovery[] | undefined, set: string): Promise<Finding[]> {
  const named = resources?.find(({spec}) => spec.target.statefulSet === set)?.spec.dependents ?? [];
  if (named.length === 0) return [];
  try {
    const found = await Promise.all(named.map(async ({kind, name}) => ({kind, name, object: await api.get(kind, namespace, name)})));
    const missing = found.filter(({object}) => object === undefined).map(({kind, name}) => `${kind} ${name}`);
    if (missing.length === 0) return [ok('Dependents', named.map(({kind, name}) => `${kind} ${name}`).join(', '))];
    return [problem('Dependents', `spec.dependents names ${missing.join(', ')}, which this namespace does not have: no run would begin (DependentNotFound)`, 'correct the name, or take it out of spec.dependents')];
  } catch (error) {
    if (!isForbiddenError(error)) throw error;
    return [unknown('Dependents', 'you may not get all of them, so it cannot be told whether they are there', 'ask an administrator; a run says it before it touches anything')];
  }
}
