import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {handOver, killOperator, leader} from '../operator.ts';
import {leaderElection} from '../own-operator.ts';
import {applyRecovery, recovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('Two replicas of the operator', () => {
  e2e('the leader is killed while a member joins, and the other one ends the run; one that ends in order gives its Lease up', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-2'});
    const first = await leader(scenario);
    await applyRecovery(scenario);
    await until('the phase Rejoining', async () => {
      const {status} = await recovery(scenario);
      return status?.phase === 'Rejoining' ? true : new Missing(status?.phase ?? '');
    }, {seconds: 240, every: 20});
    const afterKill = await handOver(scenario, first, () => { killOperator(first); });
    await untilComplete(scenario, 'Recovered');
    const second = await leader(scenario);
    assert.notEqual(second.metadata?.name, first.metadata?.name, 'the killed leader leads again');
    await recovered(scenario, await scenario.stopWriter(), loss);
    const afterEnd = await handOver(scenario, second, async () => {
      await scenario.kube.delete('pods', second.metadata?.namespace ?? '', second.metadata?.name ?? '');
    });
    const {leaseDurationSeconds} = leaderElection;
    console.log(`      another one led ${afterKill.toFixed(1)} s after the SIGKILL of the leader (leaseDuration ${leaseDurationSeconds} s), and ${afterEnd.toFixed(1)} s after the leader's pod was deleted`);
  }, {minutes: 8, ownOperator: true});
});
