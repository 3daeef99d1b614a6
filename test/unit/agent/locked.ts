import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isLocked} from '../../../src/agent/locks.ts';

/** Locks on files, held by another process as an etcd would hold them. */

export interface Lock {
  release: () => void;
}

const shows = (path: string): boolean => isLocked(readFileSync('/proc/locks', 'utf8'), [statSync(path)]);

/** Both return when it is so, without giving up this thread: they may be called in the middle of a command. */
export function lock(path: string, milliseconds = 5_000): Lock {
  const child = spawn('flock', [path, 'sleep', '30'], {stdio: 'ignore', detached: true});
  const wait = (wanted: boolean): void => {
    for (const end = Date.now() + milliseconds; shows(path) !== wanted;) {
      if (Date.now() > end) {
        throw new Error(`the lock on ${path} does not ${wanted ? 'stand' : 'go'}`);
      }
    }
  };
  // flock and its sleep, which holds the lock too: the process group that was made for them.
  const kill = (): void => {
    if (child.pid !== undefined) {
      process.kill(-child.pid, 'SIGKILL');
    }
  };
  try {
    wait(true);
  } catch (error) {
    kill();
    throw error;
  }
  return {release: () => {
    kill();
    wait(false);
  }};
}

/** False where there is no flock command, and on file systems whose device numbers differ from those in /proc/locks (btrfs). */
export function canLock(): boolean {
  if (spawnSync('flock', ['--version']).status !== 0) {
    return false;
  }
  const directory = mkdtempSync(join(tmpdir(), 'agent-lock-'));
  try {
    writeFileSync(join(directory, 'file'), '');
    lock(join(directory, 'file'), 1_000).release();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, {recursive: true});
  }
}
