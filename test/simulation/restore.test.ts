import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {Ending, When} from './simulation.ts';
import {eachFailsOnce, endsWhateverFails} from './whatever-fails.ts';

/** Every node is lost with its disk, and a snapshot from before the last writes is in a store. */
const nothingLeft: Scenario = {...mainScenario, fates: ['Deleted', 'Deleted', 'Deleted'], spareNodes: 3, approvalMs: 2_000, restores: true};

const run = async (kills: ReadonlyMap<number, When> = new Map(), scenario = nothingLeft): Promise<Ending> => await new Simulation({scenario, kills}).run();

describe('A cluster of which no data is left is restored from a snapshot', function () {
  this.timeout(60_000);

  it('on new claims of all members at once', async () => {
    const ending = await run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^restored snapshot snapshot-1\.db on etcd-0, etcd-1, etcd-2/);
  });

  it('on the claims of members whose nodes are left, with what is damaged on them set aside, and on new ones', async () => {
    const ending = await run(new Map(), {...nothingLeft, fates: ['Corrupt', 'Deleted', 'Deleted']});
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^restored snapshot/);
  });

  it('also where nobody saw the cluster before: that its nodes are gone stays proven once the claims are new', async () => {
    const ending = await run(new Map(), {...nothingLeft, watched: false});
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  it('where a member has no node, without it: it joins later', async () => {
    const ending = await run(new Map(), {...nothingLeft, spareNodes: 2});
    assert.equal(ending.outcome, 'Degraded', ending.message);
  });

  it('where a volume that is left has no room for it, without that member', async () => {
    const ending = await new Simulation({scenario: {...nothingLeft, fates: ['Corrupt', 'Deleted', 'Deleted']}, kills: new Map(), acts: [[0, 'fill the disks']]}).run();
    assert.equal(ending.outcome, 'Degraded', ending.message);
    assert.match(ending.message, /^restored snapshot snapshot-1\.db on etcd-1, etcd-2 .*etcd-0 has no room for the data: prepare: NoSpace/);
  });

  it('though a member is lost for good before the new cluster serves: it is replaced through the quorum of the others', async () => {
    for (const once of ['seeded', 'started'] as const) {
      for (let seed = 1; seed <= 5; seed += 1) {
        const ending = await run(new Map(), {...nothingLeft, seed, spareNodes: 4, losesFirst: {count: 1, once}});
        assert.equal(ending.outcome, 'Recovered', `seed ${seed}, once ${once}: ${ending.blocked ?? ''} ${ending.message}`);
      }
    }
  });

  it('and where no quorum of the new cluster is left before it serves, it is said what to do', async () => {
    const ending = await run(new Map(), {...nothingLeft, spareNodes: 5, losesFirst: {count: 2, once: 'seeded'}});
    assert.equal(ending.blocked, 'NewClusterNotServing', ending.message);
    assert.match(ending.message, /etcd-1 \(.*\), etcd-2 \(.*\) of the new cluster went before it served, and of its 3 members 2 have to be there: etcd-0 cannot serve alone\. .*--cascade=orphan/);
  });

  it('also a single member, and two', async () => {
    for (const fates of [['Deleted'], ['Deleted', 'Deleted']] as const) {
      const ending = await run(new Map(), {...nothingLeft, fates: [...fates]});
      assert.equal(ending.outcome, 'Recovered', ending.message);
    }
  });

  it('not while a quorum of data is intact, and not where data is left that can be forced', async () => {
    const forced = await run(new Map(), {...nothingLeft, fates: ['Alive', 'Deleted', 'Deleted']});
    assert.equal(forced.outcome, 'Recovered', forced.message);
    assert.match(forced.message, /^recovered from etcd-0/);
  });

  it('and whatever call of the operator fails while such a member is replaced', async function exhaustive() {
    this.timeout(600_000);
    const scenario: Scenario = {...nothingLeft, spareNodes: 4, losesFirst: {count: 1, once: 'started'}};
    assert.deepEqual(await eachFailsOnce(async (kills) => await run(kills, scenario)), []);
  });

  endsWhateverFails(run);
});
