import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import {setName} from '../etcd.ts';
import {loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, untilComplete, untilReady} from '../recovery.ts';
import {holds} from '../wait.ts';

describe('A rollout is under way when the quorum is lost', () => {
  e2e('it is Blocked with RolloutInProgress, and recovers once its owner has undone it', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await scenario.startWriter();
    await loseNodesOf(scenario, others('etcd-0'));
    const loss = await lossSeenBy(scenario, 'etcd-0');
    const annotate = async (version: string | null): Promise<void> => {
      await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {template: {metadata: {annotations: version === null ? null : {version}}}}});
    };
    await annotate('2');
    await untilNoLeader(scenario, 'etcd-0');
    const survivor = await scenario.pod('etcd-0');
    await applyRecovery(scenario);
    const {status} = await untilReady(scenario, 'RolloutInProgress');
    assert.equal(status?.phase, 'Blocked');
    await holds('blocked with nothing touched', 5, async () => ((await scenario.pod('etcd-0'))?.metadata?.uid === survivor?.metadata?.uid ? undefined : 'etcd-0 was replaced'));
    await annotate(null);
    await untilComplete(scenario, 'Recovered', {mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  });
});
