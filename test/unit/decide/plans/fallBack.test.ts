import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {parseArguments} from '../../../../src/agent/arguments.ts';
import type {InspectFacts} from '../../../../src/agent/report.ts';
import {marks} from '../../../../src/api/types.ts';
import type {DataLoss, OfflineFacts, Run} from '../../../../src/api/types.ts';
import type {Decision} from '../../../../src/decide/decision.ts';
import {fallBackLoss} from '../../../../src/decide/plans/fallBackLoss.ts';
import {needsApproval} from '../../../../src/decide/interrupt.ts';
import {newClusterID} from '../../../../src/decide/newCluster.ts';
import {restoreMove} from '../../../../src/decide/plans/restoreRevision.ts';
import {inspect, offlineFacts} from '../../../../src/decide/steps/inspect.ts';
import {plan} from '../../../../src/decide/steps/plan.ts';
import {restoreClaims} from '../../../../src/decide/steps/restoreClaims.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, clusterID, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, plannedOf, recordOf, recorded, runOf} from '../observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../observations.ts';

const at = new Date(now).toISOString();
const database = {index: 95, term: 5, revision: 48, bytes: 20_480, file: 'db'};
/** Its log ends five entries after what is in its database, three of them beyond the commit index. */
const read = (more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: 'etcd-0', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID, term: 5, index: 100, commit: 97, revision: 48, database, readAt: at,
  members: members(3).map(({id, name, peerURLs}) => ({id, name, peerURLs, isLearner: false})), ...more,
});
const broken = (more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: 'etcd-0', stage: 'Planning', data: 'Unreadable', memberID: idOf(0), clusterID, revision: 48, database, readAt: at, members: members(3),
  unfit: 'its data cannot be read: crc mismatch', broken: true, message: 'crc mismatch', ...more,
});
const gone = (index: number): OrdinalOptions => ({object: ownPodOf(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const lost = (offline: OfflineFacts[], version = '3.5.21', more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [version === '' ? {} : {probe: answers(0, 3, {version})}, gone(1), gone(2)], nodes: [node('node-0')],
  status: {members: [0, 1, 2].map((index) => recordOf(index)), run: runOf({offline})}, ...more,
});
const told = (decision: Decision): string => ('reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind);

const planned = (options: ObservationOptions): NonNullable<Run['plan']> => plannedOf(observationOf(options));

describe('What a force falls back to', () => {
  it('is the survivor\'s own database where its version is not forced, and the plan says why, what is lost of its log, and always asks', () => {
    const made = planned(lost([read()]));
    assert.deepEqual([made.strategy, made.survivor, made.candidates], ['RestoreSnapshot', 'etcd-0', ['etcd-0']]);
    assert.deepEqual(made.snapshot, {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 20_480, clusterID, index: 95, logIndex: 100});
    assert.match(made.why, /^nothing can be forced: etcd 3\.5\.21 may leave members of the old cluster behind .* own database instead/);
    assert.match(made.expectedLoss, /has the log up to entry 95 \(revision 48\); the 5 entries 96 to 100 of its log are not in its database and cannot come along/);
    assert.deepEqual(made.steps, ['Plan', 'Approve', 'Hold', 'Stop', 'Inspect', 'Restore', 'StartAll', 'Decommission', 'Join etcd-1', 'Join etcd-2', 'RestartProof', 'Verify', 'Release']);
    assert.deepEqual(made.lost.map(({pod}) => pod), ['etcd-1', 'etcd-2'], 'the survivor is none of the lost');
    assert.deepEqual(made.claims.map(({fate}) => fate.split(' ').slice(0, 4).join(' ')), ['a snapshot of its', 'its volume is kept', 'its volume is kept']);
    const own = observationOf(lost([read()])).ordinals.slice(0, 1);
    assert.ok(made.notes.some((note) => note.includes(`another ID (${newClusterID({id: 'run-1'}, own)})`)), made.notes.join('\n'));
    assert.equal(needsApproval(observationOf(lost([read()])), made), true);
  });

  it('is read from its disk first, although nobody asked for approval', () => {
    const decision = plan(observationOf(lost([])));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod', JSON.stringify(decision));
    assert.equal(decision.actions[0].pod.metadata?.annotations?.[marks.step], 'InspectPlanning');
  });

  it('is its database too where its log is damaged: how much is lost is not known then', () => {
    const made = planned(lost([broken()], ''));
    assert.deepEqual([made.snapshot?.index, made.snapshot?.logIndex], [95, undefined]);
    assert.match(made.why, /nothing can be forced: its data cannot be read: crc mismatch/);
    assert.match(made.expectedLoss, /how much was written after entry 95 is not known/);
  });

  it('comes before a snapshot in a store, and not where spec.strategy names another way', () => {
    const spec = {snapshot: {claim: {name: 'backups'}}};
    assert.equal(planned(lost([broken()], '', {spec})).snapshot?.pod, 'etcd-0');
    assert.equal(planned(lost([read()], '3.5.21', {spec: {strategy: 'ForceNewCluster'}})).snapshot?.pod, 'etcd-0');
    const other = plan(observationOf(lost([read()], '3.5.21', {spec: {...spec, strategy: 'RestoreSnapshot'}})));
    assert.ok(other.kind === 'act' && other.why.startsWith('reading the store'), JSON.stringify(other));
  });

  it('is nothing where it can be forced', () => {
    assert.equal(planned(lost([read()], '3.5.22')).strategy, 'ForceNewCluster');
    assert.equal(planned(lost([read()], '3.6.16')).strategy, 'ForceNewCluster');
  });

  const refused: [string, ObservationOptions, string][] = [
    ['its database does not tell who is a voter', lost([read()], '3.5.19'), 'blocked VersionNotForceable'],
    ['the version is not known', lost([read()], '3.8.0'), 'blocked VersionNotForceable'],
    ['the database is damaged as well', lost([{pod: 'etcd-0', stage: 'Planning', data: 'Unreadable', memberID: idOf(0), clusterID, unfit: 'its data cannot be read: crc mismatch', readAt: at, members: members(3)}], ''), 'blocked NoSurvivor'],
    ['etcdutl finds the database broken', lost([broken({etcdutl: {broken: 'page 7'}})], ''), 'blocked NoSurvivor'],
    ['by its own database it is a learner', lost([broken({members: [{id: idOf(0), peerURLs: [], isLearner: true}, ...members(3).slice(1)]})], ''), 'blocked NoSurvivor'],
    ['a person named another survivor', lost([read()], '3.5.21', {spec: {survivor: {pod: 'etcd-1'}}}), 'blocked SurvivorNotEligible'],
    ['etcd wants a user and none is given', lost([read()], '3.5.21', {more: {authEnabled: true}}), 'blocked AuthRequired'],
  ];
  for (const [title, options, reason] of refused) it(`is refused where ${title}`, () => { assert.equal(told(plan(observationOf(options))), reason); });

  const alarmed = (alarm: 'NOSPACE' | 'CORRUPT', index = 0) => ({...database, alarms: [{memberID: idOf(index), alarm}]});
  it('is refused by name where its own etcd found the database corrupt, which stands in it as an alarm', () => {
    for (const [facts, version, reason] of [[read({database: alarmed('CORRUPT')}), '3.5.21', 'VersionNotForceable'], [broken({database: alarmed('CORRUPT')}), '', 'NoSurvivor']] as const) {
      const decision = plan(observationOf(lost([facts], version)));
      assert.equal(told(decision), `blocked ${reason}`);
      assert.match('message' in decision ? decision.message : '', /etcd-0: its etcd found its database corrupt/);
    }
  });

  it('says beforehand what becomes of an alarm that its database brings along', () => {
    assert.ok(planned(lost([read({database: alarmed('NOSPACE')})])).notes.some((note) => /^the alarm .*NOSPACE.* stands in the database of etcd-0: .* before its first write/.test(note)));
    assert.ok(planned(lost([read({database: alarmed('CORRUPT', 1)})])).notes.some((note) => note.includes(`the alarm that member ${idOf(1)} was corrupt stands`)));
    assert.ok(!planned(lost([read()])).notes.some((note) => note.includes('alarm')));
  });

  it('is refused where its database asks for a user and none is given, although no etcd runs that could say so', () => {
    const facts = broken({database: {...database, authEnabled: true}});
    assert.equal(told(plan(observationOf(lost([facts], '')))), 'blocked AuthRequired');
    assert.equal(planned(lost([facts], '', {spec: {target: {statefulSet: 'etcd', auth: {secretName: 'root'}}}})).strategy, 'RestoreSnapshot');
  });

  describe('where its log is damaged', () => {
    /** No etcd runs that could tell its version: the image's tag does. */
    const imageOf = (version: string) => {
      const set = newSet(3);
      const [container] = set.spec?.template.spec?.containers ?? [];
      if (container) container.image = `registry.example/etcd:${version}`;
      return {set};
    };
    for (const version of ['3.4.30', '3.5.10', '3.5.19', '3.8.0']) {
      it(`is nothing in ${version}, from whose database no cluster is started, and the refusal says why`, () => {
        const decision = plan(observationOf(lost([broken()], '', imageOf(version))));
        assert.equal(told(decision), 'blocked NoSurvivor');
        assert.match('message' in decision ? decision.message : '', new RegExp(`etcd-0 is no survivor: its data cannot be read: crc mismatch; the database of etcd-0 can be read, and is not restored in etcd ${version.replaceAll('.', '\\.')}: that is done from 3\\.5\\.20 on`));
      });
    }
    for (const version of ['3.5.20', '3.5.22', '3.6.0', '3.6.16']) {
      it(`is its database in ${version}, whether that is forced or not`, () => { assert.equal(planned(lost([broken()], '', imageOf(version))).snapshot?.pod, 'etcd-0'); });
    }
  });

  it('says what to do where its database does not tell who is a voter', () => {
    const decision = plan(observationOf(lost([read()], '3.5.19')));
    assert.match('message' in decision ? decision.message : '', /is done from 3\.5\.20 on: name an image of a later patch in the StatefulSet/);
  });

  it('does not take a database for the log of a member that may come back, unless the strategy is named', () => {
    const five: ObservationOptions = {
      ordinals: [{}, {object: ownPodOf(1), place: {at: 'NotReadyNode', nodes: ['node-1']}}, ...[2, 3, 4].map(gone)], nodes: [node('node-0'), node('node-1', {ready: false})],
      status: {members: [0, 1, 2, 3, 4].map((index) => recordOf(index)), run: runOf({offline: [broken({members: members(5)})]})},
    };
    const decision = plan(observationOf(five));
    assert.ok(decision.kind === 'blocked' && decision.reason === 'FencingUnproven', JSON.stringify(decision));
    assert.match(decision.message, /no log can be read .* data of etcd-1 .* or set spec\.strategy to ForceNewCluster/);
    assert.match(planned({...five, spec: {strategy: 'ForceNewCluster'}}).expectedLoss, /Data that nobody can read now may come back, be newer, and is given up: etcd-1/);
  });

  it('has another hash for other entries that are lost, and none for a later look', () => {
    const hash = (facts: OfflineFacts, later = 0) => planned({...lost([facts]), more: {now: now + later}}).hash;
    assert.equal(hash(read()), hash(read(), 60_000));
    assert.notEqual(hash(read()), hash(read({index: 101})));
    assert.notEqual(hash(read()), hash(read({database: {...database, index: 94}})));
  });
});

describe('the room for the database of a survivor', () => {
  const big = {...database, bytes: 20_000_000};
  /** Twice the database, two segments of the log, and what is kept free. */
  const needed = 2 * 20_000_000 + 134_217_728 + 4_194_304;
  const of = (freeBytes: number, more: Partial<OfflineFacts> = {}, options: ObservationOptions = {}) => lost([read({database: big, freeBytes, ...more})], '3.5.21', options);

  it('is told in the plan: what is needed, and what is there', () => {
    const {notes} = planned(of(needed));
    assert.ok(notes.some((note) => /^restoring the database of etcd-0 takes 179 MB on claim data-etcd-0 beside what is there \(20 MB for the snapshot that is made of it, 20 MB for the database that is built from that, 135 MB for the log\), and 178 MB were free\. The snapshot of a member that still runs is taken .* only where that room is left$/.test(note)), notes.join('\n'));
    assert.ok(!planned(of(needed, {}, {spec: {preserve: {mode: 'Skip'}}})).notes.join('\n').includes('only where that room is left'));
  });

  it('is asked before anything is touched: without it nothing is planned, and the refusal says how much, and what to do', () => {
    const decision = plan(observationOf(of(needed - 1)));
    assert.equal(told(decision), 'blocked RestoreFailed');
    assert.match('message' in decision ? decision.message : '', /etcd-0: there is no room .* claim data-etcd-0 has 178 MB free, and 179 MB are needed .* Nothing was touched\. Enlarge the claim, or remove .* looked at again every two minutes$/);
  });

  it('is that for a defragmentation too, where the database fills its quota', () => {
    const full = {database: {...big, alarms: [{memberID: idOf(0), alarm: 'NOSPACE' as const}]}};
    assert.equal(told(plan(observationOf(of(needed, full)))), 'blocked RestoreFailed');
    assert.match(planned(of(needed + 20_000_000, full)).notes.join('\n'), /20 MB to defragment it, because it fills its quota/);
  });

  it('is on two volumes where the log has one of its own', () => {
    const apart = (freeBytes: number, walFreeBytes: number) => {
      const observation = observationOf(of(freeBytes, {walFreeBytes}));
      const [view] = observation.ordinals;
      if (view?.data) view.wal = {...view.data, name: 'wal-etcd-0'};
      return observation;
    };
    assert.equal(told(plan(apart(needed - 134_217_728, 134_217_728))), 'act');
    const decision = plan(apart(needed, 134_217_727));
    assert.equal(told(decision), 'blocked RestoreFailed');
    assert.match('message' in decision ? decision.message : '', /claim wal-etcd-0 has 134 MB free, and 135 MB are needed for the log/);
  });

  it('is looked at again: someone may have made some', () => {
    const decision = plan(observationOf({...of(needed - 1), more: {now: now + 121_000}}));
    assert.ok(decision.kind === 'record' && decision.why === 'reading the disks again', JSON.stringify(decision));
  });

  it('is no matter of the hash: a person approves what is lost, not how full a disk is', () => { assert.equal(planned(of(needed)).hash, planned(of(2 * needed)).hash); });

  it('is what the agent asks for before it makes the snapshot', () => {
    const decision = restoreClaims(running({steps, newCluster: begun, offline: [read({stage: 'Held', database: big})], plan: planOf({strategy: 'RestoreSnapshot', candidates: ['etcd-0'], snapshot: {...snapshot, bytes: 20_000_000}})}));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod', JSON.stringify(decision));
    const args = decision.actions[0].pod.spec?.initContainers?.[0]?.args ?? [];
    assert.equal(args[args.indexOf('--needs') + 1], String(20_000_000 + 134_217_728), 'the agent adds the snapshot itself, and what is kept free');
  });
});

const facts = {freeBytes: 1, dataBytes: 1, walBytes: 1};
const backend = {consistentIndex: 95, term: 5, revision: 48, members: [{id: idOf(0), name: 'etcd-0', peerURLs: [], isLearner: false}], removed: [], sizeBytes: 20_480};

describe('what an inspection keeps of a database', () => {
  const unreadable: InspectFacts = {data: 'Unreadable', corrupt: 'crc mismatch', ...facts, memberID: idOf(0), clusterID};
  it('is where its log cannot be read, with its members', () => {
    const kept = offlineFacts('etcd-0', 'Held', {...unreadable, backend});
    assert.deepEqual([kept.database, kept.members?.map(({id}) => id), kept.revision], [database, [idOf(0)], 48]);
    assert.equal(offlineFacts('etcd-0', 'Held', {...unreadable, backend: {error: 'no database'}}).database, undefined);
    assert.equal(offlineFacts('etcd-0', 'Held', unreadable).database, undefined);
  });
  it('is what holds again on its next start: its alarms, and that it asks for a user', () => {
    const alarms = [{memberID: idOf(1), alarm: 'NOSPACE' as const}];
    assert.deepEqual(offlineFacts('etcd-0', 'Held', {...unreadable, backend: {...backend, alarms, authEnabled: true}}).database, {...database, alarms, authEnabled: true});
  });
  it('is the file that an etcd would start with', () => {
    assert.equal(offlineFacts('etcd-0', 'Held', {...unreadable, backend: {...backend, received: '000000000000005f.snap.db'}}).database?.file, '000000000000005f.snap.db');
  });
});

const snapshot = {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 20_480, clusterID, index: 95, logIndex: 100};
const identity = {clusterID, version: '3.5.21', source: 'disk', members: members(3).map(({id, name, peerURLs}) => ({id, name, peerURLs}))};
const mark = {[marks.run]: 'run-1'};
const fenced = (index: number) => recordOf(index, {fenced: {by: index === 0 ? 'KubeletConfirmed' : 'NodeDeleted', podUID: `pod-uid-${index}`, at}});
const held = (index: number, place?: OrdinalOptions['place']): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), ...(place && {place})});
const running = (run: Partial<Run>, helpers: V1Pod[] = [], own?: OrdinalOptions['place']): Observation => observationOf({
  ordinals: [held(0, own), held(1, {at: 'GoneNode', nodes: ['node-1']}), held(2, {at: 'GoneNode', nodes: ['node-2']})], nodes: [node('node-0')],
  status: {
    members: [0, 1, 2].map(fenced), heldPods: ['etcd-0', 'etcd-1', 'etcd-2'],
    run: runOf({plan: planOf({strategy: 'RestoreSnapshot', candidates: ['etcd-0'], lowest: {term: 5, index: 95}, snapshot}), identity, offline: [read({stage: 'Held'})], ...run}),
  }, more: {helpers},
});
const steps: Run['steps'] = [{name: 'Restore', state: 'Running'}, {name: 'StartAll', state: 'Pending'}];
const move = {from: 48, target: 1_148, proven: true, why: ''};
const begun = {attempt: 1, members: ['etcd-0'], clusterID: 'abc', seeded: [], move};

