import type {V1Service, V1StatefulSet} from '@kubernetes/client-node';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {urlOf} from './address.ts';
import {isLaunch} from './observation.ts';
import type {Observation} from './observation.ts';

type Labels = Record<string, string>;

export const selects = (selector: Labels, labels: Labels): boolean => Object.entries(selector).every(([key, value]) => labels[key] === value);

/** Names by which a Service is known as one of this cluster's, whatever it selects: the governing one, those in what etcd advertises to its clients, and the usual ones. */
export function knownNames({set, ordinals}: Pick<Observation, 'set' | 'ordinals'>): Set<string> {
  const name = set?.metadata?.name ?? '';
  const advertised = ordinals.flatMap(({launch}) => (isLaunch(launch) ? urlOf(launch.advertiseClientURLs)?.hostname.split('.').slice(0, 2) ?? [] : []));
  return new Set([name, `${name}-client`, set?.spec?.serviceName ?? '', ...advertised].filter((one) => one !== ''));
}

const hasOtherSelector = ({spec}: Pick<V1Service, 'spec'>, {spec: set}: V1StatefulSet): boolean =>
  Object.keys(spec?.selector ?? {}).length > 0 && !selects(spec?.selector ?? {}, set?.template.metadata?.labels ?? {});

/**
 * Of the Services that are called like this cluster's and select other pods: those that have a ready endpoint there, and so lead somewhere on
 * purpose (a proxy before etcd). Asked for by their EndpointSlices, and only where there is such a Service.
 */
export async function leadingElsewhere(client: KubernetesClient, namespace: string, {set, ordinals, services}: Pick<Observation, 'set' | 'ordinals' | 'services'>): Promise<string[]> {
  if (set === undefined) return [];
  const known = knownNames({set, ordinals});
  const own = ordinals.map(({pod}) => pod);
  const asked = services.map((service) => ({service, name: service.metadata?.name ?? ''})).filter(({service, name}) => known.has(name) && hasOtherSelector(service, set));
  const found = await Promise.all(asked.map(async ({name}) => {
    const slices = await client.list('EndpointSlice', namespace, {labelSelector: `kubernetes.io/service-name=${name}`});
    const ready = slices.flatMap(({endpoints}) => endpoints ?? []).filter(({conditions, targetRef}) => conditions?.ready === true && !own.includes(targetRef?.name ?? ''));
    return ready.length > 0 ? [name] : [];
  }));
  return found.flat();
}
