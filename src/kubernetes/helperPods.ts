import type {V1Container, V1Pod, V1PodSpec, V1SecurityContext, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {newWalBytes} from '../agent/report.ts';
import {marks} from '../api/types.ts';
import type {Plan, Run} from '../api/types.ts';
import {mountOf, overlayLaunch, withoutMembershipHooks} from '../etcd/launch/launch.ts';
import type {Launch, Mount} from '../etcd/launch/launch.ts';
import {agentContainer} from '../observe/agentReport.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {fixedEnvironment} from './environment.ts';
import type {PodSource} from './ownPods.ts';
import {ownPod, statefulSetPod} from './ownPods.ts';

export interface HelperOptions {
  observation: Observation;
  view: OrdinalView;
  source: PodSource;
  run: string;
}

const shortRun = (run: string) => run.replace(/^run-/, '');

/** Metadata of a helper pod: outside every Service, found by its resource's name, with the run that the policy asks for. */
function helperMetadata({observation, view, run}: HelperOptions, step: string, kind: 'Agent' | 'Force', attempt = 1): V1Pod['metadata'] & object {
  const resource = observation.resource.metadata;
  return {
    name: `${view.pod}-${step.toLowerCase()}-${shortRun(run)}${attempt > 1 ? `-${attempt}` : ''}`.slice(0, 253),
    namespace: resource.namespace ?? 'default',
    labels: {[marks.helper]: kind, [marks.resource]: resource.name ?? '', 'app.kubernetes.io/managed-by': 'quorum-recovery-operator'},
    annotations: {[marks.run]: run, [marks.step]: step, [marks.pod]: view.pod, [marks.attempt]: String(attempt)},
    ownerReferences: [{
      apiVersion: observation.resource.apiVersion, kind: observation.resource.kind, name: resource.name ?? '', uid: resource.uid ?? '',
      controller: true, blockOwnerDeletion: false,
    }],
  };
}

/** What every helper pod takes over from the template, and what it must not. */
export function helperSpec(own: V1PodSpec, containers: V1Container[], volumes: V1Volume[]): V1PodSpec {
  const affinity = own.affinity?.nodeAffinity;
  return {
    containers,
    volumes,
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: own.terminationGracePeriodSeconds ?? 30,
    ...(affinity && {affinity: {nodeAffinity: affinity}}),
    ...(own.nodeSelector && {nodeSelector: own.nodeSelector}),
    ...(own.tolerations && {tolerations: own.tolerations}),
    ...(own.imagePullSecrets && {imagePullSecrets: own.imagePullSecrets}),
    ...(own.securityContext && {securityContext: own.securityContext}),
    ...(own.priorityClassName && {priorityClassName: own.priorityClassName}),
    ...(own.schedulerName && {schedulerName: own.schedulerName}),
    ...(own.runtimeClassName && {runtimeClassName: own.runtimeClassName}),
    ...(own.serviceAccountName && {serviceAccountName: own.serviceAccountName}),
  };
}

export const launchOf = (view: OrdinalView): Launch => {
  if (!isLaunch(view.launch)) throw new Error(view.launch.message);
  return view.launch;
};

/**
 * The agent runs as etcd's own user. Where the template names none, as root, which can read what any user wrote,
 * with no more capabilities than that takes.
 */
export function agentSecurity(own: V1PodSpec, etcd: V1Container): V1SecurityContext {
  const user = etcd.securityContext?.runAsUser ?? own.securityContext?.runAsUser;
  const group = etcd.securityContext?.runAsGroup ?? own.securityContext?.runAsGroup;
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    ...(user === undefined ? {runAsUser: 0, runAsNonRoot: false} : {runAsUser: user}),
    ...(group !== undefined && {runAsGroup: group}),
    ...(etcd.securityContext?.seLinuxOptions && {seLinuxOptions: etcd.securityContext.seLinuxOptions}),
    ...(etcd.securityContext?.seccompProfile && {seccompProfile: etcd.securityContext.seccompProfile}),
    capabilities: user === undefined || user === 0 ? {drop: ['ALL'], add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER']} : {drop: ['ALL']},
  };
}

const volumeMount = ({volume, mountPath, subPath, subPathExpr}: Mount, readOnly: boolean): V1VolumeMount => ({
  name: volume, mountPath, ...(subPath !== undefined && {subPath}), ...(subPathExpr !== undefined && {subPathExpr}), ...(readOnly && {readOnly: true}),
});

/** The agent's container: on the same mounts as etcd's data and WAL, told where they are. */
function agent(options: HelperOptions, own: V1PodSpec, command: string[], readOnly: boolean): {container: V1Container; volumes: V1Volume[]} {
  const launch = launchOf(options.view);
  const etcd = own.containers.find((container) => container.name === launch.container);
  if (etcd === undefined) throw new Error(`the template has no container ${launch.container}`);
  const data = mountOf(own, launch.container, launch.dataDir);
  const wal = launch.walDir === undefined ? undefined : mountOf(own, launch.container, launch.walDir);
  if (data === undefined) throw new Error(`${launch.dataDir} is on no volume of the pod`);
  const mounts = [data, ...(wal && wal.mountPath !== data.mountPath ? [wal] : [])];
  const flags = [
    '--root', data.mountPath, '--data-dir', launch.dataDir, '--run', options.run,
    ...(launch.walDir === undefined ? [] : ['--wal-dir', launch.walDir]),
    ...(wal && wal.mountPath !== data.mountPath ? ['--wal-root', wal.mountPath] : []),
  ];
  const volumes = (own.volumes ?? []).filter((volume) => mounts.some((mount) => mount.volume === volume.name));
  const expressions = mounts.some((mount) => mount.subPathExpr !== undefined);
  return {
    volumes,
    container: {
      name: agentContainer,
      image: options.observation.agentImage,
      imagePullPolicy: 'IfNotPresent',
      command: ['/nodejs/bin/node', '/app/dist/agent/main.js'],
      args: [...command, ...flags],
      securityContext: agentSecurity(own, etcd),
      terminationMessagePolicy: 'File',
      ...(expressions && etcd.env && {env: fixedEnvironment(statefulSetPod(options.source), etcd.env)}),
      volumeMounts: mounts.map((mount) => volumeMount(mount, readOnly)),
    },
  };
}

const turnVolume = 'quorumrecovery-turn';
const turnDirectory = '/quorumrecovery';

/** The annotation that gives a pod its turn, as a file that the kubelet keeps fresh. */
export const turn: V1Volume = {
  name: turnVolume, downwardAPI: {items: [{path: 'turn', fieldRef: {fieldPath: `metadata.annotations['${marks.turn}']`}}]},
};

export const waits = ['--turn', `${turnDirectory}/turn`];

/** Beside the template's own variables, which a subPathExpr may need. */
const podUID = 'QUORUMRECOVERY_POD_UID';

/** The agent with the file that it waits for. */
export const waiting = (container: V1Container): V1Container =>
  ({...container, volumeMounts: [...(container.volumeMounts ?? []), {name: turnVolume, mountPath: turnDirectory, readOnly: true}]});

/** A ReadWriteOnce volume that a pod uses can only be mounted on that pod's node. */
function besideOldPod({observation, view}: HelperOptions, spec: V1PodSpec): V1PodSpec {
  const name = view.object?.spec?.nodeName;
  if (name === undefined) return spec;
  const node = observation.nodes.find((candidate) => candidate.name === name);
  // The pod garbage collector takes its time to remove pods of deleted nodes; nothing runs there any more that could hold the volume.
  if (node === undefined) return spec;
  const hostname = node.labels['kubernetes.io/hostname'] ?? name;
  return {...spec, nodeSelector: {...spec.nodeSelector, 'kubernetes.io/hostname': hostname}};
}

/** A volume agent on a member's claims. Read-only ones, and those that leave the data alone (`beside`), run on the node of the member's pod. */
export function agentPod(options: HelperOptions & {step: string; command: string[]; readOnly: boolean; beside?: boolean; attempt?: number}): V1Pod {
  const own = statefulSetPod(options.source).spec ?? {containers: []};
  const {container, volumes} = agent(options, own, options.command, options.readOnly);
  const spec = helperSpec(own, [container], volumes);
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: helperMetadata(options, options.step, 'Agent', options.attempt),
    spec: {...(options.readOnly || options.beside === true ? besideOldPod(options, spec) : spec), activeDeadlineSeconds: 600, terminationGracePeriodSeconds: 1},
  };
}

