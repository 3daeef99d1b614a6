import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {storageNotes} from '../../../src/decide/plans/preflight.ts';
import {noStorage} from '../../../src/observe/storage.ts';
import {decommission} from '../../../src/decide/steps/decommission.ts';
import {endForce, force} from '../../../src/decide/steps/force.ts';
import {forceMayHaveBegun} from '../../../src/decide/steps/forceHelper.ts';
import {hold} from '../../../src/decide/steps/hold.ts';
import {inspect} from '../../../src/decide/steps/inspect.ts';
import {plan as planning} from '../../../src/decide/steps/plan.ts';
import {release} from '../../../src/decide/steps/release.ts';
import {stop} from '../../../src/decide/steps/stop.ts';
import {startSurvivor} from '../../../src/decide/steps/survivor.ts';
import {askedByProof, restartProof} from '../../../src/decide/steps/verify.ts';
import {answers, clusterID, ended, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, recordOf, running, runOf, waiting} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const held = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const heldHere = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark})});
const identity = {clusterID, version: '3.6.16', members: members(3), source: 'member list of etcd-0'};
const fenced = {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-0', at: new Date(now).toISOString()};
const records = [recordOf(0, {fenced}), recordOf(1), recordOf(2)];
const facts = (index: number) => ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Present' as const, memberID: idOf(index), clusterID, members: members(3)});

const planned = (more: Partial<Run> = {}, candidates = ['etcd-0']): Run => runOf({
  identity, offline: [facts(0)],
  plan: planOf({candidates}),
  ...more,
});

/** Every name is held, the survivor's disk is within reach, the nodes of the others are deleted. */
const ready = (run = planned(), more: ObservationOptions = {}): ObservationOptions =>
  ({ordinals: [heldHere(0), held(1), held(2)], nodes: [node('node-0')], status: {members: records, run, heldPods: ['etcd-0', 'etcd-1', 'etcd-2']}, ...more});

const told = (decision: Decision): string => ('reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind);

describe('after the force has begun', () => {
  const begun = planned({offline: [facts(0), facts(1)], force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}, steps: [{name: 'Force', state: 'Running'}]});
  const back = ready(begun, {ordinals: [heldHere(0), heldHere(1), held(2)], nodes: [node('node-0'), node('node-1')]});
  it('nothing is let go when old members are within reach again: another attempt goes on', () => {
    const next = nextStep(observationOf(back));
    assert.equal(next && told(next.decision), 'CreatePod');
  });
  it('no step ends the run, whatever it says', () => {
    const next = nextStep(observationOf({...back, status: {...back.status, run: {...begun, steps: [{name: 'Inspect', state: 'Running'}]}}}));
    assert.equal(next && told(next.decision), 'blocked QuorumOfDataIntact');
  });
  it('a member of the new cluster whose pod has gone is made again where its controller waits for a held one', () => {
    const ordered = newSet(3, {podManagementPolicy: 'OrderedReady'});
    const ended = planned({force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, endedAt: new Date(now).toISOString()}, plan: planOf({survivor: 'etcd-2', candidates: ['etcd-2']}), steps: [{name: 'Join etcd-0', state: 'Running'}]});
    const of = (set: typeof ordered) => {
      const next = nextStep(observationOf({set, ordinals: [held(0), held(1), {object: undefined}], nodes: [node('node-2')], status: {members: records, run: ended, heldPods: ['etcd-0', 'etcd-1']}}));
      return next?.decision.kind === 'act' && next.decision.actions.map((action) => (action.type === 'CreatePod' ? `${action.pod.metadata?.name ?? ''} ${(action.pod.spec?.schedulingGates ?? []).length}` : action.type)).join();
    };
    assert.equal(of(ordered), 'etcd-2 0');
    assert.notEqual(of(newSet(3, {podManagementPolicy: 'Parallel'})), 'etcd-2 0');
  });
});

