import assert from 'node:assert/strict';
import type {Run} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {setName} from '../etcd.ts';
import {labOf} from '../faults.ts';
import {withClusters, withOperatorsIn} from '../fleet.ts';
import {killOperator, leader} from '../operator.ts';
import {clustersAskedFor, ownNamespaces, shardNamespace, withShards} from '../own-operator.ts';
import {applyRecovery, conditionOf, recovery, standing, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

/** CLUSTERS=20 CONCURRENT_RUNS=10 make e2e CASES=many-lost: more of them than fit into a suite that ends soon. */
const count = clustersAskedFor() ?? 3;
const limit = Number(process.env['CONCURRENT_RUNS'] ?? 2);
const keys = 200;

/** How many of the runs were in flight at the same moment, at most. */
function mostAtOnce(runs: readonly Run[]): number {
  const spans = runs.map(({startedAt, finishedAt = ''}) => ({from: Date.parse(startedAt), to: Date.parse(finishedAt)}));
  return Math.max(...spans.map(({from}) => spans.filter((span) => span.from <= from && from < span.to).length));
}

const atWork = (runs: readonly (Run | undefined)[]): number => runs.filter((run) => run !== undefined && run.finishedAt === undefined).length;

describe('Several clusters that lose their quorum at the same moment', () => {
  e2e('are all recovered, never more at once than the limit says, and those that wait say so, also when the operator is killed meanwhile', async (scenario) => {
    const namespaces = ownNamespaces(scenario.namespace);
    await withShards(scenario, [{name: 'own', values: {watchNamespaces: namespaces, concurrentRuns: limit}}], async () => {
      await withClusters(scenario, namespaces.slice(1, count), async (more) => {
        const clusters = [scenario, ...more];
        const nodes = await scenario.addNodes(3);
        await Promise.all(clusters.map(async (cluster) => {
          await cluster.startEtcd(scenario.nodeSelector, keys);
          await applyRecovery(cluster, {trigger: {type: 'OnQuorumLoss', gracePeriod: '3s'}});
          await untilWitness(cluster);
        }));
        // Room for the members that are made anew; nothing was placed there.
        await scenario.addNodes(2);
        const [kept, ...lost] = nodes;
        assert.ok(kept);
        await Promise.all(lost.map(async (node) => { await labOf(scenario).endNode(node); }));
        const ended = Date.now();
        await Promise.all(lost.map(async (node) => { await scenario.kube.delete('nodes', '', node); }));

        const look = async (cluster: Scenario) => (await recovery(cluster)).status;
        const waiting = await until(`${limit} runs at work and ${clusters.length - limit} that wait`, async () => {
          const statuses = await Promise.all(clusters.map(look));
          const queued = statuses.filter((status) => conditionOf(status, 'Ready')?.reason === 'AwaitingTurn');
          return queued.length === clusters.length - limit && atWork(statuses.map((status) => status?.run)) === limit ? queued : new Missing(statuses.map(standing).join(' | '));
        }, {seconds: 30 * count, every: 100});
        for (const status of waiting) {
          assert.match(status?.suspicion?.waitsFor ?? '', new RegExp(`its turn: ${limit} runs are at work, and none begins by itself while there are ${limit}`));
          assert.ok(status?.suspicion?.queuedAt !== undefined);
        }
        killOperator(await leader(withOperatorsIn(scenario, shardNamespace(scenario))));

        const runs = await Promise.all(clusters.map(async (cluster) => await until(`a recovery in ${cluster.namespace}`, async () => {
          const status = await look(cluster);
          return status?.run?.outcome === 'Recovered' ? status.run : new Missing(standing(status));
        }, {seconds: 160 * count})));
        for (const run of runs) assert.equal(run.trigger, 'OnQuorumLoss');
        assert.equal(mostAtOnce(runs), limit);
        const told = await Promise.all(clusters.map(async ({kube, namespace}) => (await kube.list('events', namespace)).some(({reason}) => reason === 'AwaitingTurn')));
        assert.ok(told.filter((event) => event).length >= clusters.length - limit, 'those that waited had no Event that says so');
        for (const cluster of clusters) {
          await setUnchanged(cluster);
          await whole(cluster);
          await nothingLeft(cluster);
          await dataThere(cluster, [], keys);
        }
        const begun = runs.map(({startedAt, writableAt = '', finishedAt = ''}) => [startedAt, writableAt, finishedAt].map((at) => ((Date.parse(at) - ended) / 1000).toFixed(1)).join('/'));
        console.log(`      ${clusters.length} clusters of ${setName}, limit ${limit}: begun/first write/ended ${begun.join(', ')} s after the loss, with the operator killed in the first two runs`);
      });
    });
  }, {minutes: 4 * count, unserved: true, weight: 4});
});
