import {parentPort, workerData} from 'node:worker_threads';
import fc from 'fast-check';
import {check, schedule} from './property.ts';
import {clone} from './store.ts';

/** What a worker is asked for: its own seed, and how many schedules in how much time. */
export interface Order {
  seed: number;
  schedules: number;
  limitMs: number | undefined;
}

export interface Report {
  ran: number;
  outcomes: Record<string, number>;
  failure: string | undefined;
}

// A quarter of the time would go into it; what is copied here is JSON, dates and maps.
globalThis.structuredClone = clone;

async function work({seed, schedules, limitMs}: Order): Promise<Report> {
  const outcomes: Record<string, number> = {};
  let ran = 0;
  const property = fc.asyncProperty(schedule, async (made) => {
    ran += 1;
    const {outcome, blocked} = await check(made);
    const name = outcome ?? blocked ?? 'nothing';
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  });
  const details = await fc.check(property, {
    seed, numRuns: schedules, ...(limitMs !== undefined && {interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false}),
  });
  if (!details.failed) return {ran, outcomes, failure: undefined};
  const error = details.errorInstance as Error;
  return {ran, outcomes, failure: `${error.message}\nSCHEDULE='${JSON.stringify(details.counterexample?.[0])}'\n${error.stack ?? ''}`};
}

parentPort?.postMessage(await work(workerData as Order));
