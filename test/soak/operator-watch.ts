import {readFileSync, readdirSync, readlinkSync} from 'node:fs';
import {processesOf} from '../e2e/faults.ts';
import {scraped} from '../e2e/metrics.ts';
import {leader} from '../e2e/operator.ts';
import type {Scenario} from '../e2e/scenario.ts';

/** What the leading operator held while every cluster was well. */
export interface Held {
  /** The pod and the start of its process, seconds since the epoch: another process begins anew. */
  process: string;
  /** How many steps of the soak were over. */
  step: number;
  /** How many recoveries were over. */
  recoveries: number;
  /** Pods of the clusters that had been made since the soak began: what a leak for each of them would grow with. */
  pods: number;
  rssMiB: number;
  /** What of JavaScript's heap is used, collected or not. */
  heapMiB: number;
  /** File descriptors that are sockets, as the kernel counts them. */
  sockets: number;
  /** Timers that Node would wait for. */
  timers: number;
  /** Open watches for a lost leader. */
  watches: number;
}

/** What is compared. */
type Quantity = 'sockets' | 'timers' | 'watches' | 'heapMiB' | 'rssMiB';

const inMiB = (bytes: number): number => Math.round(bytes / 2 ** 20 * 10) / 10;

/** The value of the first series with that name and these labels; 0: there is none. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.split(' ')[1] ?? 0);
}

function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Looks at the leader's process from outside, and at what it says of itself. */
export async function look(scenario: Scenario, sofar: Pick<Held, 'step' | 'recoveries' | 'pods'>): Promise<Held> {
  const pod = await leader(scenario);
  const text = await scraped(scenario);
  const [pid] = processesOf(pod, 'main.js');
  if (pid === undefined) throw new Error(`no process of the operator runs in ${pod.metadata?.name ?? ''}`);
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    process: `${pod.metadata?.name ?? ''} ${valueOf(text, 'process_start_time_seconds')}`, ...sofar,
    rssMiB: inMiB(Number(rss) * 1024), heapMiB: inMiB(valueOf(text, 'nodejs_heap_size_used_bytes')), sockets: socketsOf(pid),
    timers: valueOf(text, 'nodejs_active_resources{type="Timeout"}'), watches: valueOf(text, 'quorumrecovery_leader_watches'),
  };
}

export interface Growth {
  what: string;
  early: number;
  late: number;
  most: number;
}

/** How many looks at the begin and at the end are compared: the lowest of each, so that what was just under way counts for nothing. */
export const looks = 3;

/**
 * What one process held early and late. A socket, timer or watch that stays for every pod that is made anew would have grown by `pods`: a
 * quarter of that is too much. Memory moves with what V8 has not collected yet, so it has a quarter and 16 MiB of room; what is left of one
 * observation in each reconcile is beyond that within minutes. It counts from the process's first recovery on, which brings in code and memory
 * that stay. Undefined: no process has led long enough after one to tell.
 */
export function growth(held: readonly Held[]): {grown: Growth[]; pods: number; steps: number; process: string} | undefined {
  const last = held.at(-1);
  const own = held.filter(({process}) => process === last?.process);
  const same = own.filter(({recoveries}) => recoveries > (own[0]?.recoveries ?? 0));
  const [first] = same;
  if (last === undefined || first === undefined || same.length < 2 * looks) return undefined;
  const pods = last.pods - first.pods;
  const lowest = (of: readonly Held[], what: Quantity): number => Math.min(...of.map((one) => one[what]));
  const between = (what: Quantity, room: (early: number) => number): Growth => {
    const early = lowest(same.slice(0, looks), what);
    return {what, early, late: lowest(same.slice(-looks), what), most: early + room(early)};
  };
  const some = (): number => Math.max(2, Math.floor(pods / 4));
  const memory = (early: number): number => Math.round(early / 4 + 16);
  return {
    grown: [between('sockets', some), between('timers', some), between('watches', some), between('heapMiB', memory), between('rssMiB', memory)],
    pods, steps: last.step - first.step, process: last.process,
  };
}
