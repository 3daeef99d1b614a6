import assert from 'node:assert/strict';
import type {V1ContainerStatus} from '@kubernetes/client-node';
import type {MemberRecord, OfflineFacts, Run} from '../../../src/api/types.ts';
import {assess} from '../../../src/decide/assess.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import type {Restart} from '../../../src/decide/restart.ts';
import {refreshRecords} from '../../../src/decide/watch/records.ts';
import {plan} from '../../../src/decide/steps/plan.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, clusterID, ended, idOf, members, newSet, node, now, observationOf, ownPodOf, recordOf, runOf, running as runs} from './observations.ts';
import type {ObservationOptions, OrdinalOptions, PodOptions} from './observations.ts';

const facts = (index: number, more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: `etcd-${index}`, stage: 'Planning', data: 'Present', memberID: idOf(index), clusterID, term: 3, index: 90, commit: 90, revision: 40, members: members(3),
  readAt: new Date(now).toISOString(), ...more,
});
const waits = (reason: string): V1ContainerStatus => ({name: 'etcd', image: '', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason}}});
const loops: V1ContainerStatus = {...waits('CrashLoopBackOff'), restartCount: 4, containerID: 'containerd://1', lastState: {terminated: {exitCode: 1, reason: 'Error'}}};

/** It runs, and finds no quorum: only its peer port answers. */
const alone = (index: number): OrdinalOptions => ({probe: {kind: 'PeerOnly', clusterID, members: members(3), error: 'Unreachable', message: 'it found no leader'}, object: ownPodOf(index, {uid: `new-${index}`})});
const noPod: OrdinalOptions = {object: undefined};
const pod = (index: number, options: PodOptions & {revision?: string} = {}): OrdinalOptions => {
  const object = ownPodOf(index, {uid: `new-${index}`, ...options});
  if (object.metadata?.labels && options.revision !== undefined) object.metadata.labels['controller-revision-hash'] = options.revision;
  return {object};
};
const stands = (index: number, reason: string, revision?: string): OrdinalOptions => pod(index, {statuses: [waits(reason)], phase: 'Pending', ...(revision !== undefined && {revision})});

/** The process in the pod before was seen to end. */
const seenToEnd = (index: number): MemberRecord => recordOf(index, {fenced: {by: 'KubeletConfirmed', podUID: `pod-uid-${index}`, at: new Date(now).toISOString()}});

/** All disks were read, every process was seen to end; no quorum serves. */
function outage(options: ObservationOptions & {run?: Partial<Run>; parallel?: boolean; onDelete?: boolean} = {}): Observation {
  const set = newSet(3, {podManagementPolicy: options.parallel === true ? 'Parallel' : 'OrderedReady', updateStrategy: {type: options.onDelete === true ? 'OnDelete' : 'RollingUpdate'}});
  return observationOf({
    set, ...options, spec: {strategy: 'Auto', ...options.spec},
    status: {members: [0, 1, 2].map(seenToEnd), ...options.status, run: runOf({offline: [0, 1, 2].map((index) => facts(index)), ...options.run})},
  });
}

function verdict(options: Parameters<typeof outage>[0]): string {
  const assessment = assess(outage(options));
  if (assessment.kind === 'restart') return `restart ${assessment.restarts.map(({pod: name, podUID}) => (podUID === undefined ? name : `${name}/${podUID}`)).join()}`;
  return 'reason' in assessment ? `blocked ${assessment.reason}: ${assessment.message}` : assessment.kind;
}

const asked = {strategy: 'Restart'};
/** The controller replaces etcd-2 alone. */
const behindPartition = newSet(3, {podManagementPolicy: 'Parallel', updateStrategy: {type: 'RollingUpdate', rollingUpdate: {partition: 2}}});

