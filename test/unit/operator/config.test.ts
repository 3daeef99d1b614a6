import assert from 'node:assert/strict';
import {parseConfig} from '../../../src/operator/config.ts';
import type {OperatorConfig, Surroundings} from '../../../src/operator/config.ts';
import {settings} from '../../../src/operator/settings.ts';

const files: Record<string, string> = {'/var/run/secrets/kubernetes.io/serviceaccount/namespace': 'operators\n'};
const inPod: Surroundings = {
  readFile: (path) => path.endsWith('package.json') ? '{"version": "1.2.3"}' : files[path],
  hostname: () => 'host-1',
};
const outside: Surroundings = {...inPod, readFile: () => undefined};

function config(args: string[] = [], env: Record<string, string> = {}, surroundings = inPod): OperatorConfig {
  const invocation = parseConfig(args, env, surroundings);
  assert.equal(invocation.kind, 'Run', JSON.stringify(invocation));
  return invocation.config;
}

function refusal(args: string[], env: Record<string, string> = {}, surroundings = inPod): string {
  const invocation = parseConfig(args, env, surroundings);
  assert.equal(invocation.kind, 'Refuse');
  return invocation.message;
}

describe('configuration', () => {
  it('has a default for everything but the image of the agent', () => {
    assert.deepEqual(config(), {
      kubeconfig: undefined, namespaces: [], excludedNamespaces: [], namespaceSelector: '', resourceSelector: '', agentImage: undefined, leaderElect: true, concurrency: 32, concurrentRuns: 20, concurrentBackups: 10, port: 8080, logLevel: 'info',
      lease: {namespace: 'operators', name: 'quorum-recovery-operator', durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000},
      identity: 'host-1', resyncMs: 30_000, version: '1.2.3',
    });
  });

  it('reads flags in both forms, and the environment; a flag wins', () => {
    const env = {WATCH_NAMESPACES: 'a, b', AGENT_IMAGE: 'image:1', PORT: '9090', POD_NAME: 'operator-x', POD_NAMESPACE: 'system', LOG_LEVEL: ''};
    const read = config(['--port', '9999', '--log-level=debug', '--leader-elect=false', '--resync=5'], env);
    assert.deepEqual(read.namespaces, ['a', 'b']);
    assert.deepEqual([read.agentImage, read.port, read.logLevel, read.leaderElect, read.resyncMs], ['image:1', 9999, 'debug', false, 5_000]);
    assert.deepEqual([read.identity, read.lease.namespace], ['operator-x', 'system']);
  });

  it('takes namespaces that are left to another installation', () => {
    assert.deepEqual(config(['--exclude-namespaces=a,b']).excludedNamespaces, ['a', 'b']);
    assert.deepEqual(config([], {EXCLUDE_NAMESPACES: 'a'}).excludedNamespaces, ['a']);
  });

  it('takes label selectors of namespaces and of resources, as the API server is given them', () => {
    const read = config(['--namespace-selector', ' team in (db, queue),!legacy ', '--exclude-namespaces=a'], {RESOURCE_SELECTOR: 'shard=a'});
    assert.deepEqual([read.namespaceSelector, read.resourceSelector], ['team in (db, queue),!legacy', 'shard=a']);
  });

  it('takes a switch without a value for true', () => {
    assert.equal(config(['--leader-elect', '--port=1'], {LEADER_ELECT: 'false'}).leaderElect, true);
  });

  it('leaves KUBECONFIG to client-node, which merges a list of files, and takes a flag as one path', () => {
    assert.equal(config([], {KUBECONFIG: '/a:/b'}).kubeconfig, undefined);
    assert.equal(config(['--kubeconfig=/c'], {KUBECONFIG: '/a:/b'}).kubeconfig, '/c');
  });

  it('needs a namespace for the Lease only where there is an election', () => {
    assert.match(refusal([], {}, outside), /^--lease-namespace \(or POD_NAMESPACE\) is needed outside a pod/);
    assert.equal(config(['--leader-elect=false'], {}, outside).lease.namespace, '');
  });

  const refused: [string, string[], Record<string, string>, RegExp][] = [
    ['an unknown flag', ['--prot=1'], {}, /^unknown flag --prot=1; see --help/],
    ['an argument', ['run'], {}, /^unknown argument run/],
    ['a flag without its value', ['--port'], {}, /^--port needs a value: --port=PORT/],
    ['a flag whose value is another flag', ['--port', '--resync=1'], {}, /^--port needs a value/],
    ['a bad number', ['--port=http'], {}, /^--port must be a port number, but is "http"/],
    ['a port out of range', ['--port=65536'], {}, /^--port must be a port number/],
    ['a bad number in the environment', [], {RESYNC_SECONDS: 'soon'}, /^RESYNC_SECONDS \(--resync\) must be a number of seconds, but is "soon"/],
    ['a resync of nothing', ['--resync=0'], {}, /^--resync must be at least 1 seconds/],
    ['a half worker', ['--concurrent-reconciles=1.5'], {}, /^--concurrent-reconciles must be a whole number/],
    ['a level that does not exist', ['--log-level=loud'], {}, /^--log-level must be one of trace, debug,/],
    ['a switch that is neither on nor off', ['--leader-elect=maybe'], {}, /^--leader-elect must be true or false/],
    ['a namespace that cannot be one', ['--namespaces=a,B'], {}, /^--namespaces must be a name of lower-case/],
    ['namespaces that are served and others that are not', ['--namespaces=a', '--exclude-namespaces=b'], {}, /^--exclude-namespaces leaves namespaces out of all, so that --namespaces/],
    ['a selector that is none', ['--resource-selector=shard==a=b'], {}, /^--resource-selector must be a label selector \("shard==a=b" is no requirement on a label\), but is/],
    ['namespaces by their names and by their labels', ['--namespaces=a', '--namespace-selector=b'], {}, /^--namespace-selector picks namespaces by their labels and --namespaces by their names/],
    ['labels without a Lease', ['--resource-selector=shard=a', '--leader-elect=false'], {}, /^--resource-selector needs --leader-elect/],
    ['no run at all', ['--concurrent-runs=0'], {}, /^--concurrent-runs must be at least 1/],
    ['no backup at all', ['--concurrent-backups=0'], {}, /^--concurrent-backups must be at least 1/],
    ['lease times that let two lead', ['--lease-duration=10'], {}, /^--lease-duration \(10 s\) must be longer than --lease-renew-deadline/],
    ['a renew deadline with one try', ['--lease-retry-period=9'], {}, /^--lease-renew-deadline \(10 s\) must be longer than 1\.2 times/],
  ];
  for (const [what, args, env, message] of refused) {
    it(`refuses ${what} and names the flag`, () => {
      assert.match(refusal(args, env), message);
    });
  }

  it('explains every flag with its variable and its default', () => {
    const help = parseConfig(['--help'], {}, inPod);
    assert.equal(help.kind, 'Show');
    for (const {flag, env, meaning} of Object.values(settings)) {
      for (const part of [`--${flag}`, `Environment: ${env}.`, meaning]) assert.ok(help.text.includes(part), part);
    }
    assert.deepEqual(parseConfig(['--version'], {}, inPod), {kind: 'Show', text: '1.2.3\n'});
  });

  it('gives no two settings the same flag or variable', () => {
    const all = Object.values(settings);
    assert.equal(new Set(all.map(({flag}) => flag)).size, all.length);
    assert.equal(new Set(all.map(({env}) => env)).size, all.length);
  });
});
