import type {LabPaths} from './paths.ts';
import {run} from './shell.ts';
import {readLiveState} from './state.ts';
import type {LabState, NodeRecord} from './state.ts';

/** The state of a lab that has to run. */
export function liveState(paths: LabPaths): LabState {
  const state = readLiveState(paths);
  if (state === undefined) throw new Error(`no lab named ${paths.name} runs; start it with "make lab" or "up --name ${paths.name}"`);
  return state;
}

/** The words that run what follows them in the lab's mount, PID, network, IPC and UTS namespace. */
export function enterLab(paths: LabPaths): string[] {
  return ['nsenter', '--target', String(liveState(paths).init.pid), '--mount', '--pid', '--net', '--uts', '--ipc', '--'];
}

/** The words that run what follows them in a node's namespaces. */
export function enterNode(paths: LabPaths, node: NodeRecord): string[] {
  if (node.pid === undefined) throw new Error(`the node ${node.name} is ended`);
  return [...enterLab(paths), 'nsenter', '--target', String(node.pid), '--mount', '--pid', '--net', '--uts', '--ipc', '--'];
}

/**
 * The words that run what follows them with the lab's network and names, and otherwise on the machine as it is: its file
 * system, its process IDs. Signals to it go to the command itself.
 */
export function withLabNetwork(paths: LabPaths): string[] {
  const script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"';
  const network = `--net=/proc/${liveState(paths).init.pid}/ns/net`;
  const environment = [`KUBECONFIG=${paths.insideKubeconfig}`, `PATH=${paths.bin}:${process.env['PATH'] ?? ''}`];
  return ['nsenter', network, '--', 'unshare', '--mount', '--', 'env', ...environment, 'sh', '-c', script, 'sh', paths.at('addons', 'resolv.conf')];
}

/** Runs a bash script in the lab's namespaces. */
export async function runInLab(paths: LabPaths, script: string, input?: string): Promise<string> {
  const [program = 'nsenter', ...args] = enterLab(paths);
  return await run(program, [...args, 'bash', '-euc', script], input === undefined ? {} : {input});
}

/** Runs a bash script in a node's namespaces. */
export async function runInNode(paths: LabPaths, node: NodeRecord, script: string): Promise<string> {
  const [program = 'nsenter', ...args] = enterNode(paths, node);
  return await run(program, [...args, 'bash', '-euc', script]);
}
