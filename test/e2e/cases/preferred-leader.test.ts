import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, recovered, setUnchanged, untouched} from '../checks.ts';
import {others} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {Plugin} from '../plugin.ts';
import {changeRecovery, conditionOf, recovery, toldOf, untilComplete, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';
import {watched} from '../watched.ts';

/** The pod whose member leads, as every member says. */
async function leaderOf(scenario: Scenario): Promise<string | undefined> {
  const members = await scenario.members();
  const statuses = await Promise.all(members.map(async (member) => ({pod: member.pod, ...await scenario.tool.status(member)})));
  const [leader, ...odd] = new Set(statuses.map((status) => status.leader));
  return odd.length > 0 ? undefined : statuses.find(({memberID}) => memberID === leader)?.pod;
}

async function untilLed(scenario: Scenario, pod: string, seconds: number): Promise<void> {
  await until(`${pod} leading`, async () => {
    const leader = await leaderOf(scenario);
    const condition = conditionOf((await recovery(scenario)).status, 'PreferredLeader');
    return leader === pod && condition?.status === 'True' ? true : new Missing(`${leader ?? 'nobody'} leads; ${condition?.reason ?? 'no condition'}: ${condition?.message ?? ''}`);
  }, {seconds});
}

describe('A preferred leader', () => {
  e2e('leads within seconds of the request, keeps leading, and leads again after its pod was deleted', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '60s'});
    await scenario.startWriter();
    const before = await fingerprint(scenario);
    const from = await leaderOf(scenario) ?? '';
    const [to = ''] = others(from);
    const asked = Date.now();
    await new Plugin(scenario).expect(0, 'move-leader', '--to', to, '--wait', '--timeout', '60s');
    await untilLed(scenario, to, 5);
    console.log(`      ${to} leads ${((Date.now() - asked) / 1000).toFixed(1)} s after the request`);
    const {status} = await recovery(scenario);
    assert.deepEqual([status?.leadership?.move?.from, status?.leadership?.move?.to, status?.leadership?.move?.failed], [from, to, undefined]);
    assert.equal(await toldOf(scenario, 'LeaderMoved'), `leadership went from ${from} to ${to} (spec.preferredLeader)`);
    await holds(`${to} leads`, 20, async () => (await leaderOf(scenario) === to ? undefined : 'another one leads'));
    await untouched(scenario, before);
    const {failures, lastError} = await scenario.writerReport();
    console.log(`      writes that failed meanwhile: ${failures}${failures > 0 ? ` (${lastError})` : ''}`);

    await scenario.kube.delete('pods', scenario.namespace, to);
    await until('another leader', async () => ((await leaderOf(scenario)) === to ? undefined : true), {seconds: 60, every: 50});
    await scenario.healthy(3);
    await untilLed(scenario, to, 150);
    assert.equal((await recovery(scenario)).status?.run, undefined, 'a run began');

    await changeRecovery(scenario, {preferredLeader: 'etcd-9'});
    await until('that there is no such pod', async () => (conditionOf((await recovery(scenario)).status, 'PreferredLeader')?.reason === 'NoSuchPod' ? true : undefined), {seconds: 20});
    await dataThere(scenario, (await scenario.stopWriter()).acks);
    await setUnchanged(scenario);
    await nothingLeft(scenario);
  });

  e2e('of Previous is who led before the loss, also on another node, once the recovery is over', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await watched(scenario, {gracePeriod: '1h'}, {preferredLeader: 'Previous'});
    await untilWitness(scenario);
    await scenario.startWriter();
    const previous = await leaderOf(scenario) ?? '';
    const [survivor = ''] = others(previous);
    await until('a witness of who leads', async () => ((await recovery(scenario)).status?.lastHealthy?.leader === previous ? true : undefined), {seconds: 40});
    assert.equal(conditionOf((await recovery(scenario)).status, 'PreferredLeader')?.reason, 'NothingToReturn');
    const loss = await loseQuorum(scenario, survivor);
    await changeRecovery(scenario, {trigger: {request: 'go'}});
    const {status} = await untilComplete(scenario, 'Recovered', {request: 'go'});
    const ended = Date.parse(status?.run?.finishedAt ?? '');
    await untilLed(scenario, previous, 30);
    const {leadership} = (await recovery(scenario)).status ?? {};
    console.log(`      ${previous} leads again ${((Date.parse(leadership?.move?.movedAt ?? '') - ended) / 1000).toFixed(1)} s after the end of the run`);
    assert.deepEqual([leadership?.move?.from, leadership?.move?.to, leadership?.returnedIn], [survivor, previous, status?.run?.id]);
    await recovered(scenario, await scenario.stopWriter(), loss);
  });
});
