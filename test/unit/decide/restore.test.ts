import assert from 'node:assert/strict';
import type {V1Container, V1Pod} from '@kubernetes/client-node';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {newWalBytes} from '../../../src/agent/report.ts';
import {storeVariable} from '../../../src/agent/store/config.ts';
import {withoutTurn} from '../../../src/agent/turn.ts';
import {marks} from '../../../src/api/types.ts';
import type {QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {newClusterID, newMemberID} from '../../../src/decide/newCluster.ts';
import {restoreMove, unseenMargin} from '../../../src/decide/plans/restoreRevision.ts';
import {approve} from '../../../src/decide/steps/approve.ts';
import {mayRetry} from '../../../src/decide/steps/defer.ts';
import {plan} from '../../../src/decide/steps/plan.ts';
import {restoreClaims} from '../../../src/decide/steps/restoreClaims.ts';
import {startAll} from '../../../src/decide/steps/startAll.ts';
import {restartProof} from '../../../src/decide/steps/verify.ts';
import {askedFor} from '../../../src/decide/plans/stored.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, ended, idOf, node, now, observationOf, ownPodOf, plannedOf, planOf, recorded, recordOf, runOf} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const at = new Date(now).toISOString();
const mark = {[marks.run]: 'run-1'};
const spec = {snapshot: {claim: {name: 'backups'}}};
const snapshot = {name: 'a.db', takenAt: '2025-12-31T23:00:00.000Z', revision: 40, bytes: 1_000_000, sha256: 'ab'.repeat(32)};
const nodes = [0, 1, 2].map((index) => node(`spare-${index}`));
const witness = {clusterID: 'c1', revision: 55, raftIndex: 90, raftTerm: 5, observedAt: at, members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), claimUID: `claim-uid-${index}`, volume: `pv-${index}`}))};

/** Its node is gone with its disk; its name is held, or its old pod still there. */
const gone = (index: number, held = false): OrdinalOptions => ({object: held ? ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}) : ownPodOf(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const allGone = (run: Run, more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [0, 1, 2].map((index) => gone(index)), nodes, spec, status: {members: [0, 1, 2].map((index) => recordOf(index)), lastHealthy: witness, lastServed: {revision: 60, at}, run}, ...more,
});

/** The store was read, and answers what is asked. */
function withStored(options: ObservationOptions, stored: Partial<NonNullable<Run['stored']>> = {snapshot}): Observation {
  const observation = observationOf(options);
  if (observation.status.run) observation.status.run.stored = {asked: askedFor(observation), readAt: at, refused: [], ...stored};
  return observation;
}

