import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {summarize} from '../../src/decide/summary.ts';
import {now, observationOf} from '../unit/decide/observations.ts';
import {at, lost, planned, recorded} from './fixtures.ts';

const notProven = /not proven that no client saw a later one.*Restart clients that cache by revision/;

/** The revision is not moved forward in this version: what can be asked of it is that it says so, before and after. */
describe('14. No watcher sees a revision twice with different content, where a witness or minRevision says how far they had seen; elsewhere it is reported as not proven', () => {
  it('every plan of a force reports it as not proven', () => {
    const options = lost();
    const notes = recorded(plan(observationOf(options)), options.status ?? {}).run?.plan?.notes ?? [];
    assert.ok(notes.some((note) => notProven.test(note)), notes.join('\n'));
  });

  const losses: [string, QuorumRecoveryStatus['dataLoss']][] = [
    ['LongerLogElsewhere', {longerLogs: ['the log of etcd-1 ends later']}], ['EntriesDiscarded', {discardedEntries: 1}],
    ['BehindWitness', {survivorRevision: 50, lastKnownRevision: 60, witnessed: true}], ['NoWitness', {witnessed: false}],
    ['NothingDropped', {survivorRevision: 60, lastKnownRevision: 60, witnessed: true}],
  ];
  for (const [reason, dataLoss] of losses) {
    it(`a result of ${reason} reports it as not proven`, () => {
      const draft: QuorumRecoveryStatus = {run: planned({force: {attempt: 1, pod: 'f', podUID: 'f', endedAt: at}}), ...(dataLoss && {dataLoss})};
      summarize(draft, {at: 'watching'}, 1, now);
      const condition = draft.conditions?.find(({type}) => type === 'DataLossPossible');
      assert.equal(condition?.reason, reason);
      assert.match(condition.message, notProven);
    });
  }
});
