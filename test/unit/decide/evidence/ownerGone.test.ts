import assert from 'node:assert/strict';
import {marks} from '../../../../src/api/types.ts';
import type {OfflineFacts, Run} from '../../../../src/api/types.ts';
import type {Decision} from '../../../../src/decide/decision.ts';
import {interrupted} from '../../../../src/decide/interrupt.ts';
import {highestRevision} from '../../../../src/decide/evidence/loss.ts';
import {nextStep} from '../../../../src/decide/next.ts';
import {restoreMove} from '../../../../src/decide/plans/restoreRevision.ts';
import {moveFor} from '../../../../src/decide/plans/revisions.ts';
import {isCommitted} from '../../../../src/decide/steps/committed.ts';
import type {NodeView, Observation, Place} from '../../../../src/observe/observation.ts';
import {clusterID, idOf, members, node, now, observationOf, ownPodOf, planOf, recordOf, running, runOf} from '../observations.ts';
import type {OrdinalOptions} from '../observations.ts';

const at = new Date(now).toISOString();
const mark = {[marks.run]: 'run-1'};
const database = {index: 95, term: 5, revision: 48, bytes: 20_480, file: 'db'};
const read: OfflineFacts = {pod: 'etcd-0', stage: 'Held', data: 'Present', memberID: idOf(0), clusterID, term: 5, index: 95, commit: 95, revision: 48, database, readAt: at, members: members(3)};
const snapshot = {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 20_480, clusterID, index: 95, logIndex: 95};
const identity = {clusterID, version: '3.5.21', source: 'disk', members: members(3).map(({id, name, peerURLs}) => ({id, name, peerURLs}))};
const gone: Place = {at: 'GoneNode', nodes: ['node-0']};
const held = (index: number, place: Place): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), place});
const newCluster = {attempt: 1, members: ['etcd-0'], clusterID: 'abc', seeded: [], move: {from: 48, target: 1_148, proven: true, why: ''}, begunAt: at};

interface Options {
  place?: Place;
  nodes?: NodeView[];
  step?: 'Restore' | 'StartAll';
  cluster?: Partial<NonNullable<Run['newCluster']>>;
  own?: OrdinalOptions['object'];
  more?: Partial<Observation>;
}

/** The database of etcd-0 is being restored, and data of it may have been set aside. */
function begun({place = gone, nodes = [], step = 'Restore', cluster = {}, own, more = {}}: Options = {}): Observation {
  const lost = (index: number): Place => ({at: 'GoneNode', nodes: [`node-${index}`]});
  const plan = planOf({strategy: 'RestoreSnapshot', candidates: ['etcd-0'], snapshot, hash: 'h'});
  const fenced = (index: number) => recordOf(index, {fenced: {by: 'KubeletConfirmed', podUID: `pod-uid-${index}`, at}});
  const steps = step === 'Restore' ? [{name: 'Restore', state: 'Running' as const}] : [{name: 'Restore', state: 'Done' as const}, {name: 'StartAll', state: 'Running' as const}];
  return observationOf({
    ordinals: [{...held(0, place), ...(own && {object: own})}, held(1, lost(1)), held(2, lost(2))], nodes,
    status: {members: [0, 1, 2].map(fenced), heldPods: ['etcd-0', 'etcd-1', 'etcd-2'], run: runOf({plan, identity, steps, offline: [read], newCluster: {...newCluster, ...cluster}})}, more,
  });
}

const decided = (observation: Observation): Decision => nextStep(observation)?.decision ?? assert.fail();
const told = (decision: Decision): string => ('reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind);

describe('The only volume of a new cluster that is lost before it served', () => {
  it('ends the run with everything let go, for another plan, where its node is proven gone', () => {
    for (const nodes of [[], [node('node-0', {outOfService: true, ready: false})]]) {
      const decision = decided(begun({nodes}));
      assert.equal(told(decision), 'abort PlanChanged');
      assert.match('message' in decision ? decision.message : '', /the database of etcd-0 was to be restored, and it is lost before the new cluster has served: its volume was on node node-0, which is gone\. No other disk was changed: every held pod is let go, and a new plan/);
      assert.equal(isCommitted(begun({nodes})), false);
    }
    const open = begun();
    delete open.status.run?.newCluster?.begunAt;
    assert.equal(told(decided(open)), 'abort PlanChanged', 'nothing was set aside yet');
  });

  it('lets a person end the run too, who deletes the resource or pauses it', () => {
    const observation = begun();
    observation.spec.paused = true;
    const ends = interrupted(observation);
    assert.ok(ends !== undefined && 'ends' in ends, JSON.stringify(ends));
    const reachable = begun({place: {at: 'Node', nodes: ['node-0']}, nodes: [node('node-0')]});
    reachable.spec.paused = true;
    assert.ok('goesOn' in (interrupted(reachable) ?? {}), 'while it may come the run is finished first');
  });

  const kept: [string, Options][] = [
    ['its node is only NotReady', {place: {at: 'NotReadyNode', nodes: ['node-0']}, nodes: [node('node-0', {ready: false})]}],
    ['its node has registered again', {nodes: [node('node-0', {uid: 'again'})]}],
    ['its machine is registered under another name', {nodes: [node('x', {machineID: 'machine-node-0'})]}],
    ['its claim is missing: the volume may be somewhere', {place: {at: 'Missing'}}],
    ['a helper may still run on it', {more: {helpers: [{metadata: {name: 'etcd-0-restore', annotations: {...mark, [marks.step]: 'Restore', [marks.pod]: 'etcd-0', [marks.attempt]: '1'}}, spec: {containers: [], nodeName: 'node-9'}, status: {phase: 'Running'}}]}, nodes: [node('node-9', {ready: false})]}],
  ];
  for (const [title, options] of kept) {
    it(`is waited for where ${title}`, () => {
      const decision = decided(begun(options));
      assert.equal(told(decision), 'blocked RestoreFailed');
      assert.match('message' in decision ? decision.message : '', /Bring its node back, .* If it is lost for good: delete its Node object .* then everything is let go, and a new plan is made/);
      assert.equal(isCommitted(begun(options)), true);
    });
  }

  it('moves what comes next past the revision that its clients may have seen, where its etcd may have run', () => {
    const own = ownPodOf(0, {uid: 'started-0', annotations: mark, statuses: [running]});
    const observation = begun({step: 'StartAll', cluster: {seeded: ['etcd-0']}, own});
    const first = decided(observation);
    assert.ok(first.kind === 'record', JSON.stringify(first));
    first.record(observation.status);
    assert.equal(observation.status.members?.find(({pod}) => pod === 'etcd-0')?.lostRevision, 1_148);
    assert.ok(restoreMove(observation, 40).target > 1_148 && moveFor(observation, 'etcd-1', 40).target > 1_148, 'a client sees a revision twice');
    assert.ok(highestRevision(observation.status) < 1_148, 'revisions that were only skipped are told as lost');
    assert.equal(told(decided(observation)), 'abort PlanChanged');
  });

  it('is no matter of a new cluster that has served: nothing is let go any more', () => {
    assert.equal(isCommitted(begun({step: 'StartAll', cluster: {seeded: ['etcd-0'], servedAt: at}})), true);
  });

  it('is no matter of a snapshot in a store: its claims are made anew', () => {
    const observation = begun();
    if (observation.status.run?.plan?.snapshot) delete observation.status.run.plan.snapshot.pod;
    assert.equal(isCommitted(observation), true);
  });
});