describe('planning a restore', () => {
  it('reads the store first, in a pod with none of the members\' volumes', () => {
    const decision = plan(observationOf(allGone(runOf())));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod', JSON.stringify(decision));
    const {pod} = decision.actions[0];
    assert.deepEqual(pod.spec?.volumes?.map(({persistentVolumeClaim}) => persistentVolumeClaim?.claimName), [undefined, 'backups']);
    assert.equal(pod.spec.activeDeadlineSeconds, 3600, 'a large snapshot takes longer than a look at a disk');
    const args = pod.spec.containers.map((container) => container.args?.join(' ')).join();
    assert.match(args, /^store-fetch .*--discard --expect-cluster c1 --expect-members a0,a1,a2$/);
  });

  it('asks for as much room on a node as the last snapshot had, if any was seen, and sets no limit: an older one can be larger', () => {
    const made = (status: Partial<QuorumRecoveryStatus>) => {
      const decision = plan(observationOf(allGone(runOf(), {status: {...allGone(runOf()).status, ...status}})));
      assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod');
      return decision.actions[0].pod;
    };
    const lastSuccess = {name: 'a.db', pod: 'etcd-1', memberID: idOf(1), clusterID: 'c1', startedAt: at, takenAt: at, finishedAt: at, revision: 5, bytes: 2 ** 30, sha256: 'ab', kept: 1};
    const known = made({backups: {since: at, lastSuccess}});
    assert.deepEqual([known.spec?.containers[0]?.resources, known.spec?.volumes?.[0]?.emptyDir], [{requests: {'ephemeral-storage': '1056Mi'}}, {}]);
    assert.equal(made({}).spec?.containers[0]?.resources, undefined);
  });

  it('says that the pod that reads the store was evicted, and why, before another one is made', () => {
    const first = plan(observationOf(allGone(runOf())));
    assert.ok(first.kind === 'act' && first.actions[0]?.type === 'CreatePod');
    const {pod} = first.actions[0];
    for (const reason of ['Error', 'ContainerStatusUnknown']) {
      const evicted: V1Pod = {
        ...pod, metadata: {...pod.metadata, uid: 'reader'}, spec: {...pod.spec, containers: pod.spec?.containers ?? [], nodeName: 'spare-0'},
        status: {phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.', containerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 137, reason}}}]},
      };
      const observation = observationOf(allGone(runOf(), {more: {helpers: [evicted]}}));
      const told = recorded(plan(observation), observation.status).run?.stored;
      assert.equal(told?.problem?.reason, 'Evicted', reason);
      assert.match(told.problem.message, /was evicted from node spare-0: The node was low on resource: ephemeral-storage\. It stages a snapshot on the disk of its node, and the size was not known before: make room/);
    }
  });

  it('names the snapshot, what is lost, every claim and the new cluster\'s ID, and always asks', () => {
    const made = plannedOf(withStored(allGone(runOf())));
    assert.deepEqual([made.strategy, made.snapshot, made.steps], ['RestoreSnapshot', snapshot, ['Plan', 'Approve', 'Hold', 'Stop', 'Restore', 'StartAll', 'RestartProof', 'Verify', 'Release']]);
    assert.match(made.expectedLoss, /since|after the snapshot was taken at 2025-12-31T23:00:00.000Z \(revision 40\); revision 60 was seen, at .* 20 revisions of it are lost/);
    assert.ok(made.claims.every(({fate}) => fate.startsWith('its volume is kept (Retain)')), JSON.stringify(made.claims));
    assert.ok(made.notes.some((note) => note.includes(newClusterID({id: 'run-1'}, observationOf(allGone(runOf())).ordinals))), made.notes.join('\n'));
  });

  it('says whose a named snapshot of another cluster is', () => {
    const made = plannedOf(withStored(allGone(runOf()), {snapshot: {...snapshot, clusterID: 'c2'}}));
    assert.match(made.why, /SHA-256 \w+, of cluster c2\)/);
    assert.equal(made.notes[0], 'snapshot a.db is of cluster c2, and this cluster was c1: it is taken because spec.snapshot.name names it');
    assert.ok(!plannedOf(withStored(allGone(runOf()), {snapshot: {...snapshot, clusterID: 'c1'}})).notes.some((note) => note.includes('names it')));
  });

  it('has another hash for another snapshot, and not for a later look', () => {
    const of = (one: object, later = 0) => plannedOf({...withStored(allGone(runOf()), {snapshot: {...snapshot, ...one}}), now: now + later}).hash;
    assert.equal(of({}), of({}, 60_000));
    assert.notEqual(of({}), of({sha256: 'cd'.repeat(32)}));
  });

  it('is blocked by a store without one that can be restored, and says of each why', () => {
    const refused = [{name: 'b.db', reason: 'SnapshotDamaged', message: 'snapshot b.db is not whole'}, {name: 'c.db', reason: 'SnapshotForeign', message: 'snapshot c.db is of cluster c2'}];
    const decision = plan(withStored(allGone(runOf()), {refused, problem: {reason: 'NoSnapshot', message: 'no snapshot in claim backups can be taken'}}));
    assert.ok(decision.kind === 'blocked' && decision.reason === 'NoSnapshot');
    for (const word of ['b.db', 'SnapshotDamaged', 'c.db', 'SnapshotForeign', 'spec.snapshot.name']) assert.match(decision.message, new RegExp(word));
  });

  it('is nothing where the strategy is another, where data can be forced, or while a quorum of data may be there', () => {
    assert.equal((plan(withStored(allGone(runOf(), {spec: {...spec, strategy: 'ForceNewCluster'}}))) as {reason?: string}).reason, 'NoSurvivor');
    const notReady = nodes.map((one, index) => (index < 2 ? node(`node-${index}`, {ready: false}) : one));
    const back = [0, 1].map((index): OrdinalOptions => ({place: {at: 'NotReadyNode', nodes: [`node-${index}`]}}));
    assert.equal((plan(withStored(allGone(runOf(), {ordinals: [...back, gone(2)], nodes: notReady}))) as {reason?: string}).reason, 'FencingUnproven');
  });

  it('is not planned by itself while data may come back with its node, and is by name', () => {
    const left = (strategy: string) => withStored(allGone(runOf(), {ordinals: [{place: {at: 'NotReadyNode', nodes: ['node-0']}}, gone(1), gone(2)], nodes: [node('node-0', {ready: false}), ...nodes], spec: {...spec, strategy}}));
    assert.equal((plan(left('Auto')) as {reason?: string}).reason, 'FencingUnproven');
    const made = plannedOf(left('RestoreSnapshot'));
    assert.match(made.why, /although data may come back: etcd-0/);
    assert.match(made.claims.find(({pod}) => pod === 'etcd-0')?.fate ?? '', /stays as it is/);
  });

  it('asks the store anew, in planning, where the spec names another while the plan waits', () => {
    const made = plannedOf(withStored(allGone(runOf())));
    const observation = withStored(allGone(runOf({plan: made, steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]}), {spec: {snapshot: {claim: {name: 'others'}}}}));
    if (observation.status.run?.stored) observation.status.run.stored.asked = 'of another question';
    const decision = approve(observation);
    assert.equal(decision.kind, 'record');
    const {run} = recorded(decision, observation.status);
    assert.deepEqual([run?.plan, run?.stored, run?.steps], [undefined, undefined, [{name: 'Plan', state: 'Running'}]]);
  });
});

