import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, readdirSync, rmSync} from 'node:fs';
import {basename, join} from 'node:path';
import {projectDirectory} from '../lab/paths.ts';
import type {Ended} from './reporter.ts';

export interface CaseResult extends Ended {
  file: string;
}

const casesDirectory = join(import.meta.dirname, 'cases');

/** Cases that kill or end the operator, or stop the API server: beside others they would make those slow, so they come last and one at a time. */
const alone = ['operator-killed', 'operator-replicas', 'mid-run', 'cli'];

export const caseName = (file: string): string => basename(file, '.test.ts');

/** The files of the cases whose name has the pattern in it, those that take long first. */
export function caseFiles(pattern: string | undefined): string[] {
  const wanted = new RegExp(pattern ?? '');
  return readdirSync(casesDirectory).filter((file) => file.endsWith('.test.ts') && wanted.test(caseName(file)))
    .sort((a, b) => weight(b) - weight(a) || (a < b ? -1 : 1)).map((file) => join(casesDirectory, file));
}

/** The number of cases in a file says well enough how long it takes. */
function weight(file: string): number {
  return readFileSync(join(casesDirectory, file), 'utf8').split('e2e(').length;
}

export interface PoolOptions {
  /** How many files run at the same time. */
  width: number;
  output: string;
  environment: Record<string, string>;
  onEnd: (file: string, results: CaseResult[], seconds: number) => void;
}

/** Runs each file in a mocha of its own, several at a time. A file that ends without a result counts as failed. */
export async function runCases(files: readonly string[], options: PoolOptions): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const work = async (queue: string[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const begin = Date.now();
      const ended = await runFile(file, options);
      results.push(...ended);
      options.onEnd(file, ended, (Date.now() - begin) / 1000);
    }
  };
  const together = files.filter((file) => !alone.includes(caseName(file)));
  await Promise.all(Array.from({length: options.width}, async () => { await work(together); }));
  await work(files.filter((file) => alone.includes(caseName(file))));
  return results;
}

async function runFile(file: string, options: PoolOptions): Promise<CaseResult[]> {
  const name = caseName(file);
  mkdirSync(options.output, {recursive: true});
  const resultFile = join(options.output, `${name}.jsonl`);
  rmSync(resultFile, {force: true});
  const {said, code} = await mocha(file, {...options.environment, MOCHA_RESULTS: resultFile, E2E_CASE: name, E2E_OUTPUT: options.output});
  if (said.trim() !== '') console.log(said.trimEnd());
  const lines = existsSync(resultFile) ? readFileSync(resultFile, 'utf8').split('\n').filter((line) => line !== '') : [];
  const results = lines.map((line) => ({file: name, ...(JSON.parse(line) as Ended)}));
  const failed = results.some((result) => result.state === 'failed');
  if (results.length === 0 || (code !== 0 && !failed)) {
    results.push({file: name, title: `${name}: mocha ended with ${code}`, state: 'failed', seconds: 0, error: said});
  }
  return results;
}

function mocha(file: string, environment: Record<string, string>): Promise<{said: string; code: number}> {
  return new Promise((resolve, reject) => {
    const args = [join(projectDirectory, 'node_modules', 'mocha', 'bin', 'mocha.js'), '--reporter', join(import.meta.dirname, 'reporter.ts'), '--exit', file];
    const child = spawn(process.execPath, args, {cwd: projectDirectory, env: {...process.env, ...environment}, stdio: ['ignore', 'pipe', 'pipe']});
    let said = '';
    const hear = (chunk: Buffer): void => { said += chunk.toString(); };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('exit', (code, signal) => { resolve({said, code: code ?? (signal === null ? 1 : 128)}); });
  });
}
