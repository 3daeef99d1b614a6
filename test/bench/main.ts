import {parseArgs} from 'node:util';
import {availableParallelism, loadavg} from 'node:os';
import {installInLab, operatorNamespace} from '../e2e/install.ts';
import {bold, heading, say, show, timed} from '../demo/terminal.ts';
import {Lab, endLab} from '../lab/lab.ts';
import {operatorImage} from '../lab/operator-image.ts';
import {labNames} from '../lab/state.ts';
import {writeDocument} from './document.ts';
import {keepRuns, machine, parts, sides, table} from './results.ts';
import type {Part, Run} from './results.ts';
import {restoreTrial} from './restore/trial.ts';
import {trial} from './trial.ts';

const usage = `Usage: main.ts [--only recovery|restore] [--runs 5] [--database-mb 10] [--restore-mb 10,1074] [--dry-run]

Recovers a fresh etcd from the loss of two members of three again and again in a lab of its own, by the operator and by runbook.sh
in turn, and then from the loss of all by restoring a snapshot, by the operator and by restore/runbook.sh; each with databases of
these sizes, and measured with the same client. ONLY, RUNS, DATABASE_MB and RESTORE_MB in the environment do the same.
--dry-run: the results are printed, and not kept.`;

const {values} = parseArgs({
  options: {
    runs: {type: 'string', default: process.env['RUNS'] ?? '5'},
    only: {type: 'string', default: process.env['ONLY'] ?? ''},
    'database-mb': {type: 'string', default: process.env['DATABASE_MB'] ?? '10'},
    'restore-mb': {type: 'string', default: process.env['RESTORE_MB'] ?? '10,1074'},
    'dry-run': {type: 'boolean', default: false},
    help: {type: 'boolean', default: false},
  },
});
const name = 'bench';

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} takes a whole number from 1 on, not "${text}"`);
  return number;
}

const positives = (option: string, text: string): number[] => text.split(',').map((one) => positive(option, one));

interface Measurement {
  part: Part;
  databaseMB: number;
}

/** What is measured, one after the other. */
function measurements(): Measurement[] {
  const {only} = values;
  if (only !== '' && !parts.some((part) => part === only)) throw new Error(`--only takes ${parts.join(' or ')}, not "${only}"`);
  const sizes = {recovery: positives('database-mb', values['database-mb']), restore: positives('restore-mb', values['restore-mb'])};
  return parts.filter((part) => only === '' || part === only).flatMap((part) => sizes[part].map((databaseMB) => ({part, databaseMB})));
}

const trials = {recovery: trial, restore: restoreTrial};

/** Both sides take turns, and what they took is kept. */
async function measure(lab: Lab, count: number, {part, databaseMB}: Measurement): Promise<Run[]> {
  heading(`${part}: ${count} by each side, of a database of ${databaseMB} MB`);
  const environment = {kubeconfig: lab.kubeconfig, lab, output: '', operatorNamespace, operatorLog: undefined};
  const runs: Run[] = [];
  for (let number = 1; number <= count; number += 1) {
    for (const side of sides) {
      const run = await trials[part](lab, environment, side, {number, databaseMB});
      runs.push(run);
      const planned = run.plannedSeconds === undefined ? '' : `plan ${run.plannedSeconds.toFixed(1)} s, `;
      say(`${number}/${count} ${side.padEnd(8)}  ${planned}first write ${bold(`${run.writableSeconds.toFixed(1)} s`)}, three equal voters ${bold(`${run.redundantSeconds.toFixed(1)} s`)}, writes lost: ${run.keysLost}`);
    }
  }
  show(table(runs, databaseMB));
  if (!values['dry-run']) {
    keepRuns(part, runs);
    writeDocument();
    say(`kept in test/bench/results/${part}.json and docs/reference/benchmarks.md`);
  }
  return runs;
}

async function bench(): Promise<void> {
  const [count, all] = [positive('runs', values.runs), measurements()];
  say(`measuring on ${machine()}`);
  const load = loadavg()[0] ?? 0;
  if (load > availableParallelism()) say(`the machine is busy with other things (load ${load.toFixed(1)}): the times will say little of an idle one`);
  if (labNames().includes(name)) await timed(`the lab ${name} of an earlier time is ended`, () => endLab(name));
  const image = await operatorImage(say);
  const lab = await Lab.up({name, nodes: 2, images: [image], say});
  await timed('the operator is installed', () => installInLab(lab));
  const runs: Run[] = [];
  for (const measurement of all) runs.push(...await measure(lab, count, measurement));
  if (runs.some((run) => run.keysLost > 0)) throw new Error('acknowledged writes were lost');
}

const stopping = new AbortController();
function stop(signal: NodeJS.Signals): void {
  if (stopping.signal.aborted) return;
  stopping.abort();
  say(`${signal}: ending the lab ${name} …`);
  endLab(name).catch((error: unknown) => { say(String(error)); }).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
}
process.on('SIGINT', stop).on('SIGTERM', stop);

if (values.help) {
  console.log(usage);
  process.exit(0);
}
const failure = await bench().then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error)));
// A signal ends the lab below the bench's feet; `stop` then ends this process too.
if (!stopping.signal.aborted) {
  if (failure !== undefined) say(`failed: ${failure}`);
  if (process.env['KEEP'] !== '1') await timed(`the lab ${name} is ended`, () => endLab(name));
  process.exit(failure === undefined ? 0 : 1);
}
