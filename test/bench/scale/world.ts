import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {apiVersion} from '../../../src/api/types.ts';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {Answer, ApiServer} from '../../unit/api/api-server.ts';
import {installed} from '../../unit/generate/repository.ts';
import {addressOf, clientPort, domain, nodeCount, placeOf, podOf, voters} from './layout.ts';

/** How many writes are under way at once. */
const width = 30;
const stamp = new Date().toISOString();

async function write(server: ApiServer, method: string, path: string, body: object): Promise<Answer['body']> {
  const {code, body: answer} = await server.ask(method, path, body, method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
  if (code >= 300 && code !== 409) throw new Error(`${method} ${path}: ${code} ${answer.message ?? ''}`);
  return answer;
}

async function side<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  await Promise.all(Array.from({length: width}, async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  }));
}

/** Creates an object and writes its status, as the one who looks after it would. @returns the object as it stands */
async function put(server: ApiServer, collection: string, object: {metadata: {name: string}}, status?: object): Promise<{metadata: {uid: string}}> {
  const made = await write(server, 'POST', collection, object);
  if (status !== undefined) await write(server, 'PATCH', `${collection}/${object.metadata.name}/status`, {status});
  return made as unknown as {metadata: {uid: string}};
}

const nodeOf = (cluster: number, ordinal: number): string => `node-${(cluster * voters + ordinal) % nodeCount}`;