describe('what is restarted where a quorum of data is intact', () => {
  const deadlock = [alone(0), noPod, noPod];
  const cases: [string, Parameters<typeof outage>[0], RegExp][] = [
    ['pods are made in order, and the first is not Ready without the others', {ordinals: deadlock}, /^restart etcd-1,etcd-2$/],
    ['the same where only that is asked for', {ordinals: deadlock, spec: asked}, /^restart etcd-1,etcd-2$/],
    ['strategy ForceNewCluster restarts nothing', {ordinals: deadlock, spec: {strategy: 'ForceNewCluster'}}, /^blocked QuorumOfDataIntact/],
    ['a controller that makes pods in parallel makes them itself', {ordinals: deadlock, parallel: true}, /^blocked QuorumOfDataIntact/],
    ['nobody saw the last process of one end', {ordinals: deadlock, status: {members: [seenToEnd(0), seenToEnd(1), recordOf(2)]}}, /^restart etcd-1$/],
    ['nobody saw the last process of any end', {ordinals: deadlock, status: {members: [0, 1, 2].map((index) => recordOf(index))}}, /^blocked QuorumOfDataIntact: .*etcd-1 is not made.*not proven to have ended/],
    ['a node is away that another process may run on', {ordinals: [alone(0), noPod, {...noPod, place: {at: 'NotReadyNode', nodes: ['node-2']}}], nodes: [node('node-0'), node('node-1'), node('node-2', {ready: false})]}, /^restart etcd-1$/],
    ['pods that are over, of nodes that were shut down', {ordinals: [alone(0), pod(1, {statuses: [ended()], phase: 'Failed'}), pod(2, {statuses: [ended()], phase: 'Failed'})]}, /^restart etcd-1\/new-1,etcd-2\/new-2$/],
    ['the first of them cannot run from this template', {ordinals: [stands(0, 'ImagePullBackOff'), noPod, noPod]}, /^blocked QuorumOfDataIntact: .*ImagePullBackOff.*etcd-1 is not made: etcd-0 cannot run from the same template/],
    ['the first of them crash-loops for a reason of its own', {ordinals: [pod(0, {statuses: [loops]}), noPod, noPod]}, /^restart etcd-1,etcd-2$/],
    ['a rollout broke, and its template was put right since', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), noPod, noPod]}, /^restart etcd-0\/new-0,etcd-1,etcd-2$/],
    ['the same with pods that are made in parallel: the rollout waits for the first that has no quorum', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true}, /^restart etcd-0\/new-0,etcd-1\/new-1$/],
    ['the revision to go to does not run either', {ordinals: [pod(0, {statuses: [loops], revision: 'rev-0'}), stands(1, 'ErrImagePull'), stands(2, 'ErrImagePull')], parallel: true}, /^blocked QuorumOfDataIntact/],
    ['with OnDelete the owner says when', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true, onDelete: true}, /^blocked QuorumOfDataIntact/],
    ['and asks for it with strategy Restart', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true, onDelete: true, spec: asked}, /^restart etcd-0\/new-0,etcd-1\/new-1$/],
    ['behind a partition the owner says when', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], set: behindPartition}, /^blocked QuorumOfDataIntact/],
    ['and asks for it with strategy Restart, too', {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], set: behindPartition, spec: asked}, /^restart etcd-0\/new-0,etcd-1\/new-1$/],
    ['from the partition on the rollout is under way', {ordinals: [alone(0), alone(1), stands(2, 'ErrImagePull', 'rev-0')].map((one, index) => (index === 1 ? noPod : one)), set: behindPartition}, /^restart .*etcd-2\/new-2$/],
    ['pods of an older revision whose images are pulled', {ordinals: [stands(0, 'ContainerCreating', 'rev-0'), stands(1, 'PodInitializing', 'rev-0'), alone(2)], parallel: true}, /^blocked QuorumOfDataIntact/],
    ['the same where it is asked for', {ordinals: [stands(0, 'ContainerCreating', 'rev-0'), stands(1, 'PodInitializing', 'rev-0'), alone(2)], parallel: true, spec: asked}, /^restart etcd-0\/new-0,etcd-1\/new-1$/],
    ['pods of an older revision that wait for a node', {ordinals: [pod(0, {statuses: [], node: '', phase: 'Pending', revision: 'rev-0'}), pod(1, {statuses: [], node: '', phase: 'Pending', revision: 'rev-0'}), alone(2)], parallel: true}, /^blocked QuorumOfDataIntact/],
    ['an older revision whose init container fails', {ordinals: [0, 1].map((index) => pod(index, {inits: [{...waits('CrashLoopBackOff'), name: 'init'}], statuses: [waits('PodInitializing')], phase: 'Pending', revision: 'rev-0'})).concat(alone(2)), parallel: true}, /^restart etcd-0\/new-0,etcd-1\/new-1$/],
    ['a crash loop is not cut short by itself', {ordinals: [alone(0), pod(1, {statuses: [loops]}), pod(2, {statuses: [loops]})], parallel: true}, /^blocked QuorumOfDataIntact/],
    ['but where it is asked for', {ordinals: [alone(0), pod(1, {statuses: [loops]}), pod(2, {statuses: [loops]})], parallel: true, spec: asked}, /^restart etcd-1\/new-1,etcd-2\/new-2$/],
    ['a pod that no node takes', {ordinals: [alone(0), pod(1, {statuses: [], node: '', phase: 'Pending'}), pod(2, {statuses: [], node: '', phase: 'Pending'})], parallel: true, spec: asked}, /^blocked QuorumOfDataIntact/],
    ['the spec of the set was changed just now', {ordinals: deadlock, set: {...newSet(3, {podManagementPolicy: 'OrderedReady'}), metadata: {name: 'etcd', namespace: 'db', uid: 'set-uid', generation: 2}}}, /^blocked QuorumOfDataIntact: .*has not looked at the change/],
    ['too few would run', {ordinals: [pod(0, {statuses: [loops]}), noPod, pod(2, {statuses: [loops]})]}, /^blocked QuorumOfDataIntact: .*1 of 3 members would run, and 2 are needed/],
    ['a pod behind the fence of a run that is over', {ordinals: [alone(0), pod(1, {deleting: true, finalizers: ['quorumrecovery.io/fence'], statuses: [ended()]}), noPod]}, /^restart etcd-1\/new-1,etcd-2$/],
    ['a pod behind the gate of a run that is over', {ordinals: [alone(0), pod(1, {gated: true, phase: 'Pending', statuses: [], annotations: {'quorumrecovery.io/run': 'run-0'}}), noPod]}, /^restart etcd-1\/new-1,etcd-2$/],
    ['a pod that is held', {ordinals: [alone(0), pod(1, {gated: true, phase: 'Pending', statuses: [], annotations: {'quorumrecovery.io/run': 'run-0'}}), noPod], status: {members: [0, 1, 2].map(seenToEnd), heldPods: ['etcd-1']}}, /^restart etcd-2$/],
    ['a pod that is stopping', {ordinals: [alone(0), pod(1, {deleting: true}), pod(2, {deleting: true})]}, /^blocked QuorumOfDataIntact/],
    ['less than a quorum of data is left, and only a restart is asked for', {ordinals: [alone(0), {...noPod, place: {at: 'GoneNode', nodes: ['node-1']}}, {...noPod, place: {at: 'GoneNode', nodes: ['node-2']}}], nodes: [node('node-0')], spec: asked}, /^blocked NoQuorumOfData: .*strategy: Auto/],
    ['a disk that is empty is no data to start on', {ordinals: deadlock, run: {offline: [facts(0), facts(1), {pod: 'etcd-2', stage: 'Planning', data: 'Empty'}]}}, /^restart etcd-1$/],
  ];
  for (const [title, options, expected] of cases) it(title, () => { assert.match(verdict(options), expected); });
});

