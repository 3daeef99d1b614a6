import assert from 'node:assert/strict';
import type {V1ControllerRevision, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {templatesOf} from '../../../src/kubernetes/revisions.ts';

const template = (image: string) => ({metadata: {labels: {app: 'etcd'}}, spec: {containers: [{name: 'etcd', image}]}});
const revision = (name: string, image: string): V1ControllerRevision =>
  ({metadata: {name}, revision: 1, data: {spec: {template: {...template(image), $patch: 'replace'}}} as never});

function setOf(more: Partial<NonNullable<V1StatefulSet['spec']>> = {}, status: Partial<NonNullable<V1StatefulSet['status']>> = {}): V1StatefulSet {
  return {
    metadata: {name: 'etcd', generation: 2}, spec: {replicas: 3, selector: {}, template: template('spec'), ...more},
    status: {replicas: 3, observedGeneration: 2, currentRevision: 'old', updateRevision: 'new', ...status},
  };
}
const pod = (index: number, hash: string): V1Pod => ({metadata: {name: `etcd-${index}`, labels: {'apps.kubernetes.io/pod-index': String(index), 'controller-revision-hash': hash}}});
const revisions = [revision('old', 'old-image'), revision('new', 'new-image')];
const imageOf = (set: V1StatefulSet, ordinal: number) => {
  const picked = templatesOf(set, revisions, []).of(ordinal);
  return `${picked.revision} ${picked.template.spec?.containers[0]?.image ?? ''}`;
};

describe('the revision that a pod of the set is made from', () => {
  it('is the update revision', () => { assert.equal(imageOf(setOf(), 0), 'new new-image'); });
  it('is the current revision below the partition', () => {
    const set = setOf({updateStrategy: {type: 'RollingUpdate', rollingUpdate: {partition: 2}}});
    assert.deepEqual([0, 1, 2].map((ordinal) => imageOf(set, ordinal)), ['old old-image', 'old old-image', 'new new-image']);
  });
  it('counts the partition from the first ordinal', () => {
    const set = setOf({ordinals: {start: 5}, updateStrategy: {type: 'RollingUpdate', rollingUpdate: {partition: 1}}});
    assert.deepEqual([5, 6].map((ordinal) => imageOf(set, ordinal)), ['old old-image', 'new new-image']);
  });
  it('is the update revision with OnDelete', () => { assert.equal(imageOf(setOf({updateStrategy: {type: 'OnDelete'}}), 0), 'new new-image'); });
  it('falls back to the set\'s own template where a revision cannot be found', () => {
    assert.equal(templatesOf(setOf({}, {updateRevision: 'unknown'}), revisions, []).of(0).template.spec?.containers[0]?.image, 'spec');
  });
  it('carries no $patch', () => { assert.equal('$patch' in templatesOf(setOf(), revisions, []).of(0).template, false); });
});

describe('a rollout', () => {
  const rollout = (set: V1StatefulSet, ...pods: V1Pod[]) => templatesOf(set, revisions, pods).rollout;
  it('is none when every pod is of the newest revision', () => { assert.equal(rollout(setOf(), pod(0, 'new'), pod(1, 'new')), undefined); });
  it('is under way while a pod is of an older one, and names it', () => { assert.match(rollout(setOf(), pod(0, 'old'), pod(1, 'new')) ?? '', /etcd-0 still of an older revision than new/); });
  it('leaves pods below the partition alone', () => {
    assert.equal(rollout(setOf({updateStrategy: {type: 'RollingUpdate', rollingUpdate: {partition: 1}}}), pod(0, 'old'), pod(1, 'new')), undefined);
  });
  it('is none with OnDelete: the controller deletes nothing', () => { assert.equal(rollout(setOf({updateStrategy: {type: 'OnDelete'}}), pod(0, 'old')), undefined); });
  it('may begin when the controller has not seen the newest spec', () => { assert.match(rollout(setOf({}, {observedGeneration: 1}), pod(0, 'new')) ?? '', /has not looked at it yet/); });
});
