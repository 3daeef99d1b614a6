import type {V1EnvVar, V1Pod} from '@kubernetes/client-node';
import {passwordVariable, userVariable} from '../agent/store/variables.ts';
import {backupStep} from '../api/progress.ts';
import {marks} from '../api/types.ts';
import type {Backups} from '../api/types.ts';
import {durationMs} from '../decide/durations.ts';
import {agentContainer} from '../observe/agentReport.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {agentSecurity, helperSpec} from './helperPods.ts';
import {memberClient} from './memberClient.ts';
import {statefulSetPod} from './ownPods.ts';
import type {PodSource} from './ownPods.ts';
import {scratchDirectory, scratchOf} from './scratch.ts';
import {storeInPod} from './storePod.ts';

type Current = NonNullable<Backups['current']>;

/** After so long the kubelet ends a pod that saves, s: 8 GiB at 4 MB a second. */
export const savesWithinSeconds = 3_600;

/** Names of labels that every node has, whatever it is for: what an image can run on. */
const isOfPlatform = (label: string): boolean => label === 'kubernetes.io/os' || label === 'kubernetes.io/arch';

/**
 * Takes the snapshot that stands in the status, checks it, and brings it to the store. It reads from the member over the network and mounts
 * none of its claims, so it runs wherever the store can be reached: the template's affinity, nodes and priority are not its own.
 * A node without a member is preferred.
 */
export function backupPod(observation: Observation, view: OrdinalView, source: PodSource, current: Current): V1Pod {
  const {resource, spec, set} = observation;
  const {snapshot, backups} = spec;
  if (snapshot === undefined || backups === undefined || !isLaunch(view.launch)) throw new Error('nothing says where snapshots go');
  const {container} = view.launch;
  const own = statefulSetPod(source).spec ?? {containers: []};
  const etcd = own.containers.find(({name}) => name === container);
  if (etcd === undefined) throw new Error(`the template has no container ${container}`);
  const store = storeInPod(snapshot, 'Write');
  const client = memberClient(observation, view);
  // A snapshot is as large as the database's file.
  const scratch = scratchOf(view.probe.kind === 'Answered' ? view.probe.status.dbSizeBytes : undefined, {bounded: true, nodes: observation.nodes});
  const base = helperSpec(own, [], []);
  const platform = Object.entries(base.nodeSelector ?? {}).filter(([label]) => isOfPlatform(label));
  for (const key of ['affinity', 'nodeSelector', 'priorityClassName'] as const) Reflect.deleteProperty(base, key);
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      name: current.helper, namespace: resource.metadata.namespace ?? 'default',
      labels: {[marks.helper]: 'Agent', [marks.resource]: resource.metadata.name ?? '', 'app.kubernetes.io/managed-by': 'quorum-recovery-operator'},
      annotations: {[marks.run]: runOfBackup(current), [marks.step]: backupStep, [marks.pod]: current.pod},
      ownerReferences: [{
        apiVersion: resource.apiVersion, kind: resource.kind, name: resource.metadata.name ?? '', uid: resource.metadata.uid ?? '', controller: true, blockOwnerDeletion: false,
      }],
    },
    spec: {
      ...base,
      // Its scratch volume is on the node's disk: rather not on one where a member is.
      ...(set?.spec?.selector !== undefined && {affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {labelSelector: set.spec.selector, topologyKey: 'kubernetes.io/hostname'}}]}}}),
      ...(platform.length > 0 && {nodeSelector: Object.fromEntries(platform)}),
      activeDeadlineSeconds: savesWithinSeconds, terminationGracePeriodSeconds: 1,
      volumes: [scratch.volume, ...store.volumes, ...client.volumes],
      containers: [{
        name: agentContainer, image: observation.agentImage, imagePullPolicy: 'IfNotPresent', command: ['/nodejs/bin/node', '/app/dist/agent/main.js'],
        args: [
          'store-save', '--run', runOfBackup(current), '--root', scratchDirectory, '--name', current.name, '--cluster', current.clusterID, '--member', current.memberID,
          '--etcd-version', current.version, '--owner', resource.metadata.uid ?? '', '--at-least', String(current.revision), ...client.flags, '--keep-last', String(backups.keepLast),
          ...(backups.keepFor === undefined ? [] : ['--keep-for', String(Math.max(1, Math.round(durationMs(backups.keepFor) / 1000)))]),
        ],
        env: [...store.env, ...credentialsOf(observation)],
        securityContext: agentSecurity(own, etcd), terminationMessagePolicy: 'File',
        ...(scratch.resources && {resources: scratch.resources}),
        volumeMounts: [scratch.mount, ...store.volumeMounts, ...client.volumeMounts],
      }],
    },
  };
}

/** What the pod is annotated with in the place of a run's id. */
const runOfBackup = ({startedAt}: Current): string => `backup-${Date.parse(startedAt)}`;

function credentialsOf({spec: {target: {auth}}}: Observation): V1EnvVar[] {
  if (auth === undefined) return [];
  const variable = (name: string, key: string): V1EnvVar => ({name, valueFrom: {secretKeyRef: {name: auth.secretName, key}}});
  return [variable(userVariable, auth.usernameKey), variable(passwordVariable, auth.passwordKey)];
}
