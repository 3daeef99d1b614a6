import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {act, blocked, together, wait} from '../../../src/decide/decision.ts';
import type {Decision} from '../../../src/decide/decision.ts';

const note = (name: string): Extract<Decision, {kind: 'record'}> => ({kind: 'record', why: `noting ${name}`, record: (draft) => { draft.heldPods = [...(draft.heldPods ?? []), name]; }});
const remove = (via: string): Decision => act(`by ${via}`, {type: 'RemoveProbeKey', via});

describe('what is decided for several members at once', () => {
  it('is stopped by the first that cannot go on, whatever the others would do', () => {
    assert.deepEqual(together([note('a'), remove('b'), blocked('PodRefused', 'c is refused')]), blocked('PodRefused', 'c is refused'));
  });

  it('is written down for all of them before anything is done', () => {
    const decision = together([remove('a'), note('b'), wait('c is going'), note('d')]);
    assert.ok(decision?.kind === 'record');
    const draft: QuorumRecoveryStatus = {};
    decision.record(draft);
    assert.deepEqual([draft.heldPods, decision.why], [['b', 'd'], 'noting b; noting d']);
  });

  it('is done for all of them before anything is waited for, each with its intent', () => {
    const decision = together([wait('a is going'), {...remove('b'), ...note('b'), kind: 'act', actions: [{type: 'RemoveProbeKey', via: 'b'}]}, remove('c')]);
    assert.ok(decision?.kind === 'act');
    const draft: QuorumRecoveryStatus = {};
    decision.record?.(draft);
    assert.deepEqual([decision.actions.map((action) => ('via' in action ? action.via : '')), draft.heldPods], [['b', 'c'], ['b']]);
    assert.ok(!('record' in (together([remove('a')]) ?? {})), 'no status is written where nothing is to be');
  });

  it('is nothing where nobody needs anything, and is waited for where that is all', () => {
    assert.equal(together([]), undefined);
    assert.deepEqual(together([wait('a is going')]), wait('a is going'));
  });
});
