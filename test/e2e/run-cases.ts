import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {projectDirectory} from '../lab/paths.ts';
import type {ListedCase} from './case.ts';
import {idleRoom} from './idle-room.ts';
import type {Ended} from './reporter.ts';
import {sideBySide} from './side-by-side.ts';

export interface Case extends ListedCase {
  /** Its file's name, and its number there. */
  name: string;
  /** Its namespace, where it is not run for the second time. */
  namespace: string;
}

export interface CaseResult extends Ended {
  ran: Case;
}

const casesDirectory = join(import.meta.dirname, 'cases');

/** The cases whose name (that of the file, and a number) has the pattern in it, or all that are wanted: the heavy ones first, then those that take long. */
export async function listCases(pattern: string | undefined, extended: boolean): Promise<Case[]> {
  const files = readdirSync(casesDirectory).filter((file) => file.endsWith('.test.ts')).sort().map((file) => join(casesDirectory, file));
  const scratch = mkdtempSync(join(tmpdir(), 'e2e-list-'));
  try {
    const list = join(scratch, 'cases.jsonl');
    const {said, code} = await mocha(['--dry-run', '--reporter', 'min', ...files], {E2E_LIST: list});
    if (code !== 0 || !existsSync(list)) throw new Error(`the cases could not be listed: mocha ended with ${code}\n${said}`);
    const wanted = new RegExp(pattern ?? '');
    const cases = inOrder(jsonLines(list) as ListedCase[]).filter((one) => wanted.test(one.name) && (extended || !one.extended));
    if (cases.length === 0) throw new Error(`no case's name matches CASES=${pattern ?? ''}`);
    return cases;
  } finally {
    rmSync(scratch, {recursive: true});
  }
}

/** Each case's namespace is its name, with the process ID, so that two runs in one cluster do not meet. */
function inOrder(listed: readonly ListedCase[]): Case[] {
  const counts = new Map<string, number>();
  const cases = listed.map((one) => {
    const number = (counts.get(one.file) ?? 0) + 1;
    counts.set(one.file, number);
    const name = `${basename(one.file, '.test.ts')}-${number}`;
    return {...one, name, namespace: `${name}-${process.pid % 10_000}`};
  });
  return cases.sort((a, b) => b.weight - a.weight || b.minutes - a.minutes);
}

/** Where a case that failed is run for the second time. */
export const namespaceAgain = ({namespace}: Case): string => `${namespace}-again`;

export interface PoolOptions {
  /** How many cases run at the same time, if each has a weight of one. */
  width: number;
  /** And how many more where the processors are idle all the same. */
  more: number;
  output: string;
  environment: Record<string, string>;
  namespaceOf?: (one: Case) => string;
  onEnd: (results: CaseResult[], seconds: number) => void;
}

/** Runs each case in a mocha of its own, several at a time. One that ends without a result counts as failed. */
export async function runCases(cases: readonly Case[], options: PoolOptions): Promise<CaseResult[]> {
  mkdirSync(options.output, {recursive: true});
  const results: CaseResult[] = [];
  await sideBySide(cases, idleRoom(options.width, options.more), async (one) => {
    const begin = Date.now();
    const ended = await runCase(one, options);
    results.push(...ended);
    options.onEnd(ended, (Date.now() - begin) / 1000);
  });
  return results;
}

async function runCase(one: Case, options: PoolOptions): Promise<CaseResult[]> {
  const namespace = options.namespaceOf?.(one) ?? one.namespace;
  const resultFile = join(options.output, `${namespace}.jsonl`);
  const args = ['--reporter', join(import.meta.dirname, 'reporter.ts'), '--exit', '--grep', `^${one.title.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)}$`, one.file];
  const {said, code} = await mocha(args, {...options.environment, MOCHA_RESULTS: resultFile, E2E_NAMESPACE: namespace, E2E_OUTPUT: options.output});
  if (said.trim() !== '') console.log(said.trimEnd());
  const results = (existsSync(resultFile) ? jsonLines(resultFile) as Ended[] : []).map((ended) => ({ran: one, ...ended}));
  const failed = results.some((result) => result.state === 'failed');
  if (results.length === 0 || (code !== 0 && !failed)) {
    results.push({ran: one, title: `${one.title}: mocha ended with ${code}`, state: 'failed', seconds: 0, error: said});
  }
  return results;
}

function jsonLines(file: string): unknown[] {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

function mocha(words: readonly string[], environment: Record<string, string>): Promise<{said: string; code: number}> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(projectDirectory, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...words], {
      cwd: projectDirectory, env: {...process.env, ...environment}, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const hear = (chunk: Buffer): void => { said += chunk.toString(); };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    // Whoever ends the suite ends its cases: they would wait for a cluster that is gone.
    const endWithUs = (): void => { child.kill(); };
    process.once('exit', endWithUs);
    child.on('exit', (code, signal) => { process.off('exit', endWithUs); resolve({said, code: code ?? (signal === null ? 1 : 128)}); });
  });
}
