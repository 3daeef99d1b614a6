import assert from 'node:assert/strict';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import type {V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {marks} from '../../../src/api/types.ts';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {run} from '../../../src/cli/commands/release.ts';
import {CommandError} from '../../../src/cli/failure.ts';
import {at, condition, FakeApi, FakeWorld, gatedPod, holding, invoke, planOf, resourceOf, runOf} from './fake.ts';

const set: V1StatefulSet = {
  metadata: {name: 'etcd', namespace: 'db', uid: 'set-uid'},
  spec: {replicas: 3, selector: {matchLabels: {app: 'etcd'}}, template: {}, volumeClaimTemplates: [{metadata: {name: 'data'}}]},
};

const node = (name: string, ready = true) => ({metadata: {name, uid: `uid-of-${name}`}, status: {conditions: [{type: 'Ready', status: ready ? 'True' : 'False'}]}});

/** The survivor's old pod on n2, Terminating by the fence. */
function stopping(ended: boolean, more: Partial<V1Pod['metadata']> = {}): V1Pod {
  const state = ended ? {terminated: {exitCode: 0, reason: 'Completed'}} : {running: {}};
  return {
    metadata: {...gatedPod(2).metadata, annotations: {}, deletionTimestamp: at(4) as unknown as Date, finalizers: ['other/one', marks.fence], ...more},
    spec: {containers: [{name: 'etcd'}], nodeName: 'n2'},
    status: {containerStatuses: [{name: 'etcd', image: '', imageID: '', ready: false, restartCount: 0, containerID: 'c://1', state}]},
  };
}

const forcePod = (more: Partial<V1Pod['metadata']> = {}, status: V1Pod['status'] = {}): V1Pod => ({
  metadata: {name: 'etcd-2-force', namespace: 'db', labels: {[marks.resource]: 'etcd', [marks.helper]: 'Force'}, annotations: {[marks.run]: 'run-1', [marks.step]: 'Force'}, finalizers: [marks.fence], ...more},
  spec: {containers: [{name: 'etcd'}]}, status,
});

const lastHealthy = (uids: Record<string, string>): NonNullable<QuorumRecoveryStatus['lastHealthy']> => ({
  clusterID: 'c', revision: 90, raftIndex: 118, raftTerm: 5, observedAt: at(-60), members: Object.entries(uids).map(([pod, claimUID], index) => ({pod, memberID: `a${index}`, claimUID})),
});

const allKnown = lastHealthy({'etcd-0': 'claim-0', 'etcd-1': 'claim-1', 'etcd-2': 'claim-2'});

/** Everything held; all claims are those of the witness. */
function cluster(status: Partial<QuorumRecoveryStatus> = {}, pods: V1Pod[] = [gatedPod(0), gatedPod(1), gatedPod(2)]): FakeApi {
  const api = new FakeApi();
  api.seed('QuorumRecovery', resourceOf(holding({lastHealthy: allKnown, ...status}), {metadata: {finalizers: [marks.finalizer]}}));
  api.seed('StatefulSet', set);
  for (const name of ['n2', 'n3']) api.seed('Node', node(name));
  for (const ordinal of [0, 1, 2]) {
    api.seed('PersistentVolumeClaim', {metadata: {name: `data-etcd-${ordinal}`, namespace: 'db', uid: `claim-${ordinal}`}, spec: {volumeName: `pv-${ordinal}`}, status: {phase: 'Bound'}});
    api.seed('PersistentVolume', {metadata: {name: `pv-${ordinal}`}, spec: {}});
  }
  for (const pod of pods) api.seed('Pod', pod);
  return api;
}

const acts = (api: FakeApi) => api.changes.map(({verb, kind, name}) => `${verb} ${kind} ${name}`);

async function refused(promise: Promise<number>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => error instanceof CommandError && message.test(error.message) || assert.fail(String(error)));
}

const yes = {yes: true};