describe('before the force', () => {
  const back = ready(planned({offline: [facts(0), facts(1)]}), {ordinals: [heldHere(0), heldHere(1), held(2)], nodes: [node('node-0'), node('node-1')]});
  for (const [name, step] of [['Hold', hold], ['Stop', stop], ['Inspect', inspect], ['Force', force]] as const) {
    it(`${name} lets everything go when a quorum of data is within reach again`, () => { assert.equal(told(step(observationOf(back))), 'abort QuorumOfDataIntact'); });
  }
  it('a member whose disk nobody has read counts as within reach', () => {
    assert.equal(told(force(observationOf({...back, status: {members: records, run: planned()}}))), 'abort QuorumOfDataIntact');
  });
  it('the forced start is made only while the fencing rule holds', () => {
    assert.equal(told(force(observationOf(ready()))), 'CreatePod');
    const again = [node('node-0'), node('node-1', {uid: 'again'}), node('node-2', {uid: 'again'})];
    assert.equal(told(force(observationOf(ready(planned(), {nodes: again})))), 'blocked FencingUnproven');
  });
  it('the forced start is not made of a survivor that only a person calls stopped', () => {
    const named = [recordOf(0, {fenced: {...fenced, by: 'LostMembers'}}), recordOf(1), recordOf(2)];
    assert.equal(told(force(observationOf({...ready(), status: {run: planned(), members: named}}))), 'blocked SurvivorNotEligible');
  });
  it('disks of two lineages, and a log that ends before the plan\'s, are nothing to start from', () => {
    const read = (index: number) => ({...facts(index), stage: 'Held' as const, members: members(5)});
    const two = planned({offline: [read(0), {...read(1), clusterID: 'c2'}]}, ['etcd-0', 'etcd-1']);
    const five = {ordinals: [heldHere(0), heldHere(1), held(2), held(3), held(4)], nodes: [node('node-0'), node('node-1')]};
    const of = (run: Run) => told(inspect(observationOf(ready({...run, identity: {...identity, members: members(5)}}, five))));
    assert.equal(of(two), 'blocked TwoLineages');
    const short = planned({offline: [0, 1].map((index) => ({...read(index), term: 5, index: 90})), plan: planOf({candidates: ['etcd-0', 'etcd-1'], lowest: {term: 0, index: 100}})});
    assert.equal(of(short), 'abort PlanChanged');
    const again = observationOf(ready({...short, identity: {...identity, members: members(5)}}, five));
    again.status.history = [{id: 'run-0', outcome: 'Released', reason: 'PlanChanged', finishedAt: new Date(now).toISOString(), durationSeconds: 1}];
    assert.equal(told(inspect(again)), 'blocked PlanChanged');
  });
  it('the intent names the attempt and the pod', () => {
    const decision = force(observationOf(ready()));
    const draft = {run: planned()};
    if ('record' in decision) decision.record(draft);
    assert.deepEqual(draft.run.force, {attempt: 1, pod: 'etcd-0-force-1'});
  });
});