const later = (observation: Observation, ms: number): Observation => ({...observation, now: observation.now + ms});

describe('the plan of a restart', () => {
  it('does not wait for a pod that comes and goes beside those that stand', () => {
    const since = new Date(now - 20_000).toISOString();
    const observation = outage({ordinals: [pod(0, {statuses: [loops]}), noPod, noPod], spec: asked, run: {stuck: [{pod: 'etcd-0', podUID: 'new-0', since: new Date(now).toISOString()}, {pod: 'etcd-1', since}, {pod: 'etcd-2', since}]}});
    const planned = plan(observation);
    assert.ok(planned.kind === 'act');
    planned.record?.(observation.status);
    assert.deepEqual(observation.status.run?.plan?.restarts?.map(({pod: name}) => name), ['etcd-1', 'etcd-2']);
  });

  it('counts the time of a pod in a crash loop on while its etcd runs for a moment, and anew of another pod', () => {
    const since = new Date(now - 20_000).toISOString();
    const stuck = [{pod: 'etcd-0', podUID: 'new-0', since}, {pod: 'etcd-1', since}, {pod: 'etcd-2', since}];
    const stands = (podUID: string) => {
      const observation = outage({ordinals: [pod(0, {uid: podUID, statuses: [runs]}), pod(1, {statuses: [loops]}), noPod], spec: asked, run: {stuck}});
      const next = plan(observation);
      if (next.kind === 'record') next.record(observation.status);
      return observation.status.run?.stuck?.map((one) => `${one.pod} ${one.since === since ? 'as before' : 'anew'}`);
    };
    assert.deepEqual(stands('new-0'), ['etcd-0 as before', 'etcd-1 anew', 'etcd-2 as before']);
    assert.deepEqual(stands('another'), ['etcd-1 anew', 'etcd-2 as before']);
  });

  it('waits ten seconds whether Kubernetes does it, and then says which pods and why', () => {
    const observation = outage({ordinals: [alone(0), noPod, noPod]});
    const first = plan(observation);
    assert.ok(first.kind === 'record');
    first.record(observation.status);
    assert.deepEqual(observation.status.run?.stuck?.map(({pod: name}) => name), ['etcd-1', 'etcd-2']);
    assert.equal(plan(later(observation, 9_000)).kind, 'wait');
    const then = plan(later(observation, 10_000));
    assert.ok(then.kind === 'act');
    assert.deepEqual(then.actions.map(({type}) => type), ['DryRunPods']);
    then.record?.(observation.status);
    const made = observation.status.run.plan;
    assert.equal(made?.strategy, 'Restart');
    assert.match(made.expectedLoss, /^none: nothing is forced, no disk is changed/);
    assert.match(made.why, /etcd-1: it has no pod: .*OrderedReady.*etcd-0/);
    assert.deepEqual(made.steps, ['Plan', 'Restart', 'Verify', 'Release']);
    assert.ok(made.claims.every(({fate}) => fate === 'it is kept as it is'));
  });

  it('is asked about where approval is required', () => {
    const observation = outage({ordinals: [alone(0), noPod, noPod], spec: {approval: 'Required'}, run: {stuck: ['etcd-1', 'etcd-2'].map((name) => ({pod: name, since: new Date(now - 20_000).toISOString()}))}});
    const planned = plan(observation);
    if (planned.kind === 'act') planned.record?.(observation.status);
    assert.deepEqual(observation.status.run?.plan?.steps, ['Plan', 'Approve', 'Restart', 'Verify', 'Release']);
  });

  it('stands for approval while its pods stand as they did, whatever others do', () => {
    const observation = running({ordinals: [pod(0, {statuses: [loops]}), noPod, noPod], spec: {...asked, approval: 'Required'}}, {ordinals: [alone(0), noPod, noPod]});
    const {hash} = observation.status.run?.plan ?? {};
    assert.match(stepOf(observation), new RegExp(`^Approve wait: plan ${hash ?? ''}: Restart`));
    const gone = running({ordinals: [pod(0, {statuses: [loops]}), noPod, noPod], spec: {...asked, approval: 'Required'}}, {ordinals: [alone(0), alone(1), noPod]});
    assert.match(stepOf(gone), /^Approve record: the plan changed/);
  });

  it('stands for approval no longer than the proof that it was made on', () => {
    const options = {ordinals: [alone(0), noPod, noPod], spec: {approval: 'Required'}};
    assert.match(stepOf(running(options)), /^Approve wait: plan /);
    assert.match(stepOf(running(options, {status: {members: [seenToEnd(0), recordOf(1), seenToEnd(2)]}})), /^Approve record: the plan changed/);
    assert.match(stepOf(running(options, {status: {members: [seenToEnd(0), recordOf(1), recordOf(2)]}})), /^Approve blocked: .*not proven to have ended/);
    assert.match(stepOf(running(options, {}, {offline: [facts(0), facts(1), {pod: 'etcd-2', stage: 'Planning', data: 'Empty'}]})), /^Approve record: the plan changed/);
  });

  it('is none where the template forces', () => {
    const set = newSet(3, {podManagementPolicy: 'OrderedReady'});
    set.spec?.template.spec?.containers[0]?.args?.push('--force-new-cluster');
    const observation = outage({set, ordinals: [alone(0), noPod, noPod], run: {stuck: ['etcd-1', 'etcd-2'].map((name) => ({pod: name, since: new Date(now - 20_000).toISOString()}))}});
    assert.equal((plan(observation) as {reason?: string}).reason, 'TemplateForces');
  });
});

