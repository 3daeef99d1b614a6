import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync} from 'node:fs';
import {dirname} from 'node:path';

/**
 * Runs `work` while this process holds the lock file; another process with the same lock waits. flock(1) holds it for as
 * long as its input is open, so that the kernel gives it up when this process ends, however it ends.
 * @param shared others that share it do not wait for one another, and whoever wants it alone waits for all of them
 */
export async function withLock<T>(file: string, work: () => Promise<T>, {shared = false} = {}): Promise<T> {
  mkdirSync(dirname(file), {recursive: true});
  const holder = spawn('flock', [shared ? '--shared' : '--exclusive', file, 'sh', '-c', 'echo locked; exec cat'], {stdio: ['pipe', 'pipe', 'inherit']});
  const ended = once(holder, 'exit');
  const locked = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!locked) throw new Error(`flock could not lock ${file}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
