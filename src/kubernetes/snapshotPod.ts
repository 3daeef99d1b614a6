import type {V1Pod} from '@kubernetes/client-node';
import {clientAddress} from '../observe/address.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {agentPod} from './helperPods.ts';
import type {PodSource} from './ownPods.ts';

/** What the pods are marked with. */
export const snapshotStep = 'Snapshot';

const tlsVolume = 'quorumrecovery-tls';
const tlsDirectory = '/quorumrecovery-tls';

export interface SnapshotPodOptions {
  observation: Observation;
  view: OrdinalView;
  source: PodSource;
  run: string;
  memberID: string | undefined;
  /** Seconds that the agent may take. */
  within: number;
}

/** A volume agent beside a running member, on its claim and its node, that saves a snapshot of what that member serves. */
export function snapshotPod({memberID, within, ...options}: SnapshotPodOptions): V1Pod {
  const {observation, view} = options;
  const {tls} = observation.spec.target;
  if (!isLaunch(view.launch)) throw new Error(view.launch.message);
  const {port, serverName} = clientAddress(view.launch);
  const secure = view.launch.clientTLS && tls !== undefined;
  const address = view.object?.status?.podIP ?? '';
  const host = address.includes(':') ? `[${address}]` : address;
  const pod = agentPod({
    ...options, step: snapshotStep, readOnly: false, beside: true,
    command: [
      'snapshot', '--endpoint', `${view.launch.clientTLS ? 'https' : 'http'}://${host}:${port}`, '--within', String(within),
      ...(secure ? ['--tls', tlsDirectory] : []), ...(secure && serverName !== undefined ? ['--server-name', serverName] : []),
      ...(memberID === undefined ? [] : ['--expect-member', memberID]),
      observation.spec.preserve.mode === 'Copy' ? '--copy' : '--no-copy',
    ],
  });
  if (!secure) return pod;
  const items = [{key: tls.caKey, path: 'ca.crt'}, {key: tls.certKey, path: 'tls.crt'}, {key: tls.keyKey, path: 'tls.key'}];
  pod.spec?.volumes?.push({name: tlsVolume, secret: {secretName: tls.secretName, items}});
  pod.spec?.containers[0]?.volumeMounts?.push({name: tlsVolume, mountPath: tlsDirectory, readOnly: true});
  return pod;
}