const usedBy = (container: V1Container, volumes: readonly V1Volume[]) =>
  volumes.filter((volume) => (container.volumeMounts ?? []).some((mount) => mount.name === volume.name));

function overlaid(options: HelperOptions, own: V1Pod, flags: Record<string, string>) {
  const {observation, view, source} = options;
  const launch = launchOf(view);
  return overlayLaunch(own.spec ?? {containers: []}, own.metadata?.annotations ?? {}, {
    template: source.template, container: launch.container, podName: view.pod, namespace: observation.resource.metadata.namespace ?? 'default',
    ...(source.set.spec?.serviceName && {serviceName: source.set.spec.serviceName}),
    configMaps: observation.configMaps, ...(observation.spec.target.launch && {launch: cleanLaunch(observation.spec.target.launch)}),
  }, flags);
}

const cleanLaunch = ({command, args}: {command?: string[] | undefined; args?: string[] | undefined}) =>
  ({...(command && {command}), ...(args && {args})});

export interface ForceOptions extends HelperOptions {
  attempt: number;
  members: Run['identity'];
  /** What the log has to reach, as the plan says. */
  lowest?: Plan['lowest'] | undefined;
  /** Highest term of a last log entry that was seen on another member. */
  laterEntryTerm?: number | undefined;
}