describe('how far the revision of a restored snapshot is moved', () => {
  it('is past what was seen, however far that is', () => {
    const observation = observationOf(allGone(runOf(), {status: {lastServed: {revision: 900_000, at}, run: runOf()}}));
    const move = restoreMove(observation, 40);
    assert.ok(move.proven && move.target > 900_000, JSON.stringify(move));
  });

  it('is by a stated margin where nobody saw the cluster, and that is not proven', () => {
    const move = restoreMove(observationOf({status: {run: runOf()}}), 40);
    assert.deepEqual([move.proven, move.target], [false, 40 + unseenMargin]);
  });
});

const members = ['etcd-0', 'etcd-1', 'etcd-2'];
const cluster = newClusterID({id: 'run-1'}, observationOf().ordinals);
const move = {from: 40, target: 1_140, proven: true, why: ''};
const begun = (more: Partial<NonNullable<Run['newCluster']>> = {}, run: Partial<Run> = {}): Run => runOf({
  plan: planOf({strategy: 'RestoreSnapshot', snapshot, candidates: []}), identity: {clusterID: 'c1', version: '3.6.16', source: 'witness', members: [0, 1, 2].map((index) => ({id: idOf(index), name: `etcd-${index}`, peerURLs: []}))},
  steps: [{name: 'Restore', state: 'Running'}, {name: 'StartAll', state: 'Pending'}, {name: 'Verify', state: 'Pending'}, {name: 'Release', state: 'Pending'}],
  newCluster: {attempt: 1, members, clusterID: cluster, seeded: [], move, ...more}, ...run,
});
const fenced = (index: number) => recordOf(index, {fenced: {by: 'KubeletConfirmed', podUID: `pod-uid-${index}`, at}});
/** Held, its old process ended; its disk was found empty. */
const wiped = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark})});
const empty = (index: number) => ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Empty' as const});
const restoring = (run: Run, helpers: V1Pod[] = [], more: ObservationOptions = {}): Observation => observationOf({
  ordinals: [0, 1, 2].map(wiped), spec, status: {members: [0, 1, 2].map(fenced), run: {offline: [0, 1, 2].map(empty), ...run}, heldPods: [...members]}, ...more, more: {helpers, ...more.more},
});

