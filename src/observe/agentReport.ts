import type {V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import type {AgentFailureReason, AgentReport} from '../agent/report.ts';
import {evictedInWords, isEvicted} from '../kubernetes/scratch.ts';

/** Name of the volume agent's container, in helper pods and as a joiner's init container. */
export const agentContainer = 'volume-agent';

const statusOf = (pod: V1Pod): V1ContainerStatus | undefined =>
  [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find((status) => status.name === agentContainer);

/** When the agent in a helper pod ended, ms since the epoch; for one that never did, when its pod was made. */
export function agentEndedAt(pod: V1Pod): number {
  const {state, lastState} = statusOf(pod) ?? {};
  const ended = state?.terminated ?? lastState?.terminated;
  return new Date(ended?.finishedAt ?? pod.metadata?.creationTimestamp ?? 0).getTime();
}

/** What a kubelet, or its runtime, says of a container that it finds ended after it was away itself. */
const unseenReasons: readonly string[] = ['Unknown', 'ContainerStatusUnknown'];

/**
 * Nobody saw how the agent ended, because its node failed: that says nothing about the volume. What it has done is done, and another agent
 * finds it.
 */
export function endedUnseen(pod: V1Pod): boolean {
  const ended = statusOf(pod)?.state?.terminated;
  return ended !== undefined && unseenReasons.includes(ended.reason ?? '') && (ended.message ?? '') === '';
}

function failure(message: string, reason: AgentFailureReason = 'Internal'): AgentReport {
  return {ok: false, command: 'inspect', reason, message};
}

/** The report of the volume agent in a pod, from its termination message; undefined while it has not ended. */
export function agentReport(pod: V1Pod): AgentReport | undefined {
  const status = statusOf(pod);
  const ended = status?.state?.terminated ?? status?.lastState?.terminated;
  // An agent that was done before has left its report all the same.
  if (isEvicted(pod) && !ended?.message) return failure(evictedInWords(pod), 'Evicted');
  if (ended === undefined) {
    // Past its deadline: there will be no report any more.
    return pod.status?.phase === 'Failed' ? failure(`pod ${pod.metadata?.name ?? ''} failed: ${pod.status.reason ?? ''} ${pod.status.message ?? ''}`) : undefined;
  }
  try {
    return JSON.parse(ended.message ?? '') as AgentReport;
  } catch {
    return failure(`the volume agent in ${pod.metadata?.name ?? ''} ended with ${ended.reason ?? ''} (exit code ${ended.exitCode}) and no report: ${(ended.message ?? '').slice(0, 300)}`);
  }
}
