import assert from 'node:assert/strict';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {When} from './simulation.ts';
import {endsWhateverFails} from './whatever-fails.ts';

/** Pods are made in order and Ready only in a quorum: once all of them are deleted, Kubernetes brings the first one back and no other. */
const deadlock: Scenario = {...mainScenario, fates: ['Pod deleted', 'Pod deleted', 'Pod deleted'], ordered: true, restarts: 'Auto'};

const run = async (kills: ReadonlyMap<number, When> = new Map(), scenario = deadlock) => await new Simulation({scenario, kills, trace: process.env['TRACE'] !== undefined}).run();

describe('pods that are made in order, each Ready only in a quorum, are all deleted', () => {
  it('they come up again, on their own disks', async () => {
    const ending = await run();
    assert.equal(ending.outcome, 'Recovered', ending.message);
    assert.match(ending.message, /^brought etcd-1, etcd-2 up again/);
  });

  it('also where it is asked for by name', async () => {
    assert.equal((await run(new Map(), {...deadlock, restarts: 'Restart'})).outcome, 'Recovered');
  });

  it('not where nobody saw their processes end', async () => {
    const {blocked, message} = await run(new Map(), {...deadlock, watched: false});
    assert.equal(blocked, 'QuorumOfDataIntact');
    assert.match(message, /not proven to have ended/);
  });

  // A process whose end was told while nobody listened is proven by nobody.
  endsWhateverFails(run, {allows: ({blocked, message}) => blocked === 'QuorumOfDataIntact' && /not proven to have ended/.test(message)});
});
