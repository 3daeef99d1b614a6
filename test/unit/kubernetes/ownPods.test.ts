import assert from 'node:assert/strict';
import type {V1StatefulSet} from '@kubernetes/client-node';
import {newClaim, claimName} from '../../../src/kubernetes/claims.ts';
import {isGated, ordinalsOf, ownPod, statefulSetPod} from '../../../src/kubernetes/ownPods.ts';

const set: V1StatefulSet = {
  apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name: 'etcd', namespace: 'db', uid: 'set-uid'},
  spec: {
    serviceName: 'peers', replicas: 3, selector: {matchLabels: {app: 'etcd'}},
    volumeClaimTemplates: [
      {metadata: {name: 'data', labels: {tier: 'db'}, annotations: {note: 'x'}}, spec: {accessModes: ['ReadWriteOnce']}}, {metadata: {name: 'wal'}, spec: {accessModes: ['ReadWriteOnce']}},
    ],
    template: {
      metadata: {labels: {app: 'etcd', 'controller-revision-hash': 'stale'}, annotations: {scrape: 'true'}, finalizers: ['example.com/keep']},
      spec: {containers: [{name: 'etcd'}], hostname: 'ignored', subdomain: 'ignored', volumes: [{name: 'data', emptyDir: {}}, {name: 'conf', configMap: {name: 'c'}}]},
    },
  },
};
const source = {set, ordinal: 2, template: set.spec?.template ?? {}, revision: 'etcd-abc'};

describe('the set\'s own pod', () => {
  it('is what newStatefulSetPod of the StatefulSet controller makes', () => {
    // Observed on Kubernetes 1.35: fields in metadata and spec beyond these come from the API server.
    assert.deepEqual(statefulSetPod(source), {
      apiVersion: 'v1', kind: 'Pod',
      metadata: {
        name: 'etcd-2', generateName: 'etcd-', namespace: 'db',
        labels: {app: 'etcd', 'apps.kubernetes.io/pod-index': '2', 'controller-revision-hash': 'etcd-abc', 'statefulset.kubernetes.io/pod-name': 'etcd-2'},
        annotations: {scrape: 'true'}, finalizers: ['example.com/keep'],
        ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: 'set-uid', controller: true, blockOwnerDeletion: true}],
      },
      spec: {
        containers: [{name: 'etcd'}], hostname: 'etcd-2', subdomain: 'peers',
        volumes: [
          {name: 'data', persistentVolumeClaim: {claimName: 'data-etcd-2', readOnly: false}}, {name: 'wal', persistentVolumeClaim: {claimName: 'wal-etcd-2', readOnly: false}},
          {name: 'conf', configMap: {name: 'c'}},
        ],
      },
    });
  });
  it('differs from the controller\'s by the run\'s annotation only, when it is not gated', () => {
    const {metadata, ...rest} = ownPod(source, 'run-1', false);
    const {metadata: controllers, ...same} = statefulSetPod(source);
    assert.deepEqual(rest, same);
    assert.deepEqual(metadata, {...controllers, annotations: {scrape: 'true', 'quorumrecovery.io/run': 'run-1'}});
  });
  it('carries the gate beside those of the template when it is held', () => {
    const gated = ownPod({...source, template: {...source.template, spec: {containers: [], schedulingGates: [{name: 'example.com/gate'}]}}}, 'run-1', true);
    assert.deepEqual(gated.spec?.schedulingGates, [{name: 'example.com/gate'}, {name: 'quorumrecovery.io/held'}]);
    assert.equal(isGated(gated), true);
    assert.equal(isGated(statefulSetPod(source)), false);
  });
  it('shares nothing with the template that could be changed in it', () => {
    const before = structuredClone(set);
    const pod = ownPod(source, 'run-1', true);
    pod.spec?.containers.push({name: 'other'});
    pod.metadata?.finalizers?.push('x');
    if (pod.metadata?.labels) pod.metadata.labels['x'] = 'y';
    assert.deepEqual(set, before);
  });
  it('has no subdomain where the set names no Service', () => {
    const {serviceName, ...spec} = set.spec ?? {selector: {}, template: {}};
    serviceName;
    assert.equal('subdomain' in (statefulSetPod({...source, set: {...set, spec}, template: {spec: {containers: []}}}).spec ?? {}), false);
  });
  it('counts its ordinals from spec.ordinals.start', () => {
    assert.deepEqual(ordinalsOf(set), [0, 1, 2]);
    assert.deepEqual(ordinalsOf({spec: {selector: {}, template: {}, replicas: 2, ordinals: {start: 5}}}), [5, 6]);
    assert.deepEqual(ordinalsOf({spec: {selector: {}, template: {}}}), [0]);
  });
});

describe('a claim of the set', () => {
  const [template] = set.spec?.volumeClaimTemplates ?? [];
  it('is named template, set and ordinal', () => { assert.equal(claimName(set, template ?? {}, 2), 'data-etcd-2'); });
  it('is what the controller makes: the template with the set\'s selector as labels', () => {
    assert.deepEqual(newClaim(set, template ?? {}, 2), {
      apiVersion: 'v1', kind: 'PersistentVolumeClaim',
      metadata: {name: 'data-etcd-2', namespace: 'db', labels: {tier: 'db', app: 'etcd'}, annotations: {note: 'x'}}, spec: {accessModes: ['ReadWriteOnce']},
    });
  });
});
