import assert from 'node:assert/strict';
import type {V1Container, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {run} from '../../../src/cli/commands/doctor.ts';
import type {Finding} from '../../../src/cli/doctor/finding.ts';
import {holdBinding, holdPolicy} from '../../../src/generate/policy.ts';
import {newSet} from '../decide/observations.ts';
import {at, FakeApi, FakeWorld, holding, invoke, resourceOf, runOf} from './fake.ts';

const operatorLabels = {'app.kubernetes.io/name': 'quorum-recovery-operator'};

/** A set that is as it should be. */
function goodSet(): V1StatefulSet {
  const set = newSet(3, {podManagementPolicy: 'Parallel'});
  const [container] = set.spec?.template.spec?.containers ?? [];
  if (container) container.livenessProbe = {httpGet: {path: '/livez', port: 2381}};
  Object.assign(set.spec?.template.spec ?? {}, {affinity: {podAntiAffinity: {}}});
  return set;
}

const pod = (ordinal: number): V1Pod => ({
  metadata: {name: `etcd-${ordinal}`, namespace: 'db', labels: {'app': 'etcd', 'controller-revision-hash': 'rev-1'}, ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: 'set-uid'}]},
  spec: {containers: [], nodeName: `n${ordinal}`},
});

/** Everything well: what a case breaks is found, and nothing else. */
function clusterOf(set = goodSet()): FakeApi {
  const api = new FakeApi();
  api.seed('StatefulSet', set);
  api.seed('ValidatingAdmissionPolicy', structuredClone(holdPolicy));
  api.seed('ValidatingAdmissionPolicyBinding', structuredClone(holdBinding));
  api.seed('Deployment', {metadata: {name: 'operator', namespace: 'system', labels: operatorLabels}, status: {readyReplicas: 2}});
  api.seed('Service', {metadata: {name: 'etcd', namespace: 'db'}, spec: {publishNotReadyAddresses: true}});
  for (const ordinal of [0, 1, 2]) {
    api.seed('Pod', pod(ordinal));
    api.seed('PersistentVolumeClaim', {metadata: {name: `data-etcd-${ordinal}`, namespace: 'db'}, spec: {volumeName: `pv-${ordinal}`}});
    api.seed('PersistentVolume', {metadata: {name: `pv-${ordinal}`}, spec: {persistentVolumeReclaimPolicy: 'Retain'}});
    api.rawAnswers.set(`/api/v1/nodes/n${ordinal}/proxy/stats/summary`, {pods: [{volume: [{pvcRef: {name: `data-etcd-${ordinal}`, namespace: 'db'}, capacityBytes: 100 << 20, usedBytes: 10 << 20, availableBytes: 90 << 20}]}]});
  }
  for (const name of ['n0', 'n1', 'n2', 'n3']) api.seed('Node', {metadata: {name}, status: {conditions: [{type: 'Ready', status: 'True'}]}});
  api.seed('QuorumRecovery', resourceOf(holding({run: undefined, lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at(30), members: []}})));
  return api;
}

async function examine(api: FakeApi): Promise<{code: number; findings: Finding[]; bad: string[]}> {
  const world = new FakeWorld(api);
  const code = await run(invoke(['etcd'], {output: 'json'}), world);
  const findings = (JSON.parse(world.text) as {findings: Finding[]}[]).flatMap((part) => part.findings);
  return {code, findings, bad: findings.filter(({level}) => level !== 'ok').map(({area, level}) => `${area}: ${level}`)};
}

/** What is found when the set is changed. */
const changed = async (change: (set: V1StatefulSet, etcd: V1Container) => void) => {
  const set = goodSet();
  const [etcd] = set.spec?.template.spec?.containers ?? [];
  assert.ok(etcd);
  change(set, etcd);
  return await examine(clusterOf(set));
};

