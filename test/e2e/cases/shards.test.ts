import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {nothingLeft, recovered} from '../checks.ts';
import {labOf} from '../faults.ts';
import {withClusters} from '../fleet.ts';
import {quorumLost} from '../loss.ts';
import {ownNamespaces, shardDeployment, shardNamespace, withShards} from '../own-operator.ts';
import {Plugin} from '../plugin.ts';
import {applyRecovery, changeRecovery, recovery, resourceName, standing, untilComplete, untilPhase} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const shardLabel = 'e2e-shard';
const namespaceLabel = 'e2e-served-by';

async function label(scenario: Scenario, shard: string): Promise<void> {
  await scenario.kube.patch('quorumrecoveries', scenario.namespace, resourceName, {metadata: {labels: {[shardLabel]: shard}}});
}

/** Whoever installs gives the namespace the label that the shards look for. */
async function handIn({kube, namespace}: Scenario, value: string): Promise<void> {
  await kube.patch('namespaces', '', namespace, {metadata: {labels: {[namespaceLabel]: value}}});
}

/** The operator whose Lease the run names. */
const carriedOutBy = async (scenario: Scenario): Promise<string | undefined> => (await recovery(scenario)).status?.run?.operator;

async function untilEvent({kube, namespace}: Scenario, reason: string): Promise<string> {
  return await until(`an Event ${reason}`, async () => {
    const events = await kube.list('events', namespace);
    return events.find((event) => event.reason === reason)?.message ?? new Missing([...new Set(events.map((event) => event.reason))].join(', '));
  }, {seconds: 30});
}

/** The first change has happened: from here on the run is finished by who began it, as long as that one is there. */
const touched = ['Holding', 'Preserving', 'ForcingNewCluster', 'Decommissioning', 'Rejoining', 'Verifying'];

describe('Operators that share the clusters by labels', () => {
  e2e('each recovers its own, in namespaces that have the label; a resource that changes hands in mid-run has one operator at any time', async (scenario) => {
    const values = (shard: string) => ({namespaceSelector: `${namespaceLabel}=${scenario.namespace}`, resourceSelector: `${shardLabel}=${shard}`});
    const a = {name: 'a', values: values('a')};
    const b = {name: 'b', values: values('b')};
    const lease = {a: `${shardNamespace(scenario)}/${shardDeployment(scenario, a)}`, b: `${shardNamespace(scenario)}/${shardDeployment(scenario, b)}`};
    await withShards(scenario, [a, b], async () => {
      await withClusters(scenario, ownNamespaces(scenario.namespace).slice(1, 2), async ([other]) => {
        assert.ok(other);
        const [loss, otherLoss] = await Promise.all([quorumLost(scenario, {survivor: 'etcd-2'}), quorumLost(other, {survivor: 'etcd-0'})]);
        await Promise.all([applyRecovery(scenario), applyRecovery(other)]);

        const plugin = new Plugin(scenario);
        assert.match(await plugin.expect(30, 'doctor', 'etcd', '-o', 'json'), /does not serve the namespace/);
        await handIn(scenario, scenario.namespace);
        assert.match(await plugin.expect(30, 'doctor', 'etcd', '-o', 'json'), /no operator serves this resource: etcd has the labels none/);
        assert.equal((await recovery(scenario)).status, undefined, 'an operator has acted on a resource that none serves');

        // The one that begins it ends it, though the resource is the other one's by then.
        await label(scenario, 'a');
        await untilPhase(scenario, touched, 120);
        await label(scenario, 'b');
        assert.match(await untilEvent(scenario, 'FinishedFirst'), /the run is ended here first/);
        assert.match(await untilEvent(scenario, 'OtherOperator'), new RegExp(`the operator with the Lease ${lease.a} carries this run out`));
        await untilComplete(scenario, 'Recovered');
        assert.equal(await carriedOutBy(scenario), lease.a);
        await recovered(scenario, await scenario.stopWriter(), loss);
        await changeRecovery(scenario, {trigger: {request: 'by-the-other'}});
        await untilComplete(scenario, 'NotNeeded', {request: 'by-the-other'});
        assert.equal(await carriedOutBy(scenario), lease.b, 'the next run was not begun by the operator that serves the resource now');

        // The one that begins it goes in mid-run, and the one that the resource is given to ends it.
        assert.equal((await recovery(other)).status, undefined, 'a namespace without the label is served');
        await label(other, 'b');
        await handIn(other, scenario.namespace);
        await untilPhase(other, touched, 120);
        assert.equal(await carriedOutBy(other), lease.b);
        await label(other, 'a');
        await labOf(scenario).kubectl(['-n', shardNamespace(scenario), 'scale', 'deployment', shardDeployment(scenario, b), '--replicas=0']);
        await untilComplete(other, 'Recovered');
        assert.equal(await carriedOutBy(other), lease.a, 'the operator that is there did not take the run over');
        await recovered(other, await other.stopWriter(), otherLoss);

        // A namespace that loses the label is let go at once: nobody carries a request out.
        await handIn(other, 'nobody');
        await until('an operator that has let the namespace go', async () => (/does not serve the namespace/.test((await new Plugin(other).run('doctor', 'etcd', '-o', 'json')).out) ? true : undefined));
        const before = (await recovery(other)).status?.run?.id;
        await changeRecovery(other, {trigger: {request: 'unheard'}});
        await changeRecovery(scenario, {trigger: {request: 'last'}});
        await label(scenario, 'a');
        await untilComplete(scenario, 'NotNeeded', {request: 'last'});
        const {status} = await recovery(other);
        assert.equal(status?.run?.id, before, `a request was carried out in a namespace without the label: ${standing(status)}`);
        await Promise.all([nothingLeft(scenario), nothingLeft(other)]);
      });
    });
  }, {minutes: 9, unserved: true, weight: 3});
});