describe('Planning', () => {
  const base: ObservationOptions = {
    ordinals: [{probe: answers(0, 3)}, held(1), held(2)].map((one, index) => (index === 0 ? one : {...one, object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []})})),
    nodes: [node('node-0')], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: runOf()},
  };
  it('tries its pods as a dry run and names survivor, membership and the lost in the plan', () => {
    const decision = planning(observationOf(base));
    assert.equal(told(decision), 'DryRunPods');
    const draft = {run: runOf(), members: []};
    if ('record' in decision) decision.record(draft);
    const run = draft.run;
    assert.deepEqual([run.plan?.survivor, run.identity?.clusterID, run.plan?.lost.map(({pod, fenced: by}) => `${pod} ${by}`)], ['etcd-0', clusterID, ['etcd-1 NodeDeleted', 'etcd-2 NodeDeleted']]);
    assert.deepEqual(run.steps.map(({name}) => name), ['Plan', 'Hold', 'Stop', 'Force', 'EndForce', 'StartSurvivor', 'Decommission', 'Join etcd-1', 'Join etcd-2', 'RestartProof', 'Verify', 'Release']);
  });
  it('is blocked when nobody can prove the survivor stopped, although the rule could do without it', () => {
    const again = {...base, nodes: [node('node-0', {uid: 'again'})], status: {...base.status, run: runOf({offline: [facts(0)]})}, ordinals: [{object: ownPodOf(0, {statuses: [waiting]})}, ...(base.ordinals ?? []).slice(1)]};
    assert.equal(told(planning(observationOf(again))), 'blocked FencingUnproven');
  });
  it('has the same hash for the same facts, and another when a proof is of another kind', () => {
    const hashOf = (options: ObservationOptions): string | undefined => {
      const decision = planning(observationOf(options));
      const draft = {run: runOf(), members: []};
      if ('record' in decision) decision.record(draft);
      return draft.run.plan?.hash;
    };
    assert.match(hashOf(base) ?? '', /^sha256-/);
    assert.equal(hashOf(base), hashOf({...base, status: {...base.status, run: runOf({id: 'run-2'})}}));
    const tainted = [node('node-0'), node('node-1', {ready: false, outOfService: true})];
    assert.notEqual(hashOf(base), hashOf({...base, nodes: tainted}));
  });
  const refusals: [string, ObservationOptions, string][] = [
    ['without an image of the agent', {...base, more: {agentImage: ''}}, 'AgentImageMissing'],
    ['where names of pods that are not ready are not published', {...base, more: {service: {spec: {}}}}, 'NamesNotPublished'],
    ['where etcd wants a user and none is given', {...base, more: {authEnabled: true}}, 'AuthRequired'],
    ['in the middle of a rollout', {...base, set: {...newSet(3), status: {replicas: 3, observedGeneration: 0, updateRevision: 'rev-1'}}}, 'RolloutInProgress'],
    ['for an etcd that can neither be forced cleanly nor restore', {...base, ordinals: [{probe: answers(0, 3, {version: '3.5.9'})}, ...(base.ordinals ?? []).slice(1)]}, 'VersionNotForceable'],
    ['for a survivor that has no data within reach', {...base, spec: {survivor: {pod: 'etcd-2'}}}, 'SurvivorNotEligible'],
  ];
  for (const [title, options, reason] of refusals) it(`is blocked ${title}`, () => { assert.equal(told(planning(observationOf(options))), `blocked ${reason}`); });
});

describe('Stop', () => {
  it('ends once every member is proven stopped and every name is held', () => { assert.equal(told(stop(observationOf(ready()))), 'done'); });
  it('does not end while a candidate\'s own pod may run, although the rule could do without it', () => {
    const loose = ready(planned(), {ordinals: [{object: ownPodOf(0)}, held(1), held(2)], nodes: [node('node-0', {uid: 'again'})], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned()}});
    assert.equal(told(stop(observationOf(loose))), 'blocked FencingUnproven');
  });
  it('stops a running pod gracefully, with the fence on it', () => {
    const one = ready(planned(), {ordinals: [{object: ownPodOf(0)}, held(1), held(2)]});
    assert.equal(told(stop(observationOf(one))), 'StopPod');
  });
  it('waits for a pod that is stopping', () => {
    const one = ready(planned(), {ordinals: [{object: ownPodOf(0, {deleting: true, finalizers: ['quorumrecovery.io/fence']})}, held(1), held(2)]});
    assert.equal(told(stop(observationOf(one))), 'wait');
  });
  const over = (ordinal: number) => ownPodOf(ordinal, {deleting: true, statuses: [ended()], finalizers: ['quorumrecovery.io/fence']});
  it('records the proof of a candidate, whose ended pod then keeps the name behind its fence', () => {
    const one = (status: ObservationOptions['status']) => stop(observationOf(ready(planned(), {ordinals: [{object: over(0)}, held(1), held(2)], status: status ?? {}})));
    assert.equal(told(one({members: [recordOf(0), recordOf(1), recordOf(2)], run: planned()})), 'record');
    assert.equal(told(one({members: records, run: planned()})), 'done');
  });
  it('lets the ended pod of any other member go, its proof recorded with the intent', () => {
    const members = [recordOf(0), recordOf(1), recordOf(2)];
    const decision = stop(observationOf(ready(planned(), {ordinals: [heldHere(0), {object: over(1), place: {at: 'Missing'}}, held(2)], nodes: [node('node-0'), node('node-1')], status: {members, run: planned()}})));
    assert.equal(told(decision), 'ReleasePod');
    const draft: QuorumRecoveryStatus = {members: structuredClone(members)};
    if (decision.kind === 'act') decision.record?.(draft);
    assert.equal(draft.members?.find((member) => member.pod === 'etcd-1')?.fenced?.by, 'KubeletConfirmed');
  });
  it('takes a free name with a gated own pod', () => {
    const decision = stop(observationOf(ready(planned(), {ordinals: [{object: undefined}, held(1), held(2)]})));
    assert.equal(told(decision), 'CreatePod');
    if (decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod') assert.deepEqual(decision.actions[0].pod.spec?.schedulingGates, [{name: 'quorumrecovery.io/held'}]);
  });
});

