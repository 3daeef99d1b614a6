import assert from 'node:assert/strict';
import type {V1ContainerStatus, V1PersistentVolumeClaim, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {specSchema} from '../../../src/api/spec.ts';
import {apiVersion} from '../../../src/api/types.ts';
import type {MemberRecord, Plan, QuorumRecoveryStatus, Run} from '../../../src/api/types.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import {nextStep} from '../../../src/decide/next.ts';
import {plannedSpecHash} from '../../../src/decide/plans/plan.ts';
import {plan} from '../../../src/decide/steps/plan.ts';
import {readLaunch} from '../../../src/etcd/launch/launch.ts';
import type {ListedMember, MemberStatus} from '../../../src/etcd/types.ts';
import {templatesOf} from '../../../src/kubernetes/revisions.ts';
import {noStorage} from '../../../src/observe/storage.ts';
import type {ClaimView, NodeView, Observation, OrdinalView, Place, Probe} from '../../../src/observe/observation.ts';

export const now = Date.UTC(2026, 0, 1);
export const clusterID = 'c1';
export const idOf = (ordinal: number) => `a${ordinal}`;
const peer = (ordinal: number) => `http://etcd-${ordinal}.etcd:2380`;

export const members = (count: number): ListedMember[] => Array.from({length: count}, (_, ordinal) =>
  ({id: idOf(ordinal), name: `etcd-${ordinal}`, peerURLs: [peer(ordinal)], clientURLs: [], isLearner: false}));

export function newSet(replicas: number, more: Partial<NonNullable<V1StatefulSet['spec']>> = {}): V1StatefulSet {
  return {
    apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name: 'etcd', namespace: 'db', uid: 'set-uid', generation: 1},
    spec: {
      replicas, serviceName: 'etcd', selector: {matchLabels: {app: 'etcd'}},
      volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {accessModes: ['ReadWriteOnce']}}],
      template: {
        metadata: {labels: {app: 'etcd'}},
        spec: {containers: [{
          name: 'etcd', image: 'registry.example/etcd:3.6.16', command: ['etcd'], env: [{name: 'POD_NAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}}],
          args: [
            '--name=$(POD_NAME)', '--data-dir=/data', '--listen-client-urls=http://0.0.0.0:2379', '--advertise-client-urls=http://$(POD_NAME).etcd:2379',
            '--listen-peer-urls=http://0.0.0.0:2380', '--initial-advertise-peer-urls=http://$(POD_NAME).etcd:2380',
          ],
          volumeMounts: [{name: 'data', mountPath: '/data'}],
        }]},
      },
      ...more,
    },
    status: {replicas, observedGeneration: 1, updateRevision: 'rev-1', currentRevision: 'rev-1'},
  };
}

export const node = (name: string, more: Partial<NodeView> = {}): NodeView => ({
  name, uid: `uid-of-${name}`, ready: true, outOfService: false, unschedulable: false, machineID: `machine-${name}`, systemUUID: `system-${name}`,
  providerID: '', labels: {'kubernetes.io/hostname': name}, ephemeralStorage: true, ...more,
});

export const running: V1ContainerStatus = {name: 'etcd', image: '', imageID: '', ready: true, restartCount: 0, containerID: 'containerd://1', state: {running: {}}};

export const ended = (reason = 'Completed'): V1ContainerStatus =>
  ({name: 'etcd', image: '', imageID: '', ready: false, restartCount: 0, containerID: 'containerd://1', state: {terminated: {exitCode: 0, reason, finishedAt: new Date(now)}}});

export const waiting: V1ContainerStatus = {name: 'etcd', image: '', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: 'ContainerCreating'}}};

export interface PodOptions {
  uid?: string;
  node?: string;
  statuses?: V1ContainerStatus[];
  inits?: V1ContainerStatus[];
  deleting?: boolean;
  phase?: string;
  gated?: boolean;
  finalizers?: string[];
  annotations?: Record<string, string>;
  restartPolicy?: string;
}

export function ownPodOf(ordinal: number, options: PodOptions = {}): V1Pod {
  const {uid = `pod-uid-${ordinal}`, statuses = [running], inits, deleting, phase = 'Running', gated, finalizers, annotations, restartPolicy} = options;
  const nodeName = gated ? undefined : options.node ?? `node-${ordinal}`;
  return {
    metadata: {
      name: `etcd-${ordinal}`, namespace: 'db', uid, labels: {'controller-revision-hash': 'rev-1', 'apps.kubernetes.io/pod-index': String(ordinal)},
      ...(deleting && {deletionTimestamp: new Date(now)}), ...(finalizers && {finalizers}), ...(annotations && {annotations}),
    },
    spec: {containers: [], ...(nodeName !== undefined && nodeName !== '' && {nodeName}), ...(gated && {schedulingGates: [{name: 'quorumrecovery.io/held'}]}), ...(restartPolicy && {restartPolicy})},
    status: {phase, podIP: `10.0.0.${ordinal}`, containerStatuses: statuses, ...(inits && {initContainerStatuses: inits})},
  };
}

export const answers = (ordinal: number, count: number, more: Partial<MemberStatus> = {}): Probe => ({
  kind: 'Answered', clusterID, members: members(count),
  status: {
    clusterID, memberID: idOf(ordinal), version: '3.6.16', leader: '', raftTerm: 5, raftIndex: 100, raftAppliedIndex: 100, revision: 50, dbSizeBytes: 1,
    isLearner: false, errors: [], ...more,
  },
});

