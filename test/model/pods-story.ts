import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {away, claimAway, conditionOf, isGone, over, podOf, running, story, withoutPlace} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {etcdPod, makeClaim} from './objects.ts';
import type {EtcdPod} from './objects.ts';

async function start(cluster: Cluster, options: EtcdPod): Promise<string> {
  return (await cluster.client.create('Pod', etcdPod(cluster, options))).metadata?.uid ?? '';
}

const ended = (pod: Awaited<ReturnType<typeof podOf>>) => pod.status?.containerStatuses?.map((status) => status.state?.terminated) ?? [];

const claimOf = async ({client, namespace}: Cluster, name: string) => await client.get('PersistentVolumeClaim', namespace, name);

export const pods = story({name: 'pods', about: 'Pods, their volumes and the kubelet', of: 'Kubernetes', nodes: ['home', 'other']}, {
  'a pod runs on its node with an address and a container, on a new volume that is tied to that node': async (cluster) => {
    await makeClaim(cluster, 'data-pods-a');
    await makeClaim(cluster, 'data-pods-b');
    await start(cluster, {name: 'pods-a', node: 'home', apart: true});
    const pod = await running(cluster, 'pods-a');
    assert.equal(pod.spec?.nodeName, cluster.node('home'));
    assert.ok(pod.status?.podIP);
    assert.ok(pod.status.containerStatuses?.every((status) => status.containerID !== undefined && status.restartCount === 0));
    const claim = await claimOf(cluster, 'data-pods-a');
    assert.equal(claim?.status?.phase, 'Bound');
    const volume = await cluster.client.get('PersistentVolume', undefined, claim.spec?.volumeName ?? '');
    assert.equal(volume?.spec?.claimRef?.name, 'data-pods-a');
    assert.ok(JSON.stringify(volume.spec.nodeAffinity).includes(`"${cluster.node('home')}"`), JSON.stringify(volume.spec));
  },
  'a pod whose volume is on another node than the one it has to be on finds no place': async (cluster) => {
    await start(cluster, {name: 'pods-elsewhere', node: 'other', claim: 'data-pods-a'});
    await withoutPlace(cluster, 'pods-elsewhere', 'Unschedulable');
    await away(cluster, 'pods-elsewhere');
  },
  'pods that are to be apart do not share a node, and the second one starts when the first is gone': async (cluster) => {
    await start(cluster, {name: 'pods-b', node: 'home', apart: true, restart: 'Never', finalizers: [marks.fence]});
    await withoutPlace(cluster, 'pods-b', 'Unschedulable');
    assert.equal((await claimOf(cluster, 'data-pods-b'))?.spec?.volumeName, undefined);
    await away(cluster, 'pods-a');
    await running(cluster, 'pods-b');
  },
  'a claim that is in use stays when it is deleted, and no other pod gets it': async (cluster) => {
    const claim = await claimOf(cluster, 'data-pods-b');
    await cluster.client.delete('PersistentVolumeClaim', cluster.namespace, 'data-pods-b', {uid: claim?.metadata?.uid ?? ''});
    await start(cluster, {name: 'pods-late', node: 'home', claim: 'data-pods-b'});
    await withoutPlace(cluster, 'pods-late', 'Unschedulable');
    await cluster.holds('the claim', 3, async () => { assert.ok((await claimOf(cluster, 'data-pods-b'))?.metadata?.deletionTimestamp); });
    await away(cluster, 'pods-late');
  },
  'a deleted pod with a finalizer stays, with the end of its containers in its status, until the finalizer goes': async (cluster) => {
    const {client, namespace} = cluster;
    const uid = (await podOf(cluster, 'pods-b')).metadata?.uid ?? '';
    assert.equal(await client.delete('Pod', namespace, 'pods-b', {uid}), true);
    assert.ok((await podOf(cluster, 'pods-b')).metadata?.deletionTimestamp);
    const pod = await over(cluster, 'pods-b');
    assert.ok(ended(pod).length > 0 && ended(pod).every((end) => end?.finishedAt !== undefined), JSON.stringify(pod.status));
    await cluster.until('no grace that is left', async () => ((await podOf(cluster, 'pods-b')).metadata?.deletionGracePeriodSeconds === 0 ? true : undefined));
    await cluster.holds('the pod', 3, async () => { assert.equal((await podOf(cluster, 'pods-b')).metadata?.uid, uid); });
  },
  'a pod that is over keeps none away that is to be apart from it, though its object is there': async (cluster) => {
    await makeClaim(cluster, 'data-pods-next');
    await start(cluster, {name: 'pods-next', node: 'home', apart: true});
    await running(cluster, 'pods-next');
    assert.ok((await podOf(cluster, 'pods-b')).metadata?.deletionTimestamp);
    await away(cluster, 'pods-next');
    await claimAway(cluster, 'data-pods-next');
  },
  'a deleted claim stays while the object of a pod that is over names it, and goes with that, and its volume with it': async (cluster) => {
    const {client, namespace} = cluster;
    const volume = (await claimOf(cluster, 'data-pods-b'))?.spec?.volumeName ?? '';
    await cluster.holds('the claim', 5, async () => { assert.ok((await claimOf(cluster, 'data-pods-b'))?.metadata?.deletionTimestamp); });
    await client.patch('Pod', namespace, 'pods-b', {metadata: {finalizers: null}});
    assert.ok(await isGone(cluster, 'pods-b'));
    await cluster.until('the end of the claim', async () => (await claimOf(cluster, 'data-pods-b') === undefined ? true : undefined));
    await cluster.until('the end of the volume', async () => (await client.get('PersistentVolume', undefined, volume) === undefined ? true : undefined));
  },
  'an etcd that is killed is started again in its pod, and the status keeps its end': async (cluster) => {
    const uid = await start(cluster, {name: 'pods-a'});
    const before = await running(cluster, 'pods-a');
    assert.equal(before.spec?.nodeName, cluster.node('home'), 'its volume is there');
    await cluster.kill('pods-a');
    const pod = await cluster.until('another start', async () => {
      const now = await running(cluster, 'pods-a');
      return now.status?.containerStatuses?.[0]?.restartCount === 1 ? now : undefined;
    }, 120);
    assert.equal(pod.metadata?.uid, uid);
    assert.equal(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    assert.equal(pod.status.podIP, before.status?.podIP);
  },
  'a deleted pod is there until the kubelet has ended it': async (cluster) => {
    const uid = (await podOf(cluster, 'pods-a')).metadata?.uid ?? '';
    await cluster.client.delete('Pod', cluster.namespace, 'pods-a', {uid});
    const {metadata} = await podOf(cluster, 'pods-a');
    assert.deepEqual([metadata?.uid, metadata?.deletionGracePeriodSeconds], [uid, 10]);
    await cluster.until('the end of pods-a', async () => await isGone(cluster, 'pods-a'));
  },
  'a pod that is not to be started again has Failed once its etcd is killed, and stays': async (cluster) => {
    await start(cluster, {name: 'pods-a', restart: 'Never'});
    await running(cluster, 'pods-a');
    await cluster.kill('pods-a');
    const pod = await over(cluster, 'pods-a');
    assert.deepEqual([pod.status?.phase, ended(pod).map((end) => end?.exitCode), conditionOf(pod, 'Ready')?.status], ['Failed', [137], 'False']);
    await cluster.holds('one that failed', 3, async () => { assert.equal((await podOf(cluster, 'pods-a')).status?.phase, 'Failed'); });
    await away(cluster, 'pods-a');
  },
  'a grace period of 0 takes the object away at once, whatever runs, and the kubelet ends that after it': async (cluster) => {
    const uid = await start(cluster, {name: 'pods-a'});
    await running(cluster, 'pods-a');
    const etcd = await cluster.etcd('pods-a');
    await cluster.until('an answer', async () => await etcd.status());
    await cluster.client.delete('Pod', cluster.namespace, 'pods-a', {uid, gracePeriodSeconds: 0});
    assert.ok(await isGone(cluster, 'pods-a'));
    await cluster.until('the end of its etcd', async () => await etcd.status().then(() => undefined, () => true));
  },
  'a volume that is to be retained stays when its claim goes, and a claim made anew under the name is not bound to it': async (cluster) => {
    const {client} = cluster;
    const claim = await claimOf(cluster, 'data-pods-a');
    const volume = claim?.spec?.volumeName ?? '';
    await client.patch('PersistentVolume', undefined, volume, {spec: {persistentVolumeReclaimPolicy: 'Retain'}});
    await claimAway(cluster, 'data-pods-a');
    await makeClaim(cluster, 'data-pods-a');
    await start(cluster, {name: 'pods-a', node: 'other'});
    await running(cluster, 'pods-a');
    const now = await claimOf(cluster, 'data-pods-a');
    assert.notEqual(now?.metadata?.uid, claim?.metadata?.uid);
    assert.notEqual(now?.spec?.volumeName, volume);
    await away(cluster, 'pods-a');
    const kept = await client.get('PersistentVolume', undefined, volume);
    assert.ok(kept !== undefined && kept.metadata?.deletionTimestamp === undefined);
  },
});
