import {spawn, spawnSync} from 'node:child_process';
import {run} from '../../lab/shell.ts';

const marker = 'BENCH_SCALE_NETWORK';

/**
 * Starts this program again in a network namespace of its own, where packets can be made to vanish, and ends with it. Returns where this one
 * is the one in there, or where this user may make none.
 * @param args more arguments for the one in there
 */
export async function inOwnNetwork(args: readonly string[]): Promise<void> {
  if (process.env[marker] !== undefined || spawnSync('unshare', ['--net', 'true']).status !== 0) return;
  const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1), ...args], {
    stdio: 'inherit', env: {...process.env, [marker]: '1'},
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { child.kill(signal); });
  process.exit(await new Promise<number>((resolve) => { child.once('exit', (code) => { resolve(code ?? 1); }); }));
}

/** Whether addresses can be silenced here. */
export const canSilence = (): boolean => process.env[marker] !== undefined && spawnSync('iptables', ['-w', '-S', 'INPUT']).status === 0;

/** From now on nothing arrives at these addresses, as if their machines had lost their power. */
export async function silence(addresses: readonly string[]): Promise<void> {
  await run('iptables', ['-w', '-A', 'INPUT', '-d', addresses.join(','), '-j', 'DROP']);
}

/** What was silenced is heard again: the members of the next measurement have the same addresses. */
export async function hearAgain(): Promise<void> {
  await run('iptables', ['-w', '-F', 'INPUT']);
}
