import assert from 'node:assert/strict';
import {marks} from '../../src/api/types.ts';
import {isGone, podOf, running, story, withoutPlace} from './cluster.ts';
import type {Cluster} from './cluster.ts';
import {etcdPod, gatedSet, makeClaim} from './objects.ts';

const readyOf = async ({client}: Cluster, name: string): Promise<string | undefined> =>
  (await client.list('Node')).find(({metadata}) => metadata?.name === name)?.status?.conditions?.find(({type}) => type === 'Ready')?.status;

async function fenced(cluster: Cluster, name: string): Promise<void> {
  await cluster.until(`${name} deleted, Failed and kept`, async () => {
    const pod = await podOf(cluster, name);
    if (pod.metadata?.deletionTimestamp === undefined || pod.status?.phase !== 'Failed') throw new Error(JSON.stringify([pod.metadata?.deletionTimestamp, pod.status?.phase]));
    return true;
  }, 180);
  await cluster.client.patch('Pod', cluster.namespace, name, {metadata: {finalizers: null}});
  assert.ok(await isGone(cluster, name));
}

export const nodes = story({name: 'nodes', about: 'Nodes that are lost', of: 'Kubernetes', nodes: ['lost', 'silent']}, {
  'a node that does not answer is not Ready after a while, its pods stay as they are until their time is over': async (cluster) => {
    const set = gatedSet(cluster, 'nodes', {replicas: 1, claims: true});
    const {spec} = etcdPod(cluster, {name: 'nodes-0', node: 'lost'});
    if (set.spec && spec) set.spec.template = {metadata: {labels: {set: 'nodes'}}, spec: {...spec, volumes: []}};
    await cluster.make('StatefulSet', set);
    for (const name of ['nodes-gone', 'nodes-late', 'nodes-kept']) await makeClaim(cluster, `data-${name}`);
    await cluster.client.create('Pod', etcdPod(cluster, {name: 'nodes-gone', node: 'lost', finalizers: [marks.fence]}));
    await cluster.client.create('Pod', etcdPod(cluster, {name: 'nodes-late', node: 'silent', toleratesSeconds: 15}));
    await cluster.client.create('Pod', etcdPod(cluster, {name: 'nodes-kept', node: 'silent', toleratesSeconds: 15, finalizers: [marks.fence]}));
    for (const name of ['nodes-0', 'nodes-gone', 'nodes-late', 'nodes-kept']) await running(cluster, name);
    await cluster.endNode('lost');
    await cluster.endNode('silent');
    await cluster.deleteNode('lost');
    await cluster.until('NotReady', async () => (await readyOf(cluster, cluster.node('silent')) === 'Unknown' ? true : undefined), 120);
    const pod = await podOf(cluster, 'nodes-late');
    assert.deepEqual([pod.status?.phase, pod.metadata?.deletionTimestamp], ['Running', undefined]);
  },
  'no pod gets a place on it': async (cluster) => {
    await makeClaim(cluster, 'data-nodes-new');
    await cluster.client.create('Pod', etcdPod(cluster, {name: 'nodes-new', node: 'silent'}));
    await withoutPlace(cluster, 'nodes-new', 'Unschedulable');
  },
  'then its pods are deleted, and stay, because no kubelet ends them': async (cluster) => {
    for (const name of ['nodes-late', 'nodes-kept']) {
      await cluster.until(`the delete of ${name}`, async () => (await podOf(cluster, name)).metadata?.deletionTimestamp, 400);
    }
    await cluster.holds('a pod that nobody ends', 5, async () => {
      const pod = await podOf(cluster, 'nodes-late');
      assert.ok(pod.metadata?.deletionTimestamp);
      assert.equal(pod.status?.phase, 'Running');
    });
  },
  'the taint out-of-service lets deleted pods go; one with a finalizer has Failed, and stays until that goes': async (cluster) => {
    await cluster.takeOutOfService('silent');
    await cluster.until('the end of nodes-late', async () => await isGone(cluster, 'nodes-late'), 120);
    await fenced(cluster, 'nodes-kept');
  },
  'pods of a Node that is gone are collected; one with a finalizer has Failed, and stays until that goes': async (cluster) => {
    await fenced(cluster, 'nodes-gone');
  },
  'a set\'s pod is made anew, and finds no place: its volume is on a node that is gone': async (cluster) => {
    const pod = await withoutPlace(cluster, 'nodes-0', 'Unschedulable');
    assert.equal(pod.metadata?.deletionTimestamp, undefined);
  },
});
