import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {V1StatefulSet} from '@kubernetes/client-node';
import {claimOf} from './claims.ts';

/*
 * runbook-manifests.ts DIRECTORY SURVIVOR LOST...
 * Writes everything that the runbook creates, from DIRECTORY/set.json: the StatefulSet's pods with their arguments, claims, the forced
 * start, and the StatefulSet itself. A person would have these files made before.
 */
const [directory = '', survivor = '', ...lost] = process.argv.slice(2);
const set = JSON.parse(readFileSync(join(directory, 'set.json'), 'utf8')) as V1StatefulSet;
const {metadata, spec, status} = set;
if (spec === undefined || metadata === undefined) throw new Error('set.json is no StatefulSet');
const {volumeClaimTemplates = [], serviceName = ''} = spec;

/** What is changed in a container; the rest stays as the template has it. */
interface Container {
  name: string;
  image?: string;
  command?: string[];
  args?: string[];
  env?: {name: string; value?: string; valueFrom?: {fieldRef?: {fieldPath: string}}}[];
  volumeMounts?: object[];
  readinessProbe?: object;
  livenessProbe?: object;
}

interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes?: object[];
  [other: string]: unknown;
}

interface Pod {
  apiVersion: string;
  kind: string;
  metadata: object;
  spec: PodSpec;
}

const template = spec.template as unknown as {metadata?: {labels?: Record<string, string>}; spec: PodSpec};

const write = (name: string, object: object): void => { writeFileSync(join(directory, `${name}.json`), JSON.stringify(object)); };

/** One of the set's pods as its controller would make it, with more arguments for etcd. */
function podOf(name: string, args: string[]): Pod {
  const claims = volumeClaimTemplates.map((claim) => ({name: claim.metadata?.name ?? '', persistentVolumeClaim: {claimName: `${claim.metadata?.name ?? ''}-${name}`}}));
  const containers = template.spec.containers.map((container) => (container.name === 'etcd' ? {...container, args: [...container.args ?? [], ...args]} : container));
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      name,
      labels: {
        ...template.metadata?.labels, 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': name.slice(name.lastIndexOf('-') + 1),
        'controller-revision-hash': status?.updateRevision ?? '',
      },
    },
    spec: {...template.spec, containers, hostname: name, subdomain: serviceName, volumes: [...template.spec.volumes ?? [], ...claims]},
  };
}

/** The survivor's data is copied by an init container, then etcd starts once with the flag, in a pod that no Service selects. */
function forced(): Pod {
  const pod = podOf(survivor, ['--force-new-cluster']);
  const containers = pod.spec.containers.map((container) => {
    const plain = {...container};
    delete plain.readinessProbe;
    delete plain.livenessProbe;
    // The helper pod's own name is not the member's.
    const env = container.env?.map((variable) => (variable.valueFrom?.fieldRef?.fieldPath === 'metadata.name' ? {name: variable.name, value: survivor} : variable));
    return env ? {...plain, env} : plain;
  });
  const volumeMounts = containers.find((container) => container.name === 'etcd')?.volumeMounts ?? [];
  const copy = 'mkdir -p /data/before-force && cp -a /data/member /data/wal /data/before-force/ && find /data/before-force -type f -exec sync {} +';
  const initContainers = [{name: 'copy', image: 'localhost/busybox:1', command: ['/bin/sh', '-c', copy], volumeMounts}];
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: {name: `${survivor}-force`},
    spec: {...pod.spec, restartPolicy: 'Never', topologySpreadConstraints: [], initContainers, containers},
  };
}

const peer = (pod: string): string => `${pod}=http://${pod}.${serviceName}.${metadata.namespace ?? 'default'}.svc:2380`;

write('force', forced());
write(survivor, podOf(survivor, []));
lost.forEach((pod, index) => {
  const cluster = [survivor, ...lost.slice(0, index + 1)].map(peer).join(',');
  write(pod, {
    apiVersion: 'v1', kind: 'List',
    items: [...volumeClaimTemplates.map((claim) => claimOf(set, pod, claim)), podOf(pod, ['--initial-cluster-state=existing', `--initial-cluster=${cluster}`])],
  });
});
write('set-again', {
  apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name: metadata.name, labels: metadata.labels, annotations: metadata.annotations}, spec,
});
