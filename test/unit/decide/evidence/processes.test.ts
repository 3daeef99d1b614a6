import assert from 'node:assert/strict';
import {endedByKubelet, endOf, judgeProcess} from '../../../../src/decide/evidence/processes.ts';
import {ended, idOf, node, now, observationOf, ownPodOf, recordOf, running, runOf, voter, waiting} from '../observations.ts';
import type {ObservationOptions, PodOptions} from '../observations.ts';

/** What proves the end of etcd-1's process, or what it waits for. */
function verdictOf(options: ObservationOptions): string {
  const {proven, stoppable, waitsFor} = judgeProcess(observationOf(options), voter(1));
  return proven?.by ?? (stoppable ? 'stoppable' : `waits: ${waitsFor ?? ''}`);
}

const nodes = (...more: ReturnType<typeof node>[]) => [node('node-0'), ...more, node('node-2')];
const withPod = (object: ReturnType<typeof ownPodOf> | undefined, rest: ObservationOptions = {}): ObservationOptions =>
  ({ordinals: [{}, {object}, {}], status: {members: [recordOf(1)]}, ...rest});

describe('the end that a kubelet reports', () => {
  const cases: [string, PodOptions, boolean][] = [
    ['counts when the pod is being deleted and every container is terminated', {deleting: true, statuses: [ended()]}, true],
    ['does not count while a container runs', {deleting: true, statuses: [running]}, false],
    ['does not count while a sidecar runs', {deleting: true, statuses: [ended(), {...running, name: 'sidecar'}]}, false],
    ['does not count while an init container runs', {deleting: true, statuses: [ended()], inits: [{...running, name: 'init'}]}, false],
    ['does not count for a container that will be restarted: the pod is not being deleted', {statuses: [ended()]}, false],
    ['does not count with reason ContainerStatusUnknown', {deleting: true, statuses: [ended('ContainerStatusUnknown')]}, false],
    ['does not count while a container is only waiting and the pod is not over', {deleting: true, statuses: [waiting]}, false],
    ['counts for a container that was never started once the pod is over', {deleting: true, statuses: [waiting], phase: 'Failed'}, true],
    ['does not count without any container status', {deleting: true, statuses: []}, false],
    ['counts for a pod that never restarts and is over', {statuses: [ended()], phase: 'Failed', restartPolicy: 'Never'}, true],
    ['does not count for a pod that is over but restarts', {statuses: [ended()], phase: 'Failed', restartPolicy: 'Always'}, false],
    ['does not count for a crash-looping container, whose last end is no end', {
      deleting: true, statuses: [{...waiting, restartCount: 3, lastState: {terminated: {exitCode: 1}}, state: {waiting: {reason: 'CrashLoopBackOff'}}}], phase: 'Failed',
    }, false],
  ];
  for (const [title, options, expected] of cases) {
    it(title, () => { assert.equal(endedByKubelet(ownPodOf(1, options)), expected); });
  }
});

