import assert from 'node:assert/strict';
import {assess} from '../../../src/decide/assess.ts';
import {judgeData} from '../../../src/decide/evidence/intact.ts';
import type {OfflineFacts} from '../../../src/api/types.ts';
import {answers, clusterID, idOf, members, node, now, observationOf, ownPodOf, recordOf, runOf, voter, waiting} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const lostNode = (index: number): OrdinalOptions => ({object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const records = {members: [0, 1, 2].map((index) => recordOf(index))};
const survivorAlone: ObservationOptions = {ordinals: [{probe: answers(0, 3)}, lostNode(1), lostNode(2)], nodes: [node('node-0')], status: records};

function verdict(options: ObservationOptions): string {
  const assessment = assess(observationOf(options));
  switch (assessment.kind) {
    case 'stalled': case 'blocked': return `${assessment.kind} ${assessment.reason}: ${assessment.message}`;
    case 'inspect': return `inspect ${assessment.pods.join()}`;
    case 'restart': return `restart ${assessment.restarts.map(({pod}) => pod).join()}`;
    case 'replace': return `replace ${assessment.lost.map(({pod}) => pod).join()}`;
    case 'lost': return `lost, from ${assessment.candidates.map((candidate) => candidate.pod).join()}`;
    case 'not-needed': case 'unsure': return `${assessment.kind}: ${assessment.message}`;
  }
}

const facts = (index: number, more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: `etcd-${index}`, stage: 'Planning', data: 'Present', memberID: idOf(index), clusterID, term: 3, index: 90, commit: 90, revision: 40, members: members(3), ...more,
});

describe('the assessment of a cluster', () => {
  const leader = {leader: 'a0'};
  const cases: [string, ObservationOptions, RegExp][] = [
    ['two of three nodes deleted: the quorum is lost for good', survivorAlone, /^lost, from etcd-0$/],
    ['a set that does not exist', {...survivorAlone, more: {set: undefined}}, /^stalled StatefulSetNotFound: .*db\/etcd/],
    ['a second resource for one set', {...survivorAlone, more: {duplicateOf: 'other'}}, /^stalled DuplicateResource: QuorumRecovery other/],
    ['a Secret that is not there', {...survivorAlone, more: {secretProblem: 'there is no Secret db/x'}}, /^stalled SecretNotFound: there is no Secret db\/x/],
    ['a refused client certificate', {...survivorAlone, ordinals: [{probe: {kind: 'Failed', error: 'Certificate', message: 'unknown CA', reached: true}}, {}, {}]}, /^stalled CertificateRejected: spec.target.tls: etcd-0.*unknown CA/],
    ['data on no claim', {...survivorAlone, more: {ordinals: observationOf(survivorAlone).ordinals.map((view) => ({...view, data: undefined}))}}, /^stalled DataNotOnClaim: etcd-0: data directory \/data/],
    ['all members with a leader', {ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, leader)})), more: {linearizable: true}}, /^not-needed: all 3 members/],
    ['one member away and a quorum that serves', {ordinals: [{probe: answers(0, 3, leader)}, {probe: answers(1, 3, leader)}, {}], more: {linearizable: true}}, /^not-needed: the quorum holds \(2 of 3/],
    ['a leader that is named, and no linearizable read', {ordinals: [{probe: answers(0, 3, leader)}, {}, {}]}, /^unsure: etcd-0 still names a leader/],
    ['nobody answers and disks are within reach', {ordinals: [{object: ownPodOf(0, {statuses: [waiting]})}, lostNode(1), lostNode(2)], nodes: [node('node-0')]}, /^inspect etcd-0$/],
    ['nobody answers and no disk is within reach', {ordinals: [lostNode(0), lostNode(1), lostNode(2)], nodes: []}, /^blocked NoSurvivor/],
    ['a silent member on a Ready node is read from its disk', {...survivorAlone, ordinals: [{probe: answers(0, 3)}, {}, lostNode(2)], nodes: [node('node-0'), node('node-1')]}, /^inspect etcd-1$/],
    ['a NotReady node that nobody fenced', {ordinals: [{probe: answers(0, 3)}, {place: {at: 'NotReadyNode', nodes: ['node-1']}}, {place: {at: 'NotReadyNode', nodes: ['node-2']}}], nodes: [node('node-0'), node('node-1', {ready: false}), node('node-2', {ready: false})], status: records}, /^blocked FencingUnproven: .*Way out: .*\{pod: etcd-1, memberID: a1\}, \{pod: etcd-2, memberID: a2\}/],
    ['volumes that can be attached again', {...survivorAlone, ordinals: [{probe: answers(0, 3)}, {...lostNode(1), place: {at: 'Anywhere'}}, lostNode(2)]}, /^blocked QuorumOfDataIntact: 2 of 3/],
    ['a quorum of disks that were read, none of which runs', {...survivorAlone, ordinals: [{object: ownPodOf(0, {statuses: [waiting]})}, {object: ownPodOf(1, {statuses: [waiting]})}, lostNode(2)], nodes: [node('node-0'), node('node-1')], status: {...records, run: runOf({offline: [facts(0), facts(1)]})}}, /^blocked QuorumOfDataIntact: 2 of 3/],
    ['an unreadable disk counts as data', {...survivorAlone, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {statuses: [waiting]})}, lostNode(2)], nodes: [node('node-0'), node('node-1')], status: {...records, run: runOf({offline: [{pod: 'etcd-1', stage: 'Planning', data: 'Unreadable'}]})}}, /^blocked QuorumOfDataIntact/],
    ['an empty disk does not', {...survivorAlone, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {statuses: [waiting]})}, lostNode(2)], nodes: [node('node-0'), node('node-1')], status: {...records, run: runOf({offline: [{pod: 'etcd-1', stage: 'Planning', data: 'Empty'}]})}}, /^lost, from etcd-0$/],
    ['a member list with a voter of no pod', {...survivorAlone, ordinals: [{probe: {...answers(0, 3), members: [...members(3), {id: 'ee', name: 'x', peerURLs: ['http://x:1'], clientURLs: [], isLearner: false}]} as never}, lostNode(1), lostNode(2)]}, /^blocked ForeignMember: member ee/],
    ['two cluster IDs', {...survivorAlone, ordinals: [{probe: answers(0, 3)}, {probe: {...answers(1, 3), clusterID: 'c2'} as never}, lostNode(2)]}, /^blocked TwoLineages: .*c1, c2/],
    ['a member that is named lost is no data, and its word is its proof', {ordinals: [{probe: answers(0, 3)}, {place: {at: 'NotReadyNode', nodes: ['node-1']}}, lostNode(2)], nodes: [node('node-0'), node('node-1', {ready: false})], status: records, spec: {lostMembers: [{pod: 'etcd-1', memberID: 'a1'}]}}, /^lost, from etcd-0$/],
    ['the rule holds, but a NotReady node keeps a disk that makes a quorum', {ordinals: [{probe: answers(0, 3)}, {place: {at: 'NotReadyNode', nodes: ['node-1']}}, lostNode(2)], nodes: [node('node-0'), node('node-1', {ready: false})], status: records}, /^blocked QuorumOfDataIntact: 2 of 3 voters may still have their data/],
  ];
  for (const [title, options, expected] of cases) {
    it(`judges: ${title}`, () => { assert.match(verdict(options), expected); });
  }
});

