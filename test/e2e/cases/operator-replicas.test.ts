import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import {loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, recovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('Two replicas of the operator', () => {
  e2e('the leader is killed while a member joins, and the other one ends the run', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await scenario.startWriter();
    await loseNodesOf(scenario, others('etcd-2'));
    const loss = await lossSeenBy(scenario, 'etcd-2');
    await untilNoLeader(scenario, 'etcd-2');
    const first = await leader(scenario);
    await applyRecovery(scenario);
    await until('the phase Rejoining', async () => {
      const {status} = await recovery(scenario);
      return status?.phase === 'Rejoining' ? true : new Missing(status?.phase ?? '');
    }, {seconds: 240, every: 20});
    killOperator(first);
    await untilComplete(scenario, 'Recovered');
    assert.notEqual((await leader(scenario)).metadata?.name, first.metadata?.name, 'the killed leader leads again');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, ownOperator: true});
});
