import assert from 'node:assert/strict';
import type {OfflineFacts} from '../../../../src/api/types.ts';
import {podOfMember} from '../../../../src/decide/evidence/membership.ts';
import {membersOf, offlineFacts} from '../../../../src/decide/steps/inspect.ts';
import {rankCandidates, unfitMembers, whyFirst} from '../../../../src/decide/evidence/survivor.ts';
import type {InspectFacts, PresentData} from '../../../../src/agent/report.ts';
import {answers, idOf, members, observationOf, runOf, voter} from '../observations.ts';

const facts = (index: number, more: Partial<OfflineFacts>): OfflineFacts =>
  ({pod: `etcd-${index}`, stage: 'Held', data: 'Present', memberID: idOf(index), term: 3, index: 90, commit: 80, revision: 40, ...more});

const order = (...offline: OfflineFacts[]) => rankCandidates(
  observationOf({status: {run: runOf({offline})}}),
  offline.map((_, index) => ({voter: voter(index), state: 'Readable' as const, why: ''})),
);

const learner = (index: number) => ({id: idOf(index), name: `etcd-${index}`, peerURLs: [], isLearner: true});

/** What an agent reports of a disk that is well. */
const present = (changes: PresentData['pendingConfChanges'], commit = 100): PresentData => ({
  data: 'Present', memberID: 'a0', clusterID: 'c1', term: 5, vote: '', commit, index: 110, lastEntryTerm: 4, snapshotIndex: 0, snapshotTerm: 0, tail: {entries: 10}, torn: false,
  freeBytes: 1, dataBytes: 1, walBytes: 1, pendingConfChanges: changes,
  backend: {consistentIndex: 90, term: 4, revision: 50, members: members(3), removed: [], sizeBytes: 1},
});

describe('the ranking of survivors', () => {
  const first = (a: Partial<OfflineFacts>, b: Partial<OfflineFacts>) => order(facts(0, a), facts(1, b))[0]?.pod;

  it('puts the higher last term first, whatever the index', () => { assert.equal(first({term: 3, index: 900}, {term: 4, index: 10}), 'etcd-1'); });
  it('puts the longer log of one term first, whatever the commit index', () => { assert.equal(first({index: 90, commit: 90}, {index: 91, commit: 10}), 'etcd-1'); });
  it('then looks at the commit index', () => { assert.equal(first({commit: 80}, {commit: 81}), 'etcd-1'); });
  it('then looks at the revision', () => { assert.equal(first({revision: 40}, {revision: 41}), 'etcd-1'); });
  it('takes the lower name where all is equal', () => { assert.equal(first({}, {}), 'etcd-0'); });
  it('leaves out what is not within reach', () => {
    const observation = observationOf({status: {run: runOf({offline: [facts(0, {}), facts(1, {})]})}});
    const ranked = rankCandidates(observation, [
      {voter: voter(0), state: 'MayReturn', why: ''}, {voter: voter(1), state: 'Readable', why: ''}, {voter: voter(2), state: 'Gone', why: ''},
    ]);
    assert.deepEqual(ranked.map(({pod}) => pod), ['etcd-1']);
  });
  it('takes what etcd says where the disk was not read', () => {
    const observation = observationOf({ordinals: [{probe: answers(0, 3, {raftTerm: 7, raftIndex: 70})}, {}, {}]});
    const [only] = rankCandidates(observation, [{voter: voter(0), state: 'Running', why: ''}]);
    assert.deepEqual([only?.from, only?.term, only?.index], ['etcd', 7, 70]);
  });
  for (const [what, unfit] of Object.entries({
    'whose database cannot be read': {backend: {error: 'page 3 is broken'}},
    'that is a learner': {backend: {consistentIndex: 90, term: 4, revision: 50, members: [{...learner(0)}], removed: [], sizeBytes: 1}},
    'that was removed': {backend: {consistentIndex: 90, term: 4, revision: 50, members: members(3).slice(1), removed: ['a0'], sizeBytes: 1}},
    'whose log cannot be read': {data: 'Unreadable', corrupt: 'checksum mismatch'},
  })) {
    it(`leaves out a member ${what}, and says why`, () => {
      const offline = [offlineFacts('etcd-0', 'Held', {...present([]), ...unfit} as InspectFacts), facts(1, {term: 2, index: 5})];
      assert.deepEqual(order(...offline).map(({pod}) => pod), ['etcd-1']);
      const data = [0, 1].map((index) => ({voter: voter(index), state: 'Readable' as const, why: ''}));
      const why = unfitMembers(observationOf({status: {run: runOf({offline})}}), data);
      assert.equal(why.length, 1);
      assert.match(why[0] ?? '', /^etcd-0 is no survivor: (its database cannot be read: page 3|by its own data it is a learner|by its own data it is no member|its data cannot be read: checksum)/);
    });
  }
  it('says why in words', () => {
    assert.match(whyFirst(order(facts(0, {term: 4}), facts(1, {}))), /etcd-0 has the newest data \(term 4, index 90; etcd-1: term 3, index 90\)/);
    assert.match(whyFirst(order(facts(0, {}))), /etcd-0 is the only member/);
    assert.match(whyFirst([]), /no member is left/);
  });
});

