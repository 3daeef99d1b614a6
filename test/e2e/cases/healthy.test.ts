import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, untouched} from '../checks.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, untilComplete, untilReady} from '../recovery.ts';
import {changePassword, createUserSecret, enableAuth, secretWords} from '../users.ts';
import {Missing, until} from '../wait.ts';

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
    // A member that is slow to answer once does not count until it is asked again.
    await until('quorum 3/3 and a witness of three members', async () => {
      const {status: now} = await recovery(scenario);
      const seen = `${now?.quorum?.summary ?? 'no quorum'}, a witness of ${now?.lastHealthy?.members.length ?? 0}`;
      return seen === '3/3, a witness of 3' || new Missing(seen);
    });
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
    const {status} = await untilComplete(scenario, 'NotNeeded', {seconds: 60, mayBlock: true});
    assert.equal(status?.lastHealthy?.members.length, 3, 'no witness was taken');
    await untouched(scenario, before);
    await nothingLeft(scenario);
  });
});
