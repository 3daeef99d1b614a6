import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {Errand} from '../../../src/decide/errands.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import type {Observed} from '../../../src/observe/observe.ts';
import {ConflictError, StatusWriter} from '../../../src/operator/status.ts';
import {Executor} from '../../../src/phases/executor.ts';
import type {Reporter} from '../../../src/phases/reporter.ts';
import {resourceOf} from '../cli/fake.ts';
import {now, observationOf} from '../decide/observations.ts';
import {FakeClient} from '../operator/fake-client.ts';

const pod = {metadata: {name: 'helper', namespace: 'db', uid: 'helper-uid'}};
const watching = {at: 'watching'} as const;
const errandOf = (more: Partial<Errand> = {}): Errand => ({name: 'Prune', actions: [{type: 'DeletePod', pod}], why: 'its time is over', nextLook: 1_000, ...more});

describe('an errand is carried out', () => {
  let client: FakeClient;
  let etcd: EtcdAccess;
  let told: string[];
  let executor: Executor;
  let base: QuorumRecovery;
  let observed: Observed;

  const calls = () => client.calls.map(({verb, kind}) => `${verb} ${kind}`);

  beforeEach(() => {
    client = new FakeClient();
    etcd = new EtcdAccess();
    told = [];
    const reporter = {decided: (_: unknown, _run: string, step: string) => { told.push(step); }, written: () => undefined} as unknown as Reporter;
    executor = new Executor({client, status: new StatusWriter(client), etcd, reporter, now: () => now, signal: new AbortController().signal});
    base = client.seed('QuorumRecovery', resourceOf({}));
    observed = {observation: observationOf(), credentials: {}} as unknown as Observed;
  });
  afterEach(() => { etcd.close(); });

  const fresh = {standing: watching, isFresh: true};

  it('once the API server says that nobody has written the resource, where this look has not written it', async () => {
    const pass = await executor.carryOut(errandOf(), base, observed);
    assert.deepEqual([calls(), told, pass.requeueMs], [['get QuorumRecovery', 'delete Pod'], ['Prune'], 1_000]);
  });
  it('not at all where somebody has, and nothing is said of it', async () => {
    client.seed('QuorumRecovery', base);
    await assert.rejects(executor.carryOut(errandOf(), base, observed), ConflictError);
    assert.deepEqual([calls(), told], [['get QuorumRecovery'], []]);
  });
  it('without that question where this look has written the intent, or nothing is done', async () => {
    await executor.carryOut(errandOf(), base, observed, fresh);
    assert.deepEqual(calls(), ['delete Pod']);
    await executor.carryOut(errandOf({actions: []}), base, observed);
    assert.deepEqual([calls().length, told.length], [1, 2]);
  });
  it('and what came of it is written at once where it is to be told', async () => {
    const outcomes: string[][] = [];
    const record = (isTold: boolean): NonNullable<Errand['record']> => (_, done) => { outcomes.push(done.map(({kind}) => kind)); return isTold; };
    assert.equal((await executor.carryOut(errandOf({record: record(false)}), base, observed, fresh)).base, base);
    assert.notEqual((await executor.carryOut(errandOf({record: record(true)}), base, observed, fresh)).base, base);
    assert.deepEqual([calls(), outcomes], [['delete Pod', 'delete Pod', 'update QuorumRecovery/status'], [['done'], ['done']]]);
  });
  it('and the next look comes at once, or when it comes anyway', async () => {
    assert.equal((await executor.carryOut(errandOf({nextLook: 'AtOnce'}), base, observed)).requeueMs, undefined);
    assert.equal((await executor.carryOut(errandOf({nextLook: undefined}), base, observed)).requeueMs, 30_000);
  });
});
