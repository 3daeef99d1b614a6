import {lossSeenBy} from './checks.ts';
import type {Loss} from './checks.ts';
import type {EtcdOptions} from './etcd.ts';
import {loseNodesOf, others, untilNoLeader} from './faults.ts';
import {seedCount} from './scenario.ts';
import type {Scenario} from './scenario.ts';

/** The nodes of these members are gone for good; returns once the survivor itself says that it has no leader. */
export async function loseQuorum(scenario: Scenario, survivor: string, lost: readonly string[] = others(survivor)): Promise<Loss> {
  await loseNodesOf(scenario, lost);
  const loss = await lossSeenBy(scenario, survivor);
  await untilNoLeader(scenario, survivor);
  return loss;
}

export interface LossOptions {
  survivor: string;
  /** Default: the others of three. */
  lost?: readonly string[];
  /** Default 4: of three nodes two are lost, and two members share one at the end where there is no more. */
  nodes?: number;
  etcd?: EtcdOptions;
  /** Keys that are there before; default: `seedCount`. */
  keys?: number;
}

/** An etcd with a writer that goes on through it all, and then the loss of its quorum. */
export async function quorumLost(scenario: Scenario, {survivor, lost, nodes = 4, etcd = {}, keys = seedCount}: LossOptions): Promise<Loss> {
  await scenario.addNodes(nodes);
  await scenario.startEtcd(etcd, keys);
  await scenario.startWriter();
  return await loseQuorum(scenario, survivor, lost);
}
