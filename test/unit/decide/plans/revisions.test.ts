import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {assumedPerSecond, baseMargin, maxMove, moveFor, revisionNote, revisionRefusal} from '../../../../src/decide/plans/revisions.ts';
import {now, observationOf, recordOf, runOf} from '../observations.ts';

const ago = (seconds: number) => new Date(now - seconds * 1_000).toISOString();
const move = (status: QuorumRecoveryStatus, from: number, spec: object = {}) => moveFor(observationOf({status, spec}), 'etcd-0', from);
const served = (revision: number, seconds: number, perSecond?: number): QuorumRecoveryStatus => ({lastServed: {revision, at: ago(seconds), ...(perSecond !== undefined && {perSecond})}});
const disk = (pod: string, index: number, revision = 1) => ({pod, stage: 'Held' as const, data: 'Present' as const, term: 1, index, revision});

describe('how far the revision is moved', () => {
  it('past what the last look at a serving quorum saw, and past twice its rate since then', () => {
    const {target, proven, why} = move(served(10_000, 60, 20), 9_000);
    assert.deepEqual([target, proven], [10_000 + 2 * 20 * 60 + baseMargin, true]);
    assert.match(why, /a quorum served at revision 10000; added are 1,000, and twice 20 a second \(the most that was seen\) for the 60 s until/);
  });
  it('which ends once no quorum of the old members can be there: a run that waits for its turn or for a person uses no more revisions', () => {
    const waited = {...served(10_000, 3_600, 20), quorumEnded: {at: ago(3_590), of: 'x'}};
    const {target, proven, why} = move(waited, 9_000);
    assert.deepEqual([target, proven], [10_000 + 2 * 20 * 10 + baseMargin, true]);
    assert.match(why, /for the 10 s until the old members were proven ended/);
    assert.equal(move({...waited, quorumEnded: {at: ago(-60), of: 'x'}}, 9_000, {}).target, 9_000 + maxMove, 'a clock that was set back adds nothing');
    assert.equal(move({...served(10_000, 60, 20), quorumEnded: {at: ago(-60), of: 'x'}}, 9_000).target, 10_000 + 2 * 20 * 60 + baseMargin, 'nor here, where less than the most is moved');
  });
  it('by an assumed rate where one look only was seen', () => {
    const {target, why} = move(served(10_000, 60), 9_000);
    assert.equal(target, 10_000 + 2 * assumedPerSecond * 60 + baseMargin);
    assert.match(why, /twice 100 a second \(assumed\)/);
  });
  it('by the margin at least where the survivor is ahead of all that', () => {
    assert.equal(move(served(10_000, 60, 1), 20_000).target, 20_000 + baseMargin);
  });
  it('past every revision that was seen anywhere, and past what a longer log can hold', () => {
    assert.equal(move({members: [recordOf(1, {revision: 300})]}, 100).target, 300 + baseMargin);
    assert.equal(move({run: runOf({offline: [disk('etcd-0', 500), disk('etcd-1', 700)]})}, 100).target, 300 + baseMargin);
    assert.equal(move({run: runOf({offline: [disk('etcd-1', 700)]})}, 100).target, 100 + baseMargin, 'the survivor\'s own log was not read: nothing to compare with');
  });
  it('is not proven where no quorum was seen to serve', () => {
    const {proven, why} = move({}, 100);
    assert.equal(proven, false);
    assert.match(why, /no quorum was seen to serve before/);
  });
  it('nor where it was one of the cluster before the last recovery', () => {
    const run = runOf({force: {attempt: 1, pod: 'p', endedAt: ago(30)}});
    assert.equal(move({...served(10_000, 60, 20), run}, 9_000).proven, false);
  });
  it('is proven by spec.minRevision: a watch that saw it goes on with the next one, which is compacted', () => {
    const {target, proven, why} = move({}, 100, {minRevision: 5_000});
    assert.deepEqual([target, proven], [5_002, true]);
    assert.match(why, /spec\.minRevision says that clients have seen up to 5000/);
  });
  it('which is a floor only: what was seen otherwise counts, and a value below what was seen proves nothing', () => {
    assert.equal(move(served(10_000, 60, 20), 9_000, {minRevision: 10_001}).target, 13_400);
    assert.deepEqual([move({}, 100, {minRevision: 99}).proven, move({}, 100, {minRevision: 99}).target], [false, 1_100]);
  });
  it('never by more than is quickly moved: then it is not proven, and said how far it would have to be', () => {
    const {target, proven, why} = move(served(10_000, 3_600, 100), 9_000);
    assert.deepEqual([target, proven], [9_000 + maxMove, false]);
    assert.match(why, /It would have to be 731000, and more than 50,000 revisions are not moved/);
    assert.equal(move(served(10_000, 3_600, 100), 9_000, {minRevision: 30_000}).proven, true, 'a person knows better');
  });
  it('never back', () => {
    for (const status of [{}, served(1, 0, 0)]) assert.ok(move(status, 1_000_000, {minRevision: 3}).target > 1_000_000);
  });
});

describe('what is said of it beforehand', () => {
  const survivor = {pod: 'etcd-0', memberID: 'a0', term: 1, index: 1, commit: 1, revision: 100, from: 'etcd' as const};
  const note = (status: QuorumRecoveryStatus, spec: object = {}) => revisionNote(observationOf({status, spec}), survivor);
  it('names what it is moved beyond, and whether that is proven', () => {
    assert.match(note(served(150, 5)), /beyond 150, by 50,000 at most.*lists again$/);
    assert.match(note({}), /beyond 100.*No quorum was seen to serve before\. It is not proven.*Restart clients/);
    assert.match(note({}, {minRevision: 900}), /beyond 900.*lists again$/);
    assert.match(note(served(60_000, 5)), /more than is moved\. It is not proven/);
  });
  it('is the same a minute later: a plan that waits for approval does not change by itself', () => {
    const observation = observationOf({status: served(150, 5)});
    assert.equal(revisionNote({...observation, now: now + 60_000}, survivor), revisionNote(observation, survivor));
  });
  it('refuses a minRevision that a force cannot reach, with nothing touched', () => {
    const refusal = (minRevision?: number, from: 'etcd' | 'unread' = 'etcd') => revisionRefusal(observationOf({spec: minRevision === undefined ? {} : {minRevision}}), {...survivor, from})?.reason;
    assert.equal(refusal(100 + maxMove), 'RevisionOutOfReach');
    assert.equal(refusal(100 + maxMove - 2), undefined);
    assert.equal(refusal(), undefined);
    assert.equal(refusal(100 + maxMove, 'unread'), undefined);
  });
});
