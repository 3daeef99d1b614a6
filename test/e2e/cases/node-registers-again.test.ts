import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint, untouched} from '../checks.ts';
import {deleteNodes, labOf, untilNoLeader, untilNotReady} from '../faults.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import {Missing, holds, until} from '../wait.ts';

describe('A deleted Node whose kubelet registers again', () => {
  e2e('proves nothing, also when it falls silent afterwards: Blocked, and nothing is touched', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded');
    const nodes = [await scenario.nodeOf('etcd-1'), await scenario.nodeOf('etcd-2')];
    const uids = await Promise.all(nodes.map(async (node) => (await scenario.kube.get('nodes', '', node))?.metadata?.uid));
    await deleteNodes(scenario, nodes);
    await Promise.all(nodes.map(async (node) => { await labOf(scenario).restartKubelet(node); }));
    await until('both nodes under new UIDs', async () => {
      const found = await Promise.all(nodes.map(async (node) => await scenario.kube.get('nodes', '', node)));
      return found.every((node, index) => node?.metadata?.uid !== undefined && node.metadata.uid !== uids[index]) ? true : new Missing('not registered');
    });
    await Promise.all(nodes.map(async (node) => { await labOf(scenario).endNode(node); }));
    await untilNoLeader(scenario, 'etcd-0');
    await untilNotReady(scenario, nodes);
    const before = await fingerprint(scenario);
    await changeRecovery(scenario, {trigger: {request: 'again'}});
    const {status} = await untilReady(scenario, 'FencingUnproven');
    assert.equal(status?.phase, 'Blocked');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', new RegExp(nodes[0] ?? ''));
    await holds('blocked with nothing touched', 8, async () => {
      await untouched(scenario, before);
      return undefined;
    });
  });
});
