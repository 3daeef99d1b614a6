import assert from 'node:assert/strict';
import {judgeFencing} from '../../../../src/decide/evidence/fencing.ts';
import {answers, clusterID, members, node, now, observationOf, ownPodOf, recordOf} from '../observations.ts';
import type {ObservationOptions} from '../observations.ts';

const gone = (...indexes: number[]): ObservationOptions => ({
  nodes: [0, 1, 2, 3, 4].filter((index) => !indexes.includes(index)).map((index) => node(`node-${index}`)),
});

function holds(options: ObservationOptions, assumeStops = false): boolean {
  return judgeFencing(observationOf({...options, status: {members: [0, 1, 2, 3, 4].map((index) => recordOf(index)), ...options.status}}), assumeStops).holds;
}

describe('the fencing rule', () => {
  it('does not hold while all members run, and would once they are stopped', () => {
    const ordinals = [{probe: answers(0, 3)}, {}, {}];
    assert.equal(holds({ordinals}), false);
    assert.equal(holds({ordinals}, true), true);
  });
  it('holds with one of three unproven, and not with two', () => {
    const ordinals = [{probe: answers(0, 3)}, {}, {}];
    assert.equal(holds({ordinals, ...gone(1, 2)}), true);
    assert.equal(holds({ordinals, nodes: [node('node-0'), node('node-2', {ready: false})]}, true), true);
    assert.equal(holds({ordinals, nodes: [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})]}, true), false);
  });
  it('says which voters of which membership it waits for', () => {
    const nodes = [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})];
    const {message} = judgeFencing(observationOf({ordinals: [{probe: answers(0, 3)}, {}, {}], nodes, status: {members: [0, 1, 2].map((index) => recordOf(index))}}), true);
    assert.match(message, /2 of 3 voters \(member list of etcd-0\) are not proven stopped, and 2 could elect a leader: node node-1 is NotReady.*node node-2 is NotReady/);
  });
  it('is held against the larger membership that another disk knows', () => {
    const five = members(5);
    const offline = [{pod: 'etcd-1', stage: 'Planning' as const, data: 'Present' as const, memberID: 'a1', clusterID, members: five}];
    const ordinals = [{probe: answers(0, 3)}, {}, {}, {}, {}];
    const nodes = [node('node-0'), node('node-3', {ready: false}), node('node-4', {ready: false}), node('node-2', {ready: false})];
    const run = {id: 'run-1', attempt: 1, startedAt: new Date(now).toISOString(), steps: [], offline};
    assert.equal(holds({ordinals, nodes, status: {run, members: [0, 1, 2, 3, 4].map((index) => recordOf(index))}}, true), false);
  });
  it('is held against the last healthy state', () => {
    const lastHealthy = {
      clusterID, revision: 1, raftIndex: 1, raftTerm: 1, observedAt: new Date(now).toISOString(),
      members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: `a${index}`})),
    };
    const nodes = [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})];
    const one = {...answers(0, 1)};
    assert.equal(holds({ordinals: [{probe: one}, {}, {}], nodes, status: {lastHealthy, members: [0, 1, 2].map((index) => recordOf(index))}}, true), false);
  });
  it('is held against the ordinals of the set, also where no membership is known', () => {
    assert.equal(holds({ordinals: [{object: ownPodOf(0)}, {object: ownPodOf(1)}, {object: ownPodOf(2)}]}), false);
  });
  it('counts a voter that no pod of the set runs as not stopped', () => {
    const probe = answers(0, 3);
    if (probe.kind === 'Answered') probe.members = [...probe.members, {id: 'f1', name: 'x', peerURLs: ['http://x:2380'], clientURLs: [], isLearner: false}, {id: 'f2', name: 'y', peerURLs: ['http://y:2380'], clientURLs: [], isLearner: false}, {id: 'f3', name: 'z', peerURLs: ['http://z:2380'], clientURLs: [], isLearner: false}, {id: 'f4', name: 'w', peerURLs: ['http://w:2380'], clientURLs: [], isLearner: false}];
    assert.equal(holds({ordinals: [{probe}, {}, {}], ...gone(0, 1, 2)}), false);
  });
  it('leaves learners out: they have no vote', () => {
    const probe = answers(0, 3);
    if (probe.kind === 'Answered') probe.members = probe.members.map((member, index) => ({...member, isLearner: index > 0}));
    const {message} = judgeFencing(observationOf({ordinals: [{probe}, {}, {}], nodes: [node('node-0')], status: {members: [0, 1, 2].map((index) => recordOf(index))}}), false);
    assert.match(message, /1 of 1 voters \(member list of etcd-0\)/);
  });
});
