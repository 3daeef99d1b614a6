import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint} from '../checks.ts';
import {loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';

describe('preserve.mode: VolumeSnapshot where no snapshot can be taken', () => {
  e2e('is refused with SnapshotUnavailable and nothing touched, and a copy is made where that is chosen instead', async (scenario) => {
    const survivor = 'etcd-0';
    await scenario.addNodes(3);
    await scenario.startEtcd({}, 100);
    await loseNodesOf(scenario, others(survivor));
    await untilNoLeader(scenario, survivor);
    const ofSurvivor = (all: Awaited<ReturnType<typeof fingerprint>>): object => ({...all, pods: all.pods.slice(0, 1)});
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {preserve: {mode: 'VolumeSnapshot'}});
    const {status} = await untilReady(scenario, 'SnapshotUnavailable');
    assert.equal(status?.phase, 'Blocked');
    // The lab's storage is of no CSI driver, and the API is not installed.
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /data-etcd-0.*does not serve snapshot\.storage\.k8s\.io\/v1.*set spec\.preserve\.mode to Copy/);
    assert.deepEqual(status.heldPods ?? [], []);
    assert.deepEqual(ofSurvivor(await fingerprint(scenario)), ofSurvivor(before), 'the survivor was touched');
    await changeRecovery(scenario, {preserve: {mode: 'Copy'}});
    const ended = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.match(ended.status?.run?.force?.copy ?? '', /copy/);
  });
});
