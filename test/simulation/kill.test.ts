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

  for (const when of ['before', 'after', 'late'] as const) {
    it(`ends the same when the operator is killed once ${when === 'late' ? 'with its call still on the way' : when} any of its calls`, async function exhaustive() {
      this.timeout(60_000);
      const {verbs} = await endingWith(new Map());
      const failures: string[] = [];
      for (let at = Number(process.env['AT'] ?? 1); at < (process.env['AT'] ? Number(process.env['AT']) + 1 : verbs.length); at += 1) {
        try {
          const ending = await endingWith(new Map([[at, when]]));
          if (ending.outcome !== 'Recovered') failures.push(`killed ${when} call ${at} (${verbs[at] ?? ''}): ${ending.outcome ?? ending.blocked ?? ''} ${ending.message}`);
        } catch (error) {
          failures.push(`killed ${when} call ${at} (${verbs[at] ?? ''}): ${(error as Error).stack?.split('\n').slice(0, 3).join('\n') ?? ''}`);
        }
      }
      assert.deepEqual(failures, []);
    });
  }
});
