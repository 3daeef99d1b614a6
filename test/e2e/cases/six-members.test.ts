import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {loseQuorum} from '../loss.ts';
import {applyRecovery, untilComplete} from '../recovery.ts';

const canary = 'ims_domain';

describe('Three of six members are gone for good: half is no quorum', () => {
  e2e('what is left can only be read, until it is a cluster again; the three join anew, and the canary key is on every member', async (scenario) => {
    await scenario.addNodes(6);
    await scenario.startEtcd({replicas: 6});
    await scenario.tool.put(await scenario.member('etcd-0'), canary, 'example.com');
    await scenario.startWriter();
    const loss = await loseQuorum(scenario, 'etcd-0', ['etcd-3', 'etcd-4', 'etcd-5']);
    const left = await scenario.member('etcd-0');
    await assert.rejects(scenario.tool.put(left, 'e2e/refused', 'x'), 'a write was taken without a quorum');
    assert.equal((await scenario.tool.get(left, canary, {serializable: true})).value, 'example.com');
    await applyRecovery(scenario, {verification: {canaryKeys: [canary]}});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 300});
    assert.ok(['etcd-0', 'etcd-1', 'etcd-2'].includes(status?.run?.plan?.survivor ?? ''));
    assert.deepEqual(status?.run?.plan?.lost.filter(({fenced}) => fenced === 'NodeDeleted').map(({pod}) => pod), ['etcd-3', 'etcd-4', 'etcd-5']);
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario, 6);
    await nothingLeft(scenario);
    await dataThere(scenario, required(report, loss));
    for (const member of await scenario.members()) assert.equal((await scenario.tool.get(member, canary, {serializable: true})).value, 'example.com', member.pod);
  }, {minutes: 9});
});