describe('the proof that the last process of a member has ended', () => {
  it('is there to be brought about while the pod runs on a Ready node', () => {
    assert.equal(verdictOf(withPod(ownPodOf(1))), 'stoppable');
  });
  it('is the kubelet\'s report on the deleted pod', () => {
    assert.equal(verdictOf(withPod(ownPodOf(1, {deleting: true, statuses: [ended()]}))), 'KubeletConfirmed');
  });
  it('is not a NotReady node, and the message names it', () => {
    assert.match(verdictOf(withPod(ownPodOf(1), {nodes: nodes(node('node-1', {ready: false}))})), /waits: node node-1 is NotReady/);
  });
  it('is not a pod that is being deleted on a NotReady node', () => {
    assert.match(verdictOf(withPod(ownPodOf(1, {deleting: true}), {nodes: nodes(node('node-1', {ready: false}))})), /NotReady/);
  });
  it('is the deleted Node', () => {
    assert.equal(verdictOf(withPod(ownPodOf(1), {nodes: nodes()})), 'NodeDeleted');
  });
  it('is not a deleted Node that has registered again under another UID', () => {
    assert.match(verdictOf(withPod(ownPodOf(1), {nodes: nodes(node('node-1', {uid: 'another'}))})), /registered again/);
  });
  for (const id of ['machineID', 'systemUUID'] as const) {
    it(`is not a deleted Node whose ${id} another Node carries`, () => {
      const twin = node('node-9', {machineID: 'x', systemUUID: 'y', [id]: id === 'machineID' ? 'machine-node-1' : 'system-node-1'});
      assert.match(verdictOf(withPod(ownPodOf(1), {nodes: nodes(twin)})), /waits: the machine of node node-1 is registered as node node-9/);
    });
  }
  it('is not a deleted Node whose providerID another Node carries', () => {
    const rest = {nodes: nodes(node('node-9', {providerID: 'cloud://1'})), status: {members: [recordOf(1, {providerID: 'cloud://1'})]}};
    assert.match(verdictOf(withPod(ownPodOf(1), rest)), /registered as node node-9/);
  });
  it('is the deleted Node also where many machines share one machineID: that identifies none', () => {
    const clones = [node('node-0', {machineID: 'clone'}), node('node-2', {machineID: 'clone'})];
    assert.equal(verdictOf(withPod(ownPodOf(1), {nodes: clones, status: {members: [recordOf(1, {machineID: 'clone', systemUUID: ''})]}})), 'NodeDeleted');
  });
  it('is the out-of-service taint', () => {
    assert.equal(verdictOf(withPod(ownPodOf(1), {nodes: nodes(node('node-1', {ready: false, outOfService: true}))})), 'OutOfServiceTaint');
  });
  it('is a person\'s word for this very member ID', () => {
    const rest = {nodes: nodes(node('node-1', {ready: false})), spec: {lostMembers: [{pod: 'etcd-1', memberID: idOf(1)}]}};
    assert.equal(verdictOf(withPod(ownPodOf(1), rest)), 'LostMembers');
  });
  it('is not a person\'s word for another member ID', () => {
    const rest = {nodes: nodes(node('node-1', {ready: false})), spec: {lostMembers: [{pod: 'etcd-1', memberID: 'ffff'}]}};
    assert.match(verdictOf(withPod(ownPodOf(1), rest)), /NotReady/);
  });
  it('is not a person\'s word while its pod runs on a Ready node: that pod is stopped', () => {
    assert.equal(verdictOf(withPod(ownPodOf(1), {spec: {lostMembers: [{pod: 'etcd-1', memberID: idOf(1)}]}})), 'stoppable');
  });
  it('is not an absent pod, where the record says that it ran on a node that is there', () => {
    assert.match(verdictOf(withPod(undefined)), /waits: etcd-1 ran on node-1 and nobody saw it end/);
  });
  it('is the deleted Node of the record where the pod is absent', () => {
    assert.equal(verdictOf(withPod(undefined, {nodes: nodes()})), 'NodeDeleted');
  });
  it('is the end that the operator\'s own watch saw before the pod was gone', () => {
    const fenced = {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-1', at: new Date(now).toISOString()};
    assert.equal(verdictOf(withPod(undefined, {status: {members: [recordOf(1, {fenced})]}})), 'KubeletConfirmed');
  });
  it('is not the end of another pod than the one that ran the member', () => {
    const fenced = {by: 'KubeletConfirmed' as const, podUID: 'an-earlier-one', at: new Date(now).toISOString()};
    assert.match(verdictOf(withPod(undefined, {status: {members: [recordOf(1, {fenced})]}})), /nobody saw it end/);
  });
  it('is not a recorded NodeDeleted once that node is registered again', () => {
    const fenced = {by: 'NodeDeleted' as const, podUID: 'pod-uid-1', at: new Date(now).toISOString()};
    assert.match(verdictOf(withPod(undefined, {nodes: nodes(node('node-1', {uid: 'another'})), status: {members: [recordOf(1, {fenced})]}})), /registered again/);
  });
  it('is not a successor that was never scheduled: the pod before it counts', () => {
    const successor = ownPodOf(1, {uid: 'successor', node: '', statuses: []});
    assert.match(verdictOf(withPod(successor)), /etcd-1 ran on node-1 and nobody saw it end/);
    assert.equal(verdictOf(withPod(successor, {nodes: nodes()})), 'NodeDeleted');
  });
  it('without a record is the deleted node of its only volume', () => {
    const ordinals = [{}, {object: ownPodOf(1, {uid: 'successor', node: '', statuses: []}), place: {at: 'GoneNode' as const, nodes: ['node-1']}}, {}];
    assert.equal(verdictOf({ordinals, nodes: nodes()}), 'NodeDeleted');
  });
  it('without a record and with its disk within reach is not there', () => {
    const ordinals = [{}, {object: ownPodOf(1, {uid: 'successor', node: '', statuses: []})}, {}];
    assert.match(verdictOf({ordinals}), /nobody saw the last process of member a1/);
  });
  it('is not the place of a claim that was made anew', () => {
    const ordinals = [{}, {object: undefined, claimUID: 'new', place: {at: 'GoneNode' as const, nodes: ['node-1']}}, {}];
    const members = [recordOf(1, {podUID: undefined, node: undefined})];
    assert.match(verdictOf({ordinals, nodes: nodes(), status: {members}}), /nobody saw/);
  });
  it('is kept in the record when only the place of the disk proved it and the claim is made anew', () => {
    const fenced = {by: 'NodeDeleted' as const, at: new Date(now).toISOString()};
    const members = [recordOf(1, {podUID: undefined, fenced})];
    assert.equal(verdictOf({ordinals: [{}, {object: undefined, claimUID: 'new'}, {}], nodes: nodes(), status: {members}}), 'NodeDeleted');
    assert.match(verdictOf({ordinals: [{}, {object: undefined, claimUID: 'new'}, {}], status: {members}}), /nobody saw it end/);
  });
  it('of a member without a pod in the set cannot be had', () => {
    assert.match(judgeProcess(observationOf(), {memberID: 'beef', pod: undefined}).waitsFor ?? '', /beef has no pod in the StatefulSet/);
  });
  it('a gated pod of the run never started', () => {
    const pod = ownPodOf(1, {gated: true, annotations: {'quorumrecovery.io/run': 'run-1'}});
    const end = endOf(observationOf({status: {run: runOf()}}), pod, undefined);
    assert.equal('fenced' in end && end.fenced.by, 'NeverStarted');
  });
});
