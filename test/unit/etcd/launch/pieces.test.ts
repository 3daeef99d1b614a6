import type {V1PodSpec} from '@kubernetes/client-node';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import {escapeReferences, expand, expandWithOffsets} from '../../../../src/etcd/launch/expand.ts';
import {containerIsEtcd, findContainer, membershipHooks, mountOf, withoutMembershipHooks} from '../../../../src/etcd/launch/launch.ts';

describe('expansion of $(VAR)', () => {
  const known: Record<string, string> = {A: 'a', B: '$(A)', EMPTY: ''};
  const lookup = (name: string): string | undefined => known[name];
  // The table of the kubelet's own test (third_party/forked/golang/expansion/expand_test.go), as far as it differs.
  const cases: [string, string][] = [
    ['$(A)', 'a'], ['$(A)$(A)', 'aa'], ['x-$(B)', 'x-$(A)'], ['$$(A)', '$(A)'], ['$$$(A)', '$a'], ['$$$$(A)', '$$(A)'], ['$(NONE)', '$(NONE)'], ['$(EMPTY)', ''],
    ['$', '$'], ['a$', 'a$'], ['$A', '$A'], ['${A}', '${A}'], ['$(A', '$(A'], ['$)', '$)'], ['$(A))', 'a)'], ['$()', '$()'], ['$$', '$'], ['', ''],
    ['$(hostname -f)', '$(hostname -f)'], ['foo$$bar$(A)', 'foo$bara'], ['$%()', '$%()'],
  ];
  for (const [text, expected] of cases) {
    it(`gives ${expected || 'nothing'} for ${text || 'nothing'}`, () => {
      assert.equal(expand(text, lookup), expected);
    });
  }

  it('does not touch what was escaped', () => {
    fc.assert(fc.property(fc.string({unit: fc.constantFrom('$', '(', ')', 'A', ' ')}), text => {
      assert.equal(expand(escapeReferences(text), lookup), text);
    }));
  });

  it('tells where a place was before', () => {
    const {text, originalOffset} = expandWithOffsets('x $(A)y $$ z', lookup);
    assert.equal(text, 'x ay $ z');
    assert.deepEqual([0, 2, 3, 7, 8].map(originalOffset), [0, 2, 6, 11, 12]);
    assert.equal(expandWithOffsets('$(L)', () => 'long').originalOffset(2), undefined);
  });
});

describe('findContainer', () => {
  const find = (containers: V1PodSpec['containers'], wanted?: string): string => {
    const found = findContainer({containers}, wanted);
    return found.ok ? found.container.name : `${found.reason}: ${found.message}`;
  };

  it('takes the named one, the only one, the one called etcd, the one that looks like it', () => {
    assert.equal(find([{name: 'a'}, {name: 'etcd'}], 'a'), 'a');
    assert.equal(find([{name: 'a'}]), 'a');
    assert.equal(find([{name: 'a'}, {name: 'etcd'}]), 'etcd');
    assert.equal(find([{name: 'a'}, {name: 'b', command: ['/usr/bin/etcd']}]), 'b');
    assert.equal(find([{name: 'a'}, {name: 'b', image: 'registry.k8s.io/etcd:3.6.5-0'}, {name: 'c', image: 'x/etcd:1', command: ['etcdctl']}]), 'b');
  });

  it('names the containers where it cannot choose', () => {
    assert.match(find([{name: 'a'}, {name: 'b'}]), /NoContainer: none of the containers a, b/);
    assert.match(find([{name: 'a', command: ['etcd']}, {name: 'b', command: ['etcd']}]), /NoContainer: .*\(a, b\)/);
    assert.match(find([{name: 'a'}], 'x'), /no container x; it has a/);
  });

  it('knows etcd by command, script, environment and image', () => {
    assert.ok(containerIsEtcd({name: 'a', command: ['sh', '-c', 'exec etcd --name=a']}));
    assert.ok(containerIsEtcd({name: 'a', command: ['sh', '-c', 'exec /bin/etcd \\\n --name=a']}));
    assert.ok(containerIsEtcd({name: 'a', env: [{name: 'ETCD_DATA_DIR', value: '/'}]}));
    assert.ok(containerIsEtcd({name: 'a', image: 'quay.io:443/coreos/etcd:v3.5.0@sha256:00'}));
    assert.ok(!containerIsEtcd({name: 'a', image: 'gcr.io/etcd-development/etcd-operator:v1'}));
    assert.ok(!containerIsEtcd({name: 'a', image: 'x/etcd', command: ['etcdctl', 'defrag']}));
  });
});

