import assert from 'node:assert/strict';
import type {Run} from '../../../../src/api/types.ts';
import type {Decision} from '../../../../src/decide/decision.ts';
import {chooseFirst} from '../../../../src/decide/evidence/firstMembers.ts';
import {rebuilds} from '../../../../src/decide/plans/rebuildPlan.ts';
import {askedFor} from '../../../../src/decide/plans/stored.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import type {SourceView} from '../../../../src/observe/sources.ts';
import {answers, idOf, next, node, observationOf, recordOf, runOf} from '../observations.ts';
import type {OrdinalOptions} from '../observations.ts';

const gone = (index: number): OrdinalOptions => ({object: undefined, place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const rebuild = {sources: [{name: 'site', configMap: 'site', keyPrefix: '/site/'}]};
const sources: SourceView[] = [{name: 'site', from: 'ConfigMap site', keys: ['/site/a', '/site/b']}];
const lastHealthy = {clusterID: 'c1', revision: 40, raftIndex: 90, raftTerm: 5, observedAt: '2026-01-01T00:00:00.000Z', members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}))};
const members = [recordOf(0), recordOf(1), recordOf(2)];

/** Every node is gone with its disk. */
const nothingLeft = (spec: object, more: Partial<Observation> = {sources}): Observation => observationOf({
  ordinals: [gone(0), gone(1), gone(2)], nodes: [node('node-9')], spec, status: {members, lastHealthy, run: runOf()}, more,
});

const reasonOf = ({decision}: {decision: Decision}) => ('reason' in decision ? decision.reason : decision.kind);