describe('whether the data of a voter is still there', () => {
  const stateOf = (options: ObservationOptions) => judgeData(observationOf(options), voter(1)).state;
  const only = (one: OrdinalOptions, rest: ObservationOptions = {}) => stateOf({ordinals: [{}, one, {}], ...rest});
  const run = (offline: OfflineFacts) => ({status: {run: runOf({offline: [offline]})}});

  it('runs when its etcd answers with that member ID', () => { assert.equal(only({probe: answers(1, 3)}), 'Running'); });
  it('is gone when its etcd is another member by now', () => { assert.equal(only({probe: answers(1, 3, {memberID: 'other'})}), 'Gone'); });
  it('is readable when that member ID was read from its disk', () => { assert.equal(only({}, run(facts(1))), 'Readable'); });
  it('is gone when another member is on its disk', () => { assert.equal(only({}, run(facts(1, {memberID: 'other'}))), 'Gone'); });
  it('is gone when its disk is empty', () => { assert.equal(only({}, run({pod: 'etcd-1', stage: 'Held', data: 'Empty'})), 'Gone'); });
  it('is readable when its volume can be attached anywhere, and the member was seen on this very claim', () => {
    const lastHealthy = {clusterID, revision: 1, raftIndex: 1, raftTerm: 1, observedAt: new Date(now).toISOString(), members: [{pod: 'etcd-1', memberID: 'a1', claimUID: 'claim-uid-1'}]};
    assert.equal(only({place: {at: 'Anywhere'}}, {status: {lastHealthy}}), 'Readable');
    assert.equal(only({place: {at: 'Anywhere'}}, {status: {members: [recordOf(1)]}}), 'Readable');
  });
  it('is not known by a claim that nobody saw the member on: it can have been made anew', () => {
    assert.equal(only({place: {at: 'Anywhere'}}), 'Unknown');
    assert.equal(only({place: {at: 'Anywhere'}}, {status: {members: [recordOf(1, {claimUID: 'old'})]}}), 'Unknown');
    assert.equal(only({place: {at: 'Anywhere'}}, run({pod: 'etcd-1', stage: 'Planning', data: 'Empty'})), 'Gone');
  });
  it('is readable, unread, while a volume for one pod alone is its pod\'s', () => {
    const alone = (object: OrdinalOptions['object']) => {
      const observation = observationOf({ordinals: [{}, {object}, {}]});
      observation.ordinals.forEach(({data}) => { if (data?.object?.spec) data.object.spec.accessModes = ['ReadWriteOncePod']; });
      return judgeData(observation, voter(1)).state;
    };
    assert.equal(alone(ownPodOf(1)), 'Readable');
    assert.equal(alone(undefined), 'Unknown');
    assert.equal(alone(ownPodOf(1, {node: ''})), 'Unknown');
  });
  it('is not known before its disk on a Ready node was read', () => { assert.equal(only({}), 'Unknown'); });
  it('may return with a NotReady node', () => { assert.equal(only({place: {at: 'NotReadyNode', nodes: ['node-1']}}), 'MayReturn'); });
  it('is gone with its node', () => { assert.equal(only({place: {at: 'GoneNode', nodes: ['node-1']}}), 'Gone'); });
  it('is gone with its claim', () => { assert.equal(only({place: {at: 'Missing'}}), 'Gone'); });
  it('is gone when its claim was made anew since the cluster was healthy', () => {
    const lastHealthy = {clusterID, revision: 1, raftIndex: 1, raftTerm: 1, observedAt: new Date(now).toISOString(), members: [{pod: 'etcd-1', memberID: 'a1', claimUID: 'old'}]};
    assert.equal(only({place: {at: 'Anywhere'}}, {status: {lastHealthy}}), 'Gone');
  });
  const named = {spec: {lostMembers: [{pod: 'etcd-1', memberID: 'a1'}]}};
  it('is gone when a person names that member ID', () => {
    assert.equal(only({place: {at: 'NotReadyNode', nodes: ['node-1']}}, named), 'Gone');
    assert.equal(only({place: {at: 'NotReadyNode', nodes: ['node-1']}}, {spec: {lostMembers: [{pod: 'etcd-1', memberID: 'b1'}]}}), 'MayReturn');
  });
  it('is readable where a person names it and its volume can be attached anywhere', () => { assert.equal(only({place: {at: 'Anywhere'}}, named), 'Readable'); });
  it('is gone there too where the person has also named a strategy that takes nobody\'s data', () => {
    for (const [strategy, state] of [['RestoreSnapshot', 'Gone'], ['RebuildFromConfig', 'Gone'], ['ForceNewCluster', 'Readable'], ['ReplaceMembers', 'Readable']] as const) {
      assert.equal(only({place: {at: 'Anywhere'}}, {...named, spec: {...named.spec, strategy}}), state, strategy);
    }
  });
  it('runs where a person names it and its etcd answers', () => { assert.equal(only({probe: {...answers(1, 3)}}, named), 'Running'); });
});
