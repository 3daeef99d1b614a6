import type {V1EnvVar} from '@kubernetes/client-node';
import {stringify} from 'yaml';
import type {EtcdOptions} from './etcd.ts';
import {setName} from './etcd.ts';

/** etcd's flags as the template writes them: $(HOSTNAME) and $(K8S_NAMESPACE) are expanded by the kubelet. */
export function flagsOf(options: EtcdOptions, namespace: string): Record<string, string> {
  const {replicas = 3, wal = 'inside', tlsSecret, peerSecret, quotaBytes} = options;
  const peer = peerSecret === undefined ? '/tls' : '/peer-tls';
  const scheme = tlsSecret === undefined ? 'http' : 'https';
  const host = (pod: string): string => `${pod}.${setName}.$(K8S_NAMESPACE).svc`;
  const cluster = Array.from({length: replicas}, (_, ordinal) => `${setName}-${ordinal}`).map((pod) => `${pod}=${scheme}://${host(pod)}:2380`);
  return {
    name: '$(HOSTNAME)',
    'data-dir': '/data',
    ...(wal !== 'none' && {'wal-dir': wal === 'inside' ? '/data/wal' : '/wal/wal'}),
    'listen-peer-urls': `${scheme}://0.0.0.0:2380`,
    'listen-client-urls': `${scheme}://0.0.0.0:2379`,
    'advertise-client-urls': `${scheme}://${host('$(HOSTNAME)')}:2379`,
    'initial-advertise-peer-urls': `${scheme}://${host('$(HOSTNAME)')}:2380`,
    'initial-cluster-state': options.clusterState ?? 'new',
    'initial-cluster-token': `etcd-${namespace}`,
    'initial-cluster': cluster.join(','),
    'listen-metrics-urls': 'http://0.0.0.0:8080',
    ...(quotaBytes !== undefined && {'quota-backend-bytes': String(quotaBytes)}),
    ...(tlsSecret !== undefined && {
      'cert-file': '/tls/tls.crt', 'key-file': '/tls/tls.key', 'trusted-ca-file': '/tls/ca.crt', 'client-cert-auth': 'true',
      'peer-cert-file': `${peer}/tls.crt`, 'peer-key-file': `${peer}/tls.key`, 'peer-trusted-ca-file': `${peer}/ca.crt`, 'peer-client-cert-auth': 'true',
    }),
  };
}

/** Every flag as etcd's environment variable. */
export function environmentLaunch(flags: Record<string, string>): V1EnvVar[] {
  return Object.entries(flags).map(([flag, value]) => ({name: `ETCD_${flag.toUpperCase().replaceAll('-', '_')}`, value}));
}

/** A script as people write it: variables of the shell, a line for each flag, exec at the end. */
export function shellScript(flags: Record<string, string>): string {
  const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value.replaceAll('$(HOSTNAME)', '${HOSTNAME}').replaceAll('$(K8S_NAMESPACE)', '${K8S_NAMESPACE}')}`);
  return `set -eu\nexec /usr/local/bin/etcd ${words.join(' \\\n  ')}\n`;
}

/** The config file of one pod, with its name written out, as etcd expands nothing in it. */
export function configFile(options: EtcdOptions, namespace: string, pod: string): string {
  const flags = Object.entries(flagsOf(options, namespace)).map(([flag, value]) => [flag, value.replaceAll('$(HOSTNAME)', pod).replaceAll('$(K8S_NAMESPACE)', namespace)]);
  return stringify(Object.fromEntries(flags));
}
