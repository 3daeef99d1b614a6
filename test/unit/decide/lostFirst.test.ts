import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {initialCluster, newMemberID} from '../../../src/decide/newCluster.ts';
import {memberIDOf} from '../../../src/decide/steps/common.ts';
import {recordRemoved} from '../../../src/decide/steps/lostFirst.ts';
import {startAll, startEmpty} from '../../../src/decide/steps/startAll.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {idOf, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const at = new Date(now).toISOString();
const pods = ['etcd-0', 'etcd-1', 'etcd-2'];
const cluster = initialCluster(observationOf().ordinals);
const mark = {[marks.run]: 'run-1', [marks.cluster]: cluster, [marks.turn]: 'x'};
const ids = observationOf().ordinals.map((view) => newMemberID({id: 'run-1'}, view)) as [string, string, string];

const begun = (step: 'StartAll' | 'StartEmpty', more: Partial<NonNullable<Run['newCluster']>> = {}): Run => runOf({
  plan: planOf({strategy: step === 'StartAll' ? 'RestoreSnapshot' : 'RebuildFromConfig', candidates: []}), identity: {clusterID: 'c1', version: '3.6.16', source: 'witness', members: [0, 1, 2].map((index) => ({id: idOf(index), name: `etcd-${index}`, peerURLs: []}))},
  steps: [{name: step, state: 'Running', startedAt: at}, {name: 'ReturnDependents', state: 'Pending'}, {name: 'Verify', state: 'Pending'}, {name: 'Release', state: 'Pending'}],
  newCluster: {attempt: 1, members: pods, clusterID: 'c2', seeded: pods, begunAt: at, ...more},
});
const up = (index: number): OrdinalOptions => ({object: ownPodOf(index, {uid: `new-${index}`, annotations: mark})});
const held = (index: number, place?: OrdinalOptions['place']): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: {[marks.run]: 'run-1'}}), ...(place && {place})});
const goneWith = (index: number): NonNullable<OrdinalOptions['place']> => ({at: 'GoneNode', nodes: [`node-${index}`]});
const nodes = (...there: number[]) => there.map((index) => node(`node-${index}`));

const observed = (run: Run, ordinals: OrdinalOptions[], more: ObservationOptions = {}): Observation =>
  observationOf({ordinals, status: {members: [0, 1, 2].map((index) => recordOf(index)), heldPods: [...pods], run}, ...more});

function recorded(decision: Decision, observation: Observation): Observation['status'] {
  const draft = structuredClone(observation.status);
  if (decision.kind === 'record' || decision.kind === 'act') decision.record?.(draft);
  return draft;
}

const typesIn = (decision: Decision) => (decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind);

