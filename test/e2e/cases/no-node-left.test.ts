import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {dataThere, recovered, required} from '../checks.ts';
import {labOf, others} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, conditionOf, recovery, standing, untilComplete} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

describe('There is no node left for one member', () => {
  e2e('the cluster is Degraded and verified, and the member joins by itself when a node is added', async (scenario) => {
    const loss = await quorumLost(scenario, {survivor: 'etcd-0', etcd: {antiAffinity: true}});
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'Degraded');
    assert.equal(conditionOf(status, 'Degraded')?.status, 'True');
    assert.equal(status?.heldPods?.length, 1, 'the name of the waiting member is not held');
    const {members} = await scenario.tool.members(await scenario.member('etcd-0'));
    assert.equal(members.filter((member) => !member.isLearner).length, 2);
    const half = await scenario.writerReport();
    await dataThere(scenario, required(half, loss));
    await scenario.addNodes(1);
    const ended = await untilComplete(scenario, 'Recovered', {leaving: 'Degraded'});
    assert.equal(conditionOf(ended.status, 'Degraded'), undefined);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});
});

/** A quota that is full: whoever makes pods in the namespace has to wait until it goes. */
async function whileNoPodIsMade(scenario: Scenario, act: () => Promise<void>): Promise<void> {
  const {namespace} = scenario;
  const lab = labOf(scenario);
  const quota = ['quota', 'full', '--namespace', namespace];
  await lab.kubectl(['create', ...quota, '--hard=pods=1']);
  await until('a pod that the quota refuses', async () => {
    const words = await lab.kubectl(['run', 'trial', '--image=localhost/busybox:1', '--dry-run=server', '--namespace', namespace]).then(() => '', (error: unknown) => String(error));
    return /quota/.test(words) ? true : new Missing(words === '' ? 'it would be made' : words);
  });
  try {
    await act();
  } finally {
    await lab.kubectl(['delete', ...quota]);
  }
}

/** The pod of these that waits for a node which another of the set's is on; the others of them have theirs. */
async function withoutPlace(scenario: Scenario, pods: readonly string[]): Promise<string> {
  return await until(`a joiner that no node takes, of ${pods.join(', ')}`, async () => {
    const [found, ...more] = (await scenario.pods()).filter(({metadata, spec}) => pods.includes(metadata?.name ?? '') && spec?.nodeName === undefined);
    const isJoiner = found?.metadata?.annotations?.[marks.cluster] !== undefined;
    const apart = found?.status?.conditions?.some(({type, reason, message}) => type === 'PodScheduled' && reason === 'Unschedulable' && /anti-affinity/.test(message ?? ''));
    return isJoiner && apart === true && more.length === 0 ? found.metadata?.name : undefined;
  }, {seconds: 120, every: 50});
}

describe('A member that joins takes the only node that the survivor can run on', () => {
  e2e('somebody had deleted the survivor\'s pod by force: the member gives the place back before it is in any list, and joins on another node, with a volume there', async (scenario) => {
    const {kube, namespace} = scenario;
    const survivor = 'etcd-0';
    const loss = await quorumLost(scenario, {survivor, etcd: {antiAffinity: true}});
    await applyRecovery(scenario);
    const joiner = await withoutPlace(scenario, others(survivor));
    const node = await scenario.nodeOf(survivor);
    const before = (await scenario.pod(survivor))?.metadata?.uid;
    const volumes = async () => (await kube.get('persistentvolumeclaims', namespace, `data-${joiner}`))?.metadata?.uid;
    const tied = await volumes();
    await whileNoPodIsMade(scenario, async () => {
      await kube.delete('pods', namespace, survivor, 0);
      await until(`${joiner} on the node of ${survivor}`, async () => ((await scenario.pod(joiner))?.spec?.nodeName === node ? true : undefined), {seconds: 60, every: 50});
    });
    await until(`${survivor} on its node again`, async () => {
      const pod = await scenario.pod(survivor);
      return pod?.spec?.nodeName === node && pod.metadata?.uid !== before ? true : new Missing(standing((await recovery(scenario)).status));
    }, {seconds: 120});
    const {status} = await untilComplete(scenario, 'Degraded', {mayBlock: true});
    assert.equal(status?.run?.attempt, 1, 'it took more than one run');
    assert.deepEqual(status.heldPods, [joiner]);
    const join = status.run.joins?.find(({pod}) => pod === joiner);
    assert.ok(join?.replacedClaims?.includes(tied ?? ''), `the claim on ${node} is not to be made anew: ${JSON.stringify(join)}`);
    await dataThere(scenario, required(await scenario.writerReport(), loss));
    const [fresh] = await scenario.addNodes(1);
    await untilComplete(scenario, 'Recovered', {leaving: 'Degraded', mayBlock: true});
    assert.deepEqual([await scenario.nodeOf(survivor), await scenario.nodeOf(joiner)], [node, fresh]);
    assert.notEqual(await volumes(), tied, 'its volume is still on the node of the survivor');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, extended: true});
});
