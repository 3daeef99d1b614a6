import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {fingerprint, helpersOf, recovered, untilHelpersGone, untouched} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {holds, Missing, until} from '../wait.ts';

const hashOf = ({status}: QuorumRecovery): string => status?.run?.plan?.hash ?? '';

/** It waits, with its plan told and nothing but the status written. */
async function waitsFor(scenario: Scenario, otherThan = ''): Promise<QuorumRecovery> {
  const found = await until('a plan that waits for its approval', async () => {
    const asked = await untilReady(scenario, 'AwaitingApproval');
    return hashOf(asked) === otherThan ? new Missing(`the hash is still ${otherThan}`) : asked;
  }, {seconds: 30});
  assert.equal(found.status?.phase, 'AwaitingApproval');
  assert.match(conditionOf(found.status, 'Ready')?.message ?? '', new RegExp(hashOf(found)));
  assert.deepEqual(found.status.heldPods ?? [], []);
  return found;
}

describe('A plan that needs approval', () => {
  e2e('waits untouched, asks again when it changes, and is carried out under its own hash only', async (scenario) => {
    const survivor = 'etcd-1';
    const loss = await quorumLost(scenario, {survivor});
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {approval: 'Required'});
    const first = await waitsFor(scenario);
    const plan = first.status?.run?.plan;
    assert.equal(plan?.survivor, survivor);
    const [rank] = plan.ranks;
    assert.ok(rank);
    assert.equal(rank.from, 'disk', 'the disk was not read before the question');
    assert.ok(rank.index >= rank.commit && rank.commit > 0, `the plan says index ${rank.index}, commit ${rank.commit}`);
    assert.deepEqual(plan.lost.map(({fenced}) => fenced), ['NodeDeleted', 'NodeDeleted']);
    assert.deepEqual(plan.claims.map(({pod}) => pod), ['etcd-0', 'etcd-1', 'etcd-2']);

    await untilHelpersGone(scenario);
    await changeRecovery(scenario, {approvedPlan: `sha256-${'0'.repeat(32)}`});
    await holds('a wrong hash approves nothing', 6, async () => {
      await untouched(scenario, before);
      return helpersOf(await scenario.kube.list('pods', scenario.namespace)).length > 0 ? 'helper pods are left' : undefined;
    });
    await changeRecovery(scenario, {approvedPlan: hashOf(first), preserve: {mode: 'Skip'}});
    const second = await waitsFor(scenario, hashOf(first));
    await untouched(scenario, before);

    await changeRecovery(scenario, {approvedPlan: hashOf(second)});
    const {status} = await untilComplete(scenario, 'Recovered');
    assert.equal(status?.run?.approved?.hash, hashOf(second));
    assert.equal(status.run.attempt, 1);
    await recovered(scenario, await scenario.stopWriter(), loss);
  });
});
