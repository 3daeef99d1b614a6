import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, untouched} from '../checks.ts';
import {applyRecovery, conditionOf, untilComplete} from '../recovery.ts';

describe('A healthy cluster', () => {
  e2e('gets Complete with reason NotNeeded, and nothing of it is touched', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const before = await fingerprint(scenario);
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'NotNeeded', {seconds: 30});
    assert.equal(status?.phase, 'Complete');
    assert.equal(status.quorum?.summary, '3/3');
    assert.equal(conditionOf(status, 'Ready')?.status, 'True');
    assert.equal(status.lastHealthy?.members.length, 3, 'no witness was recorded');
    const report = await scenario.stopWriter();
    assert.equal(report.failures, 0, `a write failed: ${report.lastError}`);
    await untouched(scenario, before);
    await nothingLeft(scenario);
    await dataThere(scenario, report.acks);
  }, {needsLab: false});
});
