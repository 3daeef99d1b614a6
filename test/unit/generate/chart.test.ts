import assert from 'node:assert/strict';
import {join} from 'node:path';
import type {V1Deployment} from '@kubernetes/client-node';
import {parse} from 'yaml';
import {chart} from '../../../src/generate/files.ts';
import {runHelm} from '../../../src/generate/helm.ts';
import {only, read, rendered, requireHelm, root} from './repository.ts';
import type {Manifest} from './repository.ts';

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  $ref?: string;
}

const podOf = (all: readonly Manifest[]) => (only(all, 'Deployment').spec as V1Deployment['spec'] & object).template.spec;
const kindsOf = (all: readonly Manifest[]) => all.map(({kind}) => kind);

/** Paths of values that the schema does not know, or of schema properties that values.yaml does not show. */
function differences(values: unknown, schema: Schema, path: string): string[] {
  if (schema.properties === undefined) return [];
  const given = values as Record<string, unknown>;
  const known = Object.keys(schema.properties).filter((key) => key !== 'global');
  return [
    ...Object.keys(given).filter((key) => !known.includes(key)).map((key) => `${path}.${key} is not in the schema`),
    ...known.filter((key) => !(key in given)).map((key) => `${path}.${key} is not in values.yaml`),
    ...(schema.additionalProperties === false ? [] : [`${path} takes any key`]),
    ...known.filter((key) => key in given).flatMap((key) => differences(given[key], schema.properties?.[key] ?? {}, `${path}.${key}`)),
  ];
}

describe('values of the chart', () => {
  it('are those of its schema, all of them and no other, each with its default shown', () => {
    const schema = JSON.parse(read(`${chart}/values.schema.json`)) as Schema;
    assert.deepEqual(differences(parse(read(`${chart}/values.yaml`)), {...schema, properties: {...schema.properties}}, ''), []);
  });
});

