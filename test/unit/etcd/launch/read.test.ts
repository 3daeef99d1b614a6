import type {V1Container, V1PodSpec, V1PodTemplateSpec} from '@kubernetes/client-node';
import assert from 'node:assert/strict';
import {readLaunch} from '../../../../src/etcd/launch/launch.ts';
import type {Launch, LaunchSource} from '../../../../src/etcd/launch/launch.ts';
import {officialDocs, prototype, sourceOf} from './templates.ts';

function read(source: LaunchSource): Launch {
  const result = readLaunch(source);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.launch;
}

function shell(script: string, more: Partial<V1Container> = {}, source: Partial<LaunchSource> = {}): LaunchSource {
  return sourceOf({name: 'etcd', image: 'quay.io/coreos/etcd:v3.6.16', command: ['/bin/sh', '-ec', script], ...more}, source);
}

function refused(source: LaunchSource, reason: string, text: RegExp): void {
  const result = readLaunch(source);
  assert.equal(result.ok, false, 'it was understood');
  assert.equal(result.reason, reason, result.message);
  assert.match(result.message, text);
}

describe('readLaunch', () => {
  it('reads args with $(VAR) of the downward API', () => {
    const launch = read(sourceOf(prototype()));
    assert.equal(launch.carrier, 'args');
    assert.equal(launch.name, 'etcd-1');
    assert.deepEqual([launch.dataDir, launch.walDir], ['/data', '/data/wal']);
    assert.deepEqual(launch.advertiseClientURLs, ['http://etcd-1.etcd.db.svc:2379']);
    assert.deepEqual(launch.initialAdvertisePeerURLs, ['http://etcd-1.etcd.db.svc:2380']);
    assert.deepEqual(launch.listenMetricsURLs, ['http://0.0.0.0:8080']);
    assert.deepEqual(launch.initialCluster['etcd-2'], ['http://etcd-2.etcd.db.svc:2380']);
    assert.equal(launch.initialClusterToken, 'etcd-db');
    assert.deepEqual([launch.clientTLS, launch.clientCertAuth, launch.peerTLS, launch.forceNewCluster], [false, false, undefined, false]);
    assert.deepEqual([launch.heartbeatMs, launch.electionMs, launch.quotaBackendBytes], [100, 1000, undefined]);
  });

  it('reads the StatefulSet of etcd\'s own documentation', () => {
    const launch = read(officialDocs());
    assert.equal(launch.name, 'etcd-1');
    assert.equal(launch.dataDir, '/var/lib/etcd');
    assert.equal(launch.carrier, 'args');
    assert.deepEqual(launch.advertiseClientURLs, ['http://etcd-1.etcd.db:2379']);
    assert.equal(Object.keys(launch.initialCluster).length, 3);
  });

  it('takes --flag value, -flag and switches, and the last of several', () => {
    const launch = read(sourceOf({
      name: 'etcd', image: 'x/etcd:3.6.16',
      command: ['etcd', '-name', 'a', '--force-new-cluster', '--data-dir', '/a', '--data-dir=/b', '--client-cert-auth', '--trusted-ca-file=/ca.crt'],
      args: ['--listen-client-urls=https://0.0.0.0:2379', '--listen-peer-urls=https://0.0.0.0:2380', '--peer-cert-file=/peer.crt', '--quota-backend-bytes=8589934592',
        '--heartbeat-interval=250', '--election-timeout', '2500'],
    }));
    assert.deepEqual([launch.name, launch.dataDir, launch.forceNewCluster], ['a', '/b', true]);
    assert.deepEqual([launch.clientTLS, launch.clientCertAuth], [true, true]);
    assert.deepEqual(launch.peerTLS, {certFile: '/peer.crt', clientCertAuth: false});
    assert.deepEqual([launch.quotaBackendBytes, launch.heartbeatMs, launch.electionMs], [8589934592, 250, 2500]);
  });

  it('fills in etcd\'s defaults', () => {
    const launch = read(sourceOf({name: 'etcd', image: 'x/etcd', command: ['/usr/local/bin/etcd'], workingDir: '/var/lib'}));
    assert.deepEqual([launch.name, launch.dataDir, launch.initialClusterState], ['default', '/var/lib/default.etcd', 'new']);
    assert.deepEqual(launch.listenClientURLs, ['http://localhost:2379']);
    assert.deepEqual(launch.initialCluster, {default: ['http://localhost:2380']});
    assert.deepEqual(launch.settings, {});
  });

  it('reads the environment form, with ConfigMaps, prefixes and expansion in order', () => {
    const launch = read(sourceOf({
      name: 'etcd', image: 'registry.k8s.io/etcd:3.6.5-0',
      envFrom: [{configMapRef: {name: 'common'}}, {prefix: 'ETCD_', secretRef: {name: 'secret'}}, {configMapRef: {name: 'none', optional: true}}],
      env: [
        {name: 'POD', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}},
        {name: 'IP', valueFrom: {fieldRef: {fieldPath: 'status.podIP'}}},
        {name: 'APP', valueFrom: {fieldRef: {fieldPath: 'metadata.labels[\'app\']'}}},
        {name: 'ETCD_NAME', value: '$(POD)'},
        {name: 'ETCD_DATA_DIR', value: '/bitnami/etcd/data'},
        {name: 'ETCD_LISTEN_PEER_URLS', value: 'http://$(IP):2380'},
        {name: 'ETCD_ADVERTISE_CLIENT_URLS', value: 'http://$(POD).$(APP):2379'},
        {name: 'ETCD_LOG_OUTPUTS', value: '$$(POD)'},
        {name: 'ETCD_INITIAL_CLUSTER', valueFrom: {configMapKeyRef: {name: 'common', key: 'peers'}}},
        {name: 'ETCD_WAL_DIR', value: ''},
        {name: 'ETCD_SERVICE_HOST', value: '10.0.0.1'},
      ],
    }, {
      configMaps: name => (name === 'common' ? {peers: 'etcd-0=http://a:2380,etcd-1=http://b:2380', ETCD_DATA_DIR: '/shadowed'} : undefined),
      secrets: name => (name === 'secret' ? {INITIAL_CLUSTER_TOKEN: 'token'} : undefined),
    }));
    assert.equal(launch.carrier, 'env');
    assert.deepEqual([launch.name, launch.dataDir, launch.walDir], ['etcd-1', '/bitnami/etcd/data', undefined]);
    assert.deepEqual(launch.listenPeerURLs, ['http://<status.podIP>:2380']);
    assert.deepEqual(launch.initialCluster, {'etcd-0': ['http://a:2380'], 'etcd-1': ['http://b:2380']});
    assert.equal(launch.initialClusterToken, 'token');
    assert.equal(launch.settings['service-host'], undefined);
    assert.equal(launch.settings['log-outputs'], '$(POD)');
    assert.deepEqual(launch.advertiseClientURLs, ['http://etcd-1.etcd-app:2379']);
  });

  it('says when a ConfigMap of the environment is not there', () => {
    refused(sourceOf({name: 'etcd', image: 'x/etcd:1', envFrom: [{configMapRef: {name: 'gone'}}]}), 'MissingConfig', /ConfigMap gone/);
    refused(sourceOf({name: 'etcd', image: 'x/etcd:1', env: [{name: 'A', valueFrom: {secretKeyRef: {name: 's', key: 'k'}}}]}), 'MissingConfig', /key k of Secret s/);
  });

  it('does not read past the entrypoint of an image that rewrites its settings', () => {
    refused(sourceOf({name: 'etcd', image: 'docker.io/bitnami/etcd:3.6.5', env: [{name: 'ETCD_NAME', value: 'a'}]}), 'LaunchNotUnderstood', /spec\.target\.launch/);
  });

  it('names a flag that is also in the environment, as etcd would not start', () => {
    refused(sourceOf({name: 'etcd', command: ['etcd', '--name=a'], env: [{name: 'ETCD_NAME', value: ''}]}), 'LaunchNotUnderstood', /--name and ETCD_NAME/);
  });

  it('refuses what is not etcd, and takes target.launch instead of an opaque script', () => {
    refused(sourceOf({name: 'web', image: 'nginx:1'}), 'NotEtcd', /nginx/);
    refused(sourceOf({name: 'etcd', image: 'x/etcd:1', command: ['etcdctl', 'endpoint', 'health']}), 'NotEtcd', /does not run etcd/);
    const gardener = {name: 'etcd', image: 'europe-docker.pkg.dev/gardener-project/etcd-wrapper:v0.6', args: ['start-etcd', '--backup-restore-host-port=b:8080']};
    refused(sourceOf(gardener), 'LaunchNotUnderstood', /start-etcd.*spec\.target\.launch/);
    const launch = read(sourceOf(gardener, {launch: {command: ['etcd'], args: ['--name=a', '--data-dir=/d']}}));
    assert.equal(launch.dataDir, '/d');
  });

  it('leaves a reference that nobody defines as it is, and refuses it where it matters', () => {
    refused(sourceOf({name: 'etcd', command: ['etcd', '--name=$(NOBODY)']}), 'LaunchNotUnderstood', /\$\(NOBODY\) in --name/);
    assert.equal(read(sourceOf({name: 'etcd', command: ['etcd', '--log-outputs=$(NOBODY)']})).settings['log-outputs'], '$(NOBODY)');
  });
});

