import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {assess} from '../../../../src/decide/assess.ts';
import {findingsOf, servesInWords, settleFindings} from '../../../../src/decide/watch/findings.ts';
import type {Doubt} from '../../../../src/decide/watch/findings.ts';
import {summarize} from '../../../../src/decide/summary.ts';
import type {MemberStatus} from '../../../../src/etcd/types.ts';
import type {Observation, Probe} from '../../../../src/observe/observation.ts';
import {answers, node, now, observationOf, silent} from '../observations.ts';
import type {OrdinalOptions} from '../observations.ts';

interface Look {
  /** Seconds after the first look. */
  at?: number;
  /** What the member of etcd-1 says otherwise; etcd-0 leads. */
  says?: Partial<MemberStatus>;
  /** Index of the leader. */
  leads?: number;
  tookMs?: [number, number, number];
  third?: OrdinalOptions;
  status?: QuorumRecoveryStatus;
  more?: Partial<Observation>;
}

function look({at = 0, says = {}, leads = 100_000, tookMs, third, status = {}, more}: Look = {}): Observation {
  const probe = (index: number): Probe => ({
    ...answers(index, 3, {leader: 'a0', raftIndex: leads, raftAppliedIndex: leads, ...(index === 1 && says)}) as Extract<Probe, {kind: 'Answered'}>,
    ...(tookMs && {tookMs: tookMs[index] ?? 0}),
  });
  return observationOf({
    status: structuredClone(status), ordinals: [{probe: probe(0)}, {probe: probe(1)}, {probe: probe(2), ...third}], more: {now: now + at * 1_000, linearizable: true, ...more},
  });
}

/** One look after the other; what the last one found. */
function looks(...all: Look[]): {cases: string[]; messages: string; inMs: number | undefined} {
  let doubts: Doubt[] = [];
  let status: QuorumRecoveryStatus = {};
  let inMs: number | undefined;
  for (const one of all) {
    const observation = look({...one, status});
    ({doubts, inMs} = {inMs: undefined, ...settleFindings(observation, doubts)});
    ({status} = observation);
  }
  const {findings = []} = status;
  return {cases: findings.map((finding) => `${finding.case} ${finding.pod ?? ''}`), messages: findings.map(({message}) => message).join('\n'), inMs};
}

describe('a cluster that serves, and with which nothing is wrong', () => {
  it('has no finding, and need not be looked at soon', () => {
    assert.deepEqual(looks({}), {cases: [], messages: '', inMs: undefined});
  });
  it('has none either while a follower is some entries behind, as under load', () => {
    assert.deepEqual(looks({says: {raftAppliedIndex: 99_000}}).cases, []);
    assert.equal(looks({says: {raftAppliedIndex: 99_000}}).inMs, undefined, 'nor is it looked at more often');
    // At the next look it has what the leader had at the last one, and lacks what came since.
    assert.deepEqual(looks({says: {raftAppliedIndex: 99_000}}, {at: 30, leads: 200_000, says: {raftAppliedIndex: 199_000}}, {at: 60, leads: 300_000, says: {raftAppliedIndex: 299_000}}).cases, []);
  });
  it('has none while no quorum confirms it', () => {
    assert.deepEqual(looks({says: {raftAppliedIndex: 1}, more: {linearizable: false}}).cases, []);
  });
});

