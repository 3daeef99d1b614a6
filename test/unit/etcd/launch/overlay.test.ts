import type {V1Container, V1PodSpec} from '@kubernetes/client-node';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import {configAnnotation, overlayLaunch, readLaunch} from '../../../../src/etcd/launch/launch.ts';
import type {Launch, LaunchSource, Overlay} from '../../../../src/etcd/launch/launch.ts';
import {officialDocs, prototype, sourceOf} from './templates.ts';

function overlaid(source: LaunchSource, flags: Record<string, string>): {overlay: Overlay; after: LaunchSource} {
  const spec = source.template.spec as V1PodSpec;
  const before = JSON.stringify(source);
  const overlay = overlayLaunch(spec, {...source.template.metadata?.annotations, kept: 'yes'}, source, flags);
  assert.ok('podSpec' in overlay, JSON.stringify(overlay));
  assert.equal(JSON.stringify(source), before, 'the input was changed');
  assert.equal(overlay.annotations['kept'], 'yes');
  // The changed pod is read as it stands, without spec.target.launch.
  const {container, podName, namespace, configMaps: data} = source;
  return {overlay, after: {container, podName, namespace, configMaps: data, template: {metadata: {annotations: overlay.annotations}, spec: overlay.podSpec}}};
}

function launchOf(source: LaunchSource): Launch {
  const result = readLaunch(source);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.launch;
}

const conf = 'name: etcd-1 # mine\ndata-dir: /data\ninitial-cluster: a=http://a:1\ninitial-cluster-state: new\npeer-transport-security:\n  cert-file: /p.crt\n';
const configMaps = (name: string): Record<string, string> | undefined => (name === 'conf' ? {'etcd.yml': conf} : name === 'env' ? {ETCD_INITIAL_CLUSTER_STATE: 'new'} : undefined);
const volumes = [{name: 'conf', configMap: {name: 'conf'}}];
const volumeMounts = [{name: 'conf', mountPath: '/conf'}];
const script = (text: string, more: Partial<V1Container> = {}): LaunchSource => sourceOf({name: 'etcd', image: 'x/etcd:1', command: ['sh', '-c'], args: [text], ...more});

const forms: Record<string, LaunchSource> = {
  'args': sourceOf(prototype()),
  'the official documentation': officialDocs(),
  'everything in command': sourceOf({name: 'etcd', command: ['etcd', '--name=a', '--data-dir', '/data']}),
  'the image\'s own entrypoint with args': sourceOf({name: 'etcd', image: 'quay.io/coreos/etcd:v3.6.16', args: ['--name=a', '--data-dir=/data']}),
  'environment alone': sourceOf({name: 'etcd', image: 'quay.io/coreos/etcd:v3.6.16', env: [{name: 'ETCD_NAME', value: 'a'}, {name: 'ETCD_INITIAL_CLUSTER', value: 'a=b'}]}),
  'environment from a ConfigMap, other settings in args': sourceOf({
    name: 'etcd', command: ['etcd'], args: ['--name=a'], envFrom: [{configMapRef: {name: 'env'}}], env: [{name: 'ETCD_FORCE_NEW_CLUSTER', value: ''}],
  }, {configMaps}),
  'a configuration file by flag': sourceOf({name: 'etcd', command: ['etcd', '--config-file', '/conf/etcd.yml'], volumeMounts}, {configMaps}, {volumes}),
  'a configuration file by variable': sourceOf(
    {name: 'etcd', image: 'quay.io/coreos/etcd:v3.6.16', env: [{name: 'ETCD_CONFIG_FILE', value: '/conf/etcd.yml'}], volumeMounts}, {configMaps}, {volumes}),
  'a configuration file by subPath': sourceOf(
    {name: 'etcd', command: ['etcd', '--config-file=/etcd.yml'], volumeMounts: [{name: 'conf', mountPath: '/etcd.yml', subPath: 'etcd.yml'}]}, {configMaps}, {volumes}),
  'a configuration file by a script': sourceOf({name: 'etcd', command: ['sh', '-c', 'exec etcd --config-file=/conf/etcd.yml'], volumeMounts}, {configMaps}, {volumes}),
  'a script': script('P=a=http://a:1\nexec etcd --name $(hostname) \\\n  --initial-cluster $P --data-dir /d\nexit 1'),
  'a script with redirection and a pipe': script('mkdir -p /d && etcd --name=a --data-dir=/d 2>&1 | tee /log'),
  'a script that exports': script('export ETCD_INITIAL_CLUSTER=a=http://a:1 ETCD_NAME=a; ETCD_DATA_DIR=/d exec etcd'),
  'a script with $(VAR) of the kubelet in it': script('exec etcd --name=$(ME) --data-dir=/d $(MORE)', {env: [{name: 'ME', value: 'a'}, {name: 'MORE', value: '--log-level=info --logger=zap'}]}),
  'an opaque entrypoint with target.launch': sourceOf({name: 'etcd', image: 'bitnami/etcd:3', command: ['/run.sh'], args: ['x']}, {launch: {command: ['etcd'], args: ['--name=a']}}),
};

