import {posix} from 'node:path';
import type {V1EnvVar, V1Volume, V1VolumeMount} from '@kubernetes/client-node';
import {storeVariable} from '../agent/store/config.ts';
import type {StoreConfig} from '../agent/store/config.ts';
import type {SnapshotSpec} from '../api/store.ts';

/** What a pod's container needs to reach the store of snapshots. */
export interface StoreInPod {
  env: V1EnvVar[];
  volumes: V1Volume[];
  volumeMounts: V1VolumeMount[];
}

const claimVolume = 'quorumrecovery-store';
const claimDirectory = '/quorumrecovery-store';
const caVolume = 'quorumrecovery-store-ca';
const caDirectory = '/quorumrecovery-store-ca';

const variable = (config: StoreConfig): V1EnvVar => ({name: storeVariable, value: JSON.stringify(config)});

const secretVariable = (name: string, secret: string, key: string): V1EnvVar => ({name, valueFrom: {secretKeyRef: {name: secret, key}}});

/** Where a snapshot in that store is for a container that has its mounts; undefined: it is in a bucket. */
export const fileInPod = ({claim}: SnapshotSpec, name: string): string | undefined =>
  (claim === undefined ? undefined : posix.join(claimDirectory, claim.path ?? '', name));

/**
 * The store that `spec.snapshot` names, for a container of the agent. Access keys come from the Secret by the kubelet: the operator does not
 * read them. `access`: Write for a pod that saves.
 */
export function storeInPod({s3, claim}: SnapshotSpec, access: 'Read' | 'Write'): StoreInPod {
  if (claim !== undefined) {
    return {
      env: [variable({kind: 'claim', claim: claim.name, root: claimDirectory, ...(claim.path !== undefined && {path: claim.path})})],
      volumes: [{name: claimVolume, persistentVolumeClaim: {claimName: claim.name}}],
      volumeMounts: [{name: claimVolume, mountPath: claimDirectory, ...(access === 'Read' && {readOnly: true})}],
    };
  }
  if (s3 === undefined) throw new Error('spec.snapshot names neither a bucket nor a claim');
  const {bucket, prefix, endpoint, region, forcePathStyle, credentials, ca} = s3;
  return {
    env: [
      variable({
        kind: 's3', bucket, region, forcePathStyle, ...(prefix !== undefined && {prefix}), ...(endpoint !== undefined && {endpoint}),
        ...(ca !== undefined && {caFile: `${caDirectory}/ca.crt`}),
      }),
      ...(credentials === undefined ? [] : [
        secretVariable('AWS_ACCESS_KEY_ID', credentials.secretName, credentials.accessKeyIDKey),
        secretVariable('AWS_SECRET_ACCESS_KEY', credentials.secretName, credentials.secretAccessKeyKey),
        ...(credentials.sessionTokenKey === undefined ? [] : [secretVariable('AWS_SESSION_TOKEN', credentials.secretName, credentials.sessionTokenKey)]),
      ]),
    ],
    volumes: ca === undefined ? [] : [{name: caVolume, secret: {secretName: ca.secretName, items: [{key: ca.key, path: 'ca.crt'}]}}],
    volumeMounts: ca === undefined ? [] : [{name: caVolume, mountPath: caDirectory, readOnly: true}],
  };
}
