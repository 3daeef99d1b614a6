import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import {e2e} from '../case.ts';
import {fingerprint, lossSeenBy, nothingLeft, recovered, untouched} from '../checks.ts';
import {setName} from '../etcd.ts';
import {deleteNodes, endNodesOf, labOf, others} from '../faults.ts';
import {operatorSeries, untilShown} from '../metrics.ts';
import {applyRecovery, conditionOf, recovery, standing, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';

/** The resource stands, and has seen every member well. */
async function watched(scenario: Scenario, trigger: object): Promise<void> {
  await applyRecovery(scenario, {trigger: {type: 'OnQuorumLoss', ...trigger}});
  await until('a watched cluster with a witness', async () => {
    const {status} = await recovery(scenario);
    return status?.phase === 'Watching' && status.lastHealthy?.members.length === 3 ? true : new Missing(standing(status));
  }, {seconds: 60});
}

/** No run has begun, and the cluster is watched again. */
async function stillWatched(scenario: Scenario, what: string): Promise<void> {
  await scenario.healthy(3, 150);
  await until(`the watch going on after ${what}`, async () => {
    const {status} = await recovery(scenario);
    assert.equal(status?.run, undefined, `${what} began a run: ${standing(status)}`);
    return status?.phase === 'Watching' && status.quorum?.summary === '3/3' ? true : new Missing(standing(status));
  }, {seconds: 60});
}

describe('A standing QuorumRecovery with OnQuorumLoss', () => {
  e2e('suspects the loss of two nodes at once, recovers by itself after the grace period, and watches again', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '5s', cooldown: '20s'});
    assert.equal((await recovery(scenario)).status?.run, undefined, 'the creation of the resource began a run');
    const well = {'phase{phase="Watching"}': 1, voters: 3, voters_needed: 2, voters_healthy: 3, quorum_lost: 0, data_regressed: 0, suspected_since_timestamp_seconds: undefined};
    const before = await untilShown(scenario, {...well, 'last_run_outcome{outcome="Recovered"}': undefined});
    assert.ok(Math.abs((before.get('last_healthy_timestamp_seconds') ?? 0) - Date.now() / 1000) < 120, 'the witness that /metrics shows is not of now');
    assert.ok(await operatorSeries(scenario, 'leader_watches') >= 3, 'no watch for a lost leader is counted on every member');
    assert.ok(await operatorSeries(scenario, 'etcd_probe_duration_seconds_count{result="Answered"}') >= 3, 'no answer of a member was timed');
    await scenario.startWriter();
    const nodes = await endNodesOf(scenario, others(survivor));
    const ended = Date.now();
    const loss = await lossSeenBy(scenario, survivor);
    const {status: suspected} = await untilPhase(scenario, ['Suspected'], 40);
    const seconds = (Date.now() - ended) / 1000;
    await untilShown(scenario, {
      'phase{phase="Suspected"}': 1, 'phase{phase="Watching"}': undefined, quorum_lost: 1, suspected_since_timestamp_seconds: Date.parse(suspected?.suspicion?.since ?? '') / 1000,
    });
    console.log(`      suspected ${seconds.toFixed(1)} s after the second member's end: ${suspected?.suspicion?.etcd ?? ''}`);
    await deleteNodes(scenario, nodes);
    const done = await until('a recovery that began by itself', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.outcome === 'Recovered' ? {...status, run: status.run} : new Missing(standing(status));
    }, {seconds: 180});
    assert.equal(done.run.trigger, 'OnQuorumLoss');
    assert.equal(done.run.plan?.survivor, survivor);
    const writable = Date.parse(done.run.writableAt ?? '');
    console.log(`      first write ${((writable - ended) / 1000).toFixed(1)} s after it, with a grace period of 5 s`);
    await recovered(scenario, await scenario.stopWriter(), loss);
    const {status: again} = await untilPhase(scenario, ['Watching'], 90);
    const after = await untilShown(scenario, {
      ...well, 'phase{phase="Suspected"}': undefined, 'last_run_outcome{outcome="Recovered"}': 1, run_started_timestamp_seconds: undefined, held_pods: 0,
      last_run_first_write_seconds: (writable - Date.parse(done.run.startedAt)) / 1000,
    });
    assert.ok((after.get('last_healthy_timestamp_seconds') ?? 0) > (before.get('last_healthy_timestamp_seconds') ?? 0), 'the witness that /metrics shows is still the lost cluster\'s');
    assert.ok(await operatorSeries(scenario, 'leader_watch_ends_total{why="NoLeader"}') >= 1, 'etcd\'s push of the lost leader is not counted');
    assert.equal(conditionOf(again, 'Ready')?.status, 'True');
    assert.ok((again?.lastHealthy?.observedAt ?? '') > (done.run.force?.endedAt ?? ''), 'the witness is still the lost cluster\'s');
  }, {minutes: 8});

  e2e('lets a rollout, a restart of all pods, a killed leader and a drained node pass without doing anything', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '60s'});

    const lab = labOf(scenario);
    await lab.kubectl(['-n', scenario.namespace, 'rollout', 'restart', `statefulset/${setName}`]);
    await lab.kubectl(['-n', scenario.namespace, 'rollout', 'status', `statefulset/${setName}`, '--timeout=150s']);
    await stillWatched(scenario, 'a rollout');

    await lab.kubectl(['-n', scenario.namespace, 'delete', 'pods', '-l', 'app=etcd', '--wait=true']);
    await stillWatched(scenario, 'a restart of all pods');

    const {leader, memberID} = await scenario.etcdStatus(survivor);
    const leading = leader === memberID ? survivor : 'etcd-1';
    await scenario.kube.delete('pods', scenario.namespace, leading, 0);
    await stillWatched(scenario, 'a killed pod');

    const node = await scenario.nodeOf('etcd-2');
    await lab.kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s']);
    await delay(2_000);
    const {status} = await recovery(scenario);
    assert.equal(status?.run, undefined, 'a drained node began a run');
    assert.equal(status?.suspicion, undefined, 'a drained node made it suspicious');
    await lab.kubectl(['uncordon', node]);
    await stillWatched(scenario, 'a drained node');
  }, {minutes: 10});

  e2e('forces nothing for an image that does not exist, says so, and watches again once it is corrected', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({updateStrategy: 'OnDelete'});
    await watched(scenario, {gracePeriod: '3s'});
    const claims = (await fingerprint(scenario)).claims;
    const image = async (name: string): Promise<void> => {
      await labOf(scenario).kubectl(['-n', scenario.namespace, 'set', 'image', `statefulset/${setName}`, `etcd=${name}`]);
    };
    const before = (await scenario.statefulSet()).spec?.template.spec?.containers[0]?.image ?? '';
    await image('localhost/etcd:0.0.0');
    for (const pod of others(survivor)) await scenario.kube.delete('pods', scenario.namespace, pod);
    const {status} = await untilPhase(scenario, ['Blocked'], 90);
    assert.match(conditionOf(status, 'Ready')?.reason ?? '', /QuorumOfDataIntact|RolloutInProgress/);
    assert.equal(status?.heldPods?.length ?? 0, 0, 'pods were held');
    await image(before);
    for (const pod of others(survivor)) await scenario.kube.delete('pods', scenario.namespace, pod);
    await scenario.healthy(3, 120);
    await untilReady(scenario, 'NotNeeded', 90);
    assert.deepEqual((await fingerprint(scenario)).claims, claims, 'claims were touched');
    await nothingLeft(scenario);
  });

  e2e('tells an empty cluster that wiped members elected from the old one, and never acts on it', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '1s'});
    const seen = (await recovery(scenario)).status?.lastHealthy;
    const scale = async (replicas: number): Promise<void> => { await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {replicas}}); };
    await scale(0);
    const over = new Date().toISOString();
    await until('the end of every pod', async () => ((await scenario.pods()).length === 0 ? true : undefined), {seconds: 60});
    for (const pod of ['etcd-0', 'etcd-1']) await scenario.kube.delete('persistentvolumeclaims', scenario.namespace, `data-${pod}`);
    await until('the end of their claims', async () => ((await scenario.kube.list('persistentvolumeclaims', scenario.namespace)).length === 1 ? true : undefined), {seconds: 60});
    await scale(2);
    const {status} = await untilReady(scenario, 'DataRegressed', 120);
    assert.equal(conditionOf(status, 'DataRegressed')?.status, 'True');
    console.log(`      ${conditionOf(status, 'DataRegressed')?.message ?? ''}`);
    // What their kubelets tell of them comes after what they answer.
    await scenario.healthy(2);
    const before = await fingerprint(scenario);
    await delay(5_000);
    const later = (await recovery(scenario)).status;
    // With so short a grace period one can begin while the empty pods start; it finds a quorum that serves, and plans nothing.
    assert.ok(later?.run === undefined || (later.run.outcome === 'NotNeeded' && later.run.plan === undefined), `a run was planned: ${JSON.stringify(later?.run)}`);
    // A last look can have come between.
    assert.deepEqual(later?.lastHealthy?.members.map(({claimUID}) => claimUID), seen?.members.map(({claimUID}) => claimUID), 'the witness was overwritten by what went back');
    assert.ok((later?.lastHealthy?.observedAt ?? over) < over && (later?.lastHealthy?.revision ?? 0) >= (seen?.revision ?? 0), `the witness is of ${later?.lastHealthy?.observedAt ?? 'never'}, after the old cluster's end at ${over}`);
    await untouched(scenario, before);
  });
});
