import assert from 'node:assert/strict';
import {kinds, pathOf, requireVerb} from '../../../src/kubernetes/kinds.ts';
import type {Kind} from '../../../src/kubernetes/kinds.ts';
import {apiVersion, kind, plural} from '../../../src/api/types.ts';

describe('table of kinds', () => {
  it('refuses a verb that the operator has no right to', () => {
    assert.throws(() => {
      requireVerb('StatefulSet', 'patch');
    }, /no right to patch statefulsets.*kinds\.ts/);
    assert.throws(() => {
      requireVerb('Secret', 'list');
    }, TypeError);
    requireVerb('Pod', 'delete');
  });

  it('grants nothing that changes a StatefulSet or a Secret', () => {
    for (const name of ['StatefulSet', 'Secret', 'Node', 'ConfigMap'] as const) {
      const changing = kinds[name].verbs.filter((verb) => !['get', 'list', 'watch'].includes(verb));
      assert.deepEqual(changing, [], name);
    }
  });

  it('names our own resource as the CRD does', () => {
    const {QuorumRecovery} = kinds;
    assert.deepEqual([QuorumRecovery.apiVersion, QuorumRecovery.kind, QuorumRecovery.plural], [apiVersion, kind, plural]);
  });

  const paths: [Kind, string | undefined, string | undefined, string][] = [
    ['Pod', 'db', 'etcd-0', '/api/v1/namespaces/db/pods/etcd-0'],
    ['Pod', undefined, undefined, '/api/v1/pods'],
    ['Pod/log', 'db', 'etcd-0', '/api/v1/namespaces/db/pods/etcd-0/log'],
    ['Node', undefined, 'node-1', '/api/v1/nodes/node-1'],
    ['StatefulSet', 'db', undefined, '/apis/apps/v1/namespaces/db/statefulsets'],
    ['QuorumRecovery/status', 'db', 'etcd', '/apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries/etcd/status'],
    ['Event', 'db', undefined, '/apis/events.k8s.io/v1/namespaces/db/events'],
  ];
  for (const [kindName, namespace, name, path] of paths) {
    it(`knows the path ${path}`, () => {
      assert.equal(pathOf(kindName, namespace, name), path);
    });
  }

  it('refuses a namespace where there is none, and an object without its namespace', () => {
    assert.throws(() => pathOf('Node', 'db', 'node-1'), /not namespaced/);
    assert.throws(() => pathOf('Pod', undefined, 'etcd-0'), /needs its namespace/);
  });

  it('never lets a name escape its place in the path', () => {
    assert.equal(pathOf('Pod', 'db', '../secrets/x'), '/api/v1/namespaces/db/pods/..%2Fsecrets%2Fx');
  });
});
