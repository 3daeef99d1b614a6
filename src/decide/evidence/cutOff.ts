import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {isLaunch, isOnReadyNode} from '../../observe/observation.ts';

/** The kubelet, which is beside the pod, says that it is well. */
function isReadyByKubelet(observation: Observation, {object, launch}: OrdinalView): boolean {
  if (object?.metadata?.deletionTimestamp !== undefined || !isLaunch(launch)) return false;
  return isOnReadyNode(observation, object) && object?.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;
}

/**
 * The operator suspects itself: no etcd of the set answers it, and the network does not even let it through to pods that their kubelets
 * call Ready. Two views that contradict each other are no ground to stop anything (docs/adr/0019).
 */
export function cutOff(observation: Observation): string[] {
  const {ordinals} = observation;
  if (ordinals.some(({probe}) => probe.kind === 'Answered' || probe.kind === 'PeerOnly')) return [];
  return ordinals.filter((view) => view.probe.kind === 'Failed' && !view.probe.reached && isReadyByKubelet(observation, view)).map(({pod}) => pod);
}

export const cutOffWords = ({resource: {metadata: {namespace = 'default'}}}: Observation, pods: readonly string[]): string =>
  `no etcd answers the operator, and nothing lets it through to ${pods.join(', ')}, which the kubelet calls Ready on a Ready node: the operator itself may be cut off, so nothing is touched. Check NetworkPolicies of namespace ${namespace} (the operator's namespace needs the client and the peer port), and the network between the operator's node and theirs. If etcd there is dead all the same, its readiness probe has to say so`;
