import {existsSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {V1Container} from '@kubernetes/client-node';
import {deleteNodes, directoryOf, endNodesOf, labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';
import {Missing, until} from './wait.ts';

/** A file that keeps the pod's init container, and with it etcd, from starting. */
const gate = 'wait';

/** In the template of an etcd whose disks are to be changed between two starts. */
export const gateContainer: V1Container = {
  name: 'gate', image: 'localhost/busybox:1', command: ['/bin/sh', '-c', `while [ -e /data/${gate} ]; do sleep 1; done`], volumeMounts: [{name: 'data', mountPath: '/data'}],
};

/**
 * All machines lose their power; the disks of some come back, each as `change` made it, and no etcd has started on them yet.
 * @param change is given the WAL's directory of each pod that comes back
 */
export async function powerFailure(scenario: Scenario, survivors: readonly string[], lost: readonly string[], change: (pod: string, wal: string) => void): Promise<void> {
  const lab = labOf(scenario);
  const nodes = await Promise.all(survivors.map(async (pod) => await scenario.nodeOf(pod)));
  const [gone] = await Promise.all([endNodesOf(scenario, lost), endNodesOf(scenario, survivors)]);
  for (const [index, pod] of survivors.entries()) {
    const data = join(lab.disk(nodes[index] ?? ''), await directoryOf(scenario, `data-${pod}`));
    change(pod, join(data, 'wal'));
    writeFileSync(join(data, gate), '');
  }
  await deleteNodes(scenario, gone);
  await Promise.all(nodes.map(async (node) => { await lab.startNode(node); }));
}

/** Keeps the etcd of these pods from starting on volumes that do not exist yet, from the moment in which they do: long before their pods may start. */
export async function closeGates(scenario: Scenario, pods: readonly string[]): Promise<void> {
  const lab = labOf(scenario);
  await Promise.all(pods.map(async (pod) => {
    await until(`a volume for ${pod} on a node that runs`, async () => {
      const volume = await directoryOf(scenario, `data-${pod}`);
      const node = volume === '' ? undefined : lab.nodes().find(({name, running}) => running && existsSync(join(lab.disk(name), volume)));
      if (node === undefined) return new Missing(volume === '' ? 'its claim has none' : `${volume} is on none of them`);
      writeFileSync(join(lab.disk(node.name), volume, gate), '');
      return true;
    }, {seconds: 180, every: 50});
  }));
}

/** Their pods have nodes, and stand before the gate. */
export async function untilAtGate(scenario: Scenario, pods: readonly string[]): Promise<void> {
  await until(`${pods.join(', ')} before the gate`, async () => {
    const found = await Promise.all(pods.map(async (pod) => await scenario.pod(pod)));
    const away = found.filter((pod) => pod?.status?.initContainerStatuses?.some(({name, state}) => name === gateContainer.name && state?.running !== undefined) !== true);
    return away.length === 0 ? true : new Missing(`${away.length} are not`);
  }, {seconds: 120, every: 50});
}

/** Lets the etcd of these pods start, wherever their disks are. */
export async function openGates(scenario: Scenario, pods: readonly string[]): Promise<void> {
  const lab = labOf(scenario);
  for (const pod of pods) {
    const volume = await directoryOf(scenario, `data-${pod}`);
    for (const node of lab.nodes()) rmSync(join(lab.disk(node.name), volume, gate), {force: true});
  }
}
