import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint, recovered} from '../checks.ts';
import {notForced} from '../falling-back.ts';
import {labOf} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {applyRecovery, askedPlan, changeRecovery, conditionOf, recovery, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {fillDisk, makeRoom, oneOnSmallDisk, volumes} from '../small-disks.ts';
import {holds} from '../wait.ts';

/** What shows whether anybody touched the survivor's pod, or a claim. The pods of the others are Kubernetes' to take away. */
async function traces(scenario: Scenario, survivor: string): Promise<string> {
  const {pods, ...rest} = await fingerprint(scenario);
  return JSON.stringify({...rest, pods: pods.filter((pod) => 'name' in pod && pod.name === survivor)});
}

/** It says which claim has too little room, how much is needed and for what, and how much is free. */
async function refused(scenario: Scenario, survivor: string): Promise<void> {
  const {status} = await untilReady(scenario, 'RestoreFailed');
  assert.deepEqual([status?.phase, status?.run?.plan, status?.heldPods ?? []], ['Blocked', undefined, []]);
  const message = conditionOf(status, 'Ready')?.message ?? '';
  const words = new RegExp(`${survivor}: there is no room to restore its own database in the place of a force: claim data-${survivor} has (\\d+) MB free, and (\\d+) MB are needed beside what is there \\((\\d+) MB for the snapshot that is made of it, (\\d+) MB for the database that is built from that, 135 MB for the log\\)\\. Nothing was touched\\. Enlarge the claim, or remove .*\\. It is looked at again every two minutes`);
  const [free = 0, needed = 0, snapshot = 0, built = 0] = (words.exec(message)?.slice(1) ?? []).map(Number);
  assert.ok(free > 0 && free <= 67 && snapshot > 0 && snapshot === built && needed >= snapshot + built + 134, message);
}

describe('The survivor is of a version that is not forced, and its volume has no room for what is done in the place of a force', () => {
  e2e('that is refused while nothing is touched, by the claim\'s name, with what is needed and what is free; once there is room it is planned by itself, and ends as it says', async (scenario) => {
    const {pod: survivor, node} = await oneOnSmallDisk(scenario, 800, {image: notForced});
    await scenario.addNodes(1);
    await scenario.startWriter();
    const loss = await loseQuorum(scenario, survivor);
    await fillDisk(scenario, node, 64 << 20);
    const before = await traces(scenario, survivor);
    await applyRecovery(scenario);
    await refused(scenario, survivor);
    await holds('refused, and nothing touched', 5, async () => (await traces(scenario, survivor) === before ? undefined : `${survivor} was touched`));
    assert.equal(await labOf(scenario).onNode(node, `ls -d ${volumes}/*/.quorumrecovery 2>/dev/null || true`), '', 'something was written to the volume');
    await makeRoom(scenario, node);
    await untilReady(scenario, 'AwaitingApproval', 240);
    assert.equal(await traces(scenario, survivor), before, 'something was touched before the approval');
    const plan = await askedPlan(scenario);
    assert.deepEqual([plan.strategy, plan.snapshot?.pod], ['RestoreSnapshot', survivor]);
    const {revision = 0} = plan.snapshot ?? {};
    assert.ok(revision >= loss.survivorRevision, `the database is at revision ${revision}, and ${loss.survivorRevision} had been applied`);
    assert.match(plan.notes.join('\n'), new RegExp(`^restoring the database of ${survivor} takes \\d+ MB on claim data-${survivor} beside what is there \\(.*\\), and \\d+ MB were free`, 'm'));
    const id = (await recovery(scenario)).status?.run?.id;
    await changeRecovery(scenario, {approval: 'Required', approvedPlan: plan.hash});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 240});
    assert.deepEqual([status?.run?.id, status?.run?.force, status?.run?.newCluster?.members], [id, undefined, [survivor]], 'another run, another member or a force');
    assert.equal(status?.dataLoss?.survivorRevision, revision);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 9, extended: true});
});
