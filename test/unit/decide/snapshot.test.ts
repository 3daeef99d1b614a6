import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Run, SnapshotRecord} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {keptBy} from '../../../src/decide/kept.ts';
import {hold} from '../../../src/decide/steps/hold.ts';
import {plannedSnapshots} from '../../../src/decide/steps/snapshot.ts';
import {stop} from '../../../src/decide/steps/stop.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {snapshotPod} from '../../../src/kubernetes/snapshotPod.ts';
import type {Acting} from '../../../src/phases/context.ts';
import {takeSnapshot} from '../../../src/phases/snapshotting.ts';
import {answers, clusterID, idOf, members, newSet, node, now, observationOf, ownPodOf, planOf, recordOf, runOf, silent} from './observations.ts';
import type {ObservationOptions, OrdinalOptions} from './observations.ts';

const mark = {'quorumrecovery.io/run': 'run-1'};
const running = (index: number): OrdinalOptions => ({object: ownPodOf(index)});
const held = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const ago = (ms: number) => new Date(now - ms);

const runWith = (snapshots: SnapshotRecord[], more: Partial<Run> = {}): Run => runOf({
  identity: {clusterID, version: '3.6.16', members: members(3), source: ''}, plan: planOf(), snapshots,
  offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID, members: members(3)}],
  steps: [{name: 'Hold', state: 'Done', startedAt: ago(1_000).toISOString()}, {name: 'Stop', state: 'Running'}], ...more,
});

/** etcd-0 runs; the names of the others are held. */
const left = (snapshots: SnapshotRecord[], helpers: V1Pod[] = [], more: ObservationOptions & {run?: Partial<Run>} = {}): ObservationOptions => ({
  ordinals: [running(0), held(1), held(2)], nodes: [node('node-0')],
  status: {members: [recordOf(0), recordOf(1), recordOf(2)], heldPods: ['etcd-0', 'etcd-1', 'etcd-2'], run: runWith(snapshots, more.run)}, more: {helpers}, ...more,
});

function agent(status: object, age = 500, pod = 'etcd-0'): V1Pod {
  return {
    metadata: {name: `${pod}-snapshot-1`, creationTimestamp: ago(age), annotations: {...mark, 'quorumrecovery.io/step': 'Snapshot', 'quorumrecovery.io/pod': pod}},
    status: {containerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: status}]},
  };
}
const reports = (report: object): object => ({terminated: {exitCode: 0, message: JSON.stringify(report)}});
const facts = {path: '.quorumrecovery/run-1/snapshot.db', bytes: 20_512, sha256: 'ab', revision: 50};
const works = {running: {}};

const told = (decision: Decision): string => (decision.kind === 'act' ? decision.actions.map((action) => action.type).join() : decision.kind);
/** What the status says of the snapshots once a decision was recorded. */
function recorded(options: ObservationOptions): SnapshotRecord[] {
  const observation = observationOf(options);
  const decision = stop(observation);
  if ('record' in decision) decision.record(observation.status);
  return observation.status.run?.snapshots ?? [];
}

describe('which members are to be snapshotted', () => {
  const of = (options: ObservationOptions, candidates = ['etcd-0', 'etcd-1']) => plannedSnapshots(observationOf(options), {candidates});
  it('all candidates that run, because the survivor is only settled once they are stopped', () => {
    assert.deepEqual(of({ordinals: [{probe: answers(0, 3)}, {probe: answers(1, 3)}, {probe: answers(2, 3)}]}), [{pod: 'etcd-0'}, {pod: 'etcd-1'}]);
  });
  it('none that does not run, and none where nothing is to be kept', () => {
    assert.deepEqual(of({ordinals: [{probe: silent}, {probe: silent}]}), []);
    assert.deepEqual(of({ordinals: [{probe: answers(0, 3)}], spec: {preserve: {mode: 'Skip'}}}), []);
  });
  it('one that runs and serves no client is told with the reason', () => {
    const [one] = of({ordinals: [{probe: {kind: 'PeerOnly', clusterID, members: members(3), error: 'Timeout', message: 'deadline exceeded'}}]});
    assert.match(one?.skipped ?? '', /serves no client: deadline exceeded/);
  });
  it('one whose volume lets no second pod in as well', () => {
    const observation = observationOf({ordinals: [{probe: answers(0, 3)}]});
    Object.assign(observation.ordinals[0]?.data?.object?.spec ?? {}, {accessModes: ['ReadWriteOncePod']});
    assert.match(plannedSnapshots(observation, {candidates: ['etcd-0']})[0]?.skipped ?? '', /ReadWriteOncePod/);
  });
});

