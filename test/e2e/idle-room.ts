import {cpus} from 'node:os';
import {setTimeout as delay} from 'node:timers/promises';
import type {Room} from './side-by-side.ts';

/** Time of all processors since the machine started, in any unit. */
export interface ProcessorTime {
  idle: number;
  total: number;
}

/** How long the processors are watched before another case begins beside the others, ms: as long as a case loads them at its beginning. */
const watchedMs = 12_000;
const muchIdle = 0.4;
const littleIdle = 0.12;

/**
 * Room for `width` cases, and for up to `more` beside them while the processors have nothing to do: most of a case is waiting, and how much of
 * it depends on what is broken.
 */
export function idleRoom(width: number, more: number, time = processorTime, wait: () => Promise<void> = () => delay(watchedMs, undefined, {ref: false})): Room {
  let extra = 0;
  return {
    width,
    next: async (taken) => {
      const before = time();
      await wait();
      const after = time();
      const idle = (after.idle - before.idle) / Math.max(after.total - before.total, 1);
      // What waits because it is too wide would not begin by that.
      if (idle > muchIdle && taken >= width + extra) extra = Math.min(extra + 1, more);
      else if (idle < littleIdle) extra = Math.max(extra - 1, 0);
      return width + extra;
    },
  };
}

function processorTime(): ProcessorTime {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (of: (one: (typeof times)[number]) => number): number => times.reduce((so, one) => so + of(one), 0);
  return {idle: sum(({idle}) => idle), total: sum(({idle, user, nice, sys, irq}) => idle + user + nice + sys + irq)};
}