describe('the chart', function () {
  this.timeout(60_000);
  let helm = '';
  before(function () { helm = requireHelm(this); });

  const refused = (values: readonly string[], message: RegExp) => {
    assert.throws(() => rendered(helm, values), message, values.join());
  };

  it('passes helm lint without a warning', () => {
    assert.match(runHelm(helm, ['lint', '--strict', join(root, chart), '--kube-version', '1.35.0']), /0 chart\(s\) failed/);
  });

  it('puts the CustomResourceDefinition, the policy and its binding in, and keeps them on uninstall', () => {
    const all = rendered(helm);
    for (const kind of ['CustomResourceDefinition', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']) {
      assert.equal(only(all, kind).metadata.annotations?.['helm.sh/resource-policy'], 'keep', kind);
    }
    assert.deepEqual(all.filter(({metadata}) => metadata.annotations?.['helm.sh/resource-policy'] !== undefined).length, 3);
  });

  it('leaves both out where they are switched off', () => {
    const kinds = kindsOf(rendered(helm, ['crds.enabled=false', 'policy.enabled=false']));
    assert.ok(!kinds.some((kind) => /CustomResourceDefinition|Admission/.test(kind)), kinds.join());
  });

  it('takes another image, by tag or by digest, for operator and agent alike', () => {
    const imagesOf = (values: readonly string[]) => {
      const container = podOf(rendered(helm, values))?.containers[0];
      return [container?.image, container?.env?.find(({name}) => name === 'AGENT_IMAGE')?.value];
    };
    assert.deepEqual(imagesOf(['image.repository=r.example/qro', 'image.tag=v1']), ['r.example/qro:v1', 'r.example/qro:v1']);
    const digest = `sha256:${'a'.repeat(64)}`;
    assert.deepEqual(imagesOf(['image.repository=r.example/qro', `image.digest=${digest}`]), [`r.example/qro@${digest}`, `r.example/qro@${digest}`]);
    assert.deepEqual(imagesOf(['agent.image=near.example/qro:1']), ['quorum-recovery-operator:0.1.0', 'near.example/qro:1']);
  });

  it('watches some namespaces where they are named', () => {
    const args = podOf(rendered(helm, ['watchNamespaces={db,queue}']))?.containers[0]?.args;
    assert.ok(args?.includes('--namespaces=db,queue'), args?.join(' '));
    assert.ok(!podOf(rendered(helm))?.containers[0]?.args?.some((arg) => arg.startsWith('--namespaces')));
  });

  it('leaves some namespaces to another release where they are named, and refuses to be told both', () => {
    const args = podOf(rendered(helm, ['excludeNamespaces={db,queue}']))?.containers[0]?.args;
    assert.ok(args?.includes('--exclude-namespaces=db,queue'), args?.join(' '));
    assert.ok(!podOf(rendered(helm))?.containers[0]?.args?.some((arg) => arg.startsWith('--exclude-namespaces')));
    refused(['excludeNamespaces={db}', 'watchNamespaces={queue}'], /watchNamespaces cannot be given with it/);
  });

  it('picks namespaces and resources by labels where it is told to, as one word of the command line each', () => {
    const args = podOf(rendered(helm, ['namespaceSelector=team in (db\\,queue)', 'resourceSelector=shard=a', 'concurrentRuns=3', 'concurrentBackups=2']))?.containers[0]?.args;
    for (const arg of ['--namespace-selector=team in (db,queue)', '--resource-selector=shard=a', '--concurrent-runs=3', '--concurrent-backups=2']) assert.ok(args?.includes(arg), args?.join(' '));
    assert.ok(!podOf(rendered(helm))?.containers[0]?.args?.some((arg) => arg.includes('-selector')));
    refused(['namespaceSelector=team=db', 'watchNamespaces={queue}'], /give one of them/);
  });

  it('names the Lease after the release, in the flags and in the Role', () => {
    const all = rendered(helm);
    assert.ok(podOf(all)?.containers[0]?.args?.includes('--lease-name=release-quorum-recovery-operator'));
    assert.deepEqual(only(all, 'Role').rules?.flatMap(({resourceNames}) => resourceNames ?? []), ['release-quorum-recovery-operator']);
  });

  it('has no disruption budget for a single replica, which would never let its node be drained', () => {
    assert.ok(!kindsOf(rendered(helm, ['replicas=1'])).includes('PodDisruptionBudget'));
  });

  it('takes pull secrets, labels, node selector and an affinity of its user', () => {
    const pod = podOf(rendered(helm, [
      'image.pullSecrets[0].name=registry', 'podLabels.team=db', 'nodeSelector.pool=infra', 'affinity.nodeAffinity.x=y', 'priorityClassName=',
    ]));
    assert.deepEqual(pod?.imagePullSecrets, [{name: 'registry'}]);
    assert.deepEqual(pod.nodeSelector, {pool: 'infra'});
    assert.deepEqual(pod.affinity, {nodeAffinity: {x: 'y'}});
    assert.equal(pod.priorityClassName, undefined);
  });

  it('uses a ServiceAccount that is there, and asks for its name', () => {
    const all = rendered(helm, ['serviceAccount.create=false', 'serviceAccount.name=mine']);
    assert.ok(!kindsOf(all).includes('ServiceAccount'));
    assert.equal(podOf(all)?.serviceAccountName, 'mine');
    refused(['serviceAccount.create=false'], /serviceAccount\.name is needed/);
  });

  it('makes a ServiceMonitor only where it is asked for, and not without the Service', () => {
    assert.ok(!kindsOf(rendered(helm)).includes('ServiceMonitor'));
    assert.equal(only(rendered(helm, ['metrics.serviceMonitor.enabled=true', 'metrics.serviceMonitor.labels.release=prom']), 'ServiceMonitor').metadata.labels?.['release'], 'prom');
    refused(['metrics.serviceMonitor.enabled=true', 'metrics.service.enabled=false'], /needs metrics\.service\.enabled/);
  });

  it('refuses values that it does not know or cannot use, and names them', () => {
    refused(['nonsense=1'], /nonsense/);
    refused(['image.tga=1'], /tga/);
    refused(['replicas=-1'], /replicas/);
    // A tag that is a date is read as a number, and a long one would lose digits: --set-string says what is meant.
    refused(['image.tag=20260131'], /tag.*want string/s);
    refused(['image.pullPolicy=Sometimes'], /pullPolicy/);
    refused(['image.digest=sha256:1'], /digest/);
    refused(['watchNamespaces={Not_A_Name}'], /watchNamespaces/);
    refused(['logLevel=loud'], /logLevel/);
  });

  it('is refused by Kubernetes before 1.30', () => {
    assert.throws(() => runHelm(helm, ['template', 'x', join(root, chart), '--kube-version', '1.29.5']), /requires kubeVersion: >=1\.30\.0-0/);
    assert.match(runHelm(helm, ['template', 'x', join(root, chart), '--kube-version', '1.30.4-gke.100']), /kind: Deployment/);
  });
});
