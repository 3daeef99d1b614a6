import assert from 'node:assert/strict';
import type {V1DaemonSet, V1Deployment, V1Pod} from '@kubernetes/client-node';
import {marks} from '../../../src/api/types.ts';
import type {DependentRecord, StepRecord} from '../../../src/api/types.ts';
import {dependentRefusal, dependentsInWords, owedBack, plannedDependents, unseenOwed} from '../../../src/decide/dependents.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {wait} from '../../../src/decide/decision.ts';
import {plannedSpecHash} from '../../../src/decide/plans/plan.ts';
import {summarize} from '../../../src/decide/summary.ts';
import {giveBackAll, keepStopped, leftStoppedInWords, returnDependents, returnMeanwhile, stopDependents} from '../../../src/decide/steps/dependents.ts';
import type {DependentView} from '../../../src/kubernetes/dependents.ts';
import {readinessOf, selectorText, writerOf} from '../../../src/kubernetes/dependents.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {goesLate} from '../../../src/phases/departing.ts';
import {startRun} from '../../../src/phases/run.ts';
import {dependentEvents} from '../../../src/phases/dependentEvents.ts';
import {node, now, observationOf, planOf, runOf, silent} from './observations.ts';

const at = new Date(now).toISOString();
const ago = (ms: number) => new Date(now - ms).toISOString();

const deployment = (replicas: number, more: Partial<NonNullable<V1Deployment['metadata']>> = {}, status: V1Deployment['status'] = {}): V1Deployment =>
  ({metadata: {name: 'api', namespace: 'db', uid: 'api-uid', resourceVersion: '7', generation: 1, ...more}, spec: {replicas, selector: {matchLabels: {app: 'api'}}, template: {}}, status});
const daemonSet = (nodeSelector: Record<string, string> = {}, status?: V1DaemonSet['status']): V1DaemonSet =>
  ({metadata: {name: 'agent', uid: 'agent-uid', generation: 1}, spec: {selector: {}, template: {spec: {containers: [], nodeSelector}}}, ...(status && {status})});

interface PodOptions {
  node?: string;
  ready?: boolean;
  phase?: string;
  unschedulable?: boolean;
}

