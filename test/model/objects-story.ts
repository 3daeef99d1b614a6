import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {isGone, podOf, refused, story, withoutPlace} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {gatedPod, holding, recovery} from './objects.ts';

const uidOf = async (cluster: Cluster, name: string): Promise<string> => (await podOf(cluster, name)).metadata?.uid ?? '';

async function made(cluster: Cluster, name: string, metadata: Parameters<typeof gatedPod>[2] = {}): Promise<string> {
  return (await cluster.client.create('Pod', gatedPod(cluster, name, metadata))).metadata?.uid ?? '';
}

const recoveryOf = async ({client, namespace}: Cluster, name: string) => {
  const found = await client.get('QuorumRecovery', namespace, name);
  assert.ok(found);
  return found;
};

export const objects = story({name: 'objects', about: 'Objects in the API server', of: 'Kubernetes', nodes: ['home']}, {
  'a name is taken once: a second create is refused with 409 AlreadyExists, and what is there stays': async (cluster) => {
    const uid = await made(cluster, 'objects-a');
    await refused(cluster.client.create('Pod', gatedPod(cluster, 'objects-a')), 409, /AlreadyExists/);
    await refused(cluster.client.create('Pod', gatedPod(cluster, 'objects-a'), {dryRun: true}), 409, /AlreadyExists/);
    assert.equal(await uidOf(cluster, 'objects-a'), uid);
  },
  'a create that is a dry run makes nothing': async (cluster) => {
    await cluster.client.create('Pod', gatedPod(cluster, 'objects-dry'), {dryRun: true});
    assert.ok(await isGone(cluster, 'objects-dry'));
  },
  'a new pod is Pending, whatever its maker says, and counts no generation of its status': async (cluster) => {
    const pod = await cluster.client.create('Pod', {...gatedPod(cluster, 'objects-new'), status: {phase: 'Running', podIP: '10.9.9.9'}});
    assert.deepEqual([pod.status?.phase, pod.status?.podIP, pod.metadata?.deletionTimestamp], ['Pending', undefined, undefined]);
    assert.ok(pod.metadata?.creationTimestamp);
  },
  'a delete or a patch for another UID is refused with 409, and changes nothing': async (cluster) => {
    const {client, namespace} = cluster;
    await refused(client.delete('Pod', namespace, 'objects-a', {uid: 'another'}), 409, /Conflict/);
    await refused(client.patch('Pod', namespace, 'objects-a', {metadata: {uid: 'another', annotations: {late: 'yes'}}}), 409, /Conflict/);
    const {metadata} = await podOf(cluster, 'objects-a');
    assert.deepEqual([metadata?.deletionTimestamp, metadata?.annotations?.['late']], [undefined, undefined]);
  },
  'a patch from an old resourceVersion is refused with 409, one from the newest is made': async (cluster) => {
    const {client, namespace} = cluster;
    const read = (await podOf(cluster, 'objects-new')).metadata?.resourceVersion;
    const after = await client.patch('Pod', namespace, 'objects-new', {metadata: {annotations: {first: 'yes'}}});
    assert.notEqual(after.metadata?.resourceVersion, read);
    await refused(client.patch('Pod', namespace, 'objects-new', {metadata: {resourceVersion: read, annotations: {late: 'yes'}}}), 409, /Conflict/);
    const newest = (await podOf(cluster, 'objects-new')).metadata?.resourceVersion;
    await client.patch('Pod', namespace, 'objects-new', {metadata: {resourceVersion: newest, annotations: {second: 'yes', first: null}}});
    assert.deepEqual((await podOf(cluster, 'objects-new')).metadata?.annotations, {second: 'yes'});
  },
  'a status from an old resourceVersion is refused with 409, and leaves the spec alone': async (cluster) => {
    await cluster.make('QuorumRecovery', recovery(cluster, 'objects-q'));
    const read = await recoveryOf(cluster, 'objects-q');
    const written = await cluster.client.replaceStatus({...read, status: holding('run-00000001', ['objects-q-0']), spec: {...read.spec, target: {statefulSet: 'changed'}}});
    assert.deepEqual([written.status?.heldPods, written.spec.target.statefulSet], [['objects-q-0'], 'objects-q-none']);
    await refused(cluster.client.replaceStatus({...read, status: holding('run-00000001', [])}), 409, /Conflict/);
    assert.deepEqual((await recoveryOf(cluster, 'objects-q')).status?.heldPods, ['objects-q-0']);
  },
  'a generation counts changes of the spec, and none of the status': async (cluster) => {
    const before = await recoveryOf(cluster, 'objects-q');
    const written = await cluster.client.replaceStatus({...before, status: holding('run-00000002', [])});
    assert.equal(written.metadata.generation, before.metadata.generation);
    const patched = await cluster.client.patch('QuorumRecovery', cluster.namespace, 'objects-q', {spec: {target: {container: 'another'}}});
    assert.equal(patched.metadata.generation, (before.metadata.generation ?? 0) + 1);
  },
  'what is gone cannot be deleted or patched, and its name comes back with another UID': async (cluster) => {
    const {client, namespace} = cluster;
    const uid = await uidOf(cluster, 'objects-a');
    assert.equal(await client.delete('Pod', namespace, 'objects-a', {uid}), true);
    assert.ok(await isGone(cluster, 'objects-a'), 'a gated pod is gone at once');
    assert.equal(await client.delete('Pod', namespace, 'objects-a', {uid}), false);
    await refused(client.patch('Pod', namespace, 'objects-a', {metadata: {annotations: {late: 'yes'}}}), 404);
    assert.notEqual(await made(cluster, 'objects-a'), uid);
    await refused(client.delete('Pod', namespace, 'objects-a', {uid}), 409, /Conflict/);
  },
  'a finalizer keeps a deleted pod, which takes no other one (422), and is gone with it': async (cluster) => {
    const {client, namespace} = cluster;
    const uid = await made(cluster, 'objects-fenced', {finalizers: [marks.fence]});
    assert.equal(await client.delete('Pod', namespace, 'objects-fenced', {uid}), true);
    assert.equal(await client.delete('Pod', namespace, 'objects-fenced', {uid, gracePeriodSeconds: 0}), true);
    const {metadata} = await podOf(cluster, 'objects-fenced');
    assert.ok(metadata?.deletionTimestamp);
    await refused(client.patch('Pod', namespace, 'objects-fenced', {metadata: {finalizers: [marks.fence, 'quorumrecovery.io/another']}}), 422, /no new finalizers/);
    await client.patch('Pod', namespace, 'objects-fenced', {metadata: {annotations: {still: 'patched'}}});
    await client.patch('Pod', namespace, 'objects-fenced', {metadata: {uid, finalizers: null}});
    assert.ok(await isGone(cluster, 'objects-fenced'));
  },
  'a gated pod gets no node and says so; a gate can be taken off (422 for another one), containers cannot be changed (422)': async (cluster) => {
    const {client, namespace} = cluster;
    await made(cluster, 'objects-gated');
    await withoutPlace(cluster, 'objects-gated', 'SchedulingGated');
    await cluster.holds('no node', 3, async () => { assert.equal((await podOf(cluster, 'objects-gated')).spec?.nodeName, undefined); });
    await refused(client.patch('Pod', namespace, 'objects-gated', {spec: {schedulingGates: [{name: marks.gate}, {name: 'quorumrecovery.io/another'}]}}), 422);
    await refused(client.patch('Pod', namespace, 'objects-gated', {spec: {containers: [{name: 'etcd', image: 'localhost/another:1'}], terminationGracePeriodSeconds: 77}}), 422);
    const open = await client.patch('Pod', namespace, 'objects-gated', {spec: {schedulingGates: null}});
    assert.deepEqual(open.spec?.schedulingGates ?? [], []);
    await refused(client.patch('Pod', namespace, 'objects-gated', {spec: {schedulingGates: [{name: marks.gate}]}}), 422);
  },
  'labels select': async (cluster) => {
    const found = await cluster.client.list('Pod', cluster.namespace, {labelSelector: 'gated=objects-new'});
    assert.deepEqual(found.map((pod) => pod.metadata?.name), ['objects-new']);
  },
  'what a QuorumRecovery owns goes when it is gone, and waits for its finalizers': async (cluster) => {
    await cluster.make('QuorumRecovery', recovery(cluster, 'objects-owner'));
    const {metadata: {uid = ''}} = await recoveryOf(cluster, 'objects-owner');
    const ownerReferences = [{apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', name: 'objects-owner', uid}];
    await made(cluster, 'objects-owned', {ownerReferences});
    await made(cluster, 'objects-kept', {ownerReferences, finalizers: [marks.fence]});
    await cluster.holds('both while the owner is there', 3, async () => {
      for (const name of ['objects-owned', 'objects-kept']) assert.equal((await podOf(cluster, name)).metadata?.deletionTimestamp, undefined);
    });
    await cluster.remove('QuorumRecovery', 'objects-owner');
    await cluster.until('the end of what it owned', async () => await isGone(cluster, 'objects-owned'));
    await cluster.until('the delete of the other', async () => (await podOf(cluster, 'objects-kept')).metadata?.deletionTimestamp);
    await cluster.client.patch('Pod', cluster.namespace, 'objects-kept', {metadata: {finalizers: null}});
  },
});
