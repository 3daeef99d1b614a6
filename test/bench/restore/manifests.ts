import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {claimOf} from '../claims.ts';

/*
 * manifests.ts DIRECTORY STORE SNAPSHOT
 * Writes what the runbook of a restore creates, from DIRECTORY/set.json: for each member its claims and a pod that restores the snapshot
 * onto them. A person would have these files made before.
 */
const [directory = '', store = '', snapshot = ''] = process.argv.slice(2);
const set = JSON.parse(readFileSync(join(directory, 'set.json'), 'utf8')) as V1StatefulSet;
const {metadata, spec} = set;
const etcd = spec?.template.spec?.containers.find(({name}) => name === 'etcd');
if (spec === undefined || metadata?.name === undefined || etcd === undefined) throw new Error('set.json is no StatefulSet with a container etcd');
const {volumeClaimTemplates = [], serviceName = '', replicas = 1, template} = spec;
const {name: setName, namespace = 'default'} = metadata;
const {nodeSelector, tolerations, securityContext} = template.spec ?? {};

const pods = Array.from({length: replicas}, (_, ordinal) => `${setName}-${ordinal}`);
const peer = (pod: string): string => `http://${pod}.${serviceName}.${namespace}.svc:2380`;
const labels = {'restored-set': setName};
const backups = '/backups';
/** One for all, that no process of the old cluster knows. */
const token = `restored-${Date.now()}`;

/** What the template says of a flag; the restore has to put the data where etcd looks for it. */
const flagOf = (flag: string): string | undefined => etcd.args?.find((word) => word.startsWith(`--${flag}=`))?.slice(flag.length + 3);

const walDir = flagOf('wal-dir');

/** One for each member: the claims are made where it runs, so never two on a node. */
function restorePod(pod: string): V1Pod {
  const claims = volumeClaimTemplates.map(({metadata: claim}) => ({name: claim?.name ?? '', persistentVolumeClaim: {claimName: `${claim?.name ?? ''}-${pod}`}}));
  const mounts = (etcd?.volumeMounts ?? []).filter(({name}) => claims.some((claim) => claim.name === name));
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: {name: `${pod}-restore`, labels},
    spec: {
      restartPolicy: 'Never', ...(nodeSelector && {nodeSelector}), ...(tolerations && {tolerations}), ...(securityContext && {securityContext}),
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: 'kubernetes.io/hostname', labelSelector: {matchLabels: labels}}]}},
      containers: [{
        name: 'etcdutl', ...(etcd?.image !== undefined && {image: etcd.image}),
        command: [
          'etcdutl', 'snapshot', 'restore', `${backups}/${snapshot}`, `--name=${pod}`, `--initial-cluster=${pods.map((other) => `${other}=${peer(other)}`).join(',')}`,
          `--initial-advertise-peer-urls=${peer(pod)}`, `--initial-cluster-token=${token}`, `--data-dir=${flagOf('data-dir') ?? ''}`,
          ...(walDir === undefined ? [] : [`--wal-dir=${walDir}`]),
          // As etcd's documentation advises, where clients have watched: no revision comes twice.
          '--bump-revision=1000000000', '--mark-compacted',
        ],
        ...(etcd?.securityContext && {securityContext: etcd.securityContext}),
        volumeMounts: [...mounts, {name: 'backups', mountPath: backups, readOnly: true}],
      }],
      volumes: [...claims, {name: 'backups', persistentVolumeClaim: {claimName: store}}],
    },
  };
}

const items = pods.flatMap((pod) => [...volumeClaimTemplates.map((claim) => claimOf(set, pod, claim)), restorePod(pod)]);
writeFileSync(join(directory, 'restore.json'), JSON.stringify({apiVersion: 'v1', kind: 'List', items}));
