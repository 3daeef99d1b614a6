import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {twoNodesGone} from '../main-job.ts';
import {recovery} from '../recovery.ts';
import {until} from '../wait.ts';

describe('What stands around etcd in the template', () => {
  e2e('TLS between members and towards clients', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-0', etcd: {tlsSecret: 'etcd-tls'}, spec: {target: {tls: {secretName: 'etcd-client-tls'} as never}}});
  });

  e2e('a WAL on a claim of its own, a sidecar and an init container, and a user without rights: own pods have them, helper pods do not', async (scenario) => {
    const busybox = 'localhost/busybox:1';
    const helpers = new Map<string, string[]>();
    const own = await (async () => {
      await twoNodesGone(scenario, {
        survivor: 'etcd-1',
        etcd: {
          wal: 'claim',
          podSecurityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: 'RuntimeDefault'}},
          initContainers: [{name: 'first', image: busybox, command: ['/bin/true']}],
          sidecars: [{name: 'beside', image: busybox, command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done']}],
        },
        meanwhile: async () => {
          await until('the end of the run', async () => {
            for (const pod of await scenario.kube.list('pods', scenario.namespace, marks.helper)) {
              helpers.set(pod.metadata?.name ?? '', (pod.spec?.containers ?? []).map((container) => container.name));
            }
            return (await recovery(scenario)).status?.run?.finishedAt;
          }, {seconds: 180});
        },
      });
      return await scenario.pods();
    })();
    for (const pod of own) {
      assert.deepEqual(pod.spec?.containers.map((container) => container.name), ['etcd', 'beside']);
      assert.ok(pod.spec.initContainers?.some((container) => container.name === 'first'));
      assert.equal(pod.spec.securityContext?.runAsUser, 65532);
    }
    assert.ok(helpers.size > 0, 'no helper pod was seen');
    for (const [name, containers] of helpers) assert.ok(!containers.includes('beside'), `${name} has the sidecar`);
  });
});