describe('a plan to rebuild', () => {
  it('is made where nothing is left and sources are declared, is always asked about, and says that all else is lost', () => {
    const {decision, status} = next(nothingLeft({rebuild}));
    assert.equal(decision.kind, 'act', JSON.stringify(decision).slice(0, 400));
    const plan = status.run?.plan;
    assert.equal(plan?.strategy, 'RebuildFromConfig');
    assert.deepEqual(plan.steps, ['Plan', 'Approve', 'Hold', 'Stop', 'StartEmpty', 'Load', 'Check', 'RestartProof', 'Verify', 'Release']);
    assert.match(plan.expectedLoss, /^everything that is not in the sources site \(ConfigMap site, 2 keys\): keys that others wrote \(revision 40 was seen\), leases, users and roles\. All data is set aside/);
    assert.deepEqual(plan.rebuild, [{name: 'site', from: 'ConfigMap site', keys: 2}]);
  });

  const ofFive = (places: OrdinalOptions[], nodes = [node('node-9')], more: object = {}) => next(observationOf({
    ordinals: places, nodes, spec: {rebuild, ...more}, more: {sources},
    status: {members: [0, 1, 2, 3, 4].map((index) => recordOf(index)), lastHealthy: {...lastHealthy, members: [0, 1, 2, 3, 4].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}))}, run: runOf()},
  })).status.run?.plan;

  it('begins on three of more than three, says which, and lets the others join once all is loaded and checked', () => {
    const plan = ofFive([0, 1, 2, 3, 4].map(gone));
    assert.deepEqual(plan?.first, ['etcd-0', 'etcd-1', 'etcd-2']);
    assert.deepEqual(plan.steps, ['Plan', 'Approve', 'Hold', 'Stop', 'StartEmpty', 'Load', 'Check', 'Join etcd-3', 'Join etcd-4', 'RestartProof', 'Verify', 'Release']);
    assert.match(plan.notes[0] ?? '', /^etcd-0, etcd-1, etcd-2 begin the new cluster, and etcd-3, etcd-4 join it as learners, one after the other, once it is loaded and checked/);
    assert.match(plan.why, /an empty cluster is started on etcd-0, etcd-1, etcd-2, and loaded from site$/);
    assert.match(plan.claims.find(({pod}) => pod === 'etcd-4')?.fate ?? '', /joins with it once the new cluster is loaded/);
    assert.equal(ofFive([0, 1, 2].map(gone))?.first, undefined, 'three begin all at once');
  });

  it('begins on those whose volume and node are ready, then on those with a new volume; never on one that may still run, or is away', () => {
    const there = (index: number): OrdinalOptions => ({place: {at: 'Node', nodes: [`node-${index}`]}});
    const silent = (index: number): OrdinalOptions => ({place: {at: 'NotReadyNode', nodes: [`node-${index}`]}});
    const chosen = (ordinals: OrdinalOptions[], unproven: string[] = [], cordoned: string[] = []) => chooseFirst(
      observationOf({ordinals, nodes: [0, 1, 2, 3, 4].map((index) => node(`node-${index}`, {unschedulable: cordoned.includes(`node-${index}`)}))}),
      {holds: true, message: '', processes: unproven.map((pod) => ({pod, memberID: '', proven: undefined, stoppable: false, waitsFor: 'its end'}))},
    );
    assert.deepEqual(chosen([gone(0), gone(1), gone(2), there(3), there(4)]), ['etcd-0', 'etcd-3', 'etcd-4']);
    assert.deepEqual(chosen([silent(0), gone(1), gone(2), there(3), there(4)]), ['etcd-1', 'etcd-3', 'etcd-4']);
    assert.deepEqual(chosen([there(0), there(1), there(2), there(3)], ['etcd-0'], ['node-1']), ['etcd-2', 'etcd-3'], 'two that can are fewer than three, and all of them');
    assert.deepEqual(chosen([silent(0), silent(1), silent(2), silent(3)]), ['etcd-0', 'etcd-1', 'etcd-2']);
    assert.equal(chosen([there(0), there(1), there(2)]), undefined);
  });

  it('asks again where others are to begin', () => {
    const hash = (...first: OrdinalOptions[]) => ofFive([...first, gone(2), gone(3), gone(4)]);
    const one = hash(gone(0), gone(1));
    const other = hash(gone(0), {object: undefined, place: {at: 'NotReadyNode', nodes: ['node-1']}});
    assert.deepEqual([one?.first?.[1], other?.first], ['etcd-1', undefined], 'with data that may come back nothing is planned by itself');
    const notReady = [node('node-9'), node('node-1', {ready: false})];
    const named = ofFive([gone(0), {object: undefined, place: {at: 'NotReadyNode', nodes: ['node-1']}}, gone(2), gone(3), gone(4)], notReady, {strategy: 'RebuildFromConfig'});
    assert.deepEqual(named?.first, ['etcd-0', 'etcd-2', 'etcd-3']);
    assert.notEqual(named.hash, one?.hash);
  });

  it('has another hash with other sources, and with other keys in them', () => {
    const hash = (observation: Observation) => next(observation).status.run?.plan?.hash;
    const first = hash(nothingLeft({rebuild}));
    assert.equal(first, hash(nothingLeft({rebuild})));
    assert.notEqual(first, hash(nothingLeft({rebuild}, {sources: [{name: 'site', from: 'ConfigMap site', keys: ['/site/a']}]})));
    const valued = (value: string) => hash(nothingLeft({rebuild}, {sources: sources.map((source) => ({...source, hash: value}))}));
    assert.equal(valued('h1'), valued('h1'));
    assert.notEqual(valued('h1'), valued('h2'), 'as many keys with other values');
    assert.notEqual(first, hash(nothingLeft({rebuild: {sources: [{name: 'site', configMap: 'site', keyPrefix: '/other/'}]}})));
  });

  it('is not made without sources, nor from such as cannot be used', () => {
    assert.equal(reasonOf(next(nothingLeft({}))), 'NoSurvivor');
    assert.equal(reasonOf(next(nothingLeft({rebuild}, {sources: [{name: 'site', from: 'ConfigMap site', problem: 'there is no ConfigMap site'}]}))), 'SourceUnusable');
    assert.equal(reasonOf(next(nothingLeft({rebuild}, {}))), 'wait');
  });

  it('is not made by itself where data is left to force from, and is by name, which says what is given up', () => {
    const left = (strategy: string) => observationOf({
      ordinals: [{probe: answers(0, 3)}, gone(1), gone(2)], nodes: [node('node-0')], spec: {strategy, rebuild},
      status: {members, run: runOf({offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID: 'c1', term: 5, index: 110, commit: 100, revision: 50}]})}, more: {sources},
    });
    assert.equal(next(left('Auto')).status.run?.plan?.strategy, 'ForceNewCluster');
    const {dataLoss, run} = next(left('RebuildFromConfig')).status;
    const plan = run?.plan;
    assert.deepEqual([dataLoss?.survivorRevision, dataLoss?.lastKnownRevision], [undefined, 50], 'no data of etcd-0 goes on');
    assert.equal(plan?.strategy, 'RebuildFromConfig');
    assert.match(plan.expectedLoss, /Data that a cluster could be forced from is left, and is set aside for the sources: etcd-0 \(revision 50\)/);
  });

  it('is not made by itself while data may come back with its node, and is by name, which says whose data is given up', () => {
    const silent: OrdinalOptions = {object: undefined, place: {at: 'NotReadyNode', nodes: ['node-0']}};
    const left = (strategy: string) => observationOf({
      ordinals: [silent, gone(1), gone(2)], nodes: [node('node-0', {ready: false}), node('node-9')], spec: {strategy, rebuild}, status: {members, lastHealthy, run: runOf()}, more: {sources},
    });
    const auto = next(left('Auto'));
    assert.equal(reasonOf(auto), 'FencingUnproven', JSON.stringify(auto.decision));
    assert.match('message' in auto.decision ? auto.decision.message : '', /etcd-0 .*may come back.*bring the node back, or delete its Node.*out-of-service.*spec\.strategy to RestoreSnapshot or RebuildFromConfig/);
    const plan = next(left('RebuildFromConfig')).status.run?.plan;
    assert.match(plan?.why ?? '', /^spec\.strategy asks for it, although data may come back: etcd-0/);
    assert.match(plan?.expectedLoss ?? '', /may come back, be newer, and is given up: etcd-0/);
    assert.match(plan?.claims.find(({pod}) => pod === 'etcd-0')?.fate ?? '', /not Ready: what is on it stays as it is/);
  });

  it('tells of data that is there and is nothing to start from', () => {
    const unfit = observationOf({
      ordinals: [{}, gone(1), gone(2)], nodes: [node('node-0')], spec: {rebuild},
      status: {members, lastHealthy, run: runOf({offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID: 'c1', unfit: 'its backend is damaged'}]})}, more: {sources},
    });
    assert.match(next(unfit).status.run?.plan?.expectedLoss ?? JSON.stringify(next(unfit).decision), /no cluster can start from: etcd-0 is no survivor: its backend is damaged/);
  });

  it('is made over disks that nobody can read, nor tell whose they are, only where a person names their members and the strategy', () => {
    const unread = (spec: object) => next(observationOf({
      ordinals: [{}, {}, gone(2)], nodes: [node('node-0'), node('node-1')], spec: {rebuild, ...spec}, more: {sources},
      status: {run: runOf({offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Unreadable'}, {pod: 'etcd-1', stage: 'Planning', data: 'Unreadable', memberID: idOf(1)}]})},
    }));
    const lostMembers = [{pod: 'etcd-0', memberID: '0'}, {pod: 'etcd-1', memberID: idOf(1)}];
    const asked = unread({});
    assert.equal(reasonOf(asked), 'QuorumOfDataIntact');
    assert.match('message' in asked.decision ? asked.decision.message : '', /RestoreSnapshot or RebuildFromConfig and name these members in spec\.lostMembers \(\{pod: etcd-0, memberID: 0\}, \{pod: etcd-1, memberID: a1\}.*Do not delete the claims/);
    assert.equal(reasonOf(unread({lostMembers})), 'QuorumOfDataIntact', 'the strategy is not named');
    assert.equal(reasonOf(unread({strategy: 'RebuildFromConfig', lostMembers: [{pod: 'etcd-0', memberID: '0'}, {pod: 'etcd-1', memberID: 'b7'}]})), 'act', 'one that is left is no quorum of data');
    assert.equal(reasonOf(unread({strategy: 'RebuildFromConfig', lostMembers: [{pod: 'etcd-1', memberID: 'b7'}]})), 'QuorumOfDataIntact', 'the word is of another member');
    assert.equal(unread({strategy: 'RebuildFromConfig', lostMembers}).status.run?.plan?.strategy, 'RebuildFromConfig');
  });

  it('is never made while a quorum of data is intact', () => {
    const intact = observationOf({ordinals: [{probe: answers(0, 3)}, {probe: answers(1, 3)}, gone(2)], nodes: [node('node-0'), node('node-1')], spec: {strategy: 'RebuildFromConfig', rebuild}, status: {members, run: runOf()}, more: {sources}});
    assert.equal(reasonOf(next(intact)), 'QuorumOfDataIntact');
  });

  it('comes after the snapshots: only a store that was read and holds nothing usable lets Auto pick it', () => {
    const picks = (stored: Partial<NonNullable<Run['stored']>> | undefined, more: object = {}) => {
      const observation = observationOf({spec: {rebuild, snapshot: {claim: {name: 'backups'}, ...more}}, status: {run: runOf()}});
      if (observation.status.run && stored !== undefined) observation.status.run.stored = {asked: askedFor(observation), readAt: '2026-01-01T00:00:00.000Z', refused: [], ...stored};
      return rebuilds(observation, {candidates: []});
    };
    // As the agent says it (agent/store/fetch.ts), and steps/readStore.ts writes it down.
    const nothing = {problem: {reason: 'NoSnapshot', message: 'there is no snapshot in claim backups'}};
    assert.equal(picks(undefined), false);
    assert.equal(picks({problem: {reason: 'StoreUnreachable', message: 'no route'}}), false);
    assert.equal(picks(nothing), true);
    assert.equal(picks({...nothing, asked: 'of another store'}), false);
    assert.equal(picks(nothing, {name: 'a.db'}), false, 'others may be there than the one that a person named');
  });

  it('names the snapshots that were not taken', () => {
    const observation = nothingLeft({rebuild, snapshot: {claim: {name: 'backups'}}});
    if (observation.status.run) {
      observation.status.run.stored = {
        asked: askedFor(observation), readAt: new Date(observation.now).toISOString(), problem: {reason: 'NoSnapshot', message: 'none can be taken'}, refused: [{name: 'b.db', reason: 'SnapshotDamaged', message: 'it is not whole'}],
      };
    }
    const {decision, status} = next(observation);
    assert.equal(status.run?.plan?.strategy, 'RebuildFromConfig', JSON.stringify(decision).slice(0, 400));
    assert.equal(status.run.plan.notes[0], 'snapshot b.db is not taken (SnapshotDamaged): it is not whole');
  });
});