describe('a cluster that is degraded', () => {
  const away: OrdinalOptions = {object: undefined, probe: silent};
  /** Reasons of Degraded after each of these looks, `-` where it is not there. */
  function degraded(...all: Look[]): string[] {
    let doubts: Doubt[] = [];
    let status: QuorumRecoveryStatus = {};
    return all.map((one) => {
      const observation = look({...one, status});
      ({doubts} = settleFindings(observation, doubts));
      ({status} = observation);
      summarize(status, {at: 'watching'}, 1, observation.now);
      return status.conditions?.find(({type}) => type === 'Degraded')?.reason ?? '-';
    });
  }
  it('is none while a pod restarts, though what is missing is told at once', () => {
    assert.deepEqual(degraded({third: away}, {at: 5, third: away}, {at: 9}), ['-', '-', '-']);
    assert.match(looks({third: away}).messages, /etcd-2/);
  });
  it('is one as soon as that lasts, through what comes after it, until the member has caught up', () => {
    const late = {at: 14, leads: 100_050, third: {probe: answers(2, 3, {leader: 'a0', raftIndex: 100_050, raftAppliedIndex: 100_010})}};
    assert.deepEqual(degraded({third: away}, {at: 10, third: away}, late, {at: 20, leads: 100_060}), ['-', 'MemberNotAnswering', 'MemberBehind', '-']);
  });
  it('stays one, since when it was, while a read of the quorum fails, and is none beside a suspicion', () => {
    const fails = {third: away, more: {linearizable: false}};
    assert.deepEqual(degraded({third: away}, {at: 10, third: away}, {at: 12, ...fails}, {at: 13, third: away}), ['-', 'MemberNotAnswering', 'MemberNotAnswering', 'MemberNotAnswering']);
    const since = new Date(now - 60_000).toISOString();
    const found = [{case: 'MemberNotAnswering' as const, pod: 'etcd-2', since, message: 'm'}];
    const doubts: Doubt[] = [{case: 'MemberSlow', of: 'etcd-1', since: now - 5_000}];
    const kept = look({...fails, status: {findings: found}});
    assert.deepEqual([settleFindings(kept, doubts).doubts, kept.status.findings], [doubts, found]);
    const suspected = look({...fails, status: {findings: found, suspicion: {since, etcd: 'e', kubernetes: 'k', agreed: true} as never}});
    settleFindings(suspected, doubts);
    assert.equal(suspected.status.findings, undefined);
  });
  it('is one at once where a Service leads nowhere: that does not pass by itself', () => {
    const services = [{metadata: {name: 'etcd-client'}, spec: {selector: {app: 'x'}, ports: [{port: 2379}]}}];
    assert.deepEqual(degraded({more: {services}}), ['ServiceAstray']);
  });
});

describe('a member that is behind', () => {
  const stuck = {raftAppliedIndex: 99_990};
  it('is one that has not applied after ten seconds what the leader had then, however little that is', () => {
    assert.deepEqual(looks({says: stuck}, {at: 9, says: stuck}).cases, []);
    const {cases, messages, inMs} = looks({says: stuck}, {at: 10, leads: 100_003, says: stuck});
    assert.deepEqual([cases, inMs], [['MemberBehind etcd-1'], 5_000]);
    assert.match(messages, /^etcd-1 is 13 log entries behind the leader etcd-0 \(it has applied 99990 of 100003\).*If the number does not go down, look at its disk/);
  });
  it('is said at once where it lacks so much that etcd itself would refuse requests', () => {
    assert.deepEqual(looks({says: {raftAppliedIndex: 95_001}}), {cases: [], messages: '', inMs: 5_000}, 'it is not looked at again soon');
    assert.deepEqual(looks({says: {raftAppliedIndex: 95_000}}).cases, ['MemberBehind etcd-1']);
  });
  it('stays one until it has caught up with what the leader had at the last look', () => {
    const far: Look = {says: {raftAppliedIndex: 80_000}};
    assert.deepEqual(looks(far, {at: 5, says: {raftAppliedIndex: 99_999}}).cases, ['MemberBehind etcd-1']);
    assert.deepEqual(looks(far, {at: 5, says: {raftAppliedIndex: 100_000}}).cases, []);
    assert.deepEqual(looks(far, {at: 5, leads: 101_000, says: {raftAppliedIndex: 100_500}}).cases, []);
    // It lags by the same all the time, and has long what the leader had at the first look.
    assert.deepEqual(looks(far, {at: 5, leads: 103_000, says: {raftAppliedIndex: 99_000}}, {at: 10, leads: 106_000, says: {raftAppliedIndex: 102_000}}).cases, ['MemberBehind etcd-1']);
  });
  it('is also one that was cut off or away and is back, until it has what the leader had by then', () => {
    const away: Look = {says: {leader: ''}};
    const back: Look = {at: 5, says: {raftAppliedIndex: 99_950}};
    assert.deepEqual(looks(away, back).cases, ['MemberBehind etcd-1']);
    assert.deepEqual(looks(away, back, {at: 10, leads: 100_100, says: {raftAppliedIndex: 100_000}}).cases, []);
    assert.deepEqual(looks({third: {probe: silent}}, {at: 5}).cases, [], 'it lacks nothing');
  });
  it('keeps nobody from saying who is behind after the operator was restarted', () => {
    const observation = look({says: stuck, status: {findings: [{case: 'MemberBehind', pod: 'etcd-1', behind: 10, message: ''}]}});
    assert.deepEqual(findingsOf(observation, []).findings.map((finding) => finding.case), ['MemberBehind']);
  });
});