describe('after the force', () => {
  const helper = (more: Partial<V1Pod['metadata'] & object>, status: V1Pod['status'] = {containerStatuses: []}): V1Pod => ({
    metadata: {name: 'etcd-0-force-1', uid: 'f', annotations: {...mark, 'quorumrecovery.io/step': 'Force', 'quorumrecovery.io/pod': 'etcd-0'}, ...more}, spec: {containers: [], nodeName: 'node-0', restartPolicy: 'Never'}, status,
  });
  const forced = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'f'}});
  const end = (helpers: V1Pod[], run = forced): string => told(endForce(observationOf(ready(run, {more: {helpers}}))));
  const fence = {finalizers: ['quorumrecovery.io/fence']};
  const over = {phase: 'Succeeded', containerStatuses: [ended()]};
  const endedAt = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'f', endedAt: new Date(now).toISOString()}});

  it('EndForce stops the pod, waits for the kubelet, and records its end', () => {
    assert.equal(end([helper(fence)]), 'StopPod');
    assert.equal(end([helper({...fence, deletionTimestamp: new Date(now)})]), 'wait');
    const decision = endForce(observationOf(ready(forced, {more: {helpers: [helper({...fence, deletionTimestamp: new Date(now)}, over)]}})));
    const draft = {run: structuredClone(forced)};
    if (decision.kind === 'done') decision.record?.(draft);
    assert.equal(draft.run.force?.endedAt, new Date(now).toISOString());
    assert.equal(end([], endedAt), 'done');
  });
  it('EndForce takes the old pod of the survivor out of the way while it waits', () => {
    const old = ownPodOf(0, {deleting: true, statuses: [ended()], finalizers: ['quorumrecovery.io/fence']});
    const waits = {ordinals: [{object: old}, held(1), held(2)], status: {members: records, run: forced}, more: {helpers: [helper({...fence, deletionTimestamp: new Date(now)})]}};
    assert.equal(told(endForce(observationOf(ready(forced, waits)))), 'ReleasePod');
  });
  it('StartSurvivor lets the name go in the status with the intent, and the forced start while its own pod comes up', () => {
    const decision = startSurvivor(observationOf(ready(endedAt, {status: {heldPods: ['etcd-0', 'etcd-1'], members: records, run: endedAt}})));
    assert.equal(told(decision), 'UngatePod');
    const draft: QuorumRecoveryStatus = {};
    if (decision.kind === 'act') decision.record?.(draft);
    assert.deepEqual(draft.heldPods, ['etcd-1']);
    const own = ownPodOf(0, {uid: 'own', statuses: []});
    const coming = {ordinals: [{object: own}, held(1), held(2)], status: {heldPods: ['etcd-1'], members: records, run: endedAt}, more: {helpers: [helper({...fence, deletionTimestamp: new Date(now)}, over)]}};
    assert.equal(told(startSurvivor(observationOf(ready(endedAt, coming)))), 'ReleasePod');
    assert.equal(told(startSurvivor(observationOf(ready(endedAt, {...coming, more: {helpers: []}})))), 'wait');
  });
  it('EndForce is blocked when the pod is gone and nobody saw its end', () => { assert.equal(end([]), 'blocked FencingUnproven'); });
  it('Decommission tries again what an agent could not do, half a minute after its end: space may have been made', () => {
    const agent = (endedAgo: number): V1Pod => {
      const lostAgent = {...ended('Error'), name: 'volume-agent', state: {terminated: {exitCode: 1, reason: 'Error', finishedAt: new Date(now - endedAgo)}}};
      const made = helper({name: 'etcd-1-decommission-1'}, {phase: 'Failed', containerStatuses: [lostAgent]});
      return {...made, metadata: {...made.metadata, annotations: {...mark, 'quorumrecovery.io/step': 'Decommission', 'quorumrecovery.io/pod': 'etcd-1'}}};
    };
    const after = (endedAgo: number): string => told(decommission(observationOf(ready(endedAt, {
      ordinals: [{object: ownPodOf(0)}, heldHere(1), held(2)], nodes: [node('node-0'), node('node-1')], more: {helpers: [agent(endedAgo)]},
      status: {run: endedAt, heldPods: ['etcd-1', 'etcd-2'], members: [recordOf(0, {fenced}), recordOf(1, {fenced: {...fenced, podUID: 'pod-uid-1'}}), recordOf(2)]},
    }))));
    assert.equal(after(10_000), 'blocked AgentFailed');
    assert.equal(after(31_000), 'DeletePod');
  });
  it('Release takes every helper away before it ends', () => {
    const agent = {...helper({}), metadata: {...helper({}).metadata, annotations: {...mark, 'quorumrecovery.io/step': 'Decommission'}}};
    assert.equal(told(release(observationOf(ready(planned(), {more: {helpers: [agent]}})))), 'DeletePod');
    assert.equal(told(release(observationOf(ready(planned(), {more: {helpers: [helper(fence)]}})))), 'StopPod');
  });
  it('a join that has begun is ended before one that waited goes on', () => {
    const steps: Run['steps'] = [{name: 'Join etcd-1', state: 'Deferred'}, {name: 'Join etcd-2', state: 'Running'}, {name: 'Verify', state: 'Pending'}];
    const joins = [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: '', nodes: 'other'}}];
    assert.equal(nextStep(observationOf(ready(planned({steps, joins}))))?.name, 'Join etcd-2');
    const pending = steps.map((step) => (step.name === 'Join etcd-2' ? {...step, state: 'Done' as const} : step));
    assert.equal(nextStep(observationOf(ready(planned({steps: pending, joins}))))?.name, 'Join etcd-1');
  });
  const joinedSteps = (...pods: string[]): Run['steps'] => pods.map((pod) => ({name: `Join ${pod}`, state: 'Done'}));
  it('the restart proof takes the member that joined last, which may not serve yet, once all others answer', () => {
    const run = planned({steps: joinedSteps('etcd-2', 'etcd-1')});
    const proof = (two: OrdinalOptions) => restartProof(observationOf({ordinals: [{probe: answers(0, 3, {leader: 'a0'})}, {object: ownPodOf(1)}, two], status: {run, members: records}}));
    const decision = proof({probe: answers(2, 3, {leader: 'a0'})});
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'DeletePod' && decision.actions[0].pod.metadata?.name === 'etcd-1', told(decision));
    assert.equal(told(proof({object: ownPodOf(2)})), 'wait');
    assert.deepEqual(askedByProof({run}), ['etcd-0', 'etcd-2']);
    assert.deepEqual(askedByProof({run: {...run, restart: {pod: 'etcd-1', podUID: 'u'}}}), ['etcd-0', 'etcd-1']);
  });
  it('the restart proof leaves the leader alone', () => {
    const run = planned({steps: joinedSteps('etcd-1', 'etcd-2'), joins: [{pod: 'etcd-1', attempt: 1, memberID: 'b1'}, {pod: 'etcd-2', attempt: 1, memberID: 'b2'}]});
    const views: OrdinalOptions[] = [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'b2'})}));
    const decision = restartProof(observationOf({ordinals: views, status: {run, members: records}}));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'DeletePod' && decision.actions[0].pod.metadata?.name === 'etcd-1', told(decision));
  });
  it('the restart proof takes no pod that the controller could not make again', () => {
    const proof = (policy: string) => {
      const views: OrdinalOptions[] = [0, 1, 2, 3].map((index) => (index === 1 ? heldHere(1) : {probe: answers(index, 4, {leader: 'a0'})}));
      const run = planned({steps: joinedSteps('etcd-2', 'etcd-3'), joins: [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: ''}}]});
      return told(restartProof(observationOf({set: newSet(4, {podManagementPolicy: policy}), ordinals: views, status: {run, members: records}})));
    };
    assert.equal(proof('Parallel'), 'DeletePod');
    assert.equal(proof('OrderedReady'), 'done');
  });
});

