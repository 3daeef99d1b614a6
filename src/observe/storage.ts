import {isPlanning} from '../api/progress.ts';
import {marks} from '../api/types.ts';
import type {QuorumRecovery, QuorumRecoverySpec, QuorumRecoveryStatus} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isForbidden, isNotServed} from '../kubernetes/errors.ts';
import type {VolumeSnapshot} from '../kubernetes/volumeSnapshots.ts';

/** What the cluster's storage has to say, as far as the step of the moment asks. */
export interface StorageView {
  classes: {name: string; isDefault: boolean}[];
  /** Network volumes that a node has, or had when nobody could detach them. */
  attachments: {volume: string; node: string}[];
  snapshots: SnapshotsView;
}

/** The VolumeSnapshot API of the cluster, where spec.preserve asks for it. */
export interface SnapshotsView {
  /** Why no snapshot can be taken at all. */
  problem?: string;
  classes: {name: string; driver: string; isDefault: boolean}[];
  /** Those of this resource. */
  taken: VolumeSnapshot[];
}

export const noSnapshots: SnapshotsView = {classes: [], taken: []};

export const noStorage: StorageView = {classes: [], attachments: [], snapshots: noSnapshots};

const isDefault = (key: string, annotations: Record<string, string> | undefined) => annotations?.[key] === 'true';

const byNode = (status: QuorumRecoveryStatus): boolean => {
  const by = status.members?.find((member) => member.pod === status.run?.plan?.survivor)?.fenced?.by;
  return by === 'NodeDeleted' || by === 'OutOfServiceTaint';
};

async function loadSnapshots(client: KubernetesClient, {metadata, spec}: Asked): Promise<SnapshotsView> {
  if (spec.preserve.mode !== 'VolumeSnapshot') return noSnapshots;
  try {
    const [classes, taken] = await Promise.all([
      client.list('VolumeSnapshotClass'),
      client.list('VolumeSnapshot', metadata.namespace ?? 'default', {labelSelector: `${marks.resource}=${metadata.name ?? ''}`}),
    ]);
    return {taken, classes: classes.map(({metadata: of, driver}) =>
      ({name: of?.name ?? '', driver, isDefault: isDefault('snapshot.storage.kubernetes.io/is-default-class', of?.annotations)}))};
  } catch (error) {
    if (isNotServed(error)) return {...noSnapshots, problem: 'this cluster does not serve snapshot.storage.k8s.io/v1 (the CRDs of the CSI external-snapshotter are not installed)'};
    if (isForbidden(error)) return {...noSnapshots, problem: `the operator lacks a right that its ClusterRole should have: ${error.message}`};
    throw error;
  }
}

type Asked = Pick<QuorumRecovery, 'metadata'> & {spec: QuorumRecoverySpec; status: QuorumRecoveryStatus};

/** Classes while a run is planned; attachments before the force, where the survivor's node is what proves its end; snapshots as long as the data may be forced. */
export async function loadStorage(client: KubernetesClient, asked: Asked): Promise<StorageView> {
  const {run} = asked.status;
  // A run is begun and planned with the same observation: the one that comes next has to be told too.
  const next = run === undefined || (run.finishedAt !== undefined && (run.outcome === 'Released' || run.request !== asked.spec.trigger.request));
  if (!next && (run.finishedAt !== undefined || run.force?.endedAt !== undefined)) return noStorage;
  const planning = next || isPlanning(run);
  const attached = !planning && !run.force?.turnGiven && byNode(asked.status);
  const [classes, attachments, snapshots] = await Promise.all([
    planning ? client.list('StorageClass') : [], attached ? client.list('VolumeAttachment') : [], loadSnapshots(client, asked),
  ]);
  return {
    snapshots,
    classes: classes.map(({metadata}) => ({name: metadata?.name ?? '', isDefault: isDefault('storageclass.kubernetes.io/is-default-class', metadata?.annotations)})),
    attachments: attachments.flatMap(({spec}) =>
      (spec.source.persistentVolumeName === undefined ? [] : [{volume: spec.source.persistentVolumeName, node: spec.nodeName}])),
  };
}