/** A run that has its plan, and looks now. */
function running(options: Parameters<typeof outage>[0], then: ObservationOptions = {}, more: Partial<Run> = {}): Observation {
  const observation = outage(options);
  const assessment = assess(observation) as Restart;
  assert.equal(assessment.kind, 'restart');
  const since = new Date(now - 20_000).toISOString();
  if (observation.status.run) observation.status.run.stuck = assessment.restarts.map(({pod: name, podUID}) => ({pod: name, ...(podUID !== undefined && {podUID}), since}));
  const planned = plan(observation);
  assert.ok(planned.kind === 'act');
  planned.record?.(observation.status);
  for (const step of observation.status.run?.steps ?? []) if (step.name === 'Plan') step.state = 'Done';
  const {status} = observation;
  return outage({...options, ...then, status: {...status, ...then.status}, run: {...status.run, ...more}});
}

const said = ({kind, ...decision}: Decision): string => `${kind}: ${'actions' in decision ? (decision.actions ?? []).map((action) => `${action.type} ${'pod' in action && typeof action.pod !== 'string' ? (action.pod).metadata?.name ?? '' : ''}`.trim()).join(', ') : 'message' in decision ? decision.message : 'why' in decision ? decision.why : ''}`;
const stepOf = (observation: Observation) => {
  const next = nextStep(observation);
  return next === undefined ? 'over' : `${next.name} ${said(next.decision)}`;
};
const leads = (index: number): OrdinalOptions => ({probe: answers(index, 3, {leader: idOf(0)}), object: ownPodOf(index, {uid: `again-${index}`})});

