import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus, Run} from '../../src/api/types.ts';
import {interrupted} from '../../src/decide/interrupt.ts';
import {nextStep} from '../../src/decide/next.ts';
import {plannedSpecHash} from '../../src/decide/plans/plan.ts';
import {join} from '../../src/decide/steps/join.ts';
import type {MemberStatus} from '../../src/etcd/types.ts';
import type {Probe} from '../../src/observe/observation.ts';
import {removeVoter} from '../../src/phases/removing.ts';
import {answers, clusterID, idOf, members, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from '../unit/decide/observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../unit/decide/observations.ts';
import {actingWith, actionOf, at, held, heldHere, mark, ofKubelet, recorded, simulated, told} from './fixtures.ts';

const strategy = {strategy: 'ReplaceMembers'};
const leader = idOf(0);
const ids = (count: number, ...without: number[]) => members(count).filter((_, index) => !without.includes(index));
const voter = (index: number, list = members(3)): OrdinalOptions => ({probe: {...answers(index, 3, {leader}), members: list} as Probe});
const lostOf = (...indices: number[]) => indices.map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), fenced: 'ToBeStopped'}));
const specHash = plannedSpecHash(observationOf({spec: strategy}).spec, 'ReplaceMembers');

/** etcd-2 is to be replaced, and this step is at work. */
function replacing(step: string, more: Partial<Run> = {}, lost = lostOf(2)): Run {
  return runOf({
    identity: {clusterID, version: '3.6.16', members: members(lost.length > 1 ? 5 : 3), source: 'member list of etcd-0'}, ...more,
    plan: planOf({strategy: 'ReplaceMembers', survivor: 'etcd-0', candidates: ['etcd-0', 'etcd-1'], lost, specHash, ...more.plan}), steps: [{name: step, state: 'Running', startedAt: at}, {name: 'Join etcd-2', state: 'Pending'}],
  });
}

const status = (run: Run, count = 3): QuorumRecoveryStatus =>
  ({members: Array.from({length: count}, (_, index) => recordOf(index, index >= 2 ? {fenced: ofKubelet(index)} : {})), run, heldPods: run.plan?.lost.map(({pod}) => pod) ?? []});

const removing = (more: ObservationOptions = {}, run = replacing('Remove')): ObservationOptions =>
  ({ordinals: [voter(0), voter(1), heldHere(2)], spec: strategy, status: status(run), ...more, more: {linearizable: true, ...more.more}});

const decided = (options: ObservationOptions) => nextStep(observationOf(options))?.decision;

