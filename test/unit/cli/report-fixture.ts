import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {reportOf} from '../../../src/cli/report/model.ts';
import type {Report} from '../../../src/cli/report/model.ts';
import {at, begin, condition, planOf, resourceOf, runOf} from './fake.ts';

/** What a page must not take for its own markup. */
export const nasty = '<script>alert(1)</script> & "x" | `y`';

/** A run that is over, with everything that a report tells. */
export function resource(more: Partial<NonNullable<QuorumRecovery['status']>> = {}): QuorumRecovery {
  return resourceOf({
    phase: 'Complete', kept: [{run: 'run-1', pod: 'etcd-2', claimUID: 'c', until: at(604_800)}],
    dataLoss: {survivorRevision: 90, lastKnownRevision: 90, recoveredTailEntries: 2, discardedEntries: 0, witnessed: true},
    history: [
      {id: 'run-1', outcome: 'Recovered', finishedAt: at(30), durationSeconds: 30, unavailableSeconds: 18, strategy: 'ForceNewCluster', survivor: 'etcd-2'},
      {id: 'run-0', outcome: 'NotNeeded', finishedAt: at(-1000), durationSeconds: 2},
    ],
    members: [{pod: 'etcd-0', memberID: 'b0', role: 'Voter', health: 'Healthy', revision: 95, node: nasty, fenced: {by: 'NodeDeleted', at: at(1)}}],
    run: runOf({
      outcome: 'Recovered', finishedAt: at(30), writableAt: at(8), redundantAt: at(25), approved: {hash: planOf().hash, at: at(3)},
      force: {attempt: 1, pod: 'etcd-2-force', copy: '.quorumrecovery/run-1/copy'}, joins: [{pod: 'etcd-0', attempt: 1, replacedClaims: ['claim-0']}],
      steps: [
        {name: 'Plan', state: 'Done', startedAt: at(0), finishedAt: at(2), message: 'planned'}, {name: 'Approve', state: 'Done', startedAt: at(2), finishedAt: at(3), message: nasty},
        {name: 'Hold', state: 'Done', startedAt: at(3), finishedAt: at(5)}, {name: 'Verify', state: 'Done', startedAt: at(5), finishedAt: at(30)},
      ],
    }),
    conditions: [condition('Ready', 'True', 'Recovered', `recovered ${nasty}`), condition('DataLossPossible', 'False', 'NothingDropped', 'nothing was dropped')],
    ...more,
  }, {metadata: {
    annotations: {'quorumrecovery.io/approved-by': `ada of ops ${planOf().hash} ${at(3)}`},
    managedFields: [{manager: 'kubectl-patch', time: at(3) as unknown as Date, fieldsV1: {'f:spec': {'f:approvedPlan': {}}}}, {manager: 'kubectl-quorum_recovery', time: at(4) as unknown as Date, fieldsV1: {'f:spec': {'f:approvedPlan': {}, 'f:trigger': {'f:request': {}}}}}, {manager: 'operator', subresource: 'status', fieldsV1: {'f:spec': {'f:paused': {}}}}],
  }});
}

/** Its report, with events of this run and of another. */
export function reportFor(of: QuorumRecovery, id?: string): Report {
  const report = reportOf(of, [{at: at(4), reason: 'Held', note: 'names are held'}, {at: at(-500), reason: 'Old', note: 'of another run'}, {at: at(5), reason: 'HoldDone', note: 'said by the step'}], begin + 60_000, id);
  assert.ok(report);
  return report;
}
