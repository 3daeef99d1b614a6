import assert from 'node:assert/strict';
import {cpSync, writeFileSync} from 'node:fs';
import {join as path} from 'node:path';
import type {V1Pod} from '@kubernetes/client-node';
import {awaitTurn} from '../../src/agent/turn.ts';
import {sourceOf} from '../../src/decide/steps/common.ts';
import {join} from '../../src/decide/steps/join.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {statefulSetPod} from '../../src/kubernetes/ownPods.ts';
import {carriesForceFlag, proveWrite} from '../../src/phases/forcing.ts';
import {verifyMembers} from '../../src/phases/verifying.ts';
import {call, etcdVersions, freePort, hex, put, startCluster, startEtcd, status, stop as kill, stopEverything, until} from '../unit/agent/etcd-processes.ts';
import type {Member} from '../unit/agent/etcd-processes.ts';
import {newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from '../unit/agent/volumes.ts';
import {clusterID, idOf, members, newSet, observationOf, ownPodOf, running} from '../unit/decide/observations.ts';
import {actingWith, actionOf, forcedPod, held, lost, planned, ready, serving, told} from './fixtures.ts';

const quiet = {clusterID, memberID: idOf(0), version: '3.6.16', leader: 'a0', raftTerm: 5, raftIndex: 100, raftAppliedIndex: 100, revision: 50, dbSizeBytes: 1, isLearner: false, errors: []};

const forcing = (pod: V1Pod): V1Pod => ({...pod, spec: {...pod.spec, containers: [{name: 'etcd', command: ['etcd'], args: ['--force-new-cluster']}]}});

describe('6. The force flag exists only in a helper pod, before any client or other member; a second start of it changes nothing', () => {
  afterEach(() => {
    stopEverything();
    removeVolumes();
  });

  it('the helper carries it; the set\'s own pods, held or joining, do not', () => {
    assert.equal(carriesForceFlag(forcedPod()), true);
    const options = ready(planned(), {ordinals: [{object: undefined}, held(1), held(2)]});
    const gated = actionOf(stop(observationOf(options)), 'CreatePod').pod;
    const joins = actionOf(join(observationOf(serving()), 'etcd-1'), 'ReplacePod').by;
    assert.deepEqual([gated, joins].map(carriesForceFlag), [false, false]);
  });

  it('no Service leads to the helper, nobody finds it by name, nothing starts its container again, no hook or probe runs in it', () => {
    const options = ready();
    const set = newSet(3);
    const etcd = set.spec?.template.spec?.containers[0];
    if (etcd) Object.assign(etcd, {ports: [{containerPort: 2379}], livenessProbe: {}, readinessProbe: {}, lifecycle: {postStart: {exec: {command: ['x']}}}});
    const {metadata, spec} = forcedPod({...options, set});
    const own = statefulSetPod(sourceOf(observationOf({...options, set}), observationOf({...options, set}).ordinals[0] ?? assert.fail()));
    for (const [name, value] of Object.entries(own.metadata?.labels ?? {})) assert.notEqual(metadata?.labels?.[name], value, `label ${name}`);
    const [container] = spec?.containers ?? [];
    assert.deepEqual([container?.ports, container?.livenessProbe, container?.readinessProbe, container?.lifecycle, spec?.subdomain, spec?.containers.length], [undefined, undefined, undefined, undefined, undefined, 1]);
    assert.equal(spec?.restartPolicy, 'Never');
  });

  it('a template that carries it is refused before anything is touched', () => {
    const set = newSet(3);
    set.spec?.template.spec?.containers[0]?.args?.push('--force-new-cluster');
    assert.equal(told(plan(observationOf({...lost(), set}))), 'blocked TemplateForces');
  });

  it('an own pod that carries it is refused before any member joins, and at the end', async () => {
    const pod = ownPodOf(0, {statuses: [running]});
    const member = {
      status: async () => await Promise.resolve(quiet), put: async () => await Promise.resolve({revision: 9}), alarms: async () => await Promise.resolve([]),
      memberList: async () => await Promise.resolve({clusterID, members: members(1)}), get: async () => await Promise.resolve({value: undefined, revision: 9}),
      hashKV: async () => await Promise.resolve({hash: 1, compactRevision: 0}),
    };
    const of = (object: V1Pod) => actingWith(observationOf({ordinals: [{object}], status: {run: planned()}}), member);
    const saying = (outcome: {kind: string}) => ('reason' in outcome ? outcome.reason : 'why' in outcome ? outcome.why : outcome.kind);
    assert.equal(saying(await proveWrite(of(pod), pod)), 'done');
    assert.equal(saying(await proveWrite(of(forcing(pod)), forcing(pod))), 'TemplateForces');
    assert.equal(saying(await verifyMembers(of(pod), {pods: ['etcd-0'], via: 'etcd-0'})), 'done');
    assert.equal(saying(await verifyMembers(of(forcing(pod)), {pods: ['etcd-0'], via: 'etcd-0'})), 'pod etcd-0 carries the force flag');
  });

  it('one pod of one attempt may start it: a second pod, an earlier attempt and anything after the seal are refused with the data untouched', () => {
    const root = newVolume();
    const data = path(root, 'data');
    writeData(data);
    const words = (attempt: number, pod: string) => ['prepare-force', '--root', root, '--data-dir', data, '--run', 'r1', '--attempt', String(attempt), '--pod', pod, '--no-copy'];
    succeed(...words(2, 'one'));
    const before = snapshotOf(data);
    assert.equal(refuse(...words(2, 'two')).reason, 'MarkerSpent');
    assert.equal(refuse(...words(1, 'one')).reason, 'AttemptSuperseded');
    succeed(...words(2, 'one'));
    succeed('seal', '--root', root, '--data-dir', data, '--run', 'r1');
    assert.equal(refuse(...words(2, 'one')).reason, 'RunSealed');
    assert.equal(refuse(...words(3, 'new')).reason, 'RunSealed');
    assert.deepEqual(snapshotOf(data), before);
  });

  it('the turn of another attempt is not its turn', async () => {
    const file = path(newVolume(), 'turn');
    writeFileSync(file, '1');
    let looks = 0;
    await awaitTurn(['prepare-force', '--attempt', '2', '--turn', file], {everyMs: 1, onLook: () => { if ((looks += 1) === 3) writeFileSync(file, '2'); }});
    assert.equal(looks, 3);
  });

  const versions = etcdVersions();
  const version = versions.find((one) => one.startsWith('3.6')) ?? versions[0];
  it('with a real etcd: a second attempt after a first that served leaves members, keys and revisions as they are', async function real() {
    if (version === undefined) this.skip();
    this.timeout(60_000);
    const cluster = await startCluster(version, newVolume(), ['--strict-reconfig-check=false']);
    const [survivor] = cluster as [Member];
    await until('it takes a write', async () => { await put(survivor, 'before', 'x'); return true; });
    await until('the survivor has it', async () => Number((await status(survivor)).header.revision) >= 2 || undefined);
    await kill(cluster);
    const root = newVolume();
    const dataDir = path(root, 'data');
    cpSync(survivor.dataDir, dataDir, {recursive: true});
    const forced = async (attempt: number) => {
      succeed('prepare-force', '--root', root, '--data-dir', dataDir, '--run', 'r1', '--attempt', String(attempt), '--pod', `p${attempt}`, '--copy');
      const member = startEtcd({version, name: survivor.name, dataDir, client: `http://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}`, flags: ['--force-new-cluster']});
      const first = await until(`it leads: ${member.log().slice(-300)}`, async () => { const now = await status(member); return now.leader === now.header.member_id ? now : undefined; });
      const {members: list} = await call<{members: {ID: string}[]}>(member, 'cluster/member/list', {});
      const {kvs} = await call<{kvs: unknown[]}>(member, 'kv/range', {key: Buffer.from('\0').toString('base64'), range_end: Buffer.from('\0').toString('base64')});
      await kill([member]);
      return {revision: first.header.revision, member: hex(first.header.member_id), list: list.map(({ID}) => hex(ID)), kvs};
    };
    const once = await forced(1);
    assert.deepEqual(once.list, [once.member]);
    assert.deepEqual(await forced(2), once);
  });
});
