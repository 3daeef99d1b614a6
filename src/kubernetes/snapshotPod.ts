import type {V1Pod} from '@kubernetes/client-node';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {agentPod} from './helperPods.ts';
import {memberClient} from './memberClient.ts';
import type {PodSource} from './ownPods.ts';

/** What the pods are marked with. */
export const snapshotStep = 'Snapshot';

export interface SnapshotPodOptions {
  observation: Observation;
  view: OrdinalView;
  source: PodSource;
  run: string;
  memberID: string | undefined;
  /** Seconds that the agent may take. */
  within: number;
  /** Bytes that the run needs on that volume afterwards, in the place of a copy of the data. */
  leave?: number | undefined;
}

/** A volume agent beside a running member, on its claim and its node, that saves a snapshot of what that member serves. */
export function snapshotPod({memberID, within, leave, ...options}: SnapshotPodOptions): V1Pod {
  const {observation, view} = options;
  const {flags, volumes, volumeMounts} = memberClient(observation, view);
  const pod = agentPod({
    ...options, step: snapshotStep, readOnly: false, beside: true,
    command: [
      'snapshot', ...flags, '--within', String(within), ...(memberID === undefined ? [] : ['--expect-member', memberID]),
      ...(leave !== undefined ? ['--no-copy', '--needs', String(leave)] : [observation.spec.preserve.mode === 'Copy' ? '--copy' : '--no-copy']),
    ],
  });
  pod.spec?.volumes?.push(...volumes);
  pod.spec?.containers[0]?.volumeMounts?.push(...volumeMounts);
  return pod;
}
