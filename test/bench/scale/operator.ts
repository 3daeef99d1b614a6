import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {mkdtempSync, openSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {say} from '../../demo/terminal.ts';
import {unpackLayout} from '../../lab/oci.ts';
import {operatorImage} from '../../lab/operator-image.ts';
import {readDockerfile} from '../../lab/stand-ins.ts';

const ticksPerSecond = 100;

/** The operator as its image has it, unpacked until this process ends. @returns its entry */
export async function operatorOfImage(): Promise<string> {
  const layout = await operatorImage(say);
  const directory = mkdtempSync(join(tmpdir(), 'quorum-recovery-image-'));
  process.on('exit', () => { rmSync(directory, {recursive: true, force: true}); });
  await unpackLayout(layout, directory);
  return join(directory, 'app/dist/main.js');
}

/** What the image gives to node before the operator's entry. */
export function imageFlags(): string[] {
  const entry = /^ENTRYPOINT (\[.*\])$/m.exec(readDockerfile())?.[1];
  if (entry === undefined) throw new Error('the Dockerfile has no ENTRYPOINT');
  return (JSON.parse(entry) as string[]).slice(1, -1);
}

/** The environment that the image gives to the operator. */
export function imageEnvironment(): Record<string, string> {
  const pairs = [...readDockerfile().matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) => line.split(' '));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** What a process has used so far. */
export interface Usage {
  rssMiB: number;
  cpuSeconds: number;
}

/** The operator as a process of its own, measured from outside. */
export class OperatorProcess {
  readonly #process: ChildProcess;
  /** From the start of the process to its first readiness, seconds. */
  readonly readySeconds: number;

  private constructor(child: ChildProcess, readySeconds: number) {
    this.#process = child;
    this.readySeconds = readySeconds;
  }

  static async start({entry, kubeconfig, log, port, nodeOptions}: {entry: string; kubeconfig: string; log: string; port: number; nodeOptions: readonly string[]}): Promise<OperatorProcess> {
    const begun = performance.now();
    const output = openSync(log, 'w');
    const child = spawn(process.execPath, [
      ...nodeOptions, entry, `--kubeconfig=${kubeconfig}`, `--port=${port}`, '--lease-namespace=quorum-recovery-system',
      // The stand-ins for a cluster's machines share this one: that the operator gets no processor for ten seconds is no fault of its own here.
      '--lease-duration=120', '--lease-renew-deadline=100',
      '--agent-image=registry.example/quorum-recovery-operator:0', '--identity=bench',
    ], {stdio: ['ignore', output, output], env: {...process.env, ...imageEnvironment()}});
    process.on('exit', () => { child.kill('SIGKILL'); });
    for (;;) {
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then(({ok}) => ok, () => false);
      if (ready) return new OperatorProcess(child, (performance.now() - begun) / 1000);
      if (child.exitCode !== null) throw new Error(`the operator ended with ${child.exitCode}: ${readFileSync(log, 'utf8').slice(-2000)}`);
      await delay(10);
    }
  }

  /** Throws once the process has ended: its last words are in the log. */
  requireRunning(): void {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw new Error(`the operator ended with ${this.#process.exitCode ?? this.#process.signalCode ?? ''}`);
  }

  usage(): Usage {
    this.requireRunning();
    const read = (file: string): string => readFileSync(`/proc/${this.#process.pid ?? 0}/${file}`, 'utf8');
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(read('status'))?.[1];
    // After the name in brackets: state is the third field of proc(5), utime the 14th, stime the 15th.
    const fields = read('stat').replace(/^.*\) /, '').split(' ');
    return {rssMiB: Number(rss) / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond};
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => { this.#process.once('exit', resolve); });
    this.#process.kill('SIGTERM');
    await ended;
  }
}