describe('mountOf', () => {
  const spec: V1PodSpec = {
    containers: [{
      name: 'etcd',
      volumeMounts: [
        {name: 'data', mountPath: '/var/lib/etcd', subPath: 'x'}, {name: 'wal', mountPath: '/var/lib/etcd/wal/'}, {name: 'tmp', mountPath: '/tmp'},
        {name: 'claim', mountPath: '/claim', readOnly: true}, {name: 'expr', mountPath: '/expr', subPathExpr: '$(POD)/a'},
      ],
    }],
    volumes: [{name: 'tmp', emptyDir: {}}, {name: 'claim', persistentVolumeClaim: {claimName: 'c'}}, {name: 'expr', hostPath: {path: '/h'}}],
  };
  const look = (path: string, options = {}): string => {
    const mount = mountOf(spec, 'etcd', path, options);
    return mount === undefined ? 'none' : `${mount.volume} ${mount.kind} ${mount.claimName ?? '-'} ${mount.mountPath} [${mount.pathInVolume}]`;
  };

  it('finds the deepest mount that holds a path', () => {
    assert.equal(look('/var/lib/etcd/'), 'data claimTemplate - /var/lib/etcd [x]');
    assert.equal(look('/var/lib/etcd/d/../e'), 'data claimTemplate - /var/lib/etcd [x/e]');
    assert.equal(look('/var/lib/etcd/wal'), 'wal claimTemplate - /var/lib/etcd/wal/ []');
    assert.equal(look('/var/lib/etcd/wal2'), 'data claimTemplate - /var/lib/etcd [x/wal2]');
    assert.equal(look('/tmp/a'), 'tmp emptyDir - /tmp [a]');
    assert.equal(look('/claim'), 'claim persistentVolumeClaim c /claim []');
    assert.equal(look('/expr/b', {expand: (text: string) => text.replace('$(POD)', 'p')}), 'expr hostPath - /expr [p/a/b]');
    assert.equal(look('/tmpx'), 'none');
    assert.equal(look('/var/lib'), 'none');
    assert.equal(mountOf(spec, 'other', '/tmp'), undefined);
  });

  it('counts a claim template before a volume of the same name', () => {
    assert.match(look('/claim', {claimTemplates: ['claim']}), /claimTemplate/);
    assert.match(look('/var/lib/etcd', {claimTemplates: []}), /unknown/);
  });
});

describe('membershipHooks', () => {
  const spec: V1PodSpec = {
    initContainers: [{name: 'join', command: ['sh', '-c', 'curl -X POST http://etcd:2379/v3/cluster/member/add -d x']}],
    containers: [
      {name: 'etcd', command: ['etcd', '--initial-cluster-state=new'], lifecycle: {
        preStop: {exec: {command: ['/bin/sh', '-ec', 'sleep 1\netcdctl --endpoints=$E member  remove $(cat id)\n']}}, postStart: {exec: {command: ['true']}},
      }},
      {name: 'backup', command: ['etcdctl', 'snapshot', 'save', 'x']},
      {name: 'janitor', args: ['etcdctl', 'member', 'remove', '1']},
      {name: 'lister', args: ['etcdctl', 'member', 'list'], lifecycle: {postStart: {exec: {command: ['/opt/bitnami/scripts/etcd/prestop.sh']}}}},
    ],
  };

  it('names what adds and removes members, and nothing that only looks', () => {
    assert.deepEqual(membershipHooks(spec, 'etcd').map(({container, where, what}) => `${container} ${where}: ${what}`), [
      'etcd preStop: member  remove $(cat id)', 'janitor sidecar: member remove 1', 'join initContainer: /v3/cluster/member/add -d x',
    ]);
  });

  it('takes them out and leaves the rest', () => {
    const before = JSON.stringify(spec);
    const {podSpec, differences} = withoutMembershipHooks(spec, 'etcd');
    assert.equal(JSON.stringify(spec), before);
    assert.equal(podSpec.containers[0]?.lifecycle?.preStop, undefined);
    assert.ok(podSpec.containers[0]?.lifecycle?.postStart);
    assert.deepEqual(podSpec.containers.map(({name}) => name), ['etcd', 'backup', 'lister']);
    assert.equal(differences.length, 3);
    assert.deepEqual(membershipHooks(podSpec, 'etcd'), []);
  });
});