/** A helper as the step makes it, with what its kubelet says. */
function helpersOf(observation: Observation, change: (pod: V1Pod, index: number) => void): V1Pod[] {
  const decision = restoreClaims(observation);
  assert.ok(decision.kind === 'act', JSON.stringify(decision));
  return decision.actions.flatMap((action) => (action.type === 'CreatePod' ? [structuredClone(action.pod)] : [])).map((pod, index) => {
    pod.spec = {...pod.spec, containers: pod.spec?.containers ?? [], nodeName: `node-${index}`};
    change(pod, index);
    return pod;
  });
}

const waits = (pod: V1Pod): void => {
  pod.status = {phase: 'Running', initContainerStatuses: ['prepare', 'etcdutl'].map((name) => ({...ended(), name})), containerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: true, restartCount: 0, state: {running: {}}}]};
};
const hasSeeded = (pod: V1Pod): void => {
  waits(pod);
  pod.status = {...pod.status, phase: 'Succeeded', containerStatuses: [{...ended(), name: 'volume-agent', state: {terminated: {exitCode: 0, reason: 'Completed', finishedAt: new Date(now), message: JSON.stringify({ok: true, command: 'seed', run: 'run-1'})}}}]};
};

const storeMountsOf = (container: V1Container | undefined) => container?.volumeMounts?.filter(({name}) => name === 'quorumrecovery-store').map(({readOnly}) => readOnly);

