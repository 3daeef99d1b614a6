import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {keptBy, prune} from '../../../src/decide/kept.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {preflight} from '../../../src/decide/plans/preflight.ts';
import {keptWhere, snapshotNotes} from '../../../src/decide/snapshots.ts';
import {force} from '../../../src/decide/steps/force.ts';
import {letGo} from '../../../src/decide/steps/release.ts';
import {forcePod} from '../../../src/kubernetes/helperPods.ts';
import type {VolumeSnapshot} from '../../../src/kubernetes/volumeSnapshots.ts';
import {volumeSnapshotName} from '../../../src/kubernetes/volumeSnapshots.ts';
import type {Observation, OrdinalView} from '../../../src/observe/observation.ts';
import {noStorage} from '../../../src/observe/storage.ts';
import type {SnapshotsView} from '../../../src/observe/storage.ts';
import {sourceOf, survivorOf} from '../../../src/decide/steps/common.ts';
import {clusterID, members, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const driver = 'hostpath.csi.k8s.io';
const mark = {'quorumrecovery.io/run': 'run-1'};
const ofForce = {...mark, 'quorumrecovery.io/step': 'Force', 'quorumrecovery.io/pod': 'etcd-0', 'quorumrecovery.io/attempt': '1'};
const helper = (annotations: object = {}): V1Pod => ({
  metadata: {name: 'etcd-0-force-1', uid: 'f', finalizers: ['quorumrecovery.io/fence'], annotations: {...ofForce, ...annotations}},
  spec: {containers: [], nodeName: 'node-0', restartPolicy: 'Never'}, status: {containerStatuses: []},
});
const heldHere = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark})});
const heldGone = (index: number): OrdinalOptions => ({...heldHere(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const identity = {clusterID, version: '3.6.16', members: members(3), source: ''};
const fenced = {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-0', at: new Date(now).toISOString()};
const csi = {name: 'csi', driver, isDefault: true};
const name = 'data-etcd-0-1';

const snapshot = (status: VolumeSnapshot['status'] | undefined, more: object = {}, claim = 'data-etcd-0'): VolumeSnapshot => ({
  metadata: {name: `${claim}-1`, uid: `uid-of-${claim}`, creationTimestamp: new Date(now), ...more}, spec: {source: {persistentVolumeClaimName: claim}}, ...(status && {status}),
});
const cut = {boundVolumeSnapshotContentName: 'content', creationTime: '2026-01-01T00:00:00Z', readyToUse: false};
const known = {claim: 'data-etcd-0', pod: 'etcd-0', claimUID: 'claim-uid-0', name, uid: 'uid-of-data-etcd-0', cutAt: cut.creationTime};

interface Setting {
  run?: Partial<Run>;
  view?: Partial<SnapshotsView>;
  preserve?: object;
  helpers?: V1Pod[];
  /** undefined: local storage, of no CSI driver. */
  of?: string | undefined;
  walClaim?: boolean;
}

/** Every name is held, the survivor is proven stopped, and the pod of the forced start waits for its turn. */
function held({run, view, preserve, helpers = [helper()], of = driver, walClaim = false}: Setting = {}): Observation {
  const observation = observationOf({
    ordinals: [heldHere(0), heldGone(1), heldGone(2)], nodes: [node('node-0')], spec: {preserve: {mode: 'VolumeSnapshot', ...preserve}},
    status: {
      members: [recordOf(0, {fenced}), recordOf(1), recordOf(2)], heldPods: ['etcd-0', 'etcd-1', 'etcd-2'],
      run: runOf({identity, plan: planOf(), force: {attempt: 1, pod: 'etcd-0-force-1'}, steps: [{name: 'Force', state: 'Running'}], ...run}),
    },
    more: {helpers, storage: {...noStorage, snapshots: {classes: [csi], taken: [], ...view}}},
  });
  const survivor = observation.ordinals[0];
  if (survivor?.data === undefined) throw new Error('no claim');
  const volume = {metadata: {name: 'pv-0'}, spec: of === '' ? {} : {csi: {driver: of, volumeHandle: 'h'}}};
  survivor.data.volume = volume;
  if (walClaim) survivor.wal = {...survivor.data, name: 'wal-etcd-0', object: {metadata: {uid: 'wal-uid'}}, volume};
  return observation;
}

const told = (decision: Decision): string => ('reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind);
const words = (decision: Decision): string => ('why' in decision ? decision.why : decision.message);
const survivorIn = (observation: Observation): OrdinalView => survivorOf(observation);

describe('preserve.mode: VolumeSnapshot, before anything is touched', () => {
  const refused = (setting: Setting) => {
    const observation = held(setting);
    return preflight(observation, survivorIn(observation))?.message;
  };
  it('is refused where the cluster has no such API, with the claim and the way out', () => {
    const observation = held({view: {problem: 'this cluster does not serve it', classes: []}});
    const refusal = preflight(observation, survivorIn(observation));
    assert.equal(refusal?.reason, 'SnapshotUnavailable');
    assert.match(refusal.message, /data-etcd-0.*does not serve it.*Install.*preserve\.mode to Copy/);
  });
  it('is refused for a volume of no CSI driver', () => {
    assert.match(refused({of: ''}) ?? '', /data-etcd-0.*pv-0 is of no CSI driver.*preserve\.mode to Copy/);
  });
  it('takes the named class, if it is of the volume\'s driver', () => {
    const classes = [csi, {name: 'other', driver: 'other.example', isDefault: false}, {name: 'slow', driver, isDefault: false}];
    const named = (volumeSnapshotClassName: string) => refused({preserve: {volumeSnapshotClassName}, view: {classes}});
    assert.equal(named('slow'), undefined);
    assert.match(named('other') ?? '', /other is of driver other\.example, its volume of hostpath.*: csi, slow\. Set spec\.preserve\.volumeSnapshotClassName/);
    assert.match(named('none') ?? '', /none does not exist/);
  });
  it('takes the one default class of the driver else, and nothing that could be two', () => {
    assert.equal(refused({view: {classes: [csi, {...csi, name: 'elsewhere', driver: 'other.example'}]}}), undefined);
    assert.match(refused({view: {classes: [{...csi, isDefault: false}]}}) ?? '', /no VolumeSnapshotClass is the default one.*there are: csi/);
    assert.match(refused({view: {classes: [csi, {...csi, name: 'second'}]}}) ?? '', /more than one.*csi, second/);
  });
  it('looks at the claim of the log too', () => {
    const observation = held({walClaim: true});
    const survivor = survivorIn(observation);
    if (survivor.wal) survivor.wal.volume = {metadata: {name: 'local'}};
    assert.match(preflight(observation, survivor)?.message ?? '', /wal-etcd-0.*local is of no CSI driver/);
  });
  it('asks nothing where another mode is set', () => {
    assert.equal(refused({preserve: {mode: 'Copy'}, of: '', view: {problem: 'none'}}), undefined);
  });
  it('stands in the plan\'s notes, with class and name', () => {
    const observation = held();
    assert.match(snapshotNotes(observation, survivorIn(observation)).join(), /VolumeSnapshot data-etcd-0-1 \(class csi\) of claim data-etcd-0/);
  });
});

describe('preserve.mode: VolumeSnapshot, before the forced start has its turn', () => {
  it('a snapshot is made of the survivor\'s claims, that nobody owns and a repeat finds again', () => {
    const decision = force(held({walClaim: true}));
    assert.equal(told(decision), 'CreateVolumeSnapshot,CreateVolumeSnapshot');
    const made = decision.kind === 'act' && decision.actions[0]?.type === 'CreateVolumeSnapshot' ? decision.actions[0].snapshot : undefined;
    assert.ok(made);
    assert.deepEqual(made.spec, {volumeSnapshotClassName: 'csi', source: {persistentVolumeClaimName: 'data-etcd-0'}});
    assert.deepEqual([made.metadata?.name, made.metadata?.namespace, made.metadata?.ownerReferences], [name, 'db', undefined]);
    assert.deepEqual([made.metadata?.labels?.['quorumrecovery.io/resource'], made.metadata?.labels?.['quorumrecovery.io/run']], ['etcd', 'run-1']);
    assert.equal(told(force(held({walClaim: true, view: {taken: [snapshot(cut)]}}))), 'CreateVolumeSnapshot');
  });
  it('its name is never cut to that of another run', () => {
    assert.equal(volumeSnapshotName('a'.repeat(253), 'run-12345678').length, 253);
    assert.notEqual(volumeSnapshotName('a'.repeat(253), 'run-12345678'), volumeSnapshotName('a'.repeat(253), 'run-87654321'));
  });
  it('the turn is not given before the storage has taken it, which is recorded first', () => {
    for (const status of [undefined, {}, {boundVolumeSnapshotContentName: 'content'}, {creationTime: cut.creationTime}]) assert.equal(told(force(held({view: {taken: [snapshot(status)]}}))), 'wait');
    const decision = force(held({view: {taken: [snapshot(cut)]}}));
    assert.equal(told(decision), 'record');
    const observation = held({view: {taken: [snapshot(cut)]}});
    if (decision.kind === 'record') decision.record(observation.status);
    assert.deepEqual(observation.status.run?.volumeSnapshots, [known]);
    assert.equal(told(force(observation)), 'GiveTurn');
  });
  it('nor for the one of the data while that of the log is not', () => {
    assert.equal(told(force(held({walClaim: true, view: {taken: [snapshot(cut), snapshot({}, {}, 'wal-etcd-0')]}}))), 'wait');
  });
  it('its upload is not waited for', () => {
    assert.equal(told(force(held({run: {volumeSnapshots: [known]}, view: {taken: [snapshot({...cut, readyToUse: false})]}}))), 'GiveTurn');
  });
  it('one that is taken away before the turn is taken again; after it nothing is', () => {
    assert.equal(told(force(held({run: {volumeSnapshots: [known]}}))), 'CreateVolumeSnapshot');
    assert.equal(told(force(held({run: {volumeSnapshots: [known]}, view: {taken: [snapshot(cut, {deletionTimestamp: new Date(now)})]}}))), 'wait');
    assert.equal(told(force(held({run: {volumeSnapshots: [known], force: {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true}}}))), 'GiveTurn');
  });
  it('one that was never taken is owed to a later attempt too', () => {
    assert.equal(told(force(held({run: {force: {attempt: 2, pod: 'etcd-0-force-2', turnGiven: true}}}))), 'CreateVolumeSnapshot');
  });
  it('the driver\'s error blocks in its own words, and a silence that lasts does too', () => {
    const failed = force(held({view: {taken: [snapshot({boundVolumeSnapshotContentName: 'content', error: {message: 'rpc error: out of space'}})]}}));
    assert.equal(told(failed), 'blocked SnapshotFailed');
    assert.match(words(failed), /data-etcd-0.*rpc error: out of space.*Nothing was changed/);
    const old = {creationTimestamp: new Date(now - 120_000)};
    assert.match(words(force(held({view: {taken: [snapshot(undefined, old)]}}))), /120 s ago.*is the snapshot controller running/);
    assert.match(words(force(held({view: {taken: [snapshot({}, old)]}}))), /csi-snapshotter/);
  });
  it('a class that is gone by then blocks', () => { assert.equal(told(force(held({view: {classes: []}}))), 'blocked SnapshotFailed'); });
  it('the fencing rule comes first: nothing is taken of a volume that may be in use', () => {
    const observation = held();
    const again = {...observation, nodes: [node('node-0'), node('node-1', {uid: 'again'}), node('node-2', {uid: 'again'})]};
    assert.equal(told(force(again)), 'blocked FencingUnproven');
  });
  it('a quorum that comes back lets everything go while it is waited for', () => {
    const observation = held({view: {taken: [snapshot({})]}, run: {offline: [0, 1].map((index) => ({pod: `etcd-${index}`, stage: 'Planning', data: 'Present', memberID: `a${index}`, clusterID, members: members(3)}))}});
    const second = observation.ordinals[1];
    if (second?.data) second.data.place = {at: 'Node', nodes: ['node-1']};
    const next = nextStep({...observation, nodes: [node('node-0'), node('node-1')]});
    assert.equal(next && told(next.decision), 'abort QuorumOfDataIntact');
  });
  it('the agent makes no copy then', () => {
    const observation = held();
    const survivor = survivorIn(observation);
    const pod = forcePod({observation, view: survivor, source: sourceOf(observation, survivor), run: 'run-1', attempt: 1, members: identity});
    assert.ok('pod' in pod && pod.pod.spec?.initContainers?.[0]?.args?.includes('--no-copy'));
  });
});

describe('what is kept of VolumeSnapshots', () => {
  const at = (ms: number) => new Date(now + ms).toISOString();
  it('is told with the data that was set aside, for as long', () => {
    const found = keptBy(held({run: {volumeSnapshots: [known], force: {attempt: 1, pod: 'f', podUID: 'f'}}, preserve: {retention: '1h'}}));
    assert.deepEqual(found.map(({pod, volumeSnapshot, until}) => [pod, volumeSnapshot?.name, until]), [
      ['etcd-0', name, at(3_600_000)], ...[0, 1, 2].map((index) => [`etcd-${index}`, undefined, at(3_600_000)]),
    ]);
  });
  it('is told also where the run let everything go', () => {
    const observation = held({run: {volumeSnapshots: [known], aborted: {reason: 'X', message: ''}}, helpers: []});
    observation.status.heldPods = [];
    const ordinals = observation.ordinals.map((view) => ({...view, object: ownPodOf(view.ordinal)}));
    const decision = letGo({...observation, ordinals});
    if (decision.kind === 'done') decision.record?.(observation.status);
    assert.deepEqual(observation.status.kept?.map(({volumeSnapshot}) => volumeSnapshot), [{name, uid: known.uid}]);
  });
  it('is deleted when its time is over, and not before, whatever became of its claim', () => {
    const kept = {run: 'run-0', pod: 'etcd-7', claimUID: 'older', volumeSnapshot: {name, uid: 'u'}};
    const other = {run: 'run-0', pod: 'etcd-7', claimUID: 'older', until: at(1), volumeSnapshot: {name: 'later', uid: 'v'}};
    const observation = observationOf({status: {kept: [{...kept, until: at(-1)}, other]}});
    const {actions, records} = prune(observation);
    assert.deepEqual(actions, [{type: 'DeleteVolumeSnapshot', name, uid: 'u'}]);
    for (const record of records) record(observation.status);
    assert.deepEqual(observation.status.kept, [other]);
  });
  it('is where messages say that the data is', () => {
    assert.match(keptWhere(runOf({volumeSnapshots: [known]})), /VolumeSnapshot data-etcd-0-1/);
    assert.match(keptWhere(runOf({force: {attempt: 1, pod: 'f', copy: '.quorumrecovery/run-1/copy'}})), /copy of this data is on its volume/);
    assert.match(keptWhere(runOf()), /Skip/);
  });
});
