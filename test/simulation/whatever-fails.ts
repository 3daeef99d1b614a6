import assert from 'node:assert/strict';
import type {Ending, When} from './simulation.ts';

const troubles: Record<When, string> = {
  before: 'the operator is killed once before any of its calls', after: 'the operator is killed once after any of its calls',
  late: 'the operator is killed once with any of its calls still on the way', refused: 'any one of its calls is refused',
  unheard: 'the answer to any one of its calls is lost', deposed: 'it stands still in any of its calls and goes on beside another one that leads',
};

export interface WhateverFails {
  /** Only one call of so many, another one for each trouble: where a run has many calls. */
  oneOf?: number;
  /** Another end than Recovered that is right too. */
  allows?: (ending: Ending) => boolean;
}

type Run = (kills: ReadonlyMap<number, When>) => Promise<Ending>;

/** What did not end Recovered with this trouble in this call. */
async function failureAt(run: Run, at: number, verb: string, when: When, allows: (ending: Ending) => boolean): Promise<string[]> {
  try {
    const ending = await run(new Map([[at, when]]));
    return ending.outcome === 'Recovered' || allows(ending) ? [] : [`${when} at call ${at} (${verb}): ${ending.outcome ?? ending.blocked ?? ''} ${ending.message}`];
  } catch (error) {
    return [`${when} at call ${at} (${verb}): ${(error as Error).stack?.split('\n').slice(0, 3).join('\n') ?? ''}`];
  }
}

/** Each call of the operator has one trouble, one kind after the other, from that kind on. @returns what did not end Recovered */
export async function eachFailsOnce(run: Run, offset = 0): Promise<string[]> {
  const {verbs} = await run(new Map());
  const whens = Object.keys(troubles) as When[];
  const failures: string[] = [];
  for (let at = 1; at < verbs.length; at += 1) failures.push(...await failureAt(run, at, verbs[at] ?? '', whens[(at + offset) % whens.length] ?? 'late', () => false));
  return failures;
}

/** Defines a test for each trouble: whatever call of the operator has it, the run ends Recovered. AT=n: the call n alone. */
export function endsWhateverFails(run: Run, {oneOf = 1, allows = () => false}: WhateverFails = {}): void {
  for (const [index, [when, trouble]] of (Object.entries(troubles) as [When, string][]).entries()) {
    it(`ends the same when ${trouble}${oneOf === 1 ? '' : ` (1 of ${oneOf})`}`, async function exhaustive() {
      this.timeout(600_000);
      const only = process.env['AT'];
      const {verbs} = await run(new Map());
      const failures: string[] = [];
      for (let at = Number(only ?? 1 + (index % oneOf)); at < (only === undefined ? verbs.length : Number(only) + 1); at += oneOf) {
        failures.push(...await failureAt(run, at, verbs[at] ?? '', when, allows));
      }
      assert.deepEqual(failures, []);
    });
  }
}