describe('readLaunch of a configuration file', () => {
  const yaml = [
    '# the file', 'name: etcd-1', 'data-dir: /data', 'listen-client-urls: https://0.0.0.0:2379', 'listen-peer-urls: https://0.0.0.0:2380',
    'initial-cluster: etcd-0=https://a:2380,etcd-1=https://b:2380', 'initial-cluster-state: new', 'quota-backend-bytes: 4294967296',
    'client-transport-security:', '  cert-file: /tls/c.crt', '  client-cert-auth: true', 'peer-transport-security:', '  trusted-ca-file: /tls/p-ca.crt', '',
  ].join('\n');
  const withVolume = (container: Partial<V1Container>, spec: Partial<V1PodSpec>): LaunchSource =>
    sourceOf({name: 'etcd', image: 'x/etcd:3.5.35', ...container}, {configMaps: name => (name === 'conf' ? {'etcd.conf.yml': yaml, 'etcd-1.yaml': yaml} : undefined)}, spec);

  it('finds it in a ConfigMap mounted as a directory, and ignores flags and variables beside it', () => {
    const launch = read(withVolume({
      command: ['etcd', '--config-file=/etc/etcd/etcd.conf.yml', '--name=ignored'], env: [{name: 'ETCD_DATA_DIR', value: '/ignored'}],
      volumeMounts: [{name: 'conf', mountPath: '/etc/etcd/'}],
    }, {volumes: [{name: 'conf', configMap: {name: 'conf'}}]}));
    assert.equal(launch.carrier, 'configFile');
    assert.deepEqual([launch.name, launch.dataDir, launch.quotaBackendBytes], ['etcd-1', '/data', 4294967296]);
    assert.deepEqual([launch.clientTLS, launch.clientCertAuth], [true, true]);
    assert.deepEqual(launch.peerTLS, {trustedCAFile: '/tls/p-ca.crt', clientCertAuth: true});
  });

  it('finds it by ETCD_CONFIG_FILE and subPath, by items, by subPathExpr and in a projected volume', () => {
    const volumes = [{name: 'conf', configMap: {name: 'conf'}}];
    const env = [{name: 'ETCD_CONFIG_FILE', value: '/etc/etcd.yml'}];
    const pod = {name: 'POD', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}};
    read(withVolume({env, volumeMounts: [{name: 'conf', mountPath: '/etc/etcd.yml', subPath: 'etcd.conf.yml'}]}, {volumes}));
    read(withVolume({env: [pod, ...env], volumeMounts: [{name: 'conf', mountPath: '/etc/etcd.yml', subPathExpr: '$(POD).yaml'}]}, {volumes}));
    const items = [{key: 'etcd.conf.yml', path: 'deep/etcd.yml'}];
    const mount = [{name: 'conf', mountPath: '/conf'}, {name: 'other', mountPath: '/'}];
    read(withVolume({command: ['etcd', '--config-file', '/conf/deep/etcd.yml'], volumeMounts: mount}, {volumes: [{name: 'conf', configMap: {name: 'conf', items}}]}));
    read(withVolume({command: ['etcd', '--config-file', '/conf/deep/etcd.yml'], volumeMounts: mount},
      {volumes: [{name: 'conf', projected: {sources: [{configMap: {name: 'conf', items}}]}}]}));
  });

  it('says when it cannot be found', () => {
    const command = ['etcd', '--config-file=/etc/etcd/missing.yml'];
    const volumeMounts = [{name: 'conf', mountPath: '/etc/etcd'}];
    refused(withVolume({command, volumeMounts}, {volumes: [{name: 'conf', configMap: {name: 'conf'}}]}), 'MissingConfig', /missing\.yml.*ConfigMap conf/);
    refused(withVolume({command, volumeMounts}, {volumes: [{name: 'conf', emptyDir: {}}]}), 'LaunchNotUnderstood', /neither a ConfigMap nor a Secret/);
    refused(withVolume({command}, {}), 'LaunchNotUnderstood', /no volume/);
  });
});

