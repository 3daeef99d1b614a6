import assert from 'node:assert/strict';
import {marks} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {untouched, fingerprint} from '../checks.ts';
import {directoryOf, labOf} from '../faults.ts';
import {twoNodesGone} from '../main-job.ts';
import {recovery} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

describe('What a run keeps on a volume', () => {
  e2e('is there until its time is over, and goes then beside the running member', async (scenario) => {
    const survivor = 'etcd-0';
    await twoNodesGone(scenario, {survivor, spec: {preserve: {retention: '60s'}}});
    const {status} = await recovery(scenario);
    const run = status?.run?.id ?? '';
    assert.deepEqual(status?.kept?.map(({pod}) => pod), ['etcd-0', 'etcd-1', 'etcd-2']);
    const directory = `/var/local/${await directoryOf(scenario, `data-${survivor}`)}/.quorumrecovery/${run}`;
    const node = await scenario.nodeOf(survivor);
    const listing = async (): Promise<string[]> => (await labOf(scenario).onNode(node, `ls -A ${directory}`)).split('\n').filter((name) => name !== '').sort();
    assert.ok((await listing()).includes('copy'), `the copy is not there: ${(await listing()).join(', ')}`);
    const before = await fingerprint(scenario);
    await until('nothing kept any more', async () => {
      const {status: now} = await recovery(scenario);
      return (now?.kept ?? []).length === 0 ? true : new Missing(`kept: ${now?.kept?.map(({pod}) => pod).join(', ') ?? ''}`);
    }, {seconds: 150});
    // The seal stays: a late force of that run would be refused by it.
    assert.deepEqual(await listing(), ['sealed']);
    await until('the end of the agents', async () => {
      const pods = await scenario.kube.list('pods', scenario.namespace, marks.helper);
      return pods.length === 0 ? true : new Missing(pods.map((pod) => pod.metadata?.name).join(', '));
    });
    await untouched(scenario, before);
    await scenario.healthy(3);
  }, {minutes: 8});
});
