import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import {defaultImage, shellImage} from '../etcd.ts';
import {loseQuorum} from '../loss.ts';
import {applyRecovery, conditionOf, untilComplete} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';
const ways = ['service', 'proxy'] as const;
type Way = (typeof ways)[number];
/** The names that clients have from beginning to end. */
const endpoints: Record<Way, string> = {service: 'etcd-client:2379', proxy: 'etcd-proxy:2379'};

/** What the watch that was there before the loss is told at its end. */
const ended: Record<Way, RegExp> = {service: /watch was canceled \(etcdserver: (no leader|mvcc: required revision has been compacted)\)/, proxy: /watch was canceled \(etcdserver: mvcc: required revision has been compacted\)/};

/** As docs/usage/clients.md has it. */
const proxyCommand = [
  '/usr/local/bin/etcd', 'grpc-proxy', 'start', `--endpoints=${endpoints.service}`, '--listen-addr=0.0.0.0:2379', '--advertise-client-url=', '--dial-keepalive-time=10s', '--dial-keepalive-timeout=3s',
];

/** A client pod on the survivor's node, which is there from beginning to end. */
async function startPod(scenario: Scenario, name: string, image: string, command: string[]): Promise<void> {
  const {kube, namespace} = scenario;
  const nodeName = await scenario.nodeOf(survivor);
  await kube.create('pods', {
    metadata: {name, namespace, labels: {app: name}},
    spec: {nodeName, restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [{name: 'main', image, command}]},
  });
}

const watchCommand = (way: Way): string[] => ['/usr/local/bin/etcdctl', `--endpoints=${endpoints[way]}`, 'watch', '--prefix', 'probe/'];

/** Writes and reads back, each time, twice a second. */
const writeCommand = (way: Way): string[] => ['/bin/sh', '-c', `
n=0
while :; do
  n=$((n+1))
  if etcdctl --endpoints=${endpoints[way]} --command-timeout=2s put probe/${way} $n >/dev/null 2>&1 && [ "$(etcdctl --endpoints=${endpoints[way]} --command-timeout=2s get --print-value-only probe/${way} 2>/dev/null)" = $n ]
  then echo "ok $n $(date +%s)"; else echo "failed $n $(date +%s)"; fi
  sleep 0.5
done`];

const linesOf = async ({kube, namespace}: Scenario, pod: string): Promise<string[]> =>
  (await kube.log(namespace, pod, 'main', {tailLines: 20_000}).catch(() => '')).split('\n').filter((line) => line !== '');

async function seen(scenario: Scenario, pod: string, what: string, is: (lines: readonly string[]) => boolean, seconds = 60): Promise<string[]> {
  return await until(`${what} in the log of ${pod}`, async () => {
    const lines = await linesOf(scenario, pod);
    return is(lines) ? lines : new Missing(lines.slice(-3).join(' | '));
  }, {seconds});
}

const worksSince = (seconds: number) => (lines: readonly string[]): boolean => lines.filter((line) => line.startsWith('ok') && Number(line.split(' ')[2]) > seconds).length >= 3;

async function startProxy(scenario: Scenario): Promise<V1Pod> {
  const {kube, namespace} = scenario;
  await kube.create('services', {metadata: {name: 'etcd-proxy', namespace}, spec: {selector: {app: 'proxy'}, ports: [{name: 'client', port: 2379}]}});
  await startPod(scenario, 'proxy', defaultImage, proxyCommand);
  return await until('the proxy to run', async () => {
    const pod = await scenario.pod('proxy');
    return pod?.status?.podIP !== undefined && pod.status.phase === 'Running' ? pod : new Missing(pod?.status?.phase ?? 'no pod');
  }, {seconds: 60});
}

