import type {V1PersistentVolumeClaim, V1StatefulSet} from '@kubernetes/client-node';

export const claimName = (set: V1StatefulSet, template: V1PersistentVolumeClaim, ordinal: number) =>
  `${template.metadata?.name ?? ''}-${set.metadata?.name ?? ''}-${ordinal}`;

/** A claim as the StatefulSet controller makes it (getPersistentVolumeClaims: the set's selector labels are added). */
export function newClaim(set: V1StatefulSet, template: V1PersistentVolumeClaim, ordinal: number): V1PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(set, template, ordinal),
      namespace: set.metadata?.namespace ?? 'default',
      labels: {...template.metadata?.labels, ...set.spec?.selector.matchLabels},
      ...(template.metadata?.annotations && {annotations: {...template.metadata.annotations}}),
    },
    spec: structuredClone(template.spec ?? {}),
  };
}
