import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import type {Lab} from '../lab/lab.ts';

/** What the meter is told, on its standard input. */
export interface MeterOptions {
  /** For a process with the lab's network. */
  kubeconfig: string;
  namespace: string;
  /** The StatefulSet. */
  set: string;
  /** Pods that the first write may go through: the one that is left, or all. */
  through: string[];
  /** UIDs of the set's pods before the recovery: none of them counts. */
  oldUIDs: string[];
}

/** Milliseconds since the epoch. */
export interface Measured {
  /** A new pod of those accepted a write. */
  writableAt: number;
  /** Every pod of the StatefulSet was a voter's, with equal HashKV at the revision of a new write. */
  redundantAt: number;
}

export interface Meter {
  writable: Promise<number>;
  redundant: Promise<number>;
  end(): void;
}

/** Starts the client that measures a recovery: the same one whoever recovers. Promises reject when it ends early. */
export function startMeter(lab: Lab, options: Omit<MeterOptions, 'kubeconfig'>): Meter {
  const [program = '', ...args] = lab.command([process.execPath, join(import.meta.dirname, 'meter.ts')]);
  const child = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit']});
  const writable = Promise.withResolvers<number>();
  const redundant = Promise.withResolvers<number>();
  createInterface({input: child.stdout}).on('line', (line) => {
    const seen = JSON.parse(line) as Partial<Measured>;
    if (seen.writableAt !== undefined) writable.resolve(seen.writableAt);
    if (seen.redundantAt !== undefined) redundant.resolve(seen.redundantAt);
  });
  child.on('close', () => {
    const error = new Error('the meter ended before it saw the recovery');
    writable.reject(error);
    redundant.reject(error);
  });
  // Whoever waits for the one may never ask for the other.
  for (const {promise} of [writable, redundant]) promise.catch(() => undefined);
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify({kubeconfig: lab.insideKubeconfig, ...options}));
  return {writable: writable.promise, redundant: redundant.promise, end: () => { child.kill(); }};
}

/** Of milliseconds since the epoch; to a hundredth. */
export const secondsBetween = (begin: number, end: number): number => Math.round((end - begin) / 10) / 100;

/** Times of what `act` does, in seconds from its begin. */
export async function measured(lab: Lab, options: Omit<MeterOptions, 'kubeconfig'>, act: () => Promise<void>): Promise<{writableSeconds: number; redundantSeconds: number}> {
  const meter = startMeter(lab, options);
  try {
    const startedAt = Date.now();
    await act();
    return {writableSeconds: secondsBetween(startedAt, await meter.writable), redundantSeconds: secondsBetween(startedAt, await meter.redundant)};
  } finally {
    meter.end();
  }
}
