import {isPlanning} from '../api/progress.ts';
import type {QuorumRecoveryStatus} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';

/** What the cluster's storage has to say, as far as the step of the moment asks. */
export interface StorageView {
  classes: {name: string; isDefault: boolean}[];
  /** Network volumes that a node has, or had when nobody could detach them. */
  attachments: {volume: string; node: string}[];
}

export const noStorage: StorageView = {classes: [], attachments: []};

const byNode = (status: QuorumRecoveryStatus): boolean => {
  const by = status.members?.find((member) => member.pod === status.run?.plan?.survivor)?.fenced?.by;
  return by === 'NodeDeleted' || by === 'OutOfServiceTaint';
};

/** Classes while a run is planned; attachments before the force, where the survivor's node is what proves its end. */
export async function loadStorage(client: KubernetesClient, status: QuorumRecoveryStatus): Promise<StorageView> {
  const {run} = status;
  if (run === undefined || run.finishedAt !== undefined) return noStorage;
  if (isPlanning(run)) {
    const classes = await client.list('StorageClass');
    return {attachments: [], classes: classes.map(({metadata}) => ({
      name: metadata?.name ?? '', isDefault: metadata?.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
    }))};
  }
  if (run.force?.turnGiven || !byNode(status)) return noStorage;
  const attachments = await client.list('VolumeAttachment');
  return {classes: [], attachments: attachments.flatMap(({spec}) =>
    (spec.source.persistentVolumeName === undefined ? [] : [{volume: spec.source.persistentVolumeName, node: spec.nodeName}]))};
}