describe('release', () => {
  it('before the force: ends the run, ends the hold, takes the gates off one after the other, and frees the resource', async () => {
    const api = cluster();
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0, world.text);
    assert.deepEqual(acts(api), [
      'patch QuorumRecovery/status etcd', 'patch QuorumRecovery/status etcd', 'patch Pod etcd-0', 'patch Pod etcd-1', 'patch Pod etcd-2', 'patch QuorumRecovery etcd',
    ]);
    const after = api.peek('QuorumRecovery', 'db', 'etcd');
    assert.deepEqual(after?.status?.heldPods, []);
    assert.equal(after.status.run?.outcome, 'Released');
    assert.equal(after.status.run.aborted?.reason, 'ReleasedByHand');
    assert.equal(after.status.history?.[0]?.id, 'run-1');
    assert.deepEqual(after.metadata.finalizers, undefined);
    assert.deepEqual(api.peek('Pod', 'db', 'etcd-0')?.spec?.schedulingGates, undefined);
  });

  it('brings back what the run had stopped, once that is over and before anything else, and only what is stopped still', async () => {
    const record = {kind: 'Deployment' as const, name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopped' as const, stoppedAt: at(1)};
    const dependents = [record, {...record, name: 'web', uid: 'web-uid'}, {kind: 'DaemonSet' as const, name: 'agent', uid: 'agent-uid', nodeSelector: `${marks.stopped}=run-1`, state: 'Stopped' as const, stoppedAt: at(1)}];
    const api = cluster({run: runOf({dependents})});
    api.seed('Deployment', {metadata: {name: 'api', namespace: 'db', uid: 'api-uid'}, spec: {replicas: 0, selector: {}, template: {}}});
    api.seed('Deployment', {metadata: {name: 'web', namespace: 'db', uid: 'web-uid'}, spec: {replicas: 1, selector: {}, template: {}}});
    api.seed('DaemonSet', {metadata: {name: 'agent', namespace: 'db', uid: 'agent-uid'}, spec: {selector: {}, template: {spec: {containers: [], nodeSelector: {disk: 'ssd', [marks.stopped]: 'run-1'}}}}});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0, world.text);
    assert.deepEqual(acts(api).slice(0, 6), [
      'patch QuorumRecovery/status etcd', 'patch Deployment api', 'patch QuorumRecovery/status etcd', 'patch DaemonSet agent', 'patch QuorumRecovery/status etcd', 'patch QuorumRecovery/status etcd',
    ]);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.run?.dependents?.map(({state}) => state), ['Returned', 'Stopped', 'Returned'], 'web runs again, by somebody else');
    assert.equal(acts(api).at(-1), 'patch QuorumRecovery etcd');
    assert.equal(api.peek('Deployment', 'db', 'api')?.spec?.replicas, 3);
    assert.deepEqual(api.peek('DaemonSet', 'db', 'agent')?.spec?.template.spec?.nodeSelector, {disk: 'ssd'});
    assert.match(world.text, /These come back first: Deployment api \(3 replicas\), DaemonSet agent/);
    assert.equal(await run(invoke([], yes), new FakeWorld(api)), 0);
  });

  it('has brought them back where the end of a pod is never proven, and lets pods start where one of them is refused', async () => {
    const dependents = [{kind: 'Deployment' as const, name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopped' as const, stoppedAt: at(1)}];
    const deployment = {metadata: {name: 'api', namespace: 'db', uid: 'api-uid'}, spec: {replicas: 0, selector: {}, template: {}}};
    const silent = cluster({run: runOf({dependents})}, [gatedPod(0), gatedPod(1), stopping(false)]);
    silent.seed('Deployment', deployment);
    await refused(run(invoke([], yes), new FakeWorld(silent)), /Not proven: the end of etcd-2 on n2/);
    assert.equal(silent.peek('Deployment', 'db', 'api')?.spec?.replicas, 3);
    const api = cluster({run: runOf({dependents})});
    api.seed('Deployment', deployment);
    const patch = api.patch.bind(api);
    Object.assign(api, {patch: async (...call: Parameters<FakeApi['patch']>) => {
      if (call[0] === 'Deployment') throw new ApiError({verb: 'patch', kind: 'Deployment', object: call[2], code: 500, reason: 'InternalError', message: 'failed calling webhook'});
      return await patch(...call);
    }});
    const world = new FakeWorld(api);
    await assert.rejects(run(invoke([], yes), world), /failed calling webhook/);
    assert.match(world.text, /could not bring Deployment api \(3 replicas\) back, and tries once more at the end/);
    assert.deepEqual(api.peek('Pod', 'db', 'etcd-2')?.spec?.schedulingGates, undefined);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.metadata.finalizers, [marks.finalizer]);
  });

  it('takes no half of it where the right to bring them back is missing', async () => {
    const dependents = [{kind: 'Deployment' as const, name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopped' as const, stoppedAt: at(1)}];
    const api = cluster({run: runOf({dependents})});
    api.seed('Deployment', {metadata: {name: 'api', namespace: 'db', uid: 'api-uid'}, spec: {replicas: 0, selector: {}, template: {}}});
    api.forbidden.add('patch Deployment');
    await refused(run(invoke([], yes), new FakeWorld(api)), /rights in namespace db that you do not have: patch deployments\. Nothing was changed/);
    assert.deepEqual(acts(api), []);
  });

  it('never lets a pod start on a claim that was made anew, and keeps its name held', async () => {
    const api = cluster({lastHealthy: lastHealthy({'etcd-0': 'claim-0', 'etcd-1': 'another', 'etcd-2': 'claim-2'})});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0);
    assert.match(world.text, /etcd-1: its claim data-etcd-1 was made anew/);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.heldPods, ['etcd-1']);
    assert.equal(api.peek('Pod', 'db', 'etcd-1')?.spec?.schedulingGates?.length, 1);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.metadata.finalizers, [marks.finalizer], 'the resource must stay: it holds the name');
  });

  it('keeps held what an earlier run left held, whatever is known of its claim', async () => {
    const api = cluster({run: runOf({heldBefore: ['etcd-1']})});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0);
    assert.match(world.text, /etcd-1: an earlier run left it held/);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.heldPods, ['etcd-1']);
    assert.equal(api.peek('Pod', 'db', 'etcd-1')?.spec?.schedulingGates?.length, 1);
  });

  it('counts a claim as empty that nobody has seen data on, one that is gone, and a disk that was read as empty', async () => {
    const unknown = {pod: 'etcd-0', stage: 'Planning' as const, data: 'Empty' as const};
    const api = cluster({lastHealthy: lastHealthy({'etcd-0': 'claim-0', 'etcd-2': 'claim-2'}), run: runOf({offline: [unknown]}), members: []});
    api.remove('PersistentVolumeClaim', 'db', 'data-etcd-2');
    const world = new FakeWorld(api);
    await refused(run(invoke([], yes), world), /no held pod may start: etcd-0: its disk .* was read as Empty; etcd-1: nobody has seen data .*; etcd-2: its claim data-etcd-2 is gone/);
    assert.deepEqual(acts(api), []);
  });

  it('lets a pod start whose etcd answered when the plan was made, from the claim that it still has', async () => {
    const members = (claimUID: string) => [{pod: 'etcd-2', role: 'Voter' as const, health: 'NoLeader' as const, claim: 'data-etcd-2', claimUID}];
    const plan = planOf({ranks: [{pod: 'etcd-2', memberID: 'a2', term: 5, index: 120, commit: 118, revision: 90, from: 'etcd'}]});
    const api = cluster({lastHealthy: undefined, run: runOf({plan}), members: members('claim-2')});
    assert.equal(await run(invoke([], yes), new FakeWorld(api)), 0);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.heldPods, ['etcd-0', 'etcd-1']);
    const anew = cluster({lastHealthy: undefined, run: runOf({plan}), members: members('another')});
    await refused(run(invoke([], yes), new FakeWorld(anew)), /etcd-2: its claim data-etcd-2 was made anew since the run began/);
    const unread = cluster({lastHealthy: undefined, run: runOf({plan: planOf({ranks: [{pod: 'etcd-2', memberID: 'a2', term: 0, index: 0, commit: 0, revision: 0, from: 'unread'}]})}), members: members('claim-2')});
    await refused(run(invoke([], yes), new FakeWorld(unread)), /etcd-2: nobody has seen data/);
  });

  it('lets such a pod start only where it is named, and asked about once more', async () => {
    const api = cluster({lastHealthy: lastHealthy({'etcd-0': 'claim-0', 'etcd-1': 'another', 'etcd-2': 'claim-2'})});
    const world = new FakeWorld(api, true);
    world.answers = ['y', 'y'];
    assert.equal(await run(invoke([], {'start-empty': ['etcd-1']}), world), 0);
    assert.match(world.asked[0] ?? '', /etcd-1 would start although its claim data-etcd-1 was made anew/);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.heldPods, []);
  });

  it('lets a pod go whose volume was on a node that is gone: it stays Pending', async () => {
    const api = cluster({lastHealthy: lastHealthy({'etcd-0': 'other', 'etcd-1': 'claim-1', 'etcd-2': 'claim-2'})});
    api.seed('PersistentVolume', {metadata: {name: 'pv-0'}, spec: {nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: 'kubernetes.io/hostname', operator: 'In', values: ['n0']}]}]}}}});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0);
    assert.match(world.text, /etcd-0: stays Pending: the volume of data-etcd-0 is on a node that is gone/);
  });

  it('takes a fence off only once the kubelet has reported the end, and leaves other finalizers', async () => {
    const api = cluster({}, [gatedPod(0), gatedPod(1), stopping(false)]);
    const world = new FakeWorld(api);
    let looks = 0;
    world.meanwhile = () => {
      looks += 1;
      if (looks === 12) api.seed('Pod', stopping(true));
    };
    assert.equal(await run(invoke([], yes), world), 0, world.text);
    assert.match(world.text, /waiting for the end of etcd-2 on n2/);
    const fence = api.changes.find(({kind, name}) => kind === 'Pod' && name === 'etcd-2');
    assert.deepEqual((fence?.body as V1Pod).metadata?.finalizers, ['other/one']);
    assert.ok(looks >= 12);
  });

  it('gives up where the end of a pod is not proven, and says what to do', async () => {
    const api = cluster({}, [gatedPod(0), gatedPod(1), stopping(false)]);
    await refused(run(invoke([], yes), new FakeWorld(api)), /Not proven: the end of etcd-2 on n2.*Make sure that the machine is off/s);
    assert.ok(api.peek('Pod', 'db', 'etcd-2')?.metadata?.finalizers?.includes(marks.fence));
    assert.ok(api.peek('QuorumRecovery', 'db', 'etcd')?.metadata.finalizers?.includes(marks.finalizer));
  });

  it('takes a waiting Force pod away before the hold ends', async () => {
    const api = cluster({run: runOf({force: {attempt: 1, pod: 'etcd-2-force'}})});
    api.seed('Pod', forcePod());
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0);
    assert.deepEqual(acts(api).slice(0, 4), ['patch QuorumRecovery/status etcd', 'delete Pod etcd-2-force', 'patch Pod etcd-2-force', 'patch QuorumRecovery/status etcd']);
  });

  it('is refused while an operator runs, and where one may come back', async () => {
    const api = cluster();
    const labels = {'app.kubernetes.io/name': 'quorum-recovery-operator'};
    api.seed('Pod', {metadata: {name: 'operator-1', namespace: 'system', labels}, status: {conditions: [{type: 'Ready', status: 'True'}]}});
    await refused(run(invoke([], yes), new FakeWorld(api)), /an operator runs \(pod operator-1 in system\)/);
    api.seed('Pod', {metadata: {name: 'operator-1', namespace: 'system', labels}, status: {}});
    await refused(run(invoke([], yes), new FakeWorld(api)), /Scale it down first/);
    assert.deepEqual(acts(api), []);
    assert.equal(await run(invoke([], {...yes, 'operator-is-dead': true}), new FakeWorld(api)), 0);
  });

  it('does not count an operator that serves other namespaces', async () => {
    const api = cluster();
    const containers = [{name: 'operator', args: ['--namespaces=other']}];
    api.seed('Pod', {metadata: {name: 'operator-1', namespace: 'system', labels: {'app.kubernetes.io/name': 'quorum-recovery-operator'}}, spec: {containers}, status: {conditions: [{type: 'Ready', status: 'True'}]}});
    assert.equal(await run(invoke([], yes), new FakeWorld(api)), 0);
  });

  it('asks for a word that --yes does not give where it may not see the operator', async () => {
    const api = cluster();
    // Only the question of all namespaces is refused.
    const list = api.list.bind(api);
    api.list = async (kind, namespace, options) => {
      if (kind === 'Pod' && namespace === undefined) api.forbidden.add('list Pod');
      try {
        return await list(kind, namespace, options);
      } finally {
        api.forbidden.delete('list Pod');
      }
    };
    await refused(run(invoke([], yes), new FakeWorld(api)), /--yes does not answer this: add --operator-is-dead/);
    assert.deepEqual(acts(api), []);
    const world = new FakeWorld(api, true);
    world.answers = ['dead'];
    assert.equal(await run(invoke([], yes), world), 0);
  });

  const dependents = [{kind: 'Deployment' as const, name: 'api', uid: 'api-uid', replicas: 3, state: 'Stopped' as const, stoppedAt: at(1)}];
  const anew = (newCluster: object, more: object = {}): FakeApi => {
    const api = cluster({heldPods: ['etcd-2'], run: runOf({dependents, plan: planOf({strategy: 'RestoreSnapshot', survivor: 'etcd-2'}), newCluster: {attempt: 1, members: ['etcd-0', 'etcd-1'], clusterID: 'n', begunAt: at(5), seeded: ['etcd-0'], ...newCluster}, ...more})}, [gatedPod(2)]);
    api.seed('Deployment', {metadata: {name: 'api', namespace: 'db', uid: 'api-uid'}, spec: {replicas: 0, selector: {}, template: {}}});
    return api;
  };

  it('refuses once a new cluster was begun with: no half-exchanged pod starts, nothing that uses etcd comes back, and each volume is told', async () => {
    const api = anew({});
    await refused(run(invoke([], {...yes, 'after-force': true}), new FakeWorld(api)), /does not serve yet.*Start the operator again.*etcd-0: the new cluster's data is in place; etcd-1: its old data may be set aside already .*; etcd-2: its old data is as it was/);
    assert.deepEqual(acts(api), []);
    const empty = anew({servedAt: at(6), seeded: ['etcd-0', 'etcd-1']}, {steps: [{name: 'StartEmpty', state: 'Done'}, {name: 'Load', state: 'Running'}, {name: 'Check', state: 'Pending'}]});
    await refused(run(invoke([], {...yes, 'after-force': true}), new FakeWorld(empty)), /serves, and what it is to hold is not loaded and checked yet/);
    assert.deepEqual(acts(empty), []);
  });

  it('brings back what uses etcd once the new cluster serves, and lets nobody start who has to join it, the first of the set neither', async () => {
    const api = anew({servedAt: at(6), seeded: ['etcd-0', 'etcd-1']});
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], {...yes, 'after-force': true}), world), 0, world.text);
    assert.equal(api.peek('Deployment', 'db', 'api')?.spec?.replicas, 3);
    assert.equal(api.peek('Pod', 'db', 'etcd-2')?.spec?.schedulingGates?.length, 1);
    assert.deepEqual(api.peek('QuorumRecovery', 'db', 'etcd')?.status?.heldPods, ['etcd-2']);
  });

  it('after the force lets the survivor alone start, once that is confirmed, and never the others', async () => {
    const forced = {run: runOf({force: {attempt: 1, pod: 'etcd-2-force', podUID: 'f', turnGiven: true, endedAt: at(9)}})};
    const api = cluster(forced);
    await refused(run(invoke([], yes), new FakeWorld(api)), /The force may have begun.*add --after-force/s);
    assert.deepEqual(acts(api), []);
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], {...yes, 'after-force': true, 'start-empty': ['etcd-0', 'etcd-1']}), world), 0, world.text);
    assert.deepEqual(acts(api), ['patch QuorumRecovery/status etcd', 'patch Pod etcd-2']);
    const after = api.peek('QuorumRecovery', 'db', 'etcd');
    assert.deepEqual(after?.status?.heldPods, ['etcd-0', 'etcd-1']);
    assert.equal(after.status.run?.finishedAt, undefined, 'an operator that comes back has to finish it');
    assert.deepEqual(after.metadata.finalizers, [marks.finalizer]);
  });

  it('takes a given turn for a force that may have begun, and an agent\'s own word that it changed nothing for none', async () => {
    const turn = cluster({run: runOf({force: {attempt: 1, pod: 'etcd-2-force'}})});
    turn.seed('Pod', forcePod({annotations: {[marks.run]: 'run-1', [marks.turn]: '1'}}));
    await refused(run(invoke([], yes), new FakeWorld(turn)), /the forced etcd was never started.*put the copy back first/s);
    const report = JSON.stringify({ok: false, command: 'prepare-force', reason: 'NoSpace', message: 'full'});
    const agent = {initContainerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 1, message: report}}}], containerStatuses: []};
    const refusing = cluster({run: runOf({force: {attempt: 1, pod: 'etcd-2-force', turnGiven: true}})});
    refusing.seed('Pod', forcePod({annotations: {[marks.run]: 'run-1', [marks.turn]: '1'}}, agent));
    const world = new FakeWorld(refusing);
    assert.equal(await run(invoke([], yes), world), 0, world.text);
    assert.equal(refusing.peek('QuorumRecovery', 'db', 'etcd')?.status?.run?.outcome, 'Released');
  });

  it('changes nothing where a right is missing, in a dry run, or where nobody confirms', async () => {
    const api = cluster();
    assert.equal(await run(invoke([], {'dry-run': true}), new FakeWorld(api)), 0);
    await refused(run(invoke(), new FakeWorld(api)), /Nobody can be asked/);
    api.forbidden.add('patch QuorumRecovery/status');
    await refused(run(invoke([], yes), new FakeWorld(api)), /rights in namespace db that you do not have: patch quorumrecoveries\/status/);
    assert.deepEqual(acts(api), []);
  });

  it('looks again where a kubelet writes to a pod at the same moment, and stops where somebody writes to the resource', async () => {
    const refuseOnce = (kind: string): FakeApi => {
      const api = cluster();
      const patch = api.patch.bind(api);
      let refusals = 0;
      return Object.assign(api, {patch: async (...call: Parameters<FakeApi['patch']>) => {
        if (call[0] === kind && (refusals += 1) === 1) throw new ApiError({verb: 'patch', kind, object: call[2], code: 409, reason: 'Conflict', message: 'the object has been modified'});
        return await patch(...call);
      }});
    };
    assert.equal(await run(invoke([], yes), new FakeWorld(refuseOnce('Pod'))), 0);
    await assert.rejects(run(invoke([], yes), new FakeWorld(refuseOnce('QuorumRecovery'))), /the object has been modified/);
  });

  it('stops where somebody changes the resource in between', async () => {
    const api = cluster();
    const world = new FakeWorld(api);
    api.react = ({kind}) => {
      if (kind !== 'QuorumRecovery/status') return;
      const found = api.peek('QuorumRecovery', 'db', 'etcd');
      if (found?.status?.run) found.status.run = {...found.status.run, writableAt: at(50), force: {attempt: 1, pod: 'x', turnGiven: true}};
    };
    await refused(run(invoke([], yes), world), /Something changed meanwhile/);
    assert.ok(!acts(api).includes('patch Pod etcd-0'));
  });

  it('stops where a claim is made anew in between: its pod does not start', async () => {
    const api = cluster();
    api.react = ({kind, name}) => {
      if (kind === 'Pod' && name === 'etcd-0') api.seed('PersistentVolumeClaim', {metadata: {name: 'data-etcd-1', namespace: 'db', uid: 'anew'}, spec: {volumeName: 'pv-1'}, status: {phase: 'Bound'}});
    };
    await refused(run(invoke([], yes), new FakeWorld(api)), /Something changed meanwhile \(etcd-1: its claim data-etcd-1 was made anew/);
    assert.equal(api.peek('Pod', 'db', 'etcd-1')?.spec?.schedulingGates?.length, 1);
  });

  it('takes each trace of a force by itself for one that may have begun', async () => {
    for (const force of [{attempt: 1, pod: 'x', turnGiven: true}, {attempt: 2, pod: 'x', podUID: 'u'}, {attempt: 2, pod: 'x', refused: [1]}]) {
      const api = cluster({run: runOf({force})});
      await refused(run(invoke([], yes), new FakeWorld(api)), /The force may have begun/);
      assert.deepEqual(acts(api), []);
    }
  });

  it('has nothing to do where nothing is held', async () => {
    const api = new FakeApi();
    api.seed('QuorumRecovery', resourceOf({phase: 'Complete', conditions: [condition('Ready', 'True', 'NotNeeded', 'all well')]}));
    api.seed('StatefulSet', set);
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], yes), world), 0);
    assert.match(world.text, /nothing to release/);
  });
});
