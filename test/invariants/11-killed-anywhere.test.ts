import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import type {Action} from '../../src/decide/decision.ts';
import {leftHelpers} from '../../src/decide/steps/release.ts';
import {EtcdError} from '../../src/etcd/errors.ts';
import {ApiError} from '../../src/kubernetes/errors.ts';
import {Leadership, leadingClient} from '../../src/operator/guard.ts';
import {ConflictError, StatusWriter} from '../../src/operator/status.ts';
import {perform} from '../../src/phases/perform.ts';
import {newVolume, refuse, removeVolumes, succeed, writeData} from '../unit/agent/volumes.ts';
import {node, observationOf, ownPodOf} from '../unit/decide/observations.ts';
import {actingWith, forcedPod, hasEnded, ready, recordingClient, serving, simulated, withHelper} from './fixtures.ts';

const refusal = (code: number, reason: string) => new ApiError({verb: 'create', kind: 'Pod', object: 'etcd-0', code, reason, message: reason});
/** Every 13th call, each way of dying at other ones: `make simulate` kills at all of them. */
const everyth = 13;

describe('11. Killed at any point and started again, a run ends in the same state; a late act of a deposed operator changes nothing', () => {
  it('killed before, after, or with a call still on its way', async function killed() {
    this.timeout(120_000);
    const {verbs, outcome} = await simulated();
    assert.equal(outcome, 'Recovered');
    const ends = new Map<string, number>();
    for (const [offset, when] of [[1, 'before'], [5, 'after'], [9, 'late']] as const) {
      for (let call = offset; call < verbs.length; call += everyth) {
        const ending = await simulated({}, [[call, when]]);
        ends.set(ending.outcome ?? ending.blocked ?? '', (ends.get(ending.outcome ?? ending.blocked ?? '') ?? 0) + 1);
      }
    }
    assert.deepEqual([...ends.keys()], ['Recovered']);
  });

  it('an agent of a deposed operator that is to set old data aside comes too late for a member that joins', async () => {
    const {outcome, message} = await simulated({
      seed: 42_635, fates: ['Alive', 'Alive', 'Alive', 'OutOfService', 'Removed'], spareNodes: 1, antiAffinity: false, ordered: true, liveness: true, policyLagMs: 0, watched: false, beforeMs: 400_000,
      approvalMs: 15_000, flaky: 0.002, retentionMs: 3_000, replaces: true,
    }, [[27, 'deposed']]);
    assert.equal(outcome, 'Recovered', message);
    const root = newVolume();
    try {
      writeData(root);
      const agent = (command: string, ...flags: string[]) => [command, '--root', root, '--data-dir', root, '--run', 'r1', ...flags];
      succeed(...agent('prepare-join', '--member', 'abc'));
      assert.equal(refuse(...agent('set-aside')).reason, 'Conflict');
    } finally {
      removeVolumes();
    }
  });

  it('killed again and again', async function often() {
    this.timeout(60_000);
    for (const start of [0, 1, 2]) {
      const kills = Array.from({length: 12}, (_, n): [number, 'before' | 'after' | 'late'] => [start + 3 * n, (['after', 'before', 'late'] as const)[(start + n) % 3] ?? 'after']);
      const {outcome, message} = await simulated({}, kills);
      assert.equal(outcome, 'Recovered', message);
    }
  });

  const pod = {...ownPodOf(0, {uid: 'this-one'}), spec: {containers: [], schedulingGates: [{name: 'quorumrecovery.io/held'}]}};
  pod.metadata = {...pod.metadata, resourceVersion: '7', finalizers: ['quorumrecovery.io/fence']};
  const named = {metadata: {name: 'x', namespace: 'db', uid: 'this-one'}};
  const acts: Action[] = [
    {type: 'StopPod', pod}, {type: 'ReleasePod', pod, force: true}, {type: 'DeletePod', pod}, {type: 'ReplacePod', pod, by: ownPodOf(0)}, {type: 'GiveTurn', pod, turn: '1'},
    {type: 'UngatePod', pod}, {type: 'DropFence', pod}, {type: 'RetainVolume', volume: named}, {type: 'DeleteClaim', claim: named},
  ];
  for (const action of acts) {
    it(`${action.type} is for that very object: each of its calls carries the UID`, async () => {
      const changes: string[] = [];
      await perform(actingWith(observationOf(), {}, recordingClient(changes)), action);
      const calls = changes.filter((line) => !line.startsWith('create'));
      assert.ok(calls.length > 0 && calls.every((line) => line.includes('"uid":"this-one"')), calls.join('\n'));
    });
    it(`${action.type} is not begun by who does not lead any more`, async () => {
      const changes: string[] = [];
      const ended = new AbortController();
      ended.abort();
      assert.equal((await perform(actingWith(observationOf(), {}, recordingClient(changes), ended.signal), action)).kind, 'retry');
      assert.deepEqual(changes, []);
    });
  }

  it('a gate that was changed since it was read is not taken away', async () => {
    const changes: string[] = [];
    await perform(actingWith(observationOf(), {}, recordingClient(changes)), {type: 'UngatePod', pod});
    assert.match(changes.join(), /"resourceVersion":"7"/);
  });

  it('between the two calls of a replacement it is asked again who leads', async () => {
    const changes: string[] = [];
    const leads = new AbortController();
    const client = recordingClient(changes, {delete: async () => {
      leads.abort();
      return await Promise.resolve(true);
    }});
    await perform(actingWith(observationOf(), {}, client, leads.signal), {type: 'ReplacePod', pod, by: ownPodOf(0)});
    assert.deepEqual(changes.filter((line) => line.startsWith('create')), []);
  });

  it('the client of a process that does not lead begins no write', async () => {
    const leadership = new Leadership();
    leadership.begin();
    const changes: string[] = [];
    const client = leadingClient(recordingClient(changes, {replaceStatus: async (resource) => { changes.push('status'); return await Promise.resolve(resource); }}), leadership);
    leadership.end();
    const writes = [
      () => client.create('Pod', pod), () => client.patch('Pod', 'db', 'x', {}), () => client.delete('Pod', 'db', 'x', {uid: 'u'}), () => client.replaceStatus(observationOf().resource),
    ];
    for (const write of writes) await assert.rejects(async () => await write(), /does not lead/);
    assert.deepEqual(changes, []);
  });

  it('a status that somebody else has written is not overwritten', async () => {
    const sent: (string | undefined)[] = [];
    const writer = new StatusWriter({replaceStatus: async ({metadata}) => {
      sent.push(metadata.resourceVersion);
      return await Promise.reject(refusal(409, 'Conflict'));
    }});
    const resource = {...observationOf().resource, metadata: {namespace: 'db', name: 'etcd', resourceVersion: '41'}};
    await assert.rejects(writer.update(resource, (draft) => ({...draft, heldPods: ['etcd-0']})), ConflictError);
    assert.deepEqual(sent, ['41']);
  });

  it('what is there already, or gone already, is no failure of a repeat', async () => {
    const fails = (error: Error) => ({create: async () => await Promise.reject(error), patch: async () => await Promise.reject(error)});
    const outcome = async (action: Action, error: Error) => (await perform(actingWith(observationOf(serving()), {removeMember: async () => { await Promise.reject(new EtcdError('NotFound', 'member not found')); }}, recordingClient([], fails(error))), action)).kind;
    assert.equal(await outcome({type: 'CreatePod', pod}, refusal(409, 'AlreadyExists')), 'retry');
    assert.equal(await outcome({type: 'CreateClaim', claim: named}, refusal(409, 'AlreadyExists')), 'done');
    for (const action of [{type: 'ReleasePod', pod, force: true}, {type: 'GiveTurn', pod, turn: '1'}] as const) assert.equal(await outcome(action, refusal(404, 'NotFound')), 'done', action.type);
    assert.equal(await outcome({type: 'RemoveMember', via: 'etcd-0', memberID: 'b1', pod: 'etcd-1'}, refusal(404, 'NotFound')), 'done');
  });

  it('a helper of a late call is taken away, one that may run etcd only with its end read', () => {
    const taken = (helper: V1Pod) => leftHelpers(withHelper(ready(), helper)).map(({type}) => type);
    assert.deepEqual(taken(forcedPod()), ['StopPod']);
    assert.deepEqual(taken(forcedPod(ready(), (late) => { late.metadata = {...late.metadata, deletionTimestamp: new Date(0)}; })), [], 'it is stopping');
    assert.deepEqual(taken(forcedPod(ready(), hasEnded)), ['ReleasePod']);
    const stopping = forcedPod(ready(), (late) => { late.metadata = {...late.metadata, deletionTimestamp: new Date(0)}; });
    assert.deepEqual(leftHelpers(withHelper(ready(undefined, {nodes: [node('node-0', {ready: false})]}), stopping)), [], 'its fence waits for its end');
  });

  it('a helper that comes after the end of its run is taken away', async function late() {
    this.timeout(30_000);
    let made = false;
    const {outcome} = await simulated({}, [], ({world}) => {
      world.store.onChange(({kind, object}) => {
        const run = (object as QuorumRecovery).status?.run;
        if (kind !== 'QuorumRecovery' || made || run?.plan === undefined || run.finishedAt === undefined) return;
        made = true;
        world.store.create('Pod', {
          metadata: {name: 'etcd-1-late', namespace: 'db', labels: {[marks.helper]: 'Agent', [marks.resource]: 'etcd'}, annotations: {[marks.run]: run.id, [marks.step]: 'Decommission', [marks.pod]: 'etcd-1'}},
          spec: {containers: [], schedulingGates: [{name: 'never'}]},
        });
      });
    });
    assert.deepEqual([outcome, made], ['Recovered', true], 'the simulation asks that no helper is left');
  });
});