describe('overlayLaunch', () => {
  for (const [form, source] of Object.entries(forms)) {
    it(`changes flags where they live: ${form}`, () => {
      const flags = {
        'initial-cluster': 'etcd-0=https://etcd-0.etcd:2380,etcd-1=https://etcd-1.etcd:2380', 'initial-cluster-state': 'existing',
        'initial-cluster-token': 'it\'s $(ME) $HOME `x` "y" \\ $$', 'force-new-cluster': 'true',
      };
      const before = launchOf(source);
      const {overlay, after} = overlaid(source, flags);
      const launch = launchOf(after);
      assert.deepEqual(launch.initialCluster, {'etcd-0': ['https://etcd-0.etcd:2380'], 'etcd-1': ['https://etcd-1.etcd:2380']});
      assert.deepEqual([launch.initialClusterState, launch.initialClusterToken, launch.forceNewCluster], ['existing', flags['initial-cluster-token'], true]);
      assert.deepEqual([launch.name, launch.dataDir, launch.carrier], [before.name, before.dataDir, before.carrier]);
      assert.ok(overlay.differences.length >= 4);
      for (const flag of Object.keys(flags)) {
        const named = overlay.differences.some(text => text.includes(flag) || text.includes(`ETCD_${flag.toUpperCase().replaceAll('-', '_')}`));
        assert.ok(named, `${flag} in ${overlay.differences.join('; ')}`);
      }
      const again = overlaid(after, {'initial-cluster-state': 'new'});
      assert.equal(launchOf(again.after).initialClusterState, 'new');
    });

    it(`gives back any value that it is given: ${form}`, () => {
      const value = fc.string({unit: fc.constantFrom('a', ' ', '$', '(', ')', '\'', '"', '\\', '`', '{', '}', '=', ',', '#', ';', '&', '|', '*', '~', '!', ':')}).filter(text => text !== '');
      fc.assert(fc.property(value, text => {
        assert.equal(launchOf(overlaid(source, {'initial-cluster-token': text}).after).initialClusterToken, text);
      }), {numRuns: 60});
    });
  }

  it('keeps the comments of a configuration file and makes nothing outside the pod', () => {
    const {overlay} = overlaid(forms['a configuration file by flag'] as LaunchSource, {'force-new-cluster': 'true'});
    assert.match(overlay.annotations[configAnnotation] ?? '', /name: etcd-1 # mine/);
    assert.match(overlay.annotations[configAnnotation] ?? '', /^force-new-cluster: true$/m);
    assert.deepEqual(overlay.podSpec.volumes?.[1]?.downwardAPI?.items?.[0]?.fieldRef?.fieldPath, 'metadata.annotations[\'quorumrecovery.io/etcd-config\']');
  });

  it('empties the discovery settings when it sets the initial cluster, as etcd takes one of them only', () => {
    const {after} = overlaid(sourceOf({name: 'etcd', command: ['etcd', '--discovery-srv=example.org']}), {'initial-cluster': 'a=http://a:1'});
    assert.equal(launchOf(after).settings['discovery-srv'], '');
  });

  it('changes nothing where no flag is given', () => {
    const source = forms['args'] as LaunchSource;
    const {overlay} = overlaid(source, {});
    assert.deepEqual(overlay.podSpec, source.template.spec);
    assert.deepEqual(overlay.differences, []);
  });

  it('hands back why it does not understand the launch', () => {
    const source = sourceOf({name: 'etcd', image: 'x/etcd:1', command: ['/run.sh']});
    const result = overlayLaunch(source.template.spec as V1PodSpec, {}, source, {name: 'a'});
    assert.ok('ok' in result && !result.ok);
    assert.equal(result.reason, 'LaunchNotUnderstood');
  });
});
