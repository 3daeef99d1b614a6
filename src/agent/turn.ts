import {readFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';

const flag = '--turn';
const waiting = new Set(['prepare-join', 'prepare-force', 'seed']);

/** What the file must say: a member ID, which `prepare-join` goes on with, or the attempt that `prepare-force` or `seed` was made for. */
function turnIn(path: string, argv: readonly string[]): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
  if (argv[0] === 'prepare-join') return /^[0-9a-f]{1,16}$/.test(text) ? text : undefined;
  return text !== '' && text === argv[argv.indexOf('--attempt') + 1] ? text : undefined;
}

/** The command line without the file that is waited for. */
export function withoutTurn(argv: readonly string[]): string[] {
  const at = argv.indexOf(flag);
  return at < 0 ? [...argv] : [...argv.slice(0, at), ...argv.slice(at + 2)];
}

/**
 * `prepare-join --turn FILE`, `prepare-force --turn FILE` and `seed --turn FILE`: waits for the turn before anything on the volume is looked at, so that the
 * pod can be started ahead of it. The file is an annotation of the pod, which the kubelet writes anew soon after it changed (downward API);
 * it stays, so that an agent that runs again in its pod does not wait again. Other command lines are left as they are.
 */
export async function awaitTurn(argv: readonly string[], {everyMs = 50, onLook}: {everyMs?: number; onLook?: () => void} = {}): Promise<string[]> {
  const at = argv.indexOf(flag);
  const path = argv[at + 1];
  if (!waiting.has(argv[0] ?? '') || at < 0 || path === undefined) return [...argv];
  const rest = withoutTurn(argv);
  for (;;) {
    onLook?.();
    const turn = turnIn(path, argv);
    if (turn !== undefined) return argv[0] === 'prepare-join' ? [...rest, '--member', turn] : rest;
    await delay(everyMs);
  }
}