describe('a restart', () => {
  const deadlock = {ordinals: [alone(0), noPod, noPod]};
  it('makes the pods that are missing, each written down before', () => {
    const observation = running(deadlock);
    const next = nextStep(observation);
    assert.equal(stepOf(observation), 'Restart act: CreatePod etcd-1, CreatePod etcd-2');
    if (next?.decision.kind === 'act') next.decision.record?.(observation.status);
    assert.deepEqual(observation.status.run?.restarted?.map(({pod: name}) => name), ['etcd-1', 'etcd-2']);
  });

  it('makes no pod whose last process may still run', () => {
    assert.match(stepOf(running(deadlock, {status: {members: [seenToEnd(0), recordOf(1), seenToEnd(2)]}})), /^Restart act: CreatePod etcd-2$/);
  });

  it('touches nothing once a quorum serves, and says so', () => {
    const observation = running({ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true}, {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), leads(1), leads(2)], more: {linearizable: true}});
    assert.match(stepOf(observation), /^Restart done: a quorum serves again: etcd-1, etcd-2/);
  });

  it('stops one pod of a broken rollout after the other, each once the one before runs', () => {
    const broken = {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true};
    assert.equal(stepOf(running(broken)), 'Restart act: StopPod etcd-0');
    const restarted = [{pod: 'etcd-0', podUID: 'new-0', at: new Date(now).toISOString()}];
    const [, second, third] = broken.ordinals;
    assert.match(stepOf(running(broken, {ordinals: [pod(0, {uid: 'again-0', statuses: [waits('ErrImagePull')]}), second ?? {}, third ?? {}]}, {restarted})), /^Restart wait/);
    assert.equal(stepOf(running(broken, {ordinals: [alone(0), second ?? {}, third ?? {}].map((one, index) => (index === 0 ? {...alone(0), object: ownPodOf(0, {uid: 'again-0'})} : one))}, {restarted})), 'Restart act: StopPod etcd-1');
  });

  it('takes a pod that it stopped away once its end is reported, and makes it again', () => {
    const broken = {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), noPod, noPod]};
    const restarted = [0, 1, 2].map((index) => ({pod: `etcd-${index}`, ...(index === 0 && {podUID: 'new-0'}), at: new Date(now).toISOString()}));
    const up = [alone(1), alone(2)];
    const stopped = pod(0, {deleting: true, finalizers: ['quorumrecovery.io/fence'], statuses: [ended()], phase: 'Failed', revision: 'rev-0'});
    assert.equal(stepOf(running(broken, {ordinals: [stopped, ...up]}, {restarted})), 'Restart act: ReleasePod etcd-0');
    assert.equal(stepOf(running(broken, {ordinals: [noPod, ...up]}, {restarted})), 'Restart act: CreatePod etcd-0');
  });

  it('makes no pod on a disk that is not its member\'s any more', () => {
    assert.equal(stepOf(running(deadlock, {}, {offline: [facts(0), facts(1), {pod: 'etcd-2', stage: 'Planning', data: 'Empty'}]})), 'Restart act: CreatePod etcd-1');
  });

  it('makes a pod on a claim that only it may read, if its member was seen on it', () => {
    const set = newSet(3, {podManagementPolicy: 'Parallel', volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {accessModes: ['ReadWriteOncePod']}}]});
    const taken = {set, ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], run: {offline: []}};
    const restarted = [{pod: 'etcd-0', podUID: 'new-0', at: new Date(now).toISOString()}];
    const [, ...others] = taken.ordinals;
    assert.equal(stepOf(running(taken, {ordinals: [noPod, ...others]}, {restarted})), 'Restart act: CreatePod etcd-0');
    assert.match(stepOf(running(taken, {ordinals: [{...noPod, claimUID: 'another'}, ...others]}, {restarted})), /^Restart wait: etcd-0 is not made, because the data of its member is not known/);
  });

  it('lets the end of a pod that never ran prove nothing of the one before it', () => {
    const broken = {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), noPod, noPod]};
    const restarted = [0, 1, 2].map((index) => ({pod: `etcd-${index}`, ...(index === 0 && {podUID: 'new-0'}), at: new Date(now).toISOString()}));
    const stopped = pod(0, {deleting: true, finalizers: ['quorumrecovery.io/fence'], statuses: [waits('ErrImagePull')], phase: 'Failed', revision: 'rev-0'});
    const ordinals = [stopped, alone(1), alone(2)];
    assert.match(stepOf(running(broken, {ordinals, status: {members: [recordOf(0), seenToEnd(1), seenToEnd(2)]}}, {restarted})), /^Restart wait: etcd-0 ran on node-0 and nobody saw it end/);
    const proven = running(broken, {ordinals}, {restarted});
    const next = nextStep(proven);
    assert.equal(stepOf(proven), 'Restart act: ReleasePod etcd-0');
    if (next?.decision.kind === 'act') next.decision.record?.(proven.status);
    assert.equal(proven.status.members?.[0]?.fenced?.podUID, 'pod-uid-0');
    const standing = running(broken, {ordinals: broken.ordinals, status: {members: [recordOf(0), seenToEnd(1), seenToEnd(2)]}});
    assert.equal(stepOf(standing), 'Restart act: CreatePod etcd-1, CreatePod etcd-2');
  });

  it('takes a pod that has no node away without force: it may have got one meanwhile', () => {
    const left = pod(1, {gated: true, phase: 'Pending', statuses: [], annotations: {'quorumrecovery.io/run': 'run-0'}});
    const next = nextStep(running({ordinals: [alone(0), left, noPod]}));
    assert.ok(next?.decision.kind === 'act');
    assert.deepEqual(next.decision.actions.map((action) => [action.type, 'force' in action && action.force]), [['ReleasePod', false], ['CreatePod', false]]);
  });

  it('makes what it has stopped again, also where a person ends the run', () => {
    const broken = {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), noPod, noPod]};
    const restarted = [{pod: 'etcd-0', podUID: 'new-0', at: new Date(now).toISOString()}];
    const observation = running(broken, {ordinals: [noPod, noPod, noPod]}, {restarted, aborted: {reason: 'Paused', message: 'spec.paused is set'}});
    assert.equal(stepOf(observation), 'LetGo act: CreatePod etcd-0');
  });

  describe('that has written down a pod which it never came to stop', () => {
    const broken = {ordinals: [stands(0, 'ErrImagePull', 'rev-0'), stands(1, 'ErrImagePull', 'rev-0'), alone(2)], parallel: true};
    const restarted = [{pod: 'etcd-0', podUID: 'new-0', at: new Date(now).toISOString()}];
    const came: OrdinalOptions = {probe: answers(0, 3, {leader: idOf(0)}), object: ownPodOf(0, {uid: 'new-0'})};

    it('leaves it alone once a quorum serves, which it may be part of', () => {
      assert.match(stepOf(running(broken, {ordinals: [came, leads(1), leads(2)], more: {linearizable: true}}, {restarted})), /^Restart done: a quorum serves again: etcd-0/);
    });
    it('leaves it alone while its etcd runs, and goes on with the next', () => {
      assert.equal(stepOf(running(broken, {ordinals: [{...alone(0), object: ownPodOf(0, {uid: 'new-0'})}, stands(1, 'ErrImagePull', 'rev-0'), alone(2)]}, {restarted})), 'Restart act: StopPod etcd-1');
    });
    it('takes the fence off it that the stop had begun with', () => {
      const half = {...came, object: ownPodOf(0, {uid: 'new-0', finalizers: ['quorumrecovery.io/fence']})};
      assert.equal(stepOf(running(broken, {ordinals: [half, leads(1), leads(2)], more: {linearizable: true}}, {restarted})), 'Restart act: DropFence etcd-0');
      const aborted = {reason: 'Paused', message: 'spec.paused is set'};
      assert.equal(stepOf(running(broken, {ordinals: [half, leads(1), leads(2)]}, {restarted, aborted})), 'LetGo act: DropFence etcd-0');
    });
    it('stops it as long as it stands as it did', () => {
      assert.equal(stepOf(running(broken, {ordinals: broken.ordinals}, {restarted})), 'Restart act: StopPod etcd-0');
    });
    it('lets it be where a person ends the run', () => {
      const aborted = {reason: 'Paused', message: 'spec.paused is set'};
      for (const first of [came, stands(0, 'ErrImagePull', 'rev-0')]) {
        assert.equal(stepOf(running(broken, {ordinals: [first, leads(1), leads(2)]}, {restarted, aborted})), 'LetGo done: every pod was let go');
      }
    });
  });

  it('ends for a new plan where members are lost for good meanwhile', () => {
    const gone: OrdinalOptions = {...noPod, place: {at: 'GoneNode', nodes: ['node-x']}};
    assert.match(stepOf(running(deadlock, {ordinals: [alone(0), gone, gone], nodes: [node('node-0')]})), /^Restart abort: no quorum of data is left/);
  });

  it('names what it sees where no quorum comes back in time, and waits for it', () => {
    const step = [{name: 'Plan', state: 'Done' as const}, {name: 'Restart', state: 'Running' as const, startedAt: new Date(now - 11 * 60_000).toISOString()}];
    const crashing = [alone(0), pod(1, {uid: 'again-1', statuses: [loops]}), pod(2, {uid: 'again-2', statuses: [loops]})];
    assert.match(stepOf(running(deadlock, {ordinals: crashing}, {steps: step})), /^Restart blocked: .*no quorum serves after 10m: .*CrashLoopBackOff/);
  });

  it('verifies the members that serve, and names who is away', () => {
    const steps = [{name: 'Plan', state: 'Done' as const}, {name: 'Restart', state: 'Done' as const}, {name: 'Verify', state: 'Running' as const, startedAt: new Date(now).toISOString()}];
    const crashing = pod(2, {uid: 'again-2', statuses: [loops]});
    const next = nextStep(running(deadlock, {ordinals: [leads(0), leads(1), crashing], more: {linearizable: true}}, {steps}));
    assert.ok(next?.decision.kind === 'act');
    assert.deepEqual(next.decision.actions, [{type: 'VerifyMembers', pods: ['etcd-0', 'etcd-1'], via: 'etcd-0', away: ['etcd-2']}]);
  });

  it('expects no member in the list that had been taken out before', () => {
    const steps = [{name: 'Plan', state: 'Done' as const}, {name: 'Restart', state: 'Done' as const}, {name: 'Verify', state: 'Running' as const, startedAt: new Date(now).toISOString()}];
    const crashing = pod(2, {uid: 'again-2', statuses: [loops]});
    const identity = {clusterID, version: '3.6.16', source: 'disk of etcd-0', members: members(2)};
    const next = nextStep(running(deadlock, {ordinals: [leads(0), leads(1), crashing], more: {linearizable: true}}, {steps, identity}));
    assert.ok(next?.decision.kind === 'act');
    assert.deepEqual(next.decision.actions, [{type: 'VerifyMembers', pods: ['etcd-0', 'etcd-1'], via: 'etcd-0', apart: ['etcd-2']}]);
  });

  it('plans anew where the quorum that came has gone again for as long as a check may take', () => {
    const steps = [{name: 'Plan', state: 'Done' as const}, {name: 'Restart', state: 'Done' as const}, {name: 'Verify', state: 'Running' as const, startedAt: new Date(now - 3_600_000).toISOString()}];
    const goneAgain = (unservedSince?: string, linearizable = false) => running(deadlock, {ordinals: [alone(0), noPod, noPod], more: {linearizable}}, {steps, ...(unservedSince !== undefined && {unservedSince})});
    const since = (ms: number) => new Date(now - ms).toISOString();
    const first = goneAgain();
    const next = nextStep(first);
    assert.ok(next?.decision.kind === 'record');
    next.decision.record(first.status);
    assert.equal(first.status.run?.unservedSince, since(0));
    assert.match(stepOf(goneAgain(since(590_000))), /^Verify wait: no quorum serves any more/);
    assert.match(stepOf(goneAgain(since(610_000))), /^Verify abort: for 10m no quorum serves any more: .*a new plan is made/);
    assert.match(stepOf(goneAgain(since(610_000), true)), /^Verify record: a quorum serves again/);
  });
});

