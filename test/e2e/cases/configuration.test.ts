import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint, recovered, untouched} from '../checks.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, until} from '../wait.ts';

const survivor = 'etcd-0';
const servers = {name: 'servers', configMap: 'site', key: 'cluster_settings', format: 'Properties' as const, members: {at: 'servers'}, ignore: false};
const ifcs = {name: 'shared-ifcs', configMap: 'site', key: 'shared_ifcs.xml', format: 'XML' as const, ignore: false};

const settings = (pods: readonly string[]) => `# as the site's own tools write it\nservers=${pods.map((pod) => `${pod}.etcd:11211`).join(',')}\n`;

async function untilInconsistent(scenario: Scenario, words: RegExp): Promise<void> {
  await until(`Blocked with ${words.source}`, async () => {
    const {status} = await recovery(scenario);
    const ready = conditionOf(status, 'Ready');
    const stalled = conditionOf(status, 'Stalled');
    return stalled?.reason === 'ConfigurationInconsistent' && words.test(ready?.message ?? '') ? true : new Missing(standing(status));
  }, {seconds: 60});
}

describe('The configuration outside etcd is checked before the surgery', () => {
  e2e('one that is missing, does not parse or names other members blocks with nothing touched, and the run goes on once it is mended', async (scenario) => {
    const {kube, namespace} = scenario;
    const loss = await quorumLost(scenario, {survivor});
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {configuration: {checks: [servers, ifcs]}});
    await untilInconsistent(scenario, /there is no such ConfigMap/);
    await kube.create('configmaps', {metadata: {name: 'site', namespace}, data: {cluster_settings: settings(['etcd-0', 'etcd-1', 'etcd-7']), 'shared_ifcs.xml': '<SharedIFCsSets><SharedIFCsSet></SharedIFCsSets>'}});
    await untilInconsistent(scenario, /servers \(key cluster_settings of ConfigMap site\): does not name etcd-2; names etcd-7\.etcd, no pod of StatefulSet etcd; shared-ifcs .*is not well-formed XML \(line 1/);
    await untouched(scenario, before);
    await kube.patch('configmaps', namespace, 'site', {data: {cluster_settings: settings(['etcd-0', 'etcd-1', 'etcd-2']), 'shared_ifcs.xml': '<SharedIFCsSets><SharedIFCsSet/></SharedIFCsSets>'}});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true, seconds: 240});
    assert.deepEqual(status?.run?.plan?.configuration?.map(({name, state}) => [name, state]), [['servers', 'Consistent'], ['shared-ifcs', 'Consistent']]);
    await recovered(scenario, await scenario.stopWriter(), loss);
  });

  e2e('one that is inconsistent and ignored stands in the plan, whose hash covers it', async (scenario) => {
    const {kube, namespace} = scenario;
    const loss = await quorumLost(scenario, {survivor});
    await kube.create('configmaps', {metadata: {name: 'site', namespace}, data: {cluster_settings: settings(['10.0.0.1'])}});
    await applyRecovery(scenario, {approval: 'Required', configuration: {checks: [servers]}});
    await untilInconsistent(scenario, /does not name etcd-0, etcd-1, etcd-2; names 10\.0\.0\.1/);
    await changeRecovery(scenario, {configuration: {checks: [{...servers, ignore: true}]}});
    const {status} = await untilReady(scenario, 'AwaitingApproval');
    const plan = status?.run?.plan;
    assert.deepEqual(plan?.configuration?.map(({state}) => state), ['Ignored']);
    await changeRecovery(scenario, {approvedPlan: plan.hash});
    await untilComplete(scenario, 'Recovered', {mayBlock: true, seconds: 240});
    await recovered(scenario, await scenario.stopWriter(), loss);
  });
});
