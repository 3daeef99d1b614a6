import assert from 'node:assert/strict';
import {holdBinding, policyName} from '../../../src/generate/policy.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {fingerprint, recovered, untouched} from '../checks.ts';
import {labOf} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {installOwnOperator, uninstallOwnOperator} from '../own-operator.ts';
import {applyRecovery, conditionOf, recovery, standing, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';

const survivor = 'etcd-0';

async function lost(scenario: Scenario): Promise<Loss> {
  return await quorumLost(scenario, {survivor, etcd: {stopSeconds: 5}});
}

/** The policy's binding leaves this namespace out, as if it had been deleted; other cases keep it. */
async function withoutPolicy(scenario: Scenario, without: boolean): Promise<void> {
  const leftOut = {namespaceSelector: {matchExpressions: [{key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [scenario.namespace]}]}};
  const patch = {spec: {...holdBinding.spec, matchResources: without ? leftOut : null}};
  await labOf(scenario).kubectl(['patch', 'validatingadmissionpolicybinding', policyName, '--type=merge', '-p', JSON.stringify(patch)]);
}

describe('What the run stands on is taken away', () => {
  e2e('the chart is uninstalled in the middle of it: held pods stay held and harm nobody, and with the chart installed again the run goes on', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    await uninstallOwnOperator(scenario);
    await until('the end of the operator\'s pods', async () => {
      const left = await scenario.kube.list('pods', scenario.environment.operatorNamespace);
      return left.length === 0 ? true : new Missing(`${left.length} are there`);
    }, {seconds: 60});
    await until('a write without an operator', async () => { await scenario.tool.put(await scenario.member(survivor), 'without/an/operator', 'written'); return true; }, {seconds: 60});
    const before = (await scenario.tool.members(await scenario.member(survivor))).members.length;
    const {status} = await recovery(scenario);
    assert.ok((status?.heldPods ?? []).length > 0, 'nothing is held any more: it was uninstalled too late to show anything');
    await holds('nobody else starts', 10, async () => {
      const {members} = await scenario.tool.members(await scenario.member(survivor));
      return members.length === before ? undefined : `${members.length} members`;
    });
    await installOwnOperator(scenario);
    const ended = await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    assert.equal(ended.status?.run?.attempt, 1, 'it took more than one run');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 9, ownOperator: true, extended: true});

  e2e('the policy\'s binding is gone: before the hold nothing is touched; later a pod of the controller is stopped, and that is said until the binding is back', async (scenario) => {
    await withoutPolicy(scenario, true);
    try {
      const loss = await lost(scenario);
      const before = await fingerprint(scenario);
      await applyRecovery(scenario);
      await untilReady(scenario, 'HoldNotEnforced', 180);
      await untouched(scenario, before);
      await withoutPolicy(scenario, false);
      await untilPhase(scenario, ['Decommissioning', 'Rejoining'], 120);
      await withoutPolicy(scenario, true);
      // Where a joiner takes the place of a gated pod the controller can be faster, and is so more often than not.
      const said = await until('the end of the run, or the word that nothing holds a name any more', async () => {
        const {status: now} = await recovery(scenario);
        const reason = conditionOf(now, 'Ready')?.reason ?? '';
        return reason === 'HoldNotEnforced' || now?.run?.finishedAt !== undefined ? reason : new Missing(standing(now));
      }, {seconds: 120, every: 50});
      console.log(`      without the policy: ${said}`);
      await withoutPolicy(scenario, false);
      const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
      assert.equal(status?.run?.attempt, 1, 'it took more than one run');
      await recovered(scenario, await scenario.stopWriter(), loss);
    } finally {
      await withoutPolicy(scenario, false);
    }
  }, {minutes: 9, extended: true});
});
