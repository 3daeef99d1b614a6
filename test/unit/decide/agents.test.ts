import assert from 'node:assert/strict';
import type {V1ContainerStateTerminated, V1Pod} from '@kubernetes/client-node';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {decommission} from '../../../src/decide/steps/decommission.ts';
import {inspect} from '../../../src/decide/steps/inspect.ts';
import {plan} from '../../../src/decide/steps/plan.ts';
import {endedUnseen} from '../../../src/observe/agentReport.ts';
import {clusterID, ended, idOf, members, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const gated = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark})});
const lost = (index: number): OrdinalOptions => ({...gated(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const identity = {clusterID, version: '3.6.16', members: members(5), source: 'member list of etcd-0'};

function agentOf(pod: string, step: string, terminated: Partial<V1ContainerStateTerminated>): V1Pod {
  return {
    metadata: {name: `${pod}-agent`, namespace: 'db', uid: `agent-of-${pod}`, annotations: {...mark, 'quorumrecovery.io/step': step, 'quorumrecovery.io/pod': pod}, labels: {'quorumrecovery.io/helper': 'Agent'}},
    spec: {containers: []},
    status: {phase: 'Failed', containerStatuses: [{...ended(), name: 'volume-agent', state: {terminated: {exitCode: 255, finishedAt: new Date(now), ...terminated}}}]},
  };
}

/** Three of five members are gone; the disks of etcd-0 and etcd-1 are there. */
function decided(step: (observation: ReturnType<typeof observationOf>) => Decision, run: Partial<Run>, helper: V1Pod): string {
  const fenced = {by: 'KubeletConfirmed' as const, at: new Date(now).toISOString()};
  const decision = step(observationOf({
    ordinals: [gated(0), gated(1), lost(2), lost(3), lost(4)], nodes: [node('node-0'), node('node-1')],
    status: {
      run: runOf({identity, plan: planOf({candidates: ['etcd-0', 'etcd-1']}), ...run}),
      members: [0, 1, 2, 3, 4].map((index) => recordOf(index, index < 2 ? {fenced: {...fenced, podUID: `pod-uid-${index}`}} : {})),
    },
    more: {helpers: [helper]},
  }));
  if (decision.kind !== 'act') return 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind;
  return decision.actions.map((action) => ('pod' in action && typeof action.pod === 'object' ? `${action.type} ${action.pod.metadata?.name ?? ''}` : action.type)).join();
}

describe('an agent whose node failed under it', () => {
  const unseen = {reason: 'Unknown', message: ''};
  it('says nothing of the disk that it was to read: another one reads it, and no older data is taken in its place', () => {
    assert.match(decided(inspect, {}, agentOf('etcd-1', 'InspectHeld', unseen)), /DeletePod etcd-1-agent/);
    assert.match(decided(inspect, {}, agentOf('etcd-1', 'InspectHeld', {...unseen, reason: 'ContainerStatusUnknown'})), /DeletePod etcd-1-agent/);
    assert.equal(decided(inspect, {}, agentOf('etcd-1', 'InspectHeld', {reason: 'OOMKilled', exitCode: 137})), 'record');
  });
  it('or that has not started for a minute, says nothing either: its disk is waited for, unless its node is gone for good', () => {
    const waiting = (seconds: number): V1Pod => {
      const made = agentOf('etcd-1', 'InspectHeld', {});
      return {...made, metadata: {...made.metadata, creationTimestamp: new Date(now - seconds * 1000)}, status: {phase: 'Pending'}};
    };
    const read = (index: number): NonNullable<Run['offline']>[number] => ({pod: `etcd-${index}`, stage: 'Held', data: 'Present', memberID: idOf(index), clusterID, term: 5, index: 90, commit: 90, members: members(5)});
    assert.equal(decided(inspect, {offline: [read(0)]}, waiting(61)), 'blocked AgentFailed');
    assert.equal(decided(inspect, {offline: [read(0)]}, waiting(10)), 'wait');
  });
  it('was to set data aside: another one finds what it did, and ends it', () => {
    assert.equal(decided(decommission, {}, agentOf('etcd-1', 'Decommission', unseen)), 'DeletePod etcd-1-agent');
    assert.equal(decided(decommission, {}, agentOf('etcd-1', 'Decommission', {reason: 'OOMKilled', exitCode: 137})), 'blocked AgentFailed');
  });
  const going = (agent: V1Pod, node: string): V1Pod => ({...agent, metadata: {...agent.metadata, deletionTimestamp: new Date(now), creationTimestamp: new Date(now - 10_000)}, spec: {containers: [], nodeName: node}});
  const old = (agent: V1Pod): V1Pod => ({...agent, metadata: {...agent.metadata, creationTimestamp: new Date(now - 61_000)}});
  const read = (index: number): NonNullable<Run['offline']>[number] => ({pod: `etcd-${index}`, stage: 'Held', data: 'Present', memberID: idOf(index), clusterID, term: 5, index: 90, commit: 90, members: members(5)});
  it('and that a silent node keeps, leaves its disk unread: it is waited for, and nothing is started from another one', () => {
    const agent = going(agentOf('etcd-1', 'InspectHeld', unseen), 'silent');
    assert.equal(decided(inspect, {offline: [read(0)]}, agent), 'wait');
    assert.equal(decided(inspect, {offline: [read(0)]}, old(agent)), 'blocked AgentFailed');
    assert.match(decided(inspect, {offline: [read(0)]}, old(agentOf('etcd-1', 'InspectHeld', unseen))), /DeletePod etcd-1-agent/, 'an old one that can be replaced was not');
    assert.equal(decided(decommission, {}, going(agentOf('etcd-1', 'Decommission', unseen), 'silent')), 'wait');
  });
  it('is waited for until it is gone once it was heard, but not on a silent node, and is deleted once', () => {
    const heard = {offline: [read(0), read(1)]};
    assert.equal(decided(inspect, heard, agentOf('etcd-1', 'InspectHeld', {})), 'DeletePod etcd-1-agent');
    assert.equal(decided(inspect, heard, going(agentOf('etcd-1', 'InspectHeld', {}), 'node-1')), 'wait');
    assert.doesNotMatch(decided(inspect, heard, going(agentOf('etcd-1', 'InspectHeld', {}), 'silent')), /wait|DeletePod/);
    const guarded = {joins: [0, 1].map((index) => ({pod: `etcd-${index}`, attempt: 1, guarded: true}))};
    assert.equal(decided(decommission, guarded, going(agentOf('etcd-1', 'Decommission', {}), 'node-1')), 'wait');
    assert.equal(decided(decommission, guarded, going(agentOf('etcd-1', 'Decommission', {}), 'silent')), 'done');
    const refused = agentOf('etcd-1', 'Decommission', {finishedAt: new Date(now - 31_000), message: JSON.stringify({ok: false, command: 'set-aside', reason: 'Internal', message: 'm'})});
    assert.equal(decided(decommission, {joins: guarded.joins.slice(0, 1)}, refused), 'DeletePod etcd-1-agent');
    assert.equal(decided(decommission, {joins: guarded.joins.slice(0, 1)}, going(refused, 'node-1')), 'wait');
  });
  it('is not waited for any more once its kubelet has told that every container of it ended well', () => {
    const over = (step: string, exitCode: number): V1Pod => going(agentOf('etcd-1', step, {exitCode}), 'node-1');
    const heard = {offline: [read(0), read(1)]};
    assert.doesNotMatch(decided(inspect, heard, over('InspectHeld', 0)), /wait|DeletePod/);
    assert.equal(decided(inspect, heard, over('InspectHeld', 137)), 'wait');
    const beside = over('InspectHeld', 0);
    beside.status?.containerStatuses?.push({...ended(), name: 'etcdutl', state: {running: {startedAt: new Date(now)}}});
    assert.equal(decided(inspect, heard, beside), 'wait', 'etcdutl still reads the disk');
    assert.equal(decided(inspect, heard, {...over('InspectHeld', 0), status: {phase: 'Succeeded'}}), 'wait', 'nothing is told of its containers');
    const guarded = {joins: [0, 1].map((index) => ({pod: `etcd-${index}`, attempt: 1, guarded: true}))};
    assert.equal(decided(decommission, guarded, over('Decommission', 0)), 'done');
  });
  it('that takes earlier runs\' copies away does not hold a new plan up from a silent node', () => {
    const planned = (pruner: V1Pod) => plan(observationOf({more: {pruners: [pruner]}, status: {run: runOf()}})).kind;
    assert.equal(planned(agentOf('etcd-1', 'Prune', {})), 'act');
    assert.equal(planned(going(agentOf('etcd-1', 'Prune', {}), 'node-1')), 'wait');
    assert.equal(planned(going(agentOf('etcd-1', 'Prune', {}), 'silent')), plan(observationOf({status: {run: runOf()}})).kind);
  });
  it('that saves a snapshot is taken away before a run makes its plan, and one on a silent node is not waited for', () => {
    const planned = (saver: V1Pod) => plan(observationOf({more: {savers: [saver]}, status: {run: runOf()}}));
    const first = planned(agentOf('etcd-1', 'Backup', {}));
    assert.deepEqual(first.kind === 'act' ? first.actions.map(({type}) => type) : first.kind, ['DeletePod']);
    assert.equal(planned(going(agentOf('etcd-1', 'Backup', {}), 'node-1')).kind, 'wait');
    assert.equal(planned(going(agentOf('etcd-1', 'Backup', {}), 'silent')).kind, plan(observationOf({status: {run: runOf()}})).kind);
  });
  it('is believed where it left its report', () => {
    assert.equal(endedUnseen(agentOf('etcd-1', 'Decommission', {...unseen, message: '{"ok":true}'})), false);
  });
});
