import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isUnified} from '../lab/cgroups.ts';

/** The files that say how much memory a cgroup's processes use themselves, and how much they may. */
function memoryFiles(pid: number): {statistics: string; used: RegExp; limit: string} {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const path = (controller: string): string => lines.find((line) => line.split(':')[1] === controller)?.split(':')[2] ?? '';
  if (isUnified()) {
    const directory = join('/sys/fs/cgroup', path(''));
    return {statistics: join(directory, 'memory.stat'), used: /^anon (\d+)/m, limit: join(directory, 'memory.max')};
  }
  const directory = join('/sys/fs/cgroup/memory', path('memory'));
  return {statistics: join(directory, 'memory.stat'), used: /^rss (\d+)/m, limit: join(directory, 'memory.limit_in_bytes')};
}

/** Takes the memory away that a process's container has not used yet: with its next few pages the kernel kills it. */
export function starve(pid: number): void {
  const {statistics, used, limit} = memoryFiles(pid);
  const own = Number(used.exec(readFileSync(statistics, 'utf8'))?.[1]);
  if (!(own > 0)) throw new Error(`${statistics} does not say what the processes use`);
  // The kernel refuses a limit below what it cannot take back.
  for (let more = 64 << 10; ; more *= 2) {
    try {
      writeFileSync(limit, String(own + more));
      return;
    } catch (error) {
      if (more > 16 << 20) throw error;
    }
  }
}
