import assert from 'node:assert/strict';
import {availableParallelism} from 'node:os';
import {Worker} from 'node:worker_threads';
import {check} from './property.ts';
import type {Schedule} from './property.ts';
import type {Order, Report} from './worker.ts';

/** `SCHEDULES=n`: exactly so many, however long it takes; else as many as fit in this time, ms. */
const limitMs = 40_000;
const asked = process.env['SCHEDULES'] === undefined ? undefined : Number(process.env['SCHEDULES']);
const seed = Number(process.env['SEED'] ?? Math.floor(Date.now() / 1000) % 1_000_000);

async function inWorker(order: Order): Promise<Report> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {workerData: order});
  return await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('random faults under random schedules', () => {
  it(`break no invariant, and end as they must (SEED=${seed})`, async function simulate() {
    this.timeout(0);
    const workers = Math.max(1, Math.min(availableParallelism(), 4));
    const share = Math.ceil((asked ?? 1_000_000) / workers);
    const orders = Array.from({length: workers}, (_, n): Order => ({seed: seed * 16 + n, schedules: share, limitMs: asked === undefined ? limitMs : undefined}));
    const reports = await Promise.all(orders.map(inWorker));
    const totals = new Map<string, number>();
    for (const {outcomes} of reports) for (const [name, count] of Object.entries(outcomes)) totals.set(name, (totals.get(name) ?? 0) + count);
    const ran = reports.reduce((sum, report) => sum + report.ran, 0);
    console.log(`      ${ran} schedules, SEED=${seed}: ${[...totals].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ')}`);
    const failures = reports.flatMap(({failure}) => failure ?? []);
    assert.ok(failures.length === 0, failures.join('\n\n'));
  });

  if (process.env['SCHEDULE'] !== undefined) {
    it('SCHEDULE alone', async function one() {
      this.timeout(0);
      console.log({...await check(JSON.parse(process.env['SCHEDULE'] ?? '') as Schedule, true), verbs: undefined});
    });
  }
});
