import assert from 'node:assert/strict';
import type {OfflineFacts, Run} from '../../../../src/api/types.ts';
import type {Decision} from '../../../../src/decide/decision.ts';
import {entriesBeyond} from '../../../../src/decide/plans/fallBackLoss.ts';
import {newClusterID} from '../../../../src/decide/newCluster.ts';
import {inspect} from '../../../../src/decide/steps/inspect.ts';
import {plan} from '../../../../src/decide/steps/plan.ts';
import {canFallBack} from '../../../../src/etcd/versions.ts';
import {answers, clusterID, idOf, members, node, now, observationOf, ownPodOf, plannedOf, recordOf, recorded, runOf} from '../observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../observations.ts';

const at = new Date(now).toISOString();
const database = (index: number) => ({index, term: 5, revision: index - 50, bytes: 20_480, file: 'db'});
const read = (index: number, applied: number, log: number, stage: OfflineFacts['stage'] = 'Planning'): OfflineFacts => ({
  pod: `etcd-${index}`, stage, data: 'Present', memberID: idOf(index), clusterID, term: 5, index: log, commit: applied, revision: applied - 50, database: database(applied), readAt: at,
  members: members(5).map(({id, name, peerURLs}) => ({id, name, peerURLs, isLearner: false})),
});
const damaged = (index: number, applied: number, log: number, stage: OfflineFacts['stage'] = 'Planning'): OfflineFacts =>
  ({...read(index, applied, log, stage), data: 'Unreadable', unfit: 'its data cannot be read: crc mismatch', broken: true, message: 'crc mismatch'});
const gone = (index: number): OrdinalOptions => ({object: ownPodOf(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const five = (offline: OfflineFacts[], more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [{}, {}, gone(2), gone(3), gone(4)], nodes: [node('node-0'), node('node-1')],
  status: {members: [0, 1, 2, 3, 4].map((index) => recordOf(index)), run: runOf({offline})}, ...more,
});

const planned = (options: ObservationOptions): NonNullable<Run['plan']> => plannedOf(observationOf(options));

describe('A sound database beside a damaged log, and another member whose log can be forced', () => {
  it('is started from, after approval, where it has more than that log', () => {
    const made = planned(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)]));
    assert.deepEqual([made.strategy, made.survivor, made.steps[1]], ['RestoreSnapshot', 'etcd-1', 'Approve']);
    assert.match(made.why, /the log of etcd-0 ends at entry 1000, and the database of etcd-1 has the log up to entry 50000, which cannot be forced: its data cannot be read/);
  });

  it('can be chosen by a person', () => {
    assert.equal(planned(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)], {spec: {survivor: {pod: 'etcd-1'}}})).snapshot?.pod, 'etcd-1');
    assert.equal(planned(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)], {spec: {survivor: {pod: 'etcd-0'}}})).strategy, 'ForceNewCluster');
  });

  it('is left where that log goes as far', () => {
    const made = planned(five([read(0, 900, 1_000), damaged(1, 1_000, 800)]));
    assert.deepEqual([made.strategy, made.survivor], ['ForceNewCluster', 'etcd-0']);
  });

  it('is told of where it is not taken', () => {
    const {dataLoss} = recorded(plan(observationOf(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)], {spec: {survivor: {pod: 'etcd-0'}}}))), {run: runOf()});
    const made = planned(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)], {spec: {survivor: {pod: 'etcd-0'}}}));
    assert.match(`${made.expectedLoss} ${made.notes.join(' ')} ${JSON.stringify(dataLoss)}`, /database of etcd-1 has the log up to term 5, index 50000/);
  });
});

