import type {V1Pod, V1PodTemplateSpec, V1StatefulSet, V1Volume} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';
import {claimName} from './claims.ts';

/** What a StatefulSet's pod of one ordinal is made from. */
export interface PodSource {
  set: V1StatefulSet;
  ordinal: number;
  template: V1PodTemplateSpec;
  /** Name of the ControllerRevision that `template` stands in. */
  revision: string;
}

export const podName = (set: V1StatefulSet, ordinal: number) => `${set.metadata?.name ?? ''}-${ordinal}`;

/** Ordinals that the set asks for: `spec.ordinals.start` (KEP-3335) and `spec.replicas`. */
export function ordinalsOf(set: V1StatefulSet): number[] {
  const start = set.spec?.ordinals?.start ?? 0;
  return Array.from({length: set.spec?.replicas ?? 1}, (_, index) => start + index);
}

/** The claims' volumes take the place of template volumes of the same name (updateStorage in stateful_set_utils.go). */
function volumesOf({set, ordinal, template}: PodSource): V1Volume[] {
  const claims = (set.spec?.volumeClaimTemplates ?? []).map((claim): V1Volume => ({
    name: claim.metadata?.name ?? '',
    persistentVolumeClaim: {claimName: claimName(set, claim, ordinal), readOnly: false},
  }));
  const taken = new Set(claims.map((volume) => volume.name));
  return [...claims, ...(template.spec?.volumes ?? []).filter((volume) => !taken.has(volume.name))];
}

/** The pod exactly as the StatefulSet controller makes it (newStatefulSetPod, Kubernetes pkg/controller/statefulset/stateful_set_utils.go). */
export function statefulSetPod(source: PodSource): V1Pod {
  const {set, ordinal, template, revision} = source;
  const name = podName(set, ordinal);
  const spec = structuredClone(template.spec ?? {containers: []});
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: `${set.metadata?.name ?? ''}-`,
      namespace: set.metadata?.namespace ?? 'default',
      labels: {
        ...template.metadata?.labels,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
        'controller-revision-hash': revision,
      },
      annotations: {...template.metadata?.annotations},
      ...(template.metadata?.finalizers && {finalizers: [...template.metadata.finalizers]}),
      ownerReferences: [{
        apiVersion: 'apps/v1', kind: 'StatefulSet', name: set.metadata?.name ?? '', uid: set.metadata?.uid ?? '',
        controller: true, blockOwnerDeletion: true,
      }],
    },
    spec: {...spec, volumes: volumesOf(source), hostname: name, ...(set.spec?.serviceName && {subdomain: set.spec.serviceName})},
  };
}

/** The set's own pod as the operator makes it: the controller's, with the run's annotation, and gated if it has to wait. */
export function ownPod(source: PodSource, run: string, gated: boolean): V1Pod {
  const pod = statefulSetPod(source);
  pod.metadata = {...pod.metadata, annotations: {...pod.metadata?.annotations, [marks.run]: run}};
  if (gated && pod.spec) pod.spec.schedulingGates = [...(pod.spec.schedulingGates ?? []), {name: marks.gate}];
  return pod;
}

export const runOf = (pod: V1Pod) => pod.metadata?.annotations?.[marks.run];

/** An own pod of that run that still waits behind its gate. */
export const isGated = (pod: V1Pod) => (pod.spec?.schedulingGates ?? []).some((gate) => gate.name === marks.gate);

export const hasFence = (pod: V1Pod) => (pod.metadata?.finalizers ?? []).includes(marks.fence);

export const isTerminating = (pod: V1Pod) => pod.metadata?.deletionTimestamp !== undefined;
