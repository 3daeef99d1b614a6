import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import type {SnapshotSpec} from '../../src/api/store.ts';
import {bucketServerImage, bucketServerReference} from '../lab/images.ts';
import {withLock} from '../lab/lock.ts';
import {cacheDirectory} from '../lab/paths.ts';
import {directoryOf, labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';
import {Missing, until} from './wait.ts';

const serverName = 's3';
const bucket = 'backups';
const prefix = 'clusters/db';
const port = 7070;
const secretName = 's3-key';
const keys = {accessKeyID: 'backup', secretAccessKey: 'backup-secret'};

/** A server that speaks S3 in a pod of the case, with one bucket, on a local volume of its node. */
export interface Bucket {
  /** What spec.snapshot has to say. */
  spec: SnapshotSpec;
  /** The directory of the objects, on this machine. */
  directory: string;
  /** Names of the objects; empty while there is none. */
  objects: () => string[];
}

const labels = {app: serverName};

/** @param onNode where the server's pod and its volume are */
export async function startBucket(scenario: Scenario, onNode: string): Promise<Bucket> {
  const {kube, namespace} = scenario;
  const lab = labOf(scenario);
  const archive = await bucketServerImage((line) => { console.log(`      ${line}`); });
  await withLock(join(cacheDirectory(), 'bucket-server.lock'), async () => { await lab.importImage(archive); });
  await kube.create('secrets', {metadata: {name: secretName, namespace}, stringData: keys});
  await kube.create('persistentvolumeclaims', {metadata: {name: serverName, namespace}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}}});
  await kube.create('services', {metadata: {name: serverName, namespace}, spec: {selector: labels, ports: [{port}]}});
  await kube.create('pods', {
    metadata: {name: serverName, namespace, labels},
    spec: {
      nodeSelector: {'kubernetes.io/hostname': onNode}, terminationGracePeriodSeconds: 1,
      initContainers: [{name: 'bucket', image: 'localhost/busybox:1', command: ['mkdir', '-p', `/data/buckets/${bucket}`, '/data/sidecar'], volumeMounts: [{name: 'data', mountPath: '/data'}]}],
      containers: [{
        name: serverName, image: bucketServerReference, args: ['--port', `:${port}`, '--quiet', 'posix', '--sidecar', '/data/sidecar', '/data/buckets'],
        env: [{name: 'ROOT_ACCESS_KEY', value: keys.accessKeyID}, {name: 'ROOT_SECRET_KEY', value: keys.secretAccessKey}],
        readinessProbe: {tcpSocket: {port}, periodSeconds: 1}, volumeMounts: [{name: 'data', mountPath: '/data'}],
      }],
      volumes: [{name: 'data', persistentVolumeClaim: {claimName: serverName}}],
    },
  });
  await until('the bucket', async () => {
    const pod = await scenario.pod(serverName);
    return pod?.status?.conditions?.some(({type, status}) => type === 'Ready' && status === 'True') === true ? true : new Missing(JSON.stringify(pod?.status?.containerStatuses ?? pod?.status?.conditions ?? {}));
  }, {seconds: 90});
  const directory = join(lab.disk(onNode), await directoryOf(scenario, serverName), 'buckets', bucket, prefix);
  return {
    directory, objects: () => (existsSync(directory) ? readdirSync(directory).sort() : []),
    spec: {s3: {
      bucket, prefix, endpoint: `http://${serverName}.${namespace}.svc:${port}`, region: 'us-east-1', forcePathStyle: true,
      credentials: {secretName, accessKeyIDKey: 'accessKeyID', secretAccessKeyKey: 'secretAccessKey'},
    }},
  };
}

/** The pod of the server: to be stopped, or to be deleted. */
export const bucketPod = serverName;