export const silent: Probe = {kind: 'NotAsked', why: 'its etcd does not run'};

export interface OrdinalOptions {
  object?: V1Pod | undefined;
  place?: Place;
  probe?: Probe;
  claimUID?: string;
}

export function ordinal(set: V1StatefulSet, index: number, options: OrdinalOptions = {}): OrdinalView {
  const place = options.place ?? {at: 'Node', nodes: [`node-${index}`]};
  const template = set.spec?.volumeClaimTemplates?.[0] as V1PersistentVolumeClaim;
  const gone = place.at === 'Missing';
  const claim: ClaimView = {
    template, name: `data-etcd-${index}`, place,
    object: gone ? undefined : {metadata: {name: `data-etcd-${index}`, uid: options.claimUID ?? `claim-uid-${index}`}, spec: {volumeName: `pv-${index}`}},
    volume: gone ? undefined : {metadata: {name: `pv-${index}`}},
  };
  const launch = readLaunch({template: set.spec?.template ?? {}, container: 'etcd', podName: `etcd-${index}`, namespace: 'db', configMaps: () => undefined});
  return {
    ordinal: index, pod: `etcd-${index}`, object: 'object' in options ? options.object : ownPodOf(index), launch: launch.ok ? launch.launch : launch,
    claims: [claim], data: claim, wal: undefined, probe: options.probe ?? silent,
  };
}

export interface ObservationOptions {
  count?: number;
  ordinals?: OrdinalOptions[];
  nodes?: NodeView[];
  status?: QuorumRecoveryStatus;
  spec?: object;
  set?: V1StatefulSet;
  more?: Partial<Observation>;
}

/** A cluster of three on node-0 to node-2, as far as nothing else is said. */
export function observationOf(options: ObservationOptions = {}): Observation {
  const count = options.ordinals?.length ?? options.count ?? 3;
  const set = options.set ?? newSet(count);
  const spec = specSchema.parse({target: {statefulSet: 'etcd'}, ...options.spec});
  return {
    now, spec, specProblem: undefined, status: options.status ?? {}, set, templates: templatesOf(set, [], []),
    resource: {apiVersion, kind: 'QuorumRecovery', metadata: {name: 'etcd', namespace: 'db', uid: 'qr-uid'}, spec},
    ordinals: Array.from({length: count}, (_, index) => ordinal(set, index, options.ordinals?.[index])),
    nodes: options.nodes ?? Array.from({length: count}, (_, index) => node(`node-${index}`)),
    linearizable: false, namespaceGoing: false, storage: noStorage, helpers: [], dependents: [], strays: [], pruners: [], savers: [], duplicateOf: undefined, secretProblem: undefined, authEnabled: undefined, agentImage: 'operator:1',
    service: {metadata: {name: 'etcd'}, spec: {publishNotReadyAddresses: true}}, services: [], elsewhere: [], configMaps: () => undefined, ...options.more,
  };
}

export const runOf = (more: Partial<Run> = {}): Run =>
  ({id: 'run-1', attempt: 1, startedAt: new Date(now).toISOString(), steps: [{name: 'Plan', state: 'Running'}], ...more});

export const planOf = (more: Partial<Plan> = {}): Plan => ({
  hash: 'h', strategy: 'ForceNewCluster', survivor: 'etcd-0', candidates: ['etcd-0'], why: '', ranks: [], lowest: {term: 0, index: 0}, lost: [], claims: [],
  expectedLoss: '', steps: [], notes: [], specHash: plannedSpecHash(observationOf().spec, 'ForceNewCluster'), setUID: 'set-uid', setSpecHash: '', revision: 'rev-1', ...more,
});

/** The record of a member whose etcd answered once in that pod on that node. */
export const recordOf = (index: number, more: Partial<MemberRecord> = {}): MemberRecord => ({
  pod: `etcd-${index}`, podUID: `pod-uid-${index}`, memberID: idOf(index), role: 'Voter', health: 'Healthy', node: `node-${index}`, nodeUID: `uid-of-node-${index}`,
  machineID: `machine-node-${index}`, systemUUID: `system-node-${index}`, claim: `data-etcd-${index}`, claimUID: `claim-uid-${index}`, volume: `pv-${index}`, ...more,
});

export const voter = (index: number) => ({memberID: idOf(index), pod: `etcd-${index}`});

/** What is decided next, and the status once that is recorded. */
export function next(observation: Observation): {decision: Decision; status: QuorumRecoveryStatus} {
  const decision = nextStep(observation)?.decision;
  if (decision === undefined) throw new Error('nothing is left to be decided');
  const status = structuredClone(observation.status);
  if ('record' in decision) decision.record(status);
  return {decision, status};
}

/** The status once the record of a decision is in it, which is written before it acts. */
export function recorded(decision: Decision, status: QuorumRecoveryStatus): QuorumRecoveryStatus {
  const draft = structuredClone(status);
  if ('record' in decision) decision.record(draft);
  return draft;
}

/** The plan that is made of what is seen. */
export function plannedOf(observation: Observation): NonNullable<Run['plan']> {
  const made = recorded(plan(observation), observation.status).run?.plan;
  assert.ok(made, JSON.stringify(plan(observation)));
  return made;
}
