import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {labInside} from './control-plane.ts';
import {apiAddress, dnsServiceAddress} from './network.ts';
import {volumesInside} from './node-files.ts';

const helperPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name: 'helper-pod'},
  spec: {
    tolerations: [{operator: 'Exists'}],
    containers: [{name: 'helper-pod', image: 'localhost/busybox:1', imagePullPolicy: 'IfNotPresent'}],
  },
};

const provisionerConfig = {nodePathMap: [{node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [volumesInside]}]};

const namesOfTheCluster = 'default.svc.cluster.local svc.cluster.local cluster.local';

/** The files that CoreDNS, the provisioner and name resolution in the lab's own namespace read. */
export function writeAddonFiles(directory: string): void {
  mkdirSync(directory, {recursive: true});
  const write = (file: string, content: string): void => {
    writeFileSync(join(directory, file), content);
  };
  write('empty', '');
  write('resolv.conf', `nameserver ${apiAddress}\nsearch ${namesOfTheCluster}\noptions ndots:5\n`);
  write('config.json', JSON.stringify(provisionerConfig));
  write('helper-pod.yaml', JSON.stringify(helperPod));
  write(
    'Corefile',
    `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${labInside}/inside.kubeconfig
    pods insecure
    ttl 5
  }
  bind ${apiAddress}
}
`,
  );
}

/** The objects that belong to CoreDNS and the provisioner, for `kubectl apply`. */
export function addonManifests(): string {
  const ports = [
    {name: 'dns', port: 53, protocol: 'UDP'},
    {name: 'dns-tcp', port: 53, protocol: 'TCP'},
  ];
  const dns = {name: 'kube-dns', namespace: 'kube-system'};
  const storage = 'local-path-storage';
  const scripts = {
    setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
    teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
  };
  const items = [
    {apiVersion: 'v1', kind: 'Service', metadata: dns, spec: {clusterIP: dnsServiceAddress, ports}},
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {...dns, labels: {'kubernetes.io/service-name': 'kube-dns'}},
      addressType: 'IPv4',
      endpoints: [{addresses: [apiAddress], conditions: {ready: true}}],
      ports,
    },
    {apiVersion: 'v1', kind: 'Namespace', metadata: {name: storage}},
    {apiVersion: 'v1', kind: 'ServiceAccount', metadata: {name: 'local-path-provisioner-service-account', namespace: storage}},
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name: 'local-path-config', namespace: storage},
      data: {'config.json': JSON.stringify(provisionerConfig), 'helperPod.yaml': JSON.stringify(helperPod), ...scripts},
    },
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {name: 'local-path', annotations: {'storageclass.kubernetes.io/is-default-class': 'true'}},
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
  ];
  return JSON.stringify({apiVersion: 'v1', kind: 'List', items});
}
