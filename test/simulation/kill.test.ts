import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {When} from './simulation.ts';

const trace = process.env['TRACE'] !== undefined;

async function endingWith(kills: ReadonlyMap<number, When>): Promise<Awaited<ReturnType<Simulation['run']>>> {
  return await new Simulation({scenario: mainScenario, kills, trace}).run();
}

describe('the main scenario: three members, two nodes deleted', () => {
  it('ends Recovered', async () => {
    const ending = await endingWith(new Map());
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  const troubles: Record<When, string> = {
    before: 'the operator is killed once before any of its calls', after: 'the operator is killed once after any of its calls',
    late: 'the operator is killed once with any of its calls still on the way', refused: 'any one of its calls is refused',
    unheard: 'the answer to any one of its calls is lost', deposed: 'it stands still in any of its calls and goes on beside another one that leads',
  };
  for (const [when, trouble] of Object.entries(troubles) as [When, string][]) {
    it(`ends the same when ${trouble}`, async function exhaustive() {
      this.timeout(600_000);
      const {verbs} = await endingWith(new Map());
      const failures: string[] = [];
      for (let at = Number(process.env['AT'] ?? 1); at < (process.env['AT'] ? Number(process.env['AT']) + 1 : verbs.length); at += 1) {
        try {
          const ending = await endingWith(new Map([[at, when]]));
          if (ending.outcome !== 'Recovered') failures.push(`${when} at call ${at} (${verbs[at] ?? ''}): ${ending.outcome ?? ending.blocked ?? ''} ${ending.message}`);
        } catch (error) {
          failures.push(`${when} at call ${at} (${verbs[at] ?? ''}): ${(error as Error).stack?.split('\n').slice(0, 3).join('\n') ?? ''}`);
        }
      }
      assert.deepEqual(failures, []);
    });
  }
});
