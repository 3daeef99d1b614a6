import {execFile, spawn} from 'node:child_process';
import {setTimeout as delay} from 'node:timers/promises';

export interface RunOptions {
  /** Written to the command's standard input. */
  input?: string;
  /** Added to the environment that this process has. */
  environment?: Record<string, string>;
  directory?: string;
}

/** Runs a command to its end and returns its standard output. Rejects with the end of what it wrote. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      {maxBuffer: 256 * 1024 * 1024, cwd: options.directory, env: {...process.env, ...options.environment}},
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const said = `${stdout.trim()}\n${stderr.trim()}`.trim().split('\n').slice(-30).join('\n');
        reject(new Error(`${command} ${args.slice(0, 6).join(' ')} failed: ${said === '' ? error.message : said}`, {cause: error}));
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a command with this process' own terminal and returns its exit status. */
export function runAttached(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {stdio: 'inherit'});
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    child.on('error', reject);
    child.on('exit', (status) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      resolve(status ?? 1);
    });
  });
}

/** Asks until the answer is not undefined. A rejected question counts as "not yet". */
export async function waitFor<T>(what: string, timeoutSeconds: number, ask: () => Promise<T | undefined>, everyMilliseconds = 100): Promise<T> {
  const end = Date.now() + timeoutSeconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await delay(everyMilliseconds);
  }
  const because = last instanceof Error ? `: ${last.message}` : '';
  throw new Error(`${what} did not happen within ${timeoutSeconds} s${because}`);
}

/** A word as one argument of a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Several words as arguments of a POSIX shell. */
export function quoteAll(words: readonly string[]): string {
  return words.map(quote).join(' ');
}
