import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import type {V1CronJob} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {e2e} from '../case.ts';
import {nothingLeft, setUnchanged, whole} from '../checks.ts';
import {corruptVolume} from '../damage.ts';
import {shellImage} from '../etcd.ts';
import {podNames} from '../faults.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import type {SpecInput} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {storeClaim, withStore} from '../snapshots.ts';
import {Missing, until} from '../wait.ts';

/** A cluster that a resource has watched, whose members all lose their data at once. */
async function corruptAll(scenario: Scenario, replicas = 3): Promise<NonNullable<SpecInput['lostMembers']>> {
  await scenario.addNodes(3);
  await scenario.startEtcd({replicas});
  await applyRecovery(scenario);
  await untilComplete(scenario, 'NotNeeded');
  await untilWitness(scenario, replicas);
  const {status} = await recovery(scenario);
  await Promise.all(podNames(replicas).map(async (pod) => { await corruptVolume(scenario, pod); }));
  return (status?.members ?? []).map(({pod, memberID = ''}) => ({pod, memberID}));
}

function cronJob({namespace, nodeSelector}: Scenario, name: string, script: string): V1CronJob {
  const container = {name, image: shellImage, command: ['/bin/sh', '-c', script]};
  return {
    metadata: {name, namespace},
    spec: {schedule: '0 0 1 1 *', suspend: true, jobTemplate: {spec: {backoffLimit: 0, template: {spec: {...nodeSelector, restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container]}}}}},
  };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** As `etcdctl get --prefix -w json` prints it. */
const dumpOf = (entries: Record<string, string>): string =>
  JSON.stringify({header: {revision: 7}, kvs: Object.entries(entries).map(([key, value]) => ({key: base64(key), value: base64(value), version: 1})), count: Object.keys(entries).length});

async function approve(scenario: Scenario): Promise<QuorumRecovery> {
  const asked = await untilReady(scenario, 'AwaitingApproval');
  await changeRecovery(scenario, {approvedPlan: asked.status?.run?.plan?.hash ?? ''});
  return asked;
}

/** Every key is on every member with this value, and there are no others but those of this test. */
async function loaded(scenario: Scenario, expected: Record<string, string>): Promise<void> {
  for (const member of await scenario.members()) {
    const found: Record<string, string | undefined> = {};
    for (const key of Object.keys(expected)) found[key] = (await scenario.tool.get(member, key, {serializable: true})).value;
    assert.deepEqual(found, expected, `on ${member.pod}`);
  }
}