describe('a member that is slow', () => {
  it('answers late in look after look while the others do not', () => {
    const slow: Look = {tookMs: [3, 700, 5]};
    assert.deepEqual(looks(slow, {...slow, at: 5}).cases, []);
    assert.equal(looks(slow).inMs, 5_000);
    const {cases, messages} = looks(slow, {...slow, at: 5}, {...slow, at: 10});
    assert.deepEqual(cases, ['MemberSlow etcd-1']);
    assert.match(messages, /^etcd-1 takes 700 ms to answer, the others 5 ms: look at its processor, its disk and its network\. The quorum does not wait for it$/);
    assert.deepEqual(looks(slow, {at: 5, tookMs: [3, 4, 5]}, {...slow, at: 10}).cases, [], 'it was not slow in between');
    const two: Look = {tookMs: [20, 600, 900]};
    assert.deepEqual(looks(two, {...two, at: 10}).cases, [], 'two that are slow are no single one');
  });
  it('is none where all are slow, as it may be the operator', () => {
    const all: Look = {tookMs: [600, 700, 650]};
    assert.deepEqual(looks(all, {...all, at: 10}).cases, []);
  });
});

describe('a member that is not part of what serves', () => {
  it('is named with its node where that is NotReady', () => {
    const {cases, messages} = looks({third: {probe: silent}, more: {nodes: [node('node-0'), node('node-1'), node('node-2', {ready: false})]}});
    assert.deepEqual(cases, ['MemberNotAnswering etcd-2']);
    assert.match(messages, /^etcd-2: its etcd does not run \(its node node-2 is NotReady: the machine is down, or cut off by the network\)$/);
  });
  it('is named as cut off where it answers the operator and finds no leader', () => {
    const {cases, messages} = looks({says: {leader: ''}});
    assert.deepEqual(cases, ['MemberCutOff etcd-1']);
    assert.match(messages, /^etcd-1 answers and has no leader, while the others have one/);
  });
  it('is no finding while it is held', () => {
    assert.deepEqual(findingsOf(look({third: {probe: silent}, status: {heldPods: ['etcd-2']}}), []).findings, []);
  });
});

describe('the assessment of a cluster that serves', () => {
  const judged = (of: Look): string => {
    const assessment = assess(look(of));
    return assessment.kind === 'not-needed' ? assessment.message : assessment.kind;
  };
  it('names the case, and that nothing is done', () => {
    assert.equal(judged({}), 'all 3 members answer and have a leader: nothing is done');
    assert.match(judged({third: {probe: silent}}), /^the quorum holds \(2 of 3 members answer and have a leader\), so nothing is done\. Not answering: etcd-2: /);
    assert.match(judged({says: {leader: ''}}), /^the quorum holds \(2 of 3 .*nothing is done\. etcd-1 answers and has no leader/);
    assert.match(judged({says: {raftAppliedIndex: 1}}), /^all 3 members answer and have a leader: nothing is done\. etcd-1 is 99999 log entries behind the leader etcd-0/);
  });
  it('tells of a watched cluster what would come of a loss', () => {
    assert.equal(servesInWords(look(), [], 'a run begins'), 'all 3 members answer and have a leader; a run begins');
  });
});