const flag = (name: string, value: string | number | undefined): string[] => (value === undefined ? [] : [name, String(value)]);

/**
 * The one forced start: the template's etcd container with --force-new-cluster, without probes, sidecars and hooks, behind an agent
 * that waits for its turn, reads the disk, copies it and spends the marker; it carries the fence finalizer from the beginning.
 */
export function forcePod(options: ForceOptions): {pod: V1Pod} | {problem: string} {
  const {observation, view, source, attempt} = options;
  const own = statefulSetPod(source);
  const changed = overlaid(options, own, {'force-new-cluster': 'true'});
  if ('ok' in changed) return {problem: changed.message};
  const launch = launchOf(view);
  const etcd = changed.podSpec.containers.find((container) => container.name === launch.container);
  if (etcd === undefined) return {problem: `the template has no container ${launch.container}`};
  const forced: V1Container = {...etcd, env: fixedEnvironment(own, etcd.env ?? [])};
  for (const key of ['readinessProbe', 'livenessProbe', 'startupProbe', 'lifecycle', 'ports', 'restartPolicy', 'restartPolicyRules'] as const) {
    Reflect.deleteProperty(forced, key);
  }
  if (etcd.env === undefined) delete forced.env;
  const memberID = observation.status.members?.find((member) => member.pod === view.pod)?.memberID;
  const prepare = agent(options, changed.podSpec, [
    'prepare-force', '--attempt', String(attempt), '--pod', `$(${podUID})`, ...waits,
    ...flag('--expect-member', memberID), ...flag('--expect-cluster', options.members?.clusterID),
    ...flag('--expect-term', options.lowest?.term), ...flag('--expect-index', options.lowest?.index), ...flag('--later-entry-term', options.laterEntryTerm),
    observation.spec.preserve.mode === 'Copy' ? '--copy' : '--no-copy',
  ], false);
  const volumes = new Map([...usedBy(forced, changed.podSpec.volumes ?? []), ...prepare.volumes, turn].map((volume) => [volume.name, volume]));
  const metadata = helperMetadata(options, 'Force', 'Force', attempt);
  return {pod: {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {...metadata, annotations: {...changed.annotations, ...metadata.annotations}, finalizers: [marks.fence]},
    spec: {
      ...besideOldPod(options, helperSpec(changed.podSpec, [forced], [...volumes.values()])),
      hostname: view.pod,
      activeDeadlineSeconds: 3600,
      initContainers: [{...waiting(prepare.container), env: [...(prepare.container.env ?? []), {name: podUID, valueFrom: {fieldRef: {fieldPath: 'metadata.uid'}}}]}],
    },
  }};
}

/**
 * A joiner's own pod: the controller's, with the launch overlay, behind an agent that lets etcd start only in the member's turn, on a
 * directory that is empty or its own. `cluster`: what `--initial-cluster` has to say then.
 */
export const joinerPod = (options: HelperOptions & {cluster: string}): {pod: V1Pod} | {problem: string} =>
  overlaidPod(options, {'initial-cluster-state': 'existing', 'initial-cluster': options.cluster}, databaseBytes(options.observation.status.run));

/**
 * The own pod of a member that a new cluster begins with, on an empty directory: the same, and with a token of the run's own, so that no
 * process of the old cluster takes part.
 */
export const firstMemberPod = (options: HelperOptions & {cluster: string; token: string}): {pod: V1Pod} | {problem: string} =>
  overlaidPod(options, {'initial-cluster-state': 'new', 'initial-cluster': options.cluster, 'initial-cluster-token': options.token});

/** How large the database is that a joiner will be sent, bytes; undefined: nobody knows, as of one that is loaded anew. */
const databaseBytes = (run: Run | undefined): number | undefined => run?.force?.dataBytes ?? run?.replace?.dataBytes ?? run?.plan?.snapshot?.bytes;

/** @param data bytes that the volume must have room for, beside a log; undefined: what it takes is there */
function overlaidPod(options: HelperOptions & {cluster: string}, flags: Record<string, string>, data?: number): {pod: V1Pod} | {problem: string} {
  const {view, source, run, cluster} = options;
  const own = ownPod(source, run, false);
  const launch = launchOf(view);
  const changed = overlaid(options, own, flags);
  if ('ok' in changed) return {problem: changed.message};
  const spec = withoutMembershipHooks(changed.podSpec, launch.container).podSpec;
  const needs = data === undefined ? [] : ['--needs', String(data + (view.wal === undefined ? newWalBytes : 0))];
  const prepare = waiting(agent(options, spec, ['prepare-join', ...waits, ...needs], false).container);
  return {pod: {
    ...own,
    metadata: {...own.metadata, annotations: {...changed.annotations, [marks.run]: run, [marks.cluster]: cluster}},
    spec: {...spec, volumes: [...(spec.volumes ?? []), turn], initContainers: [prepare, ...(spec.initContainers ?? [])]},
  }};
}
