import {apiAddress, apiPort, partitionChains, podNetwork, serviceNetwork} from './network.ts';
import {quote, quoteAll} from './shell.ts';

/** Where the lab's directory is inside the lab: the same for every lab on every machine, and short enough for UNIX sockets. */
export const labInside = '/run/lab';

/** The forwarder's socket, inside the lab. */
export const apiSocketInside = '/run/api.sock';

const pki = `${labInside}/pki`;
const localkube = `${labInside}/bin/localkube`;
const adminKubeconfig = `${labInside}/inside.kubeconfig`;

/** bash: runs a command for good, as a service manager would, with its output in a file. */
export const superviseFunction = `supervise() { # NAME LOG COMMAND...
  local name=$1 log=$2; shift 2
  ( while :; do
      "$@" >>"$log" 2>&1 </dev/null & echo $! >"/run/$name.pid"
      status=0; wait $! || status=$?
      echo "$name ended with status $status" >>"$log"; sleep 0.5
    done ) &
}`;

/** Flags of an API server. Another one of the same cluster needs another port and its own name in the lab's processes. */
function apiServerCommand(port: number): string[] {
  return [
    ...[localkube, 'kube-apiserver', `--secure-port=${port}`, `--advertise-address=${apiAddress}`, '--etcd-servers=http://127.0.0.1:2379'],
    ...[`--service-cluster-ip-range=${serviceNetwork}`, '--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
    ...[`--client-ca-file=${pki}/ca.crt`, `--tls-cert-file=${pki}/apiserver.crt`, `--tls-private-key-file=${pki}/apiserver.key`],
    ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${pki}/sa.pub`],
    ...[`--service-account-signing-key-file=${pki}/sa.key`, `--kubelet-certificate-authority=${pki}/ca.crt`],
    ...[`--kubelet-client-certificate=${pki}/admin.crt`, `--kubelet-client-key=${pki}/admin.key`, '--kubelet-preferred-address-types=InternalIP'],
    ...['--allow-privileged', '--endpoint-reconciler-type=master-count', '--profiling=false'],
    // Nothing here routes to Service addresses, so webhooks are called at their endpoints.
    '--enable-aggregator-routing',
  ];
}

const etcdCommand = [
  ...[localkube, 'etcd', `--data-dir=${labInside}/etcd`, '--listen-client-urls=http://127.0.0.1:2379'],
  ...['--advertise-client-urls=http://127.0.0.1:2379', '--listen-peer-urls=http://127.0.0.1:2380'],
  ...['--initial-advertise-peer-urls=http://127.0.0.1:2380', '--initial-cluster=default=http://127.0.0.1:2380'],
  // The lab's own state is worth nothing after a crash of the machine.
  ...['--unsafe-no-fsync', '--log-level=warn'],
];

/** A dead node is noticed after 20 s, not Kubernetes' 50 s: the difference is waiting, nothing else. */
const controllerManagerCommand = [
  ...[localkube, 'kube-controller-manager', `--kubeconfig=${adminKubeconfig}`, '--leader-elect=false', '--use-service-account-credentials'],
  ...[`--service-account-private-key-file=${pki}/sa.key`, `--root-ca-file=${pki}/ca.crt`],
  ...[`--cluster-signing-cert-file=${pki}/ca.crt`, `--cluster-signing-key-file=${pki}/ca.key`],
  ...[`--cluster-cidr=${podNetwork}`, '--allocate-node-cidrs=false', '--node-monitor-grace-period=20s'],
];

const schedulerCommand = [localkube, 'kube-scheduler', `--kubeconfig=${adminKubeconfig}`, '--leader-elect=false'];

const provisionerCommand = [
  ...['env', 'POD_NAMESPACE=local-path-storage', `${labInside}/bin/local-path-provisioner`, 'start', `--kubeconfig=${adminKubeconfig}`],
  ...[`--config=${labInside}/addons/config.json`, `--helper-pod-file=${labInside}/addons/helper-pod.yaml`, '--configmap-name=local-path-config'],
  ...['--namespace=local-path-storage', '--service-account-name=local-path-provisioner-service-account', '--helper-image=localhost/busybox:1'],
];

/**
 * A control plane has machines of its own. Here it shares two cores with every node: without this the API server's own caches fall behind
 * the kubelets, whose first look at a claim is then refused ("no relationship found between node and this object", the Node authorizer).
 */
const first = (command: readonly string[]): readonly string[] => ['nice', '-n', '-10', ...command];

/** Every process of the control plane, in the order of their start. A name ties a process to its log. */
const processes: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['etcd', first(etcdCommand)],
  ['kube-apiserver', first(apiServerCommand(apiPort))],
  ['api-socket', ['socat', `UNIX-LISTEN:${apiSocketInside},fork,unlink-early`, `TCP:${apiAddress}:${apiPort}`]],
  ['kube-controller-manager', controllerManagerCommand],
  ['kube-scheduler', schedulerCommand],
  ['coredns', [`${labInside}/bin/coredns`, '-conf', `${labInside}/addons/Corefile`]],
  ['local-path-provisioner', provisionerCommand],
];

/**
 * The script that the lab's first process runs, in its own mount, PID and network namespace. bash, since it also reaps
 * whatever ends up below it.
 */
export function initScript(labDirectory: string): string {
  const staging = `${labDirectory}/run`;
  return `#!/bin/bash
# Made by the lab; the first process of its namespaces.
set -eu
mount -t tmpfs -o mode=755 lab ${quote(staging)}
mkdir ${quote(staging)}/lab ${quote(staging)}/lock
mount --bind ${quote(labDirectory)} ${quote(staging)}/lab
resolv=$(readlink -m /etc/resolv.conf)
mount -n --move ${quote(staging)} /run
case $resolv in /run/*) mkdir -p "\${resolv%/*}"; touch "$resolv"; esac
mount --bind ${labInside}/addons/resolv.conf "$resolv"
mkdir -p /var/lib/kubelet
mount --make-rshared /
ip link set lo up
ip address add ${apiAddress}/32 dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables-restore <<'RULES'
${partitionChains()}RULES
${superviseFunction}
${processes.map(([name, command]) => `supervise ${name} ${labInside}/log/${name}.log ${quoteAll(command)}`).join('\n')}
wait
`;
}