async function putNodes(server: ApiServer): Promise<void> {
  for (let index = 0; index < nodeCount; index += 1) {
    const condition = {type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', lastHeartbeatTime: stamp, lastTransitionTime: stamp};
    const status = {conditions: [condition], nodeInfo: {
      machineID: `machine-${index}`, systemUUID: `system-${index}`, bootID: '', kernelVersion: '', osImage: '', containerRuntimeVersion: '', kubeletVersion: 'v1.35.0',
      kubeProxyVersion: '', operatingSystem: 'linux', architecture: 'amd64',
    }};
    await put(server, '/api/v1/nodes', {metadata: {name: `node-${index}`, labels: {'kubernetes.io/hostname': `node-${index}`}}} as never, status);
  }
}

/** The CustomResourceDefinition, and everything that clusters share. */
export async function putShared(server: ApiServer, namespaces: number): Promise<void> {
  const definition = installed().find(({kind}) => kind === 'CustomResourceDefinition');
  if (definition === undefined) throw new Error('the installed manifests have no CustomResourceDefinition');
  await write(server, 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
  await putNodes(server);
  for (let index = 0; index < namespaces; index += 1) await write(server, 'POST', '/api/v1/namespaces', {metadata: {name: `scale-${index}`}});
  await write(server, 'POST', '/api/v1/namespaces', {metadata: {name: 'quorum-recovery-system'}});
  const collection = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  for (;;) {
    const {code} = await server.ask('GET', `/apis/${apiVersion}/quorumrecoveries`);
    if (code === 200) return;
    await server.ask('GET', collection);
  }
}

const templateOf = (set: string) => ({
  metadata: {labels: {app: set}},
  spec: {
    containers: [{
      name: 'etcd', image: 'registry.example/etcd:3.6.16', command: ['etcd'],
      env: [{name: 'POD_NAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}}],
      args: [
        '--name=$(POD_NAME)', '--data-dir=/data', `--listen-client-urls=https://0.0.0.0:${clientPort}`,
        `--advertise-client-urls=https://$(POD_NAME).${domain}:${clientPort}`, '--listen-peer-urls=https://0.0.0.0:2380',
        `--initial-advertise-peer-urls=https://$(POD_NAME).${domain}:2380`, '--client-cert-auth', '--cert-file=/tls/tls.crt', '--key-file=/tls/tls.key',
        '--trusted-ca-file=/tls/ca.crt', '--peer-cert-file=/tls/tls.crt', '--peer-key-file=/tls/tls.key', '--peer-trusted-ca-file=/tls/ca.crt',
      ],
      volumeMounts: [{name: 'data', mountPath: '/data'}, {name: 'tls', mountPath: '/tls'}],
    }],
    volumes: [{name: 'tls', secret: {secretName: `${set}-tls`}}],
  },
});

const claimOf = (name: string) => ({metadata: {name}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}}});

async function putPod(server: ApiServer, cluster: number, ordinal: number, owner: object, revision: string, namespace: string): Promise<void> {
  const set = `etcd-${cluster}`;
  const pod = podOf(cluster, ordinal);
  const template = templateOf(set);
  const volume = `pv-${pod}`;
  const claim = await put(server, `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
    {...claimOf(`data-${pod}`), spec: {...claimOf('').spec, volumeName: volume}} as never, {phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: {storage: '1Gi'}});
  await put(server, '/api/v1/persistentvolumes', {metadata: {name: volume}, spec: {
    capacity: {storage: '1Gi'}, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Delete', local: {path: `/data/${pod}`},
    claimRef: {kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name: `data-${pod}`, uid: claim.metadata.uid},
    nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: 'kubernetes.io/hostname', operator: 'In', values: [nodeOf(cluster, ordinal)]}]}]}},
  }} as never, {phase: 'Bound'});
  const labels = {...template.metadata.labels, 'statefulset.kubernetes.io/pod-name': pod, 'apps.kubernetes.io/pod-index': String(ordinal), 'controller-revision-hash': revision};
  const spec = {
    ...template.spec, nodeName: nodeOf(cluster, ordinal), hostname: pod, subdomain: set,
    volumes: [...template.spec.volumes, {name: 'data', persistentVolumeClaim: {claimName: `data-${pod}`}}],
  };
  const address = addressOf(cluster, ordinal);
  const ready = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({type, status: 'True', lastProbeTime: null, lastTransitionTime: stamp}));
  await put(server, `/api/v1/namespaces/${namespace}/pods`, {metadata: {name: pod, labels, ownerReferences: [owner]}, spec} as never, {
    phase: 'Running', podIP: address, podIPs: [{ip: address}], hostIP: '10.0.0.1', startTime: stamp, conditions: ready,
    containerStatuses: [{name: 'etcd', image: 'registry.example/etcd:3.6.16', imageID: 'sha256:0', containerID: 'containerd://0', ready: true, started: true, restartCount: 0, state: {running: {startedAt: stamp}}}],
  });
}

interface Secrets {
  pki: string;
}

async function putCluster(server: ApiServer, cluster: number, namespaces: number, {pki}: Secrets): Promise<void> {
  const {namespace, set} = placeOf(cluster, namespaces);
  // Every cluster has certificates of its own: the same text for all of them would be shared by whoever keeps it.
  const pem = (file: string): string => Buffer.from(`cluster ${cluster}\n${readFileSync(join(pki, file), 'utf8')}`).toString('base64');
  await put(server, `/api/v1/namespaces/${namespace}/secrets`, {metadata: {name: `${set}-tls`}, data: {'ca.crt': pem('ca.crt'), 'tls.crt': pem('client.crt'), 'tls.key': pem('client.key')}} as never);
  await put(server, `/api/v1/namespaces/${namespace}/services`, {metadata: {name: set}, spec: {clusterIP: 'None', publishNotReadyAddresses: true, selector: {app: set}, ports: [{name: 'client', port: clientPort}]}} as never);
  const revision = `${set}-1`;
  const template = templateOf(set);
  const made = await put(server, `/apis/apps/v1/namespaces/${namespace}/statefulsets`, {metadata: {name: set, labels: {app: set}}, spec: {
    replicas: voters, serviceName: set, selector: {matchLabels: {app: set}}, template, podManagementPolicy: 'Parallel', volumeClaimTemplates: [claimOf('data')],
  }} as never, {replicas: voters, readyReplicas: voters, observedGeneration: 1, currentRevision: revision, updateRevision: revision, currentReplicas: voters, updatedReplicas: voters});
  const owner = {apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid: made.metadata.uid, controller: true, blockOwnerDeletion: true};
  await put(server, `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`, {metadata: {name: revision, labels: {app: set}, ownerReferences: [owner]}, revision: 1, data: {spec: {template: {...template, $patch: 'replace'}}}} as never);
  await Promise.all(Array.from({length: voters}, (_, ordinal) => putPod(server, cluster, ordinal, owner, revision, namespace)));
  await put(server, `/apis/${apiVersion}/namespaces/${namespace}/quorumrecoveries`, {apiVersion, kind: 'QuorumRecovery', metadata: {name: set}, spec: {
    target: {statefulSet: set, tls: {secretName: `${set}-tls`}}, trigger: {type: 'OnQuorumLoss', gracePeriod: '10m'},
  }} as never);
}

/** Writes clusters as a StatefulSet controller and kubelets would have left them. */
export async function putClusters(server: ApiServer, numbers: readonly number[], namespaces: number, secrets: Secrets): Promise<void> {
  await side(numbers, (cluster) => putCluster(server, cluster, namespaces, secrets));
}

export async function recoveries(server: ApiServer): Promise<QuorumRecovery[]> {
  return (await server.ask('GET', `/apis/${apiVersion}/quorumrecoveries`)).body['items'] as QuorumRecovery[];
}

export async function recovery(server: ApiServer, {namespace, set}: {namespace: string; set: string}): Promise<QuorumRecovery> {
  return (await server.ask('GET', `/apis/${apiVersion}/namespaces/${namespace}/quorumrecoveries/${set}`)).body as unknown as QuorumRecovery;
}
