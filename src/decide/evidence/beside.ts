import {isTerminating} from '../../kubernetes/ownPods.ts';
import {endedByKubelet} from './processes.ts';
import type {OrdinalView} from '../../observe/observation.ts';

/** One of its volumes admits a single pod (access mode ReadWriteOncePod). */
export const isForOnePod = ({data, wal}: OrdinalView): boolean =>
  [data, wal].some((claim) => (claim?.object?.spec?.accessModes ?? claim?.template.spec?.accessModes)?.includes('ReadWriteOncePod') === true);

/**
 * A ReadWriteOncePod volume is one pod's alone: as long as the member's pod is bound to a node, the scheduler places no volume agent beside
 * it, so that disk cannot be read before its pod is stopped.
 */
export function takenByItsPod(view: OrdinalView): boolean {
  const {object} = view;
  if (!isForOnePod(view) || object?.spec?.nodeName === undefined) return false;
  const over = object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed';
  return !over && !(isTerminating(object) && endedByKubelet(object));
}

/** Said in the plan: what was not looked at beforehand. */
export const besideNotes = (ordinals: readonly OrdinalView[], pods: readonly string[]): string[] =>
  ordinals.filter((view) => pods.includes(view.pod) && takenByItsPod(view)).map(({pod, data}) =>
    `claim ${data?.name ?? ''} is ReadWriteOncePod: no volume agent can read it while ${pod} is there, so the plan is made from what its etcd says, and the disk is read once the pod is stopped. What is found worse then asks again`);
