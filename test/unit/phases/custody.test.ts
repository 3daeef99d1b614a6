import assert from 'node:assert/strict';
import type {QuorumRecovery, Run} from '../../../src/api/types.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import type {EventRecorder} from '../../../src/operator/events.ts';
import {createLog} from '../../../src/operator/log.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {ConflictError, StatusWriter} from '../../../src/operator/status.ts';
import {Recoverer} from '../../../src/phases/reconciler.ts';
import {Reporter} from '../../../src/phases/reporter.ts';
import {holding, resourceOf, runOf} from '../cli/fake.ts';
import {FakeClient} from '../operator/fake-client.ts';
import {FakeClock} from '../operator/fake-clock.ts';

const key = {namespace: 'db', name: 'etcd'};

interface Around {
  own?: string;
  serves?: boolean;
  lease?: 'Held' | 'Free';
}

describe('a reconcile among several installations', () => {
  let client: FakeClient;
  let etcd: EtcdAccess;
  let told: string[];

  const recovererOf = ({own = 'ops/a', serves = true, lease = 'Held'}: Around) => {
    const clock = new FakeClock();
    const log = createLog('silent', 'test');
    const events = {record: ({reason}: {reason: string}) => { told.push(reason); }} as unknown as EventRecorder;
    return new Recoverer({
      client, status: new StatusWriter(client), etcd, reporter: new Reporter(log, events, createMetrics('test')), agentImage: 'image:1', now: () => clock.now(),
      signal: new AbortController().signal, installation: {own, serves: () => serves, lease: () => Promise.resolve(lease)},
    });
  };
  const withRun = (run: Partial<Run> | undefined): QuorumRecovery => client.seed('QuorumRecovery', resourceOf(run === undefined ? {} : holding({run: runOf(run)})));
  const stored = async () => await client.get('QuorumRecovery', 'db', 'etcd');
  const done = () => client.calls.filter(({verb}) => verb !== 'get').map(({verb, kind}) => `${verb} ${kind}`);

  beforeEach(() => {
    client = new FakeClient();
    told = [];
    etcd = new EtcdAccess();
  });
  afterEach(() => { etcd.close(); });

  it('does nothing but look again where another one carries the run out, and says so once', async () => {
    withRun({operator: 'ops/b'});
    const recoverer = recovererOf({});
    assert.deepEqual([await recoverer.reconcile(key), await recoverer.reconcile(key)], [{requeueAfterMs: 5_000}, {requeueAfterMs: 5_000}]);
    assert.deepEqual(done(), []);
    assert.deepEqual(told, ['OtherOperator']);
  });

  it('takes the run over once nobody holds the other one\'s Lease, which stands in the status before anything else is done', async () => {
    withRun({operator: 'ops/b'});
    await recovererOf({lease: 'Free'}).reconcile(key);
    assert.equal(done()[0], 'update QuorumRecovery/status');
    assert.equal((await stored())?.status?.run?.operator, 'ops/a');
  });

  it('does not take it where somebody else was quicker', async () => {
    withRun({operator: 'ops/b'});
    client.intercept = async (verb, kind) => {
      if (verb !== 'update' || kind !== 'QuorumRecovery/status') return;
      client.intercept = () => undefined;
      const before = await stored();
      assert.ok(before);
      client.seed('QuorumRecovery', {...before, status: {...before.status, run: runOf({operator: 'ops/c'})}});
    };
    await assert.rejects(recovererOf({lease: 'Free'}).reconcile(key), ConflictError);
    assert.equal((await stored())?.status?.run?.operator, 'ops/c');
  });

  it('leaves a resource alone that it does not serve', async () => {
    withRun(undefined);
    assert.deepEqual(await recovererOf({serves: false}).reconcile(key), {});
    assert.deepEqual(done(), []);
  });

  it('lets a run go that has touched nothing when the labels go, and goes on with one that has stopped pods', async () => {
    withRun({operator: 'ops/a', steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]});
    assert.deepEqual(await recovererOf({serves: false}).reconcile(key), {});
    assert.equal((await stored())?.status?.run?.operator, undefined);
    assert.deepEqual(told, ['LetGo']);
    withRun({operator: 'ops/a'});
    const {requeueAfterMs} = await recovererOf({serves: false}).reconcile(key);
    assert.ok(requeueAfterMs !== undefined, 'it would never be looked at again');
    assert.ok(told.includes('FinishedFirst'));
  });

  it('names its Lease in a run that it begins', async () => {
    withRun(undefined);
    await recovererOf({}).reconcile(key);
    assert.equal((await stored())?.status?.run?.operator, 'ops/a');
  });
});