describe('once the survivor is stopped', () => {
  it('what its database and its log hold by then is settled, and told with the result', () => {
    const fuller = read({stage: 'Held', index: 101, database: {...database, index: 99, revision: 51}});
    const observation = running({offline: [fuller], steps: [{name: 'Inspect', state: 'Running'}]});
    const decision = inspect(observation);
    assert.equal(told(decision), 'done');
    const {run, dataLoss} = recorded(decision, observation.status);
    assert.deepEqual([run?.plan?.snapshot?.index, run?.plan?.snapshot?.logIndex, run?.plan?.snapshot?.revision], [99, 101, 51]);
    assert.deepEqual([dataLoss?.database, dataLoss?.survivorRevision], [{pod: 'etcd-0', index: 99, logIndex: 101}, 51]);
    assert.match(run?.plan?.expectedLoss ?? '', /2 entries 100 to 101/);
  });

  it('a database that ends before the plan\'s is another plan, and a broken one is nothing to start from', () => {
    const inspecting = (offline: OfflineFacts) => told(inspect(running({offline: [offline], steps: [{name: 'Inspect', state: 'Running'}]})));
    assert.equal(inspecting(read({stage: 'Held', database: {...database, index: 94}})), 'abort PlanChanged');
    assert.equal(inspecting(read({stage: 'Held', database: {...database, alarms: [{memberID: idOf(0), alarm: 'CORRUPT'}]}})), 'blocked NoSurvivor');
    assert.equal(inspecting(read({stage: 'Held', database: {...database, authEnabled: true}})), 'blocked AuthRequired');
    assert.equal(inspecting(read({stage: 'Held', unfit: 'its database is broken, says etcdutl: page 7', etcdutl: {broken: 'page 7'}})), 'blocked NoSurvivor');
  });
});

