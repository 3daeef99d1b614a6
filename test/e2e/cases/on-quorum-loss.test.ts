import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, lossSeenBy, nothingLeft, recovered, required} from '../checks.ts';
import {defaultImage, setName} from '../etcd.ts';
import {deleteNodes, endNodesOf, labOf, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {operatorSeries, untilShown} from '../metrics.ts';
import {changeRecovery, conditionOf, recovery, standing, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';
import {lineage, nothingForced, tellTimes, watched} from '../watched.ts';

const survivor = 'etcd-0';

/** The full looks that followed the start of its pods are over: the witness is renewed from an answer. */
async function calm(scenario: Scenario): Promise<void> {
  const seen = (await recovery(scenario)).status?.lastHealthy?.observedAt ?? '';
  await until('a witness that is renewed', async () => ((await recovery(scenario)).status?.lastHealthy?.observedAt ?? '') > seen || undefined, {seconds: 120});
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
    assert.ok(await operatorSeries(scenario, 'leader_watches') >= 1, 'no watch for a lost leader is counted');
    assert.ok(await operatorSeries(scenario, 'calm_clusters') >= 1, 'a cluster that stands well is not counted as calm');
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
    }, {seconds: 300});
    assert.equal(done.run.trigger, 'OnQuorumLoss');
    assert.equal(done.run.plan?.survivor, survivor);
    const writable = Date.parse(done.run.writableAt ?? '');
    console.log(`      first write ${((writable - ended) / 1000).toFixed(1)} s after it, with a grace period of 5 s`);
    const report = await scenario.stopWriter();
    tellTimes(ended, suspected?.suspicion?.since, report);
    await recovered(scenario, report, loss);
    const {status: again} = await untilPhase(scenario, ['Watching'], 90);
    const after = await untilShown(scenario, {
      ...well, 'phase{phase="Suspected"}': undefined, 'last_run_outcome{outcome="Recovered"}': 1, run_started_timestamp_seconds: undefined, held_pods: 0,
      last_run_first_write_seconds: (writable - Date.parse(done.run.startedAt)) / 1000,
    });
    assert.ok((after.get('last_healthy_timestamp_seconds') ?? 0) > (before.get('last_healthy_timestamp_seconds') ?? 0), 'the witness that /metrics shows is still the lost cluster\'s');
    // etcd's push where the survivor had the watch; the end of its connection where it was on one of the others.
    const ends = await Promise.all(['NoLeader', 'Broken'].map(async (why) => await operatorSeries(scenario, `leader_watch_ends_total{why="${why}"}`)));
    assert.ok(ends.some((count) => count >= 1), 'the end of the watch is not counted');
    assert.equal(conditionOf(again, 'Ready')?.status, 'True');
    assert.ok((again?.lastHealthy?.observedAt ?? '') > (done.run.force?.endedAt ?? ''), 'the witness is still the lost cluster\'s');
  }, {minutes: 8});

  e2e('suspects a loss also when the node that the watch sits on goes without a word, and another with it', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '10m'});
    const {leader, memberID} = await scenario.etcdStatus(survivor);
    const leading = leader === memberID ? survivor : (await scenario.etcdStatus('etcd-1')).memberID === leader ? 'etcd-1' : 'etcd-2';
    // The watch is on the first that follows; a leader that goes with it takes the quorum with it.
    const [sat = '', left = ''] = ['etcd-0', 'etcd-1', 'etcd-2'].filter((pod) => pod !== leading);
    await calm(scenario);
    await endNodesOf(scenario, [sat, leading]);
    const ended = Date.now();
    const {status} = await untilPhase(scenario, ['Suspected'], 40);
    const seconds = (Date.parse(status?.suspicion?.since ?? '') - ended) / 1000;
    console.log(`      suspected ${seconds.toFixed(1)} s after the end of ${sat} and ${leading}: ${status?.suspicion?.etcd ?? ''}`);
    assert.match(status?.suspicion?.etcd ?? '', new RegExp(`^${left} answers and has no leader`));
    assert.equal(status?.run, undefined, 'a run began');
  });

  e2e('lets an upgrade of etcd from 3.5 to 3.6, a restart of all pods, a killed leader and a drained node pass without doing anything', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd({image: 'localhost/etcd:3.5.35'});
    await watched(scenario, {gracePeriod: '60s'});
    const before = await lineage(scenario);
    await scenario.startWriter();

    const lab = labOf(scenario);
    await lab.kubectl(['-n', scenario.namespace, 'set', 'image', `statefulset/${setName}`, `etcd=${defaultImage}`]);
    await lab.kubectl(['-n', scenario.namespace, 'rollout', 'status', `statefulset/${setName}`, '--timeout=150s']);
    await stillWatched(scenario, 'an upgrade');
    assert.match((await scenario.etcdStatus(survivor)).version, /^3\.6\./);

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
    await nothingForced(scenario, before, 'all of it');
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  }, {minutes: 10});

  e2e('waits for its cooldown after a run, begins none beyond maxAttempts, and does what a person then asks for', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '1s', cooldown: '10m', maxAttempts: 2});
    await scenario.startWriter();
    /** The nodes of these pods are gone for good, and with them the quorum. */
    const lose = async (pods: string[], left: string): Promise<{ended: number; loss: Awaited<ReturnType<typeof lossSeenBy>>; suspectedAt: string | undefined}> => {
      await loseNodesOf(scenario, pods);
      const ended = Date.now();
      const loss = await lossSeenBy(scenario, left);
      await untilNoLeader(scenario, left);
      return {ended, loss, suspectedAt: (await untilPhase(scenario, ['Suspected'], 40)).status?.suspicion?.since};
    };
    const first = await lose(others(survivor), survivor);
    const {status: once} = await untilComplete(scenario, 'Recovered');
    tellTimes(first.ended, first.suspectedAt, await scenario.writerReport());
    assert.equal(once?.automatic?.attempts, 1);
    await scenario.healthy(3);

    // Of the two nodes that are left one has two members now.
    const nodes = await Promise.all(['etcd-0', 'etcd-1', 'etcd-2'].map(async (pod) => await scenario.nodeOf(pod)));
    const shared = nodes.find((node, index) => nodes.indexOf(node) !== index) ?? '';
    const left = `${setName}-${nodes.findIndex((node) => node !== shared)}`;
    const second = await lose([`${setName}-${nodes.indexOf(shared)}`], left);
    const cool = Date.parse(once.automatic.endedAt ?? '') + 600_000;
    const later = await until('when a run begins by itself', async () => (await recovery(scenario)).status?.suspicion?.recoversAt, {seconds: 20});
    assert.equal(Date.parse(later), cool, 'the next run does not wait for the cooldown');
    await holds('no run within the cooldown', 4, async () => ((await recovery(scenario)).status?.run?.id === once.run?.id ? undefined : 'one began'));

    await changeRecovery(scenario, {trigger: {maxAttempts: 1}});
    const {status: exhausted} = await untilReady(scenario, 'AttemptsExhausted', 30);
    assert.equal(exhausted?.phase, 'Stalled');
    assert.match(conditionOf(exhausted, 'Ready')?.message ?? '', /1 runs? began.*spec\.trigger\.request/);
    assert.equal(exhausted.run?.id, once.run?.id);

    await changeRecovery(scenario, {trigger: {request: 'a person has looked', cooldown: '1s'}});
    const {status: twice} = await untilComplete(scenario, 'Recovered', {request: 'a person has looked'});
    assert.equal(twice?.automatic, undefined, 'the attempts were not forgotten by a run that a person asked for');
    const report = await scenario.stopWriter();
    tellTimes(second.ended, second.suspectedAt, report);
    await untilPhase(scenario, ['Watching'], 60);
    await recovered(scenario, {...report, acks: required(report, first.loss)}, second.loss);
  }, {minutes: 8});

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
});
