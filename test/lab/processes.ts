import {readFileSync, readdirSync} from 'node:fs';
import {z} from 'zod';

/** A process that cannot be mistaken for a later one with the same ID. */
export const processIdentitySchema = z.object({
  pid: z.int().positive(),
  /** Clock ticks after boot: field 22 of /proc/PID/stat, see proc(5). */
  startTime: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** Undefined where there is no such process, or only its exit status is left. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command's name is in brackets and may hold anything, so count from the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return {pid, startTime};
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Processes of this machine by what they were started with; one that ends meanwhile is none. */
export function processesWhere(wanted: (pid: number, words: readonly string[]) => boolean): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return wanted(pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
    } catch {
      return false;
    }
  });
}

/** SIGKILL for exactly this process; nothing where it has ended. */
export function kill(identity: ProcessIdentity): void {
  if (isRunning(identity)) process.kill(identity.pid, 'SIGKILL');
}
