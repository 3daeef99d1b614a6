import type {QuorumRecovery} from '../api/types.ts';
import {inFlight} from '../api/progress.ts';
import {isSettled} from '../decide/dependents.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import type {DependentName, DependentView} from '../kubernetes/dependents.ts';
import {selectorText} from '../kubernetes/dependents.ts';
import {isForbidden} from '../kubernetes/errors.ts';

/** Those that the run has recorded, until each is seen Ready again or given up; before it has, those that the spec names. */
function namedIn({spec, status}: QuorumRecovery): DependentName[] {
  const run = inFlight(status?.run);
  if (run === undefined) return [];
  return run.dependents?.filter((record) => !isSettled(record)) ?? spec.dependents ?? [];
}

/** Looks at what the run stops around the recovery. A right that is missing is said by the view: a run must not fail on it half-way. */
export async function loadDependents(client: KubernetesClient, resource: QuorumRecovery): Promise<DependentView[]> {
  const namespace = resource.metadata.namespace ?? 'default';
  return await Promise.all(namedIn(resource).map(async ({kind, name}): Promise<DependentView> => {
    try {
      const object = await client.get(kind, namespace, name);
      const pods = object?.spec === undefined ? [] : await client.list('Pod', namespace, {labelSelector: selectorText(object.spec.selector)});
      return {kind, name, object, pods};
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return {kind, name, object: undefined, pods: [], problem: error.message};
    }
  }));
}
