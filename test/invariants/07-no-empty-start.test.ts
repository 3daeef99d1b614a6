import assert from 'node:assert/strict';
import {existsSync, readdirSync, writeFileSync} from 'node:fs';
import {join as path} from 'node:path';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import {nextStep} from '../../src/decide/next.ts';
import {join} from '../../src/decide/steps/join.ts';
import {prepareJoins} from '../../src/decide/steps/joinPod.ts';
import {release} from '../../src/decide/steps/release.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {etcdVersions, freePort, startEtcd, stopEverything, until} from '../unit/agent/etcd-processes.ts';
import {etcdWould, fill, flagsOf, killAt, layouts, refuse, removeVolumes, succeed} from '../unit/agent/volumes.ts';
import {answers, idOf, members, node, observationOf, ownPodOf, recordOf} from '../unit/decide/observations.ts';
import {actionOf, held, heldHere, joiner, mark, peers, planned, ready, recorded, serving, simulated, told} from './fixtures.ts';

const argument = (pod: V1Pod, name: string) => pod.spec?.containers[0]?.args?.findLast((word) => word.startsWith(`--${name}=`));
const gates = (pod: V1Pod) => (pod.spec?.schedulingGates ?? []).map(({name}) => name);

describe('7. No etcd starts on an empty directory with the template\'s own new and token while a run is in flight', () => {
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  it('in whole recoveries nothing starts so: volumes made anew, no node left, pods made in order, an operator that dies', async function whole() {
    this.timeout(60_000);
    const ends = [];
    for (const scenario of [{}, {spareNodes: 0}, {ordered: true}, {liveness: true, policyLagMs: 2_000}, {fates: ['Named', 'Alive', 'Deleted'] as const, watched: true}]) {
      const {outcome, blocked} = await simulated({...scenario, fates: [...scenario.fates ?? (['Deleted', 'Deleted', 'Alive'] as const)]}, [[9, 'before'], [17, 'after'], [25, 'before']]);
      ends.push(outcome ?? blocked);
    }
    assert.deepEqual(ends, ['Recovered', 'Degraded', 'Recovered', 'Recovered', 'Recovered']);
  });

  it('a name is taken by a pod behind a gate, also that of a member that cannot join yet', () => {
    const free = ready(planned(), {ordinals: [heldHere(0), {...held(1), object: undefined}, held(2)]});
    assert.deepEqual(gates(actionOf(stop(observationOf(free)), 'CreatePod').pod), [marks.gate]);
    const deferred = {joins: [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: '', nodes: ''}}]};
    const gone = (run: object) => serving({ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, {...held(1), object: undefined}, held(2)]}, {...deferred, ...run});
    const next = nextStep(observationOf(gone({steps: [{name: 'Force', state: 'Done'}, {name: 'Join etcd-1', state: 'Deferred'}, {name: 'Join etcd-2', state: 'Running'}]})));
    assert.deepEqual(gates(actionOf(next?.decision, 'CreatePod').pod), [marks.gate]);
    const last = release(observationOf(gone({})));
    assert.deepEqual(gates(actionOf(last, 'CreatePod').pod), [marks.gate]);
  });

  it('the name of a member that waits stays held when the run ends', () => {
    const options = serving({}, {joins: [{pod: 'etcd-1', attempt: 1, deferred: {reason: 'Unschedulable', message: '', nodes: ''}}]});
    const decision = release(observationOf(options));
    assert.deepEqual(recorded(decision, options.status ?? {}).heldPods, ['etcd-1']);
  });

  it('a joiner starts as existing with the list of the moment, behind its agent, and never from the gated pod', () => {
    const decision = join(observationOf(serving()), 'etcd-1');
    const {by} = actionOf(decision, 'ReplacePod');
    assert.deepEqual([argument(by, 'initial-cluster-state'), argument(by, 'initial-cluster')], ['--initial-cluster-state=existing', `--initial-cluster=${peers(0, 1)}`]);
    assert.equal(by.spec?.initContainers?.[0]?.args?.[0], 'prepare-join');
    assert.equal(told(join(observationOf(serving({ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, joiner(1, peers(0, 1, 2), {podIP: '10.0.0.1'}), held(2)]})), 'etcd-1')), 'DeletePod', 'a pod with another list');
  });

  it('a name is let go only when its member is a voter', () => {
    const listed = (isLearner: boolean) => {
      const probe = answers(0, 2, {leader: idOf(0)});
      const list = members(2).map((member, index) => (index === 1 ? {...member, isLearner} : member));
      return serving({ordinals: [{probe: {...probe, members: list} as never}, joiner(1, peers(0, 1), {podIP: '10.0.0.1'}), held(2)]});
    };
    const heldAfter = (isLearner: boolean) => {
      const options = listed(isLearner);
      return recorded(join(observationOf(options), 'etcd-1'), options.status ?? {}).heldPods;
    };
    assert.deepEqual(heldAfter(true), ['etcd-1', 'etcd-2']);
    assert.deepEqual(heldAfter(false), ['etcd-2']);
  });

  it('claims are made anew only once the forced etcd was checked, and only behind a held name', () => {
    const ahead = (state: 'Running' | 'Done') => told(prepareJoins(observationOf(serving({ordinals: [{object: ownPodOf(0, {annotations: mark}), probe: answers(0, 1, {leader: idOf(0)})}, held(1), held(2)], nodes: [node('node-0')]}, {
      steps: [{name: 'Force', state}, {name: 'EndForce', state: 'Running'}, {name: 'Join etcd-1', state: 'Pending'}, {name: 'Join etcd-2', state: 'Pending'}],
    })), 'EndForce'));
    assert.equal(ahead('Running'), 'nothing');
    assert.equal(ahead('Done'), 'record');
    const loose = serving({ordinals: [{object: ownPodOf(0, {annotations: mark}), probe: answers(0, 1, {leader: idOf(0)})}, {...held(1), object: ownPodOf(1)}, held(2)], nodes: [node('node-0')]}, {steps: [{name: 'Force', state: 'Done'}, {name: 'EndForce', state: 'Running'}, {name: 'Join etcd-1', state: 'Pending'}]});
    assert.equal(told(prepareJoins(observationOf(loose), 'EndForce')), 'nothing', 'its name is not held by this run');
  });

  it('candidates are stopped last: wiped pods beside them cannot elect an empty cluster', () => {
    const alive = ready(planned(), {ordinals: [{object: ownPodOf(0)}, {...held(1), object: ownPodOf(1, {node: '', statuses: [], uid: 'new-1'})}, held(2)], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned()}});
    const decision = stop(observationOf(alive));
    assert.deepEqual(decision.kind === 'act' ? decision.actions.flatMap((action) => ('pod' in action && typeof action.pod !== 'string' ? [action.pod.metadata?.name] : [])) : [], ['etcd-1']);
  });

  for (const layout of layouts) {
    it(`wherever set-aside is killed, and after it, an etcd exits there (${layout.name})`, () => {
      for (let step = 0; ; step += 1) {
        const volume = layout.make();
        fill(volume);
        const over = killAt(step, ...flagsOf(volume, 'set-aside')) !== undefined;
        assert.notEqual(etcdWould(volume), 'form a new cluster', `killed before step ${step}`);
        if (!over) continue;
        assert.equal(etcdWould(volume), 'exit');
        break;
      }
    });
  }

  it('a member that joined from this volume before does not start empty when its log cannot be read', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    succeed(...flagsOf(volume, 'prepare-join'), '--member', 'b1');
    fill(volume);
    const wal = path(volume.data, 'member', 'wal');
    for (const name of readdirSync(wal)) writeFileSync(path(wal, name), Buffer.alloc(512, 7));
    assert.equal(refuse(...flagsOf(volume, 'prepare-join'), '--member', 'b1').reason, 'Unreadable');
    assert.ok(existsSync(wal));
  });

  for (const version of etcdVersions()) {
    it(`a real etcd ${version} of the template's own new exits on the guard`, async function real() {
      this.timeout(30_000);
      const volume = layouts[0]?.make() ?? assert.fail();
      fill(volume);
      succeed(...flagsOf(volume, 'set-aside'));
      const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
      const member = startEtcd({version, name: 'etcd-0', dataDir: volume.data, client, peer, flags: ['--initial-cluster', `etcd-0=${peer}`, '--initial-cluster-state', 'new']});
      const code = await until('it exits', () => Promise.resolve(member.process.exitCode ?? undefined));
      assert.notEqual(code, 0, member.log());
    });
  }
});
