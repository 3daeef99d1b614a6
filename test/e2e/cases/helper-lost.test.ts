import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, recovered, required, setUnchanged, whole} from '../checks.ts';
import {forcedStart, labOf, processesOf, signalPod, stoppedAgent} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {starve} from '../memory.ts';
import {applyRecovery, changeRecovery, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {until} from '../wait.ts';

const forced = '--force-new-cluster';

/** The node of an agent that has not done its work ends, and comes back. */
async function endNodeOfAgent(scenario: Scenario, step: string): Promise<void> {
  const lab = labOf(scenario);
  const node = (await stoppedAgent(scenario, step)).spec?.nodeName ?? '';
  await lab.endNode(node);
  await delay(2_000);
  await lab.startNode(node);
}

describe('A helper pod is lost in the middle of a run', () => {
  e2e('the kernel kills the forced etcd for want of memory: it is forced once more, and nothing is lost', async (scenario) => {
    const survivor = 'etcd-0';
    const loss = await quorumLost(scenario, {survivor});
    await applyRecovery(scenario);
    const pod = await forcedStart(scenario);
    signalPod(pod, forced, 'SIGSTOP');
    for (const pid of processesOf(pod, forced)) starve(pid);
    signalPod(pod, forced, 'SIGCONT');
    await until('the kubelet\'s word of it', async () => {
      const now = await scenario.kube.get('pods', scenario.namespace, pod.metadata?.name ?? '');
      const terminated = now?.metadata?.uid === pod.metadata?.uid ? now?.status?.containerStatuses?.[0]?.state?.terminated : undefined;
      if (terminated !== undefined) assert.deepEqual([terminated.reason, terminated.exitCode], ['OOMKilled', 137]);
      return terminated;
    }, {seconds: 30, every: 20});
    const {status} = await untilComplete(scenario, 'Recovered');
    assert.equal(status?.run?.force?.attempt, 2);
    assert.equal(status.run.attempt, 1, 'it took more than one run');
    assert.equal(status.dataLoss?.discardedEntries, 0);
    await recovered(scenario, await scenario.stopWriter(), loss);
  });

  e2e('the nodes of agents that inspect and set aside end and come back: the run goes on', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-0', lost: ['etcd-1', 'etcd-2', 'etcd-4'], nodes: 7, etcd: {replicas: 5}});
    await applyRecovery(scenario);
    await endNodeOfAgent(scenario, 'InspectHeld');
    await endNodeOfAgent(scenario, 'Decommission');
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 300, mayBlock: true});
    assert.equal(status?.run?.attempt, 1, 'it took more than one run');
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    await dataThere(scenario, required(report, loss));
  }, {minutes: 9, extended: true});

  e2e('the forced start is deleted before it has a node: it is made anew, and goes on once a node takes it', async (scenario) => {
    const {kube, namespace} = scenario;
    const survivor = 'etcd-1';
    const loss = await quorumLost(scenario, {survivor});
    const node = await scenario.nodeOf(survivor);
    // No snapshot: its pod too would wait for the node.
    await applyRecovery(scenario, {approval: 'Required', preserve: {mode: 'Skip'}});
    const {status: asked} = await untilReady(scenario, 'AwaitingApproval');
    await kube.patch('nodes', '', node, {spec: {unschedulable: true}});
    await changeRecovery(scenario, {approvedPlan: asked?.run?.plan?.hash ?? ''});
    const refused = await until('a forced start that no node takes', async () => {
      const [pod] = await kube.list('pods', namespace, `${marks.helper}=Force`);
      return pod?.status?.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.status === 'False') ? pod : undefined;
    }, {seconds: 60, every: 50});
    assert.equal(refused.spec?.nodeName, undefined);
    await kube.delete('pods', namespace, refused.metadata?.name ?? '');
    await until('another in its place', async () => {
      const [pod] = await kube.list('pods', namespace, `${marks.helper}=Force`);
      return pod !== undefined && pod.metadata?.uid !== refused.metadata?.uid && pod.metadata?.deletionTimestamp === undefined ? true : undefined;
    }, {seconds: 60});
    await kube.patch('nodes', '', node, {spec: {unschedulable: null}});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.equal(status?.run?.attempt, 1, 'it took more than one run');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {extended: true});
});
