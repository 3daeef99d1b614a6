import type {V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import type {OrdinalView} from '../../observe/observation.ts';

function containerCause(status: V1ContainerStatus): string | undefined {
  const waiting = status.state?.waiting;
  if (waiting?.reason && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    return `container ${status.name}: ${waiting.reason}${waiting.message ? ` (${waiting.message.slice(0, 200)})` : ''}`;
  }
  const ended = status.state?.terminated;
  if (ended) return `container ${status.name} ended with ${ended.reason ?? 'exit code'} ${ended.exitCode}`;
  return undefined;
}

/** Why a pod does not run etcd, as Kubernetes tells it; undefined: it says nothing. */
export function podCause(pod: V1Pod | undefined): string | undefined {
  if (pod === undefined) return 'the pod does not exist';
  const unscheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  if (unscheduled) return `${unscheduled.reason ?? 'Unschedulable'}: ${unscheduled.message ?? ''}`;
  const causes = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    .map(containerCause).filter((cause) => cause !== undefined);
  return causes[0];
}

/** What is wrong with one ordinal: what Kubernetes says of its pod, else what its etcd answered. */
export function ordinalCause(view: OrdinalView): string | undefined {
  const cause = podCause(view.object);
  if (cause !== undefined) return `${view.pod}: ${cause}`;
  if (view.probe.kind === 'Failed' || view.probe.kind === 'PeerOnly') return `${view.pod}: ${view.probe.message}`;
  if (view.probe.kind === 'NotAsked') return `${view.pod}: ${view.probe.why}`;
  return undefined;
}

export const causesOf = (views: readonly OrdinalView[]) =>
  views.filter((view) => view.probe.kind !== 'Answered').map(ordinalCause).filter((cause) => cause !== undefined).join('; ');
