import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {When} from './simulation.ts';

const trace = process.env['TRACE'] !== undefined;

const scenarios: [title: string, scenario: Scenario][] = [
  ['the main scenario: three members, two nodes deleted', mainScenario],
  ['the node of one of three members deleted, while the others serve', {...mainScenario, fates: ['Deleted', 'Alive', 'Alive'], replaces: true}],
  ['two of five members gone, one with its node and one with its data', {...mainScenario, fates: ['Alive', 'Deleted', 'Alive', 'Corrupt', 'Alive'], replaces: true}],
];

for (const [title, scenario] of scenarios) describe(title, () => {
  const endingWith = async (kills: ReadonlyMap<number, When>) => await new Simulation({scenario, kills, trace}).run();

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