describe('readLaunch of a shell script', () => {
  const env = [{name: 'POD_NAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}}];

  it('reads the peers-and-exec form', () => {
    const launch = read(shell([
      'PEERS="etcd-0=http://etcd-0.etcd:2380,etcd-1=http://etcd-1.etcd:2380"', '# a comment; with etcd --name=x',
      'exec etcd --name ${POD_NAME} \\', '  --listen-peer-urls http://0.0.0.0:2380 \\', '  --listen-client-urls=http://0.0.0.0:2379 \\',
      '  --advertise-client-urls "http://${POD_NAME}.etcd:2379" \\', '  --initial-cluster ${PEERS} --initial-cluster-token \'a b\' \\',
      '  --data-dir ${DATA:-/var/run/etcd/default.etcd}', 'echo never',
    ].join('\n'), {env}));
    assert.equal(launch.carrier, 'shell');
    assert.deepEqual([launch.name, launch.dataDir, launch.initialClusterToken], ['etcd-1', '/var/run/etcd/default.etcd', 'a b']);
    assert.deepEqual(launch.initialCluster['etcd-0'], ['http://etcd-0.etcd:2380']);
  });

  it('knows hostname, its options and what can be cut from it', () => {
    const script = 'ID=${HOSTNAME##*-}; SET=${HOSTNAME%-*}\nmkdir -p /data && exec /usr/local/bin/etcd --name=$(hostname) --data-dir=/data/$SET/$ID '
      + '--initial-advertise-peer-urls=http://$(hostname -f):2380 --advertise-client-urls=http://`hostname -s`.x:2379 --listen-peer-urls=http://$(hostname -i):2380';
    const launch = read(shell(script, {}, {serviceName: 'etcd-headless'}));
    assert.deepEqual([launch.name, launch.dataDir], ['etcd-1', '/data/etcd/1']);
    assert.deepEqual(launch.initialAdvertisePeerURLs, ['http://etcd-1.etcd-headless.db.svc.cluster.local:2380']);
    assert.deepEqual(launch.advertiseClientURLs, ['http://etcd-1.x:2379']);
    assert.deepEqual(launch.listenPeerURLs, ['http://<status.podIP>:2380']);
    refused(shell(script), 'LaunchNotUnderstood', /hostname -f/);
  });

  it('splits what stands unquoted, takes "$@", exported variables, env and redirections', () => {
    assert.equal(read(shell('ARGS="--name a --data-dir /d"; exec etcd $ARGS')).dataDir, '/d');
    assert.equal(read(sourceOf({name: 'etcd', command: ['bash', '-o', 'pipefail', '-c', 'exec etcd "$@"', '--'], args: ['--name=a b', '--data-dir=/d']})).name, 'a b');
    assert.equal(read(shell('export ETCD_NAME=b\nETCD_DATA_DIR=/d exec etcd 2>&1')).dataDir, '/d');
    assert.equal(read(shell('exec env ETCD_NAME=c etcd --data-dir=/d >> /log 2>&1')).name, 'c');
    assert.equal(read(shell('set -euo pipefail; etcd --name=a --data-dir=/d 2>&1 | tee -a /log')).settings['data-dir'], '/d');
  });

  it('takes what loops compute as unknown, which is fine for the initial cluster only', () => {
    const loop = 'for i in $(seq 0 2); do\n  PEERS="${PEERS}${PEERS:+,}etcd-$i=http://etcd-$i:2380"\ndone\nuntil nslookup $(hostname -f); do sleep 1; done\n';
    const launch = read(shell(`${loop}exec etcd --name=$HOSTNAME --initial-cluster=$PEERS --data-dir=/d`));
    assert.equal(launch.name, 'etcd-1');
    refused(shell(`${loop}exec etcd --name=$HOSTNAME --data-dir=/d/$PEERS`), 'LaunchNotUnderstood', /--data-dir/);
    refused(shell('[ -n "$X" ] && D=/a; exec etcd --data-dir=$D'), 'LaunchNotUnderstood', /D=\/a in --data-dir/);
  });

  const beyond: [string, RegExp][] = [
    ['if [ -d /data/member ]; then exec etcd --name=a; fi', /exec etcd/],
    ['case $HOSTNAME in etcd-0) exec etcd;; esac', /case/],
    ['start() { etcd --name=a; }\nstart', /start\(\)/],
    ['. /scripts/env.sh; exec etcd', /env\.sh/],
    ['/scripts/setup.sh && exec etcd', /setup\.sh/],
    ['etcd --name=a & wait', /etcd --name=a/],
    ['etcdctl member add x --peer-urls=y; exec etcd', /member add/],
    ['exec etcd --name=$(cat /name)', /cat \/name/],
    ['exec etcd --config-file=$(find /)', /find/],
    ['eval "etcd --name=a"', /eval/],
    ['exec etcd --name="a', /"a/],
    ['sleep 1', /no etcd command/],
    ['exec etcd <<EOF\nEOF', /<<EOF/],
    ['exec etcd --name=a serve', /serve/],
    ['etcd --name=a; etcd --name=b', /name=b/],
  ];
  for (const [script, fragment] of beyond) {
    it(`does not guess at: ${script.replaceAll('\n', ' ')}`, () => {
      refused(shell(script), 'LaunchNotUnderstood', fragment);
    });
  }

  it('does not guess at a script in a file', () => {
    refused(sourceOf({name: 'etcd', image: 'x/etcd:1', command: ['/bin/sh', '/scripts/run.sh']}), 'LaunchNotUnderstood', /run\.sh/);
  });
});

describe('the template that is read', () => {
  it('is not changed by reading', () => {
    const source = officialDocs();
    const before = JSON.stringify(source.template satisfies V1PodTemplateSpec);
    readLaunch(source);
    assert.equal(JSON.stringify(source.template), before);
  });
});
