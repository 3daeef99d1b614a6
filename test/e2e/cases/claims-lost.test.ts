import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import {untilNoLeader} from '../faults.ts';
import {applyRecovery, changeRecovery, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

/** Somebody deletes two members' claims and pods; their nodes are well. The controller makes both anew, empty. */
async function loseClaims(scenario: Scenario): Promise<Loss> {
  const lost = ['etcd-1', 'etcd-2'];
  const old = await Promise.all(lost.map(async (pod) => await scenario.kube.get('persistentvolumeclaims', scenario.namespace, `data-${pod}`)));
  for (const pod of lost) await scenario.kube.delete('persistentvolumeclaims', scenario.namespace, `data-${pod}`);
  for (const pod of lost) await scenario.kube.delete('pods', scenario.namespace, pod);
  await until('new claims in the place of the deleted ones', async () => {
    const now = await Promise.all(lost.map(async (pod) => await scenario.kube.get('persistentvolumeclaims', scenario.namespace, `data-${pod}`)));
    const same = now.filter((claim, index) => claim === undefined || claim.metadata?.uid === old[index]?.metadata?.uid);
    return same.length === 0 ? true : new Missing(`${same.length} are not made yet`);
  });
  const loss = await lossSeenBy(scenario, 'etcd-0');
  await untilNoLeader(scenario, 'etcd-0');
  return loss;
}

describe('Two of three claims are lost while the survivor still runs', () => {
  e2e('their pods ended before the operator\'s eyes: it recovers without being told anything', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded');
    await untilWitness(scenario);
    await scenario.startWriter();
    const loss = await loseClaims(scenario);
    await changeRecovery(scenario, {trigger: {request: 'two claims are gone'}});
    const {status} = await untilComplete(scenario, 'Recovered', {request: 'two claims are gone'});
    assert.equal(status?.run?.plan?.survivor, 'etcd-0');
    assert.ok(status.dataLoss?.lastKnownRevision !== undefined, 'the witness is not in the result');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {needsLab: false, extended: true});

  e2e('they ended before there was a QuorumRecovery: Blocked with FencingUnproven, until lostMembers names them', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const {members} = await scenario.tool.members(await scenario.member('etcd-0'));
    const loss = await loseClaims(scenario);
    await applyRecovery(scenario);
    await untilReady(scenario, 'FencingUnproven');
    const survivor = await scenario.pod('etcd-0');
    assert.equal(survivor?.metadata?.deletionTimestamp, undefined, 'the running survivor was touched');
    const lostMembers = members.filter((member) => member.name !== 'etcd-0').map(({name, id}) => ({pod: name, memberID: id}));
    await changeRecovery(scenario, {lostMembers});
    await untilComplete(scenario, 'Recovered', {mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {needsLab: false, extended: true});
});
