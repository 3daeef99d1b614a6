import {e2e} from '../case.ts';
import {twoNodesGone} from '../main-job.ts';
import {manyKeys} from '../scenario.ts';

describe('Two of three nodes are ended and deleted', () => {
  e2e('etcd-0 survives: the cluster comes back whole, with every write that etcd-0 knew as committed', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-0', keys: manyKeys, nodes: 5});
  });
  e2e('etcd-1 survives, in a StatefulSet that starts its pods in order', async (scenario) => {
    // The first member has to be Ready before there can be a second: with /readyz such a set would never come up.
    const readinessProbe = {tcpSocket: {port: 2380}, periodSeconds: 2};
    await twoNodesGone(scenario, {survivor: 'etcd-1', etcd: {podManagementPolicy: 'OrderedReady', readinessProbe}});
  });
  e2e('etcd-2 survives', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-2'});
  }, {extended: true});
});
