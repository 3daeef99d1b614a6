import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {When} from './simulation.ts';
import {endsWhateverFails} from './whatever-fails.ts';

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

  endsWhateverFails(endingWith);
});