describe('a member of the new cluster that is gone before it serves', () => {
  for (const [name, step] of [['StartAll', startAll], ['StartEmpty', startEmpty]] as const) {
    it(`${name}: is written down as lost, with its new ID, before anything is done about it`, () => {
      const observation = observed(begun(name), [up(0), up(1), {...up(2), place: goneWith(2)}], {nodes: nodes(0, 1)});
      const decision = step(observation);
      assert.equal(decision.kind, 'record');
      const {run} = recorded(decision, observation);
      assert.deepEqual(run?.newCluster?.lost?.map(({pod, memberID}) => [pod, memberID]), [['etcd-2', ids[2]]]);
      assert.deepEqual(run.newCluster.members, pods, 'it is in the list until it is taken out');
    });

    it(`${name}: has its name taken, and the proof of its end recorded, and is then taken out through those that are there`, () => {
      const lost = [{pod: 'etcd-2', memberID: ids[2], why: 'its volume was on node node-2, which is gone'}];
      const first = observed(begun(name, {lost}), [up(0), up(1), {...up(2), place: goneWith(2)}], {nodes: nodes(0, 1)});
      const taking = step(first);
      assert.equal(typesIn(taking), 'ReplacePod');
      const record = recorded(taking, first).members?.find(({pod}) => pod === 'etcd-2');
      assert.deepEqual([record?.memberID, record?.fenced?.by, record?.podUID], [ids[2], 'NodeDeleted', 'new-2']);
      const next = observed(begun(name, {lost}), [up(0), up(1), held(2, goneWith(2))], {nodes: nodes(0, 1), status: {...first.status, members: [recordOf(0), recordOf(1), ...(record ? [record] : [])]}});
      const removing = step(next);
      assert.deepEqual(removing.kind === 'act' && removing.actions, [{type: 'RemoveVoter', via: 'etcd-0', memberID: ids[2], pod: 'etcd-2', among: ['etcd-0', 'etcd-1']}]);
    });

    it(`${name}: joins afterwards like one that came too late, and its name stays held`, () => {
      const lost = [{pod: 'etcd-2', memberID: ids[2], why: 'gone'}];
      const observation = observed(begun(name, {lost}), [up(0), up(1), held(2, goneWith(2))], {nodes: nodes(0, 1)});
      recordRemoved('etcd-2')(observation.status);
      const {run, heldPods} = observation.status;
      assert.deepEqual(run?.steps.map((one) => `${one.name} ${one.state}`), [`${name} Running`, 'Join etcd-2 Pending', 'ReturnDependents Pending', 'Verify Pending', 'Release Pending']);
      assert.deepEqual([run.newCluster?.members, heldPods], [['etcd-0', 'etcd-1'], pods]);
      assert.equal(memberIDOf(observation, 'etcd-2'), ids[2], 'it is the end of the lost member that its join asks for');
      const proof = step(observation);
      assert.deepEqual(proof.kind === 'act' && proof.actions.map((action) => (action.type === 'ProveNewCluster' ? action.pods : action.type)), [['etcd-0', 'etcd-1']]);
    });

    it(`${name}: is waited for while its node is only NotReady, and is replaced on a person's word for that very member`, () => {
      const cut = [up(0), up(1), {...up(2), place: {at: 'NotReadyNode' as const, nodes: ['node-2']}}];
      const notReady = [...nodes(0, 1), node('node-2', {ready: false})];
      const waiting = step(observed(begun(name), cut, {nodes: notReady}));
      assert.ok(waiting.kind === 'wait' && waiting.why.includes('etcd-2 (node node-2 is not Ready)'), JSON.stringify(waiting));
      const late = {...observed(begun(name), cut, {nodes: notReady}), now: now + 700_000};
      const overdue = step(late);
      assert.ok(overdue.kind === 'blocked' && overdue.message.includes(`spec.lostMembers ({pod: etcd-2, memberID: ${ids[2]}})`), JSON.stringify(overdue));
      const word = (memberID: string) => step(observed(begun(name), cut, {nodes: notReady, spec: {lostMembers: [{pod: 'etcd-2', memberID}]}})).kind;
      assert.deepEqual([word(ids[2]), word(idOf(2))], ['record', 'wait'], 'a word for the old member says nothing of the new one');
    });

    it(`${name}: is no matter of opinion while it runs`, () => {
      const decision = step(observed(begun(name), [up(0), up(1), up(2)], {spec: {lostMembers: [{pod: 'etcd-2', memberID: ids[2]}]}}));
      assert.equal(typesIn(decision), 'ProveNewCluster');
    });

    it(`${name}: takes the quorum with it, and what to do is said; nothing is taken out`, () => {
      const decision = step(observed(begun(name), [up(0), {...up(1), place: goneWith(1)}, {...up(2), place: goneWith(2)}], {nodes: nodes(0)}));
      assert.ok(decision.kind === 'blocked' && decision.reason === 'NewClusterNotServing', JSON.stringify(decision));
      for (const word of ['etcd-1', 'etcd-2', 'etcd-0 cannot serve alone', '--cascade=orphan', 'delete quorumrecovery etcd']) assert.ok(decision.message.includes(word), `${word}: ${decision.message}`);
    });

    it(`${name}: does not start empty where its claim was deleted, which somebody has to say is right`, () => {
      const decision = step(observed(begun(name), [up(0), up(1), held(2, {at: 'Missing'})]));
      assert.ok(decision.kind === 'blocked' && decision.message.includes(`{pod: etcd-2, memberID: ${ids[2]}}`), JSON.stringify(decision));
    });
  }
});
