import assert from 'node:assert/strict';
import type {V1Deployment, V1PodDisruptionBudget, V1Service} from '@kubernetes/client-node';
import {parse} from 'yaml';
import {parseConfig} from '../../../src/operator/config.ts';
import {settings} from '../../../src/operator/settings.ts';
import type {Setting} from '../../../src/operator/settings.ts';
import {installed, only, read} from './repository.ts';

const all = installed();
const deployment = only(all, 'Deployment').spec as V1Deployment['spec'] & object;
const pod = deployment.template.spec;
const operator = pod?.containers[0];

describe('plain manifests', () => {
  it('begin with their namespace, which takes only restricted pods', () => {
    assert.equal(all[0]?.kind, 'Namespace');
    assert.equal(all[0].metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
  });

  it('put every namespaced object into it', () => {
    for (const manifest of all.filter(({kind}) => ['ServiceAccount', 'Deployment', 'Service', 'Role', 'RoleBinding', 'PodDisruptionBudget'].includes(kind))) {
      assert.equal(manifest.metadata.namespace, all[0]?.metadata.name, manifest.kind);
    }
  });

  it('carry nothing that only means something to helm', () => {
    assert.doesNotMatch(read('deploy/install.yaml'), /helm|\{\{/i);
  });
});

describe('the operator\'s pod', () => {
  it('comes twice, and only one may be drained at a time', () => {
    assert.equal(deployment.replicas, 2);
    assert.equal((only(all, 'PodDisruptionBudget').spec as V1PodDisruptionBudget['spec'])?.maxUnavailable, 1);
  });

  it('prefers another node than its twin, and does not insist: a cluster of one node works', () => {
    const {podAntiAffinity} = pod?.affinity ?? {};
    assert.equal(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.[0]?.podAffinityTerm.topologyKey, 'kubernetes.io/hostname');
    assert.equal(podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution, undefined);
  });

  it('leaves a dead node after 10 s, and is scheduled before others', () => {
    assert.deepEqual(pod?.tolerations?.map(({key, tolerationSeconds}) => [key, tolerationSeconds]),
      [['node.kubernetes.io/unreachable', 10], ['node.kubernetes.io/not-ready', 10]]);
    assert.equal(pod.priorityClassName, 'system-cluster-critical');
  });

  it('meets the restricted Pod Security standard with a read-only root', () => {
    assert.deepEqual(pod?.securityContext, {runAsGroup: 65532, runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: 'RuntimeDefault'}});
    assert.deepEqual(operator?.securityContext, {allowPrivilegeEscalation: false, capabilities: {drop: ['ALL']}, readOnlyRootFilesystem: true});
    assert.deepEqual(operator.volumeMounts, [{name: 'tmp', mountPath: '/tmp'}]);
  });

  it('has bounds on what it takes', () => {
    assert.deepEqual(operator?.resources, {requests: {cpu: '100m', memory: '192Mi'}, limits: {memory: '512Mi'}});
  });

  it('is asked on its named port, and the Service finds it there', () => {
    assert.equal(operator?.startupProbe?.httpGet?.path, '/healthz');
    assert.equal(operator.livenessProbe?.httpGet?.path, '/healthz');
    assert.equal(operator.readinessProbe?.httpGet?.path, '/readyz');
    for (const probe of [operator.startupProbe, operator.livenessProbe, operator.readinessProbe]) assert.equal(probe.httpGet?.port, 'http-metrics');
    const service = only(all, 'Service').spec as V1Service['spec'];
    assert.deepEqual(service?.selector, deployment.selector.matchLabels);
    assert.deepEqual(service?.ports, [{name: 'http-metrics', port: 8080, targetPort: 'http-metrics'}]);
  });

  it('is started with flags and an environment that the operator takes', () => {
    const env = Object.fromEntries((operator?.env ?? []).map(({name, value}) => [name, value ?? `its ${name}`.replaceAll(/[^a-z]+/gi, '-').toLowerCase()]));
    const invocation = parseConfig(operator?.args ?? [], env);
    assert.equal(invocation.kind, 'Run', JSON.stringify(invocation));
    const {config} = invocation;
    assert.equal(config.agentImage, operator?.image, 'the agent is the same image');
    assert.equal(config.lease.name, 'quorum-recovery-operator');
    assert.equal(config.lease.namespace, 'its-pod-namespace');
    assert.equal(config.identity, 'its-pod-name');
    assert.equal(config.port, operator?.ports?.[0]?.containerPort);
    for (const name of Object.keys(env)) assert.ok(Object.values(settings as Record<string, Setting>).some((setting) => setting.env === name), name);
  });

  it('takes the operator\'s own defaults where the chart sets a flag', () => {
    for (const arg of operator?.args ?? []) {
      const [, flag, value] = /^--([a-z-]+)=(.*)$/.exec(arg) ?? [];
      const setting = Object.values(settings as Record<string, Setting>).find((candidate) => candidate.flag === flag);
      assert.equal(value, setting?.fallback, arg);
    }
  });
});

describe('the chart\'s version', () => {
  it('is the package\'s', () => {
    const {version, appVersion, kubeVersion} = parse(read('charts/quorum-recovery-operator/Chart.yaml')) as Record<string, string>;
    const packageVersion = (JSON.parse(read('package.json')) as {version: string}).version;
    assert.deepEqual([version, appVersion], [packageVersion, packageVersion]);
    assert.equal(kubeVersion, '>=1.30.0-0');
    assert.equal(operator?.image, `quorum-recovery-operator:${packageVersion}`);
  });
});
