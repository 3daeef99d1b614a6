import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

/**
 * What peers send to this member comes at so many kB a second and no faster, on each connection by itself: its log falls behind, the leader's
 * heartbeats, which have a connection of their own, are in time, and clients notice nothing. (A slow disk would keep etcd's Status waiting
 * too, and how slow a limit makes it is another matter on every kernel.) Both the streams that the member opened and what others post to it
 * (etcd server/etcdserver/api/rafthttp): a stream that breaks is replaced by posts.
 * @returns ends it
 */
export async function slowPeers(scenario: Scenario, pod: string, kilobytes = 30): Promise<() => Promise<void>> {
  const address = (await scenario.pod(pod))?.status?.podIP ?? '';
  const node = await scenario.nodeOf(pod);
  const rules = ['sport', 'dport'].map((side) => {
    // Longer than a packet, or none would ever pass.
    const limit = `-m hashlimit --hashlimit-name slow-${side} --hashlimit-mode srcip,srcport,dstip,dstport --hashlimit-above ${kilobytes}kb/s --hashlimit-burst ${4 * kilobytes}kb`;
    return `FORWARD -d ${address} -p tcp --${side} 2380 ${limit} -j DROP`;
  });
  const change = async (how: '-I' | '-D'): Promise<void> => {
    await labOf(scenario).onNode(node, rules.map((rule) => `iptables -w -t mangle ${how} ${rule}`).join('\n'));
  };
  await change('-I');
  return async () => { await change('-D'); };
}
