import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {loseNodesOf, others, podNames, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';

const storageClassName = 'anywhere';

/** Volumes that every node can mount: directories of the machine that all nodes of the lab see, without node affinity. */
async function makeVolumes(scenario: Scenario, directory: string): Promise<void> {
  for (const pod of podNames()) {
    await scenario.kube.create('persistentvolumes', {
      metadata: {name: `${scenario.namespace}-${pod}`},
      spec: {
        capacity: {storage: '1Gi'}, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', storageClassName,
        hostPath: {path: join(directory, pod), type: 'DirectoryOrCreate'}, claimRef: {namespace: scenario.namespace, name: `data-${pod}`},
      },
    });
  }
}

describe('Two nodes are gone, but their volumes can be attached to others', () => {
  e2e('nothing is forced while there is no node for them, and nothing is needed once there is', async (scenario) => {
    const directory = mkdtempSync(join(tmpdir(), 'e2e-volumes-'));
    try {
      await makeVolumes(scenario, directory);
      await scenario.addNodes(3);
      await scenario.startEtcd({storageClassName, antiAffinity: true});
      await scenario.startWriter();
      await loseNodesOf(scenario, others('etcd-0'));
      await untilNoLeader(scenario, 'etcd-0');
      await applyRecovery(scenario);
      const {status} = await untilReady(scenario, 'QuorumOfDataIntact');
      assert.equal(status?.phase, 'Blocked');
      assert.match(conditionOf(status, 'Ready')?.message ?? '', /can be attached to any node|was read from its disk/);
      assert.deepEqual(status.heldPods ?? [], []);
      await scenario.addNodes(2);
      // The pod garbage collector takes some 40 s until it lets go of the pods on deleted nodes.
      const ended = await untilComplete(scenario, 'NotNeeded', {mayBlock: true, seconds: 150});
      assert.equal(ended.status?.run?.force, undefined);
      const report = await scenario.stopWriter();
      await setUnchanged(scenario);
      await whole(scenario);
      await nothingLeft(scenario);
      await dataThere(scenario, report.acks);
    } finally {
      rmSync(directory, {recursive: true, force: true});
    }
  });
});
