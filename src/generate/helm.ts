import {spawnSync} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {delimiter, join} from 'node:path';

/** helm's path, or why there is none. */
export type Helm = {path: string} | {missing: string};

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** HELM names the binary; without it, the first helm on PATH. Throws if HELM names something that cannot be run. */
export function findHelm(env: Readonly<Record<string, string | undefined>>): Helm {
  const named = env['HELM'] ?? '';
  if (named !== '') {
    if (!executable(named)) throw new Error(`HELM is ${named}, which cannot be run: name the helm binary by its full path`);
    return {path: named};
  }
  const found = (env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '').map((directory) => join(directory, 'helm')).find(executable);
  return found === undefined ? {missing: 'helm was not found: put it on PATH, or name it in HELM'} : {path: found};
}

/** helm's standard output. Throws with what helm said on standard error. */
export function runHelm(helm: string, args: readonly string[]): string {
  // Neither a cluster nor the settings of whoever runs this may change what comes out.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'KUBECONFIG' && !name.startsWith('HELM_')));
  const {status, stdout, stderr, error} = spawnSync(helm, args, {encoding: 'utf8', env, maxBuffer: 64 * 1024 * 1024});
  if (error) throw error;
  if (status !== 0) throw new Error(`helm ${args[0] ?? ''} failed: ${(stderr + stdout).trim()}`);
  return stdout;
}
