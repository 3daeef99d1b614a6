import assert from 'node:assert/strict';
import {V1MicroTime} from '@kubernetes/client-node';
import type {EventsV1Event} from '@kubernetes/client-node';
import {EventRecorder} from '../../../src/operator/events.ts';
import type {EventToRecord} from '../../../src/operator/events.ts';
import {createLog} from '../../../src/operator/log.ts';
import {FakeClient, unavailable} from './fake-client.ts';
import {FakeClock} from './fake-clock.ts';

const regarding = {
  apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name: 'etcd', namespace: 'db', uid: 'u1', resourceVersion: '7'},
};
const event: EventToRecord = {regarding, type: 'Warning', reason: 'FencingUnproven', action: 'Recover', note: 'Waiting for node-1.'};

function setUp() {
  const client = new FakeClient();
  const clock = new FakeClock();
  let failures = 0;
  const recorder = new EventRecorder({
    client, clock, log: createLog('silent', 'test'), identity: 'operator-1', onFailure: () => {
      failures += 1;
    },
  });
  return {client, clock, recorder, failures: () => failures};
}

describe('event recorder', () => {
  it('says what happened, to what, and who says so', async () => {
    const {client, recorder} = setUp();
    const created: EventsV1Event[] = [];
    const create = client.create.bind(client);
    client.create = (kind, object, options) => {
      created.push(object as EventsV1Event);
      return create(kind, object, options);
    };
    recorder.record({...event, related: {apiVersion: 'v1', kind: 'Pod', metadata: {name: 'etcd-0', namespace: 'db'}}});
    await recorder.drain();
    const [first] = created;
    assert.ok(first?.metadata);
    assert.match(first.metadata.name ?? '', /^etcd\.[0-9a-f]{16}$/);
    assert.equal(first.metadata.namespace, 'db');
    assert.ok(first.eventTime instanceof V1MicroTime);
    const {reportingController, reportingInstance, type, reason, action, note, related} = first;
    assert.deepEqual({reportingController, reportingInstance, type, reason, action, note, related}, {
      reportingController: 'quorumrecovery.io/operator', reportingInstance: 'operator-1', type: 'Warning', reason: 'FencingUnproven',
      action: 'Recover', note: 'Waiting for node-1.', related: {apiVersion: 'v1', kind: 'Pod', name: 'etcd-0', namespace: 'db'},
    });
    assert.deepEqual(first.regarding, {
      apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', name: 'etcd', namespace: 'db', uid: 'u1', resourceVersion: '7',
    });
  });

  it('writes the same once in ten minutes, and anything else at once', async () => {
    const {client, clock, recorder} = setUp();
    const count = () => client.calls.length;
    recorder.record(event);
    recorder.record(event);
    recorder.record({...event, regarding: {...regarding, metadata: {...regarding.metadata, resourceVersion: '8'}}});
    assert.equal(count(), 1);
    recorder.record({...event, note: 'Waiting for node-2.'});
    recorder.record({...event, reason: 'Other'});
    recorder.record({...event, regarding: {...regarding, metadata: {...regarding.metadata, uid: 'u2'}}});
    assert.equal(count(), 4);
    await clock.advance(600_000);
    recorder.record(event);
    assert.equal(count(), 5);
    await recorder.drain();
  });

  it('cuts a note at 1024 bytes without breaking a character', async () => {
    const {client, recorder} = setUp();
    const notes: string[] = [];
    client.create = (_kind, object) => {
      notes.push((object as EventsV1Event).note ?? '');
      return Promise.resolve(object);
    };
    recorder.record({...event, note: 'é'.repeat(2_000)});
    recorder.record({...event, note: 'x'.repeat(1_024)});
    await recorder.drain();
    assert.ok(Buffer.byteLength(notes[0] ?? '') <= 1_024);
    assert.match(notes[0] ?? '', /^é{400,}…$/);
    assert.equal(notes[1], 'x'.repeat(1_024));
  });

  it('never throws, but counts what could not be written', async () => {
    const {client, recorder, failures} = setUp();
    client.intercept = (verb, kind) => {
      throw unavailable(verb, kind);
    };
    recorder.record(event);
    await recorder.drain();
    assert.equal(failures(), 1);
  });
});
