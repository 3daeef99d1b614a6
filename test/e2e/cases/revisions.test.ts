import assert from 'node:assert/strict';
import {nothingLeft, setUnchanged, whole} from '../checks.ts';
import {e2e} from '../case.ts';
import {setName} from '../etcd.ts';
import {labOf, loseNodesOf, untilNoLeader} from '../faults.ts';
import {Informed, setValue} from '../informed.ts';
import {applyRecovery, conditionOf, recovery, standing} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {SecondAPIServer} from '../second-api-server.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';
const ahead = ['etcd-1', 'etcd-2'];
/** How long peers keep a connection on which nothing comes, ms (etcd: rafthttp, ConnReadTimeout): what was sent before is lost after it. */
const connectionMs = 8_000;

const named = (kind: string, count = 10): string[] => Array.from({length: count}, (_, index) => `${kind}-${index}`);
const kept = named('kept');
const lost = named('lost');
const after = named('after');

/** The survivor does not hear its peers, while the two others go on, and everybody who watches sees what they write. */
async function fallBehind(scenario: Scenario, write: () => Promise<void>): Promise<() => Promise<void>> {
  const node = await scenario.nodeOf(survivor);
  const peers = async (how: '-I' | '-D') => {
    await labOf(scenario).onNode(node, ['--dport', '--sport'].map((port) => `iptables ${how} FORWARD -p tcp ${port} 2380 -j DROP`).join('\n'));
  };
  await peers('-I');
  const since = Date.now();
  await until(`a leader of ${ahead.join(' and ')}`, async () => {
    const leaders = await Promise.all(ahead.map(async (pod) => (await scenario.etcdStatus(pod)).leader));
    return leaders[0] !== '' && leaders[0] === leaders[1] ? true : new Missing(`leaders ${leaders.join(', ')}`);
  });
  await until('writes that the survivor does not hear of', async () => {
    await write();
    return true;
  }, {seconds: 60});
  await until('the closed connections of the survivor', () => Promise.resolve(Date.now() - since > connectionMs || undefined));
  return async () => { await peers('-D'); };
}

describe('The member that is left was behind what clients have seen', () => {
  e2e('informers of a Kubernetes API server on that etcd go on through the loss, see no revision twice, and have what etcd has', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await applyRecovery(scenario, {trigger: {type: 'OnQuorumLoss', gracePeriod: '5s'}});
    const server = new SecondAPIServer();
    try {
      // Not of the survivor: what it hears of must be what the others have acknowledged.
      const etcd = ahead.map((pod) => `http://${pod}.${setName}.${scenario.namespace}.svc.cluster.local:2379`);
      await server.start({binary: `${lab.bin}/localkube`, etcd, enter: (words) => lab.command(words), port: 16_443});
      const {kube} = server;
      const informers = [new Informed(server.config()), new Informed(server.config())];
      for (const informer of informers) await until('an informer', async () => { await informer.start(); return true; });
      const set = async (names: readonly string[], value: string | undefined) => { await Promise.all(names.map(async (name) => { await setValue(kube, name, value); })); };
      const told = async (names: readonly string[], value: string | undefined) => {
        await until(`${String(value)} in ${names[0] ?? ''} and others on all informers`, () => Promise.resolve(informers.every((one) => names.every((name) => one.valueOf(name) === value)) || undefined));
      };
      await until('the first writes', async () => { await set(kept, 'before'); return true; });
      await told(kept, 'before');
      await until('a witness', async () => ((await recovery(scenario)).status?.lastServed === undefined ? undefined : true), {seconds: 60});

      const reach = await fallBehind(scenario, async () => {
        await set(lost, 'lost');
        await set(kept.slice(0, 5), 'lost');
        await set(kept.slice(9), undefined);
        for (let round = 0; round < 5; round += 1) await set(lost, `lost ${round}`);
      });
      await told(lost, 'lost 4');
      await told(kept.slice(9), undefined);
      const seen = Math.max(...informers.map(({highest}) => highest));
      const behind = (await scenario.etcdStatus(survivor)).revision;
      assert.ok(behind < seen, `${survivor} is at revision ${behind}, and clients have seen ${seen}`);
      await loseNodesOf(scenario, ahead);
      await reach();
      await untilNoLeader(scenario, survivor);

      const done = await until('a recovery that began by itself', async () => {
        const {status} = await recovery(scenario);
        return status?.run?.outcome === 'Recovered' ? status : new Missing(standing(status));
      }, {seconds: 240});
      assert.equal(done.run?.plan?.survivor, survivor);
      const {revisions} = done.dataLoss ?? {};
      console.log(`      clients have seen revision ${seen}; moved from ${revisions?.from ?? 0} to ${revisions?.to ?? 0} (${revisions?.why ?? ''})`);
      await until('writes through the second API server', async () => {
        await set(after, 'after');
        await set(kept.slice(0, 5), 'after');
        return true;
      }, {seconds: 180, every: 1_000});
      await until('caches that have what etcd has', async () => {
        const differ = (await Promise.all(informers.map(async (one) => await one.differences(kube, [...kept, ...lost, ...after])))).flat();
        return differ.length === 0 ? true : new Missing(differ.join('; '));
      }, {seconds: 60, every: 1_000});
      assert.deepEqual(informers.flatMap(({twice}) => twice), []);
      assert.deepEqual(informers.map((one) => one.valueOf('lost-0')), [undefined, undefined], 'what only the lost members had is still in the caches');
      assert.ok(revisions !== undefined && revisions.proven && revisions.from < seen && revisions.to > seen, JSON.stringify(revisions));
      assert.doesNotMatch(conditionOf(done, 'DataLossPossible')?.message ?? '', /not proven/);
      for (const informer of informers) await informer.stop();
    } finally {
      server.end();
    }
    await setUnchanged(scenario);
    await whole(scenario);
    await nothingLeft(scenario);
  }, {minutes: 10});
});