describe('the record of a member that finds no quorum after its start', () => {
  it('is of the pod that runs it now, once the one before is proven to have ended', () => {
    const observation = outage({ordinals: [alone(0), noPod, noPod]});
    refreshRecords(observation.status, observation);
    assert.equal(observation.status.members?.[0]?.podUID, 'new-0');
    assert.equal(observation.status.members[0].fenced, undefined);
    assert.equal(observation.status.members[1]?.fenced?.podUID, 'pod-uid-1');
  });

  it('keeps the revision that clients may have seen of a new cluster of its own, which was lost', () => {
    const observation = outage({ordinals: [alone(0), noPod, noPod]});
    const [first] = observation.status.members ?? [];
    if (first) first.lostRevision = 1_148;
    refreshRecords(observation.status, observation);
    assert.deepEqual([observation.status.members?.[0]?.podUID, observation.status.members?.[0]?.lostRevision], ['new-0', 1_148]);
  });

  it('stays of the pod before where nobody saw that end, or where the claim is another', () => {
    const unseen = outage({ordinals: [alone(0), noPod, noPod], status: {members: [recordOf(0)]}});
    refreshRecords(unseen.status, unseen);
    assert.equal(unseen.status.members?.[0]?.podUID, 'pod-uid-0');
    const other = outage({ordinals: [{...alone(0), claimUID: 'another'}, noPod, noPod]});
    refreshRecords(other.status, other);
    assert.equal(other.status.members?.[0]?.podUID, 'pod-uid-0');
  });
});
