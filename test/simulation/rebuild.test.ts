import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {Ending, When} from './simulation.ts';
import {endsWhateverFails} from './whatever-fails.ts';

/** Every node is lost with its disk, and what the cluster held stands in a ConfigMap too. */
const nothingLeft: Scenario = {...mainScenario, fates: ['Deleted', 'Deleted', 'Deleted'], spareNodes: 3, approvalMs: 2_000, rebuilds: true};

const run = async (kills: ReadonlyMap<number, When> = new Map(), scenario = nothingLeft): Promise<Ending> => await new Simulation({scenario, kills}).run();

describe('A cluster of which no data is left is rebuilt from what stands outside it', function () {
  this.timeout(60_000);

  it('on new claims of all members at once', async () => {
    const ending = await run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^started a new cluster on etcd-0, etcd-1, etcd-2 and loaded it from site/);
  });

  it('on the claims of members whose nodes are left, with what is damaged on them set aside, and on new ones', async () => {
    const ending = await run(new Map(), {...nothingLeft, fates: ['Corrupt', 'Deleted', 'Deleted']});
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^started a new cluster/);
  });

  it('where a member has no node, without it: it joins later', async () => {
    const ending = await run(new Map(), {...nothingLeft, spareNodes: 2});
    assert.equal(ending.outcome, 'Degraded', ending.message);
  });

  it('also a single member, and two', async () => {
    for (const fates of [['Deleted'], ['Deleted', 'Deleted']] as const) {
      const ending = await run(new Map(), {...nothingLeft, fates: [...fates]});
      assert.equal(ending.outcome, 'Recovered', ending.message);
    }
  });

  it('whose dependents come back afterwards, though somebody starts them again', async () => {
    const ending = await run(new Map(), {...nothingLeft, dependents: 'fought'});
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  it('not while a quorum of data is intact, and not where data is left that can be forced', async () => {
    const forced = await run(new Map(), {...nothingLeft, fates: ['Alive', 'Deleted', 'Deleted']});
    assert.equal(forced.outcome, 'Recovered', forced.message);
    assert.match(forced.message, /^recovered from etcd-0/);
  });

  endsWhateverFails(run, {oneOf: 3});
});
