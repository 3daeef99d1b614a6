import {parentPort, workerData} from 'node:worker_threads';
import fc from 'fast-check';
import {check, schedule} from './property.ts';
import {clone} from './store.ts';

/** What a worker is asked for: its own seed, and how many schedules. */
export interface Order {
  seed: number;
  schedules: number;
}

export interface Report {
  ran: number;
  outcomes: Record<string, number>;
  failure: string | undefined;
}

// A quarter of the time would go into it; what is copied here is JSON, dates and maps.
globalThis.structuredClone = clone;
// Errors are part of the game here, and their stacks cost as much as what they tell of.
Error.stackTraceLimit = 2;

/** Shrinking ends after so many schedules: a shorter one is not worth any time. */
const shrinksAtMost = 400;

async function work({seed, schedules}: Order): Promise<Report> {
  const outcomes: Record<string, number> = {};
  let ran = 0;
  let failing: string | undefined;
  let shrinks = 0;
  const property = fc.asyncProperty(schedule, async (made) => {
    if (failing !== undefined && (shrinks += 1) > shrinksAtMost) return;
    ran += failing === undefined ? 1 : 0;
    try {
      const {outcome, blocked} = await check(made);
      const name = outcome ?? blocked ?? 'nothing';
      outcomes[name] = (outcomes[name] ?? 0) + 1;
    } catch (error) {
      failing = (error as Error).message;
      throw error;
    }
  });
  const details = await fc.check(property, {seed, numRuns: schedules});
  if (!details.failed) return {ran, outcomes, failure: undefined};
  const error = details.errorInstance as Error;
  return {ran, outcomes, failure: `${error.message}\nSCHEDULE='${JSON.stringify(details.counterexample?.[0])}'\n${error.stack ?? ''}`};
}

parentPort?.postMessage(await work(workerData as Order));