const pod = (name: string, {node: nodeName, ready = false, phase = 'Running', unschedulable = false}: PodOptions = {}): V1Pod => ({
  metadata: {name}, spec: {containers: [], ...(nodeName !== undefined && {nodeName})},
  status: {phase, conditions: [{type: 'Ready', status: ready ? 'True' : 'False'}, ...(unschedulable ? [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable'}] : [])]},
});

const api = (replicas: number, pods: V1Pod[] = [], more: Partial<NonNullable<V1Deployment['metadata']>> = {}): DependentView => ({kind: 'Deployment', name: 'api', object: deployment(replicas, more, {observedGeneration: 1}), pods});
const agent = (nodeSelector: Record<string, string> = {}, pods: V1Pod[] = []): DependentView => ({kind: 'DaemonSet', name: 'agent', object: daemonSet(nodeSelector, {observedGeneration: 1, desiredNumberScheduled: pods.length} as V1DaemonSet['status']), pods});
const stoppedAgent = agent({[marks.stopped]: 'run-1'});

const ofApi = (more: Partial<DependentRecord> = {}): DependentRecord => ({kind: 'Deployment', name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopped', stoppedAt: at, ...more});
const ofAgent = (more: Partial<DependentRecord> = {}): DependentRecord => ({kind: 'DaemonSet', name: 'agent', uid: 'agent-uid', nodeSelector: `${marks.stopped}=run-1`, state: 'Stopped', stoppedAt: at, ...more});

const begun = (name: string, msAgo: number): StepRecord[] => [{name, state: 'Running', startedAt: ago(msAgo)}];
const done = (...names: string[]): StepRecord[] => names.map((name) => ({name, state: 'Done'}));

function looking(views: DependentView[], records: DependentRecord[] | undefined, steps: StepRecord[] = [], more: Partial<Observation> = {}): Observation {
  const spec = {dependents: [{kind: 'Deployment', name: 'api'}, {kind: 'DaemonSet', name: 'agent'}]};
  const run = runOf({plan: planOf(), steps, ...(records && {dependents: records})});
  // Two of three nodes are gone, and with them the quorum.
  return observationOf({ordinals: [{probe: silent}, {object: undefined, place: {at: 'GoneNode', nodes: ['node-1']}}, {object: undefined, place: {at: 'GoneNode', nodes: ['node-2']}}], nodes: [node('node-0')], spec, status: {run}, more: {dependents: views, ...more}});
}

/** What it would do, and the records as they stand in the status by then. */
function told(observation: Observation, decision: Decision | undefined): {does: string; records: DependentRecord[]; why: string} {
  const draft = structuredClone(observation.status);
  if (decision !== undefined && 'record' in decision) decision.record(draft);
  const does = decision === undefined ? 'nothing' : decision.kind === 'act' ? decision.actions.map((action) => `${action.type} ${'dependent' in action ? action.dependent.name : ''}${'replicas' in action ? ` ${action.replicas ?? 'its nodes'}` : ''}`).join(', ') : 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind;
  return {does, records: draft.run?.dependents ?? [], why: decision === undefined ? '' : 'why' in decision ? decision.why : decision.message};
}

const asked = (observation: Observation, step: (observation: Observation) => Decision | undefined) => told(observation, step(observation));

describe('what is stopped around the surgery', () => {
  it('is named in the plan with what it has, and one that is not there stalls with its field and name', () => {
    assert.deepEqual(plannedDependents(looking([api(1), agent({disk: 'ssd'})], undefined)), {dependents: [
      {kind: 'Deployment', name: 'api', has: '1 replica'}, {kind: 'DaemonSet', name: 'agent', has: 'nodes with disk=ssd'},
    ]});
    const missing = looking([{kind: 'Deployment', name: 'api', object: undefined, pods: []}, agent()], undefined);
    assert.match(told(missing, dependentRefusal(missing)).why, /spec\.dependents names Deployment api, and there is no Deployment api in namespace db.*Nothing was touched/);
    assert.equal(asked(missing, dependentRefusal).does, 'stalled DependentNotFound');
    const refused = looking([{kind: 'Deployment', name: 'api', object: undefined, pods: [], problem: 'cannot get deployments'}, agent()], undefined);
    assert.equal(asked(refused, dependentRefusal).does, 'blocked DependentRefused');
    assert.equal(dependentRefusal(looking([api(0), agent()], undefined)), undefined);
  });

  it('is part of what the plan was made for, and changes no plan that has none', () => {
    const {spec} = observationOf();
    assert.notEqual(plannedSpecHash(spec, 'ForceNewCluster'), plannedSpecHash({...spec, dependents: [{kind: 'Deployment', name: 'api'}]}, 'ForceNewCluster'));
    assert.equal(plannedSpecHash(spec, 'ForceNewCluster'), plannedSpecHash({...spec, dependents: undefined}, 'ForceNewCluster'));
    assert.equal(plannedSpecHash(spec, 'ReplaceMembers'), plannedSpecHash({...spec, dependents: [{kind: 'Deployment', name: 'api'}]}, 'ReplaceMembers'), 'nothing is stopped for it');
  });

  it('has its count in the status before anything is written, is stopped then, and its pods are waited for', () => {
    const first = asked(looking([api(3), agent()], undefined), stopDependents);
    assert.equal(first.does, 'record');
    assert.deepEqual(first.records, [ofApi({state: 'Stopping'}), ofAgent({state: 'Stopping'})]);
    assert.equal(asked(looking([api(3), agent()], first.records), stopDependents).does, 'StopDependent api, StopDependent agent');
    assert.equal(asked(looking([{kind: 'Deployment', name: 'api', object: undefined, pods: []}, agent()], undefined), stopDependents).does, 'stalled DependentNotFound', 'it has gone since the plan');
    const stopping = [api(0, [pod('api-1', {node: 'node-0'})]), stoppedAgent];
    assert.match(asked(looking(stopping, first.records), stopDependents).why, /waiting for the end of api-1 on node-0/);
    const end = asked(looking([api(0, [pod('api-1', {node: 'node-0', phase: 'Succeeded'})]), stoppedAgent], first.records), stopDependents);
    assert.equal(end.does, 'done');
    assert.deepEqual(end.records.map(({state}) => state), ['Stopped', 'Stopped']);
  });

  it('that is a DaemonSet which an earlier run had to leave stopped gets this run\'s mark, and is brought back by it', () => {
    const left = agent({[marks.stopped]: 'run-0'});
    const {records} = asked(looking([api(3), left], undefined), stopDependents);
    const stopping = looking([api(0), left], records);
    assert.equal(asked(stopping, stopDependents).does, 'StopDependent agent');
    assert.equal(asked(looking([api(0), stoppedAgent], records), stopDependents).does, 'done');
    const after = looking([api(3), stoppedAgent], [ofApi({state: 'Returned', returnedAt: at, readyAt: at}), ofAgent()]);
    assert.equal(asked(after, returnDependents).does, 'ReturnDependent agent its nodes');
  });

  it('does not wait for pods on nodes that are not Ready, nor longer than verification.timeout for others, and says so', () => {
    const silentPods = looking([api(0, [pod('api-1', {node: 'node-9'})]), stoppedAgent], [ofApi(), ofAgent()]);
    assert.match(asked(silentPods, stopDependents).why, /On nodes that are not Ready.*api-1 on node-9/);
    const late = looking([api(0, [pod('api-1', {node: 'node-0'})]), stoppedAgent], [ofApi(), ofAgent()], begun('StopDependents', 601_000));
    assert.match(asked(late, stopDependents).why, /api-1 on node-0 had not ended after 10m: the recovery of etcd does not wait longer/);
  });

  it('is stopped once more when somebody starts it, whose count is the one that is given back', () => {
    const before = done('StopDependents');
    const by = {managedFields: [{manager: 'argocd-controller', fieldsV1: {'f:spec': {'f:replicas': {}}}, time: new Date(now)}, {manager: 'old', fieldsV1: {'f:spec': {'f:replicas': {}}}, time: new Date(now - 1_000)}]};
    const again = asked(looking([api(5, [], by), stoppedAgent], [ofApi({stoppedAt: ago(60_000)}), ofAgent()], before), (observation) => keepStopped(observation, 'Hold'));
    assert.equal(again.does, 'StopDependent api');
    assert.deepEqual(again.records[0], ofApi({state: 'Stopping', replicas: 5, startedAgain: 1, startedBy: 'argocd-controller'}));
    // A count that changed between the record and the stop is no fight.
    const raced = asked(looking([api(4), stoppedAgent], [ofApi({state: 'Stopping'}), ofAgent()]), stopDependents);
    assert.deepEqual(raced.records[0], ofApi({state: 'Stopping', replicas: 4}));
    const taken = asked(looking([api(0), agent()], [ofApi(), ofAgent()], before), (observation) => keepStopped(observation, 'Stop'));
    assert.equal(taken.does, 'StopDependent agent');
  });

  it('holds nothing up for longer than verification.timeout where somebody starts it again and again, and is stopped every 10 s at most', () => {
    const by = {managedFields: [{manager: 'keda', fieldsV1: {'f:spec': {'f:replicas': {}}}, time: new Date(now)}]};
    const views = [api(2, [pod('api-1', {node: 'node-0'})], by), stoppedAgent];
    const stopping = (steps: StepRecord[], msAgo: number) => asked(looking(views, [ofApi({startedAgain: 7, stoppedAt: ago(msAgo)}), ofAgent()], steps), stopDependents);
    assert.equal(stopping(begun('StopDependents', 60_000), 10_000).does, 'StopDependent api');
    const soon = stopping(begun('StopDependents', 60_000), 1_000);
    assert.deepEqual([soon.does, soon.why], ['wait', 'waiting for the next try, once in 10 s, to stop Deployment api (started by keda)']);
    assert.equal(stopping(begun('StopDependents', 601_000), 10_000).does, 'StopDependent api');
    const late = stopping(begun('StopDependents', 601_000), 1_000);
    assert.equal(late.does, 'done');
    assert.match(late.why, /Not so Deployment api \(started by keda\): it was still asked to run after 10m/);
    const forcing = (msAgo: number, stoppedAgo: number) => asked(looking(views, [ofApi({startedAgain: 7, stoppedAt: ago(stoppedAgo)}), ofAgent()], [...done('StopDependents'), ...begun('Force', msAgo)]), (observation) => keepStopped(observation, 'Force')).does;
    assert.deepEqual([forcing(60_000, 1_000), forcing(601_000, 10_000), forcing(601_000, 1_000)], ['wait', 'StopDependent api', 'nothing']);
    // Nor where the API server refuses the stop: it is still said to be stopping.
    const refused = [ofApi({state: 'Stopping', refused: 'forbidden', stoppedAt: ago(1_000)}), ofAgent()];
    assert.match(asked(looking(views, refused, begun('StopDependents', 60_000)), stopDependents).why, /the API server refuses to stop it: forbidden/);
    const over = asked(looking(views, refused, begun('StopDependents', 601_000)), stopDependents);
    assert.deepEqual([over.does, over.records.map(({state}) => state)], ['done', ['Stopping', 'Stopped']]);
    assert.equal(asked(looking(views, refused, done('StopDependents')), (observation) => keepStopped(observation, 'Hold')).does, 'nothing');
  });

  it('has no pod left when the force begins, and is left alone from the survivor on', () => {
    const left = [api(0, [pod('api-1', {node: 'node-0'})]), stoppedAgent];
    assert.equal(asked(looking(left, [ofApi(), ofAgent()], done('StopDependents')), (observation) => keepStopped(observation, 'Force')).does, 'wait');
    assert.equal(asked(looking(left, [ofApi(), ofAgent()], done('StopDependents')), (observation) => keepStopped(observation, 'Stop')).does, 'nothing');
    assert.equal(asked(looking([api(2), agent()], [ofApi(), ofAgent()], done('StopDependents', 'StartSurvivor')), (observation) => keepStopped(observation, 'Decommission')).does, 'nothing');
  });

  it('comes back in order, each awaited Ready before the next, and once only', () => {
    const serving = done('StopDependents', 'StartSurvivor');
    const first = asked(looking([api(0), stoppedAgent], [ofApi(), ofAgent()], serving), returnDependents);
    assert.equal(first.does, 'ReturnDependent api 3');
    assert.equal(first.records[0]?.state, 'Returning');
    // Killed before or after the write: it is looked at.
    assert.equal(asked(looking([api(0), stoppedAgent], [ofApi({state: 'Returning'}), ofAgent()], serving), returnDependents).does, 'ReturnDependent api 3');
    const written = asked(looking([api(3), stoppedAgent], [ofApi({state: 'Returning'}), ofAgent()], serving), returnDependents);
    assert.deepEqual([written.does, written.records[0]?.state], ['record', 'Returned']);
    const back = ofApi({state: 'Returned', returnedAt: at});
    const coming = [pod('api-1', {node: 'node-0', ready: true}), pod('api-2', {node: 'node-0'}), pod('api-3', {node: 'node-0'})];
    assert.match(asked(looking([api(3, coming), stoppedAgent], [back, ofAgent()], serving), returnDependents).why, /Deployment api is coming up: 1 of 3 pods Ready/);
    // A person who stops it again after its return is not overruled.
    assert.equal(asked(looking([api(0), stoppedAgent], [back, ofAgent()], serving), returnDependents).records[0]?.readyAt, at);
    assert.equal(asked(looking([api(3, coming), stoppedAgent], [{...back, readyAt: at}, ofAgent()], serving), returnDependents).does, 'ReturnDependent agent its nodes');
    assert.equal(asked(looking([], [{...back, readyAt: at}, ofAgent({state: 'Returned', readyAt: at})], serving), returnDependents).why, 'back: Deployment api (3 replicas); DaemonSet agent');
  });

  it('is not waited for longer than verification.timeout, nor for pods that no node takes, and that is said', () => {
    const serving = done('StartSurvivor');
    const late = asked(looking([api(3, [pod('api-1', {node: 'node-0'})]), stoppedAgent], [ofApi({state: 'Returned', returnedAt: ago(601_000)}), ofAgent()], serving), returnDependents);
    assert.match(late.records[0]?.message ?? '', /not Ready 10m after its return: 0 of 3 pods were. The next was brought back all the same/);
    const few = asked(looking([api(3, [pod('api-1', {node: 'node-0', ready: true}), pod('api-2', {unschedulable: true}), pod('api-3', {unschedulable: true})]), stoppedAgent], [ofApi({state: 'Returned', returnedAt: at}), ofAgent()], serving), returnDependents);
    assert.equal(few.records[0]?.message, '1 of 3 pods were Ready, no Ready node takes 2');
    const gone = asked(looking([stoppedAgent], [ofApi(), ofAgent()], serving), returnDependents);
    assert.equal(gone.records[0]?.message, 'it was deleted in the middle of the run');
  });

  it('comes back beside whatever a join waits for or tries, and one that is refused keeps no join from its turn', () => {
    const serving = done('StartSurvivor');
    const waiting = wait('etcd-1 is coming up');
    const adding: Decision = {kind: 'act', actions: [], why: 'adding etcd-1 as learner'};
    const both = (records: DependentRecord[]) => [waiting, adding].map((instead) => asked(looking([api(0), stoppedAgent], records, serving), (observation) => returnMeanwhile(observation, instead)).does);
    assert.deepEqual(both([ofApi(), ofAgent()]), ['ReturnDependent api 3', 'ReturnDependent api 3']);
    const refused = ofApi({state: 'Returning', refused: 'forbidden'});
    assert.deepEqual(both([refused, ofAgent()]), ['ReturnDependent agent its nodes', 'ReturnDependent agent its nodes'], 'the refused one comes last');
    assert.deepEqual(both([refused, ofAgent({state: 'Returned', readyAt: at})]), ['ReturnDependent api 3', 'nothing']);
    const stands = (reason: 'CredentialsRejected' | 'SurvivorNotServing', records: DependentRecord[]) => asked(looking([api(0), stoppedAgent], records, serving), (observation) => returnMeanwhile(observation, {kind: 'blocked', reason, message: ''})).does;
    assert.deepEqual([stands('CredentialsRejected', [ofApi(), ofAgent()]), stands('CredentialsRejected', [refused]), stands('SurvivorNotServing', [ofApi(), ofAgent()])], ['ReturnDependent api 3', 'nothing', 'nothing']);
    assert.equal(asked(looking([api(0), stoppedAgent], [ofApi(), ofAgent()], done('EndForce')), (observation) => returnMeanwhile(observation, waiting)).does, 'nothing');
    assert.equal(asked(looking([api(0), stoppedAgent], [ofApi(), ofAgent()], serving), (observation) => returnMeanwhile(observation, {kind: 'blocked', reason: 'SurvivorNotServing', message: ''})).does, 'nothing');
  });

  it('comes back while members join a cluster that was made anew, once what is loaded is loaded and checked, and not before', () => {
    const joining = (...names: string[]) => {
      const observation = looking([api(0), stoppedAgent], [ofApi(), ofAgent()], [...done(...names), ...(['Check', 'Join etcd-3'].filter((name) => !names.includes(name)).map((name) => ({name, state: 'Pending' as const})))]);
      if (observation.status.run) observation.status.run.newCluster = {attempt: 1, members: ['etcd-0'], clusterID: 'c2', seeded: ['etcd-0'], servedAt: at};
      return asked(observation, (one) => returnMeanwhile(one, wait('etcd-3 is coming up'))).does;
    };
    assert.equal(joining('StartEmpty', 'Load', 'Check'), 'ReturnDependent api 3');
    assert.equal(joining('StartEmpty', 'Load'), 'nothing');
  });

  it('comes back at once and together where a run is interrupted, by what this run has taken and nothing else', () => {
    const back = asked(looking([api(0), stoppedAgent], [ofApi(), ofAgent()]), giveBackAll);
    assert.equal(back.does, 'ReturnDependent api 3, ReturnDependent agent its nodes');
    assert.equal(giveBackAll(looking([], [ofApi({state: 'Returned'}), ofAgent({state: 'Returned'})])), undefined);
    // It was at 0 before the run, is another object by now, or was stopped by another run.
    for (const [view, record] of [[api(0), ofApi({replicas: 0})], [api(0, [], {uid: 'another'}), ofApi()], [agent({[marks.stopped]: 'run-9'}), ofAgent()]] as const) {
      const alone = asked(looking([view], [record]), giveBackAll);
      assert.deepEqual([alone.does, alone.records[0]?.state], ['record', 'Returned']);
    }
    const going = looking([api(0), stoppedAgent], [ofApi(), ofAgent()]);
    assert.deepEqual(owedBack(going).map(({type}) => type), ['ReturnDependent', 'ReturnDependent']);
    assert.deepEqual(owedBack({...going, namespaceGoing: true}), []);
  });

  it('that is refused keeps etcd from no verification: once the step is overdue the run goes on, and its end says how to bring it back', () => {
    const refused = [ofApi({state: 'Returning', refused: 'forbidden'}), ofAgent({state: 'Returning', refused: 'webhook'})];
    const returning = (msAgo: number, view = api(0)) => asked(looking([view, stoppedAgent], refused, [...done('StartSurvivor'), ...begun('ReturnDependents', msAgo)]), returnDependents);
    const trying = returning(60_000);
    assert.equal(trying.does, 'ReturnDependent api 3, ReturnDependent agent its nodes');
    assert.deepEqual(trying.records, refused, 'nothing is written before it succeeds');
    const over = returning(601_000);
    assert.equal(over.does, 'done');
    assert.match(over.why, /Deployment api \(3 replicas\): not brought back, as the API server refuses it: forbidden\. By hand: kubectl -n db scale deployment api --replicas=3; DaemonSet agent: .*webhook\. By hand: kubectl -n db patch daemonset agent --type=merge -p '\{.*:null/);
    assert.deepEqual(over.records.map(({state, refused: why}) => [state, why]), [['Returning', 'forbidden'], ['Returning', 'webhook']]);
    assert.match(dependentsInWords(runOf({dependents: over.records})), /not brought back.*By hand/);
    assert.equal(returning(601_000, api(3)).does, 'ReturnDependent agent its nodes', 'somebody has brought the other one back');
    // Beside the rest of the run it is tried still, and what was said of it is over then.
    const late = told(looking([api(3), stoppedAgent], over.records, done('StartSurvivor', 'ReturnDependents')), returnMeanwhile(looking([api(3), stoppedAgent], over.records, done('StartSurvivor', 'ReturnDependents')), wait('verifying')));
    assert.deepEqual(late.records[0], ofApi({state: 'Returned', returnedAt: at}));
  });

  it('that is refused keeps no run from its end either: once letting go is overdue it ends, and says what stays stopped', () => {
    const refused = [ofApi({state: 'Returning', refused: 'forbidden'}), ofAgent({state: 'Returning', refused: 'webhook'})];
    const letting = (msAgo: number, records = refused, view = api(0)) => asked(looking([view, stoppedAgent], records, begun('LetGo', msAgo)), giveBackAll);
    assert.equal(letting(60_000).does, 'ReturnDependent api 3, ReturnDependent agent its nodes');
    const over = letting(601_000);
    assert.equal(over.does, 'record');
    assert.match(over.records[0]?.message ?? '', /^not brought back, as the API server refuses it: forbidden\. By hand: kubectl -n db scale deployment api --replicas=3$/);
    assert.equal(letting(602_000, over.records).does, 'nothing', 'nothing more is waited for');
    assert.deepEqual(dependentEvents({run: runOf({dependents: refused})}, {run: runOf({dependents: over.records})}).map(({reason}) => reason), ['DependentNotReady', 'DependentNotReady']);
    assert.equal(letting(601_000, refused, api(3)).does, 'ReturnDependent agent its nodes', 'somebody has brought the other one back');
    // The next run finds it at 0, and gives it what it had before.
    const draft: Observation['status'] = {run: runOf({dependents: over.records, finishedAt: at})};
    startRun(draft, observationOf().spec, now);
    assert.deepEqual(draft.run?.leftStopped, [{kind: 'Deployment', name: 'api', uid: 'api-uid', replicas: 3}]);
    const looked = looking([api(0), agent()], undefined);
    const next = told(looked, stopDependents({...looked, status: {run: {...draft.run, ...looked.status.run}}}));
    assert.equal(next.records[0]?.replicas, 3);
  });

  it('that is refused keeps no resource from going for ever, and is told with the command that brings it back', () => {
    const going = looking([api(0), agent()], [ofApi({refused: 'forbidden'}), ofAgent()]);
    assert.equal(leftStoppedInWords(going), 'Deployment api (3 replicas) stays stopped, as the API server refuses: forbidden. By hand: kubectl -n db scale deployment api --replicas=3');
    assert.equal(leftStoppedInWords(looking([api(3), agent()], [ofApi(), ofAgent()])), '');
    const deleted = (msAgo: number): Observation => ({...going, resource: {...going.resource, metadata: {...going.resource.metadata, deletionTimestamp: new Date(now - msAgo)}}});
    assert.deepEqual([goesLate(going), goesLate(deleted(60_000)), goesLate(deleted(601_000))], [false, false, true]);
  });

  it('stays owed, and says why, as long as it may not be looked at: that proves neither its end nor its return', () => {
    const unseen: DependentView = {kind: 'Deployment', name: 'api', object: undefined, pods: [], problem: 'cannot get deployments'};
    const serving = done('StartSurvivor');
    const first = asked(looking([unseen, stoppedAgent], [ofApi(), ofAgent({state: 'Returned', readyAt: at})], serving), returnDependents);
    assert.deepEqual([first.does, first.records[0]], ['record', ofApi({state: 'Returning', refused: 'cannot get deployments'})]);
    assert.equal(asked(looking([unseen, stoppedAgent], [ofApi({state: 'Returning', refused: 'cannot get deployments'}), ofAgent({state: 'Returned', readyAt: at})], serving), returnDependents).does, 'wait');
    const seen = asked(looking([api(3), stoppedAgent], [ofApi({state: 'Returning', refused: 'cannot get deployments'}), ofAgent({state: 'Returned', readyAt: at})], serving), returnDependents);
    assert.deepEqual(seen.records[0], ofApi({state: 'Returned', returnedAt: at}));
    const together = asked(looking([unseen, stoppedAgent], [ofApi(), ofAgent()]), giveBackAll);
    assert.deepEqual([together.does, together.records[0]?.refused], ['ReturnDependent agent its nodes', 'cannot get deployments']);
    const back = ofApi({state: 'Returned', returnedAt: at});
    assert.equal(asked(looking([unseen], [back], serving), returnDependents).does, 'wait');
    assert.equal(asked(looking([unseen, stoppedAgent], [ofApi({state: 'Stopping'}), ofAgent()], begun('StopDependents', 1_000)), stopDependents).does, 'wait');
    const going = looking([unseen, stoppedAgent], [ofApi(), ofAgent()]);
    assert.match(unseenOwed(going), /may not look at Deployment api, which the run has stopped: cannot get deployments/);
    assert.equal(unseenOwed({...going, namespaceGoing: true}), '');
    assert.equal(unseenOwed(looking([unseen], [back])), '');
  });

  it('is named at the end of a run that was let go, where its return was not as it should be', () => {
    const status = {run: runOf({outcome: 'Released', finishedAt: at, aborted: {reason: 'Paused', message: 'spec.paused is set'}, dependents: [ofApi({state: 'Returned', message: 'it was deleted in the middle of the run'})]})};
    const draft = structuredClone(status) as Observation['status'];
    summarize(draft, {at: 'watching'}, 1, now);
    assert.equal(draft.conditions?.find(({type}) => type === 'Ready')?.message, `spec.paused is set${dependentsInWords(status.run)}`);
    assert.deepEqual(dependentEvents({}, {run: status.run}).map(({reason}) => reason), ['DependentNotReady']);
  });

  it('does not count as back for 20 s after a stop was written down whose call may be on its way', () => {
    const recent = (state: DependentRecord['state'], ms: number) => ofApi({state, stoppedAt: new Date(now - ms).toISOString()});
    const does = (record: DependentRecord) => asked(looking([api(3)], [record]), giveBackAll).does;
    assert.equal(does(recent('Stopping', 19_999)), 'wait');
    assert.equal(does(recent('Stopping', 20_000)), 'record', 'no call is on its way for so long');
    assert.equal(does(recent('Stopped', 0)), 'record', 'the call was answered');
    // One that is stopped is brought back at once, beside one that is waited for.
    const both = asked(looking([api(3), stoppedAgent], [recent('Stopping', 0), ofAgent({state: 'Stopping', stoppedAt: new Date(now).toISOString()})]), giveBackAll);
    assert.equal(both.does, 'ReturnDependent agent its nodes');
  });

  it('is Ready by its pods on Ready nodes, once its controller has seen its spec', () => {
    const onReady = () => true;
    const three = [1, 2, 3].map((index) => pod(`api-${index}`, {node: 'node-0', ready: true}));
    assert.equal(readinessOf(api(3, three), onReady).is, true);
    assert.equal(readinessOf(api(3, three, {generation: 2}), onReady).is, false);
    assert.equal(readinessOf(api(0), onReady).is, true);
    assert.deepEqual(readinessOf(agent({}, [pod('agent-1', {node: 'node-0', ready: true}), pod('agent-2', {node: 'node-1'})]), ({spec}) => spec?.nodeName === 'node-0'), {ready: 1, wanted: 2, without: 1, is: true});
    assert.equal(selectorText({matchLabels: {app: 'api'}, matchExpressions: [{key: 'tier', operator: 'In', values: ['a', 'b']}, {key: 'old', operator: 'DoesNotExist'}, {key: 'x', operator: 'Exists'}, {key: 'y', operator: 'NotIn', values: ['z']}]}), 'app=api,tier in (a,b),!old,x,y notin (z)');
    assert.equal(writerOf(api(1)), undefined);
  });
});
