import {diagnose} from './diagnose.ts';
import {environment} from './environment.ts';
import {Scenario} from './scenario.ts';

export interface CaseOptions {
  /** The case ends nodes or processes: only where there is a lab. */
  needsLab?: boolean;
  /** Minutes; default 6. */
  minutes?: number;
}

let next = 0;

/** A case of the end-to-end suite: a sentence, and what has to happen in a namespace of its own. What it made is taken away at its end. */
export function e2e(title: string, act: (scenario: Scenario) => Promise<void>, options: CaseOptions = {}): void {
  const {needsLab = true, minutes = 6} = options;
  it(title, async function () {
    this.timeout(minutes * 60_000);
    const around = environment();
    if (needsLab && around.lab === undefined) {
      console.log(`      skipped: needs the lab, because it ends nodes or processes`);
      this.skip();
    }
    next += 1;
    const namespace = `${process.env['E2E_CASE'] ?? 'case'}-${next}-${process.pid % 10_000}`;
    const scenario = new Scenario(around, namespace);
    try {
      await scenario.begin();
      await act(scenario);
    } catch (error) {
      await diagnose(scenario, title, error).catch((problem: unknown) => { console.log('the diagnosis failed:', problem); });
      if (process.env['KEEP'] === '1') throw error;
      await scenario.end().catch(() => undefined);
      throw error;
    }
    await scenario.end();
  });
}
