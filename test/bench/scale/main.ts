import {fork} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {setTimeout as delay} from 'node:timers/promises';
import {heading, say, show} from '../../demo/terminal.ts';
import {makeCertificate} from '../../lab/certificates.ts';
import {ApiServer, kubernetesBinary} from '../../unit/api/api-server.ts';
import {machine} from '../results.ts';
import {writeScaleSection} from './document.ts';
import {askEveryMs} from '../../../src/observe/calmClusters.ts';
import {addressOf, domain, placeOf, voters} from './layout.ts';
import type {Order, Told} from './members.ts';
import {canSilence, hearAgain, inOwnNetwork, silence} from './network.ts';
import {OperatorProcess, imageFlags, operatorOfImage} from './operator.ts';
import {readPoints, table, writePoints} from './results.ts';
import type {Point} from './results.ts';
import {putClusters, putShared, recoveries, recovery} from './world.ts';

const usage = `Usage: main.ts [--clusters 10,100,1000] [--namespaces 20] [--settle 60] [--seconds 90] [--dry-run]

Measures from outside what the operator needs to watch so many etcd clusters of three members over mutual TLS, and how soon it suspects a loss.
The API server is a real one, the members are stand-ins that speak etcd's gRPC. CLUSTERS in the environment does the same. --entry: another
build of the operator, to compare with. --node-options: given to its node, for profiles. --log: where its log goes. --dry-run: the results are printed, and not kept.`;

const {values} = parseArgs({options: {
  clusters: {type: 'string', default: process.env['CLUSTERS'] ?? '10,100,1000'},
  namespaces: {type: 'string', default: '20'},
  settle: {type: 'string', default: '60'},
  seconds: {type: 'string', default: '90'},
  entry: {type: 'string'},
  'node-options': {type: 'string', default: ''},
  log: {type: 'string', default: join(tmpdir(), `bench-scale-${process.pid}.log`)},
  'dry-run': {type: 'boolean', default: false},
  help: {type: 'boolean', default: false},
}});

class Members {
  readonly #process: ChildProcess = fork(join(import.meta.dirname, 'members.ts'), {stdio: 'inherit'});

  async ask(order: Order): Promise<Told> {
    const answer = new Promise<Told>((resolve, reject) => {
      this.#process.once('message', (told) => { resolve(told as Told); });
      this.#process.once('exit', (code) => { reject(new Error(`the members ended with ${code ?? 'a signal'}`)); });
    });
    this.#process.send(order);
    const told = await answer;
    this.#process.removeAllListeners('exit');
    return told;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

interface Loss {
  clusters: readonly number[];
  /** Ordinal of the member that is left. */
  stays: number;
  silently: boolean;
}

/** Ends two members of each of these clusters, and waits until each is suspected. @returns seconds from the loss, for each */
async function suspected(server: ApiServer, members: Members, {clusters: numbers, stays, silently}: Loss, namespaces: number): Promise<number[]> {
  const lost = Array.from({length: voters}, (_, ordinal) => ordinal).filter((ordinal) => ordinal !== stays);
  if (silently) await silence(numbers.flatMap((number) => lost.map((ordinal) => addressOf(number, ordinal))));
  const begun = performance.now();
  await members.ask({order: 'lose', clusters: [...numbers], stays, silently});
  return await Promise.all(numbers.map(async (number) => {
    for (;;) {
      const {status} = await recovery(server, placeOf(number, namespaces));
      const seconds = (performance.now() - begun) / 1000;
      if (status?.suspicion !== undefined) return seconds;
      if (seconds > 120) throw new Error(`the loss of cluster ${number} was not suspected within two minutes`);
      await delay(50);
    }
  }));
}

interface Suspected {
  worst: number;
  median: number;
}

/** One cluster after the other, each with another member that is left: the one with the watch, another follower, the leader. */
async function oneByOne(server: ApiServer, members: Members, clusters: readonly number[], {silently, namespaces}: {silently: boolean; namespaces: number}): Promise<Suspected> {
  const seconds: number[] = [];
  for (const [index, cluster] of clusters.entries()) {
    const loss = {clusters: [cluster], stays: index % voters, silently};
    seconds.push(...await suspected(server, members, loss, namespaces));
  }
  say(`${silently ? 'silent losses' : 'losses'} suspected after ${seconds.map((each) => each.toFixed(1)).join(', ')} s`);
  const sorted = [...seconds].sort((a, b) => a - b);
  return {worst: round(sorted.at(-1) ?? Number.NaN, 1), median: round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, 1)};
}

async function whole(server: ApiServer, operator: OperatorProcess, clusters: number): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const seen = (await recoveries(server)).filter(({status}) => status?.lastHealthy !== undefined).length;
    operator.requireRunning();
    if (seen === clusters) return (performance.now() - begun) / 1000;
    if (performance.now() - begun > 600_000) throw new Error(`after ten minutes only ${seen} of ${clusters} clusters were seen whole`);
    await delay(2_000);
  }
}

