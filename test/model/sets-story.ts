import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {away, isGone, podOf, refused, story} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {gatedPod, gatedSet, holding, recovery} from './objects.ts';

async function appears(cluster: Cluster, ...names: string[]): Promise<void> {
  for (const name of names) await cluster.until(`the pod ${name}`, async () => await cluster.client.get('Pod', cluster.namespace, name));
}

const another = (cluster: Cluster, name: string, than: string | undefined) => cluster.until(`another pod ${name}`, async () => {
  const pod = await cluster.client.get('Pod', cluster.namespace, name);
  return pod?.metadata?.uid === than ? undefined : pod;
});

export const sets = story({name: 'sets', about: 'The StatefulSet controller', of: 'Kubernetes', nodes: []}, {
  'a Parallel set makes all pods, an OrderedReady one waits for the first to be ready': async (cluster) => {
    await cluster.make('StatefulSet', gatedSet(cluster, 'sets-all', {replicas: 3, claims: true}));
    await cluster.make('StatefulSet', gatedSet(cluster, 'sets-order', {replicas: 3, ordered: true}));
    await appears(cluster, 'sets-all-0', 'sets-all-1', 'sets-all-2', 'sets-order-0');
    await cluster.holds('the first alone', 5, async () => { assert.ok(await isGone(cluster, 'sets-order-1')); });
  },
  'a pod has its set as its controller, its name as its host name, and the claims of its ordinal': async (cluster) => {
    const pod = await podOf(cluster, 'sets-all-1');
    const [set] = (await cluster.client.list('StatefulSet', cluster.namespace)).filter(({metadata}) => metadata?.name === 'sets-all');
    assert.deepEqual(pod.metadata?.ownerReferences?.map(({apiVersion, kind, uid, controller}) => [apiVersion, kind, uid, controller]), [['apps/v1', 'StatefulSet', set?.metadata?.uid, true]]);
    assert.deepEqual([pod.spec?.hostname, pod.spec?.subdomain], ['sets-all-1', 'sets-all']);
    assert.equal(pod.spec?.volumes?.find((volume) => volume.name === 'data')?.persistentVolumeClaim?.claimName, 'data-sets-all-1');
    assert.equal(pod.metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'sets-all-1');
  },
  'a pod that goes is made anew, with another UID': async (cluster) => {
    for (const name of ['sets-all-2', 'sets-order-0']) {
      const {metadata} = await podOf(cluster, name);
      await cluster.client.delete('Pod', cluster.namespace, name, {uid: metadata?.uid ?? ''});
      await another(cluster, name, metadata?.uid);
    }
  },
  'while a finalizer keeps a deleted pod none is made in its place': async (cluster) => {
    const {client, namespace} = cluster;
    const {metadata} = await client.patch('Pod', namespace, 'sets-all-0', {metadata: {finalizers: [marks.fence]}});
    await client.delete('Pod', namespace, 'sets-all-0', {uid: metadata?.uid ?? ''});
    await cluster.holds('the same pod', 5, async () => { assert.equal((await podOf(cluster, 'sets-all-0')).metadata?.uid, metadata?.uid); });
    await client.patch('Pod', namespace, 'sets-all-0', {metadata: {finalizers: null}});
    await another(cluster, 'sets-all-0', metadata?.uid);
  },
  'a claim that is gone is made anew once the pod that waits for it changes, not before': async (cluster) => {
    const {client, namespace} = cluster;
    const before = await client.get('PersistentVolumeClaim', namespace, 'data-sets-all-1');
    const pod = await podOf(cluster, 'sets-all-1');
    // The controller has seen what happened before.
    await cluster.holds('the claim', 3, async () => { assert.ok(await client.get('PersistentVolumeClaim', namespace, 'data-sets-all-1')); });
    await client.delete('PersistentVolumeClaim', namespace, 'data-sets-all-1', {uid: before?.metadata?.uid ?? ''});
    await cluster.until('the end of the claim', async () => (await client.get('PersistentVolumeClaim', namespace, 'data-sets-all-1') === undefined ? true : undefined));
    await cluster.holds('no claim', 5, async () => { assert.equal(await client.get('PersistentVolumeClaim', namespace, 'data-sets-all-1'), undefined); });
    await client.patch('Pod', namespace, 'sets-all-1', {metadata: {annotations: {changed: 'yes'}}});
    await cluster.until('another claim', async () => {
      const now = await client.get('PersistentVolumeClaim', namespace, 'data-sets-all-1');
      return now === undefined || now.metadata?.uid === before?.metadata?.uid ? undefined : now;
    });
    assert.equal((await podOf(cluster, 'sets-all-1')).metadata?.uid, pod.metadata?.uid);
  },
  'a pod of somebody else is left alone, and a Parallel set makes the others': async (cluster) => {
    await cluster.make('QuorumRecovery', recovery(cluster, 'sets-stranger'));
    const uid = (await cluster.client.get('QuorumRecovery', cluster.namespace, 'sets-stranger'))?.metadata.uid ?? '';
    const ownerReferences = [{apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', name: 'sets-stranger', uid, controller: true}];
    const foreign = await cluster.client.create('Pod', gatedPod(cluster, 'sets-foreign-1', {ownerReferences}));
    await cluster.make('StatefulSet', gatedSet(cluster, 'sets-foreign', {replicas: 3}));
    await appears(cluster, 'sets-foreign-0', 'sets-foreign-2');
    await cluster.holds('the stranger', 3, async () => { assert.equal((await podOf(cluster, 'sets-foreign-1')).metadata?.uid, foreign.metadata?.uid); });
  },
});

/** The run in whose name the pods of this story are held. */
const run = 'run-0000000a';

async function hold(cluster: Cluster, names: string[]): Promise<void> {
  const found = await cluster.client.get('QuorumRecovery', cluster.namespace, 'held');
  assert.ok(found);
  await cluster.client.replaceStatus({...found, status: holding(run, names)});
}

export const held = story({name: 'held', about: 'Names that the admission policy holds', of: 'Kubernetes', nodes: []}, {
  'the controller\'s pod of a held name is denied, and when the first one of a Parallel set is, it makes no other': async (cluster) => {
    await cluster.make('QuorumRecovery', recovery(cluster, 'held'));
    await hold(cluster, ['held-0', 'held-2']);
    const ownerReferences = [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'held', uid: 'none', controller: true}];
    await cluster.until('the policy', async () => {
      await refused(cluster.client.create('Pod', gatedPod(cluster, 'held-0', {ownerReferences}), {dryRun: true}), 403, /held by QuorumRecovery held /);
      return true;
    });
    await cluster.make('StatefulSet', gatedSet(cluster, 'held', {replicas: 3}));
    await cluster.holds('no pod', 5, async () => { for (const name of ['held-0', 'held-1', 'held-2']) assert.ok(await isGone(cluster, name)); });
  },
  'a pod with the annotation of the run is admitted, and the controller counts it as its own: it makes the next one, although the last one is refused': async (cluster) => {
    const set = (await cluster.client.list('StatefulSet', cluster.namespace)).find(({metadata}) => metadata?.name === 'held');
    const ownerReferences = [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'held', uid: set?.metadata?.uid ?? '', controller: true, blockOwnerDeletion: true}];
    const own = gatedPod(cluster, 'held-0', {ownerReferences, annotations: {[marks.run]: run}});
    own.metadata = {...own.metadata, labels: {set: 'held'}};
    await refused(cluster.client.create('Pod', {...own, metadata: {...own.metadata, annotations: {[marks.run]: 'run-0000000b'}}}), 403, /held by/);
    const made = await cluster.client.create('Pod', own);
    await appears(cluster, 'held-1');
    await cluster.holds('the pod of the run', 3, async () => {
      assert.equal((await podOf(cluster, 'held-0')).metadata?.uid, made.metadata?.uid);
      assert.ok(await isGone(cluster, 'held-2'));
    });
  },
  'a pod without a set is admitted under any name': async (cluster) => {
    await cluster.client.create('Pod', gatedPod(cluster, 'held-2'));
    await away(cluster, 'held-2');
  },
  'a name that is let go is made by its controller when one of its pods changes: it was refused so often that its next try may be late': async (cluster) => {
    await hold(cluster, ['held-0']);
    await cluster.until('the word of the policy', async () => {
      const {metadata} = await podOf(cluster, 'held-1');
      const made = await cluster.client.get('Pod', cluster.namespace, 'held-2');
      return made ?? await cluster.client.create('Pod', gatedPod(cluster, 'held-2', {ownerReferences: metadata?.ownerReferences ?? []}), {dryRun: true});
    });
    await cluster.client.patch('Pod', cluster.namespace, 'held-1', {metadata: {annotations: {changed: 'yes'}}});
    await appears(cluster, 'held-2');
    assert.equal((await podOf(cluster, 'held-2')).metadata?.annotations?.[marks.run], undefined);
  },
});

