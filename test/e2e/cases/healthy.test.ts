import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, untouched} from '../checks.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import {changePassword, createUserSecret, enableAuth, secretWords} from '../users.ts';

describe('A healthy cluster', () => {
  e2e('gets Complete with reason NotNeeded, and nothing of it is touched', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const before = await fingerprint(scenario);
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'NotNeeded', {seconds: 30});
    assert.equal(status?.phase, 'Complete');
    assert.equal(conditionOf(status, 'Ready')?.status, 'True');
    await untilWitness(scenario);
    const report = await scenario.stopWriter();
    assert.equal(report.failures, 0, `a write failed: ${report.lastError}`);
    await untouched(scenario, before);
    await nothingLeft(scenario);
    await dataThere(scenario, report.acks);
  }, {needsLab: false});

  e2e('with users is told apart from a lost one: AuthRequired without a user, CredentialsRejected with a wrong one, NotNeeded with the right one', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({}, 0);
    await enableAuth(scenario, 'etcd-0', 'right');
    const before = await fingerprint(scenario);
    await applyRecovery(scenario);
    await untilReady(scenario, 'AuthRequired');
    const target = await createUserSecret(scenario, 'wrong');
    await changeRecovery(scenario, {target});
    const {status: refused} = await untilReady(scenario, 'CredentialsRejected');
    assert.match(conditionOf(refused, 'Ready')?.message ?? '', secretWords(scenario));
    await changePassword(scenario, 'right');
    await untilComplete(scenario, 'NotNeeded', {seconds: 60, mayBlock: true});
    await untilWitness(scenario);
    await untouched(scenario, before);
    await nothingLeft(scenario);
  });
});
