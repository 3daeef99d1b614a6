import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {lossSeenBy, recovered, required} from '../checks.ts';
import {labOf, loseNodesOf, others, signalPod, untilNoLeader} from '../faults.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, untilComplete, untilPhase} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';

async function lost(scenario: Scenario): Promise<Loss> {
  await scenario.addNodes(5);
  await scenario.startEtcd();
  await scenario.startWriter();
  await loseNodesOf(scenario, others(survivor));
  const loss = await lossSeenBy(scenario, survivor);
  await untilNoLeader(scenario, survivor);
  return loss;
}

/** The pod of the forced start, with its etcd running. */
async function forcedStart(scenario: Scenario): Promise<V1Pod> {
  return await until('the forced start', async () => {
    const pods = await scenario.kube.list('pods', scenario.namespace, `${marks.helper}=Force`);
    const pod = pods[0];
    if (pod === undefined) return undefined;
    signalPod(pod, '--force-new-cluster', 'SIGCONT');
    return pod;
  }, {seconds: 60, every: 10});
}

/** Numbers between 0 and 1 that are the same in each test run. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

describe('Something fails in the middle of a run', () => {
  e2e('the API server hangs for 20 s: the run goes on', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['ForcingNewCluster', 'Decommissioning', 'Rejoining']);
    await labOf(scenario).stallAPIServer(20_000);
    await untilComplete(scenario, 'Recovered');
    await recovered(scenario, await scenario.stopWriter(), loss);
  });

  e2e('the forced etcd is killed, as by the kernel for want of memory: it is forced once more, and only its own writes count', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    const pod = await forcedStart(scenario);
    signalPod(pod, '--force-new-cluster', 'SIGKILL');
    const {status} = await untilComplete(scenario, 'Recovered');
    // Killed before the check was through, it takes a second attempt; killed after it, its end was due anyway.
    assert.ok([1, 2].includes(status?.run?.force?.attempt ?? 0), `attempt ${status?.run?.force?.attempt ?? 0}`);
    assert.equal(status?.dataLoss?.discardedEntries, 0);
    await recovered(scenario, await scenario.stopWriter(), loss);
  });

  e2e('the node of the forced start ends and comes back: the run waits for it and goes on', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    const pod = await forcedStart(scenario);
    const node = pod.spec?.nodeName ?? '';
    await labOf(scenario).endNode(node);
    await delay(3_000);
    await labOf(scenario).startNode(node);
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});

  e2e('the operator is killed with SIGKILL at 30 random moments of runs one after the other', async (scenario) => {
    let loss = await lost(scenario);
    const losses = [loss];
    const random = numbers(20_261_122);
    const next = (): number => random.next().value as number;
    let kills = 0;
    for (let round = 1; kills < 30; round += 1) {
      const request = `round ${round}`;
      if (round === 1) await applyRecovery(scenario, {trigger: {request}});
      else {
        const nodes = await loseNodesOf(scenario, others(survivor));
        assert.equal(nodes.length, 2);
        loss = await lossSeenBy(scenario, survivor);
        losses.push(loss);
        await scenario.addNodes(2);
        await untilNoLeader(scenario, survivor);
        await changeRecovery(scenario, {trigger: {request}});
      }
      const killing = (async () => {
        while (kills < 30) {
          await delay(200 + next() * 3_000);
          const {status} = await recovery(scenario);
          if (status?.run?.request === request && status.run.finishedAt !== undefined) return;
          if (status?.run?.request !== request) continue;
          killOperator(await leader(scenario));
          kills += 1;
        }
      })();
      const complete = await until(`the end of ${request}`, async () => {
        const found = await recovery(scenario);
        const over = found.status?.run?.request === request && conditionOf(found.status, 'Complete')?.status === 'True';
        return over ? found : new Missing(standing(found.status));
      }, {seconds: 420});
      await killing;
      assert.equal(conditionOf(complete.status, 'Complete')?.reason, 'Recovered');
      await scenario.healthy(3);
    }
    const report = await scenario.stopWriter();
    // Each loss of the quorum took what its survivor had not heard of.
    const acks = losses.reduce((kept, one) => required({...report, acks: kept}, one), report.acks);
    await recovered(scenario, {...report, acks}, loss);
  }, {minutes: 25});
});
