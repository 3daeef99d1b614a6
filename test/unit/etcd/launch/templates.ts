import type {V1Container, V1PodSpec} from '@kubernetes/client-node';
import type {LaunchSource} from '../../../../src/etcd/launch/launch.ts';

/** A source for pod etcd-1 in namespace db with one container. */
export function sourceOf(container: V1Container, more: Partial<LaunchSource> = {}, spec: Partial<V1PodSpec> = {}): LaunchSource {
  return {
    template: {metadata: {labels: {app: 'etcd-app'}}, spec: {containers: [container], ...spec}},
    container: container.name, podName: 'etcd-1', namespace: 'db', configMaps: () => undefined, ...more,
  };
}

/** The StatefulSet that the lab runs. */
export function prototype(): V1Container {
  const host = (name: string): string => `http://${name}.etcd.$(K8S_NAMESPACE).svc`;
  return {
    name: 'etcd', image: 'localhost/etcd:3.6.16',
    env: [
      {name: 'K8S_NAMESPACE', valueFrom: {fieldRef: {fieldPath: 'metadata.namespace'}}},
      {name: 'HOSTNAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}},
    ],
    command: ['/usr/local/bin/etcd'],
    args: [
      '--name=$(HOSTNAME)', '--data-dir=/data', '--wal-dir=/data/wal', '--listen-peer-urls=http://0.0.0.0:2380',
      '--listen-client-urls=http://0.0.0.0:2379', `--advertise-client-urls=${host('$(HOSTNAME)')}:2379`,
      `--initial-advertise-peer-urls=${host('$(HOSTNAME)')}:2380`, '--initial-cluster-state=new', '--initial-cluster-token=etcd-$(K8S_NAMESPACE)',
      `--initial-cluster=etcd-0=${host('etcd-0')}:2380,etcd-1=${host('etcd-1')}:2380,etcd-2=${host('etcd-2')}:2380`,
      '--listen-metrics-urls=http://0.0.0.0:8080',
    ],
    volumeMounts: [{name: 'data', mountPath: '/data'}],
  };
}

/** https://etcd.io/docs/v3.6/op-guide/kubernetes/, without TLS. */
export function officialDocs(): LaunchSource {
  const field = (name: string, fieldPath: string): NonNullable<V1Container['env']>[number] => ({name, valueFrom: {fieldRef: {fieldPath}}});
  return sourceOf({
    name: 'etcd', image: 'quay.io/coreos/etcd:v3.6.0', imagePullPolicy: 'IfNotPresent',
    volumeMounts: [{name: 'etcd-data', mountPath: '/var/lib/etcd'}],
    env: [
      field('K8S_NAMESPACE', 'metadata.namespace'), field('HOSTNAME', 'metadata.name'), {name: 'SERVICE_NAME', value: 'etcd'},
      {name: 'ETCDCTL_ENDPOINTS', value: '$(HOSTNAME).$(SERVICE_NAME):2379'}, {name: 'URI_SCHEME', value: 'http'},
    ],
    command: ['/usr/local/bin/etcd'],
    args: [
      '--name=$(HOSTNAME)', '--data-dir=/var/lib/etcd', '--wal-dir=/var/lib/etcd/wal', '--listen-peer-urls=$(URI_SCHEME)://0.0.0.0:2380',
      '--listen-client-urls=$(URI_SCHEME)://0.0.0.0:2379', '--advertise-client-urls=$(URI_SCHEME)://$(HOSTNAME).$(SERVICE_NAME).$(K8S_NAMESPACE):2379',
      '--initial-cluster-state=new', '--initial-cluster-token=etcd-$(K8S_NAMESPACE)',
      '--initial-cluster=etcd-0=$(URI_SCHEME)://etcd-0.$(SERVICE_NAME):2380,etcd-1=$(URI_SCHEME)://etcd-1.$(SERVICE_NAME):2380,'
        + 'etcd-2=$(URI_SCHEME)://etcd-2.$(SERVICE_NAME):2380',
      '--initial-advertise-peer-urls=$(URI_SCHEME)://$(HOSTNAME).$(SERVICE_NAME):2380', '--listen-metrics-urls=http://0.0.0.0:8080',
    ],
  });
}
