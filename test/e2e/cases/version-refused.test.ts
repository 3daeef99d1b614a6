import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint} from '../checks.ts';
import {loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilReady} from '../recovery.ts';

describe('An etcd version whose --force-new-cluster is not clean', () => {
  e2e('is not forced: the plan names what it does in its place, waits for a person, and nothing is touched', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({image: 'localhost/etcd:3.5.21'}, 100);
    await loseNodesOf(scenario, others('etcd-0'));
    await untilNoLeader(scenario, 'etcd-0');
    const survivor = (before: Awaited<ReturnType<typeof fingerprint>>): object => ({...before, pods: before.pods.slice(0, 1)});
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {approval: 'Automatic'});
    const {status} = await untilReady(scenario, 'AwaitingApproval');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /3\.5\.21/);
    assert.deepEqual([status?.run?.plan?.strategy, status?.run?.plan?.snapshot?.pod], ['RestoreSnapshot', 'etcd-0']);
    assert.deepEqual(status?.heldPods ?? [], []);
    assert.deepEqual(survivor(await fingerprint(scenario)), survivor(before), 'the survivor was touched');
  });
});