describe('restoring the survivor\'s own database', () => {
  it('begins with that member alone', () => {
    const observation = running({steps});
    const {run} = recorded(restoreClaims(observation), observation.status);
    assert.deepEqual([run?.newCluster?.members, run?.joins ?? []], [['etcd-0'], []]);
    assert.equal(run?.newCluster?.clusterID, newClusterID({id: 'run-1'}, observation.ordinals.slice(0, 1)));
  });

  it('fetches nothing: the agent makes the snapshot of the very database that was read, etcdutl checks it, and both are asked again in the turn', () => {
    const decision = restoreClaims(running({steps, newCluster: begun}));
    assert.ok(decision.kind === 'act' && decision.actions.length === 1 && decision.actions[0]?.type === 'CreatePod', JSON.stringify(decision));
    const {spec} = decision.actions[0].pod;
    assert.deepEqual(spec?.initContainers?.map(({name}) => name), ['prepare', 'check', 'etcdutl']);
    const [prepare, check, etcdutl] = spec.initContainers;
    for (const container of [prepare, spec.containers[0]]) {
      const args = (container?.args ?? []).filter((word, index, all) => word !== '--turn' && all[index - 1] !== '--turn');
      const {database: file, expectIndex, expectRevision} = parseArguments(args);
      assert.deepEqual([file, expectIndex, expectRevision], ['db', 95, 48]);
    }
    const made = '/data/.quorumrecovery/run-1/survivor.db';
    assert.deepEqual([check?.command?.slice(0, 4), etcdutl?.command?.slice(0, 4)], [['etcdutl', 'snapshot', 'status', made], ['etcdutl', 'snapshot', 'restore', made]]);
    assert.ok(etcdutl?.command?.includes('--bump-revision=1100'));
  });

  it('never makes the claim of the survivor anew: its volume is waited for', () => {
    for (const begunAt of [undefined, at]) {
      const decision = restoreClaims(running({steps, newCluster: {...begun, ...(begunAt && {begunAt})}}, [], {at: 'GoneNode', nodes: ['node-0']}));
      assert.equal(told(decision), 'blocked RestoreFailed');
      assert.match('message' in decision ? decision.message : '', /the volume of etcd-0, whose database is restored, is not within reach/);
    }
  });

  it('is not begun where only a person says that the survivor has ended', () => {
    const observation = running({steps, newCluster: begun});
    observation.status.members = [recordOf(0, {fenced: {by: 'LostMembers', podUID: 'pod-uid-0', at}}), fenced(1), fenced(2)];
    assert.equal(told(restoreClaims(observation)), 'blocked SurvivorNotEligible');
  });

  it('moves the revision past what the entries that are lost may have made', () => {
    const observation = observationOf({status: {lastServed: {revision: 48, at}, run: runOf()}});
    assert.ok(restoreMove(observation, 48, 9_000).target > 9_048);
    assert.ok(restoreMove(observationOf({status: {run: runOf()}}), 48, 9_000).target > 1_000_009_047);
  });
});

