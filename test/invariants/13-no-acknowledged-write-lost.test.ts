import assert from 'node:assert/strict';
import {cpSync, writeFileSync} from 'node:fs';
import {join as path} from 'node:path';
import {parseArguments} from '../../src/agent/arguments.ts';
import {runCommand} from '../../src/agent/run.ts';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {stepsFor} from '../../src/decide/plans/plan.ts';
import {force} from '../../src/decide/steps/force.ts';
import {inspect} from '../../src/decide/steps/inspect.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {summarize} from '../../src/decide/summary.ts';
import {readWal} from '../../src/etcd/wal/wal.ts';
import {checkForced} from '../../src/phases/forcing.ts';
import {call, etcdVersions, freePort, put, startCluster, startEtcd, status, stop as kill, stopEverything, until} from '../unit/agent/etcd-processes.ts';
import {newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from '../unit/agent/volumes.ts';
import {answers, clusterID, idOf, members, node, now, observationOf, planOf} from '../unit/decide/observations.ts';
import type {ObservationOptions} from '../unit/decide/observations.ts';
import {actingWith, at, facts, forcedPod, hasItsTurn, held, heldHere, identity, lost, planned, ready, recorded, simulated, told, withHelper} from './fixtures.ts';

const argsOf = (options: ObservationOptions) => forcedPod(options).spec?.initContainers?.[0]?.args ?? [];
const valueOf = (args: readonly string[], flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
const walOf = (dataDir: string) => readWal(path(dataDir, 'member', 'wal')) ?? assert.fail('no WAL');

describe('13. Every acknowledged write that the survivor\'s disk holds, and that was not superseded, is there afterwards; what is not is named', () => {
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  it('the survivor is the candidate with the best log, as raft compares logs: online, by its disk in Plan, and by its disk once all is held', () => {
    const survivorBy = (one: object, two: object) => {
      const five = [...[one, two].map((numbers, index) => ({probe: answers(index, 5, numbers)})), held(2), held(3), held(4)];
      return recorded(plan(observationOf({...lost(), ordinals: five, nodes: [node('node-0'), node('node-1')]})), {run: planned({plan: undefined, identity: undefined, offline: []}), members: []}).run?.plan?.survivor;
    };
    assert.equal(survivorBy({raftTerm: 4, raftIndex: 200}, {raftTerm: 5, raftIndex: 100}), 'etcd-1', 'a later term');
    assert.equal(survivorBy({raftIndex: 100, revision: 90}, {raftIndex: 101, revision: 50}), 'etcd-1', 'a longer log');
    assert.equal(survivorBy({raftIndex: 101}, {raftIndex: 100}), 'etcd-0');
    const five = {ordinals: [heldHere(0), heldHere(1), held(2), held(3), held(4)], nodes: [node('node-0'), node('node-1')]};
    const read = (index: number, more: object) => facts(index, {stage: 'Held', members: members(5), term: 5, index: 100, commit: 100, ...more});
    const settled = (one: object, two: object) => {
      const run = planned({identity: {...identity, members: members(5)}, offline: [read(0, one), read(1, two)], plan: planOf({candidates: ['etcd-0', 'etcd-1'], steps: ['Force', 'Join etcd-1']})});
      return recorded(inspect(observationOf(ready(run, five))), {run}).run?.plan?.survivor;
    };
    const candidates = [0, 1].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), term: 5, index: 100, commit: 100, revision: 50, from: 'etcd' as const}));
    const steps = stepsFor(observationOf(), 'etcd-0', candidates);
    assert.ok(steps.indexOf('Inspect') > steps.indexOf('Stop') && steps.indexOf('Inspect') < steps.indexOf('Force'), steps.join());
    assert.equal(settled({commit: 100}, {index: 110, commit: 90}), 'etcd-1', 'the end of the log counts, not what is known as committed');
    assert.equal(settled({term: 4, index: 200}, {term: 5}), 'etcd-1');
    assert.equal(settled({}, {unfit: 'its database cannot be read', index: 200}), 'etcd-0');
  });

  it('a log that ends before what the plan was made with is not forced, and the agent is told where it has to end', () => {
    const args = argsOf(ready(planned({plan: planOf({lowest: {term: 5, index: 100}})})));
    assert.deepEqual([valueOf(args, '--expect-term'), valueOf(args, '--expect-index'), valueOf(args, '--expect-member'), valueOf(args, '--expect-cluster')], ['5', '100', 'a0', clusterID]);
    const root = newVolume();
    writeData(path(root, 'data'));
    const before = snapshotOf(root);
    const words = ['prepare-force', '--root', root, '--data-dir', path(root, 'data'), '--run', 'r1', '--attempt', '1', '--pod', 'p', '--copy'];
    for (const [reason, ...more] of [['BehindPlan', '--expect-index', '7'], ['BehindPlan', '--expect-term', '99', '--expect-index', '1'], ['MemberMismatch', '--expect-member', 'abc'], ['ClusterMismatch', '--expect-cluster', 'abc']] as const) {
      assert.equal(refuse(...words, ...more).reason, reason);
    }
    assert.deepEqual(snapshotOf(root), before);
    const short = {ok: false, command: 'prepare-force', run: 'run-1', reason: 'BehindPlan', message: '', inspect: {data: 'Present', lastEntryTerm: 5, index: 90}};
    const helper = forcedPod(ready(), (pod) => {
      hasItsTurn(pod);
      pod.status = {phase: 'Failed', initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 1, message: JSON.stringify(short)}}}]};
    });
    assert.equal(told(force(withHelper(ready(planned({force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}})), helper))), 'abort PlanChanged');
  });

  it('the tail is committed, not dropped; and left where an entry of a later term was seen on another disk or by the witness', () => {
    assert.ok(!argsOf(ready()).includes('--no-commit-tail'));
    const other = planned({offline: [facts(0, {term: 5}), facts(1, {term: 7, data: 'Unreadable', memberID: 'x'})]});
    assert.equal(valueOf(argsOf(ready(other)), '--later-entry-term'), '7');
    const witness = {clusterID, revision: 1, raftIndex: 1, raftTerm: 9, observedAt: at, members: []} as QuorumRecoveryStatus['lastHealthy'];
    assert.equal(valueOf(argsOf({...ready(), status: {...ready().status, lastHealthy: witness}}), '--later-entry-term'), '9');
    const done = (...more: string[]) => {
      const root = newVolume();
      const data = path(root, 'data');
      writeData(data);
      const report = succeed('prepare-force', '--root', root, '--data-dir', data, '--run', 'r1', '--attempt', '1', '--pod', 'p', '--no-copy', ...more);
      assert.ok(report.command === 'prepare-force');
      return {entries: report.tail?.entries, committed: report.tail?.committed, uncommitted: walOf(data).index - walOf(data).hardState.commit};
    };
    assert.deepEqual(done(), {entries: 2, committed: true, uncommitted: 0});
    assert.deepEqual(done('--later-entry-term', '99'), {entries: 0, committed: false, uncommitted: 2});
  });

  it('a log that changes while it is copied is not written to', () => {
    const root = newVolume();
    const data = path(root, 'data');
    writeData(data);
    let seen = '';
    const words = ['prepare-force', '--root', root, '--data-dir', data, '--run', 'r1', '--attempt', '1', '--pod', 'p', '--no-copy'];
    const foreign = path(data, 'member', 'wal', '1.tmp');
    assert.throws(() => runCommand(parseArguments(words), (what) => {
      if (seen === '' && what.includes('force-1')) {
        writeFileSync(foreign, 'x');
        seen = what;
      }
    }), /changed since it was read/);
    assert.equal(walOf(data).index - walOf(data).hardState.commit, 2);
  });

  it('what etcd says that it dropped is read from its log and named', async () => {
    const member = {
      status: async () => await Promise.resolve({clusterID, memberID: 'a0', version: '3.6.16', leader: 'a0', raftTerm: 6, raftIndex: 1, raftAppliedIndex: 1, revision: 50, dbSizeBytes: 1, isLearner: false, errors: []}),
      memberList: async () => await Promise.resolve({clusterID, members: members(1)}), alarms: async () => await Promise.resolve([]), put: async () => await Promise.resolve({revision: 51}),
    };
    const options = ready(planned({force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true}}));
    const outcome = await checkForced(actingWith(observationOf(options), member, {podLog: async () => await Promise.resolve('{"msg":"discarding uncommitted WAL entries","number-of-discarded-entries":3}\n')}), forcedPod());
    const draft = structuredClone(options.status ?? {});
    outcome.record?.(draft);
    assert.deepEqual([draft.dataLoss?.survivorRevision, draft.dataLoss?.discardedEntries], [50, 3]);
    // An attempt before this one had begun to move the revision on.
    const moved: QuorumRecoveryStatus = {run: planned({force: {attempt: 2, pod: 'f', move: {from: 21, target: 1_021, proven: false, why: ''}}}), dataLoss: {survivorRevision: 20}};
    outcome.record?.(moved);
    assert.equal(moved.dataLoss?.survivorRevision, 20);
  });

  it('each loss that is known is named, the worst first, and what cannot be known is not called nothing', () => {
    const reasonOf = (dataLoss: QuorumRecoveryStatus['dataLoss']) => {
      const draft: QuorumRecoveryStatus = {run: planned({force: {attempt: 1, pod: 'f', podUID: 'f', endedAt: at}}), ...(dataLoss && {dataLoss})};
      summarize(draft, {at: 'watching'}, 1, now);
      const condition = draft.conditions?.find(({type}) => type === 'DataLossPossible');
      return `${condition?.status ?? ''} ${condition?.reason ?? ''}`;
    };
    const all = {survivorRevision: 50, lastKnownRevision: 60, witnessed: true, discardedEntries: 2, longerLogs: ['the log of etcd-1 ends later']};
    assert.equal(reasonOf(all), 'True LongerLogElsewhere');
    assert.equal(reasonOf({...all, longerLogs: []}), 'True EntriesDiscarded');
    assert.equal(reasonOf({...all, longerLogs: [], discardedEntries: 0}), 'True BehindWitness');
    assert.equal(reasonOf({survivorRevision: 50, lastKnownRevision: 50, witnessed: false}), 'Unknown NoWitness');
    assert.equal(reasonOf({survivorRevision: 50, lastKnownRevision: 50, witnessed: true}), 'False NothingDropped');
  });

  it('a longer log on a disk that nothing can start from is named with the force', () => {
    const run = planned({force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}, offline: [facts(0), facts(1, {term: 5, index: 200, unfit: 'its database cannot be read'})]});
    const report = {ok: true, command: 'prepare-force', run: 'run-1', marker: {attempt: 1, pod: 'p', already: false}, milliseconds: {inspect: 1, copy: 1, total: 1}, tail: {committed: true, entries: 4, fromIndex: 97, toIndex: 100, already: false},
      inspect: {data: 'Present', memberID: 'a0', clusterID, term: 5, lastEntryTerm: 5, index: 100, commit: 96, pendingConfChanges: [], backend: {members: members(3), revision: 50}}};
    const helper = forcedPod(ready(), (pod) => {
      hasItsTurn(pod);
      pod.status = {phase: 'Pending', initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: true, restartCount: 0, state: {terminated: {exitCode: 0, message: JSON.stringify(report)}}}]};
    });
    const {dataLoss} = recorded(force(withHelper(ready(run), helper)), {run});
    assert.match(dataLoss?.longerLogs?.join() ?? '', /^the log of etcd-1 ends at term 5, index 200, and no cluster can start from it/);
    assert.deepEqual([dataLoss?.recoveredTailEntries, dataLoss?.survivorRevision], [4, 50]);
  });

  it('in whole recoveries every key that was committed on the survivor\'s disk is there afterwards', async function whole() {
    this.timeout(60_000);
    for (const scenario of [{tail: 3}, {fates: ['Deleted', 'Alive', 'Deleted', 'Alive', 'Deleted'] as const, tail: 2, spareNodes: 3}]) {
      const {outcome, simulation, message} = await simulated({...scenario, fates: [...scenario.fates ?? (['Deleted', 'Deleted', 'Alive'] as const)]});
      assert.equal(outcome, 'Recovered', message);
      const leader = [...simulation.world.etcd.processes].find((process) => simulation.world.etcd.leads(process));
      for (let key = 0; key < 5; key += 1) assert.equal(leader?.data.keys.get(`key-${key}`), `value-${key}`);
    }
  });

  const versions = etcdVersions();
  const version = versions.find((one) => one.startsWith('3.6')) ?? versions[0];
  it('with a real etcd: writes that only the survivor\'s log holds are there after the force', async function real() {
    if (version === undefined) this.skip();
    this.timeout(60_000);
    // A leader that hears nothing steps down after an election timeout: long enough for what is written meanwhile.
    const cluster = await startCluster(version, newVolume(), ['--heartbeat-interval', '300', '--election-timeout', '3000']);
    const leader = await until('a member leads', async () => {
      const all = await Promise.all(cluster.map(async (member) => ({member, state: await status(member)})));
      return all.find(({state}) => state.leader === state.header.member_id)?.member;
    });
    await put(leader, 'kept', 'x');
    for (const member of cluster) if (member !== leader) member.process.kill('SIGSTOP');
    const {index} = walOf(leader.dataDir);
    const writes = Array.from({length: 10}, (_, number) => put(leader, `tail-${number}`, 'x').catch(() => undefined));
    await until('they stand in its log', () => Promise.resolve(walOf(leader.dataDir).index >= index + 10 ? true : undefined));
    await kill(cluster);
    await Promise.all(writes);
    const keysAfter = async (...more: string[]) => {
      const root = newVolume();
      const dataDir = path(root, 'data');
      cpSync(leader.dataDir, dataDir, {recursive: true});
      succeed('prepare-force', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--attempt', '1', '--pod', 'p', '--copy', ...more);
      const forced = startEtcd({version, name: leader.name, dataDir, client: `http://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}`, flags: ['--force-new-cluster']});
      const {count} = await until('it serves', async () => { await put(forced, 'after', 'x'); return await call<{count?: string}>(forced, 'kv/range', {key: Buffer.from('tail-').toString('base64'), range_end: Buffer.from('tail.').toString('base64'), count_only: true}); });
      await kill([forced]);
      return Number(count ?? 0);
    };
    assert.deepEqual([await keysAfter(), await keysAfter('--no-commit-tail')], [10, 0]);
  });
});
