import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import {alone, e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {recovered} from '../checks.ts';
import {forcedStart, labOf, signalPod} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {handOver, killOperator, leader} from '../operator.ts';
import {ownNamespaces} from '../own-operator.ts';
import {applyRecovery, recovery, standing, untilComplete, untilPhase} from '../recovery.ts';
import {Scenario} from '../scenario.ts';

const survivor = 'etcd-0';

async function lost(scenario: Scenario): Promise<Loss> {
  return await quorumLost(scenario, {survivor});
}

/** Numbers between 0 and 1 that are the same in each test run. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

const inFlight = async (scenario: Scenario): Promise<boolean> => (await recovery(scenario)).status?.run?.finishedAt === undefined;

/** Kills after which the runs would have been over many times. */
const mostKills = 90;

/** How much longer a leader lives than the one before it: on a crowded machine the first ones are killed before they can take a step. */
const longer = 1.05;

/** Kills whoever leads, again and again, until every run has ended. @returns at how many moments of runs it was killed */
async function killAtRandom(runs: readonly Scenario[]): Promise<number> {
  const [first] = runs;
  assert.ok(first);
  let moments = 0;
  let kills = 0;
  for (const random of numbers(20_261_122)) {
    await delay(300 + random * 2_500 * longer ** kills);
    if (kills >= mostKills) throw new Error(`after ${kills} kills: ${(await Promise.all(runs.map(async (one) => `${one.namespace}: ${standing((await recovery(one)).status)}`))).join('\n')}`);
    const busy = (await Promise.all(runs.map(inFlight))).filter((yes) => yes).length;
    if (busy === 0) break;
    const pod = await leader(first);
    moments += busy;
    kills += 1;
    await handOver(first, pod, async () => {
      killOperator(pod);
      // A new pod in its place: the kubelet would wait longer and longer before it starts the killed one again.
      await first.kube.delete('pods', pod.metadata?.namespace ?? '', pod.metadata?.name ?? '', 0);
    }, 120);
  }
  return moments;
}

describe('Something fails in the middle of a run', () => {
  e2e('the API server hangs for 20 s: the run goes on', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['ForcingNewCluster', 'Decommissioning', 'Rejoining']);
    await labOf(scenario).stallAPIServer(20_000);
    // The kubelets were silent as long as the API server was, so that nodes can be NotReady for a moment.
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {weight: alone, minutes: 8, extended: true});

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
  }, {extended: true});

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
  }, {minutes: 8, extended: true});

  e2e('the operator is killed with SIGKILL at 30 random moments of three runs at a time: each ends as it would have', async (scenario) => {
    const runs = [scenario, ...ownNamespaces(scenario.namespace).slice(1).map((namespace) => new Scenario(scenario.environment, namespace))];
    await Promise.all(runs.slice(1).map(async (one) => { await one.begin(); }));
    try {
      const losses = await Promise.all(runs.map(lost));
      await Promise.all(runs.map(async (one) => { await applyRecovery(one); }));
      const moments = await killAtRandom(runs);
      assert.ok(moments >= 30, `the runs were over after ${moments} moments`);
      for (const [index, one] of runs.entries()) {
        const {status} = await untilComplete(one, 'Recovered');
        assert.equal(status?.run?.attempt, 1, 'it took more than one run');
        await recovered(one, await one.stopWriter(), losses[index] ?? {at: 0, survivorRevision: 0});
      }
    } finally {
      await Promise.all(runs.slice(1).map(async (one) => { await one.end(); }));
    }
  }, {minutes: 15, ownOperator: true, weight: 4, extended: true});
});