async function measure(entry: string, clusters: number, namespaces: number, seconds: number): Promise<Point> {
  const binary = kubernetesBinary();
  if (binary === undefined) throw new Error('the lab\'s Kubernetes binary was not built yet: "make lab" builds it');
  const server = new ApiServer();
  const members = new Members();
  let operator: OperatorProcess | undefined;
  try {
    await server.start(binary);
    await makeCertificate(server.pki, 'members', '/CN=etcd', [`DNS:*.${domain}`]);
    await makeCertificate(server.pki, 'client', '/CN=quorum-recovery');
    await putShared(server, namespaces);
    await putClusters(server, Array.from({length: clusters}, (_, number) => number), namespaces, {pki: server.pki});
    await members.ask({order: 'serve', clusters, pki: server.pki});
    operator = await OperatorProcess.start({
      entry, kubeconfig: server.kubeconfig(), log: values.log, port: 18_080, nodeOptions: [...imageFlags(), ...values['node-options'].split(' ').filter((option) => option !== '')],
    });
    const {readySeconds} = operator;
    say(`${clusters} clusters: ready after ${readySeconds.toFixed(2)} s`);
    const wholeSeconds = await whole(server, operator, clusters);
    say(`each was seen whole ${wholeSeconds.toFixed(0)} s later`);
    // What the first round needed is given back, and the rounds have spread.
    await delay(Number(values.settle) * 1000);
    const [before, calls] = [operator.usage(), await members.ask({order: 'count'})];
    const begun = performance.now();
    let rssMiB = 0;
    let askedSeconds = 0;
    while (performance.now() - begun < seconds * 1000) {
      await delay(1_000);
      rssMiB = Math.max(rssMiB, operator.usage().rssMiB);
      if (Math.floor((performance.now() - begun) / 1000) % 10 === 0) askedSeconds = Math.max(askedSeconds, ...(await members.ask({order: 'count'})).sinceAsked);
    }
    const wall = (performance.now() - begun) / 1000;
    const [after, then] = [operator.usage(), await members.ask({order: 'count'})];
    const point: Point = {
      clusters, namespaces, rssMiB: Math.round(rssMiB), cores: round((after.cpuSeconds - before.cpuSeconds) / wall, 3), readySeconds: round(readySeconds, 2),
      wholeSeconds: round(wholeSeconds, 0), askedSeconds: round(askedSeconds, 1), lagSeconds: round(Math.max(0, askedSeconds - askEveryMs / 1000), 1), connections: then.connections, streams: then.streams,
      callsPerSecond: round((then.calls - calls.calls) / wall, 1), connectsPerSecond: round((then.connected - calls.connected) / wall, 1),
      suspectedSeconds: 0, suspectedMedianSeconds: 0, silentSeconds: null, silentMedianSeconds: null, suspectedTogetherSeconds: 0,
      lostTogether: Math.min(20, clusters - 2 * voters), load: round(loadavg()[0] ?? 0, 1),
    };
    const numbers = (from: number, count: number): number[] => Array.from({length: count}, (_, index) => from + index);
    const broken = await oneByOne(server, members, numbers(0, voters), {silently: false, namespaces});
    [point.suspectedSeconds, point.suspectedMedianSeconds] = [broken.worst, broken.median];
    if (canSilence()) {
      const silent = await oneByOne(server, members, numbers(voters, voters), {silently: true, namespaces});
      [point.silentSeconds, point.silentMedianSeconds] = [silent.worst, silent.median];
    }
    const together = await suspected(server, members, {clusters: numbers(2 * voters, point.lostTogether), stays: 0, silently: false}, namespaces);
    point.suspectedTogetherSeconds = round(Math.max(...together), 1);
    return point;
  } finally {
    await operator?.stop();
    members.stop();
    await server.stop();
    if (canSilence()) await hearAgain();
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

if (values.help) {
  console.log(usage);
  process.exit(0);
}
// Made where there is a network: a fresh machine fetches what the image is made of.
const entry = values.entry ?? await operatorOfImage();
await inOwnNetwork([`--entry=${entry}`]);
// What it started ends with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { process.exit(130); });
heading(`Watching clusters of three members, on ${machine()}`);
const points: Point[] = [];
for (const text of values.clusters.split(',')) {
  const point = await measure(entry, Number(text), Math.min(Number(values.namespaces), Number(text)), Number(values.seconds));
  points.push(point);
  say(JSON.stringify(point));
}
show(table(points));
if (!values['dry-run']) {
  const kept = readPoints().filter(({clusters}) => !points.some((point) => point.clusters === clusters));
  const all = [...kept, ...points].sort((a, b) => a.clusters - b.clusters);
  writePoints(all);
  writeScaleSection(all);
  say('kept in test/bench/results/scale.json and docs/reference/benchmarks.md');
}
process.exit(0);
