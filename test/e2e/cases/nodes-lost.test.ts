import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import type {EtcdOptions} from '../etcd.ts';
import {loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';

/** Two of three nodes are gone for good, with a writer running through it all. */
async function twoNodesGone(scenario: Scenario, survivor: string, options: EtcdOptions): Promise<void> {
  await scenario.addNodes(5);
  await scenario.startEtcd(options);
  await scenario.startWriter();
  await loseNodesOf(scenario, others(survivor));
  const loss = await lossSeenBy(scenario, survivor);
  await untilNoLeader(scenario, survivor);
  await applyRecovery(scenario);
  const {status} = await untilComplete(scenario, 'Recovered');
  const report = await scenario.stopWriter();
  assert.equal(status?.run?.plan?.survivor, survivor);
  assert.equal(conditionOf(status, 'Succeeded')?.status, 'True');
  assert.ok(report.acks.some((ack) => ack.at > loss.at + 1_000), 'the writer never wrote into the new cluster');
  await recovered(scenario, report, loss);
}

describe('Two of three nodes are ended and deleted', () => {
  e2e('etcd-0 survives: the cluster comes back whole, with every write that etcd-0 knew as committed', async (scenario) => {
    await twoNodesGone(scenario, 'etcd-0', {});
  });
  e2e('etcd-1 survives, in a StatefulSet that starts its pods in order', async (scenario) => {
    await twoNodesGone(scenario, 'etcd-1', {podManagementPolicy: 'OrderedReady'});
  });
  e2e('etcd-2 survives', async (scenario) => {
    await twoNodesGone(scenario, 'etcd-2', {});
  });
});
