import {directoryOf, labOf, podNames} from './faults.ts';
import type {EtcdOptions} from './etcd.ts';
import type {Scenario} from './scenario.ts';

/* Disks of some nodes' own: the others share the machine's. They are in memory, end with their node, and only the node sees what is on them. */

/** Where a node's local volumes are, as it sees them itself. */
export const volumes = '/var/local';
const filler = `${volumes}/filler`;

/** To be called before any volume is there. */
export async function mountSmallDisks(scenario: Scenario, nodes: readonly string[], megabytes: number): Promise<void> {
  await Promise.all(nodes.map(async (node) => await labOf(scenario).onNode(node, `mount -t tmpfs -o size=${megabytes}m tmpfs ${volumes}`)));
}

/** The script by which all but so many bytes of a node's small disk are taken, at once. */
export const fillScript = (left: number): string => `fallocate -l $(( $(df --output=avail -B1 ${volumes} | tail -1) - ${left} )) ${filler}`;

export async function fillDisk(scenario: Scenario, node: string, left: number): Promise<void> {
  await labOf(scenario).onNode(node, fillScript(left));
}

/** What was taken is free again. */
export async function makeRoom(scenario: Scenario, node: string): Promise<void> {
  await labOf(scenario).onNode(node, `rm ${filler}`);
}

/** The names of the files on this pod's volume, their sizes and times, without what runs keep there. */
export async function listing(scenario: Scenario, pod: string, node: string): Promise<string> {
  const data = `${volumes}/${await directoryOf(scenario, `data-${pod}`)}`;
  return await labOf(scenario).onNode(node, `cd ${data} && find . -path ./.quorumrecovery -prune -o -type f -printf '%P %s %T@\\n' | sort`);
}

export interface SmallDisk {
  pod: string;
  node: string;
}

/** An etcd of three members on a node each, one of which has a small disk. */
export async function oneOnSmallDisk(scenario: Scenario, megabytes: number, etcd: EtcdOptions = {}): Promise<SmallDisk> {
  const [node = ''] = await scenario.addNodes(3);
  await mountSmallDisks(scenario, [node], megabytes);
  await scenario.startEtcd(etcd);
  for (const pod of podNames()) if (await scenario.nodeOf(pod) === node) return {pod, node};
  throw new Error(`no member is on ${node}`);
}
