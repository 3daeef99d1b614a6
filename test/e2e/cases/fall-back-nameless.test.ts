import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {damageLogStart, loseLog} from '../damage.ts';
import {approved, compared, killed, survivor} from '../falling-back.ts';
import {applyRecovery, askedPlan, conditionOf, recovery} from '../recovery.ts';

/** What becomes of the log, and what its agent says of it. */
const losses: [string, (wal: string) => void, RegExp][] = [
  ['damaged where it begins', damageLogStart, /nothing can be forced: its data cannot be read: \S+\.wal at offset 0: /],
  ['gone', loseLog, /nothing can be forced: its data cannot be read: there is a backend, but no WAL in /],
];

describe('The only member that is left has a log that does not say any more whose it is, and nobody saw the cluster before', () => {
  for (const [what, lose, why] of losses) {
    e2e(`the log is ${what}: its database's own list of members tells that, and the cluster goes on from that database after approval`, async (scenario) => {
      const {disk, before} = await killed(scenario, {}, lose);
      await applyRecovery(scenario);
      const plan = await askedPlan(scenario);
      const {offline = [], identity} = (await recovery(scenario)).status?.run ?? {};
      assert.deepEqual(offline.map(({pod, data, memberID, clusterID}) => [pod, data, memberID, clusterID]), [[survivor, 'Unreadable', undefined, undefined]], 'the log says whose it is');
      assert.equal(identity, undefined, 'somebody told of which cluster the disk is');
      const listed = offline[0]?.members?.find(({name}) => name === survivor)?.id;
      assert.ok(listed, 'the database lists no member of the pod');
      assert.deepEqual([plan.strategy, plan.candidates, plan.ranks.map(({pod, memberID}) => [pod, memberID])], ['RestoreSnapshot', [survivor], [[survivor, listed]]]);
      assert.deepEqual([plan.snapshot?.pod, plan.snapshot?.index, plan.snapshot?.logIndex, plan.snapshot?.revision], [survivor, disk.index, undefined, disk.revision]);
      assert.match(plan.why, why);
      assert.match(plan.expectedLoss, new RegExp(`its log cannot be read to its end, so that how much was written after entry ${disk.index} is not known`));
      const status = await approved(scenario);
      assert.equal(status.run?.force, undefined, 'something was forced');
      const begun = status.run?.newCluster;
      assert.deepEqual([begun?.members, status.dataLoss?.database], [[survivor], {pod: survivor, index: disk.index}]);
      assert.deepEqual([conditionOf(status, 'DataLossPossible')?.status, conditionOf(status, 'DataLossPossible')?.reason], ['True', 'RestoredFromSurvivor']);
      await compared(scenario, before, disk.revision);
    }, {minutes: 9, extended: true});
  }
});
