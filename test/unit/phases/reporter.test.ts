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
  it('tell once from whom to whom leadership was moved, or why it was not', () => {
    const asked = {from: 'etcd-0', to: 'etcd-1', askedAt: '2026-01-01T00:00:00Z'};
    const moving = (more: object = {}): QuorumRecovery => ({metadata: {namespace: 'db', name: 'etcd'}, status: {leadership: {move: {...asked, ...more}}}} as QuorumRecovery);
    const moved = moving({movedAt: '2026-01-01T00:00:01Z'});
    assert.deepEqual(told(moving(), moved), ['Normal LeaderMoved: leadership went from etcd-0 to etcd-1 (spec.preferredLeader)']);
    assert.deepEqual([told(resource(), moving()), told(moved, {...moved})], [[], []]);
    assert.deepEqual(told(moving(), moving({failed: 'it took too long'})), ['Warning LeaderNotMoved: it took too long']);
  });
  it('tell once of what is found in a cluster that serves, but not of a member that does not answer', () => {
    const found = (...findings: object[]): QuorumRecovery => ({metadata: {namespace: 'db', name: 'etcd'}, status: {findings}} as unknown as QuorumRecovery);
    const behind = found({case: 'MemberBehind', pod: 'etcd-1', message: 'it is 9000 behind'});
    assert.deepEqual(told(resource(), behind), ['Warning MemberBehind: it is 9000 behind']);
    assert.deepEqual(told(behind, found({case: 'MemberBehind', pod: 'etcd-1', message: 'it is 8000 behind'})), []);
    const away = found({case: 'MemberNotAnswering', pod: 'etcd-1', message: ''});
    assert.deepEqual([told(resource(), away), told(away, behind)], [[], []]);
  });
  it('tell once that revisions may repeat, and what to restart, where it is not proven that they do not', () => {
    const moved = (proven: boolean) => resource({from: 5, to: 1_005, proven, why: 'nobody watched'});
    assert.match(told(resource(), moved(false)).join('\n'), /^Warning RevisionsMayRepeat: the revision was moved from 5 to 1005 \(nobody watched\).*Restart clients/);
    assert.deepEqual(told(resource(), moved(true)), []);
    assert.deepEqual(told(moved(false), moved(false)), []);
  });

  it('tell of what was stopped around the surgery: who started it again, that it is back, and whether it is Ready', () => {
    const at = '2026-01-01T00:00:00.000Z';
    const stopped = {kind: 'Deployment' as const, name: 'api', uid: 'u', replicas: 3, state: 'Stopped' as const, stoppedAt: at};
    const during = (more: object) => ({metadata: {namespace: 'db', name: 'etcd'}, status: {run: {id: 'run-1', attempt: 1, startedAt: at, steps: [], dependents: [{...stopped, ...more}]}}} as unknown as QuorumRecovery);
    assert.deepEqual(told(during({}), during({state: 'Stopping', startedAgain: 1, startedBy: 'argocd-controller'})), [
      'Warning DependentStarted: Deployment api (3 replicas) was started by argocd-controller before the survivor was verified: it is stopped again, and brought back when its turn comes',
    ]);
    const back = during({state: 'Returned', returnedAt: at});
    assert.deepEqual(told(during({state: 'Returning'}), back), ['Normal DependentReturned: Deployment api (3 replicas) has back what it had']);
    assert.deepEqual(told(back, during({state: 'Returned', readyAt: at})), ['Normal DependentReady: Deployment api (3 replicas) is Ready']);
    assert.deepEqual(told(back, during({state: 'Returned', message: 'not Ready 10m after its return'})), ['Warning DependentNotReady: Deployment api (3 replicas): not Ready 10m after its return']);
    assert.deepEqual(told(back, back), []);
  });
});
