import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

/**
 * What peers send to this member comes at so many kB a second and no faster, on each connection by itself: its log falls behind, the leader's
 * heartbeats, which have a connection of their own, are in time, and clients notice nothing. (A slow disk would keep etcd's Status waiting
 * too, and how slow a limit makes it is another matter on every kernel.)
 * @returns ends it
 */
export async function slowPeers(scenario: Scenario, pod: string, kilobytes = 2): Promise<() => Promise<void>> {
  const address = (await scenario.pod(pod))?.status?.podIP ?? '';
  const node = await scenario.nodeOf(pod);
  // Longer than a packet, or none would ever pass.
  const limit = `-m hashlimit --hashlimit-name slow-peers --hashlimit-mode srcip,srcport,dstip,dstport --hashlimit-above ${kilobytes}kb/s --hashlimit-burst ${4 * kilobytes}kb`;
  const rule = `FORWARD -d ${address} -p tcp --sport 2380 ${limit} -j DROP`;
  await labOf(scenario).onNode(node, `iptables -w -t mangle -I ${rule}`);
  return async () => { await labOf(scenario).onNode(node, `iptables -w -t mangle -D ${rule}`); };
}
