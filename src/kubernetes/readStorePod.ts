import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';
import {agentPod} from './helperPods.ts';
import type {HelperOptions} from './helperPods.ts';
import {scratchDirectory, scratchOf} from './scratch.ts';
import {storeInPod} from './storePod.ts';

/** What the pod is marked with. */
export const readStoreStep = 'ReadStore';

/**
 * A pod that looks for a snapshot that can be restored, with a directory of its own and none of the members' volumes: it fetches and verifies,
 * and keeps nothing. `choosing`: what it may take; `asked`: the fingerprint of the question;
 * `bytes`: how large a snapshot may be, as far as that is known: an older one can be larger.
 */
export function readStorePod({choosing, asked, bytes, ...options}: HelperOptions & {choosing: string[]; asked: string; bytes: number | undefined}): V1Pod {
  const {snapshot} = options.observation.spec;
  if (snapshot === undefined) throw new Error('spec.snapshot names no store');
  const pod = agentPod({...options, step: readStoreStep, command: [], readOnly: false});
  const agent = pod.spec?.containers[0];
  if (pod.spec === undefined || agent === undefined) throw new Error('the pod of the agent has no container');
  const {env, volumes, volumeMounts} = storeInPod(snapshot, 'Read');
  const {volume, mount, resources} = scratchOf(bytes, {bounded: false, nodes: options.observation.nodes});
  const args = ['store-fetch', '--run', options.run, '--root', scratchDirectory, '--to', `${scratchDirectory}/snapshot.db`, '--discard', ...choosing];
  return {
    ...pod,
    metadata: {...pod.metadata, annotations: {...pod.metadata?.annotations, [marks.asked]: asked}},
    spec: {
      ...pod.spec,
      // All of a snapshot is fetched and read, as when one is saved or restored.
      activeDeadlineSeconds: 3600,
      volumes: [volume, ...volumes],
      containers: [{...agent, args, env, ...(resources && {resources}), volumeMounts: [mount, ...volumeMounts]}],
    },
  };
}
