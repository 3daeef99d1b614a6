import {spawn} from 'node:child_process';
import {chmodSync, mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';
import {projectDirectory} from '../lab/paths.ts';
import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** The plugin as kubectl finds it: by its name in the PATH. It runs from the sources, with this very Node. */
export class Plugin {
  readonly #kubectl: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #namespace: string;

  constructor(scenario: Scenario) {
    const {bin} = labOf(scenario);
    const directory = mkdtempSync(join(tmpdir(), 'quorum-recovery-plugin-'));
    for (const [name, file] of [['kubectl-quorum_recovery', 'main.ts'], ['kubectl-qr', 'main.ts'], ['kubectl_complete-quorum_recovery', 'complete.ts']] as const) {
      const path = join(directory, name);
      writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${join(projectDirectory, 'src', 'cli', file)}' "$@"\n`);
      chmodSync(path, 0o755);
    }
    this.#kubectl = join(bin, 'kubectl');
    this.#namespace = scenario.namespace;
    this.#environment = {...process.env, PATH: [directory, bin, process.env['PATH']].join(delimiter), KUBECONFIG: scenario.environment.kubeconfig};
  }

  /** `kubectl quorum-recovery …` in the case's namespace, with nobody at a terminal. */
  async run(...words: string[]): Promise<Said> {
    return await this.kubectl('quorum-recovery', ...words, '-n', this.#namespace);
  }

  async kubectl(...words: string[]): Promise<Said> {
    return await new Promise((resolve, reject) => {
      const child = spawn(this.#kubectl, words, {env: this.#environment, stdio: ['ignore', 'pipe', 'pipe']});
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
      child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (signal !== null) reject(new Error(`kubectl ${words.join(' ')} was ended by ${signal}: ${err}`));
        else resolve({code: code ?? 1, out, err});
      });
    });
  }

  /** The same, where it has to end with that code. What it said stands in the error. */
  async expect(code: number, ...words: string[]): Promise<string> {
    const said = await this.run(...words);
    if (said.code !== code) throw new Error(`kubectl quorum-recovery ${words.join(' ')} ended with ${said.code} and not with ${code}\n${said.out}\n${said.err}`);
    return `${said.out}${said.err}`;
  }
}
