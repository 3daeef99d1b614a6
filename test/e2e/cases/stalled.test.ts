import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {fingerprint, untouched} from '../checks.ts';
import {setName} from '../etcd.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';

/** Stalled with this reason, as `kubectl wait` and people see it, and nothing held. */
async function stalled(scenario: Scenario, reason: string, words: RegExp): Promise<void> {
  await untilReady(scenario, reason, 45);
  const {status} = await recovery(scenario);
  assert.equal(status?.phase, 'Stalled');
  assert.equal(conditionOf(status, 'Stalled')?.status, 'True');
  assert.match(conditionOf(status, 'Ready')?.message ?? '', words);
  assert.deepEqual(status.heldPods ?? [], []);
}

describe('A resource that cannot work is Stalled, with what is wrong and nothing touched', () => {
  e2e('where its StatefulSet does not exist, until it does', async (scenario) => {
    await applyRecovery(scenario);
    await stalled(scenario, 'StatefulSetNotFound', /there is no StatefulSet .*etcd/);
    await scenario.addNodes(3);
    await scenario.startEtcd({}, 100);
    await untilComplete(scenario, 'NotNeeded', {seconds: 60});
  }, {needsLab: false});

  e2e('where its StatefulSet runs something else', async (scenario) => {
    const labels = {app: setName};
    const container = {name: 'web', image: 'localhost/busybox:1', command: ['/bin/sleep', '3600']};
    await scenario.kube.create('statefulsets', {
      metadata: {name: setName, namespace: scenario.namespace},
      spec: {replicas: 1, serviceName: setName, selector: {matchLabels: labels}, template: {metadata: {labels}, spec: {terminationGracePeriodSeconds: 0, containers: [container]}}},
    });
    const before = JSON.stringify((await scenario.statefulSet()).spec);
    await applyRecovery(scenario);
    await stalled(scenario, 'NotEtcd', /etcd/);
    assert.equal(JSON.stringify((await scenario.statefulSet()).spec), before);
  }, {needsLab: false});

  e2e('where etcd refuses its client certificate, until it is the right one', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({tlsSecret: 'etcd-tls'}, 100);
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {target: {tls: {secretName: 'stranger-tls'} as never}});
    await stalled(scenario, 'CertificateRejected', /certificate/i);
    await untouched(scenario, before);
    await changeRecovery(scenario, {target: {tls: {secretName: 'etcd-client-tls'} as never}});
    await untilComplete(scenario, 'NotNeeded', {seconds: 60});
    await untouched(scenario, before);
  }, {needsLab: false});
});
