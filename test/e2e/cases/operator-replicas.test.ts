import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, recovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('Two replicas of the operator', () => {
  e2e('the leader is killed while a member joins, and the other one ends the run', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-2'});
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
