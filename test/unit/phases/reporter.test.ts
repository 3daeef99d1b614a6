import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {EventRecorder} from '../../../src/operator/events.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {Reporter} from '../../../src/phases/reporter.ts';

const resource = (revisions?: NonNullable<NonNullable<QuorumRecovery['status']>['dataLoss']>['revisions']) =>
  ({metadata: {namespace: 'db', name: 'etcd'}, status: {dataLoss: {...(revisions && {revisions})}}} as QuorumRecovery);

describe('events after a status write', () => {
  const told = (before: QuorumRecovery, after: QuorumRecovery): string[] => {
    const events: string[] = [];
    const recorder = {record: ({type, reason, note}) => { events.push(`${type} ${reason}: ${note}`); }} as Pick<EventRecorder, 'record'>;
    new Reporter({} as never, recorder as EventRecorder, createMetrics('test')).written(before, after);
    return events;
  };
  it('tell once that revisions may repeat, and what to restart, where it is not proven that they do not', () => {
    const moved = (proven: boolean) => resource({from: 5, to: 1_005, proven, why: 'nobody watched'});
    assert.match(told(resource(), moved(false)).join('\n'), /^Warning RevisionsMayRepeat: the revision was moved from 5 to 1005 \(nobody watched\).*Restart clients/);
    assert.deepEqual(told(resource(), moved(true)), []);
    assert.deepEqual(told(moved(false), moved(false)), []);
  });
});
