import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {loadavg} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {parse} from 'yaml';
import {projectDirectory} from '../lab/paths.ts';
import {ApiServer, kubernetesBinary} from '../unit/api/api-server.ts';
import {spreadRow} from './results.ts';
import {operatorOfImage} from './scale/operator.ts';

/*
 * `make bench-hand-over`: how long nobody leads when the leader of two replicas ends, with the chart's lease times, on a real API server.
 *   ROUNDS=10   ends of each kind
 */
const rounds = Number(process.env['ROUNDS'] ?? 10);
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases/quorum-recovery-operator';

async function holder(server: ApiServer): Promise<string> {
  const {code, body} = await server.ask('GET', leases);
  return code === 200 ? (body['spec'] as {holderIdentity?: string}).holderIdentity ?? '' : '';
}

/** Starts a replica, and returns once it leads or stands by. */
async function replica(entry: string, kubeconfig: string, identity: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [entry, `--kubeconfig=${kubeconfig}`, '--lease-namespace=default', '--port=0', `--identity=${identity}`], {stdio: ['ignore', 'pipe', 'inherit']});
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => { reject(new Error(`the operator ended with ${code}`)); });
    child.stdout.on('data', (chunk: Buffer) => { if (chunk.includes('The API server answers')) resolve(); });
  });
  return child;
}

/** Seconds from the signal until another replica has the Lease. */
async function handOver(server: ApiServer, leader: ChildProcess, signal: NodeJS.Signals): Promise<number> {
  const before = await holder(server);
  const begun = performance.now();
  leader.kill(signal);
  for (;;) {
    const now = await holder(server);
    if (now !== '' && now !== before) return (performance.now() - begun) / 1000;
    await delay(20);
  }
}

async function leading(server: ApiServer, replicas: ReadonlyMap<string, ChildProcess>): Promise<[string, ChildProcess]> {
  for (;;) {
    const name = (await holder(server)).split('_')[0] ?? '';
    const child = replicas.get(name);
    if (child !== undefined) return [name, child];
    await delay(50);
  }
}

async function main(): Promise<void> {
  const binary = kubernetesBinary();
  if (binary === undefined) throw new Error('the lab\'s Kubernetes binary was not built yet: make lab builds it');
  const server = new ApiServer();
  const replicas = new Map<string, ChildProcess>();
  // An interrupt ends this process without the block below.
  process.on('exit', () => { for (const child of replicas.values()) child.kill('SIGKILL'); });
  try {
    await server.start(binary);
    const definition = parse(readFileSync(join(projectDirectory, 'crds', 'quorumrecoveries.yaml'), 'utf8')) as unknown;
    await server.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
    const entry = await operatorOfImage();
    let started = 0;
    const start = async (): Promise<void> => {
      const name = `replica-${(started += 1)}`;
      replicas.set(name, await replica(entry, server.kubeconfig(), name));
    };
    await start();
    await leading(server, replicas);
    await start();
    const times = {SIGTERM: [] as number[], SIGKILL: [] as number[]};
    for (let round = 0; round < rounds; round += 1) {
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const [name, leader] = await leading(server, replicas);
        // At another moment of the leader's and the follower's rhythm each time.
        await delay(3_000 + (2_000 * round) / rounds);
        times[signal].push(await handOver(server, leader, signal));
        replicas.delete(name);
        await start();
      }
    }
    console.log([
      `| seconds without a leader (load of the machine at the end: ${(loadavg()[0] ?? 0).toFixed(1)}) | ends | median | min | max |`, '| --- | ---: | ---: | ---: | ---: |',
      spreadRow('the leader ends in order', times.SIGTERM, 1), spreadRow('the leader is killed', times.SIGKILL, 1),
    ].join('\n'));
  } finally {
    for (const child of replicas.values()) child.kill('SIGKILL');
    await server.stop();
  }
}

await main();
