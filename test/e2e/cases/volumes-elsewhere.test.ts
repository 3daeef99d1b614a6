import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {loseNodesOf, others, podNames, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {lineage, noForce, nothingForced, tellTimes, watched} from '../watched.ts';

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

/** With a directory of the machine for the volumes of one case. */
async function withVolumes(scenario: Scenario, act: () => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'e2e-volumes-'));
  try {
    await makeVolumes(scenario, directory);
    await act();
  } finally {
    rmSync(directory, {recursive: true, force: true});
  }
}

describe('Two nodes are gone, but their volumes can be attached to others', () => {
  e2e('nothing is forced while there is no node for them, and nothing is needed once there is', async (scenario) => {
    await withVolumes(scenario, async () => {
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
    });
  }, {extended: true});

  e2e('spot nodes that go while their network volumes live on: a hasty OnQuorumLoss forces nothing, and watches again once the pods run elsewhere', async (scenario) => {
    await withVolumes(scenario, async () => {
      await scenario.addNodes(5);
      await scenario.startEtcd({storageClassName, antiAffinity: true});
      await watched(scenario, {gracePeriod: '2s', cooldown: '1s'});
      const before = await lineage(scenario);
      await scenario.startWriter();
      await loseNodesOf(scenario, others('etcd-0'));
      const ended = Date.now();
      const suspectedAt = (await untilPhase(scenario, ['Suspected'], 40)).status?.suspicion?.since;
      const {status} = await untilReady(scenario, 'QuorumOfDataIntact', 60);
      assert.equal(status?.run?.trigger, 'OnQuorumLoss');
      assert.match(conditionOf(status, 'Ready')?.message ?? '', /can be attached to any node|was read from its disk/);
      assert.equal(await noForce(scenario), undefined);
      await nothingForced(scenario, before, 'the end of spot nodes');
      const report = await scenario.stopWriter();
      tellTimes(ended, suspectedAt, report);
      await setUnchanged(scenario);
      await whole(scenario);
      await nothingLeft(scenario);
      await dataThere(scenario, report.acks);
    });
  });
});