describe('what is told to be lost', () => {
  const of = (more: Partial<DataLoss> = {}) => {
    const loss = fallBackLoss({survivorRevision: 48, lastKnownRevision: 48, witnessed: true, database: {pod: 'etcd-0', index: 95, logIndex: 100}, ...more});
    return [loss?.status, loss?.reason, loss?.message];
  };
  it('is each entry of the log that is not in the database', () => {
    const [status, reason, message] = of();
    assert.deepEqual([status, reason], ['True', 'RestoredFromSurvivor']);
    assert.match(message ?? '', /started from the database of etcd-0, at log entry 95 and revision 48; the 5 entries 96 to 100 of its log are not in its database/);
  });
  it('is nothing where its log ends with its database, and not known where nobody saw the others', () => {
    const all = {database: {pod: 'etcd-0', index: 100, logIndex: 100}};
    assert.deepEqual(of(all).slice(0, 2), ['False', 'NothingDropped']);
    assert.deepEqual(of({...all, witnessed: false}).slice(0, 2), ['Unknown', 'NoWitness']);
    assert.deepEqual(of({...all, lastKnownRevision: 60}).slice(0, 2), ['True', 'RestoredFromSurvivor']);
    assert.deepEqual(of({...all, longerLogs: ['the log of etcd-1 ends at term 5, index 200']}).slice(0, 2), ['True', 'RestoredFromSurvivor']);
  });
  it('is not known where its log cannot be read', () => { assert.match(of({database: {pod: 'etcd-0', index: 95}})[2] ?? '', /how much was written after entry 95 is not known/); });
  it('is no matter of other runs', () => { assert.equal(fallBackLoss({survivorRevision: 48}), undefined); });
});
