import {readFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';

const flag = '--turn';
const memberID = /^[0-9a-f]{1,16}$/;

function memberIn(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return memberID.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `prepare-join --turn FILE`: waits until the file names the member ID that this volume joins as, and goes on as `--member ID`. The file is
 * an annotation of the pod, which the kubelet writes anew soon after it changed (downward API). Without `--turn` the arguments are as they were.
 */
export async function awaitTurn(argv: readonly string[], {everyMs = 50, onLook}: {everyMs?: number; onLook?: () => void} = {}): Promise<string[]> {
  const at = argv.indexOf(flag);
  const path = argv[at + 1];
  if (argv[0] !== 'prepare-join' || at < 0 || path === undefined) return [...argv];
  for (;;) {
    onLook?.();
    const member = memberIn(path);
    if (member !== undefined) return [...argv.slice(0, at), '--member', member, ...argv.slice(at + 2)];
    await delay(everyMs);
  }
}