describe('The data of all members is corrupt, and the truth is outside etcd', () => {
  e2e('of five, a new cluster begins on three, is loaded from a ConfigMap, a Secret, a Job and a dump, checked, then the dependents come back, and the others join', async (scenario) => {
    const {kube, namespace} = scenario;
    const template = {metadata: {labels: {app: 'api'}}, spec: {...scenario.nodeSelector, terminationGracePeriodSeconds: 1, containers: [{name: 'api', image: 'localhost/busybox:1', command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done']}]}};
    await kube.create('deployments', {metadata: {name: 'api', namespace}, spec: {replicas: 2, selector: {matchLabels: {app: 'api'}}, template}});
    await kube.create('configmaps', {metadata: {name: 'site', namespace}, data: {shared_config: 'home_domain=example.com\n', 'enum.json': '{"number_blocks": []}', 'shared_ifcs.xml': '<SharedIFCsSets/>'}});
    await kube.create('secrets', {metadata: {name: 'site-secret', namespace}, data: {password: base64('geheim')}});
    await kube.create('configmaps', {metadata: {name: 'dump', namespace}, data: {'queue.json': dumpOf({'/queue/one': 'eins', '/queue/two': 'zwei\nzeilen'})}});
    await kube.create('cronjobs', cronJob(scenario, 'load-chronos', 'etcdctl put /chronos/cluster "etcd-0,etcd-1,etcd-2"'));
    await kube.create('cronjobs', cronJob(scenario, 'check-cluster-state', 'test "$(etcdctl get --print-value-only /chronos/cluster)" = "etcd-0,etcd-1,etcd-2"'));
    const lostMembers = await corruptAll(scenario, 5);
    await changeRecovery(scenario, {
      strategy: 'RebuildFromConfig', approval: 'Required', trigger: {request: 'rebuild'}, lostMembers, dependents: [{kind: 'Deployment', name: 'api'}],
      rebuild: {
        sources: [
          {name: 'shared', configMap: 'site', keyPrefix: '/clearwater/site1/', dump: false}, {name: 'password', secret: 'site-secret', field: 'password', key: '/clearwater/password', dump: false},
          {name: 'chronos', cronJob: 'load-chronos', dump: false}, {name: 'queue', configMap: 'dump', dump: true},
        ],
        checks: [
          {name: 'in-sync', sources: ['shared', 'password', 'queue']}, {name: 'enum', keys: ['/clearwater/site1/enum.json'], format: 'JSON'},
          {name: 'ifcs', keys: ['/clearwater/site1/shared_ifcs.xml'], format: 'XML'}, {name: 'cluster-state', cronJob: 'check-cluster-state'},
        ],
      },
    });
    const asked = await approve(scenario);
    const plan = asked.status?.run?.plan;
    assert.equal(plan?.strategy, 'RebuildFromConfig');
    assert.deepEqual(plan.first, ['etcd-0', 'etcd-1', 'etcd-2']);
    assert.ok(plan.notes.some((note) => note.startsWith('etcd-0, etcd-1, etcd-2 begin the new cluster, and etcd-3, etcd-4 join it as learners')), plan.notes.join('\n'));
    assert.match(plan.expectedLoss, /^everything that is not in the sources shared \(ConfigMap site, 3 keys\), password \(Secret site-secret, 1 key\), chronos \(CronJob load-chronos\), queue \(ConfigMap dump, 2 keys\)/);
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 300, mayBlock: true, request: 'rebuild', leaving: 'NotNeeded'});
    const {rebuild, dependents = [], newCluster} = status?.run ?? {};
    assert.deepEqual(rebuild?.sources.map(({name, state, keys}) => [name, state, keys]), [['shared', 'Loaded', 3], ['password', 'Loaded', 1], ['chronos', 'Loaded', undefined], ['queue', 'Loaded', 2]]);
    assert.deepEqual(rebuild.checks.map(({name, state}) => [name, state]), [['in-sync', 'Passed'], ['enum', 'Passed'], ['ifcs', 'Passed'], ['cluster-state', 'Passed']]);
    const checkedAt = rebuild.checks.map(({finishedAt = ''}) => finishedAt).sort().at(-1) ?? '';
    assert.ok(dependents.every(({state, returnedAt = ''}) => state === 'Returned' && returnedAt >= checkedAt), `a dependent came back before the checks had passed: ${JSON.stringify(dependents)}`);
    assert.notEqual(newCluster?.clusterID, status?.history?.[0]?.id);
    assert.deepEqual(newCluster?.members, ['etcd-0', 'etcd-1', 'etcd-2']);
    const steps = status?.run?.steps ?? [];
    assert.deepEqual(steps.filter(({name}) => name === 'Check' || name.startsWith('Join ')).map(({name, state}) => `${name} ${state}`), ['Check Done', 'Join etcd-3 Done', 'Join etcd-4 Done']);
    assert.doesNotMatch(JSON.stringify(status), /geheim|home_domain|Z2VoZWlt/, 'a value stands in the status');
    assert.equal(conditionOf(status, 'DataLossPossible')?.reason, 'RebuiltFromSources');
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    await loaded(scenario, {
      '/clearwater/site1/shared_config': 'home_domain=example.com\n', '/clearwater/site1/enum.json': '{"number_blocks": []}', '/clearwater/site1/shared_ifcs.xml': '<SharedIFCsSets/>',
      '/clearwater/password': 'geheim', '/chronos/cluster': 'etcd-0,etcd-1,etcd-2', '/queue/one': 'eins', '/queue/two': 'zwei\nzeilen',
    });
    assert.equal((await kube.get('deployments', namespace, 'api'))?.spec?.replicas, 2);
  }, {minutes: 10});

  e2e('the operator is killed in mid-load, also of a dump on a claim, and a check that fails blocks by its name until it is mended: it ends the same', async (scenario) => { await withStore(scenario, async (store) => {
    const {kube, namespace} = scenario;
    const many = Object.fromEntries(Array.from({length: 4000}, (_, n) => [`/many/${n}`, `value ${n} ${'x'.repeat(40)}`]));
    await kube.create('configmaps', {metadata: {name: 'dump', namespace}, data: {'many.json': dumpOf(many)}});
    // More than a ConfigMap holds.
    writeFileSync(store.file('large.json'), Array.from({length: 20_000}, (_, n) => JSON.stringify({key: base64(`/large/${n}`), value: base64(`value ${n} ${'x'.repeat(40)}`)})).join('\n'));
    await kube.create('cronjobs', cronJob(scenario, 'load-slowly', 'etcdctl put /slow/1 a && sleep 6 && etcdctl put /slow/2 b'));
    await kube.create('cronjobs', cronJob(scenario, 'check-state', 'echo the state is not good; exit 3'));
    const lostMembers = await corruptAll(scenario);
    let current = await leader(scenario);
    await changeRecovery(scenario, {
      strategy: 'RebuildFromConfig', approval: 'Required', trigger: {request: 'rebuild'}, lostMembers,
      rebuild: {sources: [{name: 'slowly', cronJob: 'load-slowly', dump: false}, {name: 'many', configMap: 'dump', dump: true}, {name: 'large', claim: storeClaim, path: 'large.json', dump: true}], checks: [{name: 'state', cronJob: 'check-state'}, {name: 'in-sync', sources: ['many', 'large']}]},
    });
    const asked = await approve(scenario);
    assert.deepEqual(asked.status?.run?.plan?.rebuild?.at(-1), {name: 'large', from: `file large.json of claim ${storeClaim}`, keys: 20_000});
    const killed: string[] = [];
    await until('the check that fails', async () => {
      const {status} = await recovery(scenario);
      const loading = status?.run?.rebuild?.sources.find(({state}) => state === 'Loading')?.name;
      if (loading !== undefined && !killed.includes(loading)) {
        killOperator(current);
        killed.push(loading);
        current = await until('another step after the kill', async () => {
          const now = await recovery(scenario);
          const still = now.status?.run?.rebuild?.sources.find(({state}) => state === 'Loading')?.name;
          return still === loading ? undefined : await leader(scenario);
        }, {seconds: 120, every: 20});
      }
      const ready = conditionOf(status, 'Ready');
      return ready?.reason === 'CheckFailed' && /check state: Job etcd-check-\w+ failed/.test(ready.message) ? true : new Missing(standing(status));
    }, {seconds: 300, every: 10});
    assert.ok(killed.includes('slowly'), `killed in ${killed.join(', ')}`);
    await kube.patch('cronjobs', namespace, 'check-state', {spec: cronJob(scenario, 'check-state', 'etcdctl get /slow/2 | grep b').spec});
    const {status} = await untilComplete(scenario, 'Recovered', {seconds: 300, mayBlock: true, request: 'rebuild', leaving: 'NotNeeded'});
    assert.equal(status?.run?.attempt, 2, 'it took more than one run');
    assert.deepEqual(status.run.rebuild?.sources.map(({name, state, keys}) => [name, state, keys]), [['slowly', 'Loaded', undefined], ['many', 'Loaded', 4000], ['large', 'Loaded', 20_000]]);
    assert.doesNotMatch(JSON.stringify(status), /value 7 x|dmFsdWUg/, 'a value stands in the status');
    await setUnchanged(scenario);
    await whole(scenario);
    await nothingLeft(scenario);
    await loaded(scenario, {'/slow/1': 'a', '/slow/2': 'b', '/many/0': many['/many/0'] ?? '', '/many/3999': many['/many/3999'] ?? '', '/large/0': `value 0 ${'x'.repeat(40)}`, '/large/19999': `value 19999 ${'x'.repeat(40)}`});
  }); }, {minutes: 12, ownOperator: true});
});
