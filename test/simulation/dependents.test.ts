import assert from 'node:assert/strict';
import {acts} from './people.ts';
import {check} from './property.ts';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {When} from './simulation.ts';

const around: Scenario = {...mainScenario, dependents: 'quiet'};
const whens: readonly When[] = ['before', 'after', 'refused', 'unheard', 'deposed'];

describe('what uses the etcd is stopped around the surgery', () => {
  it('and has back what it had when the operator is killed once around any of its calls, or one is refused or not heard of', async function exhaustive() {
    this.timeout(600_000);
    const whole = new Simulation({scenario: around, kills: new Map()});
    await whole.run();
    const failures: string[] = [];
    for (let at = 1; at < whole.verbs.length; at += 1) {
      const when = whens[at % whens.length] ?? 'after';
      const ending = await check({scenario: around, kills: [[at, when]]}).catch((error: unknown) => ({outcome: String(error)}));
      if (ending.outcome !== 'Recovered') failures.push(`${when} at call ${at} (${whole.verbs[at] ?? ''}): ${ending.outcome ?? ''}`);
    }
    assert.deepEqual(failures, []);
  });

  it('also where somebody starts it again, by the newest count that anybody asked for', async function fought() {
    this.timeout(600_000);
    for (let seed = 0; seed < 60; seed += 1) {
      const ending = await check({scenario: {...around, dependents: 'fought', seed}, kills: seed % 3 === 0 ? [] : [[seed * 2, whens[seed % whens.length] ?? 'after']]});
      assert.equal(ending.outcome, 'Recovered', `seed ${seed}: ${ending.message}`);
    }
  });

  it('and when the run is paused, its resource deleted, or anything else happens to it', async function interrupted() {
    this.timeout(600_000);
    for (let seed = 0; seed < 120; seed += 1) {
      const act = acts[seed % acts.length] ?? 'pause';
      const at = 500 * (seed % 40);
      await check({scenario: {...around, seed, dependents: seed % 2 === 0 ? 'quiet' : 'fought'}, kills: [], acts: [[at, act], [at + 20_000, 'resume'], [at + 25_000, 'make it again'], [at + 25_000, 'make room'], [at + 25_000, 'choose none']]});
    }
  });
});
