import type {V1Container, V1PodSpec, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {posix} from 'node:path';

export interface FoundMount {
  volumeMount: V1VolumeMount;
  /** The path below the volume's root, subPath included; '' = the root itself. */
  pathInVolume: string;
}

/** The mount that a path of the container lies on: the longest mountPath that holds it. */
export function findMount(container: V1Container, path: string, expandSubPath: (text: string) => string = text => text): FoundMount | undefined {
  const wanted = posix.normalize(path);
  let best: {volumeMount: V1VolumeMount; rest: string; length: number} | undefined;
  for (const volumeMount of container.volumeMounts ?? []) {
    const mountPath = posix.normalize(volumeMount.mountPath).replace(/\/+$/, '');
    const rest = posix.relative(mountPath === '' ? '/' : mountPath, wanted);
    if (rest === '..' || rest.startsWith('../') || posix.isAbsolute(rest)) continue;
    if (best === undefined || mountPath.length > best.length) best = {volumeMount, rest, length: mountPath.length};
  }
  if (best === undefined) return undefined;
  const {volumeMount, rest} = best;
  const subPath = volumeMount.subPathExpr === undefined ? volumeMount.subPath ?? '' : expandSubPath(volumeMount.subPathExpr);
  return {volumeMount, pathInVolume: posix.join(subPath, rest).replace(/^\.?\/*$/, '').replace(/^\.\//, '').replace(/\/$/, '')};
}

export interface Mount {
  /** Name of the volume in the pod, which for a claim template is the template's name. */
  volume: string;
  /**
   * `claimTemplate`: a volumeClaimTemplates entry, so each pod has its own claim `<volume>-<pod>`.
   * Otherwise the field of V1Volume that is set, e.g. `persistentVolumeClaim` (one claim for all pods), `emptyDir`, `hostPath`.
   */
  kind: 'claimTemplate' | 'persistentVolumeClaim' | 'emptyDir' | 'hostPath' | 'ephemeral' | (string & {});
  /** The claim, where the volume names one. */
  claimName?: string;
  mountPath: string;
  subPath?: string;
  /** As written, unexpanded. */
  subPathExpr?: string;
  readOnly: boolean;
  /** Where the path lies below the volume's root, subPath included; '' = the root itself. */
  pathInVolume: string;
}

/**
 * On which volume a path of a container lies; undefined: in the container's own file system, so lost with it.
 * `claimTemplates`: names of the StatefulSet's volumeClaimTemplates, which hide volumes of the same name. Without it, a
 * mount whose volume the pod does not declare counts as one.
 */
export function mountOf(
  podSpec: V1PodSpec, container: string, path: string, options: {claimTemplates?: string[]; expand?: (text: string) => string} = {},
): Mount | undefined {
  const found = podSpec.containers.find(({name}) => name === container);
  const mount = found === undefined ? undefined : findMount(found, path, options.expand);
  if (mount === undefined) return undefined;
  const {volumeMount, pathInVolume} = mount;
  const volume = podSpec.volumes?.find(({name}) => name === volumeMount.name);
  const isTemplate = options.claimTemplates?.includes(volumeMount.name) ?? volume === undefined;
  const claimName = volume?.persistentVolumeClaim?.claimName;
  return {
    volume: volumeMount.name,
    kind: isTemplate ? 'claimTemplate' : volumeKind(volume),
    ...(claimName === undefined ? {} : {claimName}),
    mountPath: volumeMount.mountPath,
    ...(volumeMount.subPath === undefined ? {} : {subPath: volumeMount.subPath}),
    ...(volumeMount.subPathExpr === undefined ? {} : {subPathExpr: volumeMount.subPathExpr}),
    readOnly: volumeMount.readOnly ?? false,
    pathInVolume,
  };
}

function volumeKind(volume: V1Volume | undefined): string {
  return Object.entries(volume ?? {}).find(([key, value]) => key !== 'name' && value !== undefined)?.[0] ?? 'unknown';
}
