import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import {backups, beforeDeparture, errandBefore, leadership} from '../../../src/decide/errands.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, idOf, now, observationOf, ownPodOf, runOf} from './observations.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const over: Partial<Run> = {finishedAt: iso(now - 60_000), outcome: 'Recovered'};
const due = {run: 'run-0', pod: 'etcd-0', claimUID: 'claim-uid-0', until: iso(now - 1)};
const helper = {metadata: {name: 'etcd-0-inspect', uid: 'helper'}};

/** A cluster that serves, after a run that kept something which is due. */
const after = (run: Partial<Run> = over, more: Partial<Observation> = {}): Observation => observationOf({
  status: {run: runOf(run), kept: [due]}, spec: {preferredLeader: 'etcd-1'}, more: {linearizable: true, ...more},
  ordinals: [0, 1, 2].map((index) => ({object: {...ownPodOf(index), status: {...ownPodOf(index).status, conditions: [{type: 'Ready', status: 'True'}]}}, probe: answers(index, 3, {leader: idOf(0)})})),
});
const stored = (run: Partial<Run> = over): QuorumRecoveryStatus => ({run: runOf(run)});

describe('what is done beside runs', () => {
  it('takes helpers away first that came after the end of their run, then what runs kept, and then there is nothing', () => {
    const both = errandBefore(after(over, {helpers: [helper]}), stored());
    assert.deepEqual([both?.name, both?.actions.map(({type}) => type)], ['Release', ['DeletePod']]);
    const pruned = errandBefore(after(), stored());
    assert.deepEqual([pruned?.name, pruned?.actions.map(({type}) => type)], ['Prune', ['CreatePod']]);
    assert.equal(errandBefore(observationOf({status: stored()}), stored()), undefined);
  });
  it('leaves the helpers of a run that is in flight alone, and prunes nothing beside it', () => {
    assert.equal(errandBefore(after({}, {helpers: [helper]}), stored({})), undefined);
  });
  it('prunes nothing before the end of the run stands in the status', () => {
    assert.equal(errandBefore(after(), stored({})), undefined);
  });
  it('prunes nothing of a resource that is being deleted', () => {
    const observation = after();
    const going = {...observation.resource, metadata: {...observation.resource.metadata, deletionTimestamp: new Date(now)}};
    assert.equal(errandBefore({...observation, resource: going}, stored()), undefined);
  });
  it('takes what was pruned off the list, and tells so at once', () => {
    const observation = observationOf({status: {kept: [{...due, pod: 'etcd-7'}]}});
    const errand = errandBefore(observation, {});
    assert.deepEqual([errand?.actions, errand?.record?.(observation.status, []), observation.status.kept], [[], true, []]);
  });
  it('asks for the leader that is preferred with the intent in the status, and looks at once what came of it', () => {
    const observation = after();
    const {errand} = leadership(observation);
    assert.deepEqual([errand?.name, errand?.nextLook, observation.status.leadership?.move?.to], ['MoveLeader', 'AtOnce', 'etcd-1']);
    assert.equal(errand?.record?.(observation.status, [{kind: 'retry', why: 'it timed out', ms: 1_000}]), false);
    assert.equal(observation.status.leadership?.move?.failed, 'it timed out');
  });
  it('says when the next look is needed where nothing is to be done', () => {
    const later = after();
    later.status.leadership = {move: {from: 'etcd-0', to: 'etcd-1', askedAt: iso(now - 10_000), failed: 'no'}, tries: 1};
    assert.deepEqual(leadership(later), {inMs: 50_000});
    assert.deepEqual(backups(after(), undefined), {inMs: undefined});
  });
  it('tells of a backup\'s pod at once only where the API server refuses it', () => {
    const observation = after();
    const {status} = observation;
    const {errand} = backups({...observation, savers: [helper]}, undefined);
    Object.assign(status, {backups: {since: iso(now), current: {name: 'a.db', helper: 'a', pod: 'etcd-0', memberID: idOf(0), clusterID: 'c1', version: '3.6.16', revision: 1, startedAt: iso(now)}}});
    assert.deepEqual([errand?.name, errand?.actions.map(({type}) => type)], ['Backup', ['DeletePod']]);
    assert.deepEqual([errand?.record?.(status, [{kind: 'done'}]), errand?.record?.(status, [{kind: 'retry', why: 'exceeded quota', ms: 1_000}])], [false, true]);
    assert.equal(status.backups?.current?.problem, 'exceeded quota');
  });
  it('keeps a resource that goes until nothing is left of it', () => {
    assert.equal(beforeDeparture(after()), undefined);
    assert.deepEqual(beforeDeparture({...after(), set: undefined, helpers: [helper]})?.actions.map(({type}) => type), ['DeletePod']);
  });
});
