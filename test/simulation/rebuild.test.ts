import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {Ending, When} from './simulation.ts';
import {eachFailsOnce, endsWhateverFails} from './whatever-fails.ts';

/** Every node is lost with its disk, and what the cluster held stands in a ConfigMap too. */
const nothingLeft: Scenario = {...mainScenario, fates: ['Deleted', 'Deleted', 'Deleted'], spareNodes: 3, approvalMs: 2_000, rebuilds: true};

const run = async (kills: ReadonlyMap<number, When> = new Map(), scenario = nothingLeft): Promise<Ending> => await new Simulation({scenario, kills}).run();

/** Each call fails once, in one of the ways in turn. */
const failingWith = async (scenario: Scenario, offset: number): Promise<string[]> => await eachFailsOnce(async (kills) => await run(kills, scenario), offset);

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

  it('though a member is lost for good before the new cluster serves: it is replaced through the quorum of the others', async () => {
    for (const once of ['seeded', 'started'] as const) {
      for (let seed = 1; seed <= 5; seed += 1) {
        const ending = await run(new Map(), {...nothingLeft, seed, spareNodes: 4, losesFirst: {count: 1, once}});
        assert.equal(ending.outcome, 'Recovered', `seed ${seed}, once ${once}: ${ending.blocked ?? ''} ${ending.message}`);
      }
    }
  });

  const five: Scenario = {...nothingLeft, fates: ['Deleted', 'Deleted', 'Deleted', 'Deleted', 'Deleted'], spareNodes: 5};

  it('of five on three, which are loaded, and the others join them', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const simulation = new Simulation({scenario: {...five, seed}, kills: new Map()});
      const ending = await simulation.run();
      assert.equal(ending.outcome, 'Recovered', `seed ${seed}: ${ending.message}`);
      const {plan, newCluster, steps = []} = simulation.invariants.status.run ?? {};
      assert.deepEqual([plan?.first, newCluster?.members], [['etcd-0', 'etcd-1', 'etcd-2'], ['etcd-0', 'etcd-1', 'etcd-2']]);
      assert.deepEqual(steps.map(({name}) => name), ['Plan', 'Approve', 'Hold', 'Stop', 'StartEmpty', 'Load', 'Check', 'Join etcd-3', 'Join etcd-4', 'RestartProof', 'Verify', 'Release']);
    }
  });

  it('of five with one whose data is damaged and four nodes, on four: the one without a node joins later', async () => {
    const ending = await run(new Map(), {...five, fates: ['Deleted', 'Deleted', 'Corrupt', 'Deleted', 'Deleted'], spareNodes: 3});
    assert.equal(ending.outcome, 'Degraded', ending.message);
  });

  it('of five where no more than two have a node, on two', async () => {
    const ending = await run(new Map(), {...five, spareNodes: 2});
    assert.equal(ending.outcome, 'Degraded', ending.message);
  });

  it('of five whose dependents come back while the others join', async () => {
    const ending = await run(new Map(), {...five, dependents: 'fought'});
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  it('of five though one of the three that begin is lost before they serve', async () => {
    for (const once of ['seeded', 'started'] as const) {
      const ending = await run(new Map(), {...five, spareNodes: 6, losesFirst: {count: 1, once}});
      assert.equal(ending.outcome, 'Recovered', ending.message);
    }
  });

  it('of five whatever call of the operator fails', async function exhaustive() {
    this.timeout(600_000);
    assert.deepEqual(await failingWith(five, 1), []);
  });

  const dumped: Scenario = {...nothingLeft, dumps: true};

  it('also from a dump on a claim, which a pod of the run reads before the plan, loads and compares', async () => {
    const simulation = new Simulation({scenario: dumped, kills: new Map()});
    const ending = await simulation.run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    const {plan, rebuild} = simulation.invariants.status.run ?? {};
    assert.deepEqual(plan?.rebuild, [{name: 'site', from: 'ConfigMap site', keys: 2}, {name: 'queue', from: 'file all.json of claim dumps', keys: 3}]);
    assert.deepEqual(rebuild?.sources.map(({name, state, keys}) => [name, state, keys]), [['site', 'Loaded', 2], ['queue', 'Loaded', 3]]);
    assert.equal(rebuild.checks[0]?.compared?.length, 1);
  });

  it('from such a dump although its agent is ended in the middle of the load, and whatever call of the operator fails', async function exhaustive() {
    this.timeout(600_000);
    const simulation = new Simulation({scenario: dumped, kills: new Map(), acts: [[0, 'end the next agent']]});
    const ending = await simulation.run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.deepEqual(await failingWith(dumped, 2), []);
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

  it('whose dependents come back afterwards, though somebody starts them again', async () => {
    const ending = await run(new Map(), {...nothingLeft, dependents: 'fought'});
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  it('not while a quorum of data is intact, and not where data is left that can be forced', async () => {
    const forced = await run(new Map(), {...nothingLeft, fates: ['Alive', 'Deleted', 'Deleted']});
    assert.equal(forced.outcome, 'Recovered', forced.message);
    assert.match(forced.message, /^recovered from etcd-0/);
  });

  it('and whatever call of the operator fails while such a member is replaced', async function exhaustive() {
    this.timeout(600_000);
    assert.deepEqual(await failingWith({...nothingLeft, spareNodes: 4, losesFirst: {count: 1, once: 'started'}}, 0), []);
  });

  endsWhateverFails(run, {oneOf: 3});
});