describe('storage', () => {
  it('the forced start waits while a node that is gone still has the survivor\'s volume', () => {
    const volume = {metadata: {name: 'pv-0'}};
    const observation = observationOf(ready());
    const [first] = observation.ordinals;
    if (first?.data === undefined) throw new Error('no claim');
    Object.assign(first.data, {volume});
    const attached = (name: string) => told(force({...observation, storage: {...noStorage, attachments: [{volume: name, node: 'old'}]}}));
    assert.equal(attached('pv-0'), 'blocked FencingUnproven');
    assert.equal(attached('pv-1'), 'CreatePod');
  });
  it('a class that new volumes need and that does not exist is told in the plan', () => {
    const notes = (storageClassName: string | undefined, classes: {name: string; isDefault: boolean}[]) => {
      const set = newSet(3, {volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {...(storageClassName !== undefined && {storageClassName})}}]});
      return storageNotes(observationOf({set, ordinals: [{}, {place: {at: 'Missing'}}, held(2)], more: {storage: {...noStorage, classes}}}), ['etcd-1', 'etcd-2']).length;
    };
    assert.equal(notes('fast', [{name: 'fast', isDefault: false}]), 0);
    assert.equal(notes('fast', [{name: 'slow', isDefault: true}]), 2);
    assert.equal(notes(undefined, [{name: 'slow', isDefault: true}]), 0);
    assert.equal(notes(undefined, [{name: 'slow', isDefault: false}]), 2);
    assert.equal(notes('', []), 0);
  });
});