describe('doctor', () => {
  it('finds nothing where everything is well', async () => {
    const {code, bad} = await examine(clusterOf());
    assert.deepEqual(bad, []);
    assert.equal(code, 0);
  });

  const problems: [string, string, (set: V1StatefulSet, etcd: V1Container) => void][] = [
    ['a liveness probe that asks for a quorum', 'Liveness probe', (_, etcd) => { etcd.livenessProbe = {httpGet: {path: '/health', port: 2379}}; }],
    ['the same by etcdctl', 'Liveness probe', (_, etcd) => { etcd.livenessProbe = {exec: {command: ['sh', '-c', 'etcdctl endpoint health']}}; }],
    ['a startup probe that no learner passes', 'Startup probe', (_, etcd) => { etcd.startupProbe = {httpGet: {path: '/health?x=1', port: 2379}}; }],
    ['a template that forces', 'Launch', (_, etcd) => { etcd.args?.push('--force-new-cluster'); }],
    ['an etcd that cannot be forced', 'etcd version', (_, etcd) => { etcd.image = 'registry.example/etcd:3.5.10'; }],
    ['data that ends with its pod', 'Data', (set) => { Object.assign(set.spec ?? {}, {volumeClaimTemplates: []}); Object.assign(set.spec?.template.spec ?? {}, {volumes: [{name: 'data', emptyDir: {}}]}); }],
    ['claims that a scale deletes', 'Claim retention', (set) => { Object.assign(set.spec ?? {}, {persistentVolumeClaimRetentionPolicy: {whenScaled: 'Delete', whenDeleted: 'Retain'}}); }],
    ['claims that go with the set', 'Claim retention', (set) => { Object.assign(set.spec ?? {}, {persistentVolumeClaimRetentionPolicy: {whenDeleted: 'Delete'}}); }],
    ['a rollout under way', 'Rollout', (set) => { Object.assign(set.status ?? {}, {updateRevision: 'rev-2'}); }],
    ['TLS without a client certificate', 'Client TLS', (_, etcd) => { etcd.args?.push('--cert-file=/tls/a', '--key-file=/tls/b'); const i = etcd.args?.findIndex((arg) => arg.startsWith('--listen-client')) ?? 0; etcd.args?.splice(i, 1, '--listen-client-urls=https://0.0.0.0:2379'); }],
  ];
  for (const [title, area, change] of problems) {
    it(`calls ${title} a problem, and ends with 30`, async () => {
      const {code, bad, findings} = await changed(change);
      assert.deepEqual(bad, [`${area}: problem`]);
      assert.equal(code, 30);
      assert.ok(findings.every(({level, change: what}) => level === 'ok' || (what ?? '') !== ''), 'a finding without what to change');
    });
  }

  it('lets a serializable health check pass', async () => {
    assert.deepEqual((await changed((_, etcd) => { etcd.livenessProbe = {httpGet: {path: '/health?serializable=true', port: 2379}}; })).bad, []);
  });

  it('notes what makes a recovery harder', async () => {
    assert.deepEqual((await changed((set) => { delete set.spec?.podManagementPolicy; delete set.spec?.template.spec?.affinity; Object.assign(set.spec ?? {}, {replicas: 2}); })).bad, ['Size: note', 'Pod management: note', 'Spread: note']);
    const api = clusterOf();
    api.remove('Node', '', 'n3');
    api.seed('PersistentVolume', {metadata: {name: 'pv-1'}, spec: {persistentVolumeReclaimPolicy: 'Delete'}});
    api.rawAnswers.set('/api/v1/nodes/n1/proxy/stats/summary', {pods: [{volume: [{pvcRef: {name: 'data-etcd-1', namespace: 'db'}, capacityBytes: 100, usedBytes: 60, availableBytes: 40}]}]});
    api.seed('QuorumRecovery', resourceOf({lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at(-3600), members: []}}, {spec: {paused: true}}));
    api.seed('Deployment', {metadata: {name: 'operator', namespace: 'system', labels: operatorLabels}, status: {readyReplicas: 1}});
    const {bad, code} = await examine(api);
    assert.deepEqual(bad, ['Operator: note', 'Nodes: note', 'Reclaim policy: note', 'Free space: note', 'Standing resource: note', 'Standing resource: note']);
    assert.equal(code, 0);
  });

  it('finds what is missing around the cluster', async () => {
    const api = clusterOf();
    api.remove('ValidatingAdmissionPolicy', '', 'quorumrecovery-hold');
    api.remove('ValidatingAdmissionPolicyBinding', '', 'quorumrecovery-hold');
    api.remove('Deployment', 'system', 'operator');
    api.remove('Service', 'db', 'etcd');
    api.remove('QuorumRecovery', 'db', 'etcd');
    api.version = () => Promise.resolve({major: 1, minor: 29, gitVersion: 'v1.29.0'});
    const {bad, code} = await examine(api);
    assert.deepEqual(bad, ['Kubernetes: problem', 'Operator: problem', 'Policy: problem', 'Binding: problem', 'Service: problem', 'Standing resource: note']);
    assert.equal(code, 30);
  });

  it('does not count an operator that serves other namespaces', async () => {
    const api = clusterOf();
    const template = {spec: {containers: [{name: 'operator', args: ['--namespaces=other']}]}};
    api.seed('Deployment', {metadata: {name: 'operator', namespace: 'system', labels: operatorLabels}, spec: {selector: {}, template}, status: {readyReplicas: 2}});
    const {bad, findings} = await examine(api);
    assert.deepEqual(bad, ['Operator: problem']);
    assert.match(findings.find(({area}) => area === 'Operator')?.what ?? '', /system\/operator does not serve the namespace db/);
  });

  describe('of several operators that divide resources by labels', () => {
    const deployment = (name: string, selector: string) => ({
      metadata: {name, namespace: 'system', labels: operatorLabels}, status: {readyReplicas: 2},
      spec: {selector: {}, template: {spec: {containers: [{name: 'operator', args: [`--resource-selector=${selector}`, `--lease-name=${name}`]}]}}},
    });
    const shards = (labels: Record<string, string>, status = holding({lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at(30), members: []}})) => {
      const api = clusterOf();
      api.seed('Deployment', deployment('operator', 'shard in (a,c)'));
      api.seed('Deployment', deployment('second', 'shard in (b,c)'));
      api.seed('QuorumRecovery', resourceOf(status, {metadata: {labels}}));
      return api;
    };
    const served = ({findings}: {findings: Finding[]}) => findings.find(({area}) => area === 'Served by');

    it('names the one that serves the resource', async () => {
      assert.deepEqual(served(await examine(shards({shard: 'b'}))), {area: 'Served by', level: 'ok', what: 'system/second'});
    });
    it('finds a resource that none of them serves, and says what they ask for', async () => {
      const found = await examine(shards({team: 'db'}));
      assert.equal(found.code, 30);
      assert.match(served(found)?.what ?? '', /no operator serves this resource: etcd has the labels team=db, and system\/operator takes --resource-selector=shard in \(a,c\); system\/second takes/);
    });
    it('says who still carries its run out', async () => {
      const found = await examine(shards({}, holding({run: runOf({operator: 'system/second'})})));
      assert.match(served(found)?.what ?? '', /no operator serves this resource once its run has ended, which system\/second still carries out/);
    });
    it('finds one that two of them serve', async () => {
      assert.equal(served(await examine(shards({shard: 'c'})))?.level, 'note');
    });
  });

  it('sees a policy that does not deny, or is that of another version', async () => {
    const api = clusterOf();
    const policy = structuredClone(holdPolicy);
    policy.spec.validations.pop();
    api.seed('ValidatingAdmissionPolicy', policy);
    api.seed('ValidatingAdmissionPolicyBinding', {metadata: {name: 'quorumrecovery-hold'}, spec: {policyName: 'quorumrecovery-hold', validationActions: ['Audit']}});
    assert.deepEqual((await examine(api)).bad, ['Policy: note', 'Binding: problem']);
  });

  it('finds a dependent that is not there, before a run does', async () => {
    const dependents = [{kind: 'Deployment', name: 'api'}, {kind: 'DaemonSet', name: 'agent'}];
    const api = clusterOf();
    api.seed('QuorumRecovery', resourceOf(holding({run: undefined, lastHealthy: {clusterID: 'c', revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at(30), members: []}}), {spec: {dependents}}));
    api.seed('Deployment', {metadata: {name: 'api', namespace: 'db'}});
    const {bad, findings} = await examine(api);
    assert.deepEqual(bad, ['Dependents: problem']);
    assert.match(findings.find(({area}) => area === 'Dependents')?.what ?? '', /names DaemonSet agent, which this namespace does not have/);
    api.seed('DaemonSet', {metadata: {name: 'agent', namespace: 'db'}});
    assert.deepEqual((await examine(api)).bad, []);
    api.forbidden.add('get DaemonSet');
    assert.deepEqual((await examine(api)).bad, ['Dependents: unknown']);
  });

  it('sees members on one node', async () => {
    const api = clusterOf();
    api.seed('Pod', {...pod(1), spec: {containers: [], nodeName: 'n0'}});
    const {findings, bad} = await examine(api);
    assert.deepEqual(bad, ['Spread: problem']);
    assert.match(findings.find(({area}) => area === 'Spread')?.what ?? '', /etcd-0, etcd-1 are on one node \(n0\)/);
  });

  it('is of use with the rights of an ordinary user: what it may not see is not told, and no problem', async () => {
    const api = clusterOf();
    for (const what of ['list Node', 'list Deployment', 'get ValidatingAdmissionPolicy', 'get ValidatingAdmissionPolicyBinding', 'get PersistentVolume', 'get nodes/proxy', 'create QuorumRecovery']) api.forbidden.add(what);
    const {code, bad} = await examine(api);
    assert.deepEqual(bad, ['Your rights: note', 'Operator: unknown', 'Policy: unknown', 'Binding: unknown', 'Nodes: unknown', 'Reclaim policy: unknown', 'Free space: unknown']);
    assert.equal(code, 0);
  });

  it('without a name looks at every set that is an etcd', async () => {
    const api = clusterOf();
    api.seed('StatefulSet', {metadata: {name: 'web', namespace: 'db'}, spec: {selector: {}, template: {spec: {containers: [{name: 'nginx', image: 'nginx'}]}}}});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke(), world), 0);
    assert.match(world.text, /StatefulSet etcd in db/);
    assert.doesNotMatch(world.text, /StatefulSet web/);
    await assert.rejects(run(invoke(['other']), new FakeWorld(api)), /no StatefulSet other in namespace db: it has etcd, web/);
  });
});
