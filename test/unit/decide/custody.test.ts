import assert from 'node:assert/strict';
import type {Run} from '../../../src/api/types.ts';
import {custody} from '../../../src/decide/custody.ts';
import {planOf, runOf} from '../cli/fake.ts';

const own = 'ops/a';
const touched = (operator?: string): Run => runOf({...(operator !== undefined && {operator})});
const planning = (operator: string): Run => ({id: 'run-1', attempt: 1, startedAt: '2026-01-01T00:00:00Z', steps: [], operator});

describe('who acts on a resource', () => {
  const whose = (run: Run | undefined, serves: boolean, othersLease: 'Held' | 'Free' = 'Held', ours: string | undefined = own) => custody({run, own: ours, serves, othersLease});

  it('is whoever serves it while no run is in flight, whoever carried the last one out', () => {
    assert.equal(whose(undefined, true), 'Ours');
    assert.equal(whose({...touched('ops/b'), finishedAt: '2026-01-01T00:00:00Z'}, true), 'Ours');
    assert.equal(whose(undefined, false), 'NotServed');
    assert.equal(whose({...touched(own), finishedAt: '2026-01-01T00:00:00Z'}, false), 'NotServed');
  });

  it('is who began the run, as long as the Lease of that one is held', () => {
    assert.equal(whose(touched(own), true), 'Ours');
    assert.equal(whose(touched('ops/b'), true, 'Held'), 'Theirs');
    assert.equal(whose(touched('ops/b'), true, 'Free'), 'Take');
  });

  it('is who began the run even where the labels have gone, once pods are stopped; before, it is let go', () => {
    assert.equal(whose(touched(own), false), 'Finish');
    assert.equal(whose(planning(own), false), 'LetGo');
    const waits = runOf({plan: planOf(), operator: own, steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]});
    assert.equal(whose(waits, false), 'LetGo');
  });

  it('is nobody who does not serve it, even where the one who began is gone', () => {
    assert.equal(whose(touched('ops/b'), false, 'Free'), 'NotServed');
    assert.equal(whose(touched(), false), 'NotServed');
  });

  it('is whoever serves it first where the run does not say, as one of an earlier version', () => {
    assert.equal(whose(touched(), true), 'Take');
  });

  it('lets an operator without a Lease act only where no other one does: nothing would tell of it', () => {
    const without = (run: Run, othersLease: 'Held' | 'Free') => custody({run, own: undefined, serves: true, othersLease});
    assert.equal(without(touched('ops/b'), 'Held'), 'Theirs');
    assert.equal(without(touched('ops/b'), 'Free'), 'Ours');
    assert.equal(without(touched(), 'Free'), 'Ours');
  });

  it('is never two of them: of any two that look at the same run while both hold their Leases, at most one acts', () => {
    for (const run of [touched('ops/a'), touched('ops/b'), planning('ops/a'), planning('ops/b')]) {
      for (const [servesA, servesB] of [[true, true], [true, false], [false, true], [false, false]] as const) {
        const acts = ['ops/a', 'ops/b'].filter((name, at) => ['Ours', 'Take', 'Finish'].includes(custody({run, own: name, serves: at === 0 ? servesA : servesB, othersLease: 'Held'})));
        assert.ok(acts.length <= 1, `${run.operator ?? ''}: ${acts.join(' and ')}`);
      }
    }
  });
});
