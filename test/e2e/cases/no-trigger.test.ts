import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {podNames} from '../faults.ts';
import {changeRecovery, conditionOf, recovery, standing, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {limitWrites, ownDisks} from '../slow-disk.ts';
import {Missing, holds, until} from '../wait.ts';
import {lineage, noForce, nothingForced, tellTimes, watched} from '../watched.ts';
import type {Lineage} from '../watched.ts';

/** Shorter than anybody would choose: what a run would do is to be seen. */
const hasty = {gracePeriod: '2s', cooldown: '1s'};

/** The cluster is the old one with all that it ever acknowledged, and nothing is left of what was tried. */
async function asBefore(scenario: Scenario, before: Lineage, what: string, told: {ended: number; suspectedAt: string | undefined}): Promise<void> {
  await nothingForced(scenario, before, what);
  const report = await scenario.stopWriter();
  tellTimes(told.ended, told.suspectedAt, report);
  await setUnchanged(scenario);
  await whole(scenario);
  await nothingLeft(scenario);
  await dataThere(scenario, report.acks);
}

describe('A standing QuorumRecovery with a hasty OnQuorumLoss', () => {
  e2e('forces nothing where the peers\' certificates have expired, names that as the cause, and watches again once they are renewed', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd({tlsSecret: 'etcd-tls', peerSecret: 'etcd-peer-tls'});
    await watched(scenario, hasty, {target: {tls: {secretName: 'etcd-client-tls'} as never}});
    const before = await lineage(scenario);
    await scenario.startWriter();
    const {peer, expiredPeer} = await scenario.certificates();
    // Connections that stand outlive their certificate: the loss comes with the next restart.
    const restartWith = async ({stringData}: typeof peer): Promise<void> => {
      await scenario.kube.patch('secrets', scenario.namespace, 'etcd-peer-tls', {stringData});
      for (const pod of await scenario.pods()) await scenario.kube.delete('pods', scenario.namespace, pod.metadata?.name ?? '');
    };
    await restartWith(expiredPeer);
    const ended = Date.now();
    const suspicion = await until('a suspicion that names the cause', async () => {
      const {status} = await recovery(scenario);
      return /certificate has expired/.test(status?.suspicion?.etcd ?? '') ? status?.suspicion : new Missing(status?.suspicion?.etcd ?? standing(status));
    }, {seconds: 60});
    console.log(`      ${suspicion.etcd}`);
    await holds('the resource does not act', 6, async () => await noForce(scenario));

    await changeRecovery(scenario, {trigger: {request: 'by hand'}});
    await until('a run that is Blocked, and names the cause', async () => {
      const {status} = await untilReady(scenario, 'QuorumOfDataIntact', 60);
      const message = conditionOf(status, 'Ready')?.message ?? '';
      return /certificate has expired/.test(message) ? true : new Missing(message);
    }, {seconds: 60});
    await restartWith(peer);
    await asBefore(scenario, before, 'expired peer certificates', {ended, suspectedAt: suspicion.since});
  }, {minutes: 8});

  e2e('forces nothing where disks are so slow that etcd loses its leader again and again', async (scenario) => {
    const devices = await ownDisks(scenario, await scenario.addNodes(3));
    // Kubernetes is to agree that the quorum is lost.
    await scenario.startEtcd({readinessProbe: {httpGet: {path: '/readyz', port: 8080}, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 1}});
    await watched(scenario, hasty);
    const before = await lineage(scenario);
    await scenario.startWriter();
    // A leader whose followers wait for their disks steps down, and each vote waits for a disk again. One that waits itself counts no time.
    const {leader} = await scenario.etcdStatus('etcd-0');
    const statuses = await Promise.all(podNames().map(async (pod) => ({pod, ...await scenario.etcdStatus(pod)})));
    const slow = statuses.filter(({memberID}) => memberID !== leader).map(({pod}) => pod);
    await limitWrites(scenario, devices, slow, 1);
    const ended = Date.now();
    let suspectedAt: string | undefined;
    try {
      suspectedAt = (await untilPhase(scenario, ['Suspected'], 60)).status?.suspicion?.since;
      await holds('the resource does not act', 15, async () => await noForce(scenario));
    } finally {
      await limitWrites(scenario, devices, slow, 0);
    }
    await asBefore(scenario, before, 'slow disks', {ended, suspectedAt});
    const {raftTerm} = await lineage(scenario);
    assert.ok(raftTerm > before.raftTerm, `no leader was lost: the term is still ${raftTerm}`);
    console.log(`      the term went from ${before.raftTerm} to ${raftTerm}`);
  }, {minutes: 8});
});
