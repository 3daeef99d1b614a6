/**
 * The lab's network is routed, not bridged: every packet between two nodes passes the lab's own namespace, and that is
 * where partitions are made. Several labs use the same addresses, each in its own namespaces.
 */
export const apiAddress = '10.89.0.1';
export const apiPort = 6443;
export const serviceNetwork = '10.96.0.0/16';
export const apiServiceAddress = '10.96.0.1';
export const dnsServiceAddress = '10.96.0.10';
export const podNetwork = '10.244.0.0/16';

/** More would not fit into the addresses. */
export const maximumIndex = 200;

const kubeletPort = 10250;

/** A word of `partition` that means the API server alone: names still resolve, and whoever else is in the lab's own namespace still reaches the nodes. */
export const apiPartyName = 'api';

export function nodeAddress(index: number): string {
  return `10.89.0.${10 + index}`;
}

export function nodePodNetwork(index: number): string {
  return `10.244.${index}.0/24`;
}

/** The end of the node's link in the lab's namespace. */
export function linkName(index: number): string {
  return `node${index}`;
}

/** One end of a partition: a node's index, or the API server. */
export type Party = number | typeof apiPartyName;

const inputChain = 'LAB-INPUT';
const outputChain = 'LAB-OUTPUT';
const forwardChain = 'LAB-FORWARD';

/** Input of `iptables-restore`: makes the chains, once, at the lab's start. */
export function partitionChains(): string {
  return [
    '*mangle',
    ...[inputChain, outputChain, forwardChain].map((chain) => `:${chain} - [0:0]`),
    `-A INPUT -j ${inputChain}`,
    `-A OUTPUT -j ${outputChain}`,
    `-A FORWARD -j ${forwardChain}`,
    'COMMIT\n',
  ].join('\n');
}

/** Input of `iptables-restore --noflush`: exactly these pairs are cut, in both directions and at one moment; all others are whole. */
export function partitionRules(pairs: readonly (readonly [Party, Party])[]): string {
  const rules = pairs.flatMap(([a, b]) => {
    if (a === apiPartyName) return b === apiPartyName ? [] : cutFromAPI(b);
    return b === apiPartyName ? cutFromAPI(a) : cutNodes(a, b);
  });
  return ['*mangle', ...[inputChain, outputChain, forwardChain].map((chain) => `-F ${chain}`), ...rules, 'COMMIT\n'].join('\n');
}

/** All pairs of one of the first with one of the second. */
export function pairsBetween(first: readonly Party[], second: readonly Party[]): [Party, Party][] {
  return first.flatMap((a) => second.filter((b) => b !== a).map((b): [Party, Party] => [a, b]));
}

function networksOf(index: number): string {
  return `${nodeAddress(index)},${nodePodNetwork(index)}`;
}

function cutNodes(a: number, b: number): string[] {
  return [
    `-A ${forwardChain} -s ${networksOf(a)} -d ${networksOf(b)} -j DROP`,
    `-A ${forwardChain} -s ${networksOf(b)} -d ${networksOf(a)} -j DROP`,
  ];
}

/** What the node's kubelet and pods say to the API server, and what that says to the kubelet. */
function cutFromAPI(index: number): string[] {
  return [
    `-A ${inputChain} -s ${networksOf(index)} -p tcp --dport ${apiPort} -j DROP`,
    `-A ${outputChain} -d ${networksOf(index)} -p tcp --sport ${apiPort} -j DROP`,
    `-A ${inputChain} -s ${nodeAddress(index)} -p tcp --sport ${kubeletPort} -j DROP`,
    `-A ${outputChain} -d ${nodeAddress(index)} -p tcp --dport ${kubeletPort} -j DROP`,
  ];
}
