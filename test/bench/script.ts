import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {delimiter, dirname} from 'node:path';
import type {Lab} from '../lab/lab.ts';

/** Runs one of the scripted runbooks with the lab's kubectl; rejects with what it said. */
export async function runScript(lab: Lab, script: string, args: readonly string[]): Promise<void> {
  const path = [lab.bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  const child = spawn(script, args, {env: {...process.env, PATH: path, KUBECONFIG: lab.kubeconfig}, stdio: ['ignore', 'ignore', 'pipe']});
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  const [code] = await once(child, 'close') as [number | null];
  if (process.env['VERBOSE'] === '1') console.log(said);
  if (code !== 0) throw new Error(`the runbook ended with ${String(code)}:\n${said}`);
}
