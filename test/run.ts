import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync} from 'node:fs';
import {existsSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {build, buildAll, etcdVersions} from './lab/binaries.ts';
import type {GoModule} from './lab/binaries.ts';
import {projectDirectory} from './lab/paths.ts';
import {ensureBrowser, ensurePrerequisites} from './lab/prerequisites.ts';
import type {Ended} from './e2e/reporter.ts';

/*
 * `make test`: everything that CI runs, and one line at the end that counts it all. First the simulation's random schedules, then the rest of it beside unit
 * tests and invariants, then the end-to-end cases, whose waits are filled with types and lint.
 *   --only NAME   one of: check, unit, invariants, simulation, e2e
 */
interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

const randomSchedules = 'test/simulation/random.test.ts';

const none: Count = {passed: 0, failed: 0, skipped: 0};
const begin = Date.now();
const say = (line: string): void => { console.log(`[${((Date.now() - begin) / 1000).toFixed(0).padStart(4)} s] ${line}`); };
const scratch = mkdtempSync(join(tmpdir(), 'quorum-recovery-test-'));

/** Said at once, and once more at the end: after an hour of output the last lines are all that somebody sees. */
const complaints: string[] = [];
const complain = (text: string): void => {
  complaints.push(text);
  console.log(text);
};

/** Runs a command with its output on the terminal and, if asked, line by line to a reader; gives its exit code. */
function run(command: string, args: readonly string[], environment: Record<string, string> = {}, hear?: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = hear === undefined ? 'inherit' as const : ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'];
    const child = spawn(command, args, {cwd: projectDirectory, env: {...process.env, ...environment}, stdio});
    let rest = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) hear?.(line);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => { resolve(code ?? (signal === null ? 1 : 128)); });
  });
}

/** A command whose exit code is the verdict: one test. */
async function verdict(title: string, command: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Count> {
  const code = await run(command, args, environment);
  if (code === 0) say(`${title}: ok`);
  else complain(`  FAILED ${title} (exit code ${code}); what it said stands above`);
  return {passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0};
}

const tool = (name: string): string => join(projectDirectory, 'node_modules', '.bin', name);

/** A mocha suite, counted by a reporter of our own; a suite that ends badly, or without a test, counts as failed. */
async function mocha(title: string, pattern: string, environment: Record<string, string>, options: readonly string[]): Promise<Count> {
  const results = join(scratch, `${title.replaceAll(' ', '-')}.jsonl`);
  const reporter = join(projectDirectory, 'test', 'e2e', 'reporter.ts');
  const code = await run(process.execPath, [join(projectDirectory, 'node_modules', 'mocha', 'bin', 'mocha.js'), '--reporter', reporter, '--exit', ...options, pattern], {...environment, MOCHA_RESULTS: results});
  const ended = existsSync(results) ? readFileSync(results, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Ended) : [];
  const count = (state: Ended['state']): number => ended.filter((test) => test.state === state).length;
  for (const {state, title: name, error = ''} of ended) {
    if (state === 'failed') complain(`  FAILED ${name}\n${error.split('\n').slice(0, 15).map((line) => `    ${line}`).join('\n')}`);
    if (state === 'skipped') console.log(`  skipped ${name}`);
  }
  const broken = ended.length === 0 || (code !== 0 && count('failed') === 0);
  if (broken) complain(`  FAILED ${title}: mocha ended with ${code} after ${ended.length} tests`);
  say(`${title}: ${count('passed')} passed, ${count('failed') + Number(broken)} failed, ${count('skipped')} skipped`);
  return {passed: count('passed'), failed: count('failed') + Number(broken), skipped: count('skipped')};
}

/** The etcd binaries, and the reader of etcd's logs, under the names that the unit tests look for. */
function etcdBinaries(built: ReadonlyMap<GoModule, string>): Record<string, string> {
  for (const version of etcdVersions) {
    const from = built.get(`etcd-${version}`) ?? '';
    mkdirSync(join(scratch, 'etcd', version), {recursive: true});
    for (const file of readdirSync(from)) {
      for (const name of file === 'server' ? ['server', 'etcd'] : [file]) symlinkSync(join(from, file), join(scratch, 'etcd', version, name));
    }
  }
  const oracle = join(built.get('wal-oracle') ?? '', 'wal-oracle');
  return {ETCD_BINS: join(scratch, 'etcd'), ETCD_BIN_DIR: join(scratch, 'etcd', '3.6.16'), WAL_ORACLE: oracle};
}

async function endToEnd(): Promise<Count> {
  let counted: Count | undefined;
  // Always in a lab of its own: a kubeconfig that happens to be set must not have this installed in somebody's cluster.
  const environment = {E2E_OUTPUT: join(scratch, 'e2e'), KUBECONFIG: ''};
  const code = await run(process.execPath, [join(projectDirectory, 'test', 'e2e', 'main.ts')], environment, (line) => {
    const found = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line);
    if (found) counted = {passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0)};
  });
  const result = counted ?? {passed: 0, failed: 1, skipped: 0};
  return code !== 0 && result.failed === 0 ? {...result, failed: 1} : result;
}

/** Types, lint, generated files: nothing in them waits, so that they take the processor only when nothing else wants it. */
async function check(helm: string): Promise<Count> {
  const patient = async (title: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Count> =>
    await verdict(title, 'nice', ['-n', '15', process.execPath, ...args], environment);
  return sum([
    await patient('types', [tool('tsc'), '--noEmit']),
    await patient('lint', [tool('eslint'), 'src', 'test']),
    await patient('generated files are fresh', [join(projectDirectory, 'src', 'generate', 'main.ts'), '--check'], {HELM: helm}),
  ]);
}

function sum(counts: readonly Count[]): Count {
  const total = (key: keyof Count): number => counts.reduce((so, count) => so + count[key], 0);
  return {passed: total('passed'), failed: total('failed'), skipped: total('skipped')};
}

async function main(): Promise<number> {
  const {values: {only}} = parseArgs({options: {only: {type: 'string'}}});
  const wanted = (name: string): boolean => only === undefined || only === name;
  await ensurePrerequisites(say);
  if (wanted('unit')) await ensureBrowser(say);
  const built = await buildAll(say);
  const helm = join(built.get('helm') ?? '', 'helm');
  const bucketServer = wanted('unit') ? {VERSITYGW: join(await build('versitygw', say), 'versitygw')} : {};
  const environment = {...etcdBinaries(built), ...bucketServer, HELM: helm, PROMTOOL: join(built.get('promtool') ?? '', 'promtool')};
  const counts: Count[] = [];
  const suite = async (name: string, title: string, pattern: string, ...options: string[]): Promise<void> => {
    if (wanted(name)) counts.push(await mocha(title, pattern, environment, options));
  };
  // Random schedules first, and alone: they take every processor. The rest of the simulation takes one, as long as unit tests and invariants do.
  await suite('simulation', 'random schedules', randomSchedules);
  await Promise.all([
    suite('simulation', 'simulation', 'test/simulation/**/*.test.ts', '--exclude', randomSchedules),
    suite('unit', 'unit', 'test/unit/**/*.test.ts').then(async () => { await suite('invariants', 'invariants', 'test/invariants/**/*.test.ts'); }),
  ]);
  counts.push(...await Promise.all([wanted('e2e') ? endToEnd() : none, wanted('check') ? check(helm) : none]));
  const {passed, failed, skipped} = sum(counts);
  const good = failed === 0 && passed > 0;
  if (good) rmSync(scratch, {recursive: true, force: true});
  else console.log(`\n${complaints.join('\n')}\n\nWhat the suites left: ${scratch}`);
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return good ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
