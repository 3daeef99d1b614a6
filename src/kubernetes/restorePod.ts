import type {V1Container, V1EnvVar, V1LabelSelector, V1Pod, V1PodAffinityTerm, V1PodSpec, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {newWalBytes, ownSnapshotName, snapshotName} from '../agent/report.ts';
import {marks} from '../api/types.ts';
import {restoreCommand, statusCommand} from '../etcd/etcdutl.ts';
import {escapeReferences} from '../etcd/launch/expand.ts';
import {agentPod, launchOf, turn, waiting, waits} from './helperPods.ts';
import type {HelperOptions} from './helperPods.ts';
import {etcdutlContainer} from './etcdutlPod.ts';
import {statefulSetPod} from './ownPods.ts';

/** What the pods are marked with; also the name of the step. */
export const restoreStep = 'Restore';

/** A snapshot in a store: which one it is, and what a container needs to reach it beside the member's volumes. */
export interface InStore {
  name: string;
  sha256: string | undefined;
  env: V1EnvVar[];
  volumes: V1Volume[];
  mounts: V1VolumeMount[];
  /** Where it is for the containers that have the mounts: etcdutl reads it there. undefined: the agent fetches it to the volume. */
  file: string | undefined;
}

export interface RestoreOptions extends HelperOptions {
  attempt: number;
  /** As the member will be. */
  memberID: string;
  clusterID: string;
  initialCluster: string;
  token: string;
  bump: number;
  /** What is built from the snapshot takes on the volume beside its log, and is free there before. */
  bytes: number;
  stored?: InStore;
  /** No store is needed: the snapshot is made of the member's own database, as it was read. */
  database?: {file: string; index: number; revision: number} | undefined;
}

const valueOf = (args: readonly string[], flag: string): string | undefined => {
  const at = args.indexOf(flag);
  return at < 0 ? undefined : args[at + 1];
};

/** Pods of the same kind instead of the set's own: what the template says of where its pods may be together is true of these. */
const amongHelpers = (options: HelperOptions): V1LabelSelector => ({matchLabels: {[marks.helper]: 'Agent', [marks.resource]: options.observation.resource.metadata.name ?? ''}});

/**
 * A claim that was made anew gets its volume where this pod is. So the pods of all members keep the distance that the template asks of the
 * set's own, which come after them.
 */
function spread(options: HelperOptions, spec: V1PodSpec, own: V1PodSpec): V1PodSpec {
  const labelSelector = amongHelpers(options);
  const {requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution: preferred} = own.affinity?.podAntiAffinity ?? {};
  const among = ({topologyKey}: V1PodAffinityTerm): V1PodAffinityTerm => ({topologyKey, labelSelector});
  const apart = {
    ...(required && {requiredDuringSchedulingIgnoredDuringExecution: required.map(among)}),
    ...(preferred && {preferredDuringSchedulingIgnoredDuringExecution: preferred.map(({weight, podAffinityTerm}) => ({weight, podAffinityTerm: among(podAffinityTerm)}))}),
  };
  return {
    ...spec,
    ...((required ?? preferred) && {affinity: {...spec.affinity, podAntiAffinity: apart}}),
    ...(own.topologySpreadConstraints && {topologySpreadConstraints: own.topologySpreadConstraints.map(({maxSkew, topologyKey, whenUnsatisfiable}) => ({maxSkew, topologyKey, whenUnsatisfiable, labelSelector}))}),
  };
}

/** The same container, with the store in its reach. */
const reaching = (container: V1Container, {env, mounts}: Pick<InStore, 'env' | 'mounts'>): V1Container =>
  ({...container, env: [...(container.env ?? []), ...env], volumeMounts: [...(container.volumeMounts ?? []), ...mounts]});

/** How the containers are told of the snapshot: the flags of the one that prepares and of the one that puts in place, and what etcdutl reads. */
interface Told {
  prepare: string[];
  seed: string[];
  /** @param home the run's directory on the member's volume */
  file: (home: string) => string;
}

function told({stored, database}: RestoreOptions): Told {
  if (stored === undefined) {
    const own = database === undefined ? [] : ['--database', database.file, '--expect-index', String(database.index), '--expect-revision', String(database.revision)];
    return {prepare: own, seed: own, file: (home) => `${home}/${ownSnapshotName}`};
  }
  const {name, sha256, file} = stored;
  const named = ['--name', name, ...(sha256 === undefined ? [] : ['--expect-sha256', sha256])];
  return file === undefined ? {prepare: named, seed: [], file: (home) => `${home}/${snapshotName}`} : {prepare: [...named, '--in-place'], seed: ['--name', name, '--in-place'], file: () => file};
}

/**
 * Builds a member's data from the snapshot beside the data that is there, and waits for its turn with it: the snapshot is verified where it is or
 * fetched by the agent, or made by it of the member's own database, restored by the etcdutl of the cluster's own image, then put in place by the agent.
 */
export function restorePod(options: RestoreOptions): V1Pod {
  const {view, source, run, attempt, database, stored} = options;
  const launch = launchOf(view);
  const snapshot = told(options);
  const command = ['seed', '--attempt', String(attempt), ...waits, '--expect-member', options.memberID, '--expect-cluster', options.clusterID, ...snapshot.seed];
  const pod = agentPod({...options, step: restoreStep, command, readOnly: false});
  const template = statefulSetPod(source).spec ?? {containers: []};
  const agent = pod.spec?.containers[0];
  if (pod.spec === undefined || agent === undefined) throw new Error('the pod of the agent has no container');
  const places = (agent.args ?? []).slice(command.length);
  const root = valueOf(places, '--root') ?? '';
  const walRoot = valueOf(places, '--wal-root') ?? root;
  const home = `.quorumrecovery/${run}`;
  const file = snapshot.file(`${root}/${home}`);
  const inPlace = stored?.file === undefined ? {env: [], mounts: []} : stored;
  const walApart = launch.walDir !== undefined && !`${launch.walDir}/`.startsWith(`${launch.dataDir}/member/`);
  const etcdutl = (name: string, words: readonly string[]): V1Container => ({
    name, image: launch.image, imagePullPolicy: 'IfNotPresent', command: words.map(escapeReferences), terminationMessagePolicy: 'FallbackToLogsOnError',
    ...(agent.env && {env: agent.env}), ...(agent.securityContext && {securityContext: agent.securityContext}), volumeMounts: [...(agent.volumeMounts ?? []), ...inPlace.mounts],
  });
  const built = etcdutl(etcdutlContainer, restoreCommand({
    file, name: launch.name, initialCluster: options.initialCluster, peerURLs: launch.initialAdvertisePeerURLs, token: options.token,
    dataDir: `${root}/${home}/built/data`, walDir: walApart ? `${walRoot}/${home}/built/wal` : undefined, bump: options.bump,
  }));
  const prepare = {...agent, name: 'prepare', args: ['prepare-seed', '--needs', String(options.bytes + (view.wal === undefined ? newWalBytes : 0)), ...snapshot.prepare, ...places]};
  const spec: V1PodSpec = {
    ...pod.spec,
    // A database of some gigabytes takes minutes to fetch, and the pod then waits for the others.
    activeDeadlineSeconds: 3600,
    volumes: [...(pod.spec.volumes ?? []), ...(stored?.volumes ?? []), turn],
    // What a store holds was verified as a whole before. A database that is broken further in is one that nothing may be made of.
    initContainers: [reaching(prepare, stored ?? inPlace), ...(database === undefined ? [] : [etcdutl('check', statusCommand(file))]), built],
    containers: [waiting(reaching(agent, inPlace))],
  };
  return {...pod, spec: spread(options, spec, template)};
}
