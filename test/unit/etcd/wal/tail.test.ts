import assert from 'node:assert/strict';
import fc from 'fast-check';
import {decideTail} from '../../../../src/etcd/wal/tail.ts';
import type {TailDecision, TailRules} from '../../../../src/etcd/wal/tail.ts';
import {readSegments} from '../../../../src/etcd/wal/wal.ts';
import {logs, model} from './logs.ts';
import {asSegments, confChange, metadata, writeWal} from './writer.ts';
import type {TestRecord} from './writer.ts';

function entries(from: number, to: number, term: number): TestRecord[] {
  return Array.from({length: to - from + 1}, (_, number) => ({kind: 'entry', term, index: from + number}));
}

function decide(records: readonly TestRecord[], rules: Partial<TailRules> = {}): TailDecision {
  return decideTail(readSegments(asSegments(writeWal(records))), {applied: 0, commit: true, ...rules});
}

function why(decision: TailDecision): string {
  return 'why' in decision ? `${decision.act} ${decision.reason}: ${decision.why}` : decision.act;
}

const vote = metadata.member.toString(16);
/** Entries 1 to 9 of term 4, of which 5 are committed, voted in term 4. */
const open: TestRecord[] = [{kind: 'snapshot', index: 0, term: 0}, ...entries(1, 9, 4), {kind: 'state', term: 4, vote: metadata.member, commit: 5}];

describe('decideTail', () => {
  it('commits the last entry, and keeps term and vote', () => {
    const decision = decide(open);
    assert.deepEqual(decision, {act: 'append', state: {term: 4, vote, commit: 9}, tail: {from: 6, to: 9, confChanges: []}});
  });

  it('raises the term to that of the last entry, in which nobody was voted for yet', () => {
    const decision = decide([...open, ...entries(10, 11, 6)]);
    assert.ok(decision.act === 'append');
    assert.deepEqual(decision.state, {term: 6, vote: '0', commit: 11});
  });

  it('raises the term alone where everything is committed', () => {
    const decision = decide([...entries(1, 3, 4), {kind: 'state', term: 2, vote: 1n, commit: 3}]);
    assert.ok(decision.act === 'append');
    assert.deepEqual(decision.state, {term: 4, vote: '0', commit: 3});
    assert.ok(decision.tail.from > decision.tail.to);
  });

  it('keeps a term that is ahead of the last entry\'s, and its vote', () => {
    const decision = decide([...open, {kind: 'state', term: 8, vote: 3n, commit: 5}]);
    assert.ok(decision.act === 'append');
    assert.deepEqual(decision.state, {term: 8, vote: '3', commit: 9});
  });

  it('does nothing where nothing is to be committed: no tail, a new WAL, a snapshot without entries', () => {
    const nothing: TestRecord[][] = [
      [...entries(1, 3, 1), {kind: 'state', term: 2, commit: 3}],
      [],
      [{kind: 'snapshot', index: 40, term: 3}, {kind: 'state', term: 4, commit: 40}],
    ];
    for (const records of nothing) assert.equal(why(decide(records)), 'nothing');
  });

  it('does not count as tail what the backend has applied, and commits it in the hard state all the same', () => {
    const some = decide(open, {applied: 7});
    assert.ok(some.act === 'append' && some.state.commit === 9);
    assert.deepEqual([some.tail.from, some.tail.to], [8, 9]);
    const all = decide(open, {applied: 9, laterEntryTerm: 99});
    assert.ok(all.act === 'append' && all.tail.from > all.tail.to, 'what is applied cannot have been superseded');
  });

  it('leaves the tail where an entry of a later term was seen elsewhere, and only there', () => {
    assert.match(why(decide(open, {laterEntryTerm: 5})), /^leave MaybeSuperseded: the tail may have been superseded: it ends in term 4, and an entry of term 5/);
    for (const laterEntryTerm of [0, 3, 4]) assert.equal(why(decide(open, {laterEntryTerm})), 'append');
    assert.equal(why(decide([...open, ...entries(10, 10, 7)], {laterEntryTerm: 6})), 'append');
  });

  it('does not take this member\'s own later term for a sign: elections fail', () => {
    assert.equal(why(decide([...open, {kind: 'state', term: 70, commit: 5}])), 'append');
  });

  it('leaves the tail where its own log has a snapshot of a later term, or another entry in its place, that it did not take over', () => {
    assert.match(why(decide([...open, {kind: 'snapshot', index: 5000, term: 6}])), /^leave MaybeSuperseded: .* a snapshot that another member sent stands at entry 5000 of term 6/);
    assert.match(why(decide([...open, {kind: 'snapshot', index: 8, term: 3}])), /^leave MaybeSuperseded/);
    assert.equal(why(decide([...open, {kind: 'snapshot', index: 8, term: 4}])), 'append');
    assert.equal(why(decide([...open, {kind: 'snapshot', index: 5000, term: 4}])), 'append');
  });

  it('leaves the tail where it is told to, and says so only where there is one', () => {
    const decision = decide(open, {commit: false});
    assert.match(why(decision), /^leave NotWanted/);
    assert.deepEqual([decision.tail.from, decision.tail.to], [6, 9]);
    assert.equal(why(decide(open, {commit: false, applied: 9})), 'nothing');
  });

  it('names configuration changes in the tail, and refuses to commit the removal of this very member', () => {
    const other: TestRecord = {kind: 'entry', term: 4, index: 10, type: 1, data: confChange(1, 0xabn, {})};
    const own: TestRecord = {kind: 'entry', term: 4, index: 11, type: 1, data: confChange(1, metadata.member, {})};
    const decision = decide([...open, other]);
    assert.equal(decision.act, 'append');
    assert.deepEqual(decision.tail.confChanges, [{type: 'RemoveNode', memberID: 'ab', index: 10, term: 4}]);
    assert.match(why(decide([...open, other, own])), /^refuse RemovesMember: entry 11 of the tail removes this very member/);
    assert.equal(why(decide([...open, other, own], {commit: false})).slice(0, 15), 'leave NotWanted');
    assert.equal(why(decide([...open, other, own], {laterEntryTerm: 9})).slice(0, 21), 'leave MaybeSuperseded');
  });

  it('refuses a log that it cannot read to its end, or that ends before what was applied', () => {
    assert.match(why(decide([...open, {kind: 'state', term: 1, commit: 5}])), /^refuse Corrupt: .*hard state goes back/);
    assert.match(why(decide(open, {applied: 10})), /^refuse Corrupt: entry 10 was applied, but the WAL ends with entry 9/);
    const [segment] = writeWal(open);
    assert.ok(segment !== undefined);
    segment.bytes[segment.records[4]?.start ?? 0] = 0xff;
    assert.match(why(decideTail(readSegments(asSegments([segment])), {applied: 0, commit: true})), /^refuse Corrupt/);
    assert.match(why(decideTail(readSegments([]), {applied: 0, commit: true})), /^refuse Corrupt/);
  });

  it('commits the last entry of any log that raft could write, and finds nothing to do then', () => {
    fc.assert(fc.property(logs, (records) => {
      const decision = decide(records);
      const {index, term, commit} = model(records);
      if (decision.act === 'nothing') {
        assert.equal(commit, index);
        return;
      }
      assert.ok(decision.act === 'append');
      assert.equal(decision.state.commit, index);
      assert.ok(decision.state.term >= term);
      const {state} = decision;
      assert.equal(decide([...records, {kind: 'state', ...state, vote: BigInt(`0x${state.vote}`)}]).act, 'nothing');
    }), {numRuns: 300});
  });
});
