import assert from 'node:assert/strict';
import type {Finding} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, untouched, whole} from '../checks.ts';
import {labOf, podNames} from '../faults.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, untilComplete, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {slowPeers} from '../slow-network.ts';
import {Missing, holds, until} from '../wait.ts';
import {noForce, watched} from '../watched.ts';

/** A pod that restarts is no degraded cluster: it counts once it has lasted for 10 s, with the look after that, ms. */
const degradedAfterMs = 25_000;

/** The cluster is reported degraded by this, in these words, and no run has done anything. */
async function untilFound(scenario: Scenario, what: Finding['case'], words: RegExp, seconds = 60): Promise<Finding> {
  return await until(`the finding ${what}`, async () => {
    const {status} = await recovery(scenario);
    const found = status?.findings?.find((finding) => finding.case === what);
    if (found === undefined) return new Missing(`${JSON.stringify(status?.findings ?? [])}, ${standing(status)}`);
    const degraded = conditionOf(status, 'Degraded');
    if (degraded === undefined && Date.now() - Date.parse(found.since ?? '') < degradedAfterMs) return new Missing(`${found.message}; not Degraded yet`);
    assert.deepEqual([degraded?.status, degraded?.message.includes(found.message)], ['True', true], `Degraded does not tell of it: ${degraded?.message ?? ''}`);
    assert.equal(await noForce(scenario), undefined);
    return words.test(found.message) ? found : new Missing(found.message);
  }, {seconds});
}

async function untilNothingFound(scenario: Scenario, seconds = 60): Promise<void> {
  await until('no finding any more', async () => {
    const {status} = await recovery(scenario);
    return status?.findings === undefined && conditionOf(status, 'Degraded') === undefined ? true : new Missing(JSON.stringify(status?.findings));
  }, {seconds});
}

/** Pods of the followers, and of the leader. */
async function roles(scenario: Scenario): Promise<{leader: string; followers: string[]}> {
  const statuses = await Promise.all(podNames().map(async (pod) => ({pod, ...await scenario.etcdStatus(pod)})));
  const leader = statuses.find(({memberID, leader: named}) => memberID === named)?.pod ?? '';
  return {leader, followers: podNames().filter((pod) => pod !== leader)};
}

describe('A cluster whose quorum serves', () => {
  e2e('and whose client Service leads nowhere: that is named, a recovery is not called for, and nothing is touched', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded', {seconds: 30});
    await untilWitness(scenario);
    const before = await fingerprint(scenario);
    const change = async (spec: object): Promise<void> => { await scenario.kube.patch('services', scenario.namespace, 'etcd-client', {spec}); };
    await change({selector: {app: 'etcdd'}});
    const {message} = await untilFound(scenario, 'ServiceAstray', /Service etcd-client selects app=etcdd, and the pods of StatefulSet etcd have app=etcd.*a recovery would not help/);
    console.log(`      ${message}`);
    // A run that somebody asks for says it too, and does nothing.
    await changeRecovery(scenario, {trigger: {request: 'clients cannot connect'}});
    const {status} = await untilComplete(scenario, 'NotNeeded', {request: 'clients cannot connect', seconds: 60});
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /all 3 members answer and have a leader: nothing is done.*Service etcd-client selects app=etcdd/);
    await change({selector: {app: 'etcd'}, ports: [{name: 'client', port: 2379, targetPort: 2378}]});
    await untilFound(scenario, 'ServiceAstray', /port 2379 of Service etcd-client leads to port 2378 of the pods, and etcd serves its clients on 2379/);
    await change({ports: [{name: 'client', port: 2379, targetPort: 2379}]});
    await untilNothingFound(scenario);
    await untouched(scenario, before);
    await nothingLeft(scenario);
    const report = await scenario.stopWriter();
    assert.equal(report.failures, 0, `a write failed: ${report.lastError}`);
    await dataThere(scenario, report.acks);
  });

  e2e('with a follower behind: it is reported degraded and by how much until it has caught up, and that member is not let lead before', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '10m'});
    await scenario.startWriter(20);
    const {leader, followers: [late = '']} = await roles(scenario);
    const before = await fingerprint(scenario);
    const leading = await scenario.member(leader);
    const freeIt = await slowPeers(scenario, late);
    const begun = Date.now();
    const enough = new AbortController();
    // Through the leader: the writer asks the late member too, and is as slow as that one. Each entry is so long that few pass in a second,
    // however few a slow machine writes.
    const feeding = (async (): Promise<void> => {
      for (let fed = 0; fed < 12_000 && !enough.signal.aborted; fed += 100) await scenario.tool.fill(leading, 100, 4_096);
    })();
    // Told where it is awaited.
    feeding.catch(() => undefined);
    try {
      const found = await untilFound(scenario, 'MemberBehind', new RegExp(`${late} is [0-9]+ log entries behind the leader ${leader}`), 240);
      console.log(`      after ${((Date.now() - begun) / 1000).toFixed(1)} s: ${found.message}`);
      assert.ok((found.behind ?? 0) > 0, 'it does not say by how much');
      enough.abort();
      await changeRecovery(scenario, {preferredLeader: late});
      await until('a preference that waits', async () => {
        const preferred = conditionOf((await recovery(scenario)).status, 'PreferredLeader');
        return preferred?.reason === 'Waiting' && preferred.message.includes(`leadership moves to ${late} later`) ? true : new Missing(preferred?.message ?? 'no condition');
      }, {seconds: 30});
      await holds(`${leader} leads`, 8, async () => {
        const {memberID, leader: led} = await scenario.etcdStatus(leader);
        return memberID === led ? undefined : `${led} leads`;
      });
    } finally {
      enough.abort();
      await freeIt();
    }
    await feeding;
    const freed = Date.now();
    await untilNothingFound(scenario, 90);
    console.log(`      caught up, and so reported, ${((Date.now() - freed) / 1000).toFixed(1)} s after its network was fast again`);
    await until(`${late} leading`, async () => ((await roles(scenario)).leader === late ? true : undefined), {seconds: 90});
    await untouched(scenario, before);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  });

  e2e('while one member is cut off from the others: that member is named, and follows again by itself', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '30s'});
    await scenario.startWriter();
    const {followers: [apart = '', other = ''], leader} = await roles(scenario);
    const before = await fingerprint(scenario);
    const nodes = await Promise.all([apart, other, leader].map(async (pod) => await scenario.nodeOf(pod)));
    try {
      await lab.partition(nodes.slice(0, 1), nodes.slice(1), scenario.namespace);
      const {message} = await untilFound(scenario, 'MemberCutOff', new RegExp(`^${apart} answers and has no leader`), 90);
      console.log(`      ${message}`);
      await holds('nothing is done', 35, async () => await noForce(scenario));
      const {status} = await recovery(scenario);
      assert.match(conditionOf(status, 'Ready')?.message ?? '', /the quorum holds \(2 of 3 members answer and have a leader\), so nothing is done/);
    } finally {
      await lab.heal(scenario.namespace);
    }
    // Its streams are as long in coming back as TCP waits: until then it is behind, and reported so.
    await untilNothingFound(scenario, 120);
    await untouched(scenario, before);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, (await scenario.stopWriter()).acks);
  });
});