describe('the snapshot of a member that still runs', () => {
  it('is begun together with the proof of the hold', () => {
    assert.equal(told(hold(observationOf(left([{pod: 'etcd-0'}])))), 'ProveHold,TakeSnapshot');
    assert.equal(told(hold(observationOf(left([{pod: 'etcd-0'}], [agent(works)])))), 'ProveHold');
  });
  it('is begun in Stop where an operator ended before it came to it', () => { assert.equal(told(stop(observationOf(left([{pod: 'etcd-0'}])))), 'TakeSnapshot'); });
  it('is waited for before the member is stopped', () => { assert.equal(told(stop(observationOf(left([{pod: 'etcd-0'}], [agent(works)])))), 'wait'); });
  it('is recorded, with what it holds', () => {
    const report = {ok: true, command: 'snapshot', run: 'run-1', ...facts, consistentIndex: 9, already: false, milliseconds: 1};
    assert.deepEqual(recorded(left([{pod: 'etcd-0'}], [agent(reports(report))])), [{pod: 'etcd-0', ...facts, takenAt: new Date(now).toISOString()}]);
  });
  it('is what the member is stopped after, and its agent goes with it', () => { assert.equal(told(stop(observationOf(left([{pod: 'etcd-0', ...facts}], [agent(works)])))), 'StopPod,DeletePod'); });
  it('does not hold up the members that are stopped first', () => {
    const options = {...left([{pod: 'etcd-0'}], [agent(works)]), ordinals: [running(0), {...running(1), place: {at: 'GoneNode' as const, nodes: ['node-1']}}, held(2)], nodes: [node('node-0')]};
    assert.equal(told(stop(observationOf(options))), 'ReplacePod');
  });
  for (const [title, helper, more, why] of [
    ['that failed', agent(reports({ok: false, command: 'snapshot', reason: 'NoSpace', message: 'needs 9 bytes'})), {}, /^NoSpace: needs 9 bytes/],
    ['whose agent was evicted', {...agent(works), status: {phase: 'Failed', reason: 'Evicted'}}, {}, /Evicted/],
    ['whose agent does not start', agent({waiting: {reason: 'ImagePullBackOff'}}, 11_000), {}, /did not start within 10 s/],
    ['that takes too long', agent(works), {run: {steps: [{name: 'Hold', state: 'Done', startedAt: ago(131_000).toISOString()}]}}, /not there 130 s after/],
    ['of a member that has ended meanwhile', agent(works), {ordinals: [{object: ownPodOf(0, {deleting: true})}, held(1), held(2)]}, /does not run any more/],
    ['of a member whose node went', agent(works), {nodes: [node('node-0', {ready: false})]}, /its node node-0 is not Ready/],
  ] as [string, V1Pod, ObservationOptions & {run?: Partial<Run>}, RegExp][]) {
    it(`${title} is recorded with its reason, and the run goes on without`, () => {
      const [one] = recorded(left([{pod: 'etcd-0'}], [helper], more));
      assert.match(one?.skipped ?? '', why);
      assert.match(told(stop(observationOf(left([{pod: 'etcd-0', skipped: 'x'}])))), /^StopPod/);
    });
  }
  it('whose pod the API server refuses is recorded with its reason', async () => {
    const refusing = {client: {create: () => Promise.reject(new ApiError({code: 403, reason: 'Forbidden', message: 'exceeded quota', verb: 'create', kind: 'Pod', object: 'db/x'}))}} as unknown as Acting;
    const outcome = await takeSnapshot(refusing, 'etcd-0', {});
    const draft = observationOf(left([{pod: 'etcd-0'}])).status;
    assert.equal(outcome.kind, 'done');
    outcome.record?.(draft);
    assert.match(draft.run?.snapshots?.[0]?.skipped ?? '', /refuses the pod of the volume agent: .*exceeded quota/);
  });
  it('is among what the run kept, also where the run let everything go before the force', () => {
    const pods = (run: Run) => keptBy(observationOf({status: {run}})).map(({pod}) => pod);
    assert.deepEqual(pods(runWith([{pod: 'etcd-0', ...facts}])), ['etcd-0']);
    assert.deepEqual(pods(runWith([{pod: 'etcd-0'}])), ['etcd-0']);
    assert.deepEqual(pods(runWith([{pod: 'etcd-0'}], {steps: [{name: 'Plan', state: 'Done'}]})), []);
  });
});

