import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {nothingLeft, recovered} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, resourceName, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';

/** Its pods take some seconds to stop: the hold can be interrupted. */
async function lost(scenario: Scenario): Promise<Loss> {
  return await quorumLost(scenario, {survivor, etcd: {stopSeconds: 6}});
}

/** Everything is as it was: the survivor runs on its own data again, without a quorum, and its last write is there. */
async function putBack(scenario: Scenario, {survivorRevision}: Loss): Promise<void> {
  await until('the survivor on its own data', async () => {
    const status = await scenario.etcdStatus(survivor);
    if (status.leader !== '') return new Missing(`it has a leader: ${status.leader}`);
    return status.revision >= survivorRevision ? true : new Missing(`revision ${status.revision} of ${survivorRevision}`);
  }, {seconds: 60});
  const {members} = await scenario.tool.members(await scenario.member(survivor), {linearizable: false});
  assert.equal(members.length, 3, 'the membership was changed');
}

/** The run is stopping pods; nothing was forced. */
async function whileHolding(scenario: Scenario): Promise<void> {
  const {status} = await untilPhase(scenario, ['Holding']);
  assert.equal(status?.run?.force?.turnGiven, undefined, 'the hold was over too soon');
}

describe('A person interrupts a run', () => {
  e2e('a pause or another spec puts everything back before the force, and has to wait after it', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await whileHolding(scenario);
    await changeRecovery(scenario, {paused: true});
    const {status} = await untilReady(scenario, 'Paused');
    assert.equal(status?.run?.outcome, 'Released');
    await putBack(scenario, loss);
    await nothingLeft(scenario);

    await changeRecovery(scenario, {paused: false});
    await whileHolding(scenario);
    await changeRecovery(scenario, {survivor: {pod: survivor}});
    const changed = await until('another run, for the changed spec', async () => {
      const found = await recovery(scenario);
      return found.status?.run?.attempt === 3 ? found : new Missing(`attempt ${found.status?.run?.attempt ?? 0}`);
    }, {seconds: 60});
    assert.equal(changed.status?.history?.[0]?.reason, 'SpecChanged');

    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    await changeRecovery(scenario, {paused: true});
    await until('word of what the pause waits for', async () => {
      const found = await recovery(scenario);
      const ready = conditionOf(found.status, 'Ready')?.message ?? '';
      return /after the force had begun: this run is finished first/.test(ready) ? true : new Missing(ready);
    }, {seconds: 30});
    await untilComplete(scenario, 'Recovered', {leaving: 'Released'});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});

  e2e('deleting the resource puts everything back before the force, and lets the run end after it', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await whileHolding(scenario);
    const remove = async () => { await scenario.kube.delete('quorumrecoveries', scenario.namespace, resourceName); };
    const gone = async () => {
      await until('the end of the resource', async () => {
        const found = await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName);
        return found === undefined ? true : new Missing(conditionOf(found.status, 'Ready')?.message ?? '');
      }, {seconds: 120});
    };
    await remove();
    await gone();
    await putBack(scenario, loss);

    await applyRecovery(scenario);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    const {status} = await recovery(scenario);
    await remove();
    await gone();
    assert.equal(status?.run?.plan?.survivor, survivor);
    await scenario.healthy(3);
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, extended: true});
});
