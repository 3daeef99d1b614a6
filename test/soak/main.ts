import {mkdirSync, mkdtempSync, writeFileSync} from 'node:fs';
import {availableParallelism, loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {bold, heading, say, show, timed} from '../demo/terminal.ts';
import {diagnose} from '../e2e/diagnose.ts';
import type {Environment} from '../e2e/environment.ts';
import {deleteNodes} from '../e2e/faults.ts';
import {installInLab, operatorNamespace, operatorNodes} from '../e2e/install.ts';
import {Lab, endLab} from '../lab/lab.ts';
import {operatorImage} from '../lab/operator-image.ts';
import {labNames} from '../lab/state.ts';
import {Random} from '../simulation/random.ts';
import {SoakCluster} from './cluster.ts';
import {draw, faults} from './faults.ts';
import type {Done, Fault} from './faults.ts';
import {growth, look, looks} from './operator-watch.ts';
import type {Held} from './operator-watch.ts';
import {errorsOf, faultTable, growthTable} from './results.ts';
import type {Step} from './results.ts';
import {fatal, shapes} from './shapes.ts';

/*
 * `make soak`: three clusters, watched and written to, under one fault after the other; what has to hold is looked at between them.
 *   MINUTES=30    how long faults come
 *   SEED=1        which ones, in which order, to whom; the same seed and minutes give the same
 *   LAB=soak      the lab's name
 *   OUTPUT=dir    where the results are written, and what is known of a failure
 *   KEEP=1        leave the lab as it is
 */
const text = (name: string): string | undefined => (process.env[name] === '' ? undefined : process.env[name]);

function positive(name: string, fallback: number): number {
  const number = Number(text(name) ?? fallback);
  if (!(number > 0)) throw new Error(`${name} takes a number above 0, not "${text(name) ?? ''}"`);
  return number;
}

const minutes = positive('MINUTES', 30);
const seed = positive('SEED', 1);
const labName = text('LAB') ?? 'soak';
const output = text('OUTPUT') ?? mkdtempSync(join(tmpdir(), 'quorum-recovery-soak-'));
const nodesOfOperators = ['n1', 'n2'];

/** About as long as one step takes, s: by their number it is settled which ones may end the operator. */
const stepSeconds = 30;
/** The operator's process is ended in the first third only, so that one process leads through the rest and what it holds can be compared. */
const endingSteps = Math.ceil(minutes * 60 / stepSeconds / 3);

/** The operator closes a connection to a member once it had no call for up to 135 s (src/etcd/pool.ts): so long nothing happens before the last looks, s. */
const restSeconds = 150;

interface Soak {
  lab: Lab;
  clusters: SoakCluster[];
  steps: Step[];
  held: Held[];
}

/** Dice of one step: whatever the steps before it took, it is the same. */
function drawn(number: number, clusters: readonly SoakCluster[]): {fault: Fault; cluster: SoakCluster; random: Random} {
  const random = new Random(seed * 100_003 + number);
  const cluster = clusters[random.below(clusters.length)];
  if (cluster === undefined) throw new Error('there is no cluster');
  return {fault: draw(random, faults.filter(({endsOperator}) => endsOperator !== true || number <= endingSteps)), cluster, random};
}

/** What is gone is gone for good, and as many new machines come. */
async function replaceNodes(lab: Lab, {scenario}: SoakCluster, nodes: readonly string[]): Promise<void> {
  await deleteNodes(scenario, nodes);
  await Promise.all(nodes.map(async (node) => { await lab.removeNode(node); }));
  await scenario.addNodes(nodes.length);
}

/** Times from the end of the quorum, s, where it ended. */
async function timesOf(cluster: SoakCluster, {ended}: Done): Promise<Pick<Step, 'suspectedSeconds' | 'writableSeconds'>> {
  if (ended === undefined) return {};
  const since = (at: number | undefined): number | undefined => (at === undefined ? undefined : Math.max(0, Math.round((at - ended) / 100) / 10));
  // An answer of the old quorum can be on its way for a second.
  const [suspected, writable] = [since(cluster.suspectedAt === undefined ? undefined : Date.parse(cluster.suspectedAt)), since(await cluster.firstWriteAfter(ended + 1_000))];
  return {...(suspected !== undefined && {suspectedSeconds: suspected}), ...(writable !== undefined && {writableSeconds: writable})};
}

const inWords = ({rssMiB, heapMiB, sockets, timers, watches}: Held): string => `${rssMiB} MiB (heap ${heapMiB}), ${sockets} sockets, ${timers} timers, ${watches} watches`;

async function lookAtOperator({clusters: [first, ...others], steps}: Soak): Promise<Held> {
  if (first === undefined) throw new Error('there is no cluster');
  const pods = [first, ...others].reduce((sum, cluster) => sum + cluster.pods, 0);
  return await look(first.scenario, {step: steps.length, recoveries: steps.filter(({forGood}) => forGood).length, pods});
}

/** What the operator holds when nothing has happened for a while: the last looks that are compared. */
async function rest(soak: Soak): Promise<void> {
  await timed(`nothing happens for ${restSeconds} s`, () => delay(restSeconds * 1000));
  for (let number = 0; number < looks; number += 1) {
    if (number > 0) await delay(5_000);
    const now = await lookAtOperator(soak);
    soak.held.push(now);
    say(`  Operator: ${inWords(now)}`);
  }
}

async function step(soak: Soak, number: number): Promise<void> {
  const {lab, clusters, steps, held} = soak;
  const {fault, cluster, random} = drawn(number, clusters);
  const {name} = cluster.shape;
  const begin = Date.now();
  say(`${bold(`step ${number}`)} ${fault.name}, on ${name}`);
  cluster.expectSuspicion();
  const done = await fault.act({lab, cluster, random, operatorNodes: nodesOfOperators});
  say(`  ${done.words}`);
  if (fault.forGood === true) {
    const run = await cluster.untilRecovered(begin, 360);
    say(`  ${run.id} from ${run.plan?.survivor ?? ''}: ${run.outcome ?? ''}`);
    await replaceNodes(lab, cluster, done.nodes ?? []);
  }
  for (const one of clusters) await one.settled(240);
  // Faults of the operator and the API server are everybody's.
  for (const one of clusters) await one.check({mayForce: one === cluster && fault.forGood === true});
  const times = await timesOf(cluster, done);
  steps.push({number, fault: fault.name, forGood: fault.forGood === true, cluster: name, words: done.words, seconds: Math.round((Date.now() - begin) / 1000), ...times});
  const now = await lookAtOperator(soak);
  held.push(now);
  say(`  all well after ${Math.round((Date.now() - begin) / 1000)} s${times.suspectedSeconds === undefined ? '' : `; suspected ${times.suspectedSeconds} s, writable ${times.writableSeconds ?? '?'} s after the loss`}. Operator: ${inWords(now)}`);
}

/** Faults until the time is over, or until something does not hold: then what it was. */
async function faultsOf(soak: Soak): Promise<string | undefined> {
  const end = Date.now() + minutes * 60_000;
  for (let number = 1; Date.now() < end; number += 1) {
    try {
      await step(soak, number);
    } catch (error) {
      for (const {scenario} of soak.clusters) await diagnose(scenario, `step ${number}`, error).catch((problem: unknown) => { console.log('the diagnosis failed:', problem); });
      return `step ${number}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}

/** What was seen, on the terminal and as JSON. @returns what does not hold */
async function tell({clusters, steps, held}: Soak, failure: string | undefined): Promise<string[]> {
  const problems = failure === undefined ? [] : [failure];
  heading('Faults');
  show(faultTable(steps));
  const grown = growth(held);
  if (grown === undefined) {
    say(`no process of the operator led for long enough after a recovery to compare what it held (${held.length} looks)`);
    if (minutes >= 10 && failure === undefined) problems.push('what the operator holds could not be compared');
  } else {
    heading(`What ${grown.process.split(' ')[0] ?? ''} held in ${grown.steps} steps, in which ${grown.pods} pods were made anew`);
    show(growthTable(grown.grown));
    for (const {what, early, late, most} of grown.grown) if (late > most) problems.push(`the operator's ${what} grew from ${early} to ${late}, and ${most} is the most`);
  }
  const [first] = clusters;
  const errors = first === undefined ? [] : await errorsOf(first.scenario);
  const runs = clusters.flatMap((cluster) => cluster.runs.map((run) => ({cluster: cluster.shape.name, id: run.id, outcome: run.outcome, forced: run.force !== undefined, survivor: run.plan?.survivor})));
  const writes = await Promise.all(clusters.map(async (cluster) => ({cluster: cluster.shape.name, acknowledged: await cluster.acknowledged(), lost: cluster.writesLost})));
  heading('Writes and runs');
  for (const {cluster, acknowledged, lost} of writes) {
    const own = runs.filter((run) => run.cluster === cluster);
    say(`${cluster}: ${acknowledged} writes acknowledged, ${lost} of them lost, within what their runs declared; ${own.length} runs, ${own.filter(({forced}) => forced).length} forced a new cluster`);
  }
  say(`${errors.length} errors in the operators' logs${errors.length === 0 ? '' : ', the last ones:'}`);
  for (const line of errors.slice(-5)) show(line.slice(0, 400));
  mkdirSync(output, {recursive: true});
  writeFileSync(join(output, 'soak.json'), `${JSON.stringify({seed, minutes, steps, runs, writes, held, growth: grown?.grown ?? [], errors: errors.length, problems}, undefined, 1)}\n`);
  return problems;
}

async function soak(): Promise<number> {
  heading(`${minutes} minutes of faults with SEED=${seed}`);
  const load = loadavg()[0] ?? 0;
  if (load > availableParallelism()) say(`the machine is busy with other things (load ${load.toFixed(1)})`);
  if (labNames().includes(labName)) await timed(`the lab ${labName} of an earlier time is ended`, () => endLab(labName));
  const image = await operatorImage(say);
  const lab = await Lab.up({name: labName, nodes: 0, images: [image], say});
  await Promise.all(nodesOfOperators.map((node) => lab.addNode(node, {labels: operatorNodes})));
  await timed('the operator is installed, with two replicas', () => installInLab(lab, {nodeSelector: operatorNodes}));
  const environment: Environment = {kubeconfig: lab.kubeconfig, lab, output, operatorNamespace, operatorLog: undefined};
  const clusters = shapes.map((shape) => new SoakCluster(environment, shape));
  for (const cluster of clusters) await timed(`${cluster.shape.name}: ${cluster.shape.words}, on ${cluster.shape.replicas + fatal(cluster.shape)} nodes`, () => cluster.start());
  for (const cluster of clusters) await cluster.settled(120);
  const state: Soak = {lab, clusters, steps: [], held: []};
  heading(`Steps up to ${endingSteps} may end the operator's process`);
  const failure = await faultsOf(state);
  if (failure === undefined) await rest(state);
  const problems = await tell(state, failure);
  for (const cluster of clusters) await cluster.end();
  heading(problems.length === 0 ? `Everything held, in ${state.steps.length} steps` : 'What did not hold');
  for (const problem of problems) say(problem);
  say(`the results are in ${join(output, 'soak.json')}`);
  return problems.length === 0 ? 0 : 1;
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopping.abort();
    say(`${signal}: ending the lab ${labName} …`);
    void endLab(labName).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  });
}

const code = await soak().catch((error: unknown) => {
  say(`failed: ${error instanceof Error ? error.stack ?? error.message : String(error)}`);
  return 1;
});
// A signal ends the lab below the soak's feet, and then this process too.
if (!stopping.signal.aborted) {
  if (process.env['KEEP'] !== '1') await timed(`the lab ${labName} is ended`, () => endLab(labName));
  process.exit(code);
}