describe('Clients keep their endpoints through a whole recovery', () => {
  e2e('through the Service and through an etcd grpc-proxy: writes and reads go on by themselves, watches end, and are begun anew through a proxy that was restarted', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    const proxy = await startProxy(scenario);
    for (const way of ways) {
      await startPod(scenario, `write-${way}`, shellImage, writeCommand(way));
      await startPod(scenario, `watch-${way}`, defaultImage, watchCommand(way));
    }
    // One connection to the proxy, from before the loss to the end.
    await scenario.tool.write('proxy', [{pod: 'proxy', address: proxy.status?.podIP ?? '', port: 2379}]);
    await scenario.startWriter();
    for (const way of ways) {
      await seen(scenario, `write-${way}`, 'writes', worksSince(0));
      await seen(scenario, `watch-${way}`, 'what is watched', (lines) => lines.length > 5);
    }
    const services = async () => (await scenario.kube.list('services', scenario.namespace)).map(({metadata, spec}) => [metadata?.name, metadata?.uid, spec?.clusterIP, spec?.selector]);
    const before = await services();

    const loss = await loseQuorum(scenario, survivor);
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 300});
    const writable = Date.parse(status?.run?.writableAt ?? '') / 1000;
    for (const way of ways) {
      const lines = await seen(scenario, `write-${way}`, 'writes after the recovery', worksSince(writable + 1), 180);
      const first = lines.find((line) => line.startsWith('ok') && Number(line.split(' ')[2]) >= Math.floor(writable));
      console.log(`      through the ${way}: the first write that was read back ${(Number(first?.split(' ')[2]) - writable).toFixed(0)} s after the survivor accepted the first`);
    }
    const kept = await until('writes through the connection to the proxy', async () => {
      const report = await scenario.tool.report('proxy');
      return report.acks.some(({at}) => at / 1000 > writable + 1) ? report : new Missing(`${report.acks.length} writes, ${report.failures} failures, the last ${report.lastError}`);
    }, {seconds: 180});
    console.log(`      one connection to the proxy: the first write ${(((kept.acks.find(({at}) => at / 1000 > writable)?.at ?? 0) / 1000) - writable).toFixed(1)} s after it`);
    assert.deepEqual(await services(), before, 'a Service was changed');
    for (const way of ways) console.log(`      the watch through the ${way}: ${(await scenario.pod(`watch-${way}`))?.status?.phase ?? ''}, ${(await linesOf(scenario, `watch-${way}`)).slice(-1).join()}`);
    // etcdctl asks for a leader: etcd itself ends such a watch once there is none, and a proxy does not; there it ends as its history is compacted.
    for (const way of ways) {
      await until(`the end of the watch through the ${way}`, async () => {
        const phase = (await scenario.pod(`watch-${way}`))?.status?.phase;
        return phase === 'Failed' ? true : new Missing(phase ?? 'no pod');
      }, {seconds: 120});
      assert.match((await linesOf(scenario, `watch-${way}`)).join('\n'), ended[way]);
    }
    assert.equal((await scenario.pod('proxy'))?.status?.containerStatuses?.[0]?.restartCount, 0, 'the proxy was started again');
    // A watch through the Service hears everything. Through the same proxy it may have been merged onto one that etcd has ended: what it hears is told here, and not relied on.
    for (const way of ways) await startPod(scenario, `again-${way}`, defaultImage, watchCommand(way));
    const all = (lines: readonly string[]): boolean => ways.every((other) => lines.filter((line) => line === `probe/${other}`).length >= 3);
    const heard = await seen(scenario, 'again-service', 'what is written on both ways', all);
    const proxied = await linesOf(scenario, 'again-proxy');
    console.log(`      a new watch heard ${heard.filter((line) => line === 'PUT').length} writes through the service and ${proxied.filter((line) => line === 'PUT').length} through the proxy that was there before`);
    const through = await scenario.tool.stop('proxy');
    // One that is started after the recovery has no watch from before.
    await scenario.kube.delete('pods', scenario.namespace, 'proxy', 0);
    await until('the end of the proxy', async () => ((await scenario.pod('proxy')) === undefined ? true : undefined), {seconds: 30});
    await startPod(scenario, 'proxy', defaultImage, proxyCommand);
    await startPod(scenario, 'anew-proxy', shellImage, ['/bin/sh', '-c', `until ${watchCommand('proxy').join(' ')}; do sleep 1; done`]);
    await seen(scenario, 'anew-proxy', 'what is written on both ways', all, 120);
    assert.equal(conditionOf(status, 'Succeeded')?.status, 'True');
    const report = await scenario.stopWriter();
    await recovered(scenario, {...report, acks: [...report.acks, ...through.acks]}, loss);
  }, {minutes: 12});
});
