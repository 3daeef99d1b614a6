import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, recovered, required} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, conditionOf, untilComplete} from '../recovery.ts';

describe('There is no node left for one member', () => {
  e2e('the cluster is Degraded and verified, and the member joins by itself when a node is added', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-0', etcd: {antiAffinity: true}});
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'Degraded');
    assert.equal(conditionOf(status, 'Degraded')?.status, 'True');
    assert.equal(status?.heldPods?.length, 1, 'the name of the waiting member is not held');
    const {members} = await scenario.tool.members(await scenario.member('etcd-0'));
    assert.equal(members.filter((member) => !member.isLearner).length, 2);
    const half = await scenario.writerReport();
    await dataThere(scenario, required(half, loss));
    await scenario.addNodes(1);
    const ended = await untilComplete(scenario, 'Recovered', {leaving: 'Degraded'});
    assert.equal(conditionOf(ended.status, 'Degraded'), undefined);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});
});
