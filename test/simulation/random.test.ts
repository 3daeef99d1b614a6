import assert from 'node:assert/strict';
import {availableParallelism} from 'node:os';
import {Worker} from 'node:worker_threads';
import {check} from './property.ts';
import type {Schedule} from './property.ts';
import type {Order, Report} from './worker.ts';

/** How many schedules are tried: all of them, however long it takes. `SCHEDULES=n` asks for another number. */
const schedules = Number(process.env['SCHEDULES'] ?? 5000);
/** The same unless told otherwise, so that a test run judges the change and not the draw: `SEED=$RANDOM make simulate` looks for more. */
const seed = Number(process.env['SEED'] ?? 1);

async function inWorker(order: Order): Promise<Report> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {workerData: order});
  return await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => { reject(new Error(`a worker ended with ${code} and no report`)); });
  });
}

describe('random faults under random schedules', () => {
  it(`break no invariant, and end as they must (SCHEDULES=${schedules} SEED=${seed})`, async function simulate() {
    this.timeout(0);
    const begun = performance.now();
    const workers = Math.max(1, Math.min(availableParallelism(), 4, schedules));
    const orders = Array.from({length: workers}, (_, n): Order => ({seed: seed * 16 + n, schedules: Math.ceil((schedules - n) / workers)}));
    const reports = await Promise.all(orders.map(inWorker));
    const totals = new Map<string, number>();
    for (const {outcomes} of reports) for (const [name, count] of Object.entries(outcomes)) totals.set(name, (totals.get(name) ?? 0) + count);
    const ran = reports.reduce((sum, report) => sum + report.ran, 0);
    const seconds = (performance.now() - begun) / 1000;
    console.log(`      ${ran} schedules in ${seconds.toFixed(0)} s (${(ran / seconds).toFixed(0)}/s), SEED=${seed}: ${[...totals].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ')}`);
    const failures = reports.flatMap(({failure}) => failure ?? []);
    assert.ok(failures.length === 0, failures.join('\n\n'));
    assert.equal(ran, schedules, 'not every schedule was tried');
  });

  if (process.env['SCHEDULE'] !== undefined) {
    it('SCHEDULE alone', async function one() {
      this.timeout(0);
      console.log({...await check(JSON.parse(process.env['SCHEDULE'] ?? '') as Schedule, true), verbs: undefined});
    });
  }
});
