import {marks} from '../api/types.ts';
import type {V1ObjectMeta} from '@kubernetes/client-node';

/** snapshot.storage.k8s.io/v1, as far as it is used. The API is an add-on: a cluster may be without it. */
export interface VolumeSnapshot {
  apiVersion?: string;
  kind?: string;
  metadata?: V1ObjectMeta;
  spec: {volumeSnapshotClassName?: string; source: {persistentVolumeClaimName?: string}};
  status?: {
    boundVolumeSnapshotContentName?: string;
    creationTime?: string;
    readyToUse?: boolean;
    /** Of the last attempt; the driver's sidecar tries again by itself. */
    error?: {message?: string};
  };
}

export interface VolumeSnapshotClass {
  apiVersion?: string;
  kind?: string;
  metadata?: V1ObjectMeta;
  driver: string;
  deletionPolicy?: string;
}

/** The same for each repeat of a run, so that one that was killed finds what it made. */
export function volumeSnapshotName(claim: string, run: string): string {
  const suffix = `-${run.replace(/^run-/, '')}`;
  return `${claim.slice(0, 253 - suffix.length)}${suffix}`;
}

export interface SnapshotOptions {
  namespace: string;
  resource: string;
  run: string;
  /** The set's pod whose data it holds. */
  pod: string;
  claim: string;
  className: string;
}

/** Without an owner: what is kept must outlive the resource that asked for it. */
export function newVolumeSnapshot({namespace, resource, run, pod, claim, className}: SnapshotOptions): VolumeSnapshot {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot',
    metadata: {
      name: volumeSnapshotName(claim, run), namespace,
      labels: {[marks.resource]: resource, [marks.run]: run, 'app.kubernetes.io/managed-by': 'quorum-recovery-operator'},
      annotations: {[marks.pod]: pod},
    },
    spec: {volumeSnapshotClassName: className, source: {persistentVolumeClaimName: claim}},
  };
}
