import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {findCondition, isTrue, removeCondition, setCondition} from '../../../src/operator/conditions.ts';
import {ConflictError, StatusWriter} from '../../../src/operator/status.ts';
import {FakeClient, unavailable} from './fake-client.ts';

const at = (text: string) => Date.parse(text);

function setUp() {
  const client = new FakeClient();
  const resource = client.seed('QuorumRecovery', {
    apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name: 'etcd', namespace: 'db'},
    spec: {target: {statefulSet: 'etcd'}} as QuorumRecovery['spec'], status: {phase: 'Watching', heldPods: ['etcd-1']},
  });
  return {client, resource, writer: new StatusWriter(client)};
}

describe('status writer', () => {
  it('writes what a mutation changed, on a copy', async () => {
    const {writer, resource} = setUp();
    const written = await writer.update(resource, (status) => {
      status.phase = 'Holding';
    });
    assert.equal(written.status?.phase, 'Holding');
    assert.deepEqual(written.status.heldPods, ['etcd-1']);
    assert.equal(resource.status?.phase, 'Watching');
    assert.notEqual(written.metadata.resourceVersion, resource.metadata.resourceVersion);
  });

  it('takes a returned status in place of the old one', async () => {
    const {writer, resource} = setUp();
    const written = await writer.update(resource, () => ({phase: 'Complete'}));
    assert.deepEqual(written.status, {phase: 'Complete'});
  });

  it('writes nothing when nothing changed, be it that a field became undefined that was not there', async () => {
    const {client, writer, resource} = setUp();
    const same = await writer.update(resource, (status) => {
      status.phase = 'Watching';
      Object.assign(status, {run: undefined});
    });
    assert.equal(same, resource);
    assert.deepEqual(client.calls, []);
  });

  it('throws ConflictError when someone else was faster, and overwrites nothing', async () => {
    const {client, writer, resource} = setUp();
    await client.patch('QuorumRecovery', 'db', 'etcd', {metadata: {labels: {touched: 'yes'}}});
    await assert.rejects(writer.update(resource, () => ({phase: 'Holding'})), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, /QuorumRecovery db\/etcd was changed by someone else/);
      return true;
    });
    assert.equal((await client.get('QuorumRecovery', 'db', 'etcd'))?.status?.phase, 'Watching');
  });

  it('passes every other failure on', async () => {
    const {client, writer, resource} = setUp();
    client.intercept = (verb, kind) => {
      throw unavailable(verb, kind);
    };
    await assert.rejects(writer.update(resource, () => ({phase: 'Holding'})), {name: 'ApiError', code: 0});
  });

  it('knows the state that its own last write made, until it is forgotten', async () => {
    const {client, writer, resource} = setUp();
    assert.equal(writer.isOwnWrite(resource), false);
    const written = await writer.update(resource, () => ({phase: 'Holding'}));
    assert.equal(writer.isOwnWrite(written), true);
    const touched = await client.patch('QuorumRecovery', 'db', 'etcd', {metadata: {labels: {touched: 'yes'}}});
    assert.equal(writer.isOwnWrite(touched), false);
    writer.forget(written);
    assert.equal(writer.isOwnWrite(written), false);
  });

  it('knows its own write also where the watch tells of it before the answer comes, and takes nothing else for it', async () => {
    const {client, writer, resource} = setUp();
    const answered = Promise.withResolvers<undefined>();
    client.intercept = async () => { await answered.promise; };
    const writing = writer.update(resource, () => ({phase: 'Holding'}));
    const seen = {...resource, metadata: {...resource.metadata, resourceVersion: '77'}, status: {phase: 'Holding' as const}};
    assert.equal(writer.isOwnWrite(seen), true);
    assert.equal(writer.isOwnWrite({...seen, status: {phase: 'Watching'}}), false);
    assert.equal(writer.isOwnWrite({...seen, spec: {...seen.spec, paused: true}}), false);
    assert.equal(writer.isOwnWrite({...seen, metadata: {...seen.metadata, deletionTimestamp: new Date()}}), false);
    answered.resolve(undefined);
    await writing;
    assert.equal(writer.isOwnWrite(seen), false, 'another version than the one that was written');
  });
});

describe('conditions', () => {
  const lost = {type: 'QuorumLost', reason: 'NoLeader', message: 'two of three are away'} as const;

  it('change their transition time only when their status flips', () => {
    const first = setCondition(undefined, {...lost, status: 'True'}, 1, at('2026-01-01T00:00:00.250Z'));
    assert.deepEqual(first, [{...lost, status: 'True', observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z'}]);
    const again = setCondition(first, {...lost, status: 'True', message: 'all are away'}, 2, at('2026-01-01T00:05:00Z'));
    assert.equal(again[0]?.lastTransitionTime, '2026-01-01T00:00:00Z');
    assert.equal(again[0].message, 'all are away');
    assert.equal(again[0].observedGeneration, 2);
    const flipped = setCondition(again, {...lost, status: 'False'}, 2, at('2026-01-01T00:06:00Z'));
    assert.equal(flipped[0]?.lastTransitionTime, '2026-01-01T00:06:00Z');
  });

  it('keep their place, and leave the given list alone', () => {
    const given = setCondition(setCondition([], {...lost, status: 'True'}, 1, 0), {...lost, type: 'Ready', status: 'False'}, 1, 0);
    const changed = setCondition(given, {...lost, status: 'False'}, 1, 0);
    assert.deepEqual(changed.map(({type, status}) => `${type}=${status}`), ['QuorumLost=False', 'Ready=False']);
    assert.deepEqual(given.map(({status}) => status), ['True', 'False']);
  });

  it('go and are found by type', () => {
    const list = setCondition([], {...lost, type: 'Stalled', status: 'True'}, 1, 0);
    assert.equal(isTrue(list, 'Stalled'), true);
    assert.equal(isTrue(list, 'Ready'), false);
    assert.equal(findCondition(list, 'Stalled')?.reason, 'NoLeader');
    assert.deepEqual(removeCondition(list, 'Stalled'), []);
    assert.deepEqual(removeCondition(undefined, 'Stalled'), []);
  });
});
