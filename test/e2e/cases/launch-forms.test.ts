import {e2e} from '../case.ts';
import {twoNodesGone} from '../main-job.ts';

describe('How the template starts etcd', () => {
  e2e('settings in environment variables, etcd 3.5.35', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-1', etcd: {launch: 'environment', image: 'localhost/etcd:3.5.35'}});
  });
  e2e('a config file from a ConfigMap, etcd 3.7.3', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-2', etcd: {launch: 'config-file', image: 'localhost/etcd:3.7.3'}});
  });
  e2e('a script of sh -c', async (scenario) => {
    await twoNodesGone(scenario, {survivor: 'etcd-0', etcd: {launch: 'shell'}});
  }, {extended: true});
});
