import {e2e} from '../case.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import {loseNodesOf, others} from '../faults.ts';
import {applyRecovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('The survivor is crash-looping', () => {
  e2e('because its liveness probe asks for a quorum: it is the survivor all the same', async (scenario) => {
    await scenario.addNodes(4);
    // A probe that people write: /health fails without a leader, so that the kubelet ends a member that is well.
    const livenessProbe = {httpGet: {path: '/health', port: 8080}, periodSeconds: 2, failureThreshold: 3, initialDelaySeconds: 10, timeoutSeconds: 2};
    await scenario.startEtcd({livenessProbe});
    await scenario.startWriter();
    await loseNodesOf(scenario, others('etcd-1'));
    const loss = await lossSeenBy(scenario, 'etcd-1');
    await until('two restarts of etcd-1 by its liveness probe', async () => {
      const restarts = (await scenario.pod('etcd-1'))?.status?.containerStatuses?.[0]?.restartCount ?? 0;
      return restarts >= 2 ? true : new Missing(`${restarts} restarts`);
    }, {seconds: 150});
    await applyRecovery(scenario);
    await untilComplete(scenario, 'Recovered');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});
});
