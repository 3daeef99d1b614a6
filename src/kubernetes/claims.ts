import type {V1PersistentVolumeClaim, V1StatefulSet} from '@kubernetes/client-node';

export const claimName = (set: V1StatefulSet, template: V1PersistentVolumeClaim, ordinal: number) =>
  `${template.metadata?.name ?? ''}-${set.metadata?.name ?? ''}-${ordinal}`;

/** The pod of the set that this claim belongs to, by its name, whether it is there or will only come when the set is scaled; undefined: none. */
export function memberOfClaim(set: V1StatefulSet, claim: string): string | undefined {
  const name = set.metadata?.name ?? '';
  for (const {metadata} of set.spec?.volumeClaimTemplates ?? []) {
    const head = `${metadata?.name ?? ''}-${name}-`;
    if (claim.startsWith(head) && /^(0|[1-9][0-9]*)$/.test(claim.slice(head.length))) return `${name}-${claim.slice(head.length)}`;
  }
  return undefined;
}

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
