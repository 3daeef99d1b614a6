import type {V1Pod, V1Volume} from '@kubernetes/client-node';
import type {RebuildSource} from '../api/rebuild.ts';
import {marks} from '../api/types.ts';
import type {OrdinalView} from '../observe/observation.ts';
import {agentPod} from './helperPods.ts';
import type {HelperOptions} from './helperPods.ts';
import {memberClient} from './memberClient.ts';

/** What the pods are marked with: the one that reads all dumps before the plan, and the one that loads or compares one. */
export const readDumpsStep = 'ReadDumps';
export const dumpStep = 'Dump';

const directory = '/quorumrecovery-sources';

const volumeName = (index: number): string => `quorumrecovery-source-${index}`;

/** Claims are mounted for reading only; a claim that two sources name is mounted twice in the pod, and once by the kubelet. */
function volumeOf({configMap, secret, claim}: RebuildSource, index: number): V1Volume {
  const name = volumeName(index);
  if (claim !== undefined) return {name, persistentVolumeClaim: {claimName: claim}};
  return configMap === undefined ? {name, secret: {secretName: secret ?? ''}} : {name, configMap: {name: configMap}};
}

/** A pod of the agent on these sources, with none of the members' volumes. `asked`: the fingerprint of what it is made for. */
function podOn(options: HelperOptions & {step: string; asked: string}, sources: readonly RebuildSource[], args: string[]): V1Pod {
  const pod = agentPod({...options, command: [], readOnly: false});
  const agent = pod.spec?.containers[0];
  if (pod.spec === undefined || agent === undefined) throw new Error('the pod of the agent has no container');
  const owner = options.observation.resource.metadata.uid ?? '';
  return {
    ...pod,
    metadata: {...pod.metadata, annotations: {...pod.metadata?.annotations, [marks.asked]: options.asked}},
    spec: {
      ...pod.spec,
      activeDeadlineSeconds: 3600,
      volumes: sources.map(volumeOf),
      containers: [{...agent, args: [...args, '--run', options.run, '--owner', owner], volumeMounts: sources.map(({name}, index) => ({name: volumeName(index), mountPath: `${directory}/${name}`, readOnly: true}))}],
    },
  };
}

/** Reads all that is loaded but scripts: only what has all of it tells which keys two sources write. */
export const readDumpsPod = (options: HelperOptions & {asked: string}, sources: readonly RebuildSource[]): V1Pod =>
  podOn({...options, step: readDumpsStep}, sources, ['dump-check', '--root', directory, '--sources', JSON.stringify(sources)]);

/** Loads one dump into the new cluster through a member of it, or compares it. */
export function dumpPod(options: HelperOptions & {asked: string}, {command, source, via, cluster}: {command: 'dump-load' | 'dump-compare'; source: RebuildSource; via: OrdinalView; cluster: string}): V1Pod {
  const client = memberClient(options.observation, via);
  const pod = podOn({...options, step: dumpStep}, [source], [command, '--root', `${directory}/${source.name}`, '--path', source.path ?? '', ...client.flags, '--cluster', cluster]);
  pod.spec?.volumes?.push(...client.volumes);
  pod.spec?.containers[0]?.volumeMounts?.push(...client.volumeMounts);
  return pod;
}