describe('restoring on all claims', () => {
  it('makes one helper a member, which verifies that very snapshot on its claim, restores it from there for the new cluster, and waits', () => {
    const observation = restoring(begun());
    const decision = restoreClaims(observation);
    assert.ok(decision.kind === 'act');
    assert.equal(decision.actions.length, 3);
    const [first] = decision.actions;
    assert.ok(first?.type === 'CreatePod');
    assert.deepEqual(first.pod.spec?.initContainers?.map(({name}) => name), ['prepare', 'etcdutl']);
    const [prepare, etcdutl] = first.pod.spec.initContainers;
    const needs = snapshot.bytes + newWalBytes;
    assert.match(prepare?.args?.join(' ') ?? '', new RegExp(`^prepare-seed --needs ${needs} --name a.db --expect-sha256 ${snapshot.sha256} --in-place --root /data `));
    assert.equal(parseArguments(prepare?.args ?? []).run, 'run-1', 'the agent takes every flag that the pod gives it');
    assert.deepEqual(etcdutl?.command?.slice(0, 4), ['etcdutl', 'snapshot', 'restore', '/quorumrecovery-store/a.db']);
    for (const container of [prepare, etcdutl, first.pod.spec.containers[0]]) assert.deepEqual(storeMountsOf(container), [true], `${container?.name ?? ''} reads the store, and writes nothing there`);
    for (const container of [prepare, first.pod.spec.containers[0]]) assert.ok(container?.env?.some(({name}) => name === storeVariable));
    assert.ok(parseArguments(withoutTurn(first.pod.spec.containers[0]?.args ?? [])).inPlace, 'asks once more after etcdutl');
    for (const word of ['--name=etcd-0', '--initial-cluster-token=quorumrecovery-run-1', '--bump-revision=1100', '--mark-compacted', '--data-dir=/data/.quorumrecovery/run-1/built/data']) assert.ok(etcdutl.command.includes(word), word);
    const own = observation.ordinals[0];
    assert.ok(own);
    assert.match(first.pod.spec.containers[0]?.args?.join(' ') ?? '', new RegExp(`^seed --attempt 1 --turn \\S+ --expect-member ${newMemberID({id: 'run-1'}, own)} --expect-cluster ${cluster} `));
  });

  it('restores from the directory on the claim that the spec names', () => {
    const decision = restoreClaims(restoring(begun(), [], {spec: {snapshot: {claim: {name: 'backups', path: 'etcd/main'}}}}));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod');
    assert.equal(decision.actions[0].pod.spec?.initContainers?.[1]?.command?.[3], '/quorumrecovery-store/etcd/main/a.db');
  });

  it('fetches one in a bucket to the volume: neither etcdutl nor the agent that puts it in place has a key of it', () => {
    const credentials = {secretName: 'keys', accessKeyIDKey: 'id', secretAccessKeyKey: 'key'};
    const decision = restoreClaims(restoring(begun(), [], {spec: {snapshot: {s3: {bucket: 'backups', region: 'r', forcePathStyle: false, credentials}}}}));
    assert.ok(decision.kind === 'act' && decision.actions[0]?.type === 'CreatePod');
    const {initContainers = [], containers = []} = decision.actions[0].pod.spec ?? {};
    assert.deepEqual(initContainers.map(({name}) => name), ['prepare', 'etcdutl']);
    const [prepare, etcdutl] = initContainers;
    assert.deepEqual([parseArguments(prepare?.args ?? []).name, parseArguments(prepare?.args ?? []).inPlace], ['a.db', false]);
    assert.equal(etcdutl?.command?.[3], '/data/.quorumrecovery/run-1/snapshot.db');
    assert.deepEqual([prepare, etcdutl, containers[0]].map((container) => container?.env?.some(({name}) => name === 'AWS_SECRET_ACCESS_KEY') === true), [true, false, false]);
    assert.doesNotMatch(containers[0]?.args?.join(' ') ?? '', /--name|--in-place/);
  });

  it('blocks with the agent\'s words, and leaves nobody out, where the file was changed while it was restored', () => {
    const helpers = helpersOf(restoring(begun()), (pod, index) => {
      waits(pod);
      const message = JSON.stringify({ok: false, command: 'seed', run: 'run-1', reason: 'SnapshotChanged', message: 'snapshot a.db was replaced'});
      if (index === 1) pod.status = {...pod.status, phase: 'Failed', containerStatuses: [{...ended(), name: 'volume-agent', state: {terminated: {exitCode: 1, reason: 'Error', finishedAt: new Date(now), message}}}]};
    });
    const decision = restoreClaims(restoring(begun(), helpers));
    assert.ok(decision.kind === 'blocked' && decision.reason === 'RestoreFailed', JSON.stringify(decision));
    assert.match(decision.message, /could not be restored for etcd-1 \(volume-agent: SnapshotChanged: snapshot a\.db was replaced\)/);
  });

  it('leaves a member out whose volume has no room for the snapshot or for what is made of it', () => {
    const helpers = helpersOf(restoring(begun()), (pod, index) => {
      if (index < 2) { waits(pod); return; }
      const message = JSON.stringify({ok: false, command: 'prepare-seed', run: 'run-1', reason: 'NoSpace', message: 'no room'});
      pod.status = {phase: 'Failed', initContainerStatuses: [{...ended(), name: 'prepare', state: {terminated: {exitCode: 1, reason: 'Error', finishedAt: new Date(now), message}}}]};
    });
    const observation = restoring(begun(), helpers);
    const status = recorded(restoreClaims(observation), observation.status);
    assert.deepEqual(status.run?.newCluster?.members, ['etcd-0', 'etcd-1']);
    const retried = (ms: number): boolean => mayRetry({...observation, status, now: now + ms}, 'etcd-2');
    assert.deepEqual([retried(299_000), retried(301_000)], [false, true], 'it is tried again after five minutes, where nothing else changes');
  });

  it('gives the turn to all together, once each waits, and writes before that the run is finished from there on', () => {
    const helpers = helpersOf(restoring(begun()), (pod, index) => { if (index < 2) waits(pod); });
    assert.equal(restoreClaims(restoring(begun(), helpers)).kind, 'wait');
    const ready = restoring(begun(), helpersOf(restoring(begun()), waits));
    const decision = restoreClaims(ready);
    assert.ok(decision.kind === 'act');
    assert.deepEqual(decision.actions.map((action) => (action.type === 'GiveTurn' ? action.turn : action.type)), ['1', '1', '1']);
    assert.equal(recorded(decision, ready.status).run?.newCluster?.begunAt, at);
  });

  it('gives no turn while an old member may run, or a quorum of data has come back', () => {
    const helpers = helpersOf(restoring(begun()), waits);
    const loose = restoring(begun(), helpers);
    loose.status.members = [fenced(0), recordOf(1), recordOf(2)];
    assert.equal((restoreClaims(loose) as {reason?: string}).reason, 'FencingUnproven');
    const back = restoring(begun(), helpers);
    if (back.status.run) back.status.run.offline = [0, 1].map((index) => ({pod: `etcd-${index}`, stage: 'Planning', data: 'Present', memberID: idOf(index)}));
    const decision = restoreClaims(back);
    assert.deepEqual([decision.kind, 'reason' in decision && decision.reason], ['abort', 'QuorumOfDataIntact']);
  });

  it('gives no turn while the template is being rolled out: the controller would delete what is started then', () => {
    const rolling = restoring(begun(), helpersOf(restoring(begun()), waits));
    assert.ok(rolling.templates);
    rolling.templates = {...rolling.templates, rollout: 'etcd-2 still of an older revision'};
    const decision = restoreClaims(rolling);
    assert.equal('reason' in decision ? decision.reason : decision.kind, 'RolloutInProgress');
    assert.match('message' in decision ? decision.message : '', /etcd-2 still of an older revision\. Undo it \(kubectl rollout undo\)/);
  });

  it('leaves a member out that has no place, before any data is in place: another attempt, and a join of its own', () => {
    const helpers = helpersOf(restoring(begun()), (pod, index) => {
      if (index < 2) waits(pod);
      else pod.status = {phase: 'Pending', conditions: [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no node'}]};
      pod.metadata = {...pod.metadata, creationTimestamp: new Date(now - 20_000)};
    });
    const observation = restoring(begun(), helpers);
    const {run} = recorded(restoreClaims(observation), observation.status);
    assert.deepEqual([run?.newCluster?.attempt, run?.newCluster?.members, run?.steps.map(({name, state}) => `${name} ${state}`)], [
      2, ['etcd-0', 'etcd-1'], ['Restore Running', 'StartAll Pending', 'Join etcd-2 Deferred', 'Verify Pending', 'Release Pending'],
    ]);
    assert.notEqual(run?.newCluster?.clusterID, cluster);
    const next = restoreClaims(restoring(begun({attempt: 2, members: ['etcd-0', 'etcd-1']}), helpers));
    assert.deepEqual(next.kind === 'act' && next.actions.map((action) => (action.type === 'DeletePod' ? action.pod.metadata?.annotations?.[marks.pod] : action.type)), ['etcd-2'], 'its helper would choose a node for it');
    assert.equal((restoreClaims(restoring(begun({seeded: ['etcd-0']}), helpers)) as {reason?: string}).reason, 'RestoreFailed');
  });

  it('blocks, and says what to name again, where the store was taken out of the spec before all is restored', () => {
    const decision = restoreClaims(restoring(begun({begunAt: at}), [], {spec: {}}));
    assert.ok(decision.kind === 'blocked' && decision.reason === 'RestoreFailed', JSON.stringify(decision));
    assert.match(decision.message, /Name the store in spec\.snapshot again/);
  });

  it('replaces claims of nodes that are gone only after it is written that the run is finished', () => {
    const observation = restoring(begun(), [], {ordinals: [wiped(0), wiped(1), gone(2, true)], nodes: [node('node-0'), node('node-1')]});
    const ready = restoring(begun(), helpersOf(observation, waits), {ordinals: [wiped(0), wiped(1), gone(2, true)], nodes: [node('node-0'), node('node-1')]});
    const decision = restoreClaims(ready);
    assert.equal(decision.kind, 'record');
    assert.equal(recorded(decision, ready.status).run?.newCluster?.begunAt, at);
  });

  it('replaces the claims of all lost members side by side: first what was lost is written down', () => {
    const ordinals = [gone(0, true), gone(1, true), gone(2, true)];
    const observation = restoring(begun({begunAt: at}), [], {ordinals, nodes: []});
    const first = restoreClaims(observation);
    assert.equal(first.kind, 'record');
    const status = recorded(first, observation.status);
    assert.deepEqual(status.run?.joins?.map(({pod, replacedClaims = []}) => `${pod} ${replacedClaims.length}`), ['etcd-0 1', 'etcd-1 1', 'etcd-2 1']);
    const next = restoring(begun({begunAt: at}), [], {ordinals, nodes: []});
    if (next.status.run) next.status.run.joins = status.run.joins;
    const second = restoreClaims(next);
    assert.ok(second.kind === 'act');
    assert.deepEqual([new Set(second.actions.map(({type}) => type)).size, second.actions.length], [1, 3]);
  });

  it('starts nobody before every member\'s data is in place, and all of them then, without the helpers', () => {
    const helpers = helpersOf(restoring(begun()), hasSeeded);
    const observation = restoring(begun({begunAt: at}), helpers);
    assert.deepEqual(recorded(restoreClaims(observation), observation.status).run?.newCluster?.seeded, members);
    assert.equal(restoreClaims(restoring(begun({begunAt: at, seeded: members}), helpers)).kind, 'done');
    const away = startAll(restoring(begun({begunAt: at, seeded: members}), helpers));
    assert.deepEqual(away.kind === 'act' && away.actions.map(({type}) => type), ['DeletePod', 'DeletePod', 'DeletePod']);
    const going = helpers.map((pod): V1Pod => ({...pod, metadata: {...pod.metadata, deletionTimestamp: new Date(now)}}));
    assert.equal(startAll(restoring(begun({begunAt: at, seeded: members}), going.map((pod) => ({...pod, status: {phase: 'Running'}})))).kind, 'wait');
    const ready = restoring(begun({begunAt: at, seeded: members}), going);
    const start = startAll(ready);
    assert.deepEqual(start.kind === 'act' && start.actions.map(({type}) => type), ['UngatePod', 'UngatePod', 'UngatePod']);
    assert.deepEqual(recorded(start, ready.status).heldPods, members, 'their names are held until the new cluster serves');
  });
});

describe('after a restore', () => {
  it('the restart proof of a new cluster, which nobody joined, takes a follower once all answer, and neither the leader nor who it goes through', () => {
    const run = runOf({plan: planOf({strategy: 'RestoreSnapshot'}), newCluster: {attempt: 1, members, clusterID: 'c1', seeded: members, begunAt: at, servedAt: at}, steps: [{name: 'StartAll', state: 'Done'}, {name: 'RestartProof', state: 'Running'}]});
    const proof = (leader: string, two: OrdinalOptions = {probe: answers(2, 3, {leader})}) =>
      restartProof(observationOf({ordinals: [{probe: answers(0, 3, {leader})}, {probe: answers(1, 3, {leader})}, two], status: {run, members: [0, 1, 2].map((index) => recordOf(index))}}));
    const restarted = (decision: Decision) => (decision.kind === 'act' ? decision.actions.map((action) => (action.type === 'DeletePod' ? action.pod.metadata?.name : action.type)).join() : decision.kind);
    assert.equal(restarted(proof('a0')), 'etcd-2');
    assert.equal(restarted(proof('a2')), 'etcd-1');
    assert.equal(restarted(proof('')), 'wait');
    assert.equal(restarted(proof('a0', {})), 'wait');
  });
});