describe('the turn of the forced start', () => {
  const made = (more: Partial<V1Pod['metadata'] & object> = {}, rest: Partial<V1Pod> = {}): V1Pod => ({
    metadata: {name: 'etcd-0-force-1', uid: 'f', finalizers: ['quorumrecovery.io/fence'], ...more, annotations: {...mark, 'quorumrecovery.io/step': 'Force', 'quorumrecovery.io/pod': 'etcd-0', 'quorumrecovery.io/attempt': '1', ...more.annotations}},
    spec: {containers: [], nodeName: 'node-0', restartPolicy: 'Never'}, status: {containerStatuses: []}, ...rest,
  });
  const begun = planned({force: {attempt: 1, pod: 'etcd-0-force-1'}});
  const old = ownPodOf(0, {deleting: true, finalizers: ['quorumrecovery.io/fence']});
  const stopping = (candidates: string[], force?: Run['force']): string | undefined => {
    const run = planned({steps: [{name: 'Stop', state: 'Running'}], ...(force && {force})}, candidates);
    const next = nextStep(observationOf(ready(run, {ordinals: [{object: old}, held(1), held(2)]})));
    return next && told(next.decision);
  };
  it('the pod is made while pods are stopped, with one candidate only, and once', () => {
    assert.equal(stopping(['etcd-0']), 'CreatePod');
    const run = planned({steps: [{name: 'Stop', state: 'Running'}]});
    const next = nextStep(observationOf(ready(run, {ordinals: [{object: ownPodOf(0)}, held(1), held(2)]})));
    assert.equal(next && told(next.decision), 'StopPod,CreatePod');
    const draft = {run: structuredClone(run)};
    if (next?.decision.kind === 'act') next.decision.record?.(draft);
    assert.deepEqual(draft.run.force, {attempt: 1, pod: 'etcd-0-force-1'});
    assert.equal(stopping(['etcd-0', 'etcd-1']), 'wait');
    assert.equal(stopping(['etcd-0'], {attempt: 1, pod: 'etcd-0-force-1'}), 'wait');
  });
  it('comes only while the fencing rule holds, and is intended before it is given', () => {
    const decision = force(observationOf(ready(begun, {more: {helpers: [made()]}})));
    assert.equal(told(decision), 'GiveTurn');
    const draft = {run: structuredClone(begun)};
    if (decision.kind === 'act') decision.record?.(draft);
    assert.equal(draft.run.force?.turnGiven, true);
    const again = [node('node-0'), node('node-1', {uid: 'again'}), node('node-2', {uid: 'again'})];
    assert.equal(told(force(observationOf(ready(begun, {nodes: again, more: {helpers: [made()]}})))), 'blocked FencingUnproven');
  });
  it('before it the run can still let everything go; from its intent on it cannot', () => {
    const may = (run: Run, helpers: V1Pod[]) => forceMayHaveBegun(observationOf(ready(run, {more: {helpers}})));
    assert.equal(may(begun, [made()]), false);
    assert.equal(may(planned({force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}}), [made()]), true);
    assert.equal(may(begun, [made({annotations: {'quorumrecovery.io/turn': '1'}})]), true);
    assert.equal(may(planned({force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}}), []), true);
  });
  it('is followed by the check as soon as the agent has ended well, unless etcd cannot start', () => {
    const read = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'f', turnGiven: true}});
    const reason = (text: string) => {
      const etcd = {...waiting, state: {waiting: {reason: text}}};
      const helper = made({annotations: {'quorumrecovery.io/turn': '1'}}, {status: {podIP: '10.0.0.9', containerStatuses: [etcd]}});
      return told(force(observationOf(ready(read, {more: {helpers: [helper]}}))));
    };
    assert.equal(reason('PodInitializing'), 'CheckForced');
    assert.equal(reason('ImagePullBackOff'), 'wait');
  });
  it('is followed by the move of the revision once it was checked, with the intent in the status first, the same for each attempt', () => {
    const checked = planned({force: {attempt: 1, pod: 'etcd-0-force-1', podUID: 'f', turnGiven: true, revision: 60}});
    const helper = made({annotations: {'quorumrecovery.io/turn': '1'}}, {status: {podIP: '10.0.0.9', containerStatuses: [running]}});
    const decision = force(observationOf(ready(checked, {more: {helpers: [helper]}})));
    assert.ok(decision.kind === 'act' && decision.completes && decision.actions[0]?.type === 'MoveRevision', told(decision));
    const draft = {run: structuredClone(checked)};
    decision.record?.(draft);
    assert.deepEqual([draft.run.force?.move?.from, draft.run.force?.move?.target, decision.actions[0].target], [60, 1_060, 1_060]);
    const later = planned({force: {...draft.run.force, attempt: 1, pod: 'etcd-0-force-1', revision: 500}});
    const repeated = force(observationOf(ready(later, {more: {helpers: [helper]}})));
    assert.ok(repeated.kind === 'act' && repeated.actions[0]?.type === 'MoveRevision' && repeated.actions[0].target === 1_060, told(repeated));
    const next = force(observationOf(ready(later)));
    if (next.kind === 'act') next.record?.(draft);
    assert.deepEqual([draft.run.force?.attempt, draft.run.force?.revision, draft.run.force?.move?.target], [2, undefined, 1_060]);
  });
  describe('and the agent that refuses the disk', () => {
    const turned = planned({force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}});
    const refusing = (more: object, finishedAt = now - 60_000): V1Pod => made({annotations: {'quorumrecovery.io/turn': '1'}}, {status: {
      phase: 'Failed', containerStatuses: [waiting],
      initContainerStatuses: [{...ended(), name: 'volume-agent', state: {terminated: {exitCode: 1, finishedAt: new Date(finishedAt), message: JSON.stringify({ok: false, command: 'prepare-force', reason: 'NoSpace', message: 'm', ...more})}}}],
    }});
    const marker = {attempt: 1, pod: 'f', already: false};
    const decided = (helper: V1Pod): {decision: Decision; forced: Run['force']} => {
      const decision = force(observationOf(ready(turned, {more: {helpers: [helper]}})));
      const draft = {run: structuredClone(turned)};
      if (decision.kind === 'act') decision.record?.(draft);
      return {decision, forced: draft.run.force};
    };
    const may = (helper: V1Pod) => forceMayHaveBegun(observationOf(ready(turned, {more: {helpers: [helper]}})));
    it('is told, and the disk looked at again after a while', () => {
      assert.equal(told(decided(refusing({}, now)).decision), 'blocked AgentFailed');
      assert.equal(told(decided(refusing({})).decision), 'ReleasePod');
    });
    it('before the marker was spent: nothing has begun, and the same attempt goes on', () => {
      assert.equal(may(refusing({})), false);
      assert.deepEqual(decided(refusing({})).forced, {attempt: 1, pod: 'etcd-0-force-1'});
    });
    it('after it: only a force may start on that disk, in another attempt that counts no start', () => {
      assert.equal(may(refusing({marker})), true);
      const {forced} = decided(refusing({marker}));
      assert.deepEqual(forced, {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true, refused: [1]});
      const next = force(observationOf(ready(planned({force: forced}))));
      assert.ok(next.kind === 'act' && next.actions[0]?.type === 'CreatePod');
      assert.equal(next.actions[0].pod.metadata?.annotations?.['quorumrecovery.io/attempt'], '2');
    });
    it('without a word, as one that is killed does: it may have spent the marker', () => {
      const killed = refusing({});
      const [status] = killed.status?.initContainerStatuses ?? [];
      if (status?.state?.terminated) status.state.terminated = {exitCode: 137, reason: 'OOMKilled', finishedAt: new Date(now - 60_000)};
      assert.equal(may(killed), true);
      assert.deepEqual(decided(killed).forced?.refused, [1]);
    });
    it('in a later attempt, whatever it says: an earlier one may have forced this data', () => {
      const later = planned({force: {attempt: 2, pod: 'etcd-0-force-2', turnGiven: true}});
      assert.equal(forceMayHaveBegun(observationOf(ready(later, {more: {helpers: [refusing({})]}}))), true);
    });
    it('because another pod was there before it: that one may have forced this data, and another attempt follows', () => {
      for (const reason of ['MarkerSpent', 'AttemptSuperseded', 'RunSealed']) {
        assert.equal(may(refusing({reason})), true, reason);
        assert.deepEqual(decided(refusing({reason})).forced?.refused, [1]);
      }
    });
    it('because its log ends before the plan\'s: everything is put back, for another plan', () => {
      assert.equal(told(decided(refusing({reason: 'BehindPlan', inspect: {data: 'Present', lastEntryTerm: 5, index: 90}})).decision), 'abort PlanChanged');
    });
  });
  it('is not given to a pod that ended before it, or whose node is gone: another takes its place', () => {
    const ofForce = (helper: V1Pod) => told(force(observationOf(ready(begun, {more: {helpers: [helper]}}))));
    assert.equal(ofForce(made({}, {status: {phase: 'Failed', containerStatuses: [ended()]}})), 'ReleasePod');
    assert.equal(ofForce(made({}, {spec: {containers: [], nodeName: 'gone', restartPolicy: 'Never'}})), 'ReleasePod');
  });
});
