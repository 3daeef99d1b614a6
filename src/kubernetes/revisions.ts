import type {V1ControllerRevision, V1Pod, V1PodTemplateSpec, V1StatefulSet} from '@kubernetes/client-node';

/** Templates of a set by ControllerRevision, as the controller picks them for each ordinal. */
export interface SetTemplates {
  /** Name of the revision that the pod of this ordinal belongs to, and its template. */
  of(ordinal: number): {revision: string; template: V1PodTemplateSpec};
  /** Why the controller may delete pods on its own soon; undefined if it has no reason to. */
  rollout: string | undefined;
}

interface RevisionData {
  spec?: {template?: V1PodTemplateSpec};
}

function templateIn(revision: V1ControllerRevision | undefined): V1PodTemplateSpec | undefined {
  const template = (revision?.data as RevisionData | undefined)?.spec?.template;
  if (template === undefined) return undefined;
  const copy = structuredClone(template) as V1PodTemplateSpec & {$patch?: string};
  delete copy.$patch;
  return copy;
}

/** Ordinals below the partition stay at the current revision (isCurrentRevisionNeeded in stateful_set_utils.go). */
export function partitionOf(set: V1StatefulSet): number {
  const strategy = set.spec?.updateStrategy;
  if (strategy?.type === 'OnDelete') return 0;
  return (set.spec?.ordinals?.start ?? 0) + (strategy?.rollingUpdate?.partition ?? 0);
}

/** Pods that a RollingUpdate still has to replace: it deletes them whether they are ready or not. */
function rolloutOf(set: V1StatefulSet, pods: readonly V1Pod[]): string | undefined {
  if (set.metadata?.generation !== undefined && (set.status?.observedGeneration ?? 0) < set.metadata.generation) {
    return 'its spec was changed just now and the StatefulSet controller has not looked at it yet';
  }
  if (set.spec?.updateStrategy?.type === 'OnDelete') return undefined;
  const update = set.status?.updateRevision;
  const partition = partitionOf(set);
  const old = pods.filter((pod) => {
    const index = Number(pod.metadata?.labels?.['apps.kubernetes.io/pod-index'] ?? pod.metadata?.name?.split('-').at(-1));
    return index >= partition && pod.metadata?.labels?.['controller-revision-hash'] !== update;
  });
  if (old.length === 0) return undefined;
  return `${old.map((pod) => pod.metadata?.name ?? '').join(', ')} still of an older revision than ${update ?? 'the newest'}`;
}

/**
 * Templates of a set. `revisions` are its ControllerRevisions, `pods` those that it owns.
 * Falls back to the set's own template where a revision cannot be found.
 */
export function templatesOf(set: V1StatefulSet, revisions: readonly V1ControllerRevision[], pods: readonly V1Pod[]): SetTemplates {
  const byName = new Map(revisions.map((revision) => [revision.metadata?.name ?? '', revision]));
  const partition = partitionOf(set);
  const update = set.status?.updateRevision ?? '';
  const current = set.status?.currentRevision ?? update;
  const own = set.spec?.template ?? {};
  // Asked for each ordinal several times a step, and a template can be large: read once, changed by nobody.
  const read = new Map([current, update].map((revision) => [revision, templateIn(byName.get(revision)) ?? own]));
  return {
    of: (ordinal) => {
      const revision = ordinal < partition ? current : update;
      return {revision, template: read.get(revision) ?? own};
    },
    rollout: rolloutOf(set, pods),
  };
}