describe('the pod of a member', () => {
  const pods = ['etcd-0', 'etcd-1', 'etcd-10'];
  const cases: [string, Parameters<typeof podOfMember>[0], string | undefined][] = [
    ['is the one of its name', {id: '1', name: 'etcd-1', peerURLs: ['http://x:2380']}, 'etcd-1'],
    ['is found by the first label of its peer URL where names are free text', {id: '1', name: 'infra1', peerURLs: ['https://etcd-10.etcd.db.svc:2380']}, 'etcd-10'],
    ['is found before the member has published a name', {id: '1', name: '', peerURLs: ['http://etcd-0.etcd:2380']}, 'etcd-0'],
    ['is none for an address', {id: '1', name: 'a', peerURLs: ['http://10.0.0.1:2380']}, undefined],
    ['is none for a name that only begins alike', {id: '1', name: 'etcd-100', peerURLs: ['http://etcd-100.etcd:2380']}, undefined],
    ['is none where a URL cannot be read', {id: '1', name: 'a', peerURLs: ['::']}, undefined],
  ];
  for (const [title, member, expected] of cases) it(title, () => { assert.equal(podOfMember(member, pods), expected); });
});

describe('the members that a disk names', () => {
  const ids = (facts: PresentData) => membersOf(facts)?.map(({id, isLearner}) => (isLearner ? `${id} (learner)` : id));

  it('are those of its backend', () => { assert.deepEqual(ids(present([])), ['a0', 'a1', 'a2']); });
  it('have a committed removal taken out', () => { assert.deepEqual(ids(present([{index: 95, term: 4, type: 'RemoveNode', memberID: 'a2'}])), ['a0', 'a1']); });
  it('keep a voter whose removal is not known to be committed', () => { assert.deepEqual(ids(present([{index: 105, term: 4, type: 'RemoveNode', memberID: 'a2'}])), ['a0', 'a1', 'a2']); });
  it('have an addition added, committed or not', () => { assert.deepEqual(ids(present([{index: 105, term: 4, type: 'AddNode', memberID: 'a3', peerURLs: ['http://etcd-3.etcd:2380']}])), ['a0', 'a1', 'a2', 'a3']); });
  it('count a learner that is promoted as a voter', () => {
    assert.deepEqual(ids(present([{index: 95, term: 4, type: 'AddLearnerNode', memberID: 'a3', peerURLs: []}])), ['a0', 'a1', 'a2', 'a3 (learner)']);
    assert.deepEqual(ids(present([{index: 95, term: 4, type: 'AddLearnerNode', memberID: 'a3', peerURLs: []}, {index: 105, term: 4, type: 'AddNode', memberID: 'a3', promote: true}])), ['a0', 'a1', 'a2', 'a3']);
  });
  it('are not known where the backend cannot be read', () => { assert.equal(membersOf({...present([]), backend: {error: 'x'}}), undefined); });
  it('are recorded with the term of the last entry, which is what ranks logs', () => {
    const {term, index, commit, revision} = offlineFacts('etcd-0', 'Held', present([]));
    assert.deepEqual({term, index, commit, revision}, {term: 4, index: 110, commit: 100, revision: 50});
  });
});
