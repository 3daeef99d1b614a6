import {spawn} from 'node:child_process';
import {mkdirSync, openSync, closeSync, readFileSync, existsSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {addonManifests, writeAddonFiles} from './addons.ts';
import type {GoModule} from './binaries.ts';
import {kubeconfig, makeAuthority} from './certificates.ts';
import {makeCgroup, weighLabs} from './cgroups.ts';
import {initScript} from './control-plane.ts';
import {apiAddress, apiPort} from './network.ts';
import type {LabPaths} from './paths.ts';
import type {Prepared} from './prepare.ts';
import {run, waitFor} from './shell.ts';
import {readLiveState} from './state.ts';
import {copyTemplate} from './template.ts';

/** Starts a lab without nodes and returns once its API server serves and the cluster's own objects are there. */
export async function startLab(paths: LabPaths, prepared: Prepared, say: (line: string) => void): Promise<void> {
  const begin = Date.now();
  await writeFiles(paths, prepared);
  makeCgroup(paths.cgroup);
  weighLabs();
  startSupervisor(paths);
  const {port} = await waitFor('the start of the lab', 20, () => Promise.resolve(readLiveState(paths))).catch((error: unknown) => {
    throw withLog(error, paths.at('log', 'init.log'));
  });
  const outside = kubeconfig(paths.at('pki'), 'admin', `https://127.0.0.1:${port}`);
  writeFileSync(paths.kubeconfig, outside, {mode: 0o600});
  const kubectl = async (args: readonly string[], input?: string): Promise<string> =>
    await run(join(paths.bin, 'kubectl'), ['--kubeconfig', paths.kubeconfig, ...args], input === undefined ? {} : {input});
  await waitFor('the readiness of the API server', 90, () => kubectl(['get', '--raw', '/readyz'])).catch((error: unknown) => {
    throw withLog(error, paths.at('log', 'kube-apiserver.log'));
  });
  await waitFor('the creation of the cluster\'s own objects', 30, () => kubectl(['apply', '-f', '-'], addonManifests()));
  say(`the API server is ready after ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

async function writeFiles(paths: LabPaths, {built, template}: Prepared): Promise<void> {
  for (const directory of ['run', 'bin', 'log', 'nodes', 'etcd']) mkdirSync(paths.at(directory), {recursive: true, mode: directory === 'etcd' ? 0o700 : 0o755});
  const link = (name: string, module: GoModule, command = name): void => {
    symlinkSync(join(built.get(module) ?? '', command), join(paths.bin, name));
  };
  link('localkube', 'kubernetes', 'kubernetes');
  link('kubectl', 'kubernetes', 'kubernetes');
  link('helm', 'helm');
  link('coredns', 'coredns');
  link('local-path-provisioner', 'local-path-provisioner');
  link('etcdctl', 'etcd-3.6.16');
  link('etcdutl', 'etcd-3.6.16');
  await makeAuthority(paths.at('pki'));
  const server = `https://${apiAddress}:${apiPort}`;
  writeFileSync(paths.insideKubeconfig, kubeconfig(paths.at('pki'), 'admin', server), {mode: 0o600});
  writeFileSync(paths.at('pki', 'proxy.kubeconfig'), kubeconfig(paths.at('pki'), 'proxy', server), {mode: 0o600});
  writeAddonFiles(paths.at('addons'));
  // A copy of its own, since templates are removed when newer ones are used.
  await copyTemplate(template, paths.at('containerd'));
  writeFileSync(paths.at('init.sh'), initScript(paths.root));
}

/** In a session of its own, so that the lab goes on when the command that started it has ended. */
function startSupervisor(paths: LabPaths): void {
  const log = openSync(paths.at('log', 'init.log'), 'a');
  const supervisor = spawn(process.execPath, [join(import.meta.dirname, 'supervisor.ts'), paths.name], {detached: true, cwd: '/', stdio: ['ignore', log, log]});
  supervisor.unref();
  closeSync(log);
}

function withLog(error: unknown, file: string): Error {
  const log = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-10).join('\n') : '';
  return new Error(`${error instanceof Error ? error.message : String(error)}\n${file}:\n${log}`, {cause: error});
}
