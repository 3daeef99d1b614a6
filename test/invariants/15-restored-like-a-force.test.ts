import assert from 'node:assert/strict';
import type {Run} from '../../src/api/types.ts';
import {newClusterID} from '../../src/decide/newCluster.ts';
import {needsApproval} from '../../src/decide/interrupt.ts';
import {isCommitted} from '../../src/decide/steps/committed.ts';
import {guardNewCluster, leaveOut} from '../../src/decide/steps/newCluster.ts';
import {restoreClaims} from '../../src/decide/steps/restoreClaims.ts';
import type {Observation} from '../../src/observe/observation.ts';
import {idOf, node, observationOf, planOf, recordOf} from '../unit/decide/observations.ts';
import type {Simulated} from './fixtures.ts';
import {at, heldHere, identity, names, ofKubelet, planned, simulated, told} from './fixtures.ts';

/** The strategies that start a new cluster on all claims keep what a force keeps: what invariants 3, 4, 5, 7, 9, 10, 11 and 14 say of them. */

const members = [...names];
const clusterID = newClusterID({id: 'run-1'}, observationOf().ordinals);
const restoring = (more: Partial<NonNullable<Run['newCluster']>> = {}, run: Partial<Run> = {}): Run => planned({
  identity, offline: names.map((pod) => ({pod, stage: 'Planning' as const, data: 'Empty' as const})), plan: planOf({strategy: 'RestoreSnapshot', candidates: []}),
  steps: [{name: 'Restore', state: 'Running'}, {name: 'StartAll', state: 'Pending'}, {name: 'Verify', state: 'Pending'}],
  newCluster: {attempt: 1, members, clusterID, seeded: [], move: {from: 1, target: 2, proven: true, why: ''}, ...more}, ...run,
});
const moment = (run: Run, fenced: number[] = [0, 1, 2]): Observation => observationOf({
  ordinals: [0, 1, 2].map(heldHere), nodes: [0, 1, 2].map((index) => node(`node-${index}`)),
  status: {members: [0, 1, 2].map((index) => recordOf(index, fenced.includes(index) ? {fenced: ofKubelet(index)} : {})), run, heldPods: [...names]},
});
const everything = {fates: ['Deleted', 'Deleted', 'Deleted'] as const, spareNodes: 3, approvalMs: 0, restores: true};
const restored = async (...args: [...Parameters<typeof simulated>]): Promise<Simulated> => await simulated({...everything, fates: [...everything.fates], ...args[0]}, ...args.slice(1) as []);

describe('What is restored keeps every promise of a force', () => {
  it('3. the fencing rule is asked before anything is changed', () => {
    assert.equal(guardNewCluster(moment(restoring())), undefined);
    assert.equal(told(guardNewCluster(moment(restoring(), [0]))), 'blocked FencingUnproven');
  });

  it('4. a quorum of data that comes back ends the run, as long as nothing was set aside', () => {
    const offline = [0, 1].map((index) => ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Present' as const, memberID: idOf(index)}));
    assert.equal(told(guardNewCluster(moment(restoring({}, {offline})))), 'abort QuorumOfDataIntact');
    assert.equal(guardNewCluster(moment(restoring({begunAt: at}, {offline}))), undefined, 'the old data is set aside by then');
  });

  it('4. data that is left to be forced is not given up for a snapshot without being asked', async function forced() {
    this.timeout(30_000);
    const {outcome, simulation} = await restored({fates: ['Alive', 'Deleted', 'Deleted']});
    assert.deepEqual([outcome, simulation.invariants.forces > 0], ['Recovered', true]);
  });

  it('5. what was on a disk is set aside, not deleted', async function aside() {
    this.timeout(30_000);
    const {outcome, simulation} = await restored({fates: ['Corrupt', 'Deleted', 'Deleted']});
    assert.equal(outcome, 'Recovered');
    const kept = [...simulation.world.disks.values()].filter((disk) => disk.aside.length > 0 || disk.destroyed);
    assert.equal(kept.length, 3, 'each old disk is there, with what it held');
  });

  const withSnapshot = restoring({begunAt: at, seeded: ['etcd-0', 'etcd-1']}, {plan: planOf({strategy: 'RestoreSnapshot', candidates: [], snapshot: {name: 'a', revision: 1, bytes: 1, sha256: ''}})});
  it('7. nobody is started while the data of a member is not in place, and the list of members stays as it was built', () => {
    assert.notEqual(restoreClaims(observationOf({ordinals: [0, 1, 2].map(heldHere), spec: {snapshot: {claim: {name: 'backups'}}}, status: moment(withSnapshot).status})).kind, 'done');
    assert.equal(told(leaveOut(moment(restoring({begunAt: at, seeded: ['etcd-0']})), {pod: 'etcd-2', reason: 'Unschedulable', message: 'no node'})), 'blocked RestoreFailed');
  });

  it('10. it is never carried out without approval', async function asked() {
    this.timeout(30_000);
    assert.equal(needsApproval(observationOf(), planOf({strategy: 'RestoreSnapshot'})), true);
    const {simulation} = await restored();
    const {run} = simulation.invariants.status;
    assert.equal(run?.approved?.hash, run?.plan?.hash);
  });

  it('11. from the first change on it is finished, whatever comes', async function killed() {
    this.timeout(60_000);
    assert.deepEqual([isCommitted(moment(restoring())), isCommitted(moment(restoring({begunAt: at})))], [false, true]);
    for (const call of [20, 35, 50]) assert.equal((await restored({}, [[call, 'unheard'], [call + 9, 'after']])).outcome, 'Recovered');
  });

  it('14. revisions go on past what clients may have seen', async function moved() {
    this.timeout(30_000);
    const {simulation} = await restored();
    const {revisions} = simulation.invariants.status.dataLoss ?? {};
    assert.ok(revisions?.proven === true && revisions.to > revisions.from, JSON.stringify(revisions));
  });
});
