import {mkdtempSync, statfsSync} from 'node:fs';
import {availableParallelism, loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {bold, heading, say, show} from '../../demo/terminal.ts';
import {build} from '../../lab/binaries.ts';
import {Random} from '../../simulation/random.ts';
import {machine} from '../results.ts';
import type {Cluster} from './cluster.ts';
import {writeLossSection} from './document.ts';
import {lossTable, sum, writeLossRuns} from './results.ts';
import type {LossRun} from './results.ts';
import {begin, clean, draw, examine, loseQuorum} from './trial.ts';
import type {Trial} from './trial.ts';

const usage = `Usage: main.ts [--runs 100] [--seed n] [--dry-run] [--no-commit-tail]

Real etcd processes on loopback lose leader and follower under load; the rest is forced plainly, and as the operator does it. RUNS and
SEED in the environment do the same. --dry-run: the results are printed, and not kept. --no-commit-tail: a dry run of a control, in
which the agent leaves the tail of the log to the force. It has to fail: otherwise the experiment could not see a loss.`;

const {values} = parseArgs({
  options: {
    runs: {type: 'string', default: process.env['RUNS'] ?? '100'},
    seed: {type: 'string', default: process.env['SEED'] ?? String(Math.floor(Date.now() / 1000) % 1_000_000)},
    'dry-run': {type: 'boolean', default: false},
    'no-commit-tail': {type: 'boolean', default: false},
    help: {type: 'boolean', default: false},
  },
});

function wholeNumber(option: string, text: string, from: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < from) throw new Error(`--${option} takes a whole number from ${from} on, not "${text}"`);
  return number;
}

/** A directory whose fsync reaches a disk. */
function directoryOnDisk(): string {
  const tmpfs = 0x01021994;
  if (statfsSync(tmpdir()).type === tmpfs) throw new Error(`${tmpdir()} is in memory, and etcd's log must be on a disk: set TMPDIR`);
  const directory = mkdtempSync(join(tmpdir(), 'etcd-loss-'));
  process.on('exit', () => { clean(directory); });
  return directory;
}

/** On a busy machine the first election can fail; nothing was lost by then that could be counted, so it is tried again. */
async function beginPatiently(trial: Trial): Promise<Cluster> {
  for (let left = 2; ; left -= 1) {
    try {
      return await begin(trial);
    } catch (error) {
      if (left === 0) throw error;
      say(`run ${trial.draw.number} did not begin, and is begun again: ${(error as Error).message}`);
      clean(trial.root);
      await delay(1_000);
    }
  }
}

function describe(run: LossRun): string {
  const end = run.signal === 'SIGKILL' ? 'killed with the others' : `SIGTERM after ${run.afterMs} ms`;
  return `${end.padEnd(22)}, delay ${String(run.delayMs).padStart(2)} ms${run.cut ? ' cut' : '    '}: ${String(run.acknowledged).padStart(5)} acknowledged, not on its disk ${run.notOnSurvivor}, `
    + `lost by plain force ${run.lostByPlainForce} (${run.discardedByPlainForce} entries), by the operator ${bold(String(run.lostByOperator))} (${run.discardedByOperator})`;
}

async function bench(): Promise<void> {
  const count = wholeNumber('runs', values.runs, 1);
  const seed = wholeNumber('seed', values.seed, 0);
  const control = values['no-commit-tail'];
  heading(`${count} losses of a quorum under load (SEED=${seed}), on ${machine()}${control ? ': a control, which has to fail' : ''}`);
  const load = loadavg()[0] ?? 0;
  if (load > availableParallelism()) say(`the machine is busy with other things (load ${load.toFixed(1)}): there will be fewer writes in each run`);
  const etcd = join(await build('etcd-3.6.16', say), 'server');
  const directory = directoryOnDisk();
  const random = new Random(seed);
  const runs: LossRun[] = [];
  const agentFlags = control ? ['--no-commit-tail'] : [];
  const prepare = async (number: number): Promise<{trial: Trial; cluster: Cluster} | undefined> => {
    if (number > count) return undefined;
    const trial: Trial = {etcd, root: join(directory, String(number)), draw: draw(number, random), agentFlags};
    return {trial, cluster: await beginPatiently(trial)};
  };
  let prepared = await prepare(1);
  while (prepared !== undefined) {
    const {trial, cluster} = prepared;
    const remains = await loseQuorum(cluster, trial.draw);
    // The next cluster elects its leader meanwhile; there is no load yet.
    const [run, next] = await Promise.all([examine(trial, remains), prepare(trial.draw.number + 1)]);
    prepared = next;
    clean(trial.root);
    runs.push(run);
    say(`${String(run.run).padStart(3)}/${count} ${describe(run)}`);
  }
  heading('All runs');
  show(lossTable(runs));
  const [lost, discarded] = [sum(runs, (run) => run.lostByOperator), sum(runs, (run) => run.discardedByOperator)];
  if (!values['dry-run'] && !control) {
    writeLossRuns(runs);
    writeLossSection(runs);
    say('kept in test/bench/results/loss.json and docs/reference/benchmarks.md');
  }
  if (lost > 0 || discarded > 0) throw new Error(`the operator lost ${lost} acknowledged writes that the survivor's disk held, and etcd dropped ${discarded} entries`);
}

if (values.help) {
  console.log(usage);
  process.exit(0);
}
process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
const failure = await bench().then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error)));
if (failure !== undefined) say(`failed: ${failure}`);
process.exit(failure === undefined ? 0 : 1);