describe('9. While members are replaced, no act of the operator takes the quorum away', () => {
  it('in whole runs no voter that runs is removed, no write is lost, and no ordinal runs twice, whatever ends the operator', async function whole() {
    this.timeout(120_000);
    for (const fates of [['Deleted', 'Alive', 'Alive'], ['Alive', 'Corrupt', 'Alive'], ['Alive', 'Alive', 'Removed'], ['Deleted', 'Alive', 'Corrupt', 'Alive', 'Alive']] as const) {
      for (const ordered of [false, true]) {
        const {outcome, message} = await simulated({fates: [...fates], ordered, replaces: true}, [[12, 'after'], [17, 'before'], [24, 'deposed']]);
        assert.equal(outcome, 'Recovered', message);
      }
    }
  });

  it('a lost member is removed once its end is proven and its name held, through a member that serves', () => {
    const removal = actionOf(decided(removing()), 'RemoveVoter');
    assert.deepEqual([removal.memberID, removal.via], ['a2', 'etcd-0']);
    const unproven = {...status(replacing('Remove')), members: [0, 1, 2].map((index) => recordOf(index))};
    assert.equal(told(decided(removing({status: unproven}))), 'blocked FencingUnproven');
    assert.equal(told(decided(removing({ordinals: [voter(0), voter(1), {object: undefined}]}))), 'CreatePod', 'its name is taken first');
    assert.equal(told(decided(removing({ordinals: [voter(0), voter(1), {}]}))), 'StopPod', 'a pod that came in between is stopped first');
  });

  it('none is removed while one of those that stay is away, and one after the other', () => {
    const quiet: Probe = {kind: 'NotAsked', why: ''};
    assert.equal(told(decided(removing({ordinals: [voter(0), {probe: quiet}, heldHere(2)]}))), 'blocked QuorumAtRisk');
    const run = replacing('Remove', {}, lostOf(3, 4));
    const five = (list = members(5)) => ({ordinals: [voter(0, list), voter(1, list), voter(2, list), heldHere(3), heldHere(4)], nodes: [0, 1, 2, 3, 4].map((index) => node(`node-${index}`)), status: status(run, 5)});
    const first = decided(removing(five()));
    assert.deepEqual(first?.kind === 'act' ? first.actions.length : 0, 1, 'one at a time');
    assert.equal(actionOf(first, 'RemoveVoter').memberID, 'a3');
    assert.equal(actionOf(decided(removing(five(ids(5, 3)))), 'RemoveVoter').memberID, 'a4', 'the second before the first joins');
    assert.equal(told(decided(removing(five(ids(5, 3, 4))))), 'done');
  });

  it('the removal stands in the status before it is asked for, and from then on nothing is let go', () => {
    const options = removing();
    const decision = decided(options);
    assert.ok(decision);
    const draft = recorded(decision, options.status ?? {});
    assert.deepEqual(draft.run?.replace?.removed.map(({memberID}) => memberID), ['a2']);
    const paused = (run: Run) => interrupted(observationOf({...options, spec: {...strategy, paused: true}, status: status(run)}));
    const before = paused(replacing('Remove'));
    const after = paused(draft.run ?? assert.fail());
    assert.ok(before && 'ends' in before && after && 'goesOn' in after);
  });

  it('a member that serves again before the first removal is let go, and not stopped', () => {
    for (const step of ['Hold', 'Stop', 'Remove']) {
      assert.equal(told(decided(removing({ordinals: [voter(0), voter(1), voter(2)]}, replacing(step)))), 'abort PlanChanged', step);
    }
  });

  it('without a quorum nothing is removed: before the first removal all is let go, after it the run ends with its names held', () => {
    const since = (ms: number) => new Date(now - ms).toISOString();
    const told_ = (run: Run) => told(decided(removing({more: {linearizable: false}, status: status(run)})));
    assert.equal(told_(replacing('Remove')), 'record');
    assert.equal(told_(replacing('Remove', {unservedSince: since(2_000)})), 'wait');
    assert.equal(told_(replacing('Remove', {unservedSince: since(11_000)})), 'abort PlanChanged');
    const replace = {removed: [{pod: 'etcd-2', memberID: 'a2', at}]};
    assert.equal(told_(replacing('Remove', {replace, unservedSince: since(11_000)})), 'blocked SurvivorNotServing');
    assert.equal(told_(replacing('Remove', {replace, unservedSince: since(700_000)})), 'failed');
  });

  it('another member that serves takes the place of the one through which the list is changed', () => {
    const decision = decided(removing({ordinals: [{probe: {kind: 'NotAsked', why: ''}}, voter(1), heldHere(2)]}));
    assert.ok(decision);
    assert.equal(recorded(decision, status(replacing('Remove'))).run?.plan?.survivor, 'etcd-1');
  });

  it('the act counts once more: from the quorum\'s own list, and from what each member says of itself', async () => {
    const observation = observationOf(removing());
    const told_ = async (options: {list?: ReturnType<typeof ids>; leaders?: string; memberID?: string}) => {
      const asked: string[] = [];
      const answer = answers(0, 3) as Extract<Probe, {kind: 'Answered'}>;
      let count = -1;
      const statuses = (): MemberStatus => ({...answer.status, memberID: options.memberID ?? idOf(count += 1), leader: options.leaders ?? leader});
      for (const view of observation.ordinals) if (view.object?.status && view.probe.kind === 'Answered') view.object.status.podIP = '10.0.0.1';
      const outcome = await removeVoter(actingWith(observation, {
        memberList: () => Promise.resolve({clusterID, members: options.list ?? members(3)}), status: () => Promise.resolve(statuses()), removeMember: (id) => { asked.push(id); return Promise.resolve(); },
      }), {type: 'RemoveVoter', via: 'etcd-0', memberID: 'a2', pod: 'etcd-2'});
      return [outcome.kind === 'blocked' ? outcome.reason : outcome.kind, asked.join()];
    };
    assert.deepEqual(await told_({}), ['done', 'a2']);
    assert.deepEqual(await told_({list: ids(3, 2)}), ['done', ''], 'it is gone already');
    assert.deepEqual(await told_({leaders: ''}), ['QuorumAtRisk', ''], 'nobody has a leader');
    assert.deepEqual(await told_({memberID: 'a2'}), ['QuorumAtRisk', ''], 'it answers');
  });

  it('the old voter in a list that is behind is not taken for the member that joins', () => {
    const run = replacing('Join etcd-2', {replace: {removed: [{pod: 'etcd-2', memberID: 'a2', at}]}});
    const options = removing({ordinals: [voter(0), voter(1), held(2, {object: ownPodOf(2, {gated: true, uid: 'held-2', annotations: mark})})]}, run);
    assert.notEqual(told(join(observationOf(options), 'etcd-2')), 'done');
  });
});
