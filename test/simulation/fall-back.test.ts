import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {Ending, SimulationOptions, When} from './simulation.ts';

/** Two of three nodes are gone, and the etcd of the third is of a version that is not forced. */
const notForced: Scenario = {...mainScenario, version: '3.5.21', approvalMs: 2_000, tail: 3};

async function run(kills: ReadonlyMap<number, When> = new Map(), scenario = notForced, acts: SimulationOptions['acts'] = []): Promise<{ending: Ending; simulation: Simulation}> {
  const simulation = new Simulation({scenario, kills, acts});
  return {ending: await simulation.run(), simulation};
}

describe('What cannot be forced is restored from the survivor\'s own database', function () {
  this.timeout(60_000);

  it('where its version cannot: the others join, nothing was forced, and which entries of its log are lost is told', async () => {
    const {ending, simulation} = await run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^recovered from the database of etcd-2, as a new cluster,/);
    assert.equal(simulation.invariants.forces, 0);
    const {dataLoss, run: ended, conditions} = simulation.invariants.status;
    const {index = 0, logIndex = 0} = dataLoss?.database ?? {};
    assert.equal(logIndex - index, 3, 'the entries that nobody had told it are committed');
    assert.match(ended?.plan?.expectedLoss ?? '', new RegExp(`3 entries ${index + 1} to ${logIndex} of its log`));
    assert.deepEqual(conditions?.filter(({type}) => type === 'DataLossPossible').map(({status, reason}) => [status, reason]), [['True', 'RestoredFromSurvivor']]);
  });

  it('where its log ends with its database, with nothing lost', async () => {
    const {ending, simulation} = await run(new Map(), {...notForced, tail: 0});
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.deepEqual(simulation.invariants.status.conditions?.filter(({type}) => type === 'DataLossPossible').map(({status, reason}) => [status, reason]), [['False', 'NothingDropped']]);
  });

  it('where its log is damaged and its database is not, before any snapshot in a store', async () => {
    const {ending, simulation} = await run(new Map(), {...notForced, version: '3.6.16', fates: ['Log corrupt', 'Deleted', 'Deleted'], restores: true});
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^recovered from the database of etcd-0/);
    assert.match(simulation.invariants.status.run?.plan?.expectedLoss ?? '', /cannot be read to its end/);
  });

  for (const watched of [true, false]) {
    it(`where its log does not even say whose it is, ${watched ? 'and' : 'and nobody saw the cluster before,'} its database lists the members`, async () => {
      const {ending, simulation} = await run(new Map(), {...notForced, version: '3.6.16', fates: ['Log lost', 'Deleted', 'Deleted'], watched});
      assert.equal(ending.outcome, 'Recovered', ending.message);
      assert.equal(simulation.invariants.status.run?.plan?.snapshot?.pod, 'etcd-0');
    });
  }

  it('not where all of it is damaged, and not while a quorum of data is there', async () => {
    const damaged = await run(new Map(), {...notForced, version: '3.6.16', fates: ['Corrupt', 'Deleted', 'Deleted']});
    assert.equal(damaged.ending.blocked, 'NoSurvivor');
    const intact = await run(new Map(), {...notForced, fates: ['Log corrupt', 'Log corrupt', 'Deleted'], version: '3.6.16'});
    assert.equal(intact.ending.blocked, 'QuorumOfDataIntact', intact.ending.message);
  });

  it('once there is room for it: where there is none nothing is touched, and it is looked at again', async () => {
    const full = await run(new Map(), notForced, [[0, 'fill the disks']]);
    assert.equal(full.ending.blocked, 'RestoreFailed', full.ending.message);
    assert.match(full.ending.message, /etcd-2: there is no room to restore its own database in the place of a force: claim data-etcd-2 has 1 MB free, and 139 MB are needed/);
    assert.deepEqual([full.simulation.invariants.status.heldPods ?? [], full.ending.touched], [[], 0]);
    const roomy = await run(new Map(), notForced, [[0, 'fill the disks'], [60_000, 'make room']]);
    assert.equal(roomy.ending.outcome, 'Recovered', roomy.ending.message);
  });

  it('where the room goes while it runs: all is held until there is some again', async () => {
    const {ending} = await run(new Map(), notForced, [[6_000, 'fill the disks'], [90_000, 'make room']]);
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  it('as the only member where no node is left for the others, which join later', async () => {
    const {ending} = await run(new Map(), {...notForced, spareNodes: 0});
    assert.equal(ending.outcome, 'Degraded', ending.message);
  });

  it('from the best of two of five', async () => {
    const {ending} = await run(new Map(), {...notForced, fates: ['Deleted', 'Alive', 'Deleted', 'Log corrupt', 'Deleted'], spareNodes: 3});
    assert.equal(ending.outcome, 'Recovered', ending.message);
  });

  for (const once of ['seeded', 'started'] as const) {
    const goes = once === 'seeded' ? 'once its data is in place' : 'once its etcd has started';
    const losesFirst = {count: 1, once};

    it(`from another database, after another approval, where the volume of the first is lost for good ${goes}`, async () => {
      const {ending, simulation} = await run(new Map(), {...notForced, fates: ['Deleted', 'Alive', 'Deleted', 'Log corrupt', 'Deleted'], spareNodes: 4, losesFirst});
      assert.equal(ending.outcome, 'Recovered', ending.message);
      const {history = [], run: last} = simulation.invariants.status;
      const [, first] = history;
      assert.deepEqual([first?.outcome, first?.reason, last?.approved?.hash], ['Released', 'PlanChanged', last?.plan?.hash]);
      assert.deepEqual([first?.survivor, last?.plan?.snapshot?.pod].sort(), ['etcd-1', 'etcd-3']);
    });

    it(`or from a snapshot in a store, past what the lost one may have told, where no other is left ${goes}`, async () => {
      const {ending, simulation} = await run(new Map(), {...notForced, fates: ['Alive', 'Deleted', 'Deleted'], spareNodes: 3, restores: true, losesFirst});
      assert.equal(ending.outcome, 'Recovered', ending.message);
      const {history = [], run: last, dataLoss} = simulation.invariants.status;
      assert.deepEqual([history[1]?.reason, last?.plan?.snapshot?.pod, last?.plan?.snapshot?.name], ['PlanChanged', undefined, 'snapshot-1.db']);
      assert.ok((dataLoss?.revisions?.to ?? 0) > 1_100, 'the first one would have begun at a revision past 1,000');
      assert.ok((dataLoss?.lastKnownRevision ?? 0) < 1_000, 'what it would have skipped is told as lost');
    });

    it(`or from that snapshot where nobody saw the cluster before ${goes}`, async () => {
      const {ending} = await run(new Map(), {...notForced, fates: ['Alive', 'Deleted', 'Deleted'], spareNodes: 3, restores: true, watched: false, losesFirst});
      assert.equal(ending.outcome, 'Recovered', ending.message);
    });

    it(`or is said to have nothing to start from, with nothing held, where there is no store either ${goes}`, async () => {
      const {ending, simulation} = await run(new Map(), {...notForced, fates: ['Alive', 'Deleted', 'Deleted'], losesFirst});
      assert.equal(ending.blocked, 'NoSurvivor', ending.message);
      assert.deepEqual(simulation.invariants.status.heldPods ?? [], []);
    });
  }

  for (const when of ['before', 'after', 'late', 'refused', 'unheard', 'deposed'] as const) {
    it(`whatever call of the operator fails: ${when}`, async function exhaustive() {
      this.timeout(600_000);
      const {ending: {verbs}} = await run();
      const failures: string[] = [];
      for (let at = 1; at < verbs.length; at += 1) {
        try {
          const {ending} = await run(new Map([[at, when]]));
          if (ending.outcome !== 'Recovered') failures.push(`${when} at call ${at} (${verbs[at] ?? ''}): ${ending.outcome ?? ending.blocked ?? ''} ${ending.message}`);
        } catch (error) {
          failures.push(`${when} at call ${at} (${verbs[at] ?? ''}): ${(error as Error).stack?.split('\n').slice(0, 3).join('\n') ?? ''}`);
        }
      }
      assert.deepEqual(failures, []);
    });
  }
});
