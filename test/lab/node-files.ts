import {stringify} from 'yaml';
import {labInside, superviseFunction} from './control-plane.ts';
import {apiAddress, dnsServiceAddress, nodeAddress, nodePodNetwork, podNetwork} from './network.ts';
import type {NodeRecord} from './state.ts';
import {quoteAll} from './shell.ts';

/** Where a node's own directory is on that node: its disks. */
export const nodeInside = '/run/node';

/** Where a node's local volumes are on that node: the same path on every node, another directory each. */
export const volumesInside = '/var/local';

const containerdSocket = '/run/containerd/containerd.sock';
const pki = `${labInside}/pki`;

/** What the node's init script finds in the node's directory, by file name. */
export function nodeFiles(node: NodeRecord, cgroup: string): Record<string, string> {
  return {
    'init.sh': initScript(node),
    'machine-id': `${node.machineID}\n`,
    'product-uuid': `${asUUID(node.machineID)}\n`,
    'containerd.toml': containerdConfig(),
    'cni/10-lab.conflist': JSON.stringify(networkConfig(node)),
    'kubelet.yaml': stringify(kubeletConfig(node, cgroup)),
    'kube-proxy.yaml': stringify(proxyConfig(node)),
  };
}

function containerdConfig(): string {
  return `version = 2
root = "${nodeInside}/containerd"
state = "/run/containerd"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${nodeInside}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`;
}

/** Point to point, so that also packets between two pods of one node pass the node's own rules, where kube-proxy's are. */
function networkConfig(node: NodeRecord): object {
  const addresses = {type: 'host-local', dataDir: '/run/cni-addresses', ranges: [[{subnet: nodePodNetwork(node.index)}]], routes: [{dst: '0.0.0.0/0'}]};
  return {
    cniVersion: '0.4.0',
    name: 'lab',
    plugins: [
      {type: 'ptp', ipMasq: false, ipam: addresses},
      {type: 'portmap', capabilities: {portMappings: true}},
    ],
  };
}

function kubeletConfig(node: NodeRecord, cgroup: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: `${pki}/ca.crt`}},
    authorization: {mode: 'Webhook'},
    tlsCertFile: `${pki}/${node.name}.crt`,
    tlsPrivateKeyFile: `${pki}/${node.name}.key`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    // The lab may itself run in a container or a small virtual machine, where /dev/kmsg and some sysctls are not to be had.
    featureGates: {KubeletInUserNamespace: true},
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    podLogsDir: `${nodeInside}/log/pods`,
    clusterDNS: [dnsServiceAddress],
    clusterDomain: 'cluster.local',
    resolvConf: `${labInside}/addons/empty`,
    // The disks are directories of one file system of the machine: how full that is says nothing about a node.
    evictionHard: {'memory.available': '0%', 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%'},
    imageGCHighThresholdPercent: 100,
    localStorageCapacityIsolation: false,
    nodeStatusUpdateFrequency: '4s',
    serializeImagePulls: false,
    maxPods: 60,
    volumePluginDir: `${nodeInside}/plugins`,
  };
}

function proxyConfig(node: NodeRecord): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: {kubeconfig: `${labInside}/pki/proxy.kubeconfig`},
    mode: 'iptables',
    clusterCIDR: podNetwork,
    hostnameOverride: node.name,
    conntrack: {maxPerCore: 0, min: 0},
  };
}

/**
 * The script of the node's init, in the node's own mount, PID, network, IPC and UTS namespace: ending it ends every
 * process of the node at once. What identifies a machine is the node's own; the boot ID is new at each start.
 */
function initScript(node: NodeRecord): string {
  const directory = `${labInside}/nodes/${node.name}`;
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
  const kubelet = [
    ...[`${labInside}/bin/localkube`, 'kubelet', `--config=${nodeInside}/kubelet.yaml`, `--kubeconfig=${pki}/${node.name}.kubeconfig`],
    ...['--root-dir=/var/lib/kubelet', `--hostname-override=${node.name}`, `--node-ip=${nodeAddress(node.index)}`, '--v=2'],
    ...(labels.length > 0 ? [`--node-labels=${labels.join(',')}`] : []),
  ];
  return `#!/bin/bash
# Made by the lab; the first process of the node ${node.name}.
set -eu
hostname ${node.name}
mount -t tmpfs -o mode=755 node ${directory}/run
mkdir ${directory}/run/lab ${directory}/run/node ${directory}/run/lock
mount --bind /run/lab ${directory}/run/lab
mount --bind ${directory} ${directory}/run/node
mount -n --move ${directory}/run /run
mount --bind ${nodeInside}/kubelet /var/lib/kubelet
mount --bind ${nodeInside}/log /var/log
mount --bind ${nodeInside}/volumes ${volumesInside}
mount --bind ${nodeInside}/machine-id /etc/machine-id
cat /proc/sys/kernel/random/uuid >/run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
if [ -e /sys/class/dmi/id/product_uuid ]; then mount --bind ${nodeInside}/product-uuid /sys/class/dmi/id/product_uuid; fi
mount --make-rshared /
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add ${nodeAddress(node.index)}/32 dev eth0
ip link set eth0 up
ip route add ${apiAddress} dev eth0
ip route add default via ${apiAddress}
echo 1 >/proc/sys/net/ipv4/ip_forward
${superviseFunction}
supervise containerd ${nodeInside}/log/containerd.log containerd --config ${nodeInside}/containerd.toml
until [ -S ${containerdSocket} ]; do sleep 0.05; done
supervise kubelet ${nodeInside}/log/kubelet.log ${quoteAll(kubelet)}
supervise kube-proxy ${nodeInside}/log/kube-proxy.log ${labInside}/bin/localkube kube-proxy --config=${nodeInside}/kube-proxy.yaml
wait
`;
}

function asUUID(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
