import assert from 'node:assert/strict';
import {V1MicroTime} from '@kubernetes/client-node';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {OtherOperators} from '../../../src/operator/others.ts';
import {FakeClient, unavailable} from './fake-client.ts';
import {FakeClock} from './fake-clock.ts';

describe('whether another installation has a leader', () => {
  let client: FakeClient;
  let clock: FakeClock;
  let others: OtherOperators;
  const lease = (holderIdentity: string, renewed = 1) => client.seed('Lease', {
    metadata: {namespace: 'ops', name: 'a'}, spec: {holderIdentity, leaseDurationSeconds: 15, renewTime: new V1MicroTime(renewed)},
  });
  beforeEach(() => {
    client = new FakeClient();
    clock = new FakeClock();
    others = new OtherOperators(client, clock);
  });

  it('is denied where there is no Lease, and where nobody holds it', async () => {
    assert.equal(await others.lease('ops/a'), 'Free');
    lease('');
    assert.equal(await others.lease('ops/a'), 'Free');
  });
  it('is said of a Lease that is held, however old its times look, until it was not renewed for its duration by the own clock', async () => {
    lease('somebody');
    assert.equal(await others.lease('ops/a'), 'Held');
    await clock.advance(14_000);
    assert.equal(await others.lease('ops/a'), 'Held');
    await clock.advance(1_000);
    assert.equal(await others.lease('ops/a'), 'Free');
  });
  it('is said again from each renewal on', async () => {
    lease('somebody');
    await others.lease('ops/a');
    await clock.advance(16_000);
    lease('somebody', 2);
    assert.equal(await others.lease('ops/a'), 'Held');
    await clock.advance(14_000);
    assert.equal(await others.lease('ops/a'), 'Held');
  });
  it('is said of a Lease that may not be read, and is not known while the API server does not answer', async () => {
    client.intercept = () => { throw new ApiError({verb: 'get', kind: 'Lease', object: 'a', code: 403, reason: 'Forbidden', message: 'no'}); };
    assert.equal(await others.lease('ops/a'), 'Held');
    client.intercept = () => { throw unavailable('get', 'Lease'); };
    await assert.rejects(others.lease('ops/a'), /no answer/);
  });
});
