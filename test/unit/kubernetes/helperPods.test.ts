import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Run} from '../../../src/api/types.ts';
import {agentPod, firstMemberPod, forcePod, joinerPod} from '../../../src/kubernetes/helperPods.ts';
import {statefulSetPod} from '../../../src/kubernetes/ownPods.ts';
import {carriesForceFlag} from '../../../src/phases/forcing.ts';
import {newSet, observationOf, ownPodOf, planOf} from '../decide/observations.ts';

const observation = observationOf({status: {members: [{pod: 'etcd-0', memberID: 'a0', role: 'Voter', health: 'Healthy'}]}});
const set = newSet(3);
const [view] = observation.ordinals;
if (view === undefined) throw new Error('no ordinal');
const source = {set, ordinal: 0, template: set.spec?.template ?? {}, revision: 'rev-1'};
const options = {observation, view, source, run: 'run-1a2b'};

function forced(more: Partial<Parameters<typeof forcePod>[0]> = {}): V1Pod {
  const made = forcePod({...options, attempt: 1, members: {clusterID: 'c1', version: '3.6.16', members: [], source: ''}, ...more});
  if ('problem' in made) throw new Error(made.problem);
  return made.pod;
}
const argsOf = (pod: V1Pod, name: string) => [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find((container) => container.name === name)?.args ?? [];

describe('the pod of the forced start', () => {
  it('carries the force flag, and the set\'s own pod does not', () => {
    assert.ok(argsOf(forced(), 'etcd').includes('--force-new-cluster=true'));
    assert.equal(carriesForceFlag(forced()), true);
    assert.equal(carriesForceFlag(statefulSetPod(source)), false);
  });
  it('is fenced from the beginning, never restarts and has a deadline', () => {
    const {metadata, spec} = forced();
    assert.deepEqual([metadata?.finalizers, spec?.restartPolicy], [['quorumrecovery.io/fence'], 'Never']);
    assert.ok((spec?.activeDeadlineSeconds ?? 0) > 0);
  });
  it('is outside every Service of the set: none of its labels, no subdomain, no probes, no ports', () => {
    const {metadata, spec} = forced();
    assert.equal(metadata?.labels?.['app'], undefined);
    assert.equal(spec?.subdomain, undefined);
    const [etcd] = spec?.containers ?? [];
    assert.deepEqual([etcd?.readinessProbe, etcd?.livenessProbe, etcd?.ports, etcd?.lifecycle], [undefined, undefined, undefined, undefined]);
  });
  it('is no pod of the StatefulSet', () => { assert.deepEqual(forced().metadata?.ownerReferences?.map(({kind}) => kind), ['QuorumRecovery']); });
  it('starts etcd under the member\'s own name, not the helper\'s', () => {
    assert.deepEqual(forced().spec?.containers[0]?.env, [{name: 'POD_NAME', value: 'etcd-0'}]);
    assert.notEqual(forced().metadata?.name, 'etcd-0');
  });
  it('copies first, and expects this member of this cluster on the disk', () => {
    const args = argsOf(forced(), 'volume-agent').join(' ');
    assert.match(args, /^prepare-force --attempt 1 --pod \$\(QUORUMRECOVERY_POD_UID\) --turn \/quorumrecovery\/turn --expect-member a0 --expect-cluster c1 --copy --root \/data --data-dir \/data --run run-1a2b$/);
    assert.equal(forced().spec?.initContainers?.[0]?.name, 'volume-agent');
  });
  it('prepares the very directory that etcd has: a subPathExpr keeps the variables it is made of', () => {
    const template = structuredClone(source.template);
    for (const mount of template.spec?.containers[0]?.volumeMounts ?? []) mount.subPathExpr = '$(POD_NAME)';
    const agent = forced({source: {...source, template}}).spec?.initContainers?.[0];
    assert.equal(agent?.volumeMounts?.[0]?.subPathExpr, '$(POD_NAME)');
    assert.deepEqual(agent.env?.map(({name, value}) => [name, value]), [['POD_NAME', 'etcd-0'], ['QUORUMRECOVERY_POD_UID', undefined]]);
  });
  it('says where the log must end at least, and what term of an entry was seen elsewhere', () => {
    assert.match(argsOf(forced({lowest: {term: 5, index: 110}, laterEntryTerm: 6}), 'volume-agent').join(' '), /--expect-term 5 --expect-index 110 --later-entry-term 6 --copy/);
  });
  it('skips the copy only where preserve.mode says so', () => {
    const skip = observationOf({spec: {preserve: {mode: 'Skip'}}});
    assert.ok(argsOf(forced({observation: skip}), 'volume-agent').includes('--no-copy'));
  });
  it('has another name at each attempt, and the same at each repeat', () => {
    assert.equal(forced().metadata?.name, forced().metadata?.name);
    assert.notEqual(forced().metadata?.name, forced({attempt: 2}).metadata?.name);
  });
});

describe('a volume agent', () => {
  it('may only read beside a running pod, on that pod\'s node', () => {
    const pod = agentPod({...options, step: 'InspectPlanning', command: ['inspect'], readOnly: true});
    assert.equal(pod.spec?.containers[0]?.volumeMounts?.every((mount) => mount.readOnly), true);
    assert.deepEqual(pod.spec.nodeSelector, {'kubernetes.io/hostname': 'node-0'});
  });
  it('goes where the volume is when no pod holds it', () => {
    const held = {...view, object: ownPodOf(0, {gated: true})};
    const pod = agentPod({...options, view: held, step: 'Decommission', command: ['set-aside'], readOnly: false});
    assert.equal(pod.spec?.nodeSelector, undefined);
    assert.deepEqual(pod.spec?.containers[0]?.args, ['set-aside', '--root', '/data', '--data-dir', '/data', '--run', 'run-1a2b']);
  });
  it('carries the run, its step and its pod, by which it is found again', () => {
    const pod = agentPod({...options, step: 'Decommission', command: ['set-aside'], readOnly: false});
    assert.deepEqual(pod.metadata?.annotations, {
      'quorumrecovery.io/run': 'run-1a2b', 'quorumrecovery.io/step': 'Decommission', 'quorumrecovery.io/pod': 'etcd-0', 'quorumrecovery.io/attempt': '1',
    });
    assert.equal(pod.metadata.labels?.['quorumrecovery.io/resource'], 'etcd');
  });
  it('mounts nothing but the data, and no token of a service account', () => {
    const pod = agentPod({...options, step: 'x', command: ['inspect'], readOnly: true});
    assert.deepEqual(pod.spec?.volumes?.map(({name}) => name), ['data']);
    assert.equal(pod.spec.automountServiceAccountToken, false);
  });
});

describe('the pod of a joiner', () => {
  const cluster = 'etcd-0=http://etcd-0.etcd:2380,etcd-1=http://etcd-1.etcd:2380';
  const made = (): V1Pod => {
    const one = observation.ordinals[1];
    if (one === undefined) throw new Error('no ordinal');
    const result = joinerPod({...options, view: one, source: {...source, ordinal: 1}, cluster});
    if ('problem' in result) throw new Error(result.problem);
    return result.pod;
  };
  it('starts with existing and exactly the members that it was made for', () => {
    assert.deepEqual(argsOf(made(), 'etcd').slice(-2), ['--initial-cluster-state=existing', `--initial-cluster=${cluster}`]);
  });
  it('is the set\'s own pod, not gated, and says for which member list it was made', () => {
    const pod = made();
    assert.equal(pod.metadata?.name, 'etcd-1');
    assert.deepEqual(pod.metadata.annotations, {'quorumrecovery.io/run': 'run-1a2b', 'quorumrecovery.io/initial-cluster': cluster});
    assert.deepEqual(pod.metadata.ownerReferences?.map(({kind}) => kind), ['StatefulSet']);
    assert.equal(pod.spec?.schedulingGates, undefined);
  });
  it('never carries the force flag', () => { assert.equal(carriesForceFlag(made()), false); });
  it('asks for room for the database that it is sent, which was the survivor\'s or a snapshot, and for a log of its own; not where it begins on what was put there', () => {
    const [one] = observation.ordinals.slice(1);
    if (one === undefined) throw new Error('no ordinal');
    const begun = {id: 'run-1', attempt: 1, startedAt: '', steps: []};
    const argsWith = (run: Run, make: typeof joinerPod) => {
      const result = make({...options, observation: {...observation, status: {run}}, view: one, source: {...source, ordinal: 1}, cluster});
      assert.ok('pod' in result, JSON.stringify(result));
      return argsOf(result.pod, 'volume-agent').join(' ');
    };
    const restores: Run = {...begun, plan: planOf({strategy: 'RestoreSnapshot', snapshot: {name: 's', revision: 1, bytes: 1_000_000}})};
    assert.match(argsWith({...begun, force: {attempt: 1, pod: 'f', dataBytes: 1_000_000}}, joinerPod), /--needs 135217728/);
    assert.match(argsWith(restores, joinerPod), /--needs 135217728/);
    assert.doesNotMatch(argsWith(begun, joinerPod), /--needs/);
    assert.doesNotMatch(argsWith(restores, (of) => firstMemberPod({...of, token: 't'})), /--needs/);
  });
  it('has the agent before etcd, which waits for the turn that an annotation gives', () => {
    const pod = made();
    assert.deepEqual(argsOf(pod, 'volume-agent').slice(0, 3), ['prepare-join', '--turn', '/quorumrecovery/turn']);
    const volume = pod.spec?.volumes?.find(({downwardAPI}) => downwardAPI !== undefined);
    assert.deepEqual(volume?.downwardAPI?.items, [{path: 'turn', fieldRef: {fieldPath: "metadata.annotations['quorumrecovery.io/turn']"}}]);
    const [agent] = pod.spec?.initContainers ?? [];
    assert.ok(agent?.volumeMounts?.some((mount) => mount.name === volume.name && mount.mountPath === '/quorumrecovery' && mount.readOnly === true));
  });
});

describe('the force flag in a pod', () => {
  const pod = (container: object): V1Pod => ({spec: {containers: [{name: 'etcd', ...container}]}});
  const cases: [string, object, boolean][] = [
    ['as a flag', {args: ['--force-new-cluster']}, true], ['as a flag with a value', {command: ['etcd', '--force-new-cluster=true']}, true],
    ['in a script', {command: ['sh', '-c', 'exec etcd --data-dir /d "--force-new-cluster=true" --name x']}, true],
    ['as a variable', {env: [{name: 'ETCD_FORCE_NEW_CLUSTER', value: 'true'}]}, true],
    ['as a variable that says false', {env: [{name: 'ETCD_FORCE_NEW_CLUSTER', value: 'false'}]}, false],
    ['as a flag that says false', {args: ['--force-new-cluster=false']}, false], ['as another flag of a like name', {args: ['--force-new-cluster-bump-amount=5']}, false],
    ['nowhere', {args: ['--name=x']}, false],
  ];
  for (const [title, container, expected] of cases) it(`is ${expected ? 'seen' : 'not seen'} ${title}`, () => { assert.equal(carriesForceFlag(pod(container)), expected); });
});
