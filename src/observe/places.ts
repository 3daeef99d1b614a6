import type {V1Node, V1NodeSelectorRequirement, V1NodeSelectorTerm, V1PersistentVolume, V1PersistentVolumeClaim} from '@kubernetes/client-node';
import type {NodeView, Place} from './observation.ts';

export function nodeView(node: V1Node): NodeView {
  return {
    name: node.metadata?.name ?? '',
    uid: node.metadata?.uid ?? '',
    ready: (node.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    outOfService: (node.spec?.taints ?? []).some((taint) => taint.key === 'node.kubernetes.io/out-of-service'),
    unschedulable: node.spec?.unschedulable === true,
    machineID: node.status?.nodeInfo?.machineID ?? '',
    systemUUID: node.status?.nodeInfo?.systemUUID ?? '',
    providerID: node.spec?.providerID ?? '',
    labels: node.metadata?.labels ?? {},
    ...(node.status?.allocatable?.['ephemeral-storage'] !== undefined && {ephemeralStorage: true}),
  };
}

function matches(requirement: V1NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In': return value !== undefined && values.includes(value);
    case 'NotIn': return value === undefined || !values.includes(value);
    case 'Exists': return value !== undefined;
    case 'DoesNotExist': return value === undefined;
    case 'Gt': return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt': return value !== undefined && Number(value) < Number(values[0]);
    default: return false;
  }
}

const fits = (term: V1NodeSelectorTerm, node: NodeView) =>
  (term.matchExpressions ?? []).every((requirement) => matches(requirement, node.labels[requirement.key]))
  && (term.matchFields ?? []).every((requirement) => matches(requirement, requirement.key === 'metadata.name' ? node.name : undefined));

/** Node names that an affinity spells out, for messages and for volumes whose nodes are all gone. */
const namedNodes = (terms: V1NodeSelectorTerm[]) => [...new Set(terms.flatMap((term) =>
  [...(term.matchExpressions ?? []), ...(term.matchFields ?? [])].filter((r) => r.operator === 'In').flatMap((r) => r.values ?? [])))];

/** Where the data behind a claim can be reached, by its volume's node affinity and the Nodes that there are. */
export function placeOf(claim: V1PersistentVolumeClaim | undefined, volume: V1PersistentVolume | undefined, nodes: readonly NodeView[]): Place {
  if (claim === undefined) return {at: 'Missing'};
  if (claim.spec?.volumeName === undefined || claim.status?.phase !== 'Bound' || volume === undefined) return {at: 'Unbound'};
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return {at: 'Anywhere'};
  const there = nodes.filter((node) => terms.some((term) => fits(term, node)));
  if (there.length === 0) return {at: 'GoneNode', nodes: namedNodes(terms)};
  const alive = there.filter((node) => node.ready && !node.outOfService);
  if (alive.length > 0) return {at: 'Node', nodes: alive.map((node) => node.name)};
  // Out of service: an administrator says that the node does not come back as it was, and its own disks with it.
  if (there.every((node) => node.outOfService)) return {at: 'GoneNode', nodes: there.map((node) => node.name)};
  return {at: 'NotReadyNode', nodes: there.filter((node) => !node.outOfService).map((node) => node.name)};
}

export const describePlace = (place: Place): string => {
  switch (place.at) {
    case 'Anywhere': return 'its volume can be attached to any node';
    case 'Node': return `its volume is on node ${place.nodes.join(', ')}, which is Ready`;
    case 'NotReadyNode': return `its volume is on node ${place.nodes.join(', ')}, which is NotReady`;
    case 'GoneNode': return `its volume was on node ${place.nodes.join(', ')}, which is gone`;
    case 'Unbound': return 'its claim is bound to no volume';
    case 'Missing': return 'its claim is gone';
  }
};
