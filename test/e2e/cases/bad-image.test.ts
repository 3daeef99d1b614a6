import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, whole} from '../checks.ts';
import {defaultImage, etcdSet, setName} from '../etcd.ts';
import {untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const badImage = 'localhost/etcd:no-such-version';

async function rollTo(scenario: Scenario, image: string): Promise<void> {
  const {template} = etcdSet(scenario.namespace, {...scenario.nodeSelector, image}).spec ?? {};
  await scenario.kube.patch('statefulsets', scenario.namespace, setName, {spec: {template}});
  for (const pod of ['etcd-1', 'etcd-2']) await scenario.kube.delete('pods', scenario.namespace, pod);
}

describe('A bad image was rolled out to two of three pods', () => {
  e2e('nothing is forced, the image is named as the cause, and with the image repaired nothing is needed', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({updateStrategy: 'OnDelete'});
    await scenario.startWriter();
    const survivor = await scenario.pod('etcd-0');
    await rollTo(scenario, badImage);
    await until('two pods that cannot pull their image', async () => {
      const pods = (await scenario.pods()).filter((pod) => /Image/.test(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''));
      return pods.length === 2 ? true : new Missing(`${pods.length} of them`);
    });
    await untilNoLeader(scenario, 'etcd-0');
    await applyRecovery(scenario);
    const {status} = await untilReady(scenario, 'QuorumOfDataIntact');
    assert.equal(status?.phase, 'Blocked');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /etcd-[12]: container etcd: \w*Image\w*/);
    assert.deepEqual(status.heldPods ?? [], []);
    assert.equal((await scenario.pod('etcd-0'))?.metadata?.uid, survivor?.metadata?.uid);
    await rollTo(scenario, defaultImage);
    const ended = await untilComplete(scenario, 'NotNeeded', {mayBlock: true});
    assert.equal(ended.status?.run?.force, undefined);
    const report = await scenario.stopWriter();
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, report.acks);
  }, {needsLab: false, extended: true});
});
