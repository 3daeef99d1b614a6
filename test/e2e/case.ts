import {appendFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {diagnose} from './diagnose.ts';
import {environment} from './environment.ts';
import {installOwnOperator, removeOwnOperator} from './own-operator.ts';
import {Scenario} from './scenario.ts';

export interface CaseOptions {
  /** The case ends nodes or processes: only where there is a lab. */
  needsLab?: boolean;
  /** Minutes; default 6. Those with more begin first. */
  minutes?: number;
  /** The case kills the operator: it gets one of its own, which serves its namespaces alone. */
  ownOperator?: boolean;
  /** No operator serves the case's namespace. */
  unserved?: boolean;
  /** As how many ordinary cases it loads the machine: about one for each cluster, and one for operators of its own. Those with more begin first. */
  weight?: number;
  /** Only in `make test-all`: others show the same capability, and this one shows it from another side. */
  extended?: boolean;
}

/** What `make e2e` has to know of a case to find its place. */
export interface ListedCase {
  file: string;
  title: string;
  minutes: number;
  ownOperator: boolean;
  unserved: boolean;
  weight: number;
  extended: boolean;
}

/** The weight of a case that does something that everybody would feel: no other runs beside it. */
export const alone = 1_000;

let next = 0;

/** The name that `make e2e` gave; for a file that is run by hand, one that no earlier run had. */
function namespaceOf(): string {
  next += 1;
  return process.env['E2E_NAMESPACE'] ?? `case-${next}-${process.pid}`;
}

const tooLong = async (minutes: number): Promise<never> => {
  await delay(minutes * 60_000, undefined, {ref: false});
  throw new Error(`it was not over after ${minutes} minutes`);
};

/** A case of the end-to-end suite: a sentence, and what has to happen in a namespace of its own. What it made is taken away at its end. */
export function e2e(title: string, act: (scenario: Scenario) => Promise<void>, options: CaseOptions = {}): void {
  const {needsLab = true, minutes = 6, ownOperator = false, unserved = false, weight = ownOperator ? 2 : 1, extended = false} = options;
  const test = it(title, async function () {
    // Its own end comes first: mocha's would leave it without a diagnosis, and what it made where it is.
    this.timeout((minutes + 2) * 60_000);
    const around = environment();
    if (needsLab && around.lab === undefined) {
      console.log(`      skipped: needs the lab, because it ends nodes or processes`);
      this.skip();
    }
    const namespace = namespaceOf();
    const operatorNamespace = ownOperator ? `${namespace}-operator` : around.operatorNamespace;
    const scenario = new Scenario({...around, operatorNamespace}, namespace);
    try {
      await Promise.all([scenario.begin(), ownOperator && installOwnOperator(scenario)]);
      await Promise.race([act(scenario), tooLong(minutes)]);
    } catch (error) {
      await diagnose(scenario, title, error).catch((problem: unknown) => { console.log('the diagnosis failed:', problem); });
      if (process.env['KEEP'] === '1') throw error;
      await scenario.end().catch(() => undefined);
      // One that is left would count as an operator for cases that ask whether any runs.
      if (ownOperator) await removeOwnOperator(scenario).catch(() => undefined);
      throw error;
    }
    await scenario.end();
    if (ownOperator) await removeOwnOperator(scenario);
  });
  const list = process.env['E2E_LIST'];
  if (list !== undefined) appendFileSync(list, `${JSON.stringify({file: test.file ?? '', title: test.fullTitle(), minutes, ownOperator, unserved, weight, extended} satisfies ListedCase)}\n`);
}
