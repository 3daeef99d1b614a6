import type {V1PersistentVolumeClaim, V1StatefulSet} from '@kubernetes/client-node';

/** The claim of one pod, as the set's controller would make it from its template. */
export function claimOf({spec}: V1StatefulSet, pod: string, template: V1PersistentVolumeClaim): V1PersistentVolumeClaim {
  const {accessModes, resources, storageClassName} = template.spec ?? {};
  return {
    apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name: `${template.metadata?.name ?? ''}-${pod}`, labels: {...spec?.selector.matchLabels}},
    spec: {...(accessModes && {accessModes}), ...(resources && {resources}), ...(storageClassName !== undefined && {storageClassName})},
  };
}
