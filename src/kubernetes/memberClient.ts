import type {V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {clientAddress} from '../observe/address.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';

const tlsVolume = 'quorumrecovery-tls';
const tlsDirectory = '/quorumrecovery-tls';

/** How an agent in a pod is told to speak to a member: its flags, and the volume with the client certificate where TLS is served. */
export interface MemberClient {
  flags: string[];
  volumes: V1Volume[];
  volumeMounts: V1VolumeMount[];
}

export function memberClient({spec}: Observation, view: OrdinalView): MemberClient {
  const {tls} = spec.target;
  if (!isLaunch(view.launch)) throw new Error(view.launch.message);
  const {port, serverName} = clientAddress(view.launch);
  const secure = view.launch.clientTLS && tls !== undefined;
  const address = view.object?.status?.podIP ?? '';
  const host = address.includes(':') ? `[${address}]` : address;
  const endpoint = ['--endpoint', `${view.launch.clientTLS ? 'https' : 'http'}://${host}:${port}`];
  if (!secure) return {flags: endpoint, volumes: [], volumeMounts: []};
  const items = [{key: tls.caKey, path: 'ca.crt'}, {key: tls.certKey, path: 'tls.crt'}, {key: tls.keyKey, path: 'tls.key'}];
  return {
    flags: [...endpoint, '--tls', tlsDirectory, ...(serverName === undefined ? [] : ['--server-name', serverName])],
    volumes: [{name: tlsVolume, secret: {secretName: tls.secretName, items}}],
    volumeMounts: [{name: tlsVolume, mountPath: tlsDirectory, readOnly: true}],
  };
}
