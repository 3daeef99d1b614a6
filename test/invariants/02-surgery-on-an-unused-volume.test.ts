import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {V1Pod} from '@kubernetes/client-node';
import {awaitTurn} from '../../src/agent/turn.ts';
import {heldMessageStart, marks} from '../../src/api/types.ts';
import {stepsFor} from '../../src/decide/plans/plan.ts';
import {decommission} from '../../src/decide/steps/decommission.ts';
import {force} from '../../src/decide/steps/force.ts';
import {join as joinStep} from '../../src/decide/steps/join.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';
import {ApiError} from '../../src/kubernetes/errors.ts';
import {proveHold} from '../../src/phases/holding.ts';
import {canLock, lock} from '../unit/agent/locked.ts';
import {newVolume, refuse, removeVolumes, snapshotOf, writeData} from '../unit/agent/volumes.ts';
import {noStorage} from '../../src/observe/storage.ts';
import {answers, ended, idOf, node, observationOf, ownPodOf, recordOf, runOf} from '../unit/decide/observations.ts';
import {actingWith, actionOf, forcedPod, held, heldHere, ofKubelet, planned, ready, recordingClient, serving, simulated, told, withHelper} from './fixtures.ts';

const argsOf = (pod: V1Pod): string[] => pod.spec?.initContainers?.[0]?.args ?? [];

describe('2. Surgery on a volume begins only when no pod of the set uses it, and none can start on it', () => {
  afterEach(removeVolumes);

  it('the hold and the stop of every pod come before the force', () => {
    const steps = stepsFor(observationOf(), 'etcd-0', []);
    assert.deepEqual(steps.slice(0, 6), ['Plan', 'Hold', 'Stop', 'Force', 'EndForce', 'StartSurvivor']);
  });

  it('where the policy does not deny the names, no pod is touched', async function unenforced() {
    this.timeout(30_000);
    const {blocked, touched, message} = await simulated({policyLagMs: Infinity});
    assert.deepEqual({blocked, touched}, {blocked: 'HoldNotEnforced', touched: 0}, message);
  });

  it('only our own policy\'s denial, by every API server and of every name, is the proof of the hold', async () => {
    const refusal = (message: string) => new ApiError({verb: 'create', kind: 'Pod', object: 'etcd-0', code: 403, reason: 'Forbidden', message});
    const ours = refusal(`denied request: ${heldMessageStart('etcd')} during a recovery run`);
    const tried = async (answer: (server: string, pod: string) => Error | undefined): Promise<string> => {
      const clientAt = (server: string): KubernetesClient => recordingClient([], {
        list: async () => await Promise.resolve([{addressType: 'IPv4', ports: [{port: 6443}], endpoints: [{addresses: ['a']}, {addresses: ['b']}]}] as never),
        create: async (_, object) => {
          const refused = answer(server, (object as V1Pod).metadata?.name ?? '');
          return await (refused ? Promise.reject(refused) : Promise.resolve(object));
        },
        at: (address) => clientAt(address),
      });
      return (await proveHold(actingWith(observationOf({status: {run: runOf()}}), {}, clientAt('')), [ownPodOf(0), ownPodOf(1)])).kind;
    };
    assert.equal(await tried(() => ours), 'done');
    assert.equal(await tried((server) => (server.includes('b') ? undefined : ours)), 'retry', 'one API server admits');
    assert.equal(await tried((_, pod) => (pod === 'etcd-1' ? undefined : ours)), 'retry', 'one name is free');
    assert.equal(await tried(() => refusal('exceeded quota: pods')), 'retry', 'another refusal');
  });

  it('no step ends while a candidate\'s own pod may run, although the fencing rule could do without it', () => {
    const registeredAgain = ready(planned(), {ordinals: [{object: ownPodOf(0)}, held(1), held(2)], nodes: [node('node-0', {uid: 'again'})], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned()}});
    assert.equal(told(stop(observationOf(registeredAgain))), 'blocked FencingUnproven');
  });

  it('an old pod holds its name only while its end is recorded, and its fence keeps it', () => {
    const stopped = (more: object = {}, fenced = true) => told(stop(observationOf(ready(planned(), {
      ordinals: [{object: ownPodOf(0, {statuses: [ended()], deleting: true, finalizers: [marks.fence], ...more})}, held(1), held(2)],
      status: {members: [fenced ? recordOf(0, {fenced: ofKubelet(0)}) : recordOf(0), recordOf(1), recordOf(2)], run: planned(), heldPods: ['etcd-0', 'etcd-1', 'etcd-2']},
    }))));
    assert.equal(stopped(), 'done');
    assert.notEqual(stopped({finalizers: []}), 'done', 'without its fence it can go any moment');
    assert.notEqual(stopped({}, false), 'done', 'its end is not recorded');
    assert.notEqual(stopped({statuses: [{...ended(), state: {running: {}}}]}), 'done', 'it runs');
  });

  it('the agents of the forced start and of a joiner wait for their turn, which comes after the last question', async () => {
    const forced = forcedPod();
    assert.ok(argsOf(forced).includes('--turn'), argsOf(forced).join(' '));
    const joins = actionOf(joinStep(observationOf(serving()), 'etcd-1'), 'ReplacePod').by;
    assert.ok(argsOf(joins).includes('--turn'), argsOf(joins).join(' '));
    const path = join(newVolume(), 'turn');
    let looks = 0;
    await awaitTurn([...argsOf(forced).slice(0, 3), '--turn', path], {everyMs: 1, onLook: () => {
      looks += 1;
      if (looks === 3) writeFileSync(path, '1');
    }});
    assert.equal(looks, 3, 'it went on without its turn');
    const unproven = ready(planned({force: {attempt: 1, pod: 'etcd-0-force-1'}}), {nodes: [node('node-0'), ...[1, 2].map((index) => node(`node-${index}`, {uid: 'again'}))]});
    assert.equal(told(force(withHelper(unproven, forced))), 'blocked FencingUnproven');
  });

  it('a volume that is still attached to a node that is gone is not forced', () => {
    const attached = ready(planned(), {more: {storage: {...noStorage, attachments: [{volume: 'pv-0', node: 'node-9'}]}}});
    assert.equal(told(force(observationOf(attached))), 'blocked FencingUnproven');
  });

  it('old data is set aside only once the last process on it is proven ended', () => {
    const decided = (fenced: boolean) => told(decommission(observationOf(serving({
      ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, heldHere(1), held(2)], nodes: [node('node-0'), node('node-1')],
      status: {...serving().status, members: [recordOf(0), fenced ? recordOf(1, {fenced: ofKubelet(1)}) : recordOf(1), recordOf(2)]},
    }))));
    assert.equal(decided(true), 'CreatePod');
    assert.equal(decided(false), 'done', 'nobody touches it');
  });

  it('the agent refuses data that an etcd on its node holds, and changes nothing', function locked() {
    if (!canLock()) this.skip();
    for (const command of ['copy', 'set-aside', 'prepare-force', 'prepare-join', 'restore-copy']) {
      const root = newVolume();
      writeData(join(root, 'data'));
      const before = snapshotOf(root);
      const {release} = lock(join(root, 'data', 'member', 'wal', '0000000000000000-0000000000000000.wal'));
      const more = command === 'prepare-force' ? ['--attempt', '1', '--pod', 'p', '--copy'] : command === 'prepare-join' ? ['--member', 'b1'] : [];
      try {
        assert.equal(refuse(command, '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1', ...more).reason, 'DataInUse', command);
      } finally {
        release();
      }
      assert.deepEqual(snapshotOf(root), before, command);
    }
  });
});