describe('The plan to start from a database', () => {
  const old = (index: number) => ({probe: answers(index, 5, {version: '3.5.21'})});
  const options = (offline: OfflineFacts[]): ObservationOptions => five(offline, {ordinals: [old(0), old(1), gone(2), gone(3), gone(4)]});

  /** What is decided once the disks were read again. */
  function readAgain(before: OfflineFacts[], held: OfflineFacts[]): Decision {
    const observation = observationOf(options(before));
    const status = recorded(plan(observation), observation.status);
    assert.equal(status.run?.plan?.strategy, 'RestoreSnapshot');
    status.run.offline = held;
    status.run.steps = status.run.steps.map((step) => ({...step, state: step.name === 'Inspect' ? 'Running' : step.state}));
    return inspect(observationOf(five([], {status})));
  }
  const before = [read(0, 100, 100), read(1, 99, 99)];

  it('is made anew where more of a log is lost than it said', () => {
    const decision = readAgain(before, [read(0, 100, 4_000, 'Held'), read(1, 99, 99, 'Held')]);
    assert.ok(decision.kind === 'abort' && decision.reason === 'PlanChanged', JSON.stringify(decision));
    assert.match(decision.message, /the 3900 entries 101 to 4000 of its log .*the plan had been that its log ends with entry 100 too/);
  });

  it('is made anew where it knew how much is lost, and nobody knows any more', () => {
    const decision = readAgain(before, [damaged(0, 100, 60, 'Held'), read(1, 99, 99, 'Held')]);
    assert.ok(decision.kind === 'abort' && decision.reason === 'PlanChanged', JSON.stringify(decision));
  });

  it('is carried out where no more is lost', () => {
    assert.equal(readAgain(before, [read(0, 100, 100, 'Held'), read(1, 99, 99, 'Held')]).kind, 'done');
  });

  const idIn = (...ordinals: number[]) => newClusterID({id: 'run-1'}, observationOf(options(before)).ordinals.filter(({ordinal}) => ordinals.includes(ordinal)));

  it('names the cluster ID for each member that may begin', () => {
    assert.ok(planned(options(before)).notes.some((note) => note.includes(`another ID (${idIn(0)}, if etcd-0 begins it; ${idIn(1)}, if etcd-1 begins it)`)));
  });

  it('names the member that is taken, where another one has more by then: nobody is asked again for that', () => {
    const made = planned(options(before));
    const observation = observationOf(options(before));
    const decision = readAgain(before, [read(0, 100, 100, 'Held'), read(1, 105, 105, 'Held')]);
    assert.ok(decision.kind === 'done', JSON.stringify(decision));
    assert.match(decision.message, /^the database of etcd-1, which has more in it by now than that of etcd-0: its log ends with entry 105 too/);
    const {run} = recorded(decision, recorded(plan(observation), observation.status));
    const taken = run?.plan ?? assert.fail();
    assert.deepEqual([taken.hash, taken.survivor, taken.snapshot?.pod, taken.snapshot?.index], [made.hash, 'etcd-1', 'etcd-1', 105]);
    assert.match(taken.why, /A snapshot is made of etcd-1's own database/);
    assert.match(taken.expectedLoss, /^the database of etcd-1 has the log up to entry 105/);
    assert.deepEqual(taken.lost.map(({pod}) => pod), ['etcd-0', 'etcd-2', 'etcd-3', 'etcd-4']);
    assert.deepEqual(taken.claims.slice(0, 2).map(({pod, fate}) => [pod, fate.split(' ').slice(0, 3).join(' ')]), [['etcd-0', 'its data is'], ['etcd-1', 'a snapshot of']]);
    const notes = taken.notes.join('\n');
    assert.ok(notes.includes(`another ID (${idIn(1)}) and`), notes);
    assert.ok(!notes.includes(idIn(0)), notes);
    assert.match(notes, /of the databases of etcd-1, etcd-0 that of etcd-1 has most in it, and is taken/);
    assert.deepEqual(run?.steps.map(({name}) => name).filter((name) => name.startsWith('Join')), ['Join etcd-0', 'Join etcd-2', 'Join etcd-3', 'Join etcd-4']);
    assert.deepEqual(taken.steps, run.steps.map(({name}) => name));
  });

  it('says what is taken where it is the first one all the same, with the words that it had', () => {
    const observation = observationOf(options(before));
    const {run} = recorded(readAgain(before, [read(0, 100, 100, 'Held'), read(1, 99, 99, 'Held')]), recorded(plan(observation), observation.status));
    const made = planned(options(before));
    assert.deepEqual([run?.plan?.why, run?.plan?.lost, run?.plan?.claims, run?.plan?.notes], [made.why, made.lost, made.claims, made.notes]);
  });

  it('is made anew where the log of the one that is taken can be forced by then: that keeps more', () => {
    const mended = (applied: number) => {
      const observation = observationOf(five([read(0, 1_000, 1_000), damaged(1, 50_000, 800)]));
      const status = recorded(plan(observation), observation.status);
      assert.equal(status.run?.plan?.survivor, 'etcd-1');
      status.run.offline = [read(0, 1_000, 1_000, 'Held'), read(1, applied, 50_000, 'Held')];
      return inspect(observationOf(five([], {status})));
    };
    const decision = mended(50_000);
    assert.ok(decision.kind === 'abort' && decision.reason === 'PlanChanged', JSON.stringify(decision));
    assert.match(decision.message, /nothing speaks against a force any more \(etcd-1 has the newest data/);
  });

  it('says that the store was not read, where a snapshot in it may be newer', () => {
    const made = planned(five([damaged(0, 95, 60)], {ordinals: [{}, gone(1), gone(2), gone(3), gone(4)], spec: {snapshot: {claim: {name: 'backups'}}}}));
    assert.match(made.notes.join('\n'), /the store of spec\.snapshot was not read for this plan: .*set spec\.strategy to RestoreSnapshot/);
  });

  it('is none before 3.5.20, whose databases do not know a promotion', () => {
    assert.deepEqual(['3.5.10', '3.5.19', '3.5.20', '3.5.21', '3.6.0'].map(canFallBack), [false, false, true, true, true]);
  });

  it('moves the revision past what the log of any disk may have made', () => {
    const run = runOf({offline: [read(0, 95, 100), read(1, 95, 90_000)]});
    assert.equal(entriesBeyond({status: {run}}, {name: 'db', pod: 'etcd-0', revision: 48, bytes: 1, index: 95, logIndex: 100}), 89_905);
    assert.equal(entriesBeyond({status: {run}}, {name: 'a snapshot of a store', revision: 48, bytes: 1}), 0);
  });
});