describe('the pod that snapshots', () => {
  const made = (spec: object = {}, set = newSet(3)): V1Pod => {
    const observation = observationOf({spec, set});
    const [view] = observation.ordinals;
    assert.ok(view);
    return snapshotPod({observation, view, source: {set, ordinal: 0, template: set.spec?.template ?? {}, revision: 'rev-1'}, run: 'run-1', memberID: 'a0', within: 110});
  };
  it('runs beside the member, and asks it by its address', () => {
    const {spec} = made();
    assert.deepEqual(spec?.nodeSelector, {'kubernetes.io/hostname': 'node-0'});
    assert.match(spec.containers[0]?.args?.join(' ') ?? '', /^snapshot --endpoint http:\/\/10.0.0.0:2379 --within 110 --expect-member a0 --copy --root \/data --data-dir \/data --run run-1$/);
    assert.equal(spec.volumes?.length, 1);
  });
  it('leaves room for what is built from the own database, where that is restored in the place of a force', () => {
    const plan = planOf({strategy: 'RestoreSnapshot', snapshot: {name: 'member/snap/db', pod: 'etcd-0', revision: 48, bytes: 20_000_000}});
    const database = {index: 95, term: 5, revision: 48, bytes: 20_000_000, file: 'db'};
    const of = (more: object): string => {
      const options = left([{pod: 'etcd-0'}], [], {run: {plan, offline: [{pod: 'etcd-0', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID, members: members(3), database: {...database, ...more}}]}});
      const decision = stop(observationOf({...options, ordinals: [{...running(0), probe: answers(0, 3)}, held(1), held(2)]}));
      const [action] = decision.kind === 'act' ? decision.actions : [];
      return action?.type === 'TakeSnapshot' ? action.pod.spec?.containers[0]?.args?.join(' ') ?? '' : JSON.stringify(decision);
    };
    assert.match(of({}), / --no-copy --needs 174217728 /);
    assert.match(of({alarms: [{memberID: idOf(0), alarm: 'NOSPACE'}]}), / --no-copy --needs 194217728 /);
  });
  it('has the client certificate of the spec where etcd serves TLS', () => {
    const set = newSet(3);
    const etcd = set.spec?.template.spec?.containers[0];
    etcd?.args?.push('--listen-client-urls=https://0.0.0.0:2379', '--advertise-client-urls=https://etcd-0.etcd.db.svc:2379');
    const {spec} = made({target: {statefulSet: 'etcd', tls: {secretName: 's', caKey: 'ca', certKey: 'tls.crt', keyKey: 'tls.key'}}}, set);
    assert.match(spec?.containers[0]?.args?.join(' ') ?? '', /--endpoint https:\/\/10.0.0.0:2379 .*--tls \/quorumrecovery-tls --server-name etcd-0.etcd.db.svc /);
    assert.deepEqual(spec?.volumes?.find(({secret}) => secret !== undefined)?.secret, {secretName: 's', items: [{key: 'ca', path: 'ca.crt'}, {key: 'tls.crt', path: 'tls.crt'}, {key: 'tls.key', path: 'tls.key'}]});
    assert.ok(spec.containers[0]?.volumeMounts?.some(({mountPath, readOnly}) => mountPath === '/quorumrecovery-tls' && readOnly === true));
  });
});
