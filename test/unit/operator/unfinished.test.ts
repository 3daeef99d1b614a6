import assert from 'node:assert/strict';
import {createLog} from '../../../src/operator/log.ts';
import {keyText} from '../../../src/operator/keys.ts';
import {Selection} from '../../../src/operator/selection.ts';
import {enqueueUnfinished} from '../../../src/operator/unfinished.ts';
import {FakeClient, unavailable} from './fake-client.ts';
import {FakeClock, settle} from './fake-clock.ts';
import {resource} from './fake-feed.ts';

describe('runs that an earlier leader left on resources that are not served any more', () => {
  let client: FakeClient;
  let clock: FakeClock;
  let found: string[];
  const feed = {synced: true};
  const served = {namespaces: [], excludedNamespaces: [], namespaceSelector: '', resourceSelector: 'shard=a'};
  const seed = (name: string, operator: string, labels: Record<string, string>, finishedAt?: string) => client.seed('QuorumRecovery', resource(name, name, {
    metadata: {name, namespace: 'db', labels}, status: {run: {id: `run-${name}`, attempt: 1, startedAt: '2026-01-01T00:00:00Z', steps: [], operator, ...(finishedAt !== undefined && {finishedAt})}},
  }));
  const look = (settings = served) => enqueueUnfinished({
    client, feed, clock, log: createLog('silent', 'test'), selection: new Selection(settings), own: 'ops/a', enqueue: (key) => found.push(keyText(key)), signal: new AbortController().signal,
  });

  beforeEach(() => {
    client = new FakeClient();
    clock = new FakeClock();
    found = [];
    feed.synced = true;
    seed('left', 'ops/a', {shard: 'b'});
    seed('served', 'ops/a', {shard: 'a'});
    seed('ended', 'ops/a', {shard: 'b'}, '2026-01-01T00:01:00Z');
    seed('theirs', 'ops/b', {shard: 'b'});
  });

  it('are found by the Lease that they name, and nothing else is', async () => {
    await look();
    assert.deepEqual(found, ['db/left']);
  });
  it('are not looked for by one that serves everything', async () => {
    await look({...served, resourceSelector: ''});
    assert.deepEqual(client.calls, []);
  });
  it('are looked for only once it is known what is served, and again where the API server did not answer', async () => {
    feed.synced = false;
    const looking = look();
    await settle();
    assert.deepEqual(client.calls, []);
    feed.synced = true;
    client.intercept = () => { throw unavailable('list', 'QuorumRecovery'); };
    await clock.advance(200);
    await settle();
    assert.deepEqual(found, []);
    client.intercept = () => undefined;
    await clock.advance(5_000);
    await looking;
    assert.deepEqual(found, ['db/left']);
  });
});
