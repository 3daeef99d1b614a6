import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint, nothingLeft, untouched, whole} from '../checks.ts';
import {labOf} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import {holds} from '../wait.ts';

describe('The operator is cut off from every etcd', () => {
  e2e('it suspects itself: Ready pods on Ready nodes are not touched, and once it reaches them nothing is needed', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(3);
    await scenario.startEtcd();
    const around = lab.nodes().map((node) => node.name).filter((name) => !scenario.nodes.includes(name));
    try {
      // The API server reaches everyone, so every node stays Ready.
      await lab.partition(scenario.nodes, around, scenario.namespace);
      const before = await fingerprint(scenario);
      await applyRecovery(scenario);
      const {status} = await untilReady(scenario, 'OperatorCutOff');
      assert.equal(status?.phase, 'Blocked');
      assert.match(conditionOf(status, 'Ready')?.message ?? '', /etcd-0, etcd-1, etcd-2.*NetworkPolic/);
      await holds('blocked with nothing touched', 10, async () => {
        await untouched(scenario, before);
        return undefined;
      });
    } finally {
      await lab.heal(scenario.namespace);
    }
    await untilComplete(scenario, 'NotNeeded', {mayBlock: true});
    await whole(scenario);
    await nothingLeft(scenario);
  });
});
