import type {V1Container, V1EnvVar, V1LabelSelector, V1Pod, V1PodAffinityTerm, V1PodSpec, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {newWalBytes, ownSnapshotName} from '../agent/report.ts';
import {marks} from '../api/types.ts';
import {restoreCommand, statusCommand} from '../etcd/etcdutl.ts';
import {escapeReferences} from '../etcd/launch/expand.ts';
import {agentContainer} from '../observe/agentReport.ts';
import {agentPod, launchOf, turn, waiting, waits} from './helperPods.ts';
import type {HelperOptions} from './helperPods.ts';
import {etcdutlContainer} from './etcdutlPod.ts';
import {statefulSetPod} from './ownPods.ts';

/** What the pods are marked with; also the name of the step. */
export const restoreStep = 'Restore';

/** How the agent gets the snapshot: its command, and what its container needs for it beside the member's volumes. */
export interface Fetching {
  command: string[];
  env?: V1EnvVar[];
  volumes?: V1Volume[];
  mounts?: V1VolumeMount[];
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
  /** @param file where the snapshot has to be afterwards */
  fetch?: (file: string) => Fetching;
  /** Nothing is fetched: the snapshot is made of the member's own database, as it was read. */
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

/**
 * Builds a member's data from the snapshot beside the data that is there, and waits for its turn with it: fetched by the agent, or made by it of
 * the member's own database, restored by the etcdutl of the cluster's own image, then put in place by the agent.
 */
export function restorePod(options: RestoreOptions): V1Pod {
  const {view, source, run, attempt} = options;
  const launch = launchOf(view);
  const {database} = options;
  const own = database === undefined ? [] : ['--database', database.file, '--expect-index', String(database.index), '--expect-revision', String(database.revision)];
  const command = ['seed', '--attempt', String(attempt), ...waits, '--expect-member', options.memberID, '--expect-cluster', options.clusterID, ...own];
  const pod = agentPod({...options, step: restoreStep, command, readOnly: false});
  const template = statefulSetPod(source).spec ?? {containers: []};
  const agent = pod.spec?.containers[0];
  if (pod.spec === undefined || agent === undefined) throw new Error('the pod of the agent has no container');
  const places = (agent.args ?? []).slice(command.length);
  const root = valueOf(places, '--root') ?? '';
  const walRoot = valueOf(places, '--wal-root') ?? root;
  const home = `.quorumrecovery/${run}`;
  const file = `${root}/${home}/${database === undefined ? 'snapshot.db' : ownSnapshotName}`;
  const as = (name: string, args: readonly string[]): V1Container => ({...agent, name, args: [...args, ...places]});
  const walApart = launch.walDir !== undefined && !`${launch.walDir}/`.startsWith(`${launch.dataDir}/member/`);
  const etcdutl = (name: string, words: readonly string[]): V1Container => ({
    name, image: launch.image, imagePullPolicy: 'IfNotPresent', command: words.map(escapeReferences), terminationMessagePolicy: 'FallbackToLogsOnError',
    ...(agent.env && {env: agent.env}), ...(agent.securityContext && {securityContext: agent.securityContext}), ...(agent.volumeMounts && {volumeMounts: agent.volumeMounts}),
  });
  const built = etcdutl(etcdutlContainer, restoreCommand({
    file, name: launch.name, initialCluster: options.initialCluster, peerURLs: launch.initialAdvertisePeerURLs, token: options.token,
    dataDir: `${root}/${home}/built/data`, walDir: walApart ? `${walRoot}/${home}/built/wal` : undefined, bump: options.bump,
  }));
  const fetch = options.fetch?.(file);
  const fetcher: V1Container[] = fetch === undefined ? [] : [{
    ...agent, name: 'fetch', args: [...fetch.command, '--root', root, '--run', run], env: [...(agent.env ?? []), ...(fetch.env ?? [])], volumeMounts: [...(agent.volumeMounts ?? []), ...(fetch.mounts ?? [])],
  }];
  const prepare = as('prepare', ['prepare-seed', '--needs', String(options.bytes + (view.wal === undefined ? newWalBytes : 0)), ...own]);
  const spec: V1PodSpec = {
    ...pod.spec,
    // A database of some gigabytes takes minutes to fetch, and the pod then waits for the others.
    activeDeadlineSeconds: 3600,
    volumes: [...(pod.spec.volumes ?? []), ...(fetch?.volumes ?? []), turn],
    // What a store holds was verified as a whole before. A database that is broken further in is one that nothing may be made of.
    initContainers: [...fetcher, prepare, ...(database === undefined ? [] : [etcdutl('check', statusCommand(file))]), built],
    containers: [waiting({...agent, name: agentContainer})],
  };
  return {...pod, spec: spread(options, spec, template)};
}
