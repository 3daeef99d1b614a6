import {V1MicroTime} from './client-node.ts';
import type {Kind} from './kinds.ts';

/** Fields that client-node types as Date (metav1.Time). */
const dateFields = new Set([
  'allocationTimestamp', 'beginRefreshAt', 'completionTime', 'creationTimestamp', 'deletionTimestamp', 'expirationTimestamp', 'finishedAt',
  'lastHeartbeatTime', 'lastPhaseTransitionTime', 'lastProbeTime', 'lastTransitionTime', 'lastUpdateTime', 'startTime', 'startedAt', 'time',
  'timeAdded',
]);

/** Fields that client-node types as V1MicroTime (metav1.MicroTime). */
const microFields = new Set(['acquireTime', 'eventTime', 'lastObservedTime', 'renewTime']);

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

function revivePart(part: unknown): void {
  if (!isObject(part)) return;
  for (const [key, value] of Object.entries(part)) {
    if (typeof value !== 'string') revivePart(value);
    else if (dateFields.has(key) && rfc3339.test(value)) part[key] = new Date(value);
    else if (microFields.has(key) && rfc3339.test(value)) part[key] = new V1MicroTime(value);
  }
}

const workloads = new Set<Kind>(['Deployment', 'StatefulSet', 'DaemonSet']);

/**
 * Makes an object as it came over the wire what its type says, in place: dates become Date, managedFields go (they are half of a small
 * object), but for those of a workload, which tell who scaled it. Nothing else is changed, so that fields which client-node does not know yet survive: a pod that
 * is created from a StatefulSet's template has to carry all of it. Our own resource's spec and status keep their strings.
 */
export function revive(kind: Kind, object: object): void {
  const json = object as Json;
  const metadata = json['metadata'];
  if (isObject(metadata)) {
    if (!workloads.has(kind)) delete metadata['managedFields'];
    for (const field of ['creationTimestamp', 'deletionTimestamp']) {
      const value = metadata[field];
      if (typeof value === 'string') metadata[field] = new Date(value);
    }
  }
  if (kind === 'QuorumRecovery') return;
  revivePart(json['status']);
  const spec = json['spec'];
  if (kind === 'Lease') revivePart(spec);
  if (kind === 'Node' && isObject(spec)) revivePart(spec['taints']);
}

/** JSON of an object. metav1.MicroTime wants exactly six digits, which a Date that lost its class in a copy does not write. */
export function serialize(object: object): string {
  return JSON.stringify(object, (key, value: unknown) =>
    microFields.has(key) && typeof value === 'string' ? value.replace(/\.(\d{3})Z$/, '.$1000Z') : value);
}
