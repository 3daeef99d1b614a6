import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {nothingLeft, whole} from '../checks.ts';
import {labOf, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import {changePassword, createUserSecret, enableAuth, secretWords} from '../users.ts';

const survivor = 'etcd-0';

describe('What a run needs goes wrong in the middle of it', () => {
  e2e('a wrong password is said, with its field and its Secret, and the run goes on once it is right', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd({}, 1_000);
    await enableAuth(scenario, survivor, 'right');
    const target = await createUserSecret(scenario, 'wrong');
    await loseNodesOf(scenario, others(survivor));
    await applyRecovery(scenario, {target});
    const {status} = await untilReady(scenario, 'CredentialsRejected', 180);
    assert.match(conditionOf(status, 'Ready')?.message ?? '', secretWords(scenario));
    assert.equal(status?.run?.force?.turnGiven, true);
    await changePassword(scenario, 'right');
    const ended = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.notEqual(ended.status?.run?.redundantAt, undefined);
    await nothingLeft(scenario);
  }, {extended: true});

  e2e('the survivor\'s node goes while it serves alone: that is said, and the run goes on once it is back', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await loseNodesOf(scenario, others(survivor));
    await untilNoLeader(scenario, survivor);
    const node = await scenario.nodeOf(survivor);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    await lab.endNode(node);
    const {status} = await untilReady(scenario, 'SurvivorNotServing');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', new RegExp(`${node} of ${survivor} is NotReady. No member serves`));
    await lab.startNode(node);
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true, leaving: 'Degraded'});
    await whole(scenario);
    await nothingLeft(scenario);
  }, {minutes: 8, extended: true});
});
