import assert from 'node:assert/strict';
import {recovered} from './checks.ts';
import type {EtcdOptions} from './etcd.ts';
import {quorumLost} from './loss.ts';
import {applyRecovery, conditionOf, untilComplete} from './recovery.ts';
import type {SpecInput} from './recovery.ts';
import {seedCount} from './scenario.ts';
import type {Scenario} from './scenario.ts';

export interface MainJob {
  survivor: string;
  etcd?: EtcdOptions;
  spec?: SpecInput;
  /** Of three nodes two are lost: with four, two members share one at the end. */
  nodes?: number;
  /** Keys that are there before; default: `seedCount`. */
  keys?: number;
  /** Looked at while the run goes on. */
  meanwhile?: () => Promise<void>;
}

/** Two of three nodes are gone for good, with a writer running through it all: the cluster comes back whole. */
export async function twoNodesGone(scenario: Scenario, {survivor, etcd = {}, spec = {}, keys = seedCount, nodes = 4, meanwhile}: MainJob): Promise<void> {
  const loss = await quorumLost(scenario, {survivor, nodes, etcd, keys});
  await applyRecovery(scenario, spec);
  const [{status}] = await Promise.all([untilComplete(scenario, 'Recovered'), meanwhile?.()]);
  const report = await scenario.stopWriter();
  assert.equal(status?.run?.plan?.survivor, survivor);
  assert.equal(conditionOf(status, 'Succeeded')?.status, 'True');
  assert.ok(report.acks.some((ack) => ack.at > loss.at + 1_000), 'the writer never wrote into the new cluster');
  await recovered(scenario, report, loss, keys);
}
